/* bind_json.c - JSON for the library's own use.
 *
 * Numbers keep their bits: integers are written as integers, others with 17 digits.  Readers and
 * texts hang on a holder before Lua is called again, so that an error in between leaks nothing. */
#include "bind_json.h"

#include <stdlib.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "base/mem.h"
#include "formats/json.h"

/* ---- writing ---- */

static void free_bytes(void *b) {
  bnn_bytes_free(b);
  bnn_mem_free(b);
}

static void put(lua_State *L, bnn_bytes *to, const char *text) {
  bnn_err err;
  bind_check(L, bnn_bytes_add(to, text, strlen(text), &err), &err);
}

static void put_text(lua_State *L, bnn_bytes *to, const char *text, size_t n, const char *what) {
  bnn_err err;
  bnn_status status = bnn_json_put_text(to, text, n, &err);
  if (status == BNN_ERANGE) bind_error(L, "expected UTF-8, got %s of other bytes", what);
  bind_check(L, status, &err);
}

static void put_number(lua_State *L, bnn_bytes *to) {
  bnn_err err;
  if (lua_isinteger(L, -1)) {
    bind_check(L, bnn_json_put_integer(to, lua_tointeger(L, -1), &err), &err);
    return;
  }
  bnn_status status = bnn_json_put_real(to, lua_tonumber(L, -1), &err);
  if (status == BNN_ERANGE) bind_error(L, "%s", err.text);
  bind_check(L, status, &err);
}

static void put_value(lua_State *L, bnn_bytes *to, int depth);

/* How many entries the table on top of the stack has. */
static size_t count_entries(lua_State *L) {
  size_t count = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) count++;
  return count;
}

/* The list of n on top of the stack, which may have no other keys. */
static void put_list(lua_State *L, bnn_bytes *to, size_t n, int depth) {
  if (count_entries(L) != n) bind_error(L, "a table has both a list and named entries");
  for (size_t i = 1; i <= n; i++) {
    put(L, to, i == 1 ? "[" : ",");
    lua_rawgeti(L, -1, (lua_Integer)i);
    put_value(L, to, depth);
    lua_pop(L, 1);
  }
  put(L, to, "]");
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Pushes a list of the keys of the table on top of the stack, sorted; they stand while it does. */
static const char **push_keys(lua_State *L, size_t n) {
  const char **key = lua_newuserdatauv(L, n * sizeof *key + 1, 0);
  size_t count = 0, length = 0;
  for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &length) : NULL;
    if (!name || strlen(name) != length)
      bind_error(L, "expected keys that are strings without a zero byte");
    key[count++] = name;
  }
  if (count > 1) qsort(key, count, sizeof *key, by_text);
  return key;
}

static void put_object(lua_State *L, bnn_bytes *to, int depth) {
  size_t n = count_entries(L);
  const char **key = push_keys(L, n);
  put(L, to, "{");
  for (size_t i = 0; i < n; i++) {
    if (i) put(L, to, ",");
    put_text(L, to, key[i], strlen(key[i]), "a key");
    put(L, to, ":");
    lua_pushstring(L, key[i]);
    lua_rawget(L, -3);
    put_value(L, to, depth);
    lua_pop(L, 1);
  }
  put(L, to, "}");
  lua_pop(L, 1);
}

static void put_table(lua_State *L, bnn_bytes *to, int depth) {
  if (depth > BNN_JSON_DEPTH) bind_error(L, "tables are nested more than %d deep", BNN_JSON_DEPTH);
  luaL_checkstack(L, 6, "JSON");
  size_t n = (size_t)lua_rawlen(L, -1);
  if (n)
    put_list(L, to, n, depth);
  else
    put_object(L, to, depth);
}

/* The value on top of the stack. */
static void put_value(lua_State *L, bnn_bytes *to, int depth) {
  size_t n;
  const char *text;
  switch (lua_type(L, -1)) {
  case LUA_TBOOLEAN: put(L, to, lua_toboolean(L, -1) ? "true" : "false"); break;
  case LUA_TNUMBER: put_number(L, to); break;
  case LUA_TSTRING:
    text = lua_tolstring(L, -1, &n);
    put_text(L, to, text, n, "a string");
    break;
  case LUA_TTABLE: put_table(L, to, depth + 1); break;
  default: bind_error(L, "expected a value that JSON has, got a %s", luaL_typename(L, -1));
  }
}

/* Pushes what a build without jansson says; returns 2. */
static int refuse_absent(lua_State *L) {
  luaL_pushfail(L);
  lua_pushliteral(L, "this program was built without jansson, which JSON needs (make deps clean)");
  return 2;
}

static int core_json_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  if (!bnn_json_version()) return refuse_absent(L);
  void **held = bind_push_holder(L, free_bytes);
  bnn_bytes *to = *held = bnn_mem_zalloc(1, sizeof *to);
  if (!to) bind_error(L, "out of memory: a text of JSON");
  lua_pushvalue(L, 1);
  put_value(L, to, 0);
  lua_pushlstring(L, (const char *)to->p, to->n);
  bind_empty_holder(held);
  return 1;
}

/* ---- reading ---- */

static void close_reader(void *r) { bnn_json_close(r); }

/* Pushes the value that comes next. */
static bnn_status push_next(lua_State *L, bnn_json *r, bnn_err *err);

static bnn_status push_list(lua_State *L, bnn_json *r, bnn_err *err) {
  lua_newtable(L);
  bool more = true;
  for (lua_Integer i = 1;; i++) {
    BNN_TRY(bnn_json_next(r, &more, NULL, err));
    if (!more) return BNN_OK;
    BNN_TRY(push_next(L, r, err));
    lua_rawseti(L, -2, i);
  }
}

/* Fields that are null were kept, so that their names counted; they leave the table on top. */
static void drop_nulls(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, -2) != 0;) {
    bool is_null = lua_islightuserdata(L, -1);
    lua_pop(L, 1);
    if (!is_null) continue;
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
}

static bnn_status push_object(lua_State *L, bnn_json *r, bnn_err *err) {
  lua_newtable(L);
  bool more = true, has_null = false;
  for (;;) {
    bnn_json_value key;
    BNN_TRY(bnn_json_next(r, &more, &key, err));
    if (!more) break;
    lua_pushlstring(L, key.text, key.length);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TNIL)
      return bnn_fail(err, BNN_EDATA, "no JSON: the name '%s' is there twice",
                      bnn_excerpt_of(key.text, key.length).s);
    lua_pop(L, 1);
    BNN_TRY(push_next(L, r, err));
    if (lua_isnil(L, -1)) {
      has_null = true;
      lua_pop(L, 1);
      lua_pushlightuserdata(L, NULL);
    }
    lua_rawset(L, -3);
  }
  if (has_null) drop_nulls(L);
  return BNN_OK;
}

static bnn_status push_next(lua_State *L, bnn_json *r, bnn_err *err) {
  bnn_json_value v;
  luaL_checkstack(L, 8, "JSON");
  BNN_TRY(bnn_json_read(r, &v, err));
  switch (v.kind) {
  case BNN_JSON_OBJECT: return push_object(L, r, err);
  case BNN_JSON_ARRAY: return push_list(L, r, err);
  case BNN_JSON_TEXT: lua_pushlstring(L, v.text, v.length); break;
  case BNN_JSON_INTEGER: lua_pushinteger(L, v.integer); break;
  case BNN_JSON_REAL: lua_pushnumber(L, v.real); break;
  case BNN_JSON_TRUE: lua_pushboolean(L, true); break;
  case BNN_JSON_FALSE: lua_pushboolean(L, false); break;
  case BNN_JSON_NULL: lua_pushnil(L); break;
  }
  return BNN_OK;
}

static int core_json_decode(lua_State *L) {
  size_t n;
  bnn_err err;
  bnn_status status;
  int tries = 0;
  const char *text = luaL_checklstring(L, 1, &n);
  if (!bnn_json_version()) return refuse_absent(L);
  void **held = bind_push_holder(L, close_reader);
  bnn_json *r = NULL;
  do status = bnn_json_open(&r, text, n, "no JSON", &err);
  while (bind_try_again(L, status, &tries));
  *held = r;
  if (status == BNN_OK) status = push_next(L, r, &err);
  if (status == BNN_OK) status = bnn_json_end(r, &err);
  bind_empty_holder(held);
  if (status == BNN_OK) return 1;
  if (status == BNN_ENOMEM) bind_check(L, status, &err);
  luaL_pushfail(L);
  lua_pushstring(L, err.text);
  return 2;
}

static const bind_row rows[] = {
    {"json_encode", core_json_encode,
     "json_encode(value): encodes booleans, finite numbers, UTF-8 strings, lists and tables by "
     "name as JSON\n"
     "Keys are sorted; an empty table is {}. Raises for other values. Returns nil, message in a\n"
     "build without jansson."},
    {"json_decode", core_json_decode,
     "json_decode(text): the value of a JSON text, with null as nil; or nil, message\n"
     "Raises if memory runs out."},
    {NULL, NULL, NULL},
};

void bind_open_json(lua_State *L) { bind_register(L, "bnn.core.", rows); }
