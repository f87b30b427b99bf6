/* bind_option.h - arguments that are tables of options. */
#ifndef BIND_OPTION_H
#define BIND_OPTION_H

#include <lua.h>
#include <stdbool.h>

/* Raises for a key of the table at `index` (or nil there) that is none of `names`. */
void bind_check_options(lua_State *L, int index, const char *const *names);

/* Pushes option `name` of the table at `index`, nil when there is none; says whether it is there. */
bool bind_push_option(lua_State *L, int index, const char *name);

/* The same as a boolean, which is popped. */
bool bind_option_flag(lua_State *L, int index, const char *name, bool otherwise);

#endif
