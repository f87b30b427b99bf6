/* bind_system.h - what Lua's own library lacks of the system: folders and terminals. */
#ifndef BIND_SYSTEM_H
#define BIND_SYSTEM_H

#include <lua.h>

/* The seconds of a clock that is never set. */
double bind_ticks(void);

void bind_open_system(lua_State *L);

#endif
