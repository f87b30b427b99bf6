/* gaussian_log_prob_of_log: log N(y; mean, sigma^2) = -z^2/2 - l - log(2 pi)/2 from l = log sigma,
 * with z = (y - mean) e^-l.
 *
 *   dy = -z e^-l     dmean = z e^-l     dl = z^2 - 1
 *
 * Nothing is infinite here but what is too large for a real number itself: sigma is not made of l,
 * and e^-l is applied as e^(-l/2) twice, of which neither is out of range where z is not.  y = mean
 * gives z = 0, however small sigma is. */
#include "log_prob_kernels.h"

/* x e^-l from h = e^(-l/2). */
static inline bnn_real scaled(bnn_real x, bnn_real h) { return x == 0 ? x : x * h * h; }

BNN_KERNEL log_prob(bnn_real *restrict out, const bnn_real *restrict y,
                    const bnn_real *restrict mean, const bnn_real *restrict l, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real z = scaled(y[i] - mean[i], vm_exp(-l[i] / 2));
    out[i] = -z * z / 2 - l[i] - HALF_LOG_2PI;
  }
}

/* One gradient: FORMULA in z and h = e^(-l/2). */
#define SLOPE(NAME, FORMULA)                                                             \
  BNN_KERNEL NAME(bnn_real *restrict d, const bnn_real *restrict dout,                   \
                  const bnn_real *restrict out, const bnn_real *restrict y,              \
                  const bnn_real *restrict mean, const bnn_real *restrict l, size_t n) { \
    BNN_UNUSED(out);                                                                     \
    for (size_t i = 0; i < n; i++) {                                                     \
      const bnn_real h = vm_exp(-l[i] / 2), z = scaled(y[i] - mean[i], h);               \
      d[i] += dout[i] * (FORMULA);                                                       \
    }                                                                                    \
  }

SLOPE(slope_y, -scaled(z, h))
SLOPE(slope_mean, scaled(z, h))
SLOPE(slope_log, z *z - 1)

DENSITY(log_prob, slope_y, slope_mean, slope_log)

BNN_OP(gaussian_log_prob_of_log) = {
    .name = "gaussian_log_prob_of_log",
    .doc = "gaussian_log_prob_of_log(y, mean, log_sigma): log density of N(mean, e^(2 "
           "log_sigma)) at y, elementwise with broadcasting; finite for every finite "
           "log_sigma",
    .example = "bnn.gaussian_log_prob_of_log({0, 1}, 0, 0) --> {-0.9189, -1.4189}",
    .arity = 3,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1, .hi = 1, .tol = 1e-7, .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}}},
};
