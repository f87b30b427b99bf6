/* bind_batch.c - see bind_batch.h. */
#include "bind_batch.h"

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "bind_augment.h"

bnn_batch bind_check_batch(lua_State *L, int arg) {
  bnn_tensor *x = bind_check_tensor(L, arg), *y = bind_opt_tensor(L, arg + 1);
  if (x->rank == 0) bind_argerror(L, arg, "expected x of rows, got a scalar");
  bnn_batch batch = {.x = x, .y = y};
  const bnn_tensor *rows = bind_check_rows(L, arg + 2, &batch);
  lua_Integer from = bind_check_range(L, arg + 3, "from", 1, INT64_MAX);
  lua_Integer count = bind_check_range(L, arg + 4, "count", 0, INT64_MAX);
  size_t n = rows ? rows->size : x->dim[0];
  if ((size_t)from - 1 > n || (size_t)count > n - ((size_t)from - 1))
    bind_error(L, "expected rows within 1..%I, got %I..%I", (lua_Integer)n, from, from + count - 1);
  batch.rows = rows ? rows->data : NULL;
  batch.from = (size_t)from - 1;
  batch.count = (size_t)count;
  return batch;
}

/* core.gather_rows(x, rows, from, count) -> rows of x as a new tensor, as they are where the others
 * are augmented; uint8 becomes real / 255 */
static int core_gather_rows(lua_State *L) {
  bnn_tensor *x = bind_check_tensor(L, 1);
  x = bind_check_dense(L, 1, x->dtype);
  lua_settop(L, 4);
  lua_pushnil(L);
  lua_insert(L, 2); /* no y */
  bnn_batch batch = bind_check_batch(L, 1);
  batch.augment = NULL;
  bnn_shape shape = bnn_shape_of(x);
  shape.dim[0] = batch.count;
  if (shape.dtype == BNN_U8) shape.dtype = BNN_REAL;
  bnn_err err;
  bind_check(L, bnn_batch_check_rows(&batch, &err), &err);
  bnn_tensor *out = bind_push_new(L, shape.dtype, shape.rank, shape.dim);
  bnn_batch_gather(out->data, shape.dtype, x, &batch, 0, batch.count);
  return 1;
}

static const bind_row rows[] = {
    {"gather_rows", core_gather_rows,
     "gather_rows(x, rows, from, count): rows of x; uint8 becomes real / 255"},
    {NULL, NULL, NULL},
};

void bind_open_batch(lua_State *L) { bind_register(L, "bnn.core.", rows); }
