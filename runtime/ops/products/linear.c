/* linear: y = x w + b, rows of x times a matrix: the layer that nearly all of the time goes to.
 *
 *   y  [n, out] = x [n, in] w [in, out] + b [out]      n: all leading dims of x together
 *   dx = dy w^T     dw = x^T dy     db = sum over n of dy
 *
 * dw can be had in blocks of its rows: w's row i meets column i of x only. */
#include "../../kernels/product.h"
#include "../op_help.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  const bnn_shape *w = &x[1], *b = &x[2];
  if (x[0].rank < 1) return bnn_fail(err, BNN_ESHAPE, "x: expected [..., in], got []");
  size_t in = x[0].dim[x[0].rank - 1];
  if (w->rank != 2 || w->dim[0] != in)
    return bnn_fail(err, BNN_ESHAPE, "w: expected [%zu, *] for x %s, got %s", in, BNN_SHAPE(&x[0]),
                    BNN_SHAPE(w));
  if (b->rank != 1 || b->dim[0] != w->dim[1])
    return bnn_fail(err, BNN_ESHAPE, "b: expected [%zu] for w %s, got %s", w->dim[1], BNN_SHAPE(w),
                    BNN_SHAPE(b));
  size_t rows = op_span(x[0].dim, 0, x[0].rank - 1);
  if (!bnn_blas_fits(rows, w->dim[1], in))
    return bnn_fail(err, BNN_ESHAPE, "x is %s, w is %s: too large for a product", BNN_SHAPE(&x[0]),
                    BNN_SHAPE(w));
  BNN_TRY(bnn_blas_load(err));
  *y = x[0];
  y->dim[y->rank - 1] = w->dim[1];
  return BNN_OK;
}

/* A parameter that belongs to the batch, or an x without an axis before `in`, mixes. */
static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y);
  if (has_rows[1] || has_rows[2] || x[0].rank < 2) return BNN_ROWS_MIXED;
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  bnn_product_bias(bnn_tensor_real(y), bnn_tensor_real(x[0]), bnn_tensor_real(x[1]),
                   bnn_tensor_real(x[2]), op_leading(x[0]), x[1]->dim[1], x[1]->dim[0]);
}

BNN_KERNEL add_to_sums(double *restrict sum, const bnn_real *restrict dy, size_t rows_,
                       size_t stride, size_t n) {
  for (size_t i = 0; i < rows_; i++)
    for (size_t j = 0; j < n; j++) sum[j] += dy[i * stride + j];
}

/* db += column sums of dy [rows, out], a stretch of columns at a time. */
static void add_to_bias(bnn_real *db, const bnn_real *dy, size_t rows_, size_t out) {
  enum { COLUMNS = 128 };
  for (size_t j = 0; j < out; j += COLUMNS) {
    double sum[COLUMNS] = {0};
    const size_t n = out - j < COLUMNS ? out - j : COLUMNS;
    add_to_sums(sum, dy + j, rows_, out, n);
    for (size_t i = 0; i < n; i++) db[j + i] += (bnn_real)sum[i];
  }
}

static bool can_split(int i) { return i == 1; }

static void backward_rows(bnn_tensor *dx, int i, size_t from, bool add, const bnn_tensor *dy,
                          const bnn_tensor *const *x, const bnn_attr *attr) {
  BNN_UNUSED(i), BNN_UNUSED(attr);
  const size_t n = op_leading(x[0]), in = x[1]->dim[0], out = dx->dim[1];
  bnn_product(bnn_tensor_real(dx), out, bnn_tensor_real(x[0]) + from, in, true, bnn_tensor_real(dy),
              out, false, dx->dim[0], out, n, add);
}

static bool backward_shards(bnn_tensor *dx, int i, size_t from, const bnn_shards *shards,
                            const bnn_tensor *dy, const bnn_tensor *const *x) {
  BNN_UNUSED(i);
  const size_t in = x[1]->dim[0], out = dx->dim[1], each = op_span(x[0]->dim, 1, x[0]->rank - 1);
  const bnn_shards terms = {shards->n_rows * each, shards->size * each, shards->count};
  return bnn_product_sharded(bnn_tensor_real(dx), bnn_tensor_real(x[0]) + from, in,
                             bnn_tensor_real(dy), out, dx->dim[0], out, &terms);
}

static void slopes(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *const *x,
                   const bnn_attr *attr, bool add) {
  const size_t rows_ = op_leading(x[0]), in = x[1]->dim[0], out = x[1]->dim[1];
  if (dx[0])
    bnn_product(bnn_tensor_real(dx[0]), in, bnn_tensor_real(dy), out, false, bnn_tensor_real(x[1]),
                out, true, rows_, in, out, add);
  if (dx[1]) backward_rows(dx[1], 1, 0, true, dy, x, attr);
  if (dx[2]) add_to_bias(bnn_tensor_real(dx[2]), bnn_tensor_real(dy), rows_, out);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  slopes(dx, dy, x, attr, true);
}

static void backward_set(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  slopes(dx, dy, x, attr, false);
}

BNN_OP(linear) = {
    .name = "linear",
    .doc = "linear(x, w, b): x w + b for x [..., in], w [in, out], b [out]; the result "
           "is [..., out]",
    .example = "bnn.linear(bnn.tensor{{1, 2}}, {{1, 0}, {0, 1}}, {10, 20}) --> {{11, 22}}",
    .arity = 3,
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .backward_set = backward_set,
    .y_unread = true,
    .can_split = can_split,
    .backward_rows = backward_rows,
    .backward_shards = backward_shards,
    .multiply_adds = op_product_adds,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .in = {{2, {5, 3}, 0}, {2, {3, 4}, 0}, {1, {4}, 0}}},
};
