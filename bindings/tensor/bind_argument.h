/* bind_argument.h - arguments that are numbers, positions, shapes and paths.  A tracer fails as a value
 * that is read while recording (bind_tracer.h). */
#ifndef BIND_ARGUMENT_H
#define BIND_ARGUMENT_H

#include <lua.h>

#include "tensor/tensor.h"

/* luaL_checkinteger and luaL_checknumber. */
lua_Integer bind_check_integer(lua_State *L, int arg);
lua_Number bind_check_number(lua_State *L, int arg);

/* An integer in [lo, hi] by name: raises "bad argument #arg to ... (name: expected at
 * least 1, got 0)". */
lua_Integer bind_check_range(lua_State *L, int arg, const char *name, lua_Integer lo,
                             lua_Integer hi);

/* A path at arg, as C sees it: without a zero byte inside. */
const char *bind_check_path(lua_State *L, int arg);

/* The *n strings, without zero bytes, of the list at `index`, and a NULL after them, in a userdata left on
 * the stack; they stand as long as the list does.  Errors say that `what` in argument arg is wrong. */
const char **bind_check_strings(lua_State *L, int index, int arg, const char *what, size_t *n);

/* A 1-based index into n, negative from the end, as 0-based; raises outside. */
size_t bind_check_index(lua_State *L, int arg, size_t n);

/* A range of positions `from, count` at arg and arg + 1, from among n; *from counts from 0. */
void bind_check_span(lua_State *L, int arg, size_t n, size_t *from, size_t *count);

/* A shape from integers starting at arg or from one list at arg; returns its rank. */
int bind_check_shape(lua_State *L, int arg, size_t dim[BNN_RANK_MAX]);

/* The same where one -1 stands for what `size` elements leave. */
int bind_check_view_shape(lua_State *L, int arg, size_t size, size_t dim[BNN_RANK_MAX]);

/* Axis arg of a value of that rank: 1-based, negative from the end; as 0-based. */
int bind_check_axis(lua_State *L, int arg, int rank);

/* An order of `rank` axes from integers starting at arg or from one list at arg. */
void bind_check_order(lua_State *L, int arg, int rank, int order[BNN_RANK_MAX]);

/* A type by name at arg; `otherwise` when it is nil or absent. */
bnn_dtype bind_opt_dtype(lua_State *L, int arg, bnn_dtype otherwise);

#endif
