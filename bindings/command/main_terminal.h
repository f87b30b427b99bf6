/* main_terminal.h - the prompt on a terminal: its behaviour is Lua, scripts/bnn/prompt. */
#ifndef MAIN_TERMINAL_H
#define MAIN_TERMINAL_H

#include <lua.h>
#include <stdbool.h>

/* Whether input and output are terminals: what is typed is then more than lua's prompt takes. */
bool main_is_terminal(void);

/* Runs the prompt until the user leaves it.  *status: the exit status to end with.  false: the library
 * cannot be loaded, which has been reported, and nothing was read. */
bool main_run_terminal(lua_State *L, int *status);

#endif
