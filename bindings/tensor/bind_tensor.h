/* bind_tensor.h - the box of a tensor: how bindings read one and give one back. */
#ifndef BIND_TENSOR_H
#define BIND_TENSOR_H

#include <lua.h>

#include "base/status.h"
#include "program/program.h"
#include "tensor/tensor.h"

#define BIND_TENSOR "bnn.tensor"

/* What a tensor's box holds: a concrete tensor, or a tracer (program and node) while recording. The
 * tracer's box keeps the program's box alive in its uservalue 1; `program` is NULL otherwise. */
typedef struct bind_tensor {
  bnn_tensor *t;
  bnn_program *program;
  int node;
} bind_tensor;

/* Pushes an empty box whose __gc is set already. */
void bind_push_tensor(lua_State *L);

/* Fills the empty box at `index`, with the caller's reference to t, and reports its bytes to the
 * collector: the only way to fill one. */
void bind_fill_tensor(lua_State *L, int index, bnn_tensor *t);

/* Ends a function that has made t for the empty box on top of the stack: raises when status is not OK,
 * else fills the box.  Returns 1. */
int bind_return_tensor(lua_State *L, bnn_status status, bnn_tensor *t, const bnn_err *err);

/* Returns to Lua the tensor that `read` makes of the file at argument 1, a path; or nil, message for what
 * the file is to blame for. */
int bind_read_tensor(lua_State *L,
                     bnn_status (*read)(bnn_tensor **out, const char *path, bnn_err *err));

/* Pushes a new box with a new tensor of zeros in it; collects and tries once more when memory is
 * short, then raises. */
bnn_tensor *bind_push_new(lua_State *L, bnn_dtype dtype, int rank, const size_t *dim);

/* Pushes x, or a contiguous copy of it, in a new box. */
bnn_tensor *bind_push_contiguous(lua_State *L, bnn_tensor *x);

/* Argument arg as a concrete tensor (a tracer raises "a value is read while recording"), with
 * `dtype` checked when it is not BNN_DTYPE_COUNT. */
bnn_tensor *bind_check_tensor(lua_State *L, int arg);
bnn_tensor *bind_check_typed(lua_State *L, int arg, bnn_dtype dtype);

/* The same, contiguous; and its elements, of which there must be n. */
bnn_tensor *bind_check_dense(lua_State *L, int arg, bnn_dtype dtype);
void *bind_check_elements(lua_State *L, int arg, bnn_dtype dtype, size_t n);

/* A tensor of any type, or NULL when the argument is nil or absent. */
bnn_tensor *bind_opt_tensor(lua_State *L, int arg);

/* The n tensors of the list at arg, one for each name of another, in a userdata left on the stack. */
bnn_tensor **bind_check_tensors(lua_State *L, int arg, size_t n);

/* The tensor box at arg, concrete or tracer, or NULL when it is something else.  Raises, as all
 * checks of a tensor do, when its elements are of a mapped file that has changed. */
const bind_tensor *bind_test_box(lua_State *L, int arg);

/* The shape of the tensor at arg, concrete or tracer; raises when it is neither, or dead. */
bnn_shape bind_check_shape_of(lua_State *L, int arg);

/* x[i] and x[{...}], or the method of that name from the table that is upvalue 1 (bind_index.c). */
int bind_tensor_index(lua_State *L);

/* tostring(x) (bind_print.c). */
int bind_tensor_print(lua_State *L);

/* core.tensor_text(x, line): the same in lines of so many characters. */
int bind_tensor_print_in(lua_State *L);

void bind_open_tensor(lua_State *L);

#endif
