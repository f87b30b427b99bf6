/* bind_columns.c - standardising the columns of a data set (columns.h).  What users see is
 * bnn.data.standardise (scripts/bnn/data/files.lua). */
#include "bind_columns.h"

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../tensor/bind_tensor.h"
#include "tables/columns.h"

/* The elements of a row of x [n, ...], n > 0. */
static size_t width_of(lua_State *L, int arg, const bnn_tensor *x) {
  bind_argcheck(L, x->rank > 0 && x->dim[0] > 0, arg, "expected rows, got none");
  return x->size / x->dim[0];
}

/* A new tensor in the shape of a row of x. */
static bnn_real *push_row(lua_State *L, const bnn_tensor *x) {
  return bnn_tensor_real(bind_push_new(L, BNN_REAL, x->rank - 1, x->dim + 1));
}

/* core.fit_columns(x) -> mean, rest, std, how many columns are constant, the first of these */
static int core_fit_columns(lua_State *L) {
  bnn_err err;
  size_t constant = 0, first = 0;
  const bnn_tensor *x = bind_check_dense(L, 1, BNN_REAL);
  const size_t d = width_of(L, 1, x);
  bnn_real *mean = push_row(L, x), *rest = push_row(L, x), *std = push_row(L, x);
  bind_check(
      L,
      bnn_columns_fit(mean, rest, std, &constant, &first, bnn_tensor_real(x), x->dim[0], d, &err),
      &err);
  lua_pushinteger(L, (lua_Integer)constant);
  lua_pushinteger(L, (lua_Integer)first + 1);
  return 5;
}

/* core.standardise_columns(x, mean, rest or nil, std) -> z */
static int core_standardise_columns(lua_State *L) {
  const bnn_tensor *x = bind_check_dense(L, 1, BNN_REAL);
  bind_argcheck(L, x->rank > 0, 1, "expected rows, got a scalar");
  size_t d = 1;
  for (int k = 1; k < x->rank; k++) d *= x->dim[k];
  const bnn_real *mean = bind_check_elements(L, 2, BNN_REAL, d),
                 *std = bind_check_elements(L, 4, BNN_REAL, d);
  const bnn_real *rest = lua_isnil(L, 3) ? NULL : bind_check_elements(L, 3, BNN_REAL, d);
  bnn_tensor *z = bind_push_new(L, BNN_REAL, x->rank, x->dim);
  bnn_columns_standardise(bnn_tensor_real(z), bnn_tensor_real(x), mean, rest, std, x->dim[0], d);
  return 1;
}

static const bind_row rows[] = {
    {"fit_columns", core_fit_columns,
     "fit_columns(x): the mean of each column of x [n, ...], its rounding error, and the std; "
     "then the\n"
     "number of constant columns (their std is 1) and the first of them"},
    {"standardise_columns", core_standardise_columns,
     "standardise_columns(x, mean, rest, std): (x - (mean + rest)) / std; rest may be nil"},
    {NULL, NULL, NULL},
};

void bind_open_columns(lua_State *L) { bind_register(L, "bnn.core.", rows); }
