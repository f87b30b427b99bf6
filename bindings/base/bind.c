/* bind.c - see bind.h. */
#include "bind.h"

#include <stdbool.h>

static const char docs_key;  /* registry[&docs_key]: the list that core.docs() copies */
static const char names_key; /* registry[&names_key]: function -> name, for errors */

/* Appends {name = prefix .. name, doc = doc} to the list of docs. */
static void document(lua_State *L, const char *prefix, const bind_row *row) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &docs_key);
  lua_createtable(L, 0, 2);
  lua_pushfstring(L, "%s%s", prefix, row->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, row->doc);
  lua_setfield(L, -2, "doc");
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 1);
}

void bind_remember_name(lua_State *L, const char *prefix, const char *name) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key);
  lua_pushvalue(L, -2);
  lua_pushfstring(L, "%s%s", prefix, name);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

size_t bind_list_length(lua_State *L, int index) {
  if (luaL_getmetafield(L, index, "is_list") == LUA_TNIL) return (size_t)lua_rawlen(L, index);
  lua_pop(L, 1);
  const lua_Integer n = luaL_len(L, index);
  return n > 0 ? (size_t)n : 0;
}

const char *bind_push_name(lua_State *L) {
  lua_Debug call;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key);
  if (!lua_getstack(L, 0, &call)) return "?";
  lua_getinfo(L, "f", &call);
  const bool is_known = lua_rawget(L, -2) == LUA_TSTRING;
  return is_known ? lua_tostring(L, -1) : "?";
}

void bind_register(lua_State *L, const char *prefix, const bind_row *rows) {
  for (const bind_row *row = rows; row->name; row++) {
    lua_pushcfunction(L, row->call);
    bind_remember_name(L, prefix, row->name);
    lua_setfield(L, -2, row->name);
    document(L, prefix, row);
  }
}

void bind_set_metatable(lua_State *L, const char *name, const luaL_Reg *meta) {
  if (luaL_getmetatable(L, name) != LUA_TTABLE) {
    lua_pop(L, 1);
    lua_newtable(L);
    luaL_setfuncs(L, meta, 0);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, name);
  }
  lua_setmetatable(L, -2);
}

void bind_new_class(lua_State *L, const char *name, const char *prefix, const luaL_Reg *meta,
                    const bind_row *rows) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  bind_register(L, prefix, rows);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__index");
  for (; meta->name; meta++) {
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, meta->func, 1);
    lua_setfield(L, -3, meta->name);
  }
  lua_remove(L, -2);
}

void bind_set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

/* A copy, so that nobody changes ours. */
static int core_docs(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &docs_key);
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_createtable(L, 0, 2);
    lua_rawgeti(L, -3, i);
    lua_getfield(L, -1, "name");
    lua_setfield(L, -3, "name");
    lua_getfield(L, -1, "doc");
    lua_setfield(L, -3, "doc");
    lua_pop(L, 1);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static const bind_row rows[] = {
    {"docs", core_docs,
     "docs(): the documentation of the functions and methods written in C\n"
     "Returns a list of {name=, doc=}; the first line of a doc shows the call."},
    {NULL, NULL, NULL},
};

void bind_open(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &docs_key);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
  bind_register(L, "bnn.core.", rows);
}
