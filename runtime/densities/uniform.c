/* uniform: log p(x) = -log(high - low) where low <= x <= high, else -inf.
 *
 *   dx = 0     dlow = 1 / (high - low) = -dhigh, 0 outside
 *
 * As a prior it leaves weights alone, within and outside of its range. */
#include "density_row.h"

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return within(x >= a && x <= b, x, a, b, -vm_log(b - a), -INFINITY);
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return within(false, x, a, b, 0, 0);
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return within(x >= a && x <= b, x, a, b, 1 / (b - a), 0);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return -slope_a(x, a, b, c);
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  *mean = (param[0] + param[1]) / 2;
  *variance = (param[1] - param[0]) * (param[1] - param[0]) / 12;
}

static const bnn_density density = {
    .name = "uniform",
    .doc = "uniform distribution on [low, high]: nothing pulls within, log p is -inf outside",
    .param = {{"low", "the lower end", -1, -HUGE_VAL, HUGE_VAL},
              {"high", "the upper end", 1, -HUGE_VAL, HUGE_VAL}},
    .ascending = true,
    DENSITY_OF_REALS,
    DENSITY_KERNELS,
};

DENSITY_OP(uniform, 2, "low, high", "-log(high - low) where low <= x <= high, else -inf",
           "({0.5, 1.5}, 0, 2) --> {-0.6931, -0.6931}", .tol = 1e-8,
           .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}},
           .range = {{0.5, 1}, {-1, 0.25}, {1.25, 2}})
