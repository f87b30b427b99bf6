/* bind_safetensors.h - files of named tensors. */
#ifndef BIND_SAFETENSORS_H
#define BIND_SAFETENSORS_H

#include <lua.h>

void bind_open_safetensors(lua_State *L);

#endif
