/* Running sums and products along an axis: cumsum, cumprod.
 *
 * Both run in double, up to WALK_CHUNK neighbours side by side, so that a long sum keeps the digits of
 * its last element; integers are exact, in 64 bits as those of `sum`. */
#include "../integers.h"
#include "../op_help.h"
#include "../walk.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  BNN_TRY(op_check_axis(op_axis(attr, x->rank), x, err));
  *y = *x;
  y->dtype = integers_sum_type(x->dtype);
  return BNN_OK;
}

/* A column of neighbours: `length` steps of `stride` elements each, `width` of them side by side. */
typedef struct columns {
  size_t length, stride, width;
} columns;

typedef void column_job(const columns *c, void *to, const void *const *from);

/* Calls job for each column of x, with what the tensors hold from its first element on. */
static void over_columns(const bnn_tensor *x, const bnn_attr *attr, bnn_tensor *to,
                         const bnn_tensor *const *from, int n, column_job *job) {
  const int axis = op_axis(attr, x->rank);
  const size_t outer = op_span(x->dim, 0, axis), inner = op_span(x->dim, axis + 1, x->rank);
  columns c = {.length = x->dim[axis], .stride = inner};
  for (size_t o = 0; o < outer && c.length > 0; o++)
    for (size_t i = 0; i < inner; i += c.width) {
      const size_t at = o * c.length * inner + i;
      const void *in[4];
      for (int k = 0; k < n; k++)
        in[k] = (const char *)from[k]->data + at * bnn_dtype_size(from[k]->dtype);
      c.width = inner - i < WALK_CHUNK ? inner - i : WALK_CHUNK;
      job(&c, (char *)to->data + at * bnn_dtype_size(to->dtype), in);
    }
}

/* ---- values ---- */

#define SCAN(NAME, START, OPERATOR)                                   \
  static void NAME(const columns *c, void *y, const void *const *x) { \
    double acc[WALK_CHUNK];                                           \
    for (size_t i = 0; i < c->width; i++) acc[i] = START;             \
    for (size_t j = 0; j < c->length; j++) {                          \
      const bnn_real *from = (const bnn_real *)x[0] + j * c->stride;  \
      bnn_real *to = (bnn_real *)y + j * c->stride;                   \
      for (size_t i = 0; i < c->width; i++) {                         \
        acc[i] = acc[i] OPERATOR(double) from[i];                     \
        to[i] = (bnn_real)acc[i];                                     \
      }                                                               \
    }                                                                 \
  }
SCAN(sums, 0, +)
SCAN(products, 1, *)

/* Modulo 2^64. */
#define INTEGER_SCAN(NAME, TAG, TYPE, START, OPERATOR)                        \
  static void NAME##_##TAG(const columns *c, void *y, const void *const *x) { \
    for (size_t i = 0; i < c->width; i++) {                                   \
      uint64_t acc = START;                                                   \
      for (size_t j = 0; j < c->length; j++) {                                \
        acc = acc OPERATOR(uint64_t)((const TYPE *)x[0])[j * c->stride + i];  \
        ((uint64_t *)y)[j * c->stride + i] = acc;                             \
      }                                                                       \
    }                                                                         \
  }
#define INTEGER_SCANS(TAG, TYPE)      \
  INTEGER_SCAN(sums, TAG, TYPE, 0, +) \
  INTEGER_SCAN(products, TAG, TYPE, 1, *)
INTEGER_ROWS(INTEGER_SCANS)

static column_job *sums_of(bnn_dtype dtype) {
  switch (dtype) {
  case BNN_U8: return sums_U8;
  case BNN_I32: return sums_I32;
  case BNN_I64: return sums_I64;
  case BNN_U64: return sums_U64;
  default: return sums;
  }
}

static column_job *products_of(bnn_dtype dtype) {
  switch (dtype) {
  case BNN_U8: return products_U8;
  case BNN_I32: return products_I32;
  case BNN_I64: return products_I64;
  case BNN_U64: return products_U64;
  default: return products;
  }
}

static void forward_sum(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  over_columns(x[0], attr, y, x, n, sums_of(x[0]->dtype));
}

static void forward_product(bnn_tensor *y, const bnn_tensor *const *x, int n,
                            const bnn_attr *attr) {
  over_columns(x[0], attr, y, x, n, products_of(x[0]->dtype));
}

/* ---- gradients ---- */

/* dx_j += the sum of dy from j on. */
static void sum_slopes(const columns *c, void *dx, const void *const *in) {
  double acc[WALK_CHUNK];
  for (size_t i = 0; i < c->width; i++) acc[i] = 0;
  for (size_t j = c->length; j-- > 0;) {
    const bnn_real *dy = (const bnn_real *)in[0] + j * c->stride;
    bnn_real *to = (bnn_real *)dx + j * c->stride;
    for (size_t i = 0; i < c->width; i++) {
      acc[i] += (double)dy[i];
      to[i] += (bnn_real)acc[i];
    }
  }
}

/* One product: up to the first zero, z, dx_j += the sum over k >= j of dy_k y_k / x_j; dx_z += that of dy_k
 * times the product of the others; behind z every y is 0, whatever x_j is.  A number alone has the slope
 * 1, a NaN too. */
static void product_slope(const columns *c, bnn_real *dx, const bnn_real *dy, const bnn_real *y,
                          const bnn_real *x) {
  const size_t stride = c->stride;
  if (c->length == 1) {
    dx[0] += dy[0];
    return;
  }
  size_t zero = 0;
  while (zero < c->length && x[zero * stride] != 0) zero++;
  double sum = 0;
  for (size_t j = zero; j-- > 0;) {
    sum += (double)dy[j * stride] * (double)y[j * stride];
    dx[j * stride] += (bnn_real)(sum / (double)x[j * stride]);
  }
  if (zero == c->length) return;
  double product = zero > 0 ? (double)y[(zero - 1) * stride] : 1;
  sum = (double)dy[zero * stride] * product;
  for (size_t j = zero + 1; j < c->length; j++) {
    product *= (double)x[j * stride];
    sum += (double)dy[j * stride] * product;
  }
  dx[zero * stride] += (bnn_real)sum;
}

static void product_slopes(const columns *c, void *dx, const void *const *in) {
  for (size_t i = 0; i < c->width; i++)
    product_slope(c, (bnn_real *)dx + i, (const bnn_real *)in[0] + i, (const bnn_real *)in[1] + i,
                  (const bnn_real *)in[2] + i);
}

static void backward_sum(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  if (dx[0]) over_columns(x[0], attr, dx[0], &dy, 1, sum_slopes);
}

static void backward_product(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                             const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const bnn_tensor *in[3] = {dy, y, x[0]};
  if (dx[0]) over_columns(x[0], attr, dx[0], in, 3, product_slopes);
}

#define SCAN_ROW(NAME, WHAT, FORWARD, BACKWARD, EXAMPLE)                                        \
  BNN_OP(NAME) = {                                                                              \
      .name = #NAME,                                                                            \
      .doc = #NAME "(x, axis = last): " WHAT " of the elements up to each one along the axis; " \
                   "those of integers have 64 bits",                                            \
      .example = EXAMPLE,                                                                       \
      .arity = 1,                                                                               \
      .args = "a?",                                                                             \
      .defaults = {.axis = BNN_AXIS_NONE},                                                      \
      .arithmetic = true,                                                                       \
      .infer = infer,                                                                           \
      .rows = op_rows_along,                                                                    \
      .forward = FORWARD,                                                                       \
      .backward = BACKWARD,                                                                     \
      .check = {.lo = -2, .hi = 2, .tol = 1e-8, .attr = {.axis = 1}},                           \
  };

SCAN_ROW(cumsum, "sums", forward_sum, backward_sum,
         "bnn.tensor{{1, 2, 3}, {4, 5, 6}}:cumsum(2) --> {{1, 3, 6}, {4, 9, 15}}")
SCAN_ROW(cumprod, "products", forward_product, backward_product,
         "bnn.tensor{{1, 2, 3}, {4, 5, 6}}:cumprod(2) --> {{1, 2, 6}, {4, 20, 120}}")
