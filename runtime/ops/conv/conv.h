/* conv.h - what the two ways to compute a convolution share; conv2d.c chooses.
 *
 *   y  [n, o, i, j] = b [o] + sum over c, k, l of w [o, c, k, l] x [n, c, i s + k d - p, j s + l d - p]
 *
 * With groups, the first of `groups` parts of the filters sees the first part of the channels only,
 * and so on: each group is a convolution of its own, of planes that lie between those of others. */
#ifndef BNN_OPS_CONV_H
#define BNN_OPS_CONV_H

#include "../../kernels/blas.h"
#include "window.h"

typedef struct conv {
  window v;
  size_t images, groups;
  size_t channels, filters; /* of a group */
  size_t x_image, y_image;  /* from one image to the next, over all groups */
  size_t depth, positions;  /* elements of a filter; positions of the window */
  bool padded, pointwise;   /* pointwise: the window is one element at every position */
} conv;

#define CONV(name) BNN_ISA_NAME(bnn_conv_##name)
#define conv_of CONV(of)
#define conv_forward CONV(forward)
#define conv_backward CONV(backward)
#define conv_add_to_bias CONV(add_to_bias)
#define conv_direct_part CONV(direct_part)
#define conv_direct_forward CONV(direct_forward)
#define conv_direct_backward CONV(direct_backward)

/* The number of groups; attributes of C that leave it at 0 mean 1. */
static inline size_t conv_groups(const bnn_attr *attr) { return attr->count ? attr->count : 1; }

/* The sizes of images x, filters w in groups and a window; *v: of window_over or like it. */
conv conv_of(const bnn_tensor *x, const bnn_tensor *w, size_t groups, const window *v);

/* y = or += what x, w and b give, over all images; b NULL: 0.  By products with patches, a panel of
 * them at a time; and on views of the image, which are not copied, where conv_direct_part. */
void conv_forward(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                  const conv *c, bool set);
void CONV(im2col_forward)(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                          const conv *c, bool set);
void conv_direct_forward(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                         const conv *c, bool set);

/* Adds to dw and adds to dx or sets it; each NULL when it is not wanted. */
void conv_backward(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                   const bnn_real *w, const conv *c, bool set);
void CONV(im2col_backward)(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                           const bnn_real *w, const conv *c, bool set);
void conv_direct_backward(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                          const bnn_real *w, const conv *c, bool set);

/* What the two direct ones take of c at a time: *part is c with as many channels and filters.
 * false: nothing. */
bool conv_direct_part(conv *part, const conv *c);

/* db [planes] += the sums of dy [images, planes, size] over images and size. */
void conv_add_to_bias(bnn_real *db, const bnn_real *dy, size_t images, size_t planes, size_t size);

/* ESHAPE unless the result [4] of x and w, and products of filters with `positions` patches in images of
 * `pixels`, are of sizes that can be counted. */
static inline bnn_status conv_check_counts(const size_t *result, const bnn_shape *x,
                                           const bnn_shape *w, size_t positions, size_t pixels,
                                           bnn_err *err) {
  size_t size;
  if (bnn_shape_size(&size, 4, result) && size <= SIZE_MAX / sizeof(double) &&
      bnn_blas_fits(w->dim[0], positions, op_span(w->dim, 1, 4)) && bnn_blas_fits(pixels, 0, 0))
    return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "x is %s, w is %s: too large for a product", BNN_SHAPE(x),
                  BNN_SHAPE(w));
}

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

typedef bnn_real conv_four
    __attribute__((vector_size(4 * sizeof(bnn_real)), aligned(sizeof(bnn_real))));
#define CONV_EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define CONV_ODDS 1, 3, 5, 7, 9, 11, 13, 15
#define CONV_FIRSTS 0, 8, 1, 9, 2, 10, 3, 11
#define CONV_LASTS 4, 12, 5, 13, 6, 14, 7, 15

static inline conv_eight conv_at(const bnn_real *x) { return *(const conv_eight *)x; }
static inline conv_four conv_at_four(const bnn_real *x) { return *(const conv_four *)x; }

/* Pairs [j, j + 8) of a row, or [j, j + 4): the first of each into `even`, the others into `odd`. */
static inline void conv_split_eight(bnn_real *even, bnn_real *odd, const bnn_real *from, size_t j) {
  const conv_eight a = conv_at(from + 2 * j), b = conv_at(from + 2 * j + 8);
  *(conv_eight *)(even + j) = __builtin_shufflevector(a, b, CONV_EVENS);
  *(conv_eight *)(odd + j) = __builtin_shufflevector(a, b, CONV_ODDS);
}

static inline void conv_split_four(bnn_real *even, bnn_real *odd, const bnn_real *from, size_t j) {
  const conv_four a = conv_at_four(from + 2 * j), b = conv_at_four(from + 2 * j + 4);
  *(conv_four *)(even + j) = __builtin_shufflevector(a, b, 0, 2, 4, 6);
  *(conv_four *)(odd + j) = __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

/* Every second element of a row of n into `even`, the others into `odd`.  The last vector may
 * overlap the one before. */
static inline void conv_split(bnn_real *restrict even, bnn_real *restrict odd,
                              const bnn_real *restrict from, size_t n) {
  const size_t pairs = n / 2;
  size_t j = 0;
  if (pairs >= 8) {
    for (; j + 8 <= pairs; j += 8) conv_split_eight(even, odd, from, j);
    if (j < pairs) conv_split_eight(even, odd, from, pairs - 8);
  } else if (pairs >= 4) {
    conv_split_four(even, odd, from, 0);
    conv_split_four(even, odd, from, pairs - 4);
  } else {
    for (; j < pairs; j++) even[j] = from[2 * j], odd[j] = from[2 * j + 1];
  }
  if (n % 2) even[pairs] = from[n - 1];
}

/* And back. */
static inline __attribute__((always_inline)) void
conv_merge_eight(bnn_real *to, const bnn_real *even, const bnn_real *odd, size_t j, bool set) {
  const conv_eight a = conv_at(even + j), b = conv_at(odd + j), none = {0};
  conv_eight *const first = (conv_eight *)(to + 2 * j), *const last = first + 1;
  *first = (set ? none : *first) + __builtin_shufflevector(a, b, CONV_FIRSTS);
  *last = (set ? none : *last) + __builtin_shufflevector(a, b, CONV_LASTS);
}

static inline __attribute__((always_inline)) void
conv_merge_four(bnn_real *to, const bnn_real *even, const bnn_real *odd, size_t j, bool set) {
  const conv_four a = conv_at_four(even + j), b = conv_at_four(odd + j), none = {0};
  conv_four *const first = (conv_four *)(to + 2 * j), *const last = first + 1;
  *first = (set ? none : *first) + __builtin_shufflevector(a, b, 0, 4, 1, 5);
  *last = (set ? none : *last) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
}

/* A row of n, set or added to; what is set may be set twice. */
static inline __attribute__((always_inline)) void conv_merge(bnn_real *restrict to,
                                                             const bnn_real *restrict even,
                                                             const bnn_real *restrict odd, size_t n,
                                                             bool set) {
  const size_t pairs = n / 2;
  size_t j = 0;
  for (; j + 8 <= pairs; j += 8) conv_merge_eight(to, even, odd, j, set);
  if (set && pairs >= 8 && j < pairs) {
    conv_merge_eight(to, even, odd, pairs - 8, set);
    j = pairs;
  }
  for (; j + 4 <= pairs; j += 4) conv_merge_four(to, even, odd, j, set);
  for (size_t i = 2 * j; i < n; i++) to[i] = (set ? 0 : to[i]) + (i % 2 ? odd[i / 2] : even[i / 2]);
}

/* Elements `stride` apart beside each other, and back. */
static inline void conv_gather(bnn_real *restrict to, const bnn_real *restrict from, size_t stride,
                               size_t n) {
  size_t j = 0;
  for (; stride == 2 && j + 4 < n; j += 4)
    *(conv_four *)(to + j) = __builtin_shufflevector(conv_at_four(from + 2 * j),
                                                     conv_at_four(from + 2 * j + 4), 0, 2, 4, 6);
  for (; j < n; j++) to[j] = from[j * stride];
}

static inline void conv_scatter(bnn_real *restrict to, size_t stride, const bnn_real *restrict from,
                                size_t n, bool set) {
  if (set)
    for (size_t j = 0; j < n; j++) to[j * stride] = from[j];
  else
    for (size_t j = 0; j < n; j++) to[j * stride] += from[j];
}

static inline void conv_gather_rows(bnn_real *restrict to, size_t to_step,
                                    const bnn_real *restrict from, size_t from_step,
                                    size_t from_stride, size_t n, size_t rows_) {
  if (from_stride == 1) {
    conv_copy_rows(to, to_step, from, from_step, n, rows_);
    return;
  }
  for (size_t i = 0; i < rows_; i++)
    conv_gather(to + i * to_step, from + i * from_step, from_stride, n);
}

static inline void conv_scatter_rows(bnn_real *restrict to, size_t to_step, size_t to_stride,
                                     const bnn_real *restrict from, size_t from_step, size_t n,
                                     size_t rows_, bool set) {
  if (to_stride == 1) {
    (set ? conv_copy_rows : conv_add_rows)(to, to_step, from, from_step, n, rows_);
    return;
  }
  for (size_t i = 0; i < rows_; i++)
    conv_scatter(to + i * to_step, to_stride, from + i * from_step, n, set);
}

#endif
