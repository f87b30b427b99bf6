/* bind_batch.h - rows of a data set as a batch. */
#ifndef BIND_BATCH_H
#define BIND_BATCH_H

#include <lua.h>

#include "batches/batch.h"

/* The feeds in field `feeds` of the table at `at`: a list of {name, role ("x", "y" or "weight"), node}. */
bnn_feeds bind_check_feeds(lua_State *L, int at);

/* The list of tensors at arg, which keeps them alive: one for each feed, in their order. */
bnn_sources bind_check_sources(lua_State *L, int arg);

/* A list of tensors, rows (or nil), from, count at these arguments; from counts from 1. */
bnn_batch bind_check_batch(lua_State *L, int arg);

/* The same of one x and y, or NULL, whose rows, from and count are at arg; its rows are checked. */
bnn_batch bind_check_batch_of(lua_State *L, const bnn_tensor *x, const bnn_tensor *y,
                              const bnn_tensor *weight, int arg);

void bind_open_batch(lua_State *L);

#endif
