/* bind_map.h - tensors over mapped files whose files change. */
#ifndef BIND_MAP_H
#define BIND_MAP_H

#include <lua.h>

#include "tensor/tensor.h"

/* Raises when x, which may be NULL, lies over a mapped file that has changed, or when a mapped file
 * was cut short while something was read from it. */
void bind_check_map(lua_State *L, const bnn_tensor *x);

void bind_open_map(void);

#endif
