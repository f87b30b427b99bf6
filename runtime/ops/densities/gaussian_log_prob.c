/* gaussian_log_prob: log N(y; mean, sigma^2) = -z^2/2 - log sigma - log(2 pi)/2, z = (y -
 * mean)/sigma.
 *
 *   dy = -z/sigma     dmean = z/sigma     dsigma = (z^2 - 1)/sigma */
#include "../../vec/vec_math.h"
#include "../op_help.h"
#include "../walk.h"

#define HALF_LOG_2PI ((bnn_real)0.91893853320467274178)

BNN_KERNEL log_prob(bnn_real *restrict out, const bnn_real *restrict y,
                    const bnn_real *restrict mean, const bnn_real *restrict sigma, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real z = (y[i] - mean[i]) / sigma[i];
    out[i] = -z * z / 2 - vm_log(sigma[i]) - HALF_LOG_2PI;
  }
}

/* One gradient: FORMULA in z and s = sigma. */
#define SLOPE(NAME, FORMULA)                                                                 \
  BNN_KERNEL NAME(bnn_real *restrict d, const bnn_real *restrict dout,                       \
                  const bnn_real *restrict out, const bnn_real *restrict y,                  \
                  const bnn_real *restrict mean, const bnn_real *restrict sigma, size_t n) { \
    BNN_UNUSED(out);                                                                         \
    for (size_t i = 0; i < n; i++) {                                                         \
      const bnn_real s = sigma[i], z = (y[i] - mean[i]) / s;                                 \
      d[i] += dout[i] * (FORMULA);                                                           \
    }                                                                                        \
  }

SLOPE(slope_y, -z / s)
SLOPE(slope_mean, z / s)
SLOPE(slope_sigma, (z * z - 1) / s)

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  walk_map(y, x, n, log_prob);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  if (dx[0]) walk_grad(dx[0], 0, dy, y, x, n, slope_y);
  if (dx[1]) walk_grad(dx[1], 1, dy, y, x, n, slope_mean);
  if (dx[2]) walk_grad(dx[2], 2, dy, y, x, n, slope_sigma);
}

BNN_OP(gaussian_log_prob) = {
    .name = "gaussian_log_prob",
    .doc = "gaussian_log_prob(y, mean, sigma): log density of N(mean, sigma^2) at y, elementwise "
           "with broadcasting",
    .arity = 3,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = 0.5, .hi = 2, .tol = 1e-7, .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}}},
};
