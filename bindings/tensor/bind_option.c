/* bind_option.c - see bind_option.h. */
#include "bind_option.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"

void bind_check_options(lua_State *L, int index, const char *const *names) {
  if (lua_isnoneornil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    const char *const *name = names;
    while (*name && (lua_type(L, -2) != LUA_TSTRING || strcmp(*name, lua_tostring(L, -2)) != 0))
      name++;
    if (*name) continue;
    lua_pushfstring(L, "unknown option '%s'; known are", bind_push_text(L, -2));
    for (name = names; *name; name++) lua_pushfstring(L, name == names ? " %s" : ", %s", *name);
    lua_concat(L, (int)(name - names) + 1);
    bind_argerror(L, index, "%s", lua_tostring(L, -1));
  }
}

bool bind_push_option(lua_State *L, int index, const char *name) {
  if (lua_isnoneornil(L, index))
    lua_pushnil(L);
  else
    lua_getfield(L, index, name);
  return !lua_isnil(L, -1);
}

bool bind_option_flag(lua_State *L, int index, const char *name, bool otherwise) {
  bool there = bind_push_option(L, index, name);
  if (there && !lua_isboolean(L, -1))
    bind_argerror(L, index, "%s: expected a boolean, got a %s", name, luaL_typename(L, -1));
  bool value = there ? lua_toboolean(L, -1) : otherwise;
  lua_pop(L, 1);
  return value;
}
