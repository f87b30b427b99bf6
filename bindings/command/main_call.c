/* main_call.c - see main_call.h. */
#include "main_call.h"

#include <stdio.h>
#include <stdlib.h>

#include "../base/bind.h"
#include "../base/bind_display.h"
#include "../base/bind_error.h"
#include "../base/bind_line.h"
#include "../base/bind_signal.h"

static bool said_why;
static const char *program = "bnnlua";

const char *main_program(void) { return program; }

const char *main_set_program(const char *name) {
  const char *before = program;
  program = name;
  return before;
}

bool main_said_why(void) { return said_why; }

void main_print_message(const char *prefix, const char *message) {
  bind_line_erase();
  if (prefix) {
    bind_print_shown(stderr, prefix);
    fputs(": ", stderr);
  }
  bind_print_shown(stderr, message);
  fputc('\n', stderr);
  fflush(stderr);
}

int main_call(lua_State *L, int nargs, int nresults) {
  int base = lua_gettop(L) - nargs;
  lua_pushcfunction(L, bind_add_traceback);
  lua_insert(L, base);
  int status = bind_signal_pcall(L, nargs, nresults, base);
  lua_remove(L, base);
  return status;
}

void main_require(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

int main_report(lua_State *L, int status) {
  if (status == LUA_OK) return EXIT_SUCCESS;
  int special = bind_signal_error_status(L, -1);
  if (special != 0) {
    said_why = true;
    if (!bind_signal_is_quiet(L, -2)) main_print_message("bnnlua", lua_tostring(L, -1));
    lua_pop(L, 2);
    return special;
  }
  const char *message = lua_tostring(L, -1);
  main_print_message(main_program(), message ? message : "(error message not a string)");
  lua_pop(L, 1);
  return EXIT_FAILURE;
}
