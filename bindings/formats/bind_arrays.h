/* bind_arrays.h - NumPy's .npy and .npz. */
#ifndef BIND_ARRAYS_H
#define BIND_ARRAYS_H

#include <lua.h>

void bind_open_arrays(lua_State *L);

#endif
