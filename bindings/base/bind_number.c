/* bind_number.c - numbers as text and back, and strings in order, whatever the process's locale is
 * (see c_locale.h, number.h): Lua's own string.format, tostring, tonumber and < follow setlocale. */
#include "bind_number.h"

#include <math.h>
#include <string.h>

#include "base/c_locale.h"
#include "base/number.h"
#include "bind.h"
#include "bind_display.h"

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

const char *bind_push_number(lua_State *L, double v) {
  char text[BNN_NUMBER_TEXT];
  if (isnan(v))
    strcpy(text, "nan"); /* without a sign */
  else
    bnn_format(text, sizeof text, "%.14g", v); /* as tostring */
  return lua_pushstring(L, text);
}

/* "a table", "a tensor": the kind of an object, whose address or whole text says nothing. */
static const char *push_kind(lua_State *L, int index) {
  int field = luaL_getmetafield(L, index, "__name");
  const char *kind =
      field == LUA_TSTRING ? lua_tostring(L, -1) : lua_typename(L, lua_type(L, index));
  if (strncmp(kind, "bnn.", 4) == 0) kind += 4;
  lua_pushfstring(L, "%s %s", strchr("aeiou", kind[0]) ? "an" : "a", kind);
  if (field != LUA_TNIL) lua_remove(L, -2);
  return bind_show_top(L);
}

const char *bind_push_text(lua_State *L, int index) {
  int type = lua_type(L, index);
  index = lua_absindex(L, index);
  if (type > LUA_TSTRING) return push_kind(L, index);
  bool is_float = lua_type(L, index) == LUA_TNUMBER && !lua_isinteger(L, index);
  if (is_float) return bind_push_number(L, lua_tonumber(L, index));
  luaL_tolstring(L, index, NULL);
  return bind_show_top(L);
}

static const bind_row rows[] = {
    {"number_text", core_number_text,
     "number_text(x): the shortest decimal that reads back as x; \"nan\", \"inf\" or \"-inf\""},
    {"bytes_before", core_bytes_before,
     "bytes_before(a, b): whether string a sorts before b by bytes; an order for table.sort"},
    {"format", in_c_locale, "format(text, ...): string.format in the C locale"},
    {"tostring", in_c_locale, "tostring(x): Lua's tostring in the C locale"},
    {"tonumber", in_c_locale, "tonumber(text [, base]): Lua's tonumber in the C locale"},
    {NULL, NULL, NULL},
};

/* Gives the row of that name the function of one of Lua's libraries. */
static void bind_to(lua_State *L, const char *library, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, library);
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, in_c_locale, 1);
  lua_setfield(L, -4, name);
  lua_pop(L, 2);
}

void bind_open_number(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_to(L, LUA_STRLIBNAME, "format");
  bind_to(L, LUA_GNAME, "tostring");
  bind_to(L, LUA_GNAME, "tonumber");
}
