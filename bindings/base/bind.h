/* bind.h - what every binding starts from: Lua's headers, functions with their documentation, classes.
 *
 * A box is a full userdata that holds one pointer, NULL until it is filled; __gc and __close are
 * the same function, and twice is fine.  Every binding reads and checks all its arguments, pushes
 * the empty box, does the C work into it, and raises or returns last: whatever raises in between,
 * nothing leaks.  Nothing from bnn_mem is held in a C local across a Lua call that can raise.
 *
 * A room includes its own headers and those of the rooms below it: base, then tensor, and so on up
 * to bind_core.c, which opens them all.  bind_open_X puts the functions of bind_X.c into the module's
 * table, which is on top of the stack and stays there. */
#ifndef BIND_H
#define BIND_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* Rows of C functions with their documentation: {name, function, doc}; the doc's first line is the
 * call.  Registered into the table on top of the stack, and into core.docs(). */
typedef struct bind_row {
  const char *name;
  lua_CFunction call;
  const char *doc;
} bind_row;
void bind_register(lua_State *L, const char *prefix, const bind_row *rows);

/* Makes the metatable `name` with metamethods `meta` and leaves its table of methods, from `rows`,
 * on the stack.  The methods are __index unless meta has an __index, whose upvalue 1 they are then.
 */
void bind_new_class(lua_State *L, const char *name, const char *prefix, const luaL_Reg *meta,
                    const bind_row *rows);

/* Sets the metatable `name`, with these functions, on the value on top of the stack.  It is made whole
 * at its first use and registered then: memory that is out in between leaves none without its __gc,
 * as luaL_newmetatable would. */
void bind_set_metatable(lua_State *L, const char *name, const luaL_Reg *meta);

/* Remembers the name of the function on top of the stack, as bind_register does, for errors. */
void bind_remember_name(lua_State *L, const char *prefix, const char *name);

/* Pushes the name under which the running function was registered, or "?", and returns it. */
const char *bind_push_name(lua_State *L);

/* The length of the list at `index`, which is read by lua_geti: a list of a configuration, which is
 * behind a metatable (scripts/bnn/base/configuration.lua), has one too; other objects have none. */
size_t bind_list_length(lua_State *L, int index);

/* Sets a text as a field of the table on top of the stack. */
void bind_set_text(lua_State *L, const char *name, const char *text);

/* core.docs(); before all other opens. */
void bind_open(lua_State *L);

#endif
