/* narrow: positions [from, from + count) of x along an axis, copied; of any type. */
#include "../op_help.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  BNN_TRY(op_check_axis(attr->axis, x, err));
  const size_t size = x->dim[attr->axis];
  if (attr->count > size || attr->from > size - attr->count)
    return bnn_fail(err, BNN_ERANGE, "x is %s: no %zu positions from %zu on along axis %d",
                    BNN_SHAPE(x), attr->count, attr->from + 1, attr->axis + 1);
  *y = *x;
  y->dim[attr->axis] = attr->count;
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(y);
  if (!has_rows[0]) return BNN_ROWS_NONE;
  return attr->axis == 0 ? BNN_ROWS_MIXED : BNN_ROWS_KEPT;
}

/* x as [outer, dim, inner] with the axis in the middle: y's block of each outer begins at `from`.
 */
typedef struct blocks {
  size_t outer, step, from, n;
} blocks;

static blocks blocks_of(const bnn_tensor *x, const bnn_attr *attr) {
  const size_t inner = op_span(x->dim, attr->axis + 1, x->rank);
  return (blocks){op_span(x->dim, 0, attr->axis), x->dim[attr->axis] * inner, attr->from * inner,
                  attr->count * inner};
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const blocks b = blocks_of(x[0], attr);
  const size_t size = bnn_dtype_size(y->dtype);
  op_copy_blocks(y->data, b.n * size, (const char *)x[0]->data + b.from * size, b.step * size,
                 b.n * size, b.outer);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  const blocks b = blocks_of(x[0], attr);
  if (dx[0])
    op_add_blocks(bnn_tensor_real(dx[0]) + b.from, b.step, bnn_tensor_real(dy), b.n, b.n, b.outer);
}

BNN_OP(narrow) = {
    .name = "narrow",
    .doc = "narrow(x, axis, from, count): `count` positions of an axis, starting at "
           "position `from` (from 1); a copy",
    .example = "bnn.narrow(bnn.tensor{1, 2, 3, 4}, 1, 2, 2) --> {2, 3}",
    .arity = 1,
    .args = "an",
    .integers = true,
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .attr = {.axis = 1, .from = 1, .count = 2}},
};
