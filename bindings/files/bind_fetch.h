/* bind_fetch.h - downloads and SHA-256. */
#ifndef BIND_FETCH_H
#define BIND_FETCH_H

#include <lua.h>

void bind_open_fetch(lua_State *L);

#endif
