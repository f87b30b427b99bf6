/* bind_terminal.h - the size of a terminal, and what it answers. */
#ifndef BIND_TERMINAL_H
#define BIND_TERMINAL_H

#include <lua.h>

void bind_open_terminal(lua_State *L);

#endif
