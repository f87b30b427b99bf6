/* bind_shift.h - shifted images. */
#ifndef BIND_SHIFT_H
#define BIND_SHIFT_H

#include <lua.h>

void bind_open_shift(lua_State *L);

#endif
