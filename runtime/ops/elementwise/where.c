/* where: picks from a or b by a condition, all three broadcast together.  A condition is true
 * unless it is 0 (a NaN is true); it has no gradient.  a and b are real, or integers of one type. */
#include "../integers.h"
#include "../op_help.h"
#include "../walk.h"

BNN_KERNEL pick(bnn_real *restrict y, const bnn_real *restrict cond, const bnn_real *restrict a,
                const bnn_real *restrict b, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = cond[i] != 0 ? a[i] : b[i];
}

BNN_KERNEL slope_a(bnn_real *restrict d, const bnn_real *restrict dy, const bnn_real *restrict y,
                   const bnn_real *restrict cond, const bnn_real *restrict a,
                   const bnn_real *restrict b, size_t n) {
  BNN_UNUSED(y), BNN_UNUSED(a), BNN_UNUSED(b);
  for (size_t i = 0; i < n; i++) d[i] += cond[i] != 0 ? dy[i] : 0;
}

BNN_KERNEL slope_b(bnn_real *restrict d, const bnn_real *restrict dy, const bnn_real *restrict y,
                   const bnn_real *restrict cond, const bnn_real *restrict a,
                   const bnn_real *restrict b, size_t n) {
  BNN_UNUSED(y), BNN_UNUSED(a), BNN_UNUSED(b);
  for (size_t i = 0; i < n; i++) d[i] += cond[i] != 0 ? 0 : dy[i];
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  bnn_shape to;
  BNN_TRY(op_check_real(&x[0], "cond", err));
  if (x[1].dtype != x[2].dtype && is_integer(x[1].dtype) && is_integer(x[2].dtype))
    return bnn_fail(err, BNN_ETYPE, "b: expected %s, as a is, got %s: b:to(\"%s\") converts",
                    bnn_dtype_name(x[1].dtype), bnn_dtype_name(x[2].dtype),
                    bnn_dtype_name(x[1].dtype));
  if (x[1].dtype != x[2].dtype || !is_integer(x[1].dtype)) {
    BNN_TRY(op_check_real(&x[1], "a", err));
    BNN_TRY(op_check_real(&x[2], "b", err));
  }
  BNN_TRY(op_infer_broadcast(&to, x, n, attr, err));
  to.dtype = x[1].dtype;
  *y = to;
  return BNN_OK;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  if (is_integer(y->dtype))
    integers_pick(y, x);
  else
    walk_map(y, x, n, pick);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  if (dx[1]) walk_grad(dx[1], 1, dy, y, x, n, slope_a);
  if (dx[2]) walk_grad(dx[2], 2, dy, y, x, n, slope_b);
}

BNN_OP(where) = {
    .name = "where",
    .doc = "where(cond, a, b): a where cond is not 0, else b, elementwise with "
           "broadcasting; cond has no gradient",
    .example = "local x = bnn.tensor{-1, 2}\n"
               "bnn.where(x:gt(0), x, 0) --> {0, 2}",
    .arity = 3,
    .integers = true,
    .infer = infer,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -2, .hi = 2, .tol = 1e-8, .in = {{2, {3, 1}, 0}, {1, {4}, 0}, {2, {3, 4}, 0}}},
};
