/* layer_norm (Ba, Kiros and Hinton 2016): each row of features to mean 0 and variance 1, then a
 * gain and a bias for each feature.
 *
 *   u = (x - mean) r,  r = 1 / sqrt(var + eps)      y = gain u + bias       along the last axis
 *   du = dy gain       dx = r (du - mean(du) - u mean(du u))
 *   dgain = sum of dy u over all rows               dbias = sum of dy
 *
 * mean and var (the population's) are sums in double; backward finds them again instead of keeping
 * them. */
#include "norm.h"

enum { ROWS = 64, COLUMNS = 128, LANES = 8 };

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  if (x[0].rank < 1) return bnn_fail(err, BNN_ESHAPE, "x: expected [..., d], got []");
  BNN_TRY(norm_check(x, x[0].dim[x[0].rank - 1], attr, err));
  *y = x[0];
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y);
  if (has_rows[1] || has_rows[2] || x[0].rank < 2) return BNN_ROWS_MIXED;
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

/* Mean and 1 / sqrt(var + eps) of a row. */
typedef struct scale {
  double mean, r;
} scale;

/* LANES sums side by side, which a vector adds at once. */
static double sum_of_lanes(const double *lane) {
  double sum = 0;
  for (int k = 0; k < LANES; k++) sum += lane[k];
  return sum;
}

static scale scale_of(const bnn_real *x, size_t d, double eps) {
  double sum[LANES] = {0}, square[LANES] = {0};
  size_t j = 0;
  for (; j + LANES <= d; j += LANES)
    for (size_t k = 0; k < LANES; k++) sum[k] += x[j + k];
  for (; j < d; j++) sum[0] += x[j];
  const double mean = sum_of_lanes(sum) / (double)d;
  for (j = 0; j + LANES <= d; j += LANES)
    for (size_t k = 0; k < LANES; k++) square[k] += (x[j + k] - mean) * (x[j + k] - mean);
  for (; j < d; j++) square[0] += (x[j] - mean) * (x[j] - mean);
  return (scale){mean, 1 / sqrt(sum_of_lanes(square) / (double)d + eps)};
}

BNN_KERNEL normalise(bnn_real *restrict y, const bnn_real *restrict x,
                     const bnn_real *restrict gain, const bnn_real *restrict bias, scale s,
                     size_t d) {
  for (size_t j = 0; j < d; j++) y[j] = (bnn_real)((x[j] - s.mean) * s.r) * gain[j] + bias[j];
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const size_t d = x[1]->size;
  for (size_t at = 0; at < y->size; at += d) {
    const bnn_real *row = bnn_tensor_real(x[0]) + at;
    normalise(bnn_tensor_real(y) + at, row, bnn_tensor_real(x[1]), bnn_tensor_real(x[2]),
              scale_of(row, d, attr->number[0]), d);
  }
}

/* sum[0] = sum of du, sum[1] = sum of du u. */
static void slope_sums(double *sum, const bnn_real *dy, const bnn_real *x, const bnn_real *gain,
                       scale s, size_t d) {
  double plain[LANES] = {0}, weighted[LANES] = {0};
  size_t j = 0;
  for (; j + LANES <= d; j += LANES)
    for (size_t k = 0; k < LANES; k++) {
      const double du = (double)dy[j + k] * gain[j + k];
      plain[k] += du;
      weighted[k] += du * ((x[j + k] - s.mean) * s.r);
    }
  for (; j < d; j++) {
    const double du = (double)dy[j] * gain[j];
    plain[0] += du;
    weighted[0] += du * ((x[j] - s.mean) * s.r);
  }
  sum[0] = sum_of_lanes(plain);
  sum[1] = sum_of_lanes(weighted);
}

BNN_KERNEL add_slope(bnn_real *restrict dx, const bnn_real *restrict dy, const bnn_real *restrict x,
                     const bnn_real *restrict gain, scale s, double mean, double weighted,
                     size_t d) {
  for (size_t j = 0; j < d; j++) {
    const double u = (x[j] - s.mean) * s.r;
    dx[j] += (bnn_real)(s.r * ((double)dy[j] * gain[j] - mean - u * weighted));
  }
}

static void add_to_x(bnn_real *dx, const bnn_real *dy, const bnn_real *x, const bnn_real *gain,
                     double eps, size_t d) {
  const scale s = scale_of(x, d, eps);
  double sum[2];
  slope_sums(sum, dy, x, gain, s, d);
  add_slope(dx, dy, x, gain, s, sum[0] / (double)d, sum[1] / (double)d, d);
}

BNN_KERNEL add_to_sums(double *restrict dgain, double *restrict dbias, const bnn_real *restrict dy,
                       const bnn_real *restrict x, scale s, size_t n) {
  for (size_t j = 0; j < n; j++) {
    dgain[j] += dy[j] * ((x[j] - s.mean) * s.r);
    dbias[j] += dy[j];
  }
}

/* dgain and dbias of some rows, a stretch of columns at a time; either may be NULL. */
static void add_to_parameters(bnn_real *dgain, bnn_real *dbias, const bnn_real *dy,
                              const bnn_real *x, size_t rows_, double eps, size_t d) {
  scale s[ROWS];
  for (size_t i = 0; i < rows_; i++) s[i] = scale_of(x + i * d, d, eps);
  for (size_t j = 0; j < d; j += COLUMNS) {
    const size_t n = d - j < COLUMNS ? d - j : COLUMNS;
    double to_gain[COLUMNS] = {0}, to_bias[COLUMNS] = {0};
    for (size_t i = 0; i < rows_; i++)
      add_to_sums(to_gain, to_bias, dy + i * d + j, x + i * d + j, s[i], n);
    for (size_t k = 0; dgain && k < n; k++) dgain[j + k] += (bnn_real)to_gain[k];
    for (size_t k = 0; dbias && k < n; k++) dbias[j + k] += (bnn_real)to_bias[k];
  }
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  const size_t d = x[1]->size, count = op_leading(x[0]);
  const double eps = attr->number[0];
  const bnn_real *g = bnn_tensor_real(dy), *v = bnn_tensor_real(x[0]);
  for (size_t i = 0; d > 0 && dx[0] && i < count; i++)
    add_to_x(bnn_tensor_real(dx[0]) + i * d, g + i * d, v + i * d, bnn_tensor_real(x[1]), eps, d);
  bnn_real *dgain = dx[1] ? bnn_tensor_real(dx[1]) : NULL;
  bnn_real *dbias = dx[2] ? bnn_tensor_real(dx[2]) : NULL;
  for (size_t i = 0; d > 0 && (dgain || dbias) && i < count; i += ROWS)
    add_to_parameters(dgain, dbias, g + i * d, v + i * d, count - i < ROWS ? count - i : ROWS, eps,
                      d);
}

BNN_OP(layer_norm) = {
    .name = "layer_norm",
    .doc = "layer_norm(x, gain, bias, eps = 1e-5): scales x [..., d] to mean 0 and "
           "variance 1 along its last axis (eps is added to the variance), then "
           "multiplies by gain [d] and adds bias [d]",
    .example = "bnn.layer_norm({{1, 3}}, {1, 1}, {0, 0}) --> {{-1, 1}}",
    .arity = 3,
    .args = "r?",
    .defaults = {.number = {1e-5}},
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-6,
              .in = {{2, {5, 6}, 0}, {1, {6}, 0}, {1, {6}, 0}},
              .attr = {.number = {1e-5}}},
};
