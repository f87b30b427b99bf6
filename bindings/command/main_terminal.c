/* main_terminal.c - see main_terminal.h.  scripts/bnn/prompt/prompt.lua gets the functions below in a
 * table, and the library. */
#include "main_terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_signal.h"
#include "bind_interrupt.h"
#include "bind_prompt.h"
#include "main_call.h"

bool main_is_terminal(void) { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

typedef struct typed {
  const char *text;
  size_t n;
} typed;

/* (complete, typed) -> the two results of complete(text).  Protected: memory may run out. */
static int call_complete(lua_State *L) {
  const typed *before = lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushlstring(L, before->text, before->n);
  lua_call(L, 1, 2);
  return 2;
}

/* bind_completer.find: calls the function at index 2, and leaves its two results at 3 and 4. */
static void find_completion(void *data, const char *before, size_t n, const char **insert,
                            const char **list) {
  lua_State *L = data;
  typed line = {before, n};
  lua_settop(L, 2);
  lua_pushcfunction(L, call_complete);
  lua_pushvalue(L, 2);
  lua_pushlightuserdata(L, &line);
  if (lua_pcall(L, 2, 2, 0) != LUA_OK) return;
  *insert = lua_tostring(L, 3);
  *list = lua_tostring(L, 4);
}

/* read(prompt, complete) -> line; false and whether it was begun: Ctrl-C dropped it; nil: end of input. */
static int terminal_read(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  const bind_completer completer = {find_completion, L};
  const char *line;
  size_t length;
  switch (bind_prompt_read(prompt, &completer, &line, &length)) {
  case BIND_PROMPT_LINE: lua_pushlstring(L, line, length); return 1;
  case BIND_PROMPT_DROPPED:
    lua_pushboolean(L, false);
    lua_pushboolean(L, length > 0);
    return 2;
  default: return 0;
  }
}

/* edits() -> whether lines are edited, so that the marks of prompts that do not show are known */
static int terminal_edits(lua_State *L) {
  lua_pushboolean(L, bind_prompt_edits());
  return 1;
}

/* remember(text) */
static int terminal_remember(lua_State *L) {
  bind_prompt_remember(luaL_checkstring(L, 1));
  return 0;
}

/* unread(text) */
static int terminal_unread(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  bind_prompt_unread(text, n);
  return 0;
}

/* call(f, handler) -> true and f's results; or false and what the handler gave.  Ctrl-C raises
 * "interrupted!" in f. */
static int terminal_call(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_insert(L, 1); /* handler, f */
  struct sigaction before;
  sigaction(SIGINT, NULL, &before);
  int status = bind_signal_pcall(L, 0, LUA_MULTRET, 1);
  sigaction(SIGINT, &before, NULL);
  lua_pushboolean(L, status == LUA_OK);
  lua_replace(L, 1);
  return lua_gettop(L);
}

/* special(error) -> of an interrupt or a refusal its message, the exit status that it asks for, and its
 * signal or 0; nil for other errors. */
static int terminal_special(lua_State *L) {
  luaL_checkany(L, 1);
  int status = bind_signal_error_status(L, 1);
  if (status == 0) return 0;
  lua_pushinteger(L, status);
  lua_pushinteger(L, bind_signal_of(L, 1));
  return 3;
}

static void push_terminal(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"read", terminal_read},
      {"edits", terminal_edits},
      {"remember", terminal_remember},
      {"unread", terminal_unread},
      {"call", terminal_call},
      {"special", terminal_special},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  lua_getfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  lua_setfield(L, -2, "no_env");
}

/* () -> the function that runs the prompt, the terminal, the library */
static int open_prompt(lua_State *L) {
  main_require(L, "bnn.prompt.prompt");
  lua_getfield(L, -1, "run");
  push_terminal(L);
  main_require(L, "bnn");
  return 3;
}

bool main_run_terminal(lua_State *L, int *status) {
  lua_settop(L, 0);
  lua_pushcfunction(L, bind_add_traceback);
  lua_pushcfunction(L, open_prompt);
  *status = main_report(L, main_call(L, 0, 3));
  if (*status != EXIT_SUCCESS) return false;
  struct sigaction before;
  bind_interrupt_catch(&before); /* a Ctrl-C between a line and the next does not end the program */
  bind_signal_warn(true);
  int failed = lua_pcall(L, 2, 1, 1);
  bind_signal_warn(false);
  sigaction(SIGINT, &before, NULL);
  *status = failed ? main_report(L, failed) : (int)lua_tointeger(L, -1);
  lua_settop(L, 0);
  return true;
}
