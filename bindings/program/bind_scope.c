/* bind_scope.c - a value that is in force while a function runs: that something is being recorded,
 * the network that is being called.
 *
 * A variable that is set before the call and put back after it is not enough: Lua closes nothing of
 * a coroutine that is dropped while it is suspended, nor of one that fails under coroutine.resume,
 * and while a coroutine is suspended others must not see its value.  So each binding belongs to the
 * coroutine that made it, in a table with weak keys, and counts while that coroutine runs or waits
 * for another that it has resumed.  A coroutine without a binding sees that of the one it runs in.
 *
 * Its __close is a C function, which the hook of an interrupt cannot keep from running. */
#include "bind_scope.h"

#include <stdbool.h>
#include <stdint.h>

#include "../base/bind.h"

#define SCOPE "bnn.scope"
#define BINDING "bnn.scope.binding"

/* uservalue 1: coroutine -> its innermost binding, weak keys */
typedef struct scope {
  uint64_t made; /* bindings so far */
} scope;

/* uservalues: the value, the coroutine's next outer binding or nil, the scope's table */
typedef struct binding {
  uint64_t number; /* a binding made within another has the larger one */
} binding;

enum { VALUE = 1, OUTER, TABLE };

/* core.scope() */
static int core_scope(lua_State *L) {
  scope *s = lua_newuserdatauv(L, sizeof *s, 1);
  s->made = 0;
  luaL_setmetatable(L, SCOPE);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* Sets the running coroutine's innermost binding to the value on the top, and pops that. */
static void set_innermost(lua_State *L, int table) {
  lua_pushthread(L);
  lua_insert(L, -2);
  lua_rawset(L, table);
}

static int binding_close(lua_State *L) {
  luaL_checkudata(L, 1, BINDING);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, TABLE);
  lua_getiuservalue(L, 1, OUTER);
  set_innermost(L, 2);
  return 0;
}

/* A binding of scope 1 to value 2, not in force yet. */
static void push_binding(lua_State *L) {
  scope *s = luaL_checkudata(L, 1, SCOPE);
  binding *b = lua_newuserdatauv(L, sizeof *b, TABLE);
  b->number = ++s->made;
  luaL_setmetatable(L, BINDING);
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, VALUE);
  lua_getiuservalue(L, 1, 1);
  lua_pushthread(L);
  lua_rawget(L, -2);
  lua_setiuservalue(L, -3, OUTER);
  lua_setiuservalue(L, -2, TABLE);
}

/* The results above the binding, the scope and the value. */
static int finish_run(lua_State *L, int status, lua_KContext context) {
  (void)status, (void)context;
  return lua_gettop(L) - 3;
}

/* scope:run(value, f, ...) */
static int scope_run(lua_State *L) {
  luaL_checkudata(L, 1, SCOPE);
  luaL_checkany(L, 3);
  push_binding(L);
  lua_insert(L, 1);
  lua_toclose(L, 1);
  lua_getiuservalue(L, 1, TABLE);
  int table = lua_gettop(L);
  lua_pushvalue(L, 1);
  set_innermost(L, table);
  lua_pop(L, 1);
  lua_callk(L, lua_gettop(L) - 4, LUA_MULTRET, 0, finish_run);
  return finish_run(L, LUA_OK, 0);
}

/* Whether a coroutine, not the running one, waits for another to come back to it. */
static bool is_waiting(lua_State *L, lua_State *coroutine) {
  lua_Debug call;
  return coroutine != L && lua_status(coroutine) == LUA_OK && lua_getstack(coroutine, 0, &call);
}

/* Pushes the innermost binding in the table at index 2 of the coroutines that the running one runs
 * in, or nil. */
static void push_inherited(lua_State *L) {
  uint64_t latest = 0;
  lua_pushnil(L);
  int found = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    const binding *b = lua_touserdata(L, -1);
    if (b->number < latest || !is_waiting(L, lua_tothread(L, -2))) continue;
    latest = b->number;
    lua_pushvalue(L, -1);
    lua_replace(L, found);
  }
}

/* scope:value() */
static int scope_value(lua_State *L) {
  luaL_checkudata(L, 1, SCOPE);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  bool is_root = lua_pushthread(L); /* the main coroutine runs in no other */
  lua_rawget(L, 2);
  if (lua_isnil(L, -1) && !is_root) push_inherited(L);
  if (!lua_isnil(L, -1)) lua_getiuservalue(L, -1, VALUE);
  return 1;
}

static const luaL_Reg no_meta[] = {{NULL, NULL}};
static const luaL_Reg binding_meta[] = {{"__close", binding_close}, {NULL, NULL}};

static const bind_row no_methods[] = {{NULL, NULL, NULL}};
static const bind_row methods[] = {
    {"run", scope_run,
     "run(value, f, ...): calls f(...) with the value in force until f ends, whether it returns "
     "or raises\n"
     "f may yield: other coroutines do not see the value. Returns f's results."},
    {"value", scope_value, "value(): the value of the innermost enclosing run, or nil"},
    {NULL, NULL, NULL},
};

static const bind_row rows[] = {
    {"scope", core_scope, "scope(): makes a new dynamic binding, an object with run and value"},
    {NULL, NULL, NULL},
};

void bind_open_scope(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_new_class(L, SCOPE, "scope:", no_meta, methods);
  bind_new_class(L, BINDING, "binding:", binding_meta, no_methods);
  lua_pop(L, 2);
}
