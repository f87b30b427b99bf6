/* bind_fork.h - a Lua function in a child process. */
#ifndef BIND_FORK_H
#define BIND_FORK_H

#include <lua.h>

void bind_open_fork(lua_State *L);

#endif
