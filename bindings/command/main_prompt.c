/* main_prompt.c - see main_prompt.h: the prompt of the stand-alone interpreter, for -i where no terminal
 * is; and the choice between that and the one of main_terminal.h. */
#include "main_prompt.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_signal.h"
#include "bind_prompt.h"
#include "main_call.h"
#include "main_terminal.h"

static const char TYPED[] = "bnn.prompt.typed"; /* in the registry: what is being run, as text */

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
  bind_prompt_result result = bind_prompt_read(push_prompt(L, first), NULL, &line, &length);
  lua_pop(L, 1);
  if (result != BIND_PROMPT_LINE) return result;
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
  if (result != BIND_PROMPT_LINE) return result;
  lua_pushvalue(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, TYPED);
  lua_remove(L, 1);
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
  main_print_message(main_program(),
                     lua_pushfstring(L, "error calling 'print' (%s)",
                                     message ? message : "error object is not a string"));
}

/* An interrupt on the top that carries the state of a training: assigns it to the global that the
 * line would have assigned. A failure changes nothing. */
static void keep_state(lua_State *L) {
  if (bind_signal_of(L, -1) == 0) return;
  int top = lua_gettop(L);
  lua_pushliteral(L, "state");
  if (lua_rawget(L, -2) != LUA_TNIL) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "bnn.run.interrupted_state");
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_getfield(L, -1, "keep") == LUA_TFUNCTION) {
      lua_pushvalue(L, top);
      lua_getfield(L, LUA_REGISTRYINDEX, TYPED);
      lua_pcall(L, 2, 0, 0);
    }
  }
  lua_settop(L, top);
}

/* Runs what was read. Returns 0 to go on; of a signal that asks the program to end, which Ctrl-C
 * does not, its status. */
static int answer(lua_State *L, int status) {
  if (status == LUA_OK) status = main_call(L, 0, LUA_MULTRET);
  if (status == LUA_OK) {
    print_results(L);
    return EXIT_SUCCESS;
  }
  keep_state(L);
  int sig = bind_signal_of(L, -1);
  int code = main_report(L, status);
  return sig != 0 && sig != SIGINT ? code : EXIT_SUCCESS;
}

/* The globals of the prompt: bnn, help and apropos, unless a script has made its own. */
static int open_library(lua_State *L) {
  main_require(L, "bnn.help.help_prompt");
  lua_getfield(L, -1, "open");
  main_require(L, "bnn");
  lua_call(L, 1, 0);
  return 0;
}

static int run_plain(lua_State *L) {
  lua_settop(L, 0);
  lua_pushcfunction(L, open_library);
  main_report(L, main_call(L, 0, 0)); /* without the library it is still a prompt */
  int code = EXIT_SUCCESS, status = LUA_OK;
  bind_prompt_result input;
  while (code == 0 && (input = load_input(L, &status)) != BIND_PROMPT_END)
    if (input == BIND_PROMPT_LINE) code = answer(L, status);
  lua_settop(L, 0);
  if (code == 0) fputs("\n", stdout);
  fflush(stdout);
  return code;
}

int main_run_prompt(lua_State *L) {
  const char *before = main_set_program(NULL); /* messages at the prompt carry no name */
  int status;
  if (!main_is_terminal() || !main_run_terminal(L, &status)) status = run_plain(L);
  main_set_program(before);
  return status;
}
