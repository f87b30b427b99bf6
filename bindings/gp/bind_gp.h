/* bind_gp.h - Gaussian processes as functions over f64 tensors, see bind_gp.c. */
#ifndef BIND_GP_H
#define BIND_GP_H

#include <lua.h>

/* Adds gp_likelihood, gp_factor and gp_predict to the table on top of the stack. */
void bind_open_gp(lua_State *L);

#endif
