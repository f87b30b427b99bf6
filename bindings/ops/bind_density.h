/* bind_density.h - densities as Lua gives them: a list {name, parameters...}. */
#ifndef BIND_DENSITY_H
#define BIND_DENSITY_H

#include <lua.h>

#include "densities/density.h"

/* The prior {name, parameters...} at `index`; raises for another name, or a parameter that is
 * missing or out of its bounds. */
bnn_prior bind_check_prior(lua_State *L, int index);

void bind_open_density(lua_State *L);

#endif
