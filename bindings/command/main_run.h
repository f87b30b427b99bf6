/* main_run.h - running scripts, files and strings, as the stand-alone interpreter does.  All return the exit
 * status that the program should end with, 0 to continue. */
#ifndef MAIN_RUN_H
#define MAIN_RUN_H

#include <lua.h>

/* The global `arg`: the script at 0, its arguments from 1, what comes before at -1, -2, ... */
void main_make_arg(lua_State *L, int argc, char **argv, int script);

/* Pushes arg[1], arg[2], ... as the script left it; returns how many. */
int main_push_arguments(lua_State *L);

/* A file, or stdin if path is NULL. */
int main_run_file(lua_State *L, const char *path);

/* The script argv[0] with its arguments. */
int main_run_script(lua_State *L, char **argv);

/* LUA_INIT. */
int main_run_init_variable(lua_State *L);

/* Runs -e, -l and -W in the order they were given, up to the script. */
int main_run_options(lua_State *L, char **argv, int script);

#endif
