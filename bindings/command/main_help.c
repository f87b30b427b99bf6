/* main_help.c - see main_help.h. */
#include "main_help.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/bind.h"
#include "../base/bind_display.h"
#include "bind_prompt.h"
#include "main_call.h"
#include "main_tools.h"

#ifndef BNN_VERSION
#define BNN_VERSION "0.1.0"
#endif
#ifndef BNN_COMMIT
#define BNN_COMMIT "unknown"
#endif

static void print_options(FILE *out) {
  fputs("  -e stat     execute string 'stat'\n"
        "  -i          enter interactive mode after executing 'script'\n"
        "  -l mod      require library 'mod' into global 'mod'\n"
        "  -l g=mod    require library 'mod' into global 'g'\n"
        "  -v          show version information\n"
        "  -E          ignore environment variables\n"
        "  -W          turn warnings on\n"
        "  -m tool     run a tool (see below); what follows are its arguments\n"
        "  --help      show this help\n"
        "  --version   show the versions of the program and its libraries\n"
        "  --          stop handling options\n"
        "  -           stop handling options and execute stdin\n",
        out);
}

void main_print_usage(const char *bad) {
  bool lacks_argument = bad[1] == 'e' || bad[1] == 'l' || bad[1] == 'm';
  bind_print_shown(stderr, main_program());
  fputs(lacks_argument ? ": '" : ": unrecognized option '", stderr);
  bind_print_shown(stderr, bad);
  fputs(lacks_argument ? "' needs argument\nusage: " : "'\nusage: ", stderr);
  bind_print_shown(stderr, main_program());
  fputs(" [options] [script [args]]\nAvailable options are:\n", stderr);
  print_options(stderr);
  fflush(stderr);
}

void main_print_banner(void) {
  fputs("bnnlua " BNN_VERSION " (" BNN_COMMIT ")\n" LUA_COPYRIGHT "\n", stdout);
  fflush(stdout);
}

void main_print_help(void) {
  printf("usage: %s [options] [script [args]]\n\n"
         "Lua 5.4 with a Bayesian-deep-learning runtime: `local bnn = require \"bnn\"`.\n"
         "Options are those of lua 5.4's interpreter, and -m, --help, --version:\n",
         main_program());
  print_options(stdout);
  printf("\nAn experiment is a script; its own flags follow it:\n"
         "  bnnlua experiments/mnist.lua --help      its flags with their defaults\n"
         "  bnnlua experiments/mnist.lua --beta=1e-3\n"
         "Without arguments on a terminal: a prompt, where `help()` tells more.\n\n");
  main_print_tools(stdout);
  printf("\nEnvironment: LUA_INIT, LUA_PATH, LUA_CPATH as in lua; BNNLUA_SCRIPTS=dir reads the\n"
         "library and the tools from a folder; BNNLUA_DATA=dir is where data sets are looked for,\n"
         "BNNLUA_OFFLINE=1 never downloads one; BNNLUA_RUNS=dir is where runs are recorded.\n");
}

static void print_version_row(const char *name, const char *version) {
  printf("  %-15s %s\n", name, version);
}

/* One row of the list, on the stack's top. */
static void print_version_entry(lua_State *L) {
  lua_getfield(L, -1, "version");
  lua_getfield(L, -2, "name");
  const char *name = luaL_tolstring(L, -1, NULL);
  const char *version = luaL_tolstring(L, -3, NULL);
  print_version_row(name, version);
  lua_pop(L, 4);
}

/* The list that a function of the module on top gives, a row each. */
static void print_version_list(lua_State *L, const char *function) {
  lua_getfield(L, -1, function);
  lua_call(L, 0, 1);
  lua_Integer n = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, -1, i);
    print_version_entry(L);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

/* The runtime's part: require("bnn.core").versions() -> a list of {name=, version=}; engines(). */
static int print_runtime_versions(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "bnn.core");
  lua_call(L, 1, 1);
  print_version_list(L, "versions");
  print_version_list(L, "engines");
  return 0;
}

int main_print_versions(lua_State *L) {
  main_print_banner();
  lua_pushcfunction(L, print_runtime_versions);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    print_version_row("runtime", luaL_tolstring(L, -1, NULL));
    lua_pop(L, 2);
  }
  print_version_row("line editing", bind_prompt_library());
  return EXIT_SUCCESS;
}
