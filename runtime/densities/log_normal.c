/* log_normal: log x ~ N(loc, scale^2).  With l = log x and z = (l - loc) / scale, for x > 0,
 *
 *   log p(x) = -l - log scale - z^2/2 - log(2 pi)/2
 *   dx = -(1 + z/scale) / x     dloc = z / scale     dscale = (z^2 - 1) / scale */
#include "density_row.h"

static inline bnn_real score(bnn_real x, bnn_real loc, bnn_real scale) {
  return (vm_log(x) - loc) / scale;
}

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = score(x, a, b);
  return within(x > 0, x, a, b, -vm_log(x) - vm_log(b) - z * z / 2 - HALF_LOG_2PI, -INFINITY);
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real most = -BNN_REAL_LOWEST, near = x > most ? most : x; /* infinity over infinity */
  return within(x > 0, x, a, b, -(1 + score(near, a, b) / b) / near, 0);
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return within(x > 0, x, a, b, score(x, a, b) / b, 0);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = score(x, a, b);
  return within(x > 0, x, a, b, (z * z - 1) / b, 0);
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  const double v = param[1] * param[1];
  *mean = exp(param[0] + v / 2);
  *variance = expm1(v) * exp(2 * param[0] + v);
}

static const bnn_density density = {
    .name = "log_normal",
    .doc = "log-normal distribution: log x is Gaussian",
    .param = {{"loc", "mean of log x", 0, -HUGE_VAL, HUGE_VAL},
              {"scale", "standard deviation of log x", 1, 0, HUGE_VAL}},
    .lo = 0,
    .hi = HUGE_VAL,
    DENSITY_KERNELS,
};

DENSITY_OP(log_normal, 2, "loc, scale",
           "the log density of x > 0 whose logarithm is N(loc, scale^2)",
           "({1, 2}, 0, 1) --> {-0.9189, -1.8523}", .lo = 0.5, .hi = 2, .tol = 1e-8)
