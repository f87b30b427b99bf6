/* bind_core.h - the module `bnn.core`: all functions that are written in C. */
#ifndef BIND_CORE_H
#define BIND_CORE_H

#include <lua.h>

int luaopen_bnn_core(lua_State *L);

#endif
