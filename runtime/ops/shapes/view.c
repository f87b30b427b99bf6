/* view: the same elements, in row-major order, in another shape; of any type.  Nothing is copied:
 * the result is x's memory. */
#include "../op_help.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  if (attr->rank < 0 || attr->rank > BNN_RANK_MAX)
    return bnn_fail(err, BNN_ESHAPE, "expected 0 to %d dims, got %d", BNN_RANK_MAX, attr->rank);
  size_t size, wanted = op_span(x->dim, 0, x->rank);
  if (!bnn_shape_size(&size, attr->rank, attr->dim) || size != wanted)
    return bnn_fail(err, BNN_ESHAPE, "x is %s: %zu elements do not make %s", BNN_SHAPE(x), wanted,
                    bnn_shape_print(attr->rank, attr->dim).s);
  *y = bnn_shape_make(x->dtype, attr->rank, attr->dim);
  return BNN_OK;
}

/* As long as axis 0 stays, a row of x is a row of y. */
static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  if (!has_rows[0]) return BNN_ROWS_NONE;
  return y->rank > 0 && y->dim[0] == x->dim[0] ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

BNN_OP(view) = {
    .name = "view",
    .doc = "view(x, shape): the same elements in another shape; shares memory with x",
    .example = "bnn.view(bnn.tensor{1, 2, 3, 4}, {2, 2}) --> {{1, 2}, {3, 4}}",
    .arity = 1,
    .args = "s",
    .integers = true,
    .alias = true,
    .infer = infer,
    .rows = rows,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .attr = {.rank = 3, .dim = {3, 2, 2}}},
};
