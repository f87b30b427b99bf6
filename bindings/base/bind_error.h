/* bind_error.h - how a binding raises, and how it gives back nil and a message. */
#ifndef BIND_ERROR_H
#define BIND_ERROR_H

#include <lua.h>

#include "base/status.h"

/* Raise like luaL_error, luaL_argerror and luaL_typeerror, with the line of the user's script that led
 * here rather than the library's, and the path of the layer that is being called, when there is one:
 * "net.lua:7: mlp/linear_2: bad argument #2 to 'mm' (expected ..., got ...)".  Formats are those of
 * lua_pushfstring.  Success costs nothing: who knows the path is asked only then (core.on_failure).
 * They do not return. */
int bind_error(lua_State *L, const char *format, ...);
int bind_argerror(lua_State *L, int arg, const char *format, ...);
int bind_typeerror(lua_State *L, int arg, const char *expected);

/* luaL_argcheck, by bind_argerror. */
#define bind_argcheck(L, holds, arg, text) \
  ((void)((holds) || bind_argerror((L), (arg), "%s", (text))))

/* Raises when status is not OK: "shapes do not agree: <text>", by bind_error. */
void bind_check(lua_State *L, bnn_status status, const bnn_err *err);

/* Pushes nil and the message; returns 2: for what the world may refuse. */
int bind_refuse(lua_State *L, bnn_status status, const bnn_err *err);

/* The same for a file, but raises for want of memory, and when a stop was asked for. */
int bind_refuse_file(lua_State *L, bnn_status status, const bnn_err *err);

/* Push nil and a message, as shown: what the format of lua_pushfstring gives, or "path: reason"
 * with that of errno `number`.  Return 2. */
int bind_refuse_with(lua_State *L, const char *format, ...);
int bind_refuse_path(lua_State *L, const char *path, int number);

/* A message handler that adds a traceback.  Error objects with __tostring become their text; interrupts
 * and refusals stay what they are. */
int bind_add_traceback(lua_State *L);

void bind_open_error(lua_State *L);

#endif
