/* gaussian_log_prob: log N(y; mean, sigma^2) = -z^2/2 - log sigma - log(2 pi)/2, z = (y -
 * mean)/sigma.
 *
 *   dy = -z/sigma     dmean = z/sigma     dsigma = (z^2 - 1)/sigma */
#include "density.h"

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

DENSITY(log_prob, slope_y, slope_mean, slope_sigma)

BNN_OP(gaussian_log_prob) = {
    .name = "gaussian_log_prob",
    .doc = "gaussian_log_prob(y, mean, sigma): log density of N(mean, sigma^2) at y, "
           "elementwise with broadcasting",
    .example = "bnn.gaussian_log_prob({0, 1}, 0, 1) --> {-0.9189, -1.4189}",
    .arity = 3,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = 0.5, .hi = 2, .tol = 1e-7, .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}}},
};
