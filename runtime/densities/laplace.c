/* laplace: log p(x) = -|z| - log(2 scale), z = (x - loc) / scale.
 *
 *   dx = -sign(z) / scale     dloc = sign(z) / scale     dscale = (|z| - 1) / scale
 *
 * As a prior it pulls every weight towards 0 alike, whatever its size: the lasso's penalty
 * (Tibshirani 1996). */
#include "density_row.h"

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return -R(fabs)((x - a) / b) - vm_log(b) - LOG_2;
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return sign_of(x - a) / b;
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return -slope_a(x, a, b, c);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return (R(fabs)((x - a) / b) - 1) / b;
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  *mean = param[0];
  *variance = 2 * param[1] * param[1];
}

static const bnn_density density = {
    .name = "laplace",
    .doc = "Laplace distribution: exp(-|x - loc| / scale) / (2 scale)",
    .param = {LOC_PARAM, SCALE_PARAM("scale")},
    DENSITY_OF_REALS,
    DENSITY_KERNELS,
};

DENSITY_OP(laplace, 2, "loc, scale", "-|x - loc| / scale - log(2 scale)",
           "({0, 1}, 0, 1) --> {-0.6931, -1.6931}", .tol = 1e-8,
           .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}},
           .range = {{1.5, 3}, {0, 1}, {0.5, 2}})
