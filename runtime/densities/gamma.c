/* gamma: for x >= 0
 *
 *   log p(x) = shape log rate + (shape - 1) log x - rate x - log Gamma(shape)
 *   dx = (shape - 1)/x - rate     dshape = log(rate x) - psi(shape)     drate = shape/rate - x
 *
 * Where shape - 1 is 0 so is its term, at x = 0 too: the exponential distribution.  dx, which is
 * infinite at x = 0, is 0 there, as outside (beta.c). */
#include "density_row.h"

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const double most = (double)-BNN_REAL_LOWEST, near = (double)x > most ? most : (double)x;
  const double k = (double)a - 1, power = k == 0 ? 0 : k * log(near), fall = (double)b * (double)x;
  const double all = (double)a * log((double)b) + power - fall - vec_lgamma((double)a);
  return within(x >= 0, x, a, b, (bnn_real)all, -INFINITY);
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real k = a - 1;
  return within(x > 0, x, a, b, k / x - b, 0);
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const double slope = log((double)b) + log((double)x) - vec_digamma((double)a);
  return within(x >= 0, x, a, b, (bnn_real)slope, 0);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return within(x >= 0, x, a, b, a / b - x, 0);
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  *mean = param[0] / param[1];
  *variance = *mean / param[1];
}

static const bnn_density density = {
    .name = "gamma",
    .doc = "gamma distribution on [0, inf)",
    .param = {{"shape", "shape at 0", 2, 0, HUGE_VAL},
              {"rate", "rate of the tail", 1, 0, HUGE_VAL}},
    .lo = 0,
    .hi = HUGE_VAL,
    DENSITY_KERNELS,
};

DENSITY_OP(gamma, 2, "shape, rate",
           "shape log rate + (shape - 1) log x - rate x - log Gamma(shape) for x >= 0",
           "({1, 2}, 2, 1) --> {-1, -1.3069}", .lo = 0.5, .hi = 2, .tol = 1e-7)
