/* bind_rule.h - states of update rules. */
#ifndef BIND_RULE_H
#define BIND_RULE_H

#include <lua.h>

#include "inference/updater.h"

/* The state at arg, of one rule or several. */
bnn_updater *bind_check_updater(lua_State *L, int arg);

/* A step's lr and noise at these arguments into rates [n_rules]: numbers, a nil noise is 1; of several
 * rules lists. */
void bind_check_rates(lua_State *L, int lr, int noise, const bnn_updater *u, bnn_rate *rates);

void bind_open_rule(lua_State *L);

#endif
