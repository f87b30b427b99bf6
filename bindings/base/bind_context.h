/* bind_context.h - the runtime's context of a Lua state, and memory that the collector cannot see. */
#ifndef BIND_CONTEXT_H
#define BIND_CONTEXT_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/context.h"
#include "base/status.h"

/* The context of this Lua state, made when the module was opened. */
bnn_context *bind_context(lua_State *L);

/* Tells the collector of `bytes` that a box just took, so that it collects in time: Lua cannot see
 * C memory (20,000 dropped tensors of 8 kB left 4,293 alive at the peak; with this, 133). */
void bind_account(lua_State *L, size_t bytes);

/* After a failure for want of memory: collects all garbage and says whether to try again, once.
 * `tries` starts at 0. */
bool bind_try_again(lua_State *L, bnn_status status, int *tries);

/* Before the other opens, which count their memory in it. */
void bind_open_context(lua_State *L);

#endif
