/* op_help.h - what the op files share: reading a call's tensors, and rules for shapes and rows.
 *
 * Everything here is small and inline.  Loops over broadcast operands are in walk.h. */
#ifndef BNN_OPS_OP_HELP_H
#define BNN_OPS_OP_HELP_H

#include <assert.h>
#include <math.h>
#include <string.h>

#include "op.h"

/* The rows of a matrix seen in a tensor [..., last]: the product of all dims but the last. */
static inline size_t op_leading(const bnn_tensor *x) {
  size_t rows = 1;
  for (int k = 0; k + 1 < x->rank; k++) rows *= x->dim[k];
  return rows;
}

/* Product of dims [from, to). */
static inline size_t op_span(const size_t *dim, int from, int to) {
  size_t size = 1;
  for (int k = from; k < to; k++) size *= dim[k];
  return size;
}

/* Element i of a contiguous tensor of labels or positions. */
static inline int64_t op_integer(const bnn_tensor *x, size_t i) {
  return x->dtype == BNN_I32 ? ((const int32_t *)x->data)[i] : ((const int64_t *)x->data)[i];
}

/* x's axis, where one that was left out is the last. */
static inline int op_axis(const bnn_attr *attr, int rank) {
  return attr->axis == BNN_AXIS_NONE ? rank - 1 : attr->axis;
}

/* ERANGE unless x has that axis; the text counts axes from 1. */
static inline bnn_status op_check_axis(int axis, const bnn_shape *x, bnn_err *err) {
  if (axis >= 0 && axis < x->rank) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "x is %s: it has no axis %d", BNN_SHAPE(x), axis + 1);
}

/* ETYPE unless x is real. */
static inline bnn_status op_check_real(const bnn_shape *x, const char *name, bnn_err *err) {
  return x->dtype == BNN_REAL ? BNN_OK : bnn_op_refuse_type(name, x->dtype, err);
}

/* ETYPE unless x holds labels or positions. */
static inline bnn_status op_check_integer(const bnn_shape *x, const char *name, bnn_err *err) {
  if (x->dtype == BNN_I32 || x->dtype == BNN_I64) return BNN_OK;
  return bnn_fail(err, BNN_ETYPE, "%s: expected i32 or i64, got %s: %s:to(\"i32\") converts", name,
                  bnn_dtype_name(x->dtype), name);
}

/* ---- lengths of sequences [n]: integers, which are checked, or real numbers, which are cut to what
 * there is: a program may compute them, after its inputs are checked ---- */

/* ETYPE, ESHAPE unless lengths are such numbers for the sequences x [n, ...]. */
static inline bnn_status op_check_lengths(const bnn_shape *lengths, const bnn_shape *x,
                                          const char *name, bnn_err *err) {
  if (lengths->dtype != BNN_REAL) BNN_TRY(op_check_integer(lengths, "lengths", err));
  if (lengths->rank == 1 && lengths->dim[0] == x->dim[0]) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "lengths: expected [%zu] for %s %s, got %s", x->dim[0], name,
                  BNN_SHAPE(x), BNN_SHAPE(lengths));
}

/* Length i of 0 to `most`; a real one without its fraction, 0 for NaN. */
static inline size_t op_length(const bnn_tensor *lengths, size_t i, size_t most) {
  if (lengths->dtype != BNN_REAL) return (size_t)op_integer(lengths, i);
  const bnn_real length = bnn_tensor_real(lengths)[i];
  if (length >= (bnn_real)most) return most;
  return length > 0 ? (size_t)length : 0;
}

/* ERANGE names the first integer that is not 0 to `most`, by its place in the batch. */
static inline bnn_status op_verify_lengths(const bnn_tensor *lengths, size_t most, bnn_err *err) {
  for (size_t i = 0; lengths->dtype != BNN_REAL && i < lengths->size; i++) {
    const int64_t length = op_integer(lengths, i);
    if (length < 0 || (uint64_t)length > most)
      return bnn_fail(err, BNN_ERANGE, "lengths[%zu]: expected 0 to %zu, got %lld",
                      lengths->row0 + i + 1, most, (long long)length);
  }
  return BNN_OK;
}

/* ETYPE unless x is a key. */
static inline bnn_status op_check_key(const bnn_shape *x, bnn_err *err) {
  if (x->dtype == BNN_U64 && x->rank == 0) return BNN_OK;
  return bnn_fail(err, BNN_ETYPE, "key: expected u64 [], got %s %s", bnn_dtype_name(x->dtype),
                  BNN_SHAPE(x));
}

/* Copies `count` blocks of `bytes`, one every `to_step` and `from_step` bytes. */
static inline void op_copy_blocks(void *to, size_t to_step, const void *from, size_t from_step,
                                  size_t bytes, size_t count) {
  for (size_t i = 0; i < count && bytes > 0; i++)
    memcpy((char *)to + i * to_step, (const char *)from + i * from_step, bytes);
}

/* Adds `count` blocks of n elements, one every `to_step` and `from_step` elements. */
static inline void op_add_blocks(bnn_real *restrict to, size_t to_step,
                                 const bnn_real *restrict from, size_t from_step, size_t n,
                                 size_t count) {
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < n; j++) to[i * to_step + j] += from[i * from_step + j];
}

/* Elements of a shape, as a number that does not overflow. */
static inline double op_elements(const bnn_shape *x) {
  double size = 1;
  for (int k = 0; k < x->rank; k++) size *= (double)x->dim[k];
  return size;
}

/* Multiply-adds of y = x w: every element of y sums over the last dim of x. */
static inline double op_product_adds(const bnn_shape *y, const bnn_shape *x) {
  return op_elements(y) * (x->rank ? (double)x->dim[x->rank - 1] : 1);
}

/* Shape rules: the first input's shape; and NumPy's broadcasting of all inputs. */
static inline bnn_status op_infer_same(bnn_shape *y, const bnn_shape *x, int n,
                                       const bnn_attr *attr, bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(err);
  *y = x[0];
  return BNN_OK;
}

static inline bnn_status op_infer_broadcast(bnn_shape *y, const bnn_shape *x, int n,
                                            const bnn_attr *attr, bnn_err *err) {
  BNN_UNUSED(attr);
  bnn_shape all = x[0];
  for (int i = 1; i < n; i++) {
    bnn_shape both;
    BNN_TRY(bnn_shape_broadcast(&both, &all, &x[i], err));
    all = both;
  }
  *y = all;
  return BNN_OK;
}

/* Rows of an op of one input whose axis 0 is y's axis 0. */
static inline bnn_rows op_rows_same(const bool *has_rows, const bnn_shape *x, int n,
                                    const bnn_attr *attr, const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(x), BNN_UNUSED(y);
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

/* Rows of an op of x[0] by weights, the other inputs: weights that belong to the batch mix. */
static inline bnn_rows op_rows_weighted(const bool *has_rows, const bnn_shape *x, int n,
                                        const bnn_attr *attr, const bnn_shape *y) {
  BNN_UNUSED(attr), BNN_UNUSED(x), BNN_UNUSED(y);
  for (int i = 1; i < n; i++)
    if (has_rows[i]) return BNN_ROWS_MIXED;
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

/* Rows of an op that draws for x[0] from the key x[1]: one key serves the whole batch. */
static inline bnn_rows op_rows_noise(const bool *has_rows, const bnn_shape *x, int n,
                                     const bnn_attr *attr, const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(x), BNN_UNUSED(y);
  if (has_rows[1]) return BNN_ROWS_MIXED;
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

/* Rows of broadcast inputs.  A batch that is aligned at another axis than y's first, or repeated
 * along it, is mixed; so is a fixed input with a value of its own for every row: it is not cut into
 * blocks with the batch. */
static inline bnn_rows op_rows_broadcast(const bool *has_rows, const bnn_shape *x, int n,
                                         const bnn_attr *attr, const bnn_shape *y) {
  BNN_UNUSED(attr);
  bnn_rows rows = BNN_ROWS_NONE;
  for (int i = 0; i < n; i++) {
    bool full = x[i].rank == y->rank && x[i].dim[0] == y->dim[0];
    if (has_rows[i] && (x[i].rank == 0 || !full)) return BNN_ROWS_MIXED;
    if (has_rows[i]) rows = BNN_ROWS_KEPT;
  }
  for (int i = 0; i < n && rows == BNN_ROWS_KEPT; i++)
    if (!has_rows[i] && x[i].rank == y->rank && x[i].dim[0] != 1) return BNN_ROWS_MIXED;
  return rows;
}

/* Rows of an op that works along one axis and keeps the others in place. */
static inline bnn_rows op_rows_along(const bool *has_rows, const bnn_shape *x, int n,
                                     const bnn_attr *attr, const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(y);
  if (!has_rows[0]) return BNN_ROWS_NONE;
  return op_axis(attr, x[0].rank) == 0 ? BNN_ROWS_MIXED : BNN_ROWS_KEPT;
}

#endif
