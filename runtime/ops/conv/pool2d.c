/* max_pool2d and avg_pool2d: the largest number, or the mean, of each window of an image.
 *
 *   y [n, c, i, j] = max or mean of x [n, c, i s + k - p, j s + l - p] over k, l
 *   dx += dy where the window's first maximum is           dx += dy / (kh kw) all over the window
 *
 * As torch has it: padding counts as -inf in a maximum, and as 0 in a mean, which divides by the
 * whole window always (count_include_pad).  A window with a NaN gives NaN, and hands its gradient
 * to the first one.
 *
 * A stretch of an output row is worked out at once, one offset of the window after the other.
 * Windows of 2 x 2 beside each other, the common case, have loops of their own. */
#include "window.h"

enum { STRETCH = 64 };

static const size_t *size_of(const bnn_attr *attr) { return attr->pair[0]; }

/* The stride: {0, 0} stands for the size. */
static const size_t *stride_of(const bnn_attr *attr) {
  return attr->pair[1][0] + attr->pair[1][1] > 0 ? attr->pair[1] : attr->pair[0];
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  const size_t *size = size_of(attr), *stride = stride_of(attr), *padding = attr->pair[2];
  BNN_TRY(window_check(&x[0], "size", size, stride, padding, NULL, err));
  for (int k = 0; k < 2; k++) {
    if (padding[k] > size[k] / 2)
      return bnn_fail(err, BNN_ERANGE, "padding: expected half the size %s at most, got %s",
                      WINDOW_PAIR(size), WINDOW_PAIR(padding));
    if (x[0].dim[2 + k] == 0)
      return bnn_fail(err, BNN_ESHAPE, "x is %s: images without pixels", BNN_SHAPE(&x[0]));
  }
  const window v = window_over(x[0].dim, size, stride, padding, NULL);
  *y = bnn_shape_make(BNN_REAL, 4, (size_t[]){x[0].dim[0], x[0].dim[1], v.out[0], v.out[1]});
  return BNN_OK;
}

static window window_of(const bnn_tensor *x, const bnn_attr *attr) {
  return window_over(x->dim, size_of(attr), stride_of(attr), attr->pair[2], NULL);
}

/* Windows of 2 x 2 that neither overlap nor reach over the edge. */
static bool is_tiling_by_2(const window *v) {
  bool is = true;
  for (int k = 0; k < 2; k++) is = is && v->size[k] == 2 && v->stride[k] == 2 && !v->padding[k];
  return is;
}

/* ---- offsets of a window, for a stretch of an output row ---- */

/* A stretch: columns [column, column + n) of output row `row`; and an offset of the window with the
 * part of the stretch, [from, from + count) counted from `column`, where that meets the image at
 * position `at`. */
typedef struct stretch {
  size_t row, column, n;
  size_t offset[2], from, count, at;
} stretch;

/* Finds where the offset meets the image; false when it does not. */
static bool stretch_meets(stretch *s, const window *v) {
  size_t top, bottom, left, right;
  window_inside(&top, &bottom, v, 0, s->offset[0]);
  window_inside(&left, &right, v, 1, s->offset[1]);
  if (left < s->column) left = s->column;
  if (right > s->column + s->n) right = s->column + s->n;
  if (s->row < top || s->row >= bottom || left >= right) return false;
  s->from = left - s->column;
  s->count = right - left;
  s->at =
      window_pixel(v, 0, s->row, s->offset[0]) * v->in[1] + window_pixel(v, 1, left, s->offset[1]);
  return true;
}

/* The next offset of the window that meets the image; false after the last. */
static bool stretch_next(stretch *s, const window *v) {
  do {
    if (++s->offset[1] >= v->size[1]) s->offset[1] = 0, s->offset[0]++;
    if (s->offset[0] >= v->size[0]) return false;
  } while (!stretch_meets(s, v));
  return true;
}

/* The first one; every window meets the image somewhere, a stretch does. */
static bool stretch_first(stretch *s, const window *v) {
  s->offset[0] = s->offset[1] = 0;
  return stretch_meets(s, v) || stretch_next(s, v);
}

/* ---- maxima ---- */

/* b when it is larger or NaN. */
static inline bnn_real larger(bnn_real a, bnn_real b) { return ((b > a) | (b != b)) ? b : a; }

/* Whether x is what made its window's maximum m: that, or a NaN. */
static inline bool is_max(bnn_real x, bnn_real m) { return (x == m) | (x != x); }

static void max_row(bnn_real *y, const bnn_real *x, const window *v, stretch *s) {
  for (size_t j = 0; j < s->n; j++) y[j] = -INFINITY;
  for (bool more = stretch_first(s, v); more; more = stretch_next(s, v))
    for (size_t j = 0; j < s->count; j++)
      y[s->from + j] = larger(y[s->from + j], x[s->at + j * v->stride[1]]);
}

static void max_row_back(bnn_real *dx, const bnn_real *dy, const bnn_real *y, const bnn_real *x,
                         const window *v, stretch *s) {
  bool found[STRETCH] = {false};
  for (bool more = stretch_first(s, v); more; more = stretch_next(s, v))
    for (size_t j = s->from, at = s->at; j < s->from + s->count; j++, at += v->stride[1]) {
      if (found[j] || !is_max(x[at], y[j])) continue;
      dx[at] += dy[j];
      found[j] = true;
    }
}

/* WIDE windows at a time, as wide as vectors are.  Rows are short, often shorter than that: what is
 * read and written beyond a row's end is the next row's, and left as it was (dx), or made afterwards
 * (y); only the last row of all is worked on in a copy.  Written as vectors: the loops over pairs
 * that compilers make of scalars were slower by half. */
#if defined(__AVX512F__) && !defined(BNN_REAL_DOUBLE)
enum { WIDE = 16 };
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define FIRSTS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define LASTS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif defined(__AVX512F__) || (defined(__AVX2__) && !defined(BNN_REAL_DOUBLE))
enum { WIDE = 8 };
#define EVENS 0, 2, 4, 6, 8, 10, 12, 14
#define ODDS 1, 3, 5, 7, 9, 11, 13, 15
#define FIRSTS 0, 8, 1, 9, 2, 10, 3, 11
#define LASTS 4, 12, 5, 13, 6, 14, 7, 15
#else
enum { WIDE = 4 };
#define EVENS 0, 2, 4, 6
#define ODDS 1, 3, 5, 7
#define FIRSTS 0, 4, 1, 5
#define LASTS 2, 6, 3, 7
#endif

typedef bnn_real wide
    __attribute__((vector_size(WIDE * sizeof(bnn_real)), aligned(sizeof(bnn_real)), may_alias));
typedef __typeof__((wide){0} == (wide){0}) mask;

static inline wide at(const bnn_real *x) { return *(const wide *)x; }
static inline wide evens(wide a, wide b) { return __builtin_shufflevector(a, b, EVENS); }
static inline wide odds(wide a, wide b) { return __builtin_shufflevector(a, b, ODDS); }
static inline wide firsts(wide a, wide b) { return __builtin_shufflevector(a, b, FIRSTS); }
static inline wide lasts(wide a, wide b) { return __builtin_shufflevector(a, b, LASTS); }
static inline wide choose(mask m, wide a, wide b) { return (wide)((m & (mask)a) | (~m & (mask)b)); }

/* larger and is_max. */
static inline wide larger_of(wide a, wide b) { return choose((b > a) | (b != b), b, a); }
static inline mask are_max(wide x, wide m, bool has_nan) {
  return has_nan ? (x == m) | (x != x) : x == m;
}

/* The maxima of WIDE windows beside each other, whose rows are x and below. */
static inline wide max_of(const bnn_real *x, const bnn_real *below) {
  const wide a = at(x), b = at(x + WIDE), c = at(below), d = at(below + WIDE);
  return larger_of(larger_of(larger_of(evens(a, b), odds(a, b)), evens(c, d)), odds(c, d));
}

/* dx, at the first of x's pairs that are m, += or = what `rest` has; gives what is left. */
static inline wide give(bnn_real *dx, const bnn_real *x, wide m, wide rest, bool set,
                        bool has_nan) {
  const wide a = at(x), b = at(x + WIDE), none = {0};
  const mask first = are_max(evens(a, b), m, has_nan), second = are_max(odds(a, b), m, has_nan);
  const wide to_first = choose(first, rest, none), left = choose(first, none, rest);
  const wide to_second = choose(second, left, none);
  *(wide *)dx = (set ? none : at(dx)) + firsts(to_first, to_second);
  *(wide *)(dx + WIDE) = (set ? none : at(dx + WIDE)) + lasts(to_first, to_second);
  return choose(second, none, left);
}

/* The first n of x's WIDE, and 0. */
static inline wide first_of(wide x, size_t n) {
  const wide twice = {EVENS};
  return choose(twice < 2 * (bnn_real)n, x, (wide){0});
}

/* A row of y; may_pass: whether memory goes on after the rows, and y's is yet to be made. */
static inline void max_by_2(bnn_real *y, const bnn_real *x, const bnn_real *below, size_t n,
                            bool may_pass) {
  size_t j = 0;
  for (; j + WIDE <= n || (may_pass && j < n); j += WIDE)
    *(wide *)(y + j) = max_of(x + 2 * j, below + 2 * j);
  if (j >= n) return;
  bnn_real copy[5 * WIDE] = {0}, *const below_copy = copy + 2 * WIDE, *const m = copy + 4 * WIDE;
  memcpy(copy, x + 2 * j, 2 * (n - j) * sizeof *x);
  memcpy(below_copy, below + 2 * j, 2 * (n - j) * sizeof *x);
  *(wide *)m = max_of(copy, below_copy);
  memcpy(y + j, m, (n - j) * sizeof *y);
}

/* Adds to two rows of dx, or sets them; may_pass: whether memory goes on after all of them. */
static inline void pair_back(bnn_real *dx, bnn_real *dbelow, const bnn_real *dy, const bnn_real *y,
                             const bnn_real *x, const bnn_real *below, size_t n, bool may_pass,
                             bool set, bool has_nan) {
  size_t j = 0;
  for (; j + WIDE <= n || (may_pass && j < n); j += WIDE) {
    const wide m = at(y + j), d = j + WIDE <= n ? at(dy + j) : first_of(at(dy + j), n - j);
    const wide rest = give(dx + 2 * j, x + 2 * j, m, d, set, has_nan);
    give(dbelow + 2 * j, below + 2 * j, m, rest, set, has_nan);
  }
  for (; j < n; j++) {
    const bnn_real m = y[j], d = dy[j];
    const bool a = is_max(x[2 * j], m), b = is_max(x[2 * j + 1], m), c = is_max(below[2 * j], m);
    dx[2 * j] = (set ? 0 : dx[2 * j]) + (a ? d : 0);
    dx[2 * j + 1] = (set ? 0 : dx[2 * j + 1]) + (!a && b ? d : 0);
    dbelow[2 * j] = (set ? 0 : dbelow[2 * j]) + (!a && !b && c ? d : 0);
    dbelow[2 * j + 1] = (set ? 0 : dbelow[2 * j + 1]) + (a || b || c ? 0 : d);
  }
}

/* ---- means ---- */

static double weight_of(const window *v) { return 1 / ((double)v->size[0] * (double)v->size[1]); }

static void mean_row(bnn_real *y, const bnn_real *x, const window *v, stretch *s) {
  double sum[STRETCH] = {0};
  for (bool more = stretch_first(s, v); more; more = stretch_next(s, v))
    for (size_t j = 0; j < s->count; j++) sum[s->from + j] += x[s->at + j * v->stride[1]];
  for (size_t j = 0; j < s->n; j++) y[j] = (bnn_real)(sum[j] * weight_of(v));
}

static void mean_row_back(bnn_real *dx, const bnn_real *dy, const bnn_real *y, const bnn_real *x,
                          const window *v, stretch *s) {
  BNN_UNUSED(y), BNN_UNUSED(x);
  const bnn_real weight = (bnn_real)weight_of(v);
  for (bool more = stretch_first(s, v); more; more = stretch_next(s, v))
    for (size_t j = 0; j < s->count; j++) dx[s->at + j * v->stride[1]] += dy[s->from + j] * weight;
}

/* ---- planes, and batches of them ---- */

typedef void row_value(bnn_real *y, const bnn_real *x, const window *v, stretch *s);
typedef void row_slope(bnn_real *dx, const bnn_real *dy, const bnn_real *y, const bnn_real *x,
                       const window *v, stretch *s);
typedef void plane_value(bnn_real *y, const bnn_real *x, const window *v, size_t after);
typedef void plane_slope(bnn_real *dx, const bnn_real *dy, const bnn_real *y, const bnn_real *x,
                         const window *v, size_t after);

static inline void each_row(bnn_real *y, const bnn_real *x, const window *v, row_value *f) {
  for (size_t i = 0; i < v->out[0]; i++)
    for (size_t j = 0; j < v->out[1]; j += STRETCH) {
      stretch s = {.row = i, .column = j, .n = v->out[1] - j < STRETCH ? v->out[1] - j : STRETCH};
      f(y + i * v->out[1] + j, x, v, &s);
    }
}

static inline void each_row_back(bnn_real *dx, const bnn_real *dy, const bnn_real *y,
                                 const bnn_real *x, const window *v, row_slope *f) {
  for (size_t i = 0; i < v->out[0]; i++)
    for (size_t j = 0; j < v->out[1]; j += STRETCH) {
      const size_t at = i * v->out[1] + j;
      stretch s = {.row = i, .column = j, .n = v->out[1] - j < STRETCH ? v->out[1] - j : STRETCH};
      f(dx, dy + at, y + at, x, v, &s);
    }
}

static void max_plane(bnn_real *y, const bnn_real *x, const window *v, size_t after) {
  BNN_UNUSED(after);
  each_row(y, x, v, max_row);
}

static void max_plane_back(bnn_real *dx, const bnn_real *dy, const bnn_real *y, const bnn_real *x,
                           const window *v, size_t after) {
  BNN_UNUSED(after);
  each_row_back(dx, dy, y, x, v, max_row_back);
}

/* Whether a vector that begins in row i of a plane of y may pass the end of the row; `after`: how
 * many elements other planes have after this one. */
static inline bool may_pass(const window *v, size_t i, size_t after) {
  return after + (v->out[0] - 1 - i) * v->out[1] >= WIDE;
}

BNN_KERNEL max_plane_by_2(bnn_real *restrict y, const bnn_real *restrict x, const window *v,
                          size_t after) {
  for (size_t i = 0; i < v->out[0]; i++)
    max_by_2(y + i * v->out[1], x + 2 * i * v->in[1], x + (2 * i + 1) * v->in[1], v->out[1],
             may_pass(v, i, after));
}

/* What is set after the end of a row must be set again: below is, where it is all of a row. */
static inline __attribute__((always_inline)) void
plane_back(bnn_real *restrict dx, const bnn_real *restrict dy, const bnn_real *restrict y,
           const bnn_real *restrict x, const window *v, size_t after, bool set, bool has_nan) {
  for (size_t i = 0; i < v->out[0]; i++) {
    const size_t from = 2 * i * v->in[1], below = from + v->in[1], row = i * v->out[1];
    pair_back(dx + from, dx + below, dy + row, y + row, x + from, x + below, v->out[1],
              may_pass(v, i, after) && !(set && v->out[1] > WIDE), set, has_nan);
  }
}

/* A window without a NaN has no NaN for a maximum: then its elements need not be looked at for one. */
static bool any_nan(const bnn_real *y, size_t n) {
  unsigned found = 0;
  for (size_t i = 0; i < n; i++) found |= y[i] != y[i];
  return found != 0;
}

BNN_KERNEL max_plane_by_2_back(bnn_real *restrict dx, const bnn_real *restrict dy,
                               const bnn_real *restrict y, const bnn_real *restrict x,
                               const window *v, size_t after) {
  plane_back(dx, dy, y, x, v, after, false, true);
}

BNN_KERNEL max_plane_by_2_set(bnn_real *restrict dx, const bnn_real *restrict dy,
                              const bnn_real *restrict y, const bnn_real *restrict x,
                              const window *v, size_t after) {
  if (any_nan(y, v->out[0] * v->out[1]))
    plane_back(dx, dy, y, x, v, after, true, true);
  else
    plane_back(dx, dy, y, x, v, after, true, false);
}

static void mean_plane(bnn_real *y, const bnn_real *x, const window *v, size_t after) {
  BNN_UNUSED(after);
  each_row(y, x, v, mean_row);
}

static void mean_plane_back(bnn_real *dx, const bnn_real *dy, const bnn_real *y, const bnn_real *x,
                            const window *v, size_t after) {
  BNN_UNUSED(after);
  each_row_back(dx, dy, y, x, v, mean_row_back);
}

static void each_plane(bnn_tensor *y, const bnn_tensor *x, const window *v, plane_value *f) {
  const size_t in = v->in[0] * v->in[1], out = v->out[0] * v->out[1];
  const size_t planes = x->dim[0] * x->dim[1];
  for (size_t k = 0; k < planes; k++)
    f(bnn_tensor_real(y) + k * out, bnn_tensor_real(x) + k * in, v, (planes - 1 - k) * out);
}

static void each_plane_back(bnn_tensor *dx, const bnn_tensor *dy, const bnn_tensor *y,
                            const bnn_tensor *x, const window *v, plane_slope *f) {
  const size_t in = v->in[0] * v->in[1], out = v->out[0] * v->out[1];
  const size_t planes = x->dim[0] * x->dim[1];
  for (size_t k = 0; dx && k < planes; k++)
    f(bnn_tensor_real(dx) + k * in, bnn_tensor_real(dy) + k * out, bnn_tensor_real(y) + k * out,
      bnn_tensor_real(x) + k * in, v, (planes - 1 - k) * out);
}

static void max_forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const window v = window_of(x[0], attr);
  each_plane(y, x[0], &v, is_tiling_by_2(&v) ? max_plane_by_2 : max_plane);
}

static void max_backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const window v = window_of(x[0], attr);
  each_plane_back(dx[0], dy, y, x[0], &v,
                  is_tiling_by_2(&v) ? max_plane_by_2_back : max_plane_back);
}

/* Windows of 2 x 2 that cover the image meet every element of dx once. */
static void max_backward_set(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                             const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  const window v = window_of(x[0], attr);
  if (is_tiling_by_2(&v) && v.in[0] == 2 * v.out[0] && v.in[1] == 2 * v.out[1]) {
    each_plane_back(dx[0], dy, y, x[0], &v, max_plane_by_2_set);
    return;
  }
  memset(dx[0]->data, 0, dx[0]->size * sizeof(bnn_real));
  max_backward(dx, dy, y, x, n, attr);
}

static void avg_forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const window v = window_of(x[0], attr);
  each_plane(y, x[0], &v, mean_plane);
}

static void avg_backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const window v = window_of(x[0], attr);
  each_plane_back(dx[0], dy, y, x[0], &v, mean_plane_back);
}

#define POOL_OP(NAME, FORWARD, BACKWARD, SET, DOC, EXAMPLE)  \
  BNN_OP(NAME) = {                                           \
      .name = #NAME,                                         \
      .doc = DOC,                                            \
      .example = EXAMPLE,                                    \
      .arity = 1,                                            \
      .args = "pp?p?",                                       \
      .infer = infer,                                        \
      .rows = op_rows_same,                                  \
      .forward = FORWARD,                                    \
      .backward = BACKWARD,                                  \
      .backward_set = SET,                                   \
      .check = {.lo = -1,                                    \
                .hi = 1,                                     \
                .tol = 1e-8,                                 \
                .in = {{4, {3, 2, 5, 4}, 0}},                \
                .attr = {.pair = {{3, 2}, {2, 1}, {1, 1}}}}, \
  };

POOL_OP(max_pool2d, max_forward, max_backward, max_backward_set,
        "max_pool2d(x, size, stride = size, padding = 0): the maximum of each window of images "
        "x [n, channels, h, w]; size, stride and padding are a number or {rows, columns}",
        "bnn.zeros(8, 6, 24, 24):max_pool2d(2) --> [8, 6, 12, 12]")
POOL_OP(avg_pool2d, avg_forward, avg_backward, NULL,
        "avg_pool2d(x, size, stride = size, padding = 0): the mean of each window of images x [n, "
        "channels, h, w], counting padding as 0; size, stride and padding are a number or "
        "{rows, columns}",
        "bnn.zeros(8, 6, 24, 24):avg_pool2d({2, 3}) --> [8, 6, 12, 8]")
