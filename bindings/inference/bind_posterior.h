/* bind_posterior.h - draws and KL of a mean-field posterior. */
#ifndef BIND_POSTERIOR_H
#define BIND_POSTERIOR_H

#include <lua.h>

void bind_open_posterior(lua_State *L);

#endif
