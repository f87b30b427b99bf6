/* bind_argument.c - see bind_argument.h. */
#include "bind_argument.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "bind_tracer.h"

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
  if (i < lo) bind_argerror(L, arg, "%s: expected at least %I, got %I", name, lo, i);
  if (i > hi) bind_argerror(L, arg, "%s: expected at most %I, got %I", name, hi, i);
  return i;
}

const char *bind_check_path(lua_State *L, int arg) {
  size_t length;
  const char *path = luaL_checklstring(L, arg, &length);
  bind_argcheck(L, strlen(path) == length, arg, "expected a path without a zero byte");
  return path;
}

const char **bind_check_strings(lua_State *L, int index, int arg, const char *what, size_t *n) {
  index = lua_absindex(L, index);
  if (!lua_istable(L, index))
    bind_argerror(L, arg, "%s: expected a list of strings, got %s", what, luaL_typename(L, index));
  *n = bind_list_length(L, index);
  const char **list = lua_newuserdatauv(L, (*n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < *n; i++) {
    size_t length;
    if (lua_geti(L, index, (lua_Integer)i + 1) != LUA_TSTRING)
      bind_argerror(L, arg, "%s: expected a list of strings, got a %s in it", what,
                    luaL_typename(L, -1));
    list[i] = lua_tolstring(L, -1, &length);
    if (strlen(list[i]) != length)
      bind_argerror(L, arg, "%s: expected strings without a zero byte", what);
    lua_pop(L, 1);
  }
  list[*n] = NULL;
  return list;
}

size_t bind_check_index(lua_State *L, int arg, size_t n) {
  lua_Integer i = bind_check_integer(L, arg), at = i;
  if (at < 0) at += (lua_Integer)n + 1;
  if (at < 1 || (lua_Unsigned)at > n)
    bind_argerror(L, arg, "index: expected 1 to %I, got %I", (lua_Integer)n, i);
  return (size_t)at - 1;
}

int bind_check_axis(lua_State *L, int arg, int rank) {
  lua_Integer i = bind_check_integer(L, arg), axis = i < 0 ? i + rank + 1 : i;
  if (axis < 1 || axis > rank)
    bind_argerror(L, arg, "axis: expected 1 to %d or -%d to -1, got %I", rank, rank, i);
  return (int)axis - 1;
}

void bind_check_span(lua_State *L, int arg, size_t n, size_t *from, size_t *count) {
  lua_Integer first = bind_check_integer(L, arg), at = first;
  lua_Integer many = bind_check_range(L, arg + 1, "count", 0, (lua_Integer)n);
  if (at < 0) at += (lua_Integer)n + 1;
  if (at < 1 || at - 1 > (lua_Integer)n - many)
    bind_argerror(L, arg, "expected positions within 1..%I, got %I from %I", (lua_Integer)n, many,
                  first);
  *from = (size_t)at - 1;
  *count = (size_t)many;
}

/* Pushes element i (from 0) of the integers that start at arg, or of the list there; nil at the
 * end. */
static void push_element(lua_State *L, int arg, bool list, int i) {
  if (list)
    lua_geti(L, arg, i + 1);
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
    bind_argerror(L, arg, "expected integers or a list of them, got %s", luaL_typename(L, arg));
  for (push_element(L, arg, list, n); !lua_isnil(L, -1); push_element(L, arg, list, n)) {
    int at = list ? arg : arg + n;
    if (n == BNN_RANK_MAX)
      bind_argerror(L, at, "%s %d: expected at most %d", what, n + 1, BNN_RANK_MAX);
    bind_refuse_tracer(L, -1);
    out[n] = lua_tointegerx(L, -1, &isint);
    if (lua_type(L, -1) != LUA_TNUMBER || !isint) {
      bind_argerror(L, at, "%s %d: expected an integer, got %s", what, n + 1,
                    bind_push_text(L, -1));
    }
    if (out[n] < lo)
      bind_argerror(L, at, "%s %d: expected at least %I, got %I", what, n + 1, lo, out[n]);
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
    bind_argerror(L, arg, "%I elements do not divide by %I, so dim %d cannot be -1",
                  (lua_Integer)size, (lua_Integer)rest, open + 1);
  dim[open] = size / rest;
  return rank;
}

void bind_check_order(lua_State *L, int arg, int rank, int order[BNN_RANK_MAX]) {
  lua_Integer axis[BNN_RANK_MAX];
  int n = read_integers(L, arg, "axis", LUA_MININTEGER, axis);
  if (n != rank)
    bind_argerror(L, arg, "expected an order of %d axes, as the tensor's rank, got %d", rank, n);
  for (int k = 0; k < n; k++) {
    lua_Integer at = axis[k] < 0 ? axis[k] + rank + 1 : axis[k];
    if (at < 1 || at > rank)
      bind_argerror(L, arg, "axis: expected 1 to %d or -%d to -1, got %I", rank, rank, axis[k]);
    order[k] = (int)at - 1;
  }
}

bnn_dtype bind_opt_dtype(lua_State *L, int arg, bnn_dtype otherwise) {
  bnn_dtype dtype = otherwise;
  if (lua_isnoneornil(L, arg)) return dtype;
  const char *name = luaL_checkstring(L, arg);
  if (!bnn_dtype_find(&dtype, name))
    bind_argerror(L, arg, "expected a type, u8, i32, i64, u64, f32 or f64, got '%s'", name);
  return dtype;
}
