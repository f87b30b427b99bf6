/* bind_system.h - what Lua's own library lacks of the system: folders and terminals. */
#ifndef BIND_SYSTEM_H
#define BIND_SYSTEM_H

#include <lua.h>

void bind_open_system(lua_State *L);

#endif
