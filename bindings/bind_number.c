/* bind_number.c - numbers as text and back, and strings in order, whatever the process's locale is
 * (see number.h): Lua's own string.format, tostring, tonumber and < follow setlocale. */
#include <string.h>

#include "bind.h"
#include "number.h"

/* Calls the function that is upvalue 1 in the C locale; __tostring of an argument is in it too. */
static int in_c_locale(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  locale_t before = bnn_locale_enter();
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  bnn_locale_leave(before);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* number_text(x) */
static int core_number_text(lua_State *L) {
  char text[BNN_NUMBER_TEXT];
  if (lua_isinteger(L, 1)) return luaL_tolstring(L, 1, NULL), 1;
  bnn_number_text(text, luaL_checknumber(L, 1));
  lua_pushstring(L, text);
  return 1;
}

/* bytes_before(a, b) */
static int core_bytes_before(lua_State *L) {
  size_t na, nb;
  const char *a = luaL_checklstring(L, 1, &na), *b = luaL_checklstring(L, 2, &nb);
  int order = memcmp(a, b, na < nb ? na : nb);
  lua_pushboolean(L, order < 0 || (order == 0 && na < nb));
  return 1;
}

void bind_push_number(lua_State *L, double v) {
  char text[BNN_NUMBER_TEXT];
  bnn_format(text, sizeof text, "%.14g", v); /* as tostring */
  lua_pushstring(L, text);
}

static const bind_row rows[] = {
    {"number_text", core_number_text,
     "number_text(x): the shortest decimal that reads back as x; \"nan\", \"inf\" or \"-inf\""},
    {"bytes_before", core_bytes_before,
     "bytes_before(a, b): whether string a is before b in the order of their bytes, as table.sort\n"
     "takes it"},
    {NULL, NULL, NULL},
};

/* field: the name in the module; library, name: where Lua has the function. */
static void add_in_c_locale(lua_State *L, const char *field, const char *library,
                            const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, library);
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, in_c_locale, 1);
  lua_setfield(L, -4, field);
  lua_pop(L, 2);
}

void bind_open_number(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  add_in_c_locale(L, "format", LUA_STRLIBNAME, "format");
  add_in_c_locale(L, "tostring", LUA_GNAME, "tostring");
  add_in_c_locale(L, "tonumber", LUA_GNAME, "tonumber");
}
