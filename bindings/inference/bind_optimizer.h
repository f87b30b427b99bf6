/* bind_optimizer.h - states of optimizers. */
#ifndef BIND_OPTIMIZER_H
#define BIND_OPTIMIZER_H

#include <lua.h>

#include "inference/optimizer.h"

/* The state at arg. */
bnn_optimizer_state *bind_check_optimizer_state(lua_State *L, int arg);

void bind_open_optimizer(lua_State *L);

#endif
