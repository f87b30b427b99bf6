/* permute: axis k of the result is axis order[k] of x; the elements are copied, of any type.
 *
 * The result is written from front to back; walking along its last axis takes steps of a fixed
 * stride through x. */
#include "../op_help.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  if (attr->rank != x->rank)
    return bnn_fail(err, BNN_ESHAPE, "the order: expected %d axes for x %s, got %d", x->rank,
                    BNN_SHAPE(x), attr->rank);
  bnn_shape to = *x;
  uint32_t seen = 0;
  for (int k = 0; k < x->rank; k++) {
    const int axis = attr->order[k];
    BNN_TRY(op_check_axis(axis, x, err));
    if (seen >> axis & 1)
      return bnn_fail(err, BNN_ERANGE, "x is %s: axis %d is twice in the order", BNN_SHAPE(x),
                      axis + 1);
    seen |= 1u << axis;
    to.dim[k] = x->dim[axis];
  }
  *y = to;
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(y);
  if (!has_rows[0]) return BNN_ROWS_NONE;
  return attr->order[0] == 0 ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

/* The outer axes of y with x's strides, a counter over them, and the last axis. */
typedef struct steps {
  int rank;
  size_t dim[BNN_RANK_MAX], stride[BNN_RANK_MAX], index[BNN_RANK_MAX];
  size_t at, inner, inner_stride;
} steps;

static steps steps_of(const bnn_tensor *y, const bnn_tensor *x, const bnn_attr *attr) {
  steps s = {.inner = 1, .inner_stride = 1};
  for (int k = 0; k < y->rank; k++) {
    s.dim[k] = y->dim[k];
    s.stride[k] = op_span(x->dim, attr->order[k] + 1, x->rank);
  }
  if (y->rank == 0) return s;
  s.rank = y->rank - 1;
  s.inner = s.dim[s.rank], s.inner_stride = s.stride[s.rank];
  return s;
}

static void steps_next(steps *s) {
  for (int k = s->rank - 1; k >= 0; k--) {
    s->at += s->stride[k];
    if (++s->index[k] < s->dim[k]) return;
    s->at -= s->stride[k] * s->dim[k];
    s->index[k] = 0;
  }
}

/* Elements are copied by size, whatever they mean. */
#define COPY(NAME, TYPE)                                                  \
  static void NAME(void *to, const void *from, size_t n, size_t stride) { \
    TYPE *y = to;                                                         \
    const TYPE *x = from;                                                 \
    for (size_t i = 0; i < n; i++) y[i] = x[i * stride];                  \
  }
COPY(copy_8, uint8_t)
COPY(copy_32, uint32_t)
COPY(copy_64, uint64_t)

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const size_t bytes = bnn_dtype_size(y->dtype);
  void (*copy)(void *, const void *, size_t, size_t) = bytes == 1   ? copy_8
                                                       : bytes == 4 ? copy_32
                                                                    : copy_64;
  steps s = steps_of(y, x[0], attr);
  for (size_t i = 0; i < y->size; i += s.inner, steps_next(&s))
    copy((char *)y->data + i * bytes, (const char *)x[0]->data + s.at * bytes, s.inner,
         s.inner_stride);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  if (!dx[0]) return;
  steps s = steps_of(y, x[0], attr);
  const bnn_real *g = bnn_tensor_real(dy);
  for (size_t i = 0; i < y->size; i += s.inner, steps_next(&s)) {
    bnn_real *d = bnn_tensor_real(dx[0]) + s.at;
    for (size_t j = 0; j < s.inner; j++) d[j * s.inner_stride] += g[i + j];
  }
}

BNN_OP(permute) = {
    .name = "permute",
    .doc = "permute(x, order): axis k of the result is axis order[k] of x; a copy",
    .example = "bnn.permute(bnn.zeros(2, 3, 4), {3, 1, 2}) --> [4, 2, 3]",
    .arity = 1,
    .args = "o",
    .integers = true,
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{3, {2, 3, 4}, 0}},
              .attr = {.rank = 3, .order = {1, 2, 0}}},
};
