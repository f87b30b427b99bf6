/* bind_json.c - JSON for the library's own use, through jansson.
 *
 * Numbers keep their bits: integers are written as integers, others with 17 digits.  jansson's
 * values hang on a holder's tree before Lua is called again, so that an error in between leaks
 * nothing. */
#include <math.h>
#include <string.h>

#include "bind.h"

#ifdef BNN_HAVE_JANSSON
#include <jansson.h>

enum { DEPTH_MAX = 200 };

static void free_json(void *v) { json_decref(v); }

/* ---- writing ---- */

/* Puts v, which it takes over, at the end of an array or at a key of an object. */
static void attach(lua_State *L, json_t *parent, const char *key, json_t *v) {
  int failed = key ? json_object_set_new_nocheck(parent, key, v) : json_array_append_new(parent, v);
  if (!v || failed) luaL_error(L, "out of memory: a JSON value");
}

static void add_value(lua_State *L, json_t *parent, const char *key, int depth);

static void add_string(lua_State *L, json_t *parent, const char *key) {
  size_t n;
  const char *text = lua_tolstring(L, -1, &n);
  json_t *v = json_stringn(text, n);
  if (!v) luaL_error(L, "a string is not UTF-8");
  attach(L, parent, key, v);
}

static void add_number(lua_State *L, json_t *parent, const char *key) {
  if (lua_isinteger(L, -1)) {
    attach(L, parent, key, json_integer(lua_tointeger(L, -1)));
    return;
  }
  double x = lua_tonumber(L, -1);
  if (!isfinite(x)) luaL_error(L, "%f is no number that JSON can hold", x);
  attach(L, parent, key, json_real(x));
}

/* The list of n on top of the stack, which may have no other keys. */
static void add_list(lua_State *L, json_t *list, size_t n, int depth) {
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) count++;
  if (count != n) luaL_error(L, "a table has both a list and named entries");
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i);
    add_value(L, list, NULL, depth);
    lua_pop(L, 1);
  }
}

static void add_object(lua_State *L, json_t *object, int depth) {
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    size_t n = 0;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &n) : NULL;
    if (!name || strlen(name) != n) luaL_error(L, "a key is no string without a zero byte");
    json_t *checked = json_string(name);
    if (!checked) luaL_error(L, "a key is not UTF-8");
    json_decref(checked);
    add_value(L, object, name, depth);
  }
}

static void add_table(lua_State *L, json_t *parent, const char *key, int depth) {
  if (depth > DEPTH_MAX) luaL_error(L, "tables are nested more than %d deep", DEPTH_MAX);
  luaL_checkstack(L, 4, "JSON");
  size_t n = (size_t)lua_rawlen(L, -1);
  json_t *v = n ? json_array() : json_object();
  attach(L, parent, key, v);
  if (n)
    add_list(L, v, n, depth);
  else
    add_object(L, v, depth);
}

/* The value on top of the stack. */
static void add_value(lua_State *L, json_t *parent, const char *key, int depth) {
  switch (lua_type(L, -1)) {
  case LUA_TBOOLEAN: attach(L, parent, key, json_boolean(lua_toboolean(L, -1))); break;
  case LUA_TNUMBER: add_number(L, parent, key); break;
  case LUA_TSTRING: add_string(L, parent, key); break;
  case LUA_TTABLE: add_table(L, parent, key, depth + 1); break;
  default: luaL_error(L, "a %s is no JSON", luaL_typename(L, -1));
  }
}

static void free_text(void *text) { free(text); }

static int core_json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  void **tree = bind_push_holder(L, free_json), **text = bind_push_holder(L, free_text);
  *tree = json_array(); /* of the one value */
  if (!*tree) luaL_error(L, "out of memory: a JSON value");
  lua_pushvalue(L, 1);
  add_value(L, *tree, NULL, 0);
  size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17);
  *text = json_dumps(json_array_get(*tree, 0), flags);
  if (!*text) luaL_error(L, "out of memory: a text of JSON");
  lua_pushstring(L, *text);
  return 1;
}

/* ---- reading ---- */

/* Pushes a value inside `depth` others; false when it is nested too deep. */
static bool push_value(lua_State *L, const json_t *v, int depth);

static bool push_list(lua_State *L, const json_t *list, int depth) {
  size_t n = json_array_size(list);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    if (!push_value(L, json_array_get(list, i), depth)) return false;
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return true;
}

static bool push_object(lua_State *L, json_t *object, int depth) {
  const char *key;
  json_t *v;
  lua_createtable(L, 0, (int)json_object_size(object));
  json_object_foreach(object, key, v) {
    if (!push_value(L, v, depth)) return false;
    lua_setfield(L, -2, key);
  }
  return true;
}

static bool push_value(lua_State *L, const json_t *v, int depth) {
  if (depth >= DEPTH_MAX && (json_is_object(v) || json_is_array(v))) return false;
  luaL_checkstack(L, 4, "JSON");
  switch (json_typeof(v)) {
  case JSON_OBJECT: return push_object(L, (json_t *)(uintptr_t)v, depth + 1);
  case JSON_ARRAY: return push_list(L, v, depth + 1);
  case JSON_STRING: lua_pushlstring(L, json_string_value(v), json_string_length(v)); break;
  case JSON_INTEGER: lua_pushinteger(L, (lua_Integer)json_integer_value(v)); break;
  case JSON_REAL: lua_pushnumber(L, json_real_value(v)); break;
  case JSON_TRUE: lua_pushboolean(L, true); break;
  case JSON_FALSE: lua_pushboolean(L, false); break;
  case JSON_NULL: lua_pushnil(L); break;
  }
  return true;
}

static int core_json_decode(lua_State *L) {
  size_t n;
  json_error_t fault;
  const char *text = luaL_checklstring(L, 1, &n);
  void **tree = bind_push_holder(L, free_json);
  *tree = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
  bool good = *tree != NULL && push_value(L, *tree, 0);
  if (good) return 1;
  luaL_pushfail(L);
  if (*tree)
    lua_pushfstring(L, "JSON is nested more than %d deep", DEPTH_MAX);
  else
    lua_pushfstring(L, "no JSON at byte %d: %s", fault.position,
                    bnn_excerpt_of(fault.text, strlen(fault.text)).s);
  return 2;
}

#else

static int core_json_encode(lua_State *L) {
  luaL_pushfail(L);
  lua_pushliteral(L, "this program was built without jansson, which JSON needs (make deps clean)");
  return 2;
}

static int core_json_decode(lua_State *L) { return core_json_encode(L); }

#endif

static const bind_row rows[] = {
    {"json_encode", core_json_encode,
     "json_encode(value): a value as JSON: booleans, finite numbers, UTF-8, lists, tables by name\n"
     "Keys are sorted; an empty table is {}. Raises for anything else. nil, message in a build\n"
     "without jansson."},
    {"json_decode", core_json_decode,
     "json_decode(text): the value of a JSON text, null being nil; or nil, message"},
    {NULL, NULL, NULL},
};

void bind_open_json(lua_State *L) { bind_register(L, "bnn.core.", rows); }
