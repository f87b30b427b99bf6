/* bind_index.c - x[i] and x[{ {a, b}, {}, i }]: views by position, and methods by name.
 *
 * An index is a number for one axis, or a list with an entry for each of the first axes: a number
 * (that axis goes), {a, b} (positions a to b, both included), {a} (that position, the axis stays)
 * or {} (all of it).  When numbers use up all axes the result is a Lua number.  x[#x + 1] is nil:
 * the end of ipairs(x). */
#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "bind_tensor.h"
#include "bind_tracer.h"

/* What an entry of the list does to its axis. */
typedef struct entry {
  bool goes;
  size_t from, count;
} entry;

/* A position of an axis with n, as 0-based; `what` names it in errors. */
static size_t read_position(lua_State *L, int axis, size_t n, const char *what) {
  int isint;
  lua_Integer i = lua_tointegerx(L, -1, &isint), at = i < 0 ? i + (lua_Integer)n + 1 : i;
  if (lua_type(L, -1) != LUA_TNUMBER || !isint)
    bind_error(L, "%s of axis %d: expected an integer, got %s", what, axis + 1,
               bind_push_text(L, -1));
  if (at < 1 || (lua_Unsigned)at > n)
    bind_error(L, "%s of axis %d: expected 1 to %I, got %I", what, axis + 1, (lua_Integer)n, i);
  return (size_t)at - 1;
}

/* The list on top of the stack: {}, {a} or {a, b}.  {a, a - 1} is empty, also at the ends. */
static entry read_span(lua_State *L, int axis, size_t n) {
  entry e = {.count = n};
  size_t given = bind_list_length(L, -1);
  if (given > 2) bind_error(L, "range of axis %d: expected {}, {i} or {from, to}", axis + 1);
  if (given == 0) return e;
  int isint;
  lua_Integer at[2];
  for (int k = 0; k < 2; k++) {
    lua_geti(L, -1, k < (int)given ? k + 1 : 1);
    at[k] = lua_tointegerx(L, -1, &isint);
    if (lua_type(L, -1) != LUA_TNUMBER || !isint)
      bind_error(L, "range of axis %d: expected integers, got %s", axis + 1, bind_push_text(L, -1));
    if (at[k] < 0) at[k] += (lua_Integer)n + 1;
    lua_pop(L, 1);
  }
  if (at[0] < 1 || at[1] > (lua_Integer)n || at[0] - 1 > at[1])
    bind_error(L, "range of axis %d: expected positions within 1..%I, got %I..%I", axis + 1,
               (lua_Integer)n, at[0], at[1]);
  e.from = (size_t)at[0] - 1;
  e.count = (size_t)(at[1] - at[0] + 1);
  return e;
}

/* Reads the list at stack index 2; returns how many entries it has. */
static int read_entries(lua_State *L, const bnn_shape *shape, entry e[BNN_RANK_MAX]) {
  size_t given = bind_list_length(L, 2);
  if (given > (size_t)shape->rank)
    bind_error(L, "an index of %I axes into %s", (lua_Integer)given,
               bnn_shape_print(shape->rank, shape->dim).s);
  for (int k = 0; k < (int)given; k++) {
    size_t n = shape->dim[k];
    if (lua_geti(L, 2, k + 1) == LUA_TTABLE)
      e[k] = read_span(L, k, n);
    else
      e[k] = (entry){true, read_position(L, k, n, "position"), 1};
    lua_pop(L, 1);
  }
  return (int)given;
}

/* The narrowed tensor, its axes that go still there with size 1. */
static bnn_status narrow_all(bnn_tensor **out, bnn_tensor *x, const entry *e, int n, bnn_err *err) {
  bnn_tensor *t = bnn_tensor_ref(x);
  bnn_status status = BNN_OK;
  for (int k = 0; k < n && status == BNN_OK; k++) {
    bnn_tensor *next = NULL;
    status = bnn_tensor_narrow(&next, t, k, e[k].from, e[k].count, err);
    bnn_tensor_unref(t);
    t = next;
  }
  if (status == BNN_OK) *out = t;
  return status;
}

static bnn_status index_all(bnn_tensor **out, bnn_tensor *x, const entry *e, int n, bnn_err *err) {
  bnn_tensor *t = NULL;
  bnn_status status = narrow_all(&t, x, e, n, err);
  for (int k = n - 1; k >= 0 && status == BNN_OK; k--) {
    if (!e[k].goes) continue;
    bnn_tensor *next = NULL;
    status = bnn_tensor_select(&next, t, k, 0, err);
    bnn_tensor_unref(t);
    t = next;
  }
  if (status == BNN_OK) *out = t;
  return status;
}

/* The same while recording: a narrow for each axis that is not whole, then a view without those
 * that go.  The value at stack index 1 is the tracer; leaves the result on top. */
static int record_all(lua_State *L, const bnn_shape *shape, const entry *e, int n) {
  bnn_attr view = {0};
  bool goes = false;
  lua_pushvalue(L, 1);
  for (int k = 0; k < shape->rank; k++) {
    bnn_attr narrow = {.axis = k, .from = k < n ? e[k].from : 0};
    narrow.count = k < n ? e[k].count : shape->dim[k];
    if (narrow.count != shape->dim[k]) bind_record(L, lua_gettop(L), BNN_OP_narrow, &narrow);
    if (k < n && e[k].goes)
      goes = true;
    else
      view.dim[view.rank++] = narrow.count;
  }
  return goes ? bind_record(L, lua_gettop(L), BNN_OP_view, &view) : 1;
}

/* Pushes element t[e[0], e[1], ...] as a Lua number. */
static int push_number(lua_State *L, const bnn_tensor *t, const entry *e) {
  size_t at = 0;
  for (int k = 0; k < t->rank; k++) at = at * t->dim[k] + e[k].from;
  if (t->dtype == BNN_F32 || t->dtype == BNN_F64)
    lua_pushnumber(L, bnn_tensor_get(t, at));
  else
    lua_pushinteger(L, bnn_tensor_get_int(t, at));
  return 1;
}

static int index_entries(lua_State *L, const bnn_shape *shape, const entry *e, int n) {
  bnn_err err;
  bnn_tensor *x = bind_test_box(L, 1)->t;
  bool number = n == shape->rank;
  for (int k = 0; k < n; k++) number = number && e[k].goes;
  if (number && n > 0)
    return x ? push_number(L, x, e)
             : bind_fail_reading(L, "an index that gives an element",
                                 "x:select(axis, i) and x[{{i}}] stay tensors");
  if (!x) return record_all(L, shape, e, n);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  bnn_status status = index_all(&t, x, e, n, &err);
  return bind_return_tensor(L, status, t, &err);
}

/* Whether argument 2 is the position behind the last of n, where ipairs, and a loop that goes on
 * until nil, find the end, as they do in Lua's lists.  All others outside are errors. */
static bool is_next(lua_State *L, size_t n) {
  int isint;
  lua_Integer i = lua_tointegerx(L, 2, &isint);
  return isint && i >= 1 && (lua_Unsigned)i == (lua_Unsigned)n + 1;
}

int bind_tensor_index(lua_State *L) {
  entry e[BNN_RANK_MAX] = {{0}};
  int type = lua_type(L, 2);
  if (type == LUA_TSTRING) {
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
  }
  bnn_shape shape = bind_check_shape_of(L, 1);
  if (type == LUA_TTABLE) return index_entries(L, &shape, e, read_entries(L, &shape, e));
  if (type != LUA_TNUMBER)
    bind_error(L, "index: expected a number or a list of numbers and ranges, got a %s",
               luaL_typename(L, 2));
  if (shape.rank == 0) bind_error(L, "a scalar has no positions: x:item() is its number");
  if (is_next(L, shape.dim[0])) return lua_pushnil(L), 1;
  e[0] = (entry){true, read_position(L, 0, shape.dim[0], "position"), 1};
  return index_entries(L, &shape, e, 1);
}
