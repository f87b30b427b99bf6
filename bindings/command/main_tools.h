/* main_tools.h - the tools that are compiled in, scripts/tools, run by -m. */
#ifndef MAIN_TOOLS_H
#define MAIN_TOOLS_H

#include <lua.h>
#include <stdio.h>

/* Prints a list of them. */
void main_print_tools(FILE *out);

/* Runs a tool as the main chunk, as if its file had been named on the command line; returns the exit
 * status. */
int main_run_tool(lua_State *L, const char *tool);

#endif
