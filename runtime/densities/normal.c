/* normal: log N(x; loc, scale^2) = -z^2/2 - log scale - log(2 pi)/2, z = (x - loc)/scale.
 *
 *   dx = -z/scale     dloc = z/scale     dscale = (z^2 - 1)/scale
 *
 * As a prior of mean 0 it has more than this: its KL divergence in closed form (families/family.h),
 * and a scale that is fitted. */
#include "density_row.h"

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = (x - a) / b;
  return -z * z / 2 - vm_log(b) - HALF_LOG_2PI;
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = (x - a) / b;
  return -z / b;
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return -slope_x(x, a, b, c);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = (x - a) / b;
  return (z * z - 1) / b;
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  *mean = param[0];
  *variance = param[1] * param[1];
}

static const bnn_density density = {
    .name = "normal",
    .doc = "Gaussian distribution",
    .param = {LOC_PARAM, SCALE_PARAM("standard deviation")},
    DENSITY_OF_REALS,
    DENSITY_KERNELS,
};

BNN_OP(gaussian_log_prob) = {
    .name = "gaussian_log_prob",
    .doc = "gaussian_log_prob(y, mean, sigma): log density of N(mean, sigma^2) at y, elementwise "
           "with broadcasting",
    .example = "bnn.gaussian_log_prob({0, 1}, 0, 1) --> {-0.9189, -1.4189}",
    .arity = 3,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .y_unread = true,
    .density = &density,
    .check = {.lo = 0.5, .hi = 2, .tol = 1e-7, .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}}},
};
