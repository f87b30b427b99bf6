/* main_help.h - --help, --version and the lines that name the program. */
#ifndef MAIN_HELP_H
#define MAIN_HELP_H

#include <lua.h>

/* How the program is called, after the wrong option `bad`, on stderr. */
void main_print_usage(const char *bad);

void main_print_help(void);

/* Name, version, commit and Lua's copyright. */
void main_print_banner(void);

/* The banner and the versions of all libraries; returns the exit status. */
int main_print_versions(lua_State *L);

#endif
