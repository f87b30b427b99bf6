/* bind_glyphs.h - digits and letters that the program draws. */
#ifndef BIND_GLYPHS_H
#define BIND_GLYPHS_H

#include <lua.h>

void bind_open_glyphs(lua_State *L);

#endif
