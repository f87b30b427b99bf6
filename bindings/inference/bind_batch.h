/* bind_batch.h - rows of a data set as a batch. */
#ifndef BIND_BATCH_H
#define BIND_BATCH_H

#include <lua.h>

#include "inference/batch.h"

/* x, y (or nil), rows (or nil), from, count at these arguments; from counts from 1. */
bnn_batch bind_check_batch(lua_State *L, int arg);

void bind_open_batch(lua_State *L);

#endif
