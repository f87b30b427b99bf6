/* bind_idx.h - IDX files. */
#ifndef BIND_IDX_H
#define BIND_IDX_H

#include <lua.h>

void bind_open_idx(lua_State *L);

#endif
