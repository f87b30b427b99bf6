/* bind_display.c - text of any origin as a terminal may show it (see display.h), in messages. */
#include "bind_display.h"

#include <string.h>

#include "base/display.h"
#include "bind.h"

const char *bind_push_shown(lua_State *L, const char *text, size_t n, bool lines) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t at = 0; at < n;) {
    at += bnn_display_next(luaL_prepbuffsize(&b, BNN_DISPLAY_UNIT), text + at, n - at, lines);
    luaL_addsize(&b, strlen(luaL_buffaddr(&b) + luaL_bufflen(&b)));
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

const char *bind_show_top(lua_State *L) {
  size_t n;
  const char *text = lua_tolstring(L, -1, &n);
  const char *shown = bind_push_shown(L, text, n, true);
  lua_remove(L, -2);
  return shown;
}

void bind_print_shown(FILE *out, const char *text) {
  char unit[BNN_DISPLAY_UNIT];
  size_t n = strlen(text);
  for (size_t at = 0; at < n;) {
    at += bnn_display_next(unit, text + at, n - at, true);
    fputs(unit, out);
  }
}

/* shown(text [, lines]) */
static int core_shown(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  bind_push_shown(L, text, n, lua_toboolean(L, 2));
  return 1;
}

static const bind_row rows[] = {
    {"shown", core_shown,
     "shown(text [, lines]): escapes a text for terminals: control characters, bidirectional "
     "marks and\n"
     "bytes that are not UTF-8 become \\n, \\x1b, \\u{9b}; with lines, newlines and tabs stay"},
    {NULL, NULL, NULL},
};

void bind_open_display(lua_State *L) { bind_register(L, "bnn.core.", rows); }
