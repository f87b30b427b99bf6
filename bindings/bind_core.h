/* bind_core.h - the module `bnn.core`: all functions that are written in C; and what a Lua state needs
 * before it can require the library. */
#ifndef BIND_CORE_H
#define BIND_CORE_H

#include <lua.h>
#include <stdbool.h>

#include "base/bind_loader.h"

int luaopen_bnn_core(lua_State *L);

/* Lets `require` find bnn.core, bnn.signal and the scripts; opens none of them.  `env`: whether
 * BNNLUA_SCRIPTS counts. */
void bind_preload(lua_State *L, bind_host host, bool env);

#endif
