/* argmax and argmin: the position, counted from 1, of the first largest or smallest element along
 * an axis; over all elements in row-major order when the axis is left out.  A NaN counts as the
 * extreme, as in NumPy. */
#include "../integers.h"
#include "../op_help.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  const int axis = attr->axis;
  if (axis != BNN_AXIS_NONE) BNN_TRY(op_check_axis(axis, x, err));
  bnn_shape to = {.dtype = BNN_I64};
  size_t choices = 1, outputs = 1;
  for (int k = 0; k < x->rank; k++) {
    const bool reduced = axis == BNN_AXIS_NONE || axis == k;
    if (reduced) choices *= x->dim[k];
    if (!reduced) outputs *= x->dim[k];
    if (!reduced || attr->keepdims) to.dim[to.rank++] = reduced ? 1 : x->dim[k];
  }
  if (choices == 0 && outputs > 0)
    return bnn_fail(err, BNN_ESHAPE, "x is %s: nothing to choose from", BNN_SHAPE(x));
  *y = to;
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(y);
  if (!has_rows[0]) return BNN_ROWS_NONE;
  return attr->axis > 0 ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

/* Position from 0 of the first extreme of x[0], x[stride], ...; sign -1 turns the order round. */
static size_t first_extreme(const bnn_real *x, size_t n, size_t stride, bnn_real sign) {
  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    const bnn_real v = x[i * stride];
    if (v != v) return i;
    if (sign * v > sign * x[at * stride]) at = i;
  }
  return at;
}

static void run(bnn_tensor *y, const bnn_tensor *x, const bnn_attr *attr, bnn_real sign) {
  const int axis = attr->axis;
  const bool all = axis == BNN_AXIS_NONE;
  const size_t n = all ? x->size : x->dim[axis];
  const size_t inner = all ? 1 : op_span(x->dim, axis + 1, x->rank);
  int64_t *to = y->data;
  for (size_t i = 0; i < y->size; i++) {
    const size_t from = i / inner * inner * n + i % inner;
    const size_t at = is_integer(x->dtype)
                          ? integers_extreme(x, from, n, inner, sign > 0 ? 1 : -1)
                          : first_extreme(bnn_tensor_real(x) + from, n, inner, sign);
    to[i] = 1 + (int64_t)at;
  }
}

static void forward_max(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  run(y, x[0], attr, 1);
}

static void forward_min(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  run(y, x[0], attr, -1);
}

BNN_OP(argmax) = {
    .name = "argmax",
    .doc = "argmax(x, axis = all, keepdims = false): position, from 1, of the first "
           "largest element along the axis, as i64",
    .example = "local x = bnn.tensor{{1, 9}, {8, 2}}\n"
               "x:argmax(2) --> {2, 1}\n"
               "x:argmax() --> 2",
    .arity = 1,
    .args = "a?k?",
    .defaults = {.axis = BNN_AXIS_NONE},
    .arithmetic = true,
    .infer = infer,
    .rows = rows,
    .forward = forward_max,
    .check = {.lo = -2, .hi = 2, .attr = {.axis = 1}},
};

BNN_OP(argmin) = {
    .name = "argmin",
    .doc = "argmin(x, axis = all, keepdims = false): position, from 1, of the first "
           "smallest element along the axis, as i64",
    .example = "bnn.tensor{{1, 9}, {8, 2}}:argmin(2) --> {1, 2}",
    .arity = 1,
    .args = "a?k?",
    .defaults = {.axis = BNN_AXIS_NONE},
    .arithmetic = true,
    .infer = infer,
    .rows = rows,
    .forward = forward_min,
    .check = {.lo = -2, .hi = 2, .attr = {.axis = 1}},
};
