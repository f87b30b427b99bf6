/* bind_lanes.h - steps of several objectives side by side. */
#ifndef BIND_LANES_H
#define BIND_LANES_H

#include <lua.h>

void bind_open_lanes(lua_State *L);

#endif
