/* bind_make.h - tensors from Lua's numbers and lists, and the functions that make tensors. */
#ifndef BIND_MAKE_H
#define BIND_MAKE_H

#include <lua.h>
#include <stdbool.h>

#include "tensor/tensor.h"

/* A tensor from a number or nested lists at stack index `index`, into a new box on top of the
 * stack. Errors say that argument arg is wrong, and where. */
bnn_tensor *bind_push_data(lua_State *L, int index, int arg, bnn_dtype dtype);

/* Whether the number at stack index `index` can be an element of that type as it is. */
bool bind_number_fits(lua_State *L, int index, bnn_dtype dtype);

void bind_open_make(lua_State *L);

#endif
