/* main.c - the `bnnlua` program: Lua 5.4's stand-alone interpreter, and besides it the library
 * `bnn`, the tools compiled in (-m), --help and --version.
 *
 * Everything that can raise runs under one protected call; functions return the exit status that
 * the program should end with, 0 to continue. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bind.h"
#include "bind_core.h"
#include "command/bind_prompt.h"
#include "command/main_call.h"
#include "command/main_help.h"
#include "command/main_options.h"
#include "command/main_prompt.h"
#include "command/main_run.h"
#include "command/main_terminal.h"
#include "command/main_tools.h"
#include "system/bind_streams.h"

static int exit_status = EXIT_SUCCESS; /* what main returns, once it is known */

/* The libraries, and the modules that `require` finds without a file; none of them is opened
 * before it is asked for. */
static void open_modules(lua_State *L, bool env) {
  if (!env) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* read by luaL_openlibs */
  }
  luaL_openlibs(L);
  bind_preload(L, BIND_PROGRAM, env);
}

static int run_stdin_or_prompt(lua_State *L) {
  if (!isatty(STDIN_FILENO)) return main_run_file(L, NULL);
  main_print_banner();
  puts("help() shows where to start, Ctrl-D ends");
  return main_run_prompt(L);
}

/* Everything after the libraries are open. */
static int run(lua_State *L, int argc, char **argv, const main_options *o) {
  int failed = o->no_env ? EXIT_SUCCESS : main_run_init_variable(L);
  if (!failed) failed = main_run_options(L, argv, o->script);
  if (failed) return failed;
  if (o->tool)
    failed = main_run_tool(L, o->tool);
  else if (o->script < argc)
    failed = main_run_script(L, argv + o->script);
  const bool stays = o->interactive && main_is_terminal(); /* to look at what a script left */
  if (failed && !stays) return failed;
  if (o->interactive) return main_run_prompt(L);
  if (!o->tool && o->script == argc && !o->execute && !o->version) return run_stdin_or_prompt(L);
  return EXIT_SUCCESS;
}

/* argc and argv in, exit status out; protected. */
static int protected_main(lua_State *L) {
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  main_options o = main_read_options(argc, argv);
  luaL_checkversion(L);
  int status = EXIT_SUCCESS;
  if (o.bad) {
    main_print_usage(o.bad);
    status = EXIT_FAILURE;
  } else if (o.help) {
    main_print_help();
  } else {
    if (o.version) main_print_banner();
    open_modules(L, !o.no_env);
    main_make_arg(L, argc, argv, o.script);
    lua_gc(L, LUA_GCGEN, 0, 0); /* as the stand-alone interpreter runs */
    status = o.versions ? main_print_versions(L) : run(L, argc, argv, &o);
  }
  lua_pushinteger(L, status);
  return 1;
}

/* At exit, however it came about: results that could not be written are a failure. */
static void check_output(void) {
  if (bind_streams_flush()) return;
  if (!main_said_why())
    fprintf(stderr, "bnnlua: cannot write to standard output: %s\n", strerror(errno));
  fflush(stderr);
  _exit(exit_status != EXIT_SUCCESS ? exit_status : EXIT_FAILURE);
}

int main(int argc, char **argv) {
  if (!bind_streams_open()) return EXIT_FAILURE;
  if (argc > 0 && argv[0][0] != '\0') main_set_program(argv[0]);
  atexit(check_output);
  lua_State *L = luaL_newstate();
  if (!L) {
    main_print_message(main_program(), "cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, protected_main);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  int status = lua_pcall(L, 2, 1, 0);
  exit_status = status == LUA_OK ? (int)lua_tointeger(L, -1) : main_report(L, status);
  lua_close(L);
  bind_prompt_fini();
  return exit_status;
}
