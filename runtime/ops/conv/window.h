/* window.h - windows that slide over images [n, c, h, w]: what convolution and pooling share.
 *
 * A window of size [size[0], size[1]], whose elements are `dilation` apart and span
 * dilation (size - 1) + 1, stands at every stride'th position of an image with `padding` rows and
 * columns around it: out = (in + 2 padding - span) / stride + 1 positions along an axis, rounded
 * down.  Index 0 of a pair is the rows', 1 the columns'. */
#ifndef BNN_OPS_WINDOW_H
#define BNN_OPS_WINDOW_H

#include "../op_help.h"

typedef struct window {
  size_t in[2], out[2]; /* of an image, and positions of the window in it */
  size_t size[2], stride[2], padding[2], dilation[2];
} window;

enum { WINDOW_MAX = 1 << 30 }; /* of every size, so that their sums fit */

/* A pair for error texts: "[2, 3]". */
#define WINDOW_PAIR(pair) (bnn_shape_print(2, pair).s)

/* From the first to the last element of a window along an axis. */
static inline size_t window_span(size_t size, size_t dilation) { return dilation * (size - 1) + 1; }

/* The sizes of a window over x [n, c, h, w]; `dilation` NULL: 1. */
static inline window window_over(const size_t *dim, const size_t *size, const size_t *stride,
                                 const size_t *padding, const size_t *dilation) {
  window v;
  for (int k = 0; k < 2; k++) {
    v.in[k] = dim[2 + k];
    v.size[k] = size[k];
    v.stride[k] = stride[k];
    v.padding[k] = padding[k];
    v.dilation[k] = dilation ? dilation[k] : 1;
    v.out[k] =
        (v.in[k] + 2 * v.padding[k] - window_span(v.size[k], v.dilation[k])) / v.stride[k] + 1;
  }
  return v;
}

/* Whether the sizes of a window are from 1, and not too large, over x [n, c, h, w]; `name` is what
 * the text calls its size; `dilation` NULL: 1.  ESHAPE, ERANGE. */
static inline bnn_status window_check_sizes(const bnn_shape *x, const char *name,
                                            const size_t *size, const size_t *stride,
                                            const size_t *padding, const size_t *dilation,
                                            bnn_err *err) {
  if (x->rank != 4)
    return bnn_fail(err, BNN_ESHAPE, "x: expected [n, channels, h, w], got %s", BNN_SHAPE(x));
  for (int k = 0; k < 2; k++) {
    if (size[k] < 1 || stride[k] < 1)
      return bnn_fail(err, BNN_ERANGE, "%s and stride: expected 1 or more, got %s and %s", name,
                      WINDOW_PAIR(size), WINDOW_PAIR(stride));
    if (dilation && dilation[k] < 1)
      return bnn_fail(err, BNN_ERANGE, "dilation: expected 1 or more, got %s",
                      WINDOW_PAIR(dilation));
    if (size[k] > WINDOW_MAX || stride[k] > WINDOW_MAX || padding[k] > WINDOW_MAX ||
        x->dim[2 + k] > WINDOW_MAX || (dilation && dilation[k] > WINDOW_MAX))
      return bnn_fail(err, BNN_ERANGE, "x is %s, %s is %s, stride is %s, padding is %s: too large",
                      BNN_SHAPE(x), name, WINDOW_PAIR(size), WINDOW_PAIR(stride),
                      WINDOW_PAIR(padding));
  }
  return BNN_OK;
}

/* The same, and that the window stands somewhere in x. */
static inline bnn_status window_check(const bnn_shape *x, const char *name, const size_t *size,
                                      const size_t *stride, const size_t *padding,
                                      const size_t *dilation, bnn_err *err) {
  BNN_TRY(window_check_sizes(x, name, size, stride, padding, dilation, err));
  for (int k = 0; k < 2; k++) {
    const size_t apart = dilation ? dilation[k] : 1;
    if (x->dim[2 + k] + 2 * padding[k] >= window_span(size[k], apart)) continue;
    return bnn_fail(err, BNN_ESHAPE,
                    "x is %s, %s is %s%s%s: larger than the images with padding %s", BNN_SHAPE(x),
                    name, WINDOW_PAIR(size), apart > 1 ? " with dilation " : "",
                    apart > 1 ? WINDOW_PAIR(dilation) : "", WINDOW_PAIR(padding));
  }
  return BNN_OK;
}

/* The positions [*from, *to) along axis k at which element `i` of the window meets the image: where
 * position * stride + i * dilation - padding is one of its pixels. */
static inline void window_inside(size_t *from, size_t *to, const window *v, int k, size_t i) {
  const size_t at = i * v->dilation[k];
  const size_t pad = v->padding[k], stride = v->stride[k], end = v->in[k] + pad;
  *from = at >= pad ? 0 : (pad - at + stride - 1) / stride;
  *to = end <= at ? 0 : (end - at - 1) / stride + 1;
  if (*to > v->out[k]) *to = v->out[k];
  if (*from > *to) *from = *to;
}

/* The pixel, along axis k, under element `i` of the window at `position`, which is inside. */
static inline size_t window_pixel(const window *v, int k, size_t position, size_t i) {
  return position * v->stride[k] + i * v->dilation[k] - v->padding[k];
}

#endif
