/* bind_make.c - making tensors in Lua: from lists, filled, and drawn from keys. */
#include "bind_make.h"

#include <math.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../base/bind_signal.h"
#include "bind_argument.h"
#include "bind_key.h"
#include "bind_tensor.h"
#include "bind_tracer.h"
#include "kernels/rng.h"

/* ---- numbers into elements ---- */

static bool float_fits(bnn_dtype dtype, double v) {
  return dtype == BNN_F64 || !isfinite(v) || fabs(v) < 0x1.ffffffp127; /* else f32 rounds to inf */
}

/* Whether the integer v can be an element; any v can be a u64, which takes its 64 bits. */
static bool integer_fits(bnn_dtype dtype, lua_Integer v) {
  if (dtype == BNN_U8) return v >= 0 && v <= UINT8_MAX;
  if (dtype == BNN_I32) return v >= INT32_MIN && v <= INT32_MAX;
  return true;
}

static void store_integer(void *at, bnn_dtype dtype, lua_Integer v) {
  switch (dtype) {
  case BNN_U8: *(uint8_t *)at = (uint8_t)v; break;
  case BNN_I32: *(int32_t *)at = (int32_t)v; break;
  case BNN_I64: *(int64_t *)at = v; break;
  default: *(uint64_t *)at = (uint64_t)v; break;
  }
}

/* The Lua number on top of the stack into *at; false when an element of that type cannot hold it.
 */
static bool store(lua_State *L, void *at, bnn_dtype dtype) {
  double v = lua_tonumber(L, -1);
  if (dtype == BNN_F32 || dtype == BNN_F64) {
    if (!float_fits(dtype, v)) return false;
    if (dtype == BNN_F32)
      *(float *)at = (float)v;
    else
      *(double *)at = v;
    return true;
  }
  int isint;
  lua_Integer i = lua_tointegerx(L, -1, &isint);
  if (isint && integer_fits(dtype, i)) {
    store_integer(at, dtype, i);
    return true;
  }
  if (isint || dtype != BNN_U64 || v != floor(v) || v < 0x1p63 || v >= 0x1p64) return false;
  *(uint64_t *)at = (uint64_t)v;
  return true;
}

bool bind_number_fits(lua_State *L, int index, bnn_dtype dtype) {
  uint64_t element;
  lua_pushvalue(L, index);
  const bool fits = store(L, &element, dtype);
  lua_pop(L, 1);
  return fits;
}

/* ---- nested lists ---- */

/* Where a walk through nested lists is, for error texts. */
typedef struct walk {
  bnn_tensor *t;
  int arg;
  size_t place[BNN_RANK_MAX]; /* from 1 */
  size_t next;                /* row-major place of the next element */
} walk;

static const char *place_name(lua_State *L, const walk *w, int depth) {
  if (depth == 0) return "the data";
  return lua_pushfstring(L, "element %s", bnn_shape_print(depth, w->place).s);
}

/* Raises for a table at `index` without a first element that is not empty: params, a prediction or
 * options are no list of no numbers. */
static void refuse_names(lua_State *L, int index, int arg) {
  index = lua_absindex(L, index);
  if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
    bind_typeerror(L, arg, "number, lists of numbers or tensor");
  lua_pushnil(L);
  if (!lua_next(L, index)) return;
  lua_pop(L, 1);
  bind_argerror(L, arg, "expected lists of numbers, got a table with key %s",
                bind_push_text(L, -1));
}

/* The shape that nested lists have if they are regular: follows the first elements. */
static int first_shape(lua_State *L, int index, int arg, size_t dim[BNN_RANK_MAX]) {
  int rank = 0;
  lua_pushvalue(L, index);
  while (lua_istable(L, -1)) {
    if (rank == BNN_RANK_MAX) bind_argerror(L, arg, "lists are nested more than %d deep", rank);
    dim[rank] = bind_list_length(L, -1);
    if (dim[rank++] == 0) {
      refuse_names(L, -1, arg);
      break;
    }
    lua_geti(L, -1, 1);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
  return rank;
}

static void fill_element(lua_State *L, walk *w) {
  const bnn_tensor *t = w->t;
  bind_refuse_tracer(L, -1);
  int value = lua_gettop(L); /* compilers differ in which of two arguments pushes first */
  if (lua_type(L, value) != LUA_TNUMBER)
    bind_argerror(L, w->arg, "%s: expected a number, got a %s", place_name(L, w, t->rank),
                  luaL_typename(L, value));
  void *at = (char *)t->data + w->next++ * bnn_dtype_size(t->dtype);
  if (!store(L, at, t->dtype))
    bind_argerror(L, w->arg, "%s is %s, which %s cannot hold", place_name(L, w, t->rank),
                  bind_push_text(L, value), bnn_dtype_name(t->dtype));
}

/* Fills from the value on top of the stack, which should be a list of t's axis `depth`. */
static void fill_list(lua_State *L, walk *w, int depth) {
  if (depth == w->t->rank) {
    fill_element(L, w);
    return;
  }
  size_t n = w->t->dim[depth];
  int list = lua_gettop(L); /* as in fill_element */
  if (!lua_istable(L, list))
    bind_argerror(L, w->arg, "%s is a %s, the elements before it are lists of %I",
                  place_name(L, w, depth), luaL_typename(L, list), (lua_Integer)n);
  const size_t length = bind_list_length(L, list);
  if (length != n)
    bind_argerror(L, w->arg, "%s has %I elements, those before it have %I", place_name(L, w, depth),
                  (lua_Integer)length, (lua_Integer)n);
  if (n == 0) refuse_names(L, list, w->arg);
  for (size_t i = 1; i <= n; i++) {
    w->place[depth] = i;
    lua_geti(L, -1, (lua_Integer)i);
    fill_list(L, w, depth + 1);
    lua_pop(L, 1);
  }
}

bnn_tensor *bind_push_data(lua_State *L, int index, int arg, bnn_dtype dtype) {
  size_t dim[BNN_RANK_MAX];
  walk w = {.arg = arg};
  index = lua_absindex(L, index);
  luaL_checkstack(L, BNN_RANK_MAX + 8, NULL);
  int rank = first_shape(L, index, arg, dim);
  w.t = bind_push_new(L, dtype, rank, dim);
  lua_pushvalue(L, index);
  fill_list(L, &w, 0);
  lua_pop(L, 1);
  return w.t;
}

static int core_tensor(lua_State *L) {
  bnn_dtype dtype = bind_opt_dtype(L, 2, BNN_REAL);
  if (!bind_test_box(L, 1)) {
    if (!lua_istable(L, 1) && lua_type(L, 1) != LUA_TNUMBER)
      bind_typeerror(L, 1, "number, lists of numbers or tensor");
    bind_push_data(L, 1, 1, dtype);
    return 1;
  }
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bnn_tensor *x = bind_check_tensor(L, 1);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_tensor_convert(&t, x, dtype, &err);
  while (bind_try_again(L, status, &tries));
  return bind_return_tensor(L, status, t, &err);
}

/* ---- filled ---- */

/* Where the type stands, after a shape at arg: a list, or integers. */
static int after_shape(lua_State *L, int arg) {
  if (lua_istable(L, arg)) return arg + 1;
  while (lua_type(L, arg) == LUA_TNUMBER) arg++;
  return arg;
}

/* A tensor of the shape and type at arg and behind it, in a box on top of the stack. */
static bnn_tensor *push_shaped(lua_State *L, int arg) {
  size_t dim[BNN_RANK_MAX];
  int rank = bind_check_shape(L, arg, dim);
  return bind_push_new(L, bind_opt_dtype(L, after_shape(L, arg), BNN_REAL), rank, dim);
}

/* Copies element 0, which has been set, into all the others. */
static void spread(bnn_tensor *t) {
  size_t each = bnn_dtype_size(t->dtype), total = t->size * each;
  for (size_t done = each, n; done < total; done += n) {
    n = done < total - done ? done : total - done;
    memcpy((char *)t->data + done, t->data, n);
  }
}

static int core_zeros(lua_State *L) { return push_shaped(L, 1), 1; }

static int core_ones(lua_State *L) {
  bnn_tensor *t = push_shaped(L, 1);
  if (t->size) bnn_tensor_set(t, 0, 1);
  spread(t);
  return 1;
}

static int core_full(lua_State *L) {
  size_t dim[BNN_RANK_MAX];
  uint64_t element; /* an element of any type */
  luaL_checktype(L, 1, LUA_TTABLE);
  int rank = bind_check_shape(L, 1, dim);
  bind_refuse_tracer(L, 2);
  luaL_checktype(L, 2, LUA_TNUMBER);
  bnn_dtype dtype = bind_opt_dtype(L, 3, BNN_REAL);
  lua_pushvalue(L, 2);
  if (!store(L, &element, dtype))
    bind_argerror(L, 2, "value is %s, which %s cannot hold", bind_push_text(L, 2),
                  bnn_dtype_name(dtype));
  bnn_tensor *t = bind_push_new(L, dtype, rank, dim);
  if (t->size) memcpy(t->data, &element, bnn_dtype_size(dtype));
  spread(t);
  return 1;
}

static int core_eye(lua_State *L) {
  size_t n = (size_t)bind_check_range(L, 1, "n", 0, INT64_MAX), dim[] = {n, n};
  bnn_tensor *t = bind_push_new(L, BNN_REAL, 2, dim);
  for (size_t i = 0; i < n; i++) bnn_tensor_real(t)[i * n + i] = 1;
  return 1;
}

/* from, from + step, ... , computed from the place so that no error adds up. */
static bnn_tensor *push_line(lua_State *L, double from, double step, size_t n) {
  bnn_tensor *t = bind_push_new(L, BNN_REAL, 1, &n);
  for (size_t i = 0; i < n; i++) bnn_tensor_real(t)[i] = (bnn_real)(from + step * (double)i);
  return t;
}

/* A number that is finite. */
static double check_finite(lua_State *L, int arg, const char *name) {
  double v = bind_check_number(L, arg);
  if (!isfinite(v))
    bind_argerror(L, arg, "%s: expected a finite number, got %s", name, bind_push_number(L, v));
  return v;
}

static int core_arange(lua_State *L) {
  double from = check_finite(L, 1, "from"), to = check_finite(L, 2, "to");
  double step = lua_isnoneornil(L, 3) ? 1 : check_finite(L, 3, "step");
  bind_argcheck(L, step != 0, 3, "step: expected a number other than 0");
  double n = floor((to - from) / step + 1e-9) + 1; /* 0.3 / 0.1 is a little less than 3 */
  if (n >= 0x1p53) bind_error(L, "arange would have %s elements", bind_push_number(L, n));
  push_line(L, from, step, n > 0 ? (size_t)n : 0);
  return 1;
}

static int core_linspace(lua_State *L) {
  double from = check_finite(L, 1, "from"), to = check_finite(L, 2, "to");
  size_t n = (size_t)bind_check_range(L, 3, "n", 0, INT64_MAX);
  bnn_tensor *t = push_line(L, from, n > 1 ? (to - from) / (double)(n - 1) : 0, n);
  if (n > 1) bnn_tensor_real(t)[n - 1] = (bnn_real)to;
  return 1;
}

/* ---- drawn ---- */

typedef void draw(bnn_real *out, bnn_key key, uint64_t from, size_t n);

enum { DRAWN_AT_ONCE = 1 << 24 }; /* between two looks at a request to stop */

static int drawn(lua_State *L, draw *f) {
  size_t dim[BNN_RANK_MAX];
  bnn_key key = bind_check_key(L, 1);
  int rank = bind_check_shape(L, 2, dim);
  bnn_tensor *t = bind_push_new(L, BNN_REAL, rank, dim);
  for (size_t i = 0; i < t->size; i += DRAWN_AT_ONCE) {
    bind_signal_raise_if_pending(L);
    f(bnn_tensor_real(t) + i, key, i, t->size - i < DRAWN_AT_ONCE ? t->size - i : DRAWN_AT_ONCE);
  }
  return 1;
}

static int core_rand(lua_State *L) { return drawn(L, bnn_rng_uniform); }
static int core_randn(lua_State *L) { return drawn(L, bnn_rng_normal); }
static int core_truncated(lua_State *L) { return drawn(L, bnn_rng_truncated); }
static int core_rademacher(lua_State *L) { return drawn(L, bnn_rng_rademacher); }

static int core_permutation(lua_State *L) {
  bnn_err err;
  bnn_key key = bind_check_key(L, 1);
  size_t n = (size_t)bind_check_range(L, 2, "n", 0, INT32_MAX);
  bnn_tensor *t = bind_push_new(L, BNN_I32, 1, &n);
  int32_t *at = t->data;
  const bnn_stop before = bnn_context_watch(bind_context(L));
  bind_check(L, bnn_stop_end(before, bnn_rng_permutation(at, key, n, &err), &err), &err);
  for (size_t i = 0; i < n; i++) at[i]++; /* positions count from 1 in Lua */
  return 1;
}

static int core_bits(lua_State *L) {
  bnn_key key = bind_check_key(L, 1);
  size_t n = (size_t)bind_check_range(L, 2, "n", 0, INT64_MAX);
  bnn_tensor *t = bind_push_new(L, BNN_U64, 1, &n);
  bnn_rng_bits(t->data, key, 0, n);
  return 1;
}

static const bind_row rows[] = {
    {"tensor", core_tensor,
     "tensor(data [, dtype]): a tensor made from a number, nested lists of numbers, or a tensor\n"
     "Its dtype is \"u8\", \"i32\", \"i64\", \"u64\", \"f32\" or \"f64\"; the default is the real\n"
     "type. Raises if lists on one level differ in length, or if a number does not fit the type.\n"
     "A u64 element takes the 64 bits of an integer.\n"
     "    bnn.tensor{{1, 2}, {3, 4}} --> [2, 2]\n"
     "    bnn.tensor({7, 2, 1}, \"i32\") --> {7, 2, 1}"},
    {"zeros", core_zeros,
     "zeros(n, m, ... [, dtype]), zeros({n, m, ...} [, dtype]): a tensor filled with 0\n"
     "    bnn.zeros(2, 3) --> [2, 3]\n"
     "    bnn.zeros({2}, \"i64\") --> {0, 0}"},
    {"ones", core_ones,
     "ones(n, m, ... [, dtype]), ones({n, m, ...} [, dtype]): a tensor filled with 1\n"
     "    bnn.ones(2) --> {1, 1}"},
    {"full", core_full,
     "full({n, m, ...}, value [, dtype]): a tensor filled with a number\n"
     "    bnn.full({2, 2}, 0.5) --> {{0.5, 0.5}, {0.5, 0.5}}"},
    {"eye", core_eye,
     "eye(n): the identity matrix [n, n]\n"
     "    bnn.eye(2) --> {{1, 0}, {0, 1}}"},
    {"arange", core_arange,
     "arange(from, to [, step]): the numbers from, from + step, ... up to and including `to`\n"
     "The bounds work as in Lua's for, unlike NumPy's arange.\n"
     "    bnn.arange(1, 5) --> {1, 2, 3, 4, 5}\n"
     "    bnn.arange(0, 1, 0.5) --> {0, 0.5, 1}"},
    {"linspace", core_linspace,
     "linspace(from, to, n): n equally spaced numbers, both ends included\n"
     "    bnn.linspace(0, 1, 3) --> {0, 0.5, 1}"},
    {"rand", core_rand,
     "rand(key, n, m, ...): draws uniform numbers in [0, 1)\n"
     "The same key gives the same numbers, so use each key for one draw only.\n"
     "    bnn.rand(bnn.key(1), 2, 3) --> [2, 3]"},
    {"randn", core_randn,
     "randn(key, n, m, ...): draws standard normal numbers\n"
     "    bnn.randn(bnn.key(1), 128, 784) --> [128, 784]"},
    {"truncated", core_truncated,
     "truncated(key, n, m, ...): draws standard normal numbers truncated to [-2, 2]\n"
     "Their standard deviation is 0.8796.\n"
     "    bnn.truncated(bnn.key(1), 784, 64) --> [784, 64]"},
    {"rademacher", core_rademacher,
     "rademacher(key, n, m, ...): draws -1 or +1 with equal probability\n"
     "    bnn.rademacher(bnn.key(1), 5):abs() --> {1, 1, 1, 1, 1}"},
    {"permutation", core_permutation,
     "permutation(key, n): the numbers 1..n in random order, as i32: positions for x:index\n"
     "    local x = bnn.randn(bnn.key(1), 10, 2)\n"
     "    x:index(bnn.permutation(bnn.key(2), 10)) --> [10, 2]"},
    {"bits", core_bits,
     "bits(key, n): draws n times 64 random bits, as u64 [n]\n"
     "    bnn.bits(bnn.key(1), 3) --> [3]"},
    {NULL, NULL, NULL},
};

void bind_open_make(lua_State *L) {
  bind_register(L, "bnn.", rows);
  lua_pushstring(L, bnn_dtype_name(BNN_REAL));
  lua_setfield(L, -2, "real"); /* the name of the real type */
}
