/* bind_scope.h - core.scope: a value that is in force while a function runs. */
#ifndef BIND_SCOPE_H
#define BIND_SCOPE_H

#include <lua.h>

void bind_open_scope(lua_State *L);

#endif
