/* bind_error.c - see bind_error.h. */
#include "bind_error.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "bind.h"
#include "bind_display.h"
#include "bind_loader.h"
#include "bind_signal.h"

static const char path_key; /* registry[&path_key]: the function of core.on_failure */

/* Pushes "file:line: " of the innermost Lua function that is not the library's; of the caller when
 * all are, or "". */
static void push_where(lua_State *L) {
  lua_Debug call;
  for (int level = 1; lua_getstack(L, level, &call); level++) {
    lua_getinfo(L, "Sl", &call);
    if (call.currentline <= 0 || bind_loader_owns(L, call.source)) continue;
    lua_pushfstring(L, "%s:%d: ", call.short_src, call.currentline);
    return;
  }
  luaL_where(L, 1);
}

/* Pushes "path: " of the layer that is being called, or "". */
static void push_path(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &path_key);
  if (lua_isnil(L, -1) || lua_pcall(L, 0, 1, 0) != LUA_OK || lua_type(L, -1) != LUA_TSTRING ||
      lua_rawlen(L, -1) == 0) {
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    return;
  }
  lua_pushliteral(L, ": ");
  lua_concat(L, 2);
}

/* Raises the text on top of the stack. */
static int raise_top(lua_State *L) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bind_show_top(L);
  push_where(L);
  push_path(L);
  lua_rotate(L, -3, -1);
  lua_concat(L, 3);
  return lua_error(L);
}

int bind_error(lua_State *L, const char *format, ...) {
  va_list args;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  return raise_top(L);
}

int bind_argerror(lua_State *L, int arg, const char *format, ...) {
  va_list args;
  lua_Debug call = {.namewhat = ""};
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  va_start(args, format);
  const char *text = lua_pushvfstring(L, format, args);
  va_end(args);
  if (lua_getstack(L, 0, &call)) lua_getinfo(L, "n", &call);
  if (strcmp(call.namewhat, "method") == 0 && --arg == 0)
    return bind_error(L, "calling '%s' on bad self (%s)", call.name, text);
  const char *name = call.name ? call.name : bind_push_name(L);
  return bind_error(L, "bad argument #%d to '%s' (%s)", arg, name, text);
}

int bind_typeerror(lua_State *L, int arg, const char *expected) {
  const char *got = luaL_getmetafield(L, arg, "__name") == LUA_TSTRING ? lua_tostring(L, -1)
                                                                       : luaL_typename(L, arg);
  return bind_argerror(L, arg, "expected %s, got %s", expected, got);
}

void bind_check(lua_State *L, bnn_status status, const bnn_err *err) {
  if (status == BNN_OK) return;
  if (status == BNN_ESTOP) bind_signal_raise_if_pending(L);
  bind_error(L, "%s: %s", bnn_status_text(status), err->text);
}

int bind_refuse(lua_State *L, bnn_status status, const bnn_err *err) {
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: %s", bnn_status_text(status), err->text);
  return 2;
}

int bind_refuse_file(lua_State *L, bnn_status status, const bnn_err *err) {
  if (status == BNN_ENOMEM || status == BNN_ESTOP) bind_check(L, status, err);
  return bind_refuse(L, status, err);
}

int bind_refuse_with(lua_State *L, const char *format, ...) {
  va_list args;
  luaL_pushfail(L);
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  bind_show_top(L);
  return 2;
}

int bind_refuse_path(lua_State *L, const char *path, int number) {
  return bind_refuse_with(L, "%s: %s", path, strerror(number));
}

int bind_add_traceback(lua_State *L) {
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

/* core.where() */
static int core_where(lua_State *L) {
  push_where(L);
  push_path(L);
  bind_show_top(L);
  lua_concat(L, 2);
  return 1;
}

/* core.on_failure(f) */
static int core_on_failure(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &path_key);
  return 0;
}

static const bind_row rows[] = {
    {"where", core_where,
     "where(): \"FILE:LINE: \" of the user's script that made the call, and the path of the "
     "layer being called\n"
     "Error messages begin with it; \"\" if neither is known."},
    {"on_failure", core_on_failure,
     "on_failure(f): sets the function that gives error messages the path of the layer being "
     "called, \"\" outside"},
    {NULL, NULL, NULL},
};

void bind_open_error(lua_State *L) { bind_register(L, "bnn.core.", rows); }
