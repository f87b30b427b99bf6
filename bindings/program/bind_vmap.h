/* bind_vmap.h - core.vmap: a finished program over slices of its inputs. */
#ifndef BIND_VMAP_H
#define BIND_VMAP_H

#include <lua.h>

void bind_open_vmap(lua_State *L);

#endif
