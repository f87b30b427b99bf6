/* softmax and log_softmax along an axis, each row shifted by its maximum so that exp cannot
 * overflow.  Infinite x: scores.h.
 *
 *   y = e^(x - m) / s,        s = sum e^(x - m)     dx = y (dy - sum(dy y))
 *   y = (x - m) - log s                             dx = dy - e^y sum(dy)
 *
 * The latter as -dy (e^y - 1) - e^y (sum(dy) - dy): where y is near 0 nothing is lost.
 *
 * Along the last axis a row is contiguous and exp runs over several rows at once (scores.h).  Along
 * another axis the rows lie side by side in memory: a stretch of COLUMNS of them is treated
 * together. */
#include "../scores.h"

enum { COLUMNS = 128 };

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  BNN_TRY(op_check_axis(op_axis(attr, x[0].rank), &x[0], err));
  *y = x[0];
  return BNN_OK;
}

/* ---- along the last axis: x [rows, classes] ---- */

static void softmax_rows(bnn_real *y, const bnn_real *x, size_t rows, size_t classes) {
  for (size_t r = 0; r < rows; r++) {
    const bnn_real max = scores_row_max(x + r * classes, classes);
    for (size_t c = 0; c < classes; c++) y[r * classes + c] = scores_below(x[r * classes + c], max);
  }
  scores_exp(y, rows * classes);
  for (size_t r = 0; r < rows; r++) {
    const double sum = scores_row_sum(y + r * classes, classes);
    const bnn_real scale = (bnn_real)(1 / sum), least = (bnn_real)(BNN_REAL_LEAST * sum);
    for (size_t c = 0; c < classes; c++) /* 0 in place of a subnormal number */
      y[r * classes + c] = (y[r * classes + c] < least ? 0 : y[r * classes + c]) * scale;
  }
}

static void log_softmax_rows(bnn_real *y, const bnn_real *x, size_t rows, size_t classes) {
  bnn_real max[SCORES_ROWS], rest[SCORES_ROWS];
  scores_stats(max, rest, x, rows, classes);
  for (size_t r = 0; r < rows; r++) {
    const bnn_real log_sum = vm_log1p(rest[r]);
    for (size_t c = 0; c < classes; c++)
      y[r * classes + c] = scores_below(x[r * classes + c], max[r]) - log_sum;
  }
}

static void softmax_rows_back(bnn_real *restrict dx, const bnn_real *restrict dy,
                              const bnn_real *restrict y, size_t rows, size_t classes) {
  for (size_t r = 0; r < rows; r++, dx += classes, dy += classes, y += classes) {
    double dot = 0;
    for (size_t c = 0; c < classes; c++) dot += dy[c] * y[c];
    for (size_t c = 0; c < classes; c++) dx[c] += y[c] * (dy[c] - (bnn_real)dot);
  }
}

/* One element's gradient; e is e^y, others the sum of dy but for this one's. */
static inline bnn_real log_softmax_slope(bnn_real dy, bnn_real y, bnn_real e, double others) {
  const bnn_real rest = y > (bnn_real)-0.5 ? vm_expm1(y) : e - 1;
  return -(dy * rest + e * (bnn_real)others);
}

static void log_softmax_rows_back(bnn_real *restrict dx, const bnn_real *restrict dy,
                                  const bnn_real *restrict y, size_t rows, size_t classes) {
  bnn_real e[SCORES_CHUNK];
  for (size_t at = 0; at < classes; at += SCORES_CHUNK) { /* once, unless one row is longer */
    const size_t n = classes - at < SCORES_CHUNK ? classes - at : SCORES_CHUNK;
    for (size_t r = 0; r < rows; r++) memcpy(e + r * n, y + r * classes + at, n * sizeof *e);
    scores_exp(e, rows * n);
    for (size_t r = 0; r < rows; r++) {
      const double sum = scores_row_sum(dy + r * classes, classes);
      const size_t k = r * classes + at;
      for (size_t c = 0; c < n; c++)
        dx[k + c] += log_softmax_slope(dy[k + c], y[k + c], e[r * n + c], sum - dy[k + c]);
    }
  }
}

/* ---- along another axis: n columns of x, an element of a row every `stride` ---- */

typedef struct columns {
  bnn_real max[COLUMNS];
  double sum[COLUMNS];
} columns;

BNN_KERNEL columns_max(bnn_real *restrict max, const bnn_real *restrict x, size_t n) {
  for (size_t j = 0; j < n; j++) max[j] = x[j] > max[j] ? x[j] : max[j];
}

BNN_KERNEL columns_sum_exp(double *restrict sum, const bnn_real *restrict max,
                           const bnn_real *restrict x, size_t n) {
  for (size_t j = 0; j < n; j++) sum[j] += vm_exp(scores_below(x[j], max[j]));
}

static void columns_stats(columns *s, const bnn_real *x, size_t classes, size_t stride, size_t n) {
  for (size_t j = 0; j < n; j++) s->max[j] = -INFINITY, s->sum[j] = 0;
  for (size_t c = 0; c < classes; c++) columns_max(s->max, x + c * stride, n);
  for (size_t j = 0; j < n; j++) s->max[j] = s->max[j] > -INFINITY ? s->max[j] : NAN;
  for (size_t c = 0; c < classes; c++) columns_sum_exp(s->sum, s->max, x + c * stride, n);
}

static void softmax_columns(bnn_real *y, const bnn_real *x, size_t classes, size_t stride,
                            size_t n) {
  columns s;
  columns_stats(&s, x, classes, stride, n);
  for (size_t c = 0; c < classes; c++)
    for (size_t j = 0; j < n; j++) {
      const bnn_real e = vm_exp(scores_below(x[c * stride + j], s.max[j])),
                     sum = (bnn_real)s.sum[j];
      y[c * stride + j] = (e < BNN_REAL_LEAST * sum ? 0 : e) / sum;
    }
}

static void log_softmax_columns(bnn_real *y, const bnn_real *x, size_t classes, size_t stride,
                                size_t n) {
  columns s;
  columns_stats(&s, x, classes, stride, n);
  for (size_t j = 0; j < n; j++) s.sum[j] = log(s.sum[j]);
  for (size_t c = 0; c < classes; c++)
    for (size_t j = 0; j < n; j++)
      y[c * stride + j] = scores_below(x[c * stride + j], s.max[j]) - (bnn_real)s.sum[j];
}

static void softmax_columns_back(bnn_real *restrict dx, const bnn_real *restrict dy,
                                 const bnn_real *restrict y, size_t classes, size_t stride,
                                 size_t n) {
  double dot[COLUMNS] = {0};
  for (size_t c = 0; c < classes; c++)
    for (size_t j = 0; j < n; j++) dot[j] += dy[c * stride + j] * y[c * stride + j];
  for (size_t c = 0; c < classes; c++)
    for (size_t j = 0; j < n; j++)
      dx[c * stride + j] += y[c * stride + j] * (dy[c * stride + j] - (bnn_real)dot[j]);
}

static void log_softmax_columns_back(bnn_real *restrict dx, const bnn_real *restrict dy,
                                     const bnn_real *restrict y, size_t classes, size_t stride,
                                     size_t n) {
  double sum[COLUMNS] = {0};
  for (size_t c = 0; c < classes; c++)
    for (size_t j = 0; j < n; j++) sum[j] += dy[c * stride + j];
  for (size_t c = 0; c < classes; c++)
    for (size_t j = 0; j < n; j++)
      dx[c * stride + j] +=
          log_softmax_slope(dy[c * stride + j], y[c * stride + j], vm_exp(y[c * stride + j]),
                            sum[j] - dy[c * stride + j]);
}

/* ---- both layouts ---- */

/* What differs between the two ops. */
typedef struct scores_op {
  void (*rows)(bnn_real *y, const bnn_real *x, size_t rows, size_t classes);
  void (*columns)(bnn_real *y, const bnn_real *x, size_t classes, size_t stride, size_t n);
  void (*rows_back)(bnn_real *dx, const bnn_real *dy, const bnn_real *y, size_t rows,
                    size_t classes);
  void (*columns_back)(bnn_real *dx, const bnn_real *dy, const bnn_real *y, size_t classes,
                       size_t stride, size_t n);
} scores_op;

/* x seen as [outer, classes, inner] with the op's axis in the middle. */
typedef struct layout {
  size_t outer, classes, inner;
} layout;

static layout layout_of(const bnn_tensor *x, const bnn_attr *attr) {
  const int axis = op_axis(attr, x->rank);
  return (layout){op_span(x->dim, 0, axis), x->dim[axis], op_span(x->dim, axis + 1, x->rank)};
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void run(bnn_tensor *y, const bnn_tensor *x, const bnn_attr *attr, const scores_op *op) {
  const layout l = layout_of(x, attr);
  const bnn_real *from = bnn_tensor_real(x);
  bnn_real *to = bnn_tensor_real(y);
  if (x->size == 0) return;
  const size_t block = scores_block(l.classes);
  for (size_t r = 0; l.inner == 1 && r < l.outer; r += block)
    op->rows(to + r * l.classes, from + r * l.classes, least(block, l.outer - r), l.classes);
  for (size_t o = 0; l.inner > 1 && o < l.outer; o++)
    for (size_t j = 0; j < l.inner; j += COLUMNS) {
      const size_t at = o * l.classes * l.inner + j;
      op->columns(to + at, from + at, l.classes, l.inner, least(COLUMNS, l.inner - j));
    }
}

static void run_back(bnn_tensor *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_attr *attr, const scores_op *op) {
  const layout l = layout_of(y, attr);
  bnn_real *to = bnn_tensor_real(dx);
  const bnn_real *g = bnn_tensor_real(dy), *of = bnn_tensor_real(y);
  if (y->size == 0) return;
  const size_t block = scores_block(l.classes);
  for (size_t r = 0; l.inner == 1 && r < l.outer; r += block) {
    const size_t at = r * l.classes;
    op->rows_back(to + at, g + at, of + at, least(block, l.outer - r), l.classes);
  }
  for (size_t o = 0; l.inner > 1 && o < l.outer; o++)
    for (size_t j = 0; j < l.inner; j += COLUMNS) {
      const size_t at = o * l.classes * l.inner + j;
      op->columns_back(to + at, g + at, of + at, l.classes, l.inner, least(COLUMNS, l.inner - j));
    }
}

#define SCORES_OP(NAME, DOC, EXAMPLE)                                                           \
  static const scores_op NAME##_op = {NAME##_rows, NAME##_columns, NAME##_rows_back,            \
                                      NAME##_columns_back};                                     \
  static void NAME##_forward(bnn_tensor *y, const bnn_tensor *const *x, int n,                  \
                             const bnn_attr *attr) {                                            \
    BNN_UNUSED(n);                                                                              \
    run(y, x[0], attr, &NAME##_op);                                                             \
  }                                                                                             \
  static void NAME##_backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y, \
                              const bnn_tensor *const *x, int n, const bnn_attr *attr) {        \
    BNN_UNUSED(x), BNN_UNUSED(n);                                                               \
    if (dx[0]) run_back(dx[0], dy, y, attr, &NAME##_op);                                        \
  }                                                                                             \
  BNN_OP(NAME) = {                                                                              \
      .name = #NAME,                                                                            \
      .doc = DOC,                                                                               \
      .example = EXAMPLE,                                                                       \
      .arity = 1,                                                                               \
      .args = "a?",                                                                             \
      .defaults = {.axis = BNN_AXIS_NONE},                                                      \
      .infer = infer,                                                                           \
      .rows = op_rows_along,                                                                    \
      .forward = NAME##_forward,                                                                \
      .backward = NAME##_backward,                                                              \
      .check = {.lo = -3, .hi = 3, .tol = 1e-7, .attr = {.axis = 1}},                           \
  };

SCORES_OP(softmax, "softmax(x, axis = last): e^x divided by its sum along the axis",
          "bnn.tensor{{0, 0}, {2, 0}}:softmax() --> {{0.5, 0.5}, {0.8808, 0.1192}}")
SCORES_OP(log_softmax, "log_softmax(x, axis = last): x - logsumexp(x) along the axis",
          "bnn.tensor{{0, 0}, {2, 0}}:log_softmax() --> {{-0.6931, -0.6931}, {-0.1269, -2.1269}}")
