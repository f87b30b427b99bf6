/* bind_flat.h - flat parameters and the lists that go with them: what all bindings of inference read. */
#ifndef BIND_FLAT_H
#define BIND_FLAT_H

#include <lua.h>

#include "base/real.h"
#include "families/layout.h"

/* A flat buffer of parameters at arg: contiguous, real, of `size` elements. */
bnn_real *bind_check_flat(lua_State *L, int arg, size_t size);

/* A layout from the list at `sizes`, which has each tensor's elements; its memory is a userdata, left on
 * the stack. */
bnn_layout bind_check_layout(lua_State *L, int sizes);

/* The n numbers of the list at `index`, in a userdata left on the stack; `what` is what errors call
 * it. */
double *bind_check_numbers(lua_State *L, int index, const char *what, size_t n);

/* The same of field `name` of the table at `at`; zeros if it is missing. */
double *bind_field_numbers(lua_State *L, int at, const char *name, size_t n);

/* Field `name` of the table at `at`, an integer of 31 bits; `missing` if it is nil. */
int bind_field_integer(lua_State *L, int at, const char *name, int missing);

#endif
