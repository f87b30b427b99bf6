/* main_prompt.h - the prompt: statements and expressions that are read, run and printed. */
#ifndef MAIN_PROMPT_H
#define MAIN_PROMPT_H

#include <lua.h>

/* Until the input ends or a signal asks for an end; returns the exit status. */
int main_run_prompt(lua_State *L);

#endif
