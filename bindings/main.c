/* main.c - the `bnnlua` program: Lua 5.4's stand-alone interpreter, and besides it the library
 * `bnn`, the tools compiled in (-m), --help and --version.
 *
 * Everything that can raise runs under one protected call; functions return the exit status that
 * the program should end with, 0 to go on. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bind.h"
#include "base/bind_display.h"
#include "base/bind_loader.h"
#include "base/bind_scripts.h"
#include "base/bind_signal.h"
#include "bind_core.h"
#include "command/bind_prompt.h"
#include "command/bind_streams.h"

#ifndef BNN_VERSION
#define BNN_VERSION "0.1.0"
#endif
#ifndef BNN_COMMIT
#define BNN_COMMIT "unknown"
#endif

#define TOOL_PREFIX "tools."

static bool said_why;                  /* a refusal has been printed: one line is enough */
static int exit_status = EXIT_SUCCESS; /* what main returns, once it is known */
static const char *program = "bnnlua"; /* argv[0]; before error messages, NULL at the prompt */

/* ---- messages ---- */

static void print_message(const char *prefix, const char *message) {
  if (prefix) {
    bind_print_shown(stderr, prefix);
    fputs(": ", stderr);
  }
  bind_print_shown(stderr, message);
  fputc('\n', stderr);
  fflush(stderr);
}

static void print_options(FILE *out) {
  fputs("  -e stat     execute string 'stat'\n"
        "  -i          enter interactive mode after executing 'script'\n"
        "  -l mod      require library 'mod' into global 'mod'\n"
        "  -l g=mod    require library 'mod' into global 'g'\n"
        "  -v          show version information\n"
        "  -E          ignore environment variables\n"
        "  -W          turn warnings on\n"
        "  -m tool     run a tool of the program; what follows are its arguments\n"
        "  --help      show this help\n"
        "  --version   show the versions of the program and its libraries\n"
        "  --          stop handling options\n"
        "  -           stop handling options and execute stdin\n",
        out);
}

static void print_usage(const char *bad) {
  bool lacks_argument = bad[1] == 'e' || bad[1] == 'l' || bad[1] == 'm';
  bind_print_shown(stderr, program);
  fputs(lacks_argument ? ": '" : ": unrecognized option '", stderr);
  bind_print_shown(stderr, bad);
  fputs(lacks_argument ? "' needs argument\nusage: " : "'\nusage: ", stderr);
  bind_print_shown(stderr, program);
  fputs(" [options] [script [args]]\nAvailable options are:\n", stderr);
  print_options(stderr);
  fflush(stderr);
}

static void print_banner(void) {
  fputs("bnnlua " BNN_VERSION " (" BNN_COMMIT ")\n" LUA_COPYRIGHT "\n", stdout);
  fflush(stdout);
}

/* ---- calling Lua ---- */

/* Adds a traceback to messages. Error objects with __tostring become their text; interrupts and
 * refusals stay what they are, for report. */
static int message_handler(lua_State *L) {
  if (bind_signal_error_status(L, 1) != 0) {
    lua_settop(L, 1);
    return 1;
  }
  const char *message = lua_tostring(L, 1);
  if (!message) {
    if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING) return 1;
    message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  }
  luaL_traceback(L, L, message, 1);
  return 1;
}

/* Calls the function below its nargs arguments, with a traceback in errors. */
static int call(lua_State *L, int nargs, int nresults) {
  int base = lua_gettop(L) - nargs;
  lua_pushcfunction(L, message_handler);
  lua_insert(L, base);
  int status = bind_signal_pcall(L, nargs, nresults, base);
  lua_remove(L, base);
  return status;
}

/* Prints the error on the stack's top, if `status` says it is one, and pops it. Returns the exit
 * status. */
static int report(lua_State *L, int status) {
  if (status == LUA_OK) return EXIT_SUCCESS;
  int special = bind_signal_error_status(L, -1);
  if (special != 0) {
    said_why = true;
    if (!bind_signal_is_quiet(L, -2)) print_message("bnnlua", lua_tostring(L, -1));
    lua_pop(L, 2);
    return special;
  }
  const char *message = lua_tostring(L, -1);
  print_message(program, message ? message : "(error message not a string)");
  lua_pop(L, 1);
  return EXIT_FAILURE;
}

/* Runs the chunk on the top, or reports the message there if loading failed. */
static int run_loaded(lua_State *L, int status) {
  if (status == LUA_OK) status = call(L, 0, 0);
  return report(L, status);
}

static int run_file(lua_State *L, const char *path) {
  return run_loaded(L, luaL_loadfile(L, path));
}

static int run_string(lua_State *L, const char *text, const char *chunkname) {
  return run_loaded(L, luaL_loadbuffer(L, text, strlen(text), chunkname));
}

/* ---- options ---- */

typedef struct options {
  bool interactive, version, execute, no_env, help, versions;
  const char *tool; /* -m's argument, or NULL */
  const char *bad;  /* the option that is wrong, or NULL */
  int script;       /* index in argv of the script or the tool's name; argc when there is none */
} options;

/* The argument of the option at *i, joined to it ("-lmod") or the next element. NULL: missing. */
static const char *option_argument(char **argv, int *i) {
  if (argv[*i][2] != '\0') return argv[*i] + 2;
  const char *next = argv[*i + 1];
  if (!next || next[0] == '-') return NULL;
  ++*i;
  return next;
}

/* Reads the option at *i, moving *i to the last element it uses. false: it is wrong. */
static bool read_option(options *o, char **argv, int *i) {
  const char *text = argv[*i];
  bool alone = text[2] == '\0';
  switch (text[1]) {
  case 'E': o->no_env = true; return alone;
  case 'W': return alone;
  case 'i': o->interactive = o->version = true; return alone;
  case 'v': o->version = true; return alone;
  case 'e': o->execute = true; return option_argument(argv, i) != NULL;
  case 'l': return option_argument(argv, i) != NULL;
  case 'm': o->tool = option_argument(argv, i); return o->tool != NULL;
  default: return false;
  }
}

/* Long options and the ends of the options. true: no more options follow *i. */
static bool ends_options(options *o, char **argv, int *i) {
  const char *text = argv[*i];
  if (text[0] != '-' || text[1] == '\0') return true; /* a script's name, or stdin */
  if (strcmp(text, "--help") == 0)
    o->help = true;
  else if (strcmp(text, "--version") == 0)
    o->versions = true;
  else if (strcmp(text, "--") == 0)
    ++*i;
  else
    return false;
  return true;
}

static options read_options(int argc, char **argv) {
  options o = {0};
  int i = 1;
  for (; i < argc && !ends_options(&o, argv, &i); i++) {
    const char *text = argv[i];
    if (!read_option(&o, argv, &i)) {
      o.bad = text;
      break;
    }
    if (o.tool) break;
  }
  o.script = i < argc ? i : argc;
  return o;
}

/* The global `arg`: the script at 0, its arguments from 1, what comes before at -1, -2, ... */
static void make_arg(lua_State *L, int argc, char **argv, int script) {
  if (script == argc) script = 0;
  lua_createtable(L, argc > script ? argc - script - 1 : 0, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* Pushes arg[1], arg[2], ... as the script left it; returns how many. */
static int push_arguments(lua_State *L) {
  if (lua_getglobal(L, "arg") != LUA_TTABLE) luaL_error(L, "'arg' is not a table");
  int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  for (int i = 1; i <= n; i++) lua_rawgeti(L, -i, i);
  lua_remove(L, -n - 1);
  return n;
}

static int run_script(lua_State *L, char **argv) {
  const char *path = argv[0];
  if (strcmp(path, "-") == 0 && strcmp(argv[-1], "--") != 0) path = NULL; /* stdin */
  int status = luaL_loadfile(L, path);
  if (status == LUA_OK) status = call(L, push_arguments(L), LUA_MULTRET);
  return report(L, status);
}

/* -l: "mod" or "global=mod". */
static int require_library(lua_State *L, const char *text) {
  const char *equals = strchr(text, '=');
  const char *module = equals ? equals + 1 : text;
  lua_pushlstring(L, text, equals ? (size_t)(equals - text) : strlen(text)); /* the global */
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  int status = call(L, 1, 1);
  if (status != LUA_OK) return report(L, status);
  lua_setglobal(L, lua_tostring(L, -2));
  lua_pop(L, 1);
  return EXIT_SUCCESS;
}

/* Runs -e, -l and -W in the order they were given, up to the script. */
static int run_options(lua_State *L, char **argv, int script) {
  for (int i = 1; i < script; i++) {
    int failed = EXIT_SUCCESS;
    switch (argv[i][1]) {
    case 'e': failed = run_string(L, option_argument(argv, &i), "=(command line)"); break;
    case 'l': failed = require_library(L, option_argument(argv, &i)); break;
    case 'W': lua_warning(L, "@on", 0); break;
    default: break;
    }
    if (failed) return failed;
  }
  return EXIT_SUCCESS;
}

static int run_init_variable(lua_State *L) {
  const char *name = "=LUA_INIT_5_4";
  const char *text = getenv(name + 1);
  if (!text) text = getenv((name = "=LUA_INIT") + 1);
  if (!text) return EXIT_SUCCESS;
  return text[0] == '@' ? run_file(L, text + 1) : run_string(L, text, name);
}

/* ---- tools ---- */

static bool is_tool(const bind_script *script) {
  return strncmp(script->name, TOOL_PREFIX, strlen(TOOL_PREFIX)) == 0;
}

/* A script's summary, the text after "---" on its first line; *length is 0 without one. */
static const char *summary(const bind_script *script, int *length) {
  const char *text = (const char *)script->data;
  *length = 0;
  if (script->size < 4 || memcmp(text, "---", 3) != 0) return "";
  const char *from = text + 3, *end = memchr(from, '\n', script->size - 3);
  while (from < text + script->size && *from == ' ') from++;
  if (end && end > from) *length = (int)(end - from);
  return from;
}

static void print_tools(FILE *out) {
  size_t known = 0;
  fputs("Tools, run by `bnnlua -m NAME [arguments]`:\n", out);
  for (size_t i = 0; i < bind_script_count; i++) {
    if (!is_tool(&bind_scripts[i])) continue;
    int length;
    const char *text = summary(&bind_scripts[i], &length);
    fprintf(out, "  %-11s %.*s\n", bind_scripts[i].name + strlen(TOOL_PREFIX), length, text);
    known++;
  }
  if (known == 0) fputs("  (none in this build)\n", out);
}

static int report_unknown_tool(lua_State *L, const char *tool) {
  luaL_Buffer names;
  luaL_buffinit(L, &names);
  for (size_t i = 0; i < bind_script_count; i++) {
    if (!is_tool(&bind_scripts[i])) continue;
    if (luaL_bufflen(&names) > 0) luaL_addstring(&names, ", ");
    luaL_addstring(&names, bind_scripts[i].name + strlen(TOOL_PREFIX));
  }
  luaL_pushresult(&names);
  const char *known = lua_tostring(L, -1);
  lua_pushfstring(L, "no tool '%s' (known: %s)", tool, *known ? known : "none");
  print_message(program, lua_tostring(L, -1));
  return EXIT_FAILURE;
}

/* Runs a tool as the main chunk, as if its file had been named on the command line. */
static int run_tool(lua_State *L, const char *tool) {
  int status = bind_loader_load(L, lua_pushfstring(L, TOOL_PREFIX "%s", tool));
  if (status == -1) return report_unknown_tool(L, tool);
  if (status != LUA_OK) return report(L, status);
  if (lua_getglobal(L, "arg") == LUA_TTABLE) {
    lua_pushvalue(L, -2); /* the path */
    lua_rawseti(L, -2, 0);
  }
  lua_pop(L, 2);
  return report(L, call(L, push_arguments(L), LUA_MULTRET));
}

/* ---- --help and --version ---- */

static void print_help(void) {
  printf("usage: %s [options] [script [args]]\n\n"
         "Lua 5.4 with a Bayesian-deep-learning runtime: `local bnn = require \"bnn\"`.\n"
         "Options are those of lua 5.4's interpreter, and -m, --help, --version:\n",
         program);
  print_options(stdout);
  printf("\nAn experiment is a script; its own flags follow it:\n"
         "  bnnlua experiments/mnist.lua --help      its flags with their defaults\n"
         "  bnnlua experiments/mnist.lua --beta=1e-3\n"
         "Without arguments on a terminal: a prompt, where `help()` tells more.\n\n");
  print_tools(stdout);
  printf("\nEnvironment: LUA_INIT, LUA_PATH, LUA_CPATH as in lua; BNNLUA_SCRIPTS=dir reads the\n"
         "library and the tools from a folder; BNNLUA_DATA=dir is where data sets are looked for,\n"
         "BNNLUA_OFFLINE=1 never downloads one.\n");
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

/* The runtime's part: require("bnn.core").versions() -> a list of {name=, version=}. */
static int print_runtime_versions(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "bnn.core");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "versions");
  lua_call(L, 0, 1);
  lua_Integer n = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, -1, i);
    print_version_entry(L);
    lua_pop(L, 1);
  }
  return 0;
}

static int print_versions(lua_State *L) {
  print_banner();
  lua_pushcfunction(L, print_runtime_versions);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    print_version_row("runtime", luaL_tolstring(L, -1, NULL));
    lua_pop(L, 2);
  }
  print_version_row("line editing", bind_prompt_library());
  return EXIT_SUCCESS;
}

/* ---- the prompt ---- */

/* Pushes the prompt, _PROMPT or _PROMPT2 when the script has set it. */
static const char *push_prompt(lua_State *L, bool first) {
  if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL)
    lua_pushstring(L, first ? "> " : ">> ");
  else
    luaL_tolstring(L, -1, NULL);
  lua_remove(L, -2);
  return lua_tostring(L, -1);
}

/* Pushes one line; pushes nothing unless the result is LINE. */
static bind_prompt_result push_line(lua_State *L, bool first) {
  const char *line;
  size_t length;
  bind_prompt_result result = bind_prompt_read(push_prompt(L, first), &line, &length);
  lua_pop(L, 1);
  if (result != BIND_PROMPT_LINE) return result;
  bind_prompt_remember(line);
  if (first && line[0] == '=')
    lua_pushfstring(L, "return %s", line + 1); /* as Lua 5.1 wrote it */
  else
    lua_pushlstring(L, line, length);
  return result;
}

/* Tries the line on the top as an expression; pushes its chunk if it is one, else nothing. */
static int load_expression(lua_State *L) {
  const char *text = lua_pushfstring(L, "return %s", lua_tostring(L, -1));
  int status = luaL_loadbuffer(L, text, strlen(text), "=stdin");
  if (status == LUA_OK)
    lua_remove(L, -2);
  else
    lua_pop(L, 2);
  return status;
}

/* Whether loading failed only because the text ends too soon. */
static bool is_incomplete(lua_State *L, int status) {
  static const char mark[] = "<eof>";
  if (status != LUA_ERRSYNTAX) return false;
  size_t length;
  const char *message = lua_tolstring(L, -1, &length);
  return length >= strlen(mark) && strcmp(message + length - strlen(mark), mark) == 0;
}

/* Loads the text on the top, asking for more lines as long as it is incomplete. Leaves the text
 * and, above it, the chunk or the message; nothing above it for DROPPED. */
static bind_prompt_result load_statement(lua_State *L, int *status) {
  for (;;) {
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    *status = luaL_loadbuffer(L, text, length, "=stdin");
    if (!is_incomplete(L, *status)) return BIND_PROMPT_LINE;
    bind_prompt_result more = push_line(L, false);
    if (more == BIND_PROMPT_END) return BIND_PROMPT_LINE; /* the message tells what is missing */
    lua_remove(L, more == BIND_PROMPT_LINE ? -2 : -1);
    if (more == BIND_PROMPT_DROPPED) return more;
    lua_pushliteral(L, "\n");
    lua_insert(L, -2);
    lua_concat(L, 3);
  }
}

/* Reads one statement or expression and pushes its chunk or message. */
static bind_prompt_result load_input(lua_State *L, int *status) {
  lua_settop(L, 0);
  bind_prompt_result result = push_line(L, true);
  if (result != BIND_PROMPT_LINE) return result;
  *status = load_expression(L);
  if (*status != LUA_OK) result = load_statement(L, status);
  if (result == BIND_PROMPT_LINE) lua_remove(L, 1);
  return result;
}

/* Prints the results on the stack through the global `print`. */
static void print_results(lua_State *L) {
  int n = lua_gettop(L);
  if (n == 0) return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  lua_getglobal(L, "print");
  lua_insert(L, 1);
  if (lua_pcall(L, n, 0, 0) == LUA_OK) return;
  const char *message = lua_tostring(L, -1);
  print_message(program, lua_pushfstring(L, "error calling 'print' (%s)",
                                         message ? message : "error object is not a string"));
}

/* Runs what was read. Returns 0 to go on; of a signal that asks the program to end, which Ctrl-C
 * does not, its status. */
static int answer(lua_State *L, int status) {
  if (status == LUA_OK) status = call(L, 0, LUA_MULTRET);
  if (status == LUA_OK) {
    print_results(L);
    return EXIT_SUCCESS;
  }
  int sig = bind_signal_of(L, -1);
  int code = report(L, status);
  return sig != 0 && sig != SIGINT ? code : EXIT_SUCCESS;
}

/* The globals of the prompt: bnn, and help from it, unless a script has made its own. */
static int open_library(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "bnn");
  lua_call(L, 1, 1);
  if (lua_getglobal(L, "bnn") == LUA_TNIL) {
    lua_pushvalue(L, 1);
    lua_setglobal(L, "bnn");
  }
  if (lua_getglobal(L, "help") == LUA_TNIL) {
    lua_getfield(L, 1, "help");
    lua_setglobal(L, "help");
  }
  return 0;
}

static int run_prompt(lua_State *L) {
  const char *before = program;
  program = NULL; /* messages at the prompt carry no name */
  lua_settop(L, 0);
  lua_pushcfunction(L, open_library);
  report(L, call(L, 0, 0)); /* without the library it is still a prompt */
  int code = EXIT_SUCCESS, status = LUA_OK;
  bind_prompt_result input;
  while (code == 0 && (input = load_input(L, &status)) != BIND_PROMPT_END)
    if (input == BIND_PROMPT_LINE) code = answer(L, status);
  lua_settop(L, 0);
  if (code == 0) fputs("\n", stdout);
  fflush(stdout);
  program = before;
  return code;
}

/* ---- the program ---- */

/* The libraries, and the modules that `require` finds without a file; none of them is opened
 * before it is asked for. */
static void open_modules(lua_State *L, bool env) {
  if (!env) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV"); /* read by luaL_openlibs */
  }
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_bnn_core);
  lua_setfield(L, -2, "bnn.core");
  lua_pushcfunction(L, luaopen_bnn_signal);
  lua_setfield(L, -2, "bnn.signal");
  lua_pop(L, 1);
  bind_loader_open(L, env);
  bind_signal_init(L);
}

static int run_stdin_or_prompt(lua_State *L) {
  if (!isatty(STDIN_FILENO)) return run_file(L, NULL);
  print_banner();
  return run_prompt(L);
}

/* Everything after the libraries are open. */
static int run(lua_State *L, int argc, char **argv, const options *o) {
  int failed = o->no_env ? EXIT_SUCCESS : run_init_variable(L);
  if (!failed) failed = run_options(L, argv, o->script);
  if (failed) return failed;
  if (o->tool)
    failed = run_tool(L, o->tool);
  else if (o->script < argc)
    failed = run_script(L, argv + o->script);
  if (failed) return failed;
  if (o->interactive) return run_prompt(L);
  if (!o->tool && o->script == argc && !o->execute && !o->version) return run_stdin_or_prompt(L);
  return EXIT_SUCCESS;
}

/* argc and argv in, exit status out; protected. */
static int protected_main(lua_State *L) {
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  options o = read_options(argc, argv);
  luaL_checkversion(L);
  int status = EXIT_SUCCESS;
  if (o.bad) {
    print_usage(o.bad);
    status = EXIT_FAILURE;
  } else if (o.help) {
    print_help();
  } else {
    if (o.version) print_banner();
    open_modules(L, !o.no_env);
    make_arg(L, argc, argv, o.script);
    lua_gc(L, LUA_GCGEN, 0, 0); /* as the stand-alone interpreter runs */
    status = o.versions ? print_versions(L) : run(L, argc, argv, &o);
  }
  lua_pushinteger(L, status);
  return 1;
}

/* At exit, however it came about: results that could not be written are a failure. */
static void check_output(void) {
  if (bind_streams_flush()) return;
  if (!said_why) fprintf(stderr, "bnnlua: cannot write to standard output: %s\n", strerror(errno));
  fflush(stderr);
  _exit(exit_status != EXIT_SUCCESS ? exit_status : EXIT_FAILURE);
}

int main(int argc, char **argv) {
  if (!bind_streams_open()) return EXIT_FAILURE;
  if (argc > 0 && argv[0][0] != '\0') program = argv[0];
  atexit(check_output);
  lua_State *L = luaL_newstate();
  if (!L) {
    print_message(program, "cannot create state: not enough memory");
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, protected_main);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  int status = lua_pcall(L, 2, 1, 0);
  exit_status = status == LUA_OK ? (int)lua_tointeger(L, -1) : report(L, status);
  lua_close(L);
  bind_prompt_fini();
  return exit_status;
}
