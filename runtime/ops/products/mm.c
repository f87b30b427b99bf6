/* mm and bmm: the matrix product c = a b, and one for each matrix of a batch.
 *
 *   c [m, n] = a [m, k] b [k, n]     da = dc b^T     db = a^T dc
 *
 * Row i of db meets column i of a only, so mm's db can be had in blocks of rows. */
#include "../../kernels/product.h"
#include "../op_help.h"

/* Sizes of one product, and how many there are. */
typedef struct product {
  size_t batch, m, n, k;
} product;

static product product_of(const bnn_tensor *const *x) {
  const size_t *a = x[0]->dim + x[0]->rank - 2, *b = x[1]->dim + x[1]->rank - 2;
  return (product){x[0]->rank == 3 ? x[0]->dim[0] : 1, a[0], b[1], a[1]};
}

static bnn_status infer_matrices(bnn_shape *y, const bnn_shape *a, const bnn_shape *b, int rank,
                                 bnn_err *err) {
  if (a->rank != rank || b->rank != rank)
    return bnn_fail(err, BNN_ESHAPE, "expected tensors of rank %d, got a %s, b %s", rank,
                    BNN_SHAPE(a), BNN_SHAPE(b));
  const size_t m = a->dim[rank - 2], k = a->dim[rank - 1], n = b->dim[rank - 1];
  if (b->dim[rank - 2] != k || b->dim[0] != (rank == 3 ? a->dim[0] : k))
    return rank == 2 ? bnn_fail(err, BNN_ESHAPE, "b: expected [%zu, *] for a %s, got %s", k,
                                BNN_SHAPE(a), BNN_SHAPE(b))
                     : bnn_fail(err, BNN_ESHAPE, "b: expected [%zu, %zu, *] for a %s, got %s",
                                a->dim[0], k, BNN_SHAPE(a), BNN_SHAPE(b));
  if (!bnn_blas_fits(m, n, k))
    return bnn_fail(err, BNN_ESHAPE, "a is %s, b is %s: too large for a product", BNN_SHAPE(a),
                    BNN_SHAPE(b));
  BNN_TRY(bnn_blas_load(err));
  *y = *a;
  y->dim[rank - 1] = n;
  return BNN_OK;
}

static bnn_status infer_mm(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                           bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  return infer_matrices(y, &x[0], &x[1], 2, err);
}

static bnn_status infer_bmm(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                            bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  return infer_matrices(y, &x[0], &x[1], 3, err);
}

static bnn_rows rows_mm(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                        const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y);
  if (has_rows[1]) return BNN_ROWS_MIXED;
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

static bnn_rows rows_bmm(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                         const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y);
  return has_rows[0] && has_rows[1] ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  const product p = product_of(x);
  const bnn_real *a = bnn_tensor_real(x[0]), *b = bnn_tensor_real(x[1]);
  for (size_t i = 0; i < p.batch; i++)
    bnn_product(bnn_tensor_real(y) + i * p.m * p.n, p.n, a + i * p.m * p.k, p.k, false,
                b + i * p.k * p.n, p.n, false, p.m, p.n, p.k, false);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n), BNN_UNUSED(attr);
  const product p = product_of(x);
  const bnn_real *a = bnn_tensor_real(x[0]), *b = bnn_tensor_real(x[1]);
  for (size_t i = 0; i < p.batch; i++) {
    const bnn_real *dc = bnn_tensor_real(dy) + i * p.m * p.n;
    if (dx[0])
      bnn_product(bnn_tensor_real(dx[0]) + i * p.m * p.k, p.k, dc, p.n, false, b + i * p.k * p.n,
                  p.n, true, p.m, p.k, p.n, true);
    if (dx[1])
      bnn_product(bnn_tensor_real(dx[1]) + i * p.k * p.n, p.n, a + i * p.m * p.k, p.k, true, dc,
                  p.n, false, p.k, p.n, p.m, true);
  }
}

static bool can_split(int i) { return i == 1; }

static void backward_rows(bnn_tensor *dx, int i, size_t from, bool add, const bnn_tensor *dy,
                          const bnn_tensor *const *x, const bnn_attr *attr) {
  BNN_UNUSED(i), BNN_UNUSED(attr);
  const product p = product_of(x);
  bnn_product(bnn_tensor_real(dx), p.n, bnn_tensor_real(x[0]) + from, p.k, true,
              bnn_tensor_real(dy), p.n, false, dx->dim[0], p.n, p.m, add);
}

static bool backward_shards(bnn_tensor *dx, int i, size_t from, const bnn_shards *shards,
                            const bnn_tensor *dy, const bnn_tensor *const *x) {
  BNN_UNUSED(i);
  const product p = product_of(x);
  return bnn_product_sharded(bnn_tensor_real(dx), bnn_tensor_real(x[0]) + from, p.k,
                             bnn_tensor_real(dy), p.n, dx->dim[0], p.n, shards);
}

BNN_OP(mm) = {
    .name = "mm",
    .doc = "mm(a, b): matrix product a b, [m, n], of a [m, k] and b [k, n]",
    .example = "bnn.tensor{{1, 2}, {3, 4}}:mm{{1}, {10}} --> {{21}, {43}}",
    .arity = 2,
    .infer = infer_mm,
    .rows = rows_mm,
    .forward = forward,
    .backward = backward,
    .y_unread = true,
    .can_split = can_split,
    .backward_rows = backward_rows,
    .backward_shards = backward_shards,
    .multiply_adds = op_product_adds,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .in = {{2, {5, 3}, 0}, {2, {3, 4}, 0}}},
};

BNN_OP(bmm) = {
    .name = "bmm",
    .doc = "bmm(a, b): matrix products, [batch, m, n], of a [batch, m, k] and b [batch, "
           "k, n]",
    .example = "bnn.ones(5, 2, 3):bmm(bnn.ones(5, 3, 4)) --> [5, 2, 4]",
    .arity = 2,
    .infer = infer_bmm,
    .rows = rows_bmm,
    .forward = forward,
    .backward = backward,
    .y_unread = true,
    .multiply_adds = op_product_adds,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .in = {{3, {3, 2, 4}, 0}, {3, {3, 4, 2}, 0}}},
};
