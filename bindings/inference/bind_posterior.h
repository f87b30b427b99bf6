/* bind_posterior.h - posteriors: families over the flat buffers of Lua's tensors. */
#ifndef BIND_POSTERIOR_H
#define BIND_POSTERIOR_H

#include <lua.h>

#include "inference/posterior.h"

/* The posterior at arg; its buffers stay while the box does. */
const bnn_posterior *bind_check_posterior(lua_State *L, int arg);

void bind_open_posterior(lua_State *L);

#endif
