/* bind_lock.h - folders that one process at a time works in. */
#ifndef BIND_LOCK_H
#define BIND_LOCK_H

#include <lua.h>

void bind_open_lock(lua_State *L);

#endif
