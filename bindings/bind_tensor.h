/* bind_tensor.h - the parts of the tensor's binding, one file each. */
#ifndef BIND_TENSOR_H
#define BIND_TENSOR_H

#include <lua.h>

/* x[i] and x[{...}], or the method of that name from the table that is upvalue 1 (bind_index.c). */
int bind_tensor_index(lua_State *L);

/* tostring(x) (bind_print.c). */
int bind_tensor_print(lua_State *L);

/* Functions that make tensors, into the table on top of the stack (bind_make.c). */
void bind_open_make(lua_State *L);

#endif
