/* conv_transpose2d: the transposed convolution, what conv2d does to the gradient of its input.
 *
 *   y [n, o, i s + k d - p, j s + l d - p] += w [c, o, k, l] x [n, c, i, j], from y = b [o]
 *
 * So images y, whose convolution with w has x's size, are given x for the gradient of it: forward is
 * the backward of that convolution, the gradient of x its forward, and that of w the same with dy
 * for the images.  Of w's filters are x's channels, of its channels those of y (in a group). */
#include "conv.h"

static size_t size_along(const bnn_shape *x, const bnn_shape *w, const bnn_attr *attr, int k) {
  return (x->dim[2 + k] - 1) * attr->pair[0][k] + window_span(w->dim[2 + k], attr->pair[3][k]) +
         attr->pair[2][k] - 2 * attr->pair[1][k];
}

/* The convolution of images like y, whose window stands where x has elements. */
static conv conv_of_y(const bnn_tensor *y, const bnn_tensor *x, const bnn_tensor *w,
                      const bnn_attr *attr) {
  window v = window_over(y->dim, w->dim + 2, attr->pair[0], attr->pair[1], attr->pair[3]);
  for (int k = 0; k < 2; k++) v.out[k] = x->dim[2 + k];
  return conv_of(y, w, conv_groups(attr), &v);
}

static bnn_status check_shapes(const bnn_shape *x, size_t groups, bnn_err *err) {
  const bnn_shape *w = &x[1], *b = &x[2];
  if (x[0].rank != 4 || w->rank != 4 || w->dim[0] != x[0].dim[1])
    return bnn_fail(err, BNN_ESHAPE,
                    "expected x [n, channels, h, w], w [channels, %s, kh, kw], got x %s, w %s",
                    groups > 1 ? "out / groups" : "out", BNN_SHAPE(&x[0]), BNN_SHAPE(w));
  if (w->dim[0] % groups != 0)
    return bnn_fail(err, BNN_ESHAPE, "x: expected channels that groups = %zu divides, got %s",
                    groups, BNN_SHAPE(&x[0]));
  if (b->rank != 1 || b->dim[0] % groups != 0 || b->dim[0] / groups != w->dim[1])
    return bnn_fail(err, BNN_ESHAPE, "b: expected [%zu] for w %s, got %s", w->dim[1] * groups,
                    BNN_SHAPE(w), BNN_SHAPE(b));
  return BNN_OK;
}

/* That y has rows and columns, and what is beyond the last window less than one. */
static bnn_status check_sizes(const bnn_shape *x, const bnn_shape *w, const bnn_attr *attr,
                              bnn_err *err) {
  const size_t *stride = attr->pair[0], *padding = attr->pair[1], *beyond = attr->pair[2],
               *dilation = attr->pair[3];
  BNN_TRY(window_check_sizes(x, "the kernel", w->dim + 2, stride, padding, dilation, err));
  for (int k = 0; k < 2; k++) {
    if (beyond[k] >= stride[k] && beyond[k] >= dilation[k])
      return bnn_fail(err, BNN_ERANGE,
                      "output_padding: expected less than stride or dilation, got %s",
                      WINDOW_PAIR(beyond));
    if (x->dim[2 + k] == 0)
      return bnn_fail(err, BNN_ESHAPE, "x is %s: images without pixels", BNN_SHAPE(x));
    if ((x->dim[2 + k] - 1) * stride[k] + window_span(w->dim[2 + k], dilation[k]) + beyond[k] <=
        2 * padding[k])
      return bnn_fail(err, BNN_ESHAPE, "x is %s, the kernel is %s: padding %s leaves nothing",
                      BNN_SHAPE(x), WINDOW_PAIR(w->dim + 2), WINDOW_PAIR(padding));
  }
  return BNN_OK;
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  const bnn_shape *w = &x[1];
  BNN_TRY(check_shapes(x, conv_groups(attr), err));
  BNN_TRY(check_sizes(&x[0], w, attr, err));
  const size_t dim[] = {x[0].dim[0], x[2].dim[0], size_along(&x[0], w, attr, 0),
                        size_along(&x[0], w, attr, 1)};
  const size_t pixels = dim[2] > WINDOW_MAX || dim[3] > WINDOW_MAX ? SIZE_MAX : dim[2] * dim[3];
  BNN_TRY(conv_check_counts(dim, &x[0], w, x[0].dim[2] * x[0].dim[3], pixels, err));
  BNN_TRY(bnn_blas_load(err));
  *y = bnn_shape_make(BNN_REAL, 4, dim);
  return BNN_OK;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const conv c = conv_of_y(y, x[0], x[1], attr);
  const size_t plane = y->dim[2] * y->dim[3];
  bnn_real *to = bnn_tensor_real(y);
  const bnn_real *b = bnn_tensor_real(x[2]);
  for (size_t i = 0; i < y->dim[0] * y->dim[1]; i++)
    for (size_t j = 0; j < plane; j++) to[i * plane + j] = b[i % y->dim[1]];
  conv_backward(to, NULL, bnn_tensor_real(x[0]), NULL, bnn_tensor_real(x[1]), &c, false);
}

static void slopes(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *const *x,
                   const bnn_attr *attr, bool set) {
  const conv c = conv_of_y(dy, x[0], x[1], attr);
  const bnn_real *from = bnn_tensor_real(dy), *w = bnn_tensor_real(x[1]);
  if (dx[0]) conv_forward(bnn_tensor_real(dx[0]), from, w, NULL, &c, set);
  if (dx[1]) conv_backward(NULL, bnn_tensor_real(dx[1]), bnn_tensor_real(x[0]), from, w, &c, false);
  if (dx[2])
    conv_add_to_bias(bnn_tensor_real(dx[2]), from, dy->dim[0], dy->dim[1], dy->dim[2] * dy->dim[3]);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  slopes(dx, dy, x, attr, false);
}

static void backward_set(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  slopes(dx, dy, x, attr, true);
}

/* Every element of x goes through a filter. */
static double multiply_adds(const bnn_shape *y, const bnn_shape *x) {
  BNN_UNUSED(y);
  return op_elements(x) * (double)op_span(x[1].dim, 1, 4);
}

BNN_OP(conv_transpose2d) = {
    .name = "conv_transpose2d",
    .doc = "conv_transpose2d(x, w, b, stride = 1, padding = 0, output_padding = 0, dilation = 1, "
           "groups = 1): the transposed convolution of images x [n, channels, h, w] with kernels w "
           "[channels, out / groups, kh, kw], plus b [out]: what conv2d does to the gradient of "
           "its input; the result is [n, out, ...], of (h - 1) stride - 2 padding + dilation "
           "(kh - 1) + output_padding + 1 rows; stride, padding, output_padding and dilation are "
           "a number or {rows, columns}; of `groups` equal parts, the channels of each give its "
           "part of the result alone",
    .example = "local codes, w = bnn.zeros(8, 16, 7, 7), bnn.zeros(16, 6, 4, 4)\n"
               "codes:conv_transpose2d(w, bnn.zeros(6), 2, 1) --> [8, 6, 14, 14]",
    .arity = 3,
    .args = "p?p?p?p?c?",
    .defaults = {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}, .count = 1},
    .infer = infer,
    .rows = op_rows_weighted,
    .forward = forward,
    .backward = backward,
    .backward_set = backward_set,
    .y_unread = true,
    .multiply_adds = multiply_adds,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{4, {3, 2, 3, 4}, 0}, {4, {2, 3, 3, 2}, 0}, {1, {3}, 0}},
              .attr = {.pair = {{2, 1}, {1, 0}, {1, 0}, {1, 2}}}},
};
