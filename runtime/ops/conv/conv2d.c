/* conv2d: a convolution layer.
 *
 *   y  [n, o, i, j] = b [o] + sum over c, k, l of w [o, c, k, l] x [n, c, i s + k d - p, j s + l d - p]
 *
 * Images go through conv_direct.c, all channels and filters at once or a part of them with a part,
 * as fits, and where that does not do through conv_im2col.c; the shapes alone choose.  Rows of y
 * depend on one image each, bit by bit. */
#include "conv.h"

conv conv_of(const bnn_tensor *x, const bnn_tensor *w, size_t groups, const window *v) {
  conv c = {.v = *v, .images = x->dim[0], .groups = groups, .channels = w->dim[1]};
  c.filters = w->dim[0] / groups;
  c.depth = op_span(w->dim, 1, 4);
  c.positions = v->out[0] * v->out[1];
  c.x_image = groups * c.channels * v->in[0] * v->in[1];
  c.y_image = w->dim[0] * c.positions;
  c.padded = v->padding[0] + v->padding[1] > 0;
  c.pointwise = op_span(v->size, 0, 2) == 1 && op_span(v->stride, 0, 2) == 1 && !c.padded;
  return c;
}

/* The part of c that begins at filter o and channel k, and where its filters begin. */
static conv part_at(const conv *c, const conv *part, size_t o, size_t k) {
  conv q = *part;
  q.filters = conv_least(part->filters, c->filters - o);
  q.channels = conv_least(part->channels, c->channels - k);
  return q;
}

static size_t weights_at(const conv *c, size_t o, size_t k) {
  return o * c->depth + k * c->v.size[0] * c->v.size[1];
}

void conv_forward(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                  const conv *c, bool set) {
  const size_t plane = c->v.in[0] * c->v.in[1];
  conv part;
  if (!conv_direct_part(&part, c)) {
    CONV(im2col_forward)(y, x, w, b, c, set);
    return;
  }
  for (size_t o = 0; o < c->filters; o += part.filters)
    for (size_t k = 0; k < c->channels; k += part.channels) {
      const conv q = part_at(c, &part, o, k);
      conv_direct_forward(y + o * c->positions, x + k * plane, w + weights_at(c, o, k),
                          b && k == 0 ? b + o : NULL, &q, set && k == 0);
    }
}

void conv_backward(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                   const bnn_real *w, const conv *c, bool set) {
  const size_t plane = c->v.in[0] * c->v.in[1];
  conv part;
  if (!conv_direct_part(&part, c)) {
    CONV(im2col_backward)(dx, dw, dy, x, w, c, set);
    return;
  }
  for (size_t o = 0; o < c->filters; o += part.filters)
    for (size_t k = 0; k < c->channels; k += part.channels) {
      const conv q = part_at(c, &part, o, k);
      conv_direct_backward(dx ? dx + k * plane : NULL, dw ? dw + weights_at(c, o, k) : NULL,
                           dy + o * c->positions, x ? x + k * plane : NULL, w + weights_at(c, o, k),
                           &q, set && o == 0);
    }
}

static window window_in(const size_t *x, const size_t *w, const bnn_attr *attr) {
  return window_over(x, w + 2, attr->pair[0], attr->pair[1], attr->pair[2]);
}

/* That w has a part of x's channels for each group, and as many filters in each. */
static bnn_status check_channels(const bnn_shape *x, const bnn_shape *w, size_t groups,
                                 bnn_err *err) {
  if (x->rank == 4 && x->dim[1] % groups != 0)
    return bnn_fail(err, BNN_ESHAPE, "x: expected channels that groups = %zu divides, got %s",
                    groups, BNN_SHAPE(x));
  if (x->rank != 4 || w->rank != 4 || w->dim[1] != x->dim[1] / groups)
    return bnn_fail(err, BNN_ESHAPE,
                    "expected x [n, channels, h, w], w [out, %s, kh, kw], got x %s, w %s",
                    groups > 1 ? "channels / groups" : "channels", BNN_SHAPE(x), BNN_SHAPE(w));
  if (w->dim[0] % groups != 0)
    return bnn_fail(err, BNN_ESHAPE, "w: expected kernels that groups = %zu divides, got %s",
                    groups, BNN_SHAPE(w));
  return BNN_OK;
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  const bnn_shape *w = &x[1], *b = &x[2];
  BNN_TRY(check_channels(&x[0], w, conv_groups(attr), err));
  if (b->rank != 1 || b->dim[0] != w->dim[0])
    return bnn_fail(err, BNN_ESHAPE, "b: expected [%zu] for w %s, got %s", w->dim[0], BNN_SHAPE(w),
                    BNN_SHAPE(b));
  BNN_TRY(window_check(&x[0], "the kernel", w->dim + 2, attr->pair[0], attr->pair[1], attr->pair[2],
                       err));
  const window v = window_in(x[0].dim, w->dim, attr);
  const size_t dim[] = {x[0].dim[0], w->dim[0], v.out[0], v.out[1]};
  BNN_TRY(conv_check_counts(dim, &x[0], w, v.out[0] * v.out[1], v.in[0] * v.in[1], err));
  BNN_TRY(bnn_blas_load(err));
  *y = bnn_shape_make(BNN_REAL, 4, dim);
  return BNN_OK;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const window v = window_in(x[0]->dim, x[1]->dim, attr);
  const conv c = conv_of(x[0], x[1], conv_groups(attr), &v);
  conv_forward(bnn_tensor_real(y), bnn_tensor_real(x[0]), bnn_tensor_real(x[1]),
               bnn_tensor_real(x[2]), &c, true);
}

/* Sums side by side: a vector adds eight at once, and four vectors need not wait for each other. */
static double sum_of(const bnn_real *x, size_t n) {
  enum { LANES = 32 };
  double lane[LANES] = {0}, sum = 0;
  size_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (size_t k = 0; k < LANES; k++) lane[k] += x[i + k];
  for (; i < n; i++) lane[i % LANES] += x[i];
  for (size_t k = 0; k < LANES / 2; k++) lane[k] += lane[k + LANES / 2];
  for (size_t k = 0; k < LANES / 4; k++) lane[k] += lane[k + LANES / 4];
  for (size_t k = 0; k < LANES / 4; k++) sum += lane[k];
  return sum;
}

void conv_add_to_bias(bnn_real *db, const bnn_real *dy, size_t images, size_t planes, size_t size) {
  for (size_t o = 0; o < planes; o++) {
    double sum = 0;
    for (size_t i = 0; i < images; i++) sum += sum_of(dy + (i * planes + o) * size, size);
    db[o] += (bnn_real)sum;
  }
}

static bnn_real *data_of(bnn_tensor *x) { return x ? bnn_tensor_real(x) : NULL; }

static void slopes(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *const *x,
                   const bnn_attr *attr, bool set) {
  const window v = window_in(x[0]->dim, x[1]->dim, attr);
  const conv c = conv_of(x[0], x[1], conv_groups(attr), &v);
  conv_backward(data_of(dx[0]), data_of(dx[1]), bnn_tensor_real(dy), bnn_tensor_real(x[0]),
                bnn_tensor_real(x[1]), &c, set);
  if (dx[2])
    conv_add_to_bias(bnn_tensor_real(dx[2]), bnn_tensor_real(dy), c.images, x[1]->dim[0],
                     c.positions);
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

/* Every element of y sums over a filter. */
static double multiply_adds(const bnn_shape *y, const bnn_shape *x) {
  return op_elements(y) * (double)op_span(x[1].dim, 1, 4);
}

BNN_OP(conv2d) = {
    .name = "conv2d",
    .doc = "conv2d(x, w, b, stride = 1, padding = 0, dilation = 1, groups = 1): cross-correlates "
           "images x [n, channels, h, w] with kernels w [out, channels / groups, kh, kw], whose "
           "elements are dilation apart, and adds b [out]; stride, padding and dilation are a "
           "number or {rows, columns}; of `groups` equal parts, the kernels of each see its "
           "channels alone; the result is [n, out, ...]",
    .example = "local images = bnn.zeros(8, 1, 28, 28)\n"
               "images:conv2d(bnn.zeros(6, 1, 5, 5), bnn.zeros(6)) --> [8, 6, 24, 24]\n"
               "images:conv2d(bnn.zeros(6, 1, 5, 5), bnn.zeros(6), 2, 2) --> [8, 6, 14, 14]\n"
               "local maps, w = bnn.zeros(8, 6, 14, 14), bnn.zeros(6, 1, 3, 3) -- depthwise\n"
               "maps:conv2d(w, bnn.zeros(6), 1, 1, 1, 6) --> [8, 6, 14, 14]",
    .arity = 3,
    .args = "p?p?p?c?",
    .defaults = {.pair = {{1, 1}, {0, 0}, {1, 1}}, .count = 1},
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
              .in = {{4, {3, 2, 5, 4}, 0}, {4, {3, 2, 3, 2}, 0}, {1, {3}, 0}},
              .attr = {.pair = {{1, 1}, {0, 0}, {1, 1}}}},
};
