/* main_run.c - see main_run.h. */
#include "main_run.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bind.h"
#include "main_call.h"
#include "main_options.h"

/* Runs the chunk on the top, or reports the message there if loading failed. */
static int run_loaded(lua_State *L, int status) {
  if (status == LUA_OK) status = main_call(L, 0, 0);
  return main_report(L, status);
}

int main_run_file(lua_State *L, const char *path) { return run_loaded(L, luaL_loadfile(L, path)); }

static int run_string(lua_State *L, const char *text, const char *chunkname) {
  return run_loaded(L, luaL_loadbuffer(L, text, strlen(text), chunkname));
}

/* Whether a text begins with help or apropos, and the user has no function of that name. */
static bool asks_for_help(lua_State *L, const char *text) {
  static const char *const names[] = {"help", "apropos"};
  const char *start = text + strspn(text, " \t\n");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    size_t n = strlen(names[i]);
    if (strncmp(start, names[i], n) != 0 || isalnum((unsigned char)start[n]) || start[n] == '_')
      continue;
    bool own = lua_getglobal(L, names[i]) != LUA_TNIL;
    lua_pop(L, 1);
    return !own;
  }
  return false;
}

/* require "bnn.help.help_prompt".run(require "bnn", text) */
static int run_help(lua_State *L) {
  main_require(L, "bnn.help.help_prompt");
  lua_getfield(L, -1, "run");
  main_require(L, "bnn");
  lua_pushvalue(L, 1);
  lua_call(L, 2, 0);
  return 0;
}

/* -e: help and apropos are known to a text that begins with one, and to no other. */
static int run_text(lua_State *L, const char *text) {
  if (!asks_for_help(L, text)) return run_string(L, text, "=(command line)");
  lua_pushcfunction(L, run_help);
  lua_pushstring(L, text);
  return main_report(L, main_call(L, 1, 0));
}

void main_make_arg(lua_State *L, int argc, char **argv, int script) {
  if (script == argc) script = 0;
  lua_createtable(L, argc > script ? argc - script - 1 : 0, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

int main_push_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE) luaL_error(L, "'arg' is not a table");
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, -i, i);
  lua_remove(L, -n - 1);
  return n;
}

int main_run_script(lua_State *L, char **argv) {
  const char *path = argv[0];
  if (strcmp(path, "-") == 0 && strcmp(argv[-1], "--") != 0) path = NULL; /* stdin */
  int status = luaL_loadfile(L, path);
  if (status == LUA_OK) status = main_call(L, main_push_arguments(L), LUA_MULTRET);
  return main_report(L, status);
}

/* -l: "mod" or "global=mod". */
static int require_library(lua_State *L, const char *text) {
  const char *equals = strchr(text, '=');
  const char *module = equals ? equals + 1 : text;
  lua_pushlstring(L, text, equals ? (size_t)(equals - text) : strlen(text)); /* the global */
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  int status = main_call(L, 1, 1);
  if (status != LUA_OK) return main_report(L, status);
  lua_setglobal(L, lua_tostring(L, -2));
  lua_pop(L, 1);
  return EXIT_SUCCESS;
}

int main_run_options(lua_State *L, char **argv, int script) {
  for (int i = 1; i < script; i++) {
    int failed = EXIT_SUCCESS;
    switch (argv[i][1]) {
    case 'e': failed = run_text(L, main_option_argument(argv, &i)); break;
    case 'l': failed = require_library(L, main_option_argument(argv, &i)); break;
    case 'W': lua_warning(L, "@on", 0); break;
    default: break;
    }
    if (failed) return failed;
  }
  return EXIT_SUCCESS;
}

int main_run_init_variable(lua_State *L) {
  const char *name = "=LUA_INIT_5_4";
  const char *text = getenv(name + 1);
  if (!text) text = getenv((name = "=LUA_INIT") + 1);
  if (!text) return EXIT_SUCCESS;
  return text[0] == '@' ? main_run_file(L, text + 1) : run_string(L, text, name);
}
