/* bind_rule.h - states of update rules. */
#ifndef BIND_RULE_H
#define BIND_RULE_H

#include <lua.h>

#include "rules/rule.h"

/* The state at arg. */
bnn_rule_state *bind_check_rule_state(lua_State *L, int arg);

void bind_open_rule(lua_State *L);

#endif
