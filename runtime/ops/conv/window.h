/* window.h - windows that slide over images [n, c, h, w]: what convolution and pooling share.
 *
 * A window of size [size[0], size[1]] stands at every stride'th position of an image with `padding`
 * rows and columns around it: out = (in + 2 padding - size) / stride + 1 positions along an axis,
 * rounded down.  Index 0 of a pair is the rows', 1 the columns'. */
#ifndef BNN_OPS_WINDOW_H
#define BNN_OPS_WINDOW_H

#include "../op_help.h"

typedef struct window {
  size_t in[2], out[2]; /* of an image, and positions of the window in it */
  size_t size[2], stride[2], padding[2];
} window;

enum { WINDOW_MAX = 1 << 30 }; /* of every size, so that their sums fit */

/* A pair for error texts: "[2, 3]". */
#define WINDOW_PAIR(pair) (bnn_shape_print(2, pair).s)

/* The sizes of a window over x [n, c, h, w], when `out` is left to be found. */
static inline window window_over(const size_t *dim, const size_t *size, const size_t *stride,
                                 const size_t *padding) {
  window v;
  for (int k = 0; k < 2; k++) {
    v.in[k] = dim[2 + k];
    v.size[k] = size[k];
    v.stride[k] = stride[k];
    v.padding[k] = padding[k];
    v.out[k] = (v.in[k] + 2 * v.padding[k] - v.size[k]) / v.stride[k] + 1;
  }
  return v;
}

/* Whether a window stands somewhere in x; `name` is what the text calls its size.  ESHAPE, ERANGE.
 */
static inline bnn_status window_check(const bnn_shape *x, const char *name, const size_t *size,
                                      const size_t *stride, const size_t *padding, bnn_err *err) {
  if (x->rank != 4)
    return bnn_fail(err, BNN_ESHAPE, "x: expected [n, channels, h, w], got %s", BNN_SHAPE(x));
  for (int k = 0; k < 2; k++) {
    if (size[k] < 1 || stride[k] < 1)
      return bnn_fail(err, BNN_ERANGE, "%s and stride: expected 1 or more, got %s and %s", name,
                      WINDOW_PAIR(size), WINDOW_PAIR(stride));
    if (size[k] > WINDOW_MAX || stride[k] > WINDOW_MAX || padding[k] > WINDOW_MAX ||
        x->dim[2 + k] > WINDOW_MAX)
      return bnn_fail(err, BNN_ERANGE, "x is %s, %s is %s, stride is %s, padding is %s: too large",
                      BNN_SHAPE(x), name, WINDOW_PAIR(size), WINDOW_PAIR(stride),
                      WINDOW_PAIR(padding));
    if (x->dim[2 + k] + 2 * padding[k] < size[k])
      return bnn_fail(err, BNN_ESHAPE, "x is %s, %s is %s: larger than the images with padding %s",
                      BNN_SHAPE(x), name, WINDOW_PAIR(size), WINDOW_PAIR(padding));
  }
  return BNN_OK;
}

/* The positions [*from, *to) along axis k at which offset `at` of the window meets the image: where
 * position * stride + at - padding is one of its pixels. */
static inline void window_inside(size_t *from, size_t *to, const window *v, int k, size_t at) {
  const size_t pad = v->padding[k], stride = v->stride[k], end = v->in[k] + pad;
  *from = at >= pad ? 0 : (pad - at + stride - 1) / stride;
  *to = end <= at ? 0 : (end - at - 1) / stride + 1;
  if (*to > v->out[k]) *to = v->out[k];
  if (*from > *to) *from = *to;
}

/* The pixel, along axis k, under offset `at` of the window at `position`, which is inside. */
static inline size_t window_pixel(const window *v, int k, size_t position, size_t at) {
  return position * v->stride[k] + at - v->padding[k];
}

#endif
