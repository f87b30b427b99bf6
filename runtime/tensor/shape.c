/* shape.c - arithmetic on shapes. */
#include "shape.h"

#include <stdio.h>

bnn_shape bnn_shape_make(bnn_dtype dtype, int rank, const size_t *dim) {
  bnn_shape shape = {.dtype = dtype, .rank = rank};
  for (int k = 0; k < rank; k++) shape.dim[k] = dim[k];
  return shape;
}

bnn_shape bnn_shape_of(const bnn_tensor *x) { return bnn_shape_make(x->dtype, x->rank, x->dim); }

/* The dims that are not 0 must have a product, so that strides exist for empty shapes too. */
bool bnn_shape_size(size_t *out, int rank, const size_t *dim) {
  size_t product = 1;
  bool empty = false;
  for (int k = 0; k < rank; k++) {
    if (dim[k] == 0)
      empty = true;
    else if (__builtin_mul_overflow(product, dim[k], &product))
      return false;
  }
  *out = empty ? 0 : product;
  return true;
}

bool bnn_shape_equal(const bnn_shape *a, const bnn_shape *b) {
  if (a->rank != b->rank) return false;
  for (int k = 0; k < a->rank; k++)
    if (a->dim[k] != b->dim[k]) return false;
  return true;
}

bnn_status bnn_shape_broadcast(bnn_shape *out, const bnn_shape *a, const bnn_shape *b,
                               bnn_err *err) {
  bnn_shape y = {.dtype = a->dtype, .rank = a->rank > b->rank ? a->rank : b->rank};
  for (int k = 1; k <= y.rank; k++) { /* k-th dim from the end; a dim that is missing counts as 1 */
    size_t m = k <= a->rank ? a->dim[a->rank - k] : 1, n = k <= b->rank ? b->dim[b->rank - k] : 1;
    if (m != n && m != 1 && n != 1)
      return bnn_fail(err, BNN_ESHAPE, "%s and %s do not broadcast: %zu against %zu", BNN_SHAPE(a),
                      BNN_SHAPE(b), m, n);
    y.dim[y.rank - k] = m == 1 ? n : m;
  }
  *out = y;
  return BNN_OK;
}

bnn_shape_text bnn_shape_print(int rank, const size_t *dim) {
  bnn_shape_text text = {"["};
  size_t at = 1;
  if (rank > BNN_RANK_MAX) rank = BNN_RANK_MAX;
  for (int k = 0; k < rank; k++)
    at += (size_t)snprintf(text.s + at, sizeof text.s - at, k ? ", %zu" : "%zu", dim[k]);
  text.s[at] = ']';
  return text;
}
