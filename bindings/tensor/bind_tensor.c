/* bind_tensor.c - tensors in Lua: their boxes, views, conversions and reading.
 *
 * A box holds a concrete tensor or a tracer, a value that is being recorded.  What asks for a shape
 * works on both; a view of a tracer is recorded as an op; reading a tracer's elements raises. */
#include "bind_tensor.h"

#include <limits.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "bind_argument.h"
#include "bind_map.h"
#include "bind_tracer.h"

/* ---- boxes ---- */

void bind_push_tensor(lua_State *L) {
  bind_tensor *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (bind_tensor){.node = -1};
  luaL_setmetatable(L, BIND_TENSOR);
}

/* The bytes that are free when the one reference to t goes: none while others hold its memory, of
 * which a view's owner has been counted then, nor of a mapped file. */
static size_t held_bytes(const bnn_tensor *t) {
  const bnn_tensor *owner = t->base ? t->base : t;
  const bool is_shared = atomic_load(&t->refs) > 1 || atomic_load(&owner->refs) > 1;
  return is_shared || owner->release ? 0 : owner->size * bnn_dtype_size(owner->dtype);
}

void bind_fill_tensor(lua_State *L, int index, bnn_tensor *t) {
  bind_tensor *box = lua_touserdata(L, index);
  box->t = t;
  bind_account(L, held_bytes(t));
}

int bind_return_tensor(lua_State *L, bnn_status status, bnn_tensor *t, const bnn_err *err) {
  bind_check(L, status, err);
  bind_fill_tensor(L, -1, t);
  return 1;
}

int bind_read_tensor(lua_State *L,
                     bnn_status (*read)(bnn_tensor **out, const char *path, bnn_err *err)) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bnn_tensor *t = NULL;
  const char *path = bind_check_path(L, 1);
  const bnn_context *context = bind_context(L);
  bind_push_tensor(L);
  do {
    const bnn_stop before = bnn_context_watch(context);
    status = bnn_stop_end(before, read(&t, path, &err), &err);
  } while (bind_try_again(L, status, &tries));
  if (status == BNN_OK) return bind_return_tensor(L, status, t, &err);
  bnn_tensor_unref(t);
  return bind_refuse_file(L, status, &err);
}

bnn_tensor *bind_push_new(lua_State *L, bnn_dtype dtype, int rank, const size_t *dim) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_tensor_new(&t, dtype, rank, dim, &err);
  while (bind_try_again(L, status, &tries));
  bind_return_tensor(L, status, t, &err);
  return t;
}

bnn_tensor *bind_push_contiguous(lua_State *L, bnn_tensor *x) {
  bnn_err err;
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  bnn_status status = bnn_tensor_contiguous(&t, x, &err);
  bind_return_tensor(L, status, t, &err);
  return t;
}

/* __gc and __close.  A tracer's recording is Lua's to keep and collect. */
static int tensor_release(lua_State *L) {
  bind_tensor *box = luaL_checkudata(L, 1, BIND_TENSOR);
  bnn_tensor *t = box->t;
  box->t = NULL;
  box->program = NULL;
  bnn_tensor_unref(t);
  return 0;
}

/* ---- arguments ---- */

const bind_tensor *bind_test_box(lua_State *L, int arg) {
  const bind_tensor *box = luaL_testudata(L, arg, BIND_TENSOR);
  if (box) bind_check_map(L, box->t);
  return box;
}

static const bind_tensor *check_box(lua_State *L, int arg) {
  const bind_tensor *box = luaL_checkudata(L, arg, BIND_TENSOR);
  bind_argcheck(L, box->t || box->program, arg, "tensor is closed");
  bind_check_map(L, box->t);
  return box;
}

bnn_tensor *bind_check_tensor(lua_State *L, int arg) {
  const bind_tensor *box = check_box(L, arg);
  if (!box->t) bind_refuse_tracer(L, arg);
  return box->t;
}

bnn_tensor *bind_check_typed(lua_State *L, int arg, bnn_dtype dtype) {
  bnn_tensor *t = bind_check_tensor(L, arg);
  if (dtype != BNN_DTYPE_COUNT && t->dtype != dtype)
    bind_argerror(L, arg, "expected %s, got %s", bnn_dtype_name(dtype), bnn_dtype_name(t->dtype));
  return t;
}

bnn_tensor *bind_check_dense(lua_State *L, int arg, bnn_dtype dtype) {
  bnn_tensor *t = bind_check_typed(L, arg, dtype);
  if (!bnn_tensor_is_contiguous(t)) bind_argerror(L, arg, "expected a contiguous tensor");
  return t;
}

void *bind_check_elements(lua_State *L, int arg, bnn_dtype dtype, size_t n) {
  const bnn_tensor *t = bind_check_dense(L, arg, dtype);
  if (t->size != n)
    bind_argerror(L, arg, "expected %I elements, got %I", (lua_Integer)n, (lua_Integer)t->size);
  return t->data;
}

bnn_tensor *bind_opt_tensor(lua_State *L, int arg) {
  return lua_isnoneornil(L, arg) ? NULL : bind_check_tensor(L, arg);
}

bnn_tensor **bind_check_tensors(lua_State *L, int arg, size_t n) {
  bnn_tensor **x = lua_newuserdatauv(L, n * sizeof *x + 1, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, arg, (lua_Integer)i + 1);
    const bind_tensor *box = bind_test_box(L, -1);
    if (!box || !box->t) bind_argerror(L, arg, "expected a list of tensors, one for each name");
    x[i] = box->t;
    lua_pop(L, 1);
  }
  return x;
}

bnn_shape bind_check_shape_of(lua_State *L, int arg) {
  const bind_tensor *box = check_box(L, arg);
  if (box->t) return bnn_shape_of(box->t);
  bnn_shape shape = *bnn_program_shape(bind_push_recording(L, arg)->program, box->node);
  lua_pop(L, 1);
  return shape;
}

/* ---- shapes ---- */

static size_t shape_size(const bnn_shape *shape) {
  size_t n = 0;
  bnn_shape_size(&n, shape->rank, shape->dim); /* of a value that exists: it does not overflow */
  return n;
}

static int tensor_shape(lua_State *L) {
  bnn_shape shape = bind_check_shape_of(L, 1);
  lua_createtable(L, shape.rank, 0);
  for (int k = 0; k < shape.rank; k++) {
    lua_pushinteger(L, (lua_Integer)shape.dim[k]);
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

static int tensor_size(lua_State *L) {
  bnn_shape shape = bind_check_shape_of(L, 1);
  lua_pushinteger(L, (lua_Integer)shape.dim[bind_check_axis(L, 2, shape.rank)]);
  return 1;
}

static int tensor_dim(lua_State *L) {
  lua_pushinteger(L, bind_check_shape_of(L, 1).rank);
  return 1;
}

static int tensor_len(lua_State *L) {
  bnn_shape shape = bind_check_shape_of(L, 1);
  if (shape.rank == 0) bind_error(L, "a scalar has no length");
  lua_pushinteger(L, (lua_Integer)shape.dim[0]);
  return 1;
}

static int tensor_dtype(lua_State *L) {
  lua_pushstring(L, bnn_dtype_name(bind_check_shape_of(L, 1).dtype));
  return 1;
}

static int tensor_numel(lua_State *L) {
  bnn_shape shape = bind_check_shape_of(L, 1);
  lua_pushinteger(L, (lua_Integer)shape_size(&shape));
  return 1;
}

/* ---- views ---- */

/* What the views below share: argument 1's tensor, NULL for a tracer, and its shape. */
static bnn_tensor *check_viewed(lua_State *L, bnn_shape *shape) {
  *shape = bind_check_shape_of(L, 1);
  return bind_test_box(L, 1)->t;
}

static bnn_status reshape(bnn_tensor **out, bnn_tensor *x, int rank, const size_t *dim,
                          bnn_err *err) {
  bnn_tensor *dense;
  BNN_TRY(bnn_tensor_contiguous(&dense, x, err));
  bnn_status status = bnn_tensor_view(out, dense, rank, dim, err);
  bnn_tensor_unref(dense);
  return status;
}

/* Argument 1 in the shape that follows it, made by `view` of a concrete tensor. */
static int view_with(lua_State *L,
                     bnn_status view(bnn_tensor **, bnn_tensor *, int, const size_t *, bnn_err *)) {
  bnn_shape shape;
  bnn_attr attr = {0};
  bnn_err err;
  bnn_tensor *x = check_viewed(L, &shape);
  attr.rank = bind_check_view_shape(L, 2, shape_size(&shape), attr.dim);
  if (!x) return bind_record(L, 1, BNN_OP_view, &attr);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  bnn_status status = view(&t, x, attr.rank, attr.dim, &err);
  return bind_return_tensor(L, status, t, &err);
}

static int tensor_view(lua_State *L) { return view_with(L, bnn_tensor_view); }

static int tensor_reshape(lua_State *L) { return view_with(L, reshape); }

static int tensor_narrow(lua_State *L) {
  bnn_shape shape;
  bnn_attr attr = {0};
  bnn_err err;
  bnn_tensor *x = check_viewed(L, &shape);
  attr.axis = bind_check_axis(L, 2, shape.rank);
  bind_check_span(L, 3, shape.dim[attr.axis], &attr.from, &attr.count);
  if (!x) return bind_record(L, 1, BNN_OP_narrow, &attr);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  bnn_status status = bnn_tensor_narrow(&t, x, attr.axis, attr.from, attr.count, &err);
  return bind_return_tensor(L, status, t, &err);
}

/* Records x narrowed to position i of an axis, and viewed without that axis. */
static int record_select(lua_State *L, const bnn_shape *shape, int axis, size_t i) {
  bnn_attr narrow = {.axis = axis, .from = i, .count = 1}, view = {.rank = shape->rank - 1};
  for (int k = 0; k < view.rank; k++) view.dim[k] = shape->dim[k < axis ? k : k + 1];
  bind_record(L, 1, BNN_OP_narrow, &narrow);
  return bind_record(L, lua_gettop(L), BNN_OP_view, &view);
}

static int tensor_select(lua_State *L) {
  bnn_shape shape;
  bnn_err err;
  bnn_tensor *x = check_viewed(L, &shape);
  int axis = bind_check_axis(L, 2, shape.rank);
  size_t i = bind_check_index(L, 3, shape.dim[axis]);
  if (!x) return record_select(L, &shape, axis, i);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  bnn_status status = bnn_tensor_select(&t, x, axis, i, &err);
  return bind_return_tensor(L, status, t, &err);
}

/* The axes of argument 1 in another order. */
static int permute(lua_State *L, bnn_tensor *x, const bnn_attr *attr) {
  bnn_err err;
  if (!x) return bind_record(L, 1, BNN_OP_permute, attr);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  bnn_status status = bnn_tensor_permute(&t, x, attr->order, &err);
  return bind_return_tensor(L, status, t, &err);
}

static int tensor_permute(lua_State *L) {
  bnn_shape shape;
  bnn_attr attr = {0};
  bnn_tensor *x = check_viewed(L, &shape);
  bind_check_order(L, 2, shape.rank, attr.order);
  attr.rank = shape.rank;
  return permute(L, x, &attr);
}

static int tensor_t(lua_State *L) {
  bnn_shape shape;
  bnn_attr attr = {.rank = 2, .order = {1, 0}};
  bnn_tensor *x = check_viewed(L, &shape);
  if (shape.rank != 2)
    bind_argerror(L, 1, "expected a matrix, got %s", bnn_shape_print(shape.rank, shape.dim).s);
  return permute(L, x, &attr);
}

static int tensor_broadcast_to(lua_State *L) {
  bnn_shape shape;
  bnn_attr attr = {0};
  bnn_err err;
  bnn_tensor *x = check_viewed(L, &shape);
  attr.rank = bind_check_shape(L, 2, attr.dim);
  if (!x) return bind_record(L, 1, BNN_OP_broadcast, &attr);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  bnn_status status = bnn_tensor_broadcast(&t, x, attr.rank, attr.dim, &err);
  return bind_return_tensor(L, status, t, &err);
}

/* ---- copies and conversions ---- */

/* Returns argument 1 itself. */
static int same(lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

/* A recorded value never changes, so it is its own copy. */
static int tensor_clone(lua_State *L) {
  bnn_shape shape;
  bnn_err err;
  bnn_tensor *x = check_viewed(L, &shape);
  if (!x) return same(L);
  bnn_status status;
  int tries = 0;
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_tensor_clone(&t, x, &err);
  while (bind_try_again(L, status, &tries));
  return bind_return_tensor(L, status, t, &err);
}

static int tensor_contiguous(lua_State *L) {
  bnn_shape shape;
  bnn_tensor *x = check_viewed(L, &shape);
  return !x || bnn_tensor_is_contiguous(x) ? same(L) : tensor_clone(L);
}

/* Only integers become real numbers: a conversion the other way could fail while a program runs. */
static int record_conversion(lua_State *L, bnn_dtype from, bnn_dtype to) {
  if (to == BNN_REAL && from != BNN_F32 && from != BNN_F64)
    return bind_record(L, 1, BNN_OP_real, &bnn_op_get(BNN_OP_real)->defaults);
  return bind_error(L, "no op converts %s to %s while recording: convert the value before",
                    bnn_dtype_name(from), bnn_dtype_name(to));
}

static int convert(lua_State *L, bnn_dtype dtype) {
  bnn_shape shape;
  bnn_err err;
  bnn_tensor *x = check_viewed(L, &shape);
  if (shape.dtype == dtype) return same(L);
  if (!x) return record_conversion(L, shape.dtype, dtype);
  bnn_status status;
  int tries = 0;
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_tensor_convert(&t, x, dtype, &err);
  while (bind_try_again(L, status, &tries));
  return bind_return_tensor(L, status, t, &err);
}

static int tensor_to(lua_State *L) {
  luaL_checkstring(L, 2);
  return convert(L, bind_opt_dtype(L, 2, BNN_REAL));
}

static int tensor_real(lua_State *L) { return convert(L, BNN_REAL); }

/* ---- reading ---- */

/* Pushes element i in row-major order.  A u64 becomes the Lua integer of the same bits. */
static void push_element(lua_State *L, const bnn_tensor *x, size_t i) {
  if (x->dtype == BNN_F32 || x->dtype == BNN_F64)
    lua_pushnumber(L, bnn_tensor_get(x, i));
  else
    lua_pushinteger(L, bnn_tensor_get_int(x, i));
}

static int tensor_item(lua_State *L) {
  bnn_tensor *x = bind_check_tensor(L, 1);
  if (x->size != 1) bind_argerror(L, 1, "expected one element, got %s", BNN_SHAPE(x));
  push_element(L, x, 0);
  return 1;
}

/* Pushes the elements below axis `axis` as nested lists; *i is the place of the next one. */
static void push_list(lua_State *L, const bnn_tensor *x, int axis, size_t *i) {
  if (axis == x->rank) {
    push_element(L, x, (*i)++);
    return;
  }
  size_t n = x->dim[axis];
  lua_createtable(L, n < INT_MAX ? (int)n : 0, 0);
  for (size_t k = 0; k < n; k++) {
    push_list(L, x, axis + 1, i);
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
}

static int tensor_totable(lua_State *L) {
  size_t i = 0;
  bnn_tensor *x = bind_check_tensor(L, 1);
  luaL_checkstack(L, BNN_RANK_MAX + 2, NULL);
  push_list(L, x, 0, &i);
  return 1;
}

/* ---- metamethods ---- */

static int tensor_newindex(lua_State *L) {
  return bind_error(L, "tensors are values, which do not change: make a new one, "
                       "for instance by where or concat");
}

static int fail_comparison(lua_State *L) {
  return bind_fail_reading(L, "a comparison",
                           "bnn.where(x:gt(y), a, b) chooses by value inside, or return it and "
                           "compare outside");
}

/* Lua wants one boolean from `<`, and a tensor has many. */
static int tensor_compare(lua_State *L) {
  for (int i = 1; i <= 2; i++) {
    const bind_tensor *box = bind_test_box(L, i);
    if (!box || !box->program) continue;
    bind_push_recording(L, i);
    return fail_comparison(L);
  }
  return bind_error(L, "tensors have no order: x:lt(y), x:le(y) compare elements, x:item() is a "
                       "number");
}

/* Tensors are equal when they are the same object; while recording that is hardly what is meant. */
static int tensor_equal(lua_State *L) {
  for (int i = 1; i <= 2; i++) {
    const bind_tensor *box = bind_test_box(L, i);
    if (!box || !box->program) continue;
    lua_getiuservalue(L, i, 1);
    const bind_recording *p = lua_touserdata(L, -1);
    if (p && p->is_open) return fail_comparison(L);
  }
  lua_pushboolean(L, false);
  return 1;
}

static int tensor_concat(lua_State *L) {
  bind_refuse_tracer(L, 1);
  bind_refuse_tracer(L, 2);
  return bind_error(L, "a tensor stands beside '..': tostring(x) is its text, x:item() its number");
}

static const luaL_Reg meta[] = {
    {"__gc", tensor_release},
    {"__close", tensor_release},
    {"__index", bind_tensor_index},
    {"__newindex", tensor_newindex},
    {"__len", tensor_len},
    {"__concat", tensor_concat},
    {"__eq", tensor_equal},
    {"__lt", tensor_compare},
    {"__le", tensor_compare},
    {"__tostring", bind_tensor_print},
    {NULL, NULL},
};

static const bind_row methods[] = {
    {"shape", tensor_shape,
     "x:shape(): the sizes of the axes as a list; {} for a scalar\n"
     "    bnn.zeros(2, 3):shape() --> {2, 3}"},
    {"size", tensor_size,
     "x:size(axis): the size of one axis; -1 is the last axis\n"
     "    bnn.zeros(2, 3):size(-1) --> 3"},
    {"dim", tensor_dim,
     "x:dim(): the number of axes, which is the rank\n"
     "    bnn.zeros(2, 3):dim() --> 2"},
    {"dtype", tensor_dtype,
     "x:dtype(): the type of the elements: \"u8\", \"i32\", \"i64\", \"u64\", \"f32\" or \"f64\"\n"
     "    bnn.tensor({1, 2}, \"i32\"):dtype() --> \"i32\""},
    {"numel", tensor_numel,
     "x:numel(): the number of elements\n"
     "    bnn.zeros(2, 3):numel() --> 6"},
    {"view", tensor_view,
     "x:view(n, m, ...): the same elements in another shape; one size may be -1\n"
     "Shares memory with x. Raises if the number of elements differs, or if x is strided so that\n"
     "no view has that shape (x:reshape then copies).\n"
     "    local x = bnn.arange(1, 6)\n"
     "    x:view(2, 3) --> {{1, 2, 3}, {4, 5, 6}}\n"
     "    x:view(3, -1) --> [3, 2]"},
    {"reshape", tensor_reshape,
     "x:reshape(n, m, ...): x:view if x allows it, else a view of a copy\n"
     "    local x = bnn.tensor{{1, 2, 3}, {4, 5, 6}}\n"
     "    x:t():reshape(6) --> {1, 4, 2, 5, 3, 6}"},
    {"narrow", tensor_narrow,
     "x:narrow(axis, from, count): `count` positions of an axis, starting at `from`\n"
     "Shares memory with x. Axes and positions count from 1, and from the end if negative.\n"
     "    bnn.arange(1, 5):narrow(1, 2, 3) --> {2, 3, 4}"},
    {"select", tensor_select,
     "x:select(axis, i): position i of an axis, without that axis: axis 1 of [n, m] gives [m]\n"
     "Shares memory with x. The result is a tensor even if it holds a single number.\n"
     "    bnn.tensor{{1, 2}, {3, 4}}:select(1, 2) --> {3, 4}"},
    {"t", tensor_t,
     "x:t(): the transpose of a matrix; shares memory with x\n"
     "    bnn.tensor{{1, 2}, {3, 4}}:t() --> {{1, 3}, {2, 4}}"},
    {"permute", tensor_permute,
     "x:permute(a, b, ...): reorders the axes: axis k of the result is the k-th axis listed\n"
     "Shares memory with x.\n"
     "    bnn.zeros(2, 3, 4):permute(3, 1, 2) --> [4, 2, 3]"},
    {"broadcast_to", tensor_broadcast_to,
     "x:broadcast_to(n, m, ...): repeats x to a shape by NumPy's broadcasting rule\n"
     "Shares memory with x.\n"
     "    bnn.tensor{1, 2}:broadcast_to(2, 2) --> {{1, 2}, {1, 2}}"},
    {"broadcast", tensor_broadcast_to,
     "x:broadcast(n, m, ...): the same as x:broadcast_to\n"
     "    bnn.tensor{1, 2}:broadcast(2, 2) --> {{1, 2}, {1, 2}}"},
    {"clone", tensor_clone,
     "x:clone(): a copy in its own memory\n"
     "    local copy = bnn.ones(2):clone() --> {1, 1}"},
    {"contiguous", tensor_contiguous,
     "x:contiguous(): x itself if its elements lie in row-major order, else a copy in that order\n"
     "    bnn.zeros(2, 3):t():contiguous() --> [3, 2]"},
    {"to", tensor_to,
     "x:to(dtype): converts the elements to another type; gives x itself if it has that type\n"
     "Raises if an element does not fit: a fraction into an integer, 300 into u8. While\n"
     "recording, only integers to real numbers convert (x:real()); convert other types before.\n"
     "    bnn.tensor{1, 2}:to \"i64\" --> {1, 2}"},
    {"real", tensor_real,
     "x:real(): x as the type that ops compute with, f32 (f64 in a double build)\n"
     "Also while recording, for integers such as labels. Does not divide u8 by 255.\n"
     "    bnn.tensor({0, 255}, \"u8\"):real() --> {0, 255}"},
    {"item", tensor_item,
     "x:item(): the element of a tensor with one element, as a number\n"
     "A u64 gives the integer with the same 64 bits, which is negative from 2^63 on (math.ult,\n"
     "\"%x\").\n"
     "    bnn.ones(2, 3):sum():item() --> 6"},
    {"totable", tensor_totable,
     "x:totable(): the elements as nested lists; a scalar gives a number\n"
     "A u64 gives the integer with the same 64 bits, as x:item() does.\n"
     "    bnn.eye(2):totable() --> {{1, 0}, {0, 1}}"},
    {NULL, NULL, NULL},
};

static const bind_row rows[] = {
    {"tensor_text", bind_tensor_print_in,
     "tensor_text(x, line): tostring(x) with so few columns that its lines have `line` characters"},
    {NULL, NULL, NULL},
};

void bind_open_tensor(lua_State *L) {
  bind_new_class(L, BIND_TENSOR, "tensor:", meta, methods);
  lua_pop(L, 1);
  bind_register(L, "bnn.core.", rows);
}
