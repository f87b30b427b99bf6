/* broadcast: x repeated to a larger shape by NumPy's rule; its gradient sums over the repeats. */
#include "../op_help.h"
#include "../walk.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  if (attr->rank < 0 || attr->rank > BNN_RANK_MAX)
    return bnn_fail(err, BNN_ESHAPE, "expected 0 to %d dims, got %d", BNN_RANK_MAX, attr->rank);
  const bnn_shape to = bnn_shape_make(x->dtype, attr->rank, attr->dim);
  bnn_shape both;
  if (bnn_shape_broadcast(&both, x, &to, NULL) != BNN_OK || !bnn_shape_equal(&both, &to))
    return bnn_fail(err, BNN_ESHAPE, "x is %s: it does not repeat to %s", BNN_SHAPE(x),
                    BNN_SHAPE(&to));
  *y = to;
  return BNN_OK;
}

BNN_KERNEL copy(bnn_real *restrict y, const bnn_real *restrict x, const bnn_real *restrict b,
                const bnn_real *restrict c, size_t n) {
  BNN_UNUSED(b), BNN_UNUSED(c);
  memcpy(y, x, n * sizeof *y);
}

BNN_KERNEL slope(bnn_real *restrict d, const bnn_real *restrict dy, const bnn_real *restrict y,
                 const bnn_real *restrict x, const bnn_real *restrict b, const bnn_real *restrict c,
                 size_t n) {
  BNN_UNUSED(y), BNN_UNUSED(x), BNN_UNUSED(b), BNN_UNUSED(c);
  for (size_t i = 0; i < n; i++) d[i] += dy[i];
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  walk_map(y, x, n, copy);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  if (dx[0]) walk_grad(dx[0], 0, dy, y, x, n, slope);
}

BNN_OP(broadcast) = {
    .name = "broadcast",
    .doc = "broadcast(x, shape): repeats x to a shape by NumPy's broadcasting rule; a "
           "copy",
    .example = "bnn.broadcast(bnn.tensor{1, 2}, {2, 2}) --> {{1, 2}, {1, 2}}",
    .arity = 1,
    .args = "s",
    .infer = infer,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{2, {3, 1}, 0}},
              .attr = {.rank = 3, .dim = {2, 3, 4}}},
};
