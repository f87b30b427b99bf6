/* conv.h - what the two ways to compute a convolution share; conv2d.c chooses.
 *
 *   y  [n, o, i, j] = b [o] + sum over c, k, l of w [o, c, k, l] x [n, c, i s + k - p, j s + l - p]
 */
#ifndef BNN_OPS_CONV_H
#define BNN_OPS_CONV_H

#include "window.h"

typedef struct conv {
  window v;
  size_t images, channels, filters;
  size_t depth, positions; /* elements of a filter; positions of the window */
  bool padded, pointwise;  /* pointwise: the window is one element at every position */
} conv;

#define CONV(name) BNN_ISA_NAME(bnn_conv_##name)

/* y from x, w and b, over all images: by products with patches, a panel of them at a time; and on
 * views of the image, which are not copied, where conv_direct_fits. */
void CONV(im2col_forward)(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                          const conv *c);
void CONV(direct_forward)(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                          const conv *c);

/* Adds to dw and adds to dx or sets it; each NULL when it is not wanted. */
void CONV(im2col_backward)(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                           const bnn_real *w, const conv *c, bool set);
void CONV(direct_backward)(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                           const bnn_real *w, const conv *c, bool set);

bool CONV(direct_fits)(const conv *c);

static inline size_t conv_least(size_t a, size_t b) { return a < b ? a : b; }

/* Rows of images and patches are short, some ten elements: a call of memcpy would take longer than
 * the copy.  Moves of a fixed size are instructions: two of them, which overlap, make a row of up to
 * twice their size, with no branch from row to row. */
static inline __attribute__((always_inline)) void
conv_copy_twice(bnn_real *restrict to, size_t to_step, const bnn_real *restrict from,
                size_t from_step, size_t n, size_t rows_, size_t half) {
  for (size_t i = 0; i < rows_; i++, to += to_step, from += from_step) {
    memcpy(to, from, half * sizeof *to);
    memcpy(to + n - half, from + n - half, half * sizeof *to);
  }
}

static inline void conv_copy_rows(bnn_real *restrict to, size_t to_step,
                                  const bnn_real *restrict from, size_t from_step, size_t n,
                                  size_t rows_) {
  if (n > 32)
    op_copy_blocks(to, to_step * sizeof *to, from, from_step * sizeof *to, n * sizeof *to, rows_);
  else if (n >= 16)
    conv_copy_twice(to, to_step, from, from_step, n, rows_, 16);
  else if (n >= 8)
    conv_copy_twice(to, to_step, from, from_step, n, rows_, 8);
  else if (n >= 4)
    conv_copy_twice(to, to_step, from, from_step, n, rows_, 4);
  else if (n >= 2)
    conv_copy_twice(to, to_step, from, from_step, n, rows_, 2);
  else if (n == 1)
    conv_copy_twice(to, to_step, from, from_step, n, rows_, 1);
}

typedef bnn_real conv_eight
    __attribute__((vector_size(8 * sizeof(bnn_real)), aligned(sizeof(bnn_real))));

static inline void conv_add_rows(bnn_real *restrict to, size_t to_step,
                                 const bnn_real *restrict from, size_t from_step, size_t n,
                                 size_t rows_) {
  for (size_t i = 0; i < rows_; i++, to += to_step, from += from_step) {
    size_t j = 0;
    for (; j + 8 <= n; j += 8) *(conv_eight *)(to + j) += *(const conv_eight *)(from + j);
    for (; j < n; j++) to[j] += from[j];
  }
}

#endif
