/* bind_learn.h - training and predicting. */
#ifndef BIND_LEARN_H
#define BIND_LEARN_H

#include <lua.h>

void bind_open_learn(lua_State *L);

#endif
