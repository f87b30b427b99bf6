/* bind_batch.c - see bind_batch.h. */
#include "bind_batch.h"

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "bind_augment.h"

/* ---- feeds and sources ---- */

static const char *const role_names[] = {"x", "y", "weight", NULL};

/* Adds the feed {name, role, node} on top of the stack, and pops it. */
static void add_feed(lua_State *L, bnn_feeds *feeds) {
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_geti(L, -1, 1);
  lua_geti(L, -2, 2);
  lua_geti(L, -3, 3);
  const char *name = luaL_checkstring(L, -3);
  const bnn_feed_role role = (bnn_feed_role)luaL_checkoption(L, -2, NULL, role_names);
  bnn_err err;
  bind_check(L, bnn_feeds_add(feeds, role, name, (int)luaL_checkinteger(L, -1), &err), &err);
  lua_pop(L, 4);
}

bnn_feeds bind_check_feeds(lua_State *L, int at) {
  bnn_feeds feeds = {.n = 0};
  lua_getfield(L, at, "feeds");
  luaL_checktype(L, -1, LUA_TTABLE);
  const lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  if (n == 0) bind_argerror(L, at, "feeds: expected those of x, got none");
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, -1, i);
    add_feed(L, &feeds);
  }
  lua_pop(L, 1);
  return feeds;
}

bnn_sources bind_check_sources(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  bnn_sources data = {.n = lua_rawlen(L, arg)};
  if (data.n < 1 || data.n > BNN_FEEDS_MAX)
    bind_error(L, "expected 1 to %d tensors, got %I", BNN_FEEDS_MAX, (lua_Integer)data.n);
  for (size_t i = 0; i < data.n; i++) {
    lua_geti(L, arg, (lua_Integer)i + 1);
    data.tensor[i] = bind_check_tensor(L, lua_gettop(L)); /* which the list keeps alive */
    lua_pop(L, 1);
  }
  if (data.tensor[0]->rank == 0) bind_argerror(L, arg, "expected x of rows, got a scalar");
  return data;
}

/* ---- batches ---- */

/* Rows, from and count at arg, of the data. */
static bnn_batch check_batch(lua_State *L, bnn_sources data, int arg) {
  bnn_batch batch = {.data = data};
  const bnn_tensor *rows = bind_check_rows(L, arg, &batch);
  lua_Integer from = bind_check_range(L, arg + 1, "from", 1, INT64_MAX);
  lua_Integer count = bind_check_range(L, arg + 2, "count", 0, INT64_MAX);
  size_t n = rows ? rows->size : data.tensor[0]->dim[0];
  if ((size_t)from - 1 > n || (size_t)count > n - ((size_t)from - 1))
    bind_error(L, "expected rows within 1..%I, got %I..%I", (lua_Integer)n, from, from + count - 1);
  batch.rows = rows ? rows->data : NULL;
  batch.from = (size_t)from - 1;
  batch.count = (size_t)count;
  return batch;
}

bnn_batch bind_check_batch(lua_State *L, int arg) {
  const bnn_batch batch = check_batch(L, bind_check_sources(L, arg), arg + 1);
  const size_t n = batch.data.n;
  if (batch.augmented >= n || batch.mixed >= n || batch.weights >= n)
    bind_argerror(L, arg + 1, "expected rows of tensors that the batch has");
  return batch;
}

bnn_batch bind_check_batch_of(lua_State *L, const bnn_tensor *x, const bnn_tensor *y,
                              const bnn_tensor *weight, int arg) {
  if (x->rank == 0) bind_error(L, "expected x of rows, got a scalar");
  bnn_batch batch = check_batch(L, bnn_sources_of(x, y, weight), arg);
  const bnn_feeds feeds = bnn_feeds_of(-1, -1, -1);
  bnn_err err;
  batch.augmented = 0;
  batch.mixed = y ? 1 : 0;
  batch.weights = weight ? 2 : 0;
  bind_check(L, bnn_batch_check_rows(&batch, &feeds, &err), &err);
  return batch;
}

/* core.gather_rows(x, rows, from, count) -> rows of x as a new tensor, as they are where the others
 * are augmented; uint8 becomes real / 255 */
static int core_gather_rows(lua_State *L) {
  bnn_tensor *x = bind_check_tensor(L, 1);
  x = bind_check_dense(L, 1, x->dtype);
  if (x->rank == 0) bind_argerror(L, 1, "expected x of rows, got a scalar");
  bnn_batch batch = check_batch(L, bnn_sources_of(x, NULL, NULL), 2);
  const bnn_feeds feeds = bnn_feeds_of(-1, -1, -1);
  batch.augment = NULL;
  bnn_shape shape = bnn_shape_of(x);
  shape.dim[0] = batch.count;
  if (shape.dtype == BNN_U8) shape.dtype = BNN_REAL;
  bnn_err err;
  bind_check(L, bnn_batch_check_rows(&batch, &feeds, &err), &err);
  bnn_tensor *out = bind_push_new(L, shape.dtype, shape.rank, shape.dim);
  bnn_batch_gather(out->data, shape.dtype, &batch, 0, 0, batch.count);
  return 1;
}

static const bind_row rows[] = {
    {"gather_rows", core_gather_rows,
     "gather_rows(x, rows, from, count): rows of x; uint8 becomes real / 255"},
    {NULL, NULL, NULL},
};

void bind_open_batch(lua_State *L) { bind_register(L, "bnn.core.", rows); }
