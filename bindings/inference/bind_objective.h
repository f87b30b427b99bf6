/* bind_objective.h - objectives: a training step in one call. */
#ifndef BIND_OBJECTIVE_H
#define BIND_OBJECTIVE_H

#include <lua.h>

void bind_open_objective(lua_State *L);

#endif
