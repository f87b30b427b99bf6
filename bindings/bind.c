/* bind.c - opens the module `bnn.core`, and what all bindings share: errors, argument checks,
 * classes and their documentation. */
#include "bind.h"

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "bind_loader.h"
#include "bind_signal.h"

static const char docs_key; /* registry[&docs_key]: the list that core.docs() copies */
static const char path_key; /* registry[&path_key]: the function of core.on_failure */

/* ---- errors ---- */

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

int bind_error(lua_State *L, const char *format, ...) {
  va_list args;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  push_where(L);
  push_path(L);
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  bind_show_top(L);
  lua_concat(L, 3);
  return lua_error(L);
}

int bind_argerror(lua_State *L, int arg, const char *text) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  push_path(L);
  lua_pushfstring(L, "%s%s", lua_tostring(L, -1), text);
  return luaL_argerror(L, arg, bind_show_top(L));
}

int bind_typeerror(lua_State *L, int arg, const char *wanted) {
  const char *got = luaL_getmetafield(L, arg, "__name") == LUA_TSTRING ? lua_tostring(L, -1)
                                                                       : luaL_typename(L, arg);
  return bind_argerror(L, arg, lua_pushfstring(L, "%s expected, got %s", wanted, got));
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
  if (status == BNN_ENOMEM) bind_check(L, status, err);
  return bind_refuse(L, status, err);
}

int bind_fail_reading(lua_State *L, const char *what, const char *instead) {
  return bind_error(L,
                    "a value is read while recording: %s wants a number that is only known when "
                    "the program runs; %s",
                    what, instead);
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

bool bind_try_again(lua_State *L, bnn_status status, int *tries) {
  if (status != BNN_ENOMEM || (*tries)++ > 0) return false;
  lua_gc(L, LUA_GCCOLLECT);
  return true;
}

/* ---- integers, positions, shapes ---- */

lua_Integer bind_check_integer(lua_State *L, int arg) {
  bind_check_number(L, arg);
  return luaL_checkinteger(L, arg);
}

lua_Number bind_check_number(lua_State *L, int arg) {
  int is_number;
  lua_Number number = lua_tonumberx(L, arg, &is_number);
  if (is_number) return number;
  bind_refuse_tracer(L, arg);
  return bind_typeerror(L, arg, "number"), 0;
}

lua_Integer bind_check_range(lua_State *L, int arg, const char *name, lua_Integer lo,
                             lua_Integer hi) {
  lua_Integer i = bind_check_integer(L, arg);
  if (i < lo)
    bind_argerror(L, arg, lua_pushfstring(L, "%s is %I, at least %I is wanted", name, i, lo));
  if (i > hi)
    bind_argerror(L, arg, lua_pushfstring(L, "%s is %I, at most %I is wanted", name, i, hi));
  return i;
}

const char *bind_check_path(lua_State *L, int arg) {
  size_t length;
  const char *path = luaL_checklstring(L, arg, &length);
  luaL_argcheck(L, strlen(path) == length, arg, "a path holds a zero byte");
  return path;
}

size_t bind_check_index(lua_State *L, int arg, size_t n) {
  lua_Integer i = bind_check_integer(L, arg), at = i;
  if (at < 0) at += (lua_Integer)n + 1;
  if (at < 1 || (lua_Unsigned)at > n)
    bind_argerror(L, arg, lua_pushfstring(L, "index %I is out of range 1..%I", i, (lua_Integer)n));
  return (size_t)at - 1;
}

int bind_check_axis(lua_State *L, int arg, int rank) {
  lua_Integer i = bind_check_integer(L, arg), axis = i < 0 ? i + rank + 1 : i;
  if (axis < 1 || axis > rank)
    bind_argerror(L, arg, lua_pushfstring(L, "axis %I of a tensor of rank %d", i, rank));
  return (int)axis - 1;
}

void bind_check_span(lua_State *L, int arg, size_t n, size_t *from, size_t *count) {
  lua_Integer first = bind_check_integer(L, arg), at = first;
  lua_Integer many = bind_check_range(L, arg + 1, "count", 0, (lua_Integer)n);
  if (at < 0) at += (lua_Integer)n + 1;
  if (at < 1 || at - 1 > (lua_Integer)n - many)
    bind_argerror(L, arg,
                  lua_pushfstring(L, "%I positions from %I are not within 1..%I", many, first,
                                  (lua_Integer)n));
  *from = (size_t)at - 1;
  *count = (size_t)many;
}

/* Pushes element i (from 0) of the integers that start at arg, or of the list there; nil at the
 * end. */
static void push_element(lua_State *L, int arg, bool list, int i) {
  if (list)
    lua_rawgeti(L, arg, i + 1);
  else if (arg + i <= lua_gettop(L) && lua_type(L, arg + i) == LUA_TNUMBER)
    lua_pushvalue(L, arg + i);
  else
    lua_pushnil(L);
}

/* Integers from arg on, or those of the list at arg, each at least `lo`; returns how many.  `what`
 * names one: "dim". */
static int read_integers(lua_State *L, int arg, const char *what, lua_Integer lo,
                         lua_Integer out[BNN_RANK_MAX]) {
  bool list = lua_istable(L, arg);
  int n = 0, isint;
  bind_refuse_tracer(L, arg);
  if (!list && lua_type(L, arg) != LUA_TNUMBER)
    bind_argerror(
        L, arg,
        lua_pushfstring(L, "integers or a list of them expected, got %s", luaL_typename(L, arg)));
  for (push_element(L, arg, list, n); !lua_isnil(L, -1); push_element(L, arg, list, n)) {
    int at = list ? arg : arg + n;
    if (n == BNN_RANK_MAX)
      bind_argerror(
          L, at,
          lua_pushfstring(L, "there is %s %d, at most %d are wanted", what, n + 1, BNN_RANK_MAX));
    bind_refuse_tracer(L, -1);
    out[n] = lua_tointegerx(L, -1, &isint);
    if (lua_type(L, -1) != LUA_TNUMBER || !isint) {
      bind_argerror(L, at,
                    lua_pushfstring(L, "%s %d is %s, an integer is wanted", what, n + 1,
                                    bind_push_text(L, -1)));
    }
    if (out[n] < lo)
      bind_argerror(
          L, at, lua_pushfstring(L, "%s %d is %I, at least %I is wanted", what, n + 1, out[n], lo));
    lua_pop(L, 1);
    n++;
  }
  lua_pop(L, 1);
  return n;
}

int bind_check_shape(lua_State *L, int arg, size_t dim[BNN_RANK_MAX]) {
  lua_Integer d[BNN_RANK_MAX];
  int rank = read_integers(L, arg, "dim", 0, d);
  for (int k = 0; k < rank; k++) dim[k] = (size_t)d[k];
  return rank;
}

int bind_check_view_shape(lua_State *L, int arg, size_t size, size_t dim[BNN_RANK_MAX]) {
  lua_Integer d[BNN_RANK_MAX];
  size_t rest = 1;
  int rank = read_integers(L, arg, "dim", -1, d), open = -1;
  for (int k = 0; k < rank; k++) {
    dim[k] = (size_t)d[k];
    if (d[k] != -1) {
      if (__builtin_mul_overflow(rest, dim[k], &rest)) rest = SIZE_MAX;
      continue;
    }
    if (open >= 0) bind_argerror(L, arg, "only one dim can be -1");
    open = k;
  }
  if (open < 0) return rank;
  if (rest == 0 || size % rest != 0)
    bind_argerror(L, arg,
                  lua_pushfstring(L, "%I elements do not divide by %I, so dim %d cannot be -1",
                                  (lua_Integer)size, (lua_Integer)rest, open + 1));
  dim[open] = size / rest;
  return rank;
}

void bind_check_order(lua_State *L, int arg, int rank, int order[BNN_RANK_MAX]) {
  lua_Integer axis[BNN_RANK_MAX];
  int n = read_integers(L, arg, "axis", LUA_MININTEGER, axis);
  if (n != rank)
    bind_argerror(L, arg,
                  lua_pushfstring(L, "an order of %d axes for a tensor of rank %d", n, rank));
  for (int k = 0; k < n; k++) {
    lua_Integer at = axis[k] < 0 ? axis[k] + rank + 1 : axis[k];
    if (at < 1 || at > rank)
      bind_argerror(L, arg, lua_pushfstring(L, "axis %I of a tensor of rank %d", axis[k], rank));
    order[k] = (int)at - 1;
  }
}

bnn_dtype bind_opt_dtype(lua_State *L, int arg, bnn_dtype otherwise) {
  bnn_dtype dtype = otherwise;
  if (lua_isnoneornil(L, arg)) return dtype;
  const char *name = luaL_checkstring(L, arg);
  if (!bnn_dtype_find(&dtype, name))
    bind_argerror(
        L, arg,
        lua_pushfstring(L, "there is no type '%s': u8, i32, i64, u64, f32 and f64 are", name));
  return dtype;
}

/* ---- classes and documentation ---- */

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

void bind_register(lua_State *L, const char *prefix, const bind_row *rows) {
  for (const bind_row *row = rows; row->name; row++) {
    lua_pushcfunction(L, row->call);
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
     "Returns a list of {name=, doc=}; a doc's first line shows the call."},
    {"where", core_where,
     "where(): \"FILE:LINE: \" of the user's script that led here, and the path of the layer that is "
     "being called\nAs errors begin; \"\" where neither is known."},
    {"on_failure", core_on_failure,
     "on_failure(f): f() gives the path of the layer that is being called, \"\" outside; errors ask "
     "it"},
    {NULL, NULL, NULL},
};

int luaopen_bnn_core(lua_State *L) {
  luaL_checkversion(L);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &docs_key);
  lua_newtable(L);
  bind_register(L, "bnn.core.", rows);
  bind_open_context(L); /* first: the others count their memory in it */
  bind_open_map();
  bind_open_tensor(L);
  bind_open_key(L);
  bind_open_op(L);
  bind_open_idx(L);
  bind_open_fetch(L);
  bind_open_system(L);
  bind_open_display(L);
  bind_open_number(L);
  bind_open_scope(L);
  bind_open_lock(L);
  bind_open_process(L);
  bind_open_glyphs(L);
  bind_open_shift(L);
  bind_open_arrays(L);
  bind_open_columns(L);
  bind_open_safetensors(L);
  bind_open_json(L);
  bind_open_images(L);
  bind_open_files(L);
  bind_open_program(L);
  bind_open_learn(L);
  bind_open_vmap(L);
  bind_open_metrics(L);
  return 1;
}
