/* concat and stack: tensors one after the other along an axis they have, or along a new one; of any
 * type, all of the same.
 *
 * Both put blocks side by side: x[i] is [outer, block_i], the result [outer, sum of the blocks]. */
#include "../op_help.h"

static bnn_status check_alike(const bnn_shape *x, int n, int free_axis, bnn_err *err) {
  for (int i = 1; i < n; i++) {
    bool alike = x[i].rank == x[0].rank;
    for (int k = 0; k < x[0].rank && alike; k++)
      alike = k == free_axis || x[i].dim[k] == x[0].dim[k];
    if (!alike)
      return bnn_fail(err, BNN_ESHAPE, "tensor 1 is %s, tensor %d is %s", BNN_SHAPE(&x[0]), i + 1,
                      BNN_SHAPE(&x[i]));
    if (x[i].dtype != x[0].dtype)
      return bnn_fail(err, BNN_ETYPE, "tensor 1 is %s, tensor %d is %s", bnn_dtype_name(x[0].dtype),
                      i + 1, bnn_dtype_name(x[i].dtype));
  }
  return BNN_OK;
}

static bnn_status infer_concat(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                               bnn_err *err) {
  BNN_TRY(op_check_axis(attr->axis, &x[0], err));
  BNN_TRY(check_alike(x, n, attr->axis, err));
  bnn_shape to = x[0];
  for (int i = 1; i < n; i++) to.dim[attr->axis] += x[i].dim[attr->axis];
  *y = to;
  return BNN_OK;
}

static bnn_status infer_stack(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                              bnn_err *err) {
  if (x[0].rank == BNN_RANK_MAX || attr->axis < 0 || attr->axis > x[0].rank)
    return bnn_fail(err, BNN_ERANGE, "tensor 1 is %s: no room for a new axis %d", BNN_SHAPE(&x[0]),
                    attr->axis + 1);
  BNN_TRY(check_alike(x, n, BNN_AXIS_NONE, err));
  bnn_shape to = x[0];
  for (int k = to.rank++; k > attr->axis; k--) to.dim[k] = to.dim[k - 1];
  to.dim[attr->axis] = (size_t)n;
  *y = to;
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(y);
  if (attr->axis == 0) return BNN_ROWS_MIXED;
  for (int i = 0; i < n; i++)
    if (!has_rows[i]) return BNN_ROWS_MIXED;
  return BNN_ROWS_KEPT;
}

/* Elements of one block of x: all axes from the op's on. */
static size_t block_of(const bnn_tensor *x, const bnn_attr *attr) {
  return op_span(x->dim, attr->axis, x->rank);
}

static size_t blocks_together(const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  size_t together = 0;
  for (int i = 0; i < n; i++) together += block_of(x[i], attr);
  return together;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  const size_t size = bnn_dtype_size(y->dtype), outer = op_span(y->dim, 0, attr->axis);
  const size_t step = blocks_together(x, n, attr) * size;
  char *to = y->data;
  for (int i = 0; i < n; i++) {
    const size_t bytes = block_of(x[i], attr) * size;
    op_copy_blocks(to, step, x[i]->data, bytes, bytes, outer);
    to += bytes;
  }
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  const size_t outer = op_span(y->dim, 0, attr->axis), step = blocks_together(x, n, attr);
  const bnn_real *from = bnn_tensor_real(dy);
  for (int i = 0; i < n; i++) {
    const size_t block = block_of(x[i], attr);
    if (dx[i]) op_add_blocks(bnn_tensor_real(dx[i]), block, from, step, block, outer);
    from += block;
  }
}

BNN_OP(concat) = {
    .name = "concat",
    .doc = "concat(tensors, axis = 1): joins a list of tensors along an axis; their "
           "other sizes must agree",
    .example = "bnn.concat{bnn.ones(2, 3), bnn.zeros(1, 3)} --> [3, 3]\n"
               "bnn.concat({bnn.ones(2, 3), bnn.zeros(2, 1)}, 2) --> [2, 4]",
    .arity = -1,
    .args = "a?",
    .integers = true,
    .infer = infer_concat,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {2, {3, 2}, 0}},
              .attr = {.axis = 1}},
};

BNN_OP(stack) = {
    .name = "stack",
    .doc = "stack(tensors, axis = 1): joins a list of tensors of one shape along a new "
           "axis",
    .example = "bnn.stack{bnn.tensor{1, 2}, bnn.tensor{3, 4}} --> {{1, 2}, {3, 4}}",
    .arity = -1,
    .args = "a?",
    .integers = true,
    .infer = infer_stack,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .attr = {.axis = 1}},
};
