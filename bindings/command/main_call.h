/* main_call.h - calling Lua from the program, and its messages. */
#ifndef MAIN_CALL_H
#define MAIN_CALL_H

#include <lua.h>
#include <stdbool.h>

/* The name that begins messages: argv[0]; NULL at the prompt.  The setter returns the one before. */
const char *main_program(void);
const char *main_set_program(const char *name);

/* "prefix: message" on stderr, as a terminal may show it; without prefix if that is NULL. */
void main_print_message(const char *prefix, const char *message);

/* Calls the function below its nargs arguments, with a traceback in errors. */
int main_call(lua_State *L, int nargs, int nresults);

/* Pushes require(name). */
void main_require(lua_State *L, const char *name);

/* Prints the error on the stack's top, if `status` says it is one, and pops it. Returns the exit
 * status. */
int main_report(lua_State *L, int status);

/* Whether a refusal has been printed: one line is enough. */
bool main_said_why(void);

#endif
