/* beta: for 0 <= x <= 1
 *
 *   log p(x) = (alpha - 1) log x + (beta - 1) log(1 - x) + log Gamma(alpha + beta)
 *              - log Gamma(alpha) - log Gamma(beta)
 *   dx = (alpha - 1)/x - (beta - 1)/(1 - x)
 *   dalpha = log x + psi(alpha + beta) - psi(alpha), dbeta alike with log(1 - x)
 *
 * Where alpha - 1 or beta - 1 is 0 so is its term, at the ends too.  dx is infinite there, and 0
 * here, as outside: one weight that starts at 0 would end a training. */
#include "density_row.h"

static inline double log_norm(double a, double b) {
  return a > b ? vec_lgamma_ratio(a, b) - vec_lgamma(b) : vec_lgamma_ratio(b, a) - vec_lgamma(a);
}

static inline double times(double k, double y) { return k == 0 ? 0 : k * y; }

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const double k = (double)a - 1, m = (double)b - 1;
  const double all =
      times(k, log((double)x)) + times(m, log1p(-(double)x)) + log_norm((double)a, (double)b);
  return within(x >= 0 && x <= 1, x, a, b, (bnn_real)all, -INFINITY);
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real k = a - 1, m = b - 1, first = k == 0 ? 0 : k / x, last = m == 0 ? 0 : m / (1 - x);
  return within(x > 0 && x < 1, x, a, b, first - last, 0);
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const double rest = vec_digamma((double)a + (double)b) - vec_digamma((double)a);
  return within(x >= 0 && x <= 1, x, a, b, (bnn_real)(log((double)x) + rest), 0);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const double rest = vec_digamma((double)a + (double)b) - vec_digamma((double)b);
  return within(x >= 0 && x <= 1, x, a, b, (bnn_real)(log1p(-(double)x) + rest), 0);
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  const double a = param[0], b = param[1], n = a + b;
  *mean = a / n;
  *variance = a / n * (b / n) / (n + 1);
}

static const bnn_density density = {
    .name = "beta",
    .doc = "beta distribution on [0, 1]",
    .param = {{"alpha", "shape at 0", 2, 0, HUGE_VAL}, {"beta", "shape at 1", 2, 0, HUGE_VAL}},
    .lo = 0,
    .hi = 1,
    DENSITY_KERNELS,
};

DENSITY_OP(beta, 2, "alpha, beta",
           "(alpha - 1) log x + (beta - 1) log(1 - x) - log B(alpha, beta) for x in [0, 1]",
           "({0.5, 0.25}, 2, 2) --> {0.4055, 0.1178}", .tol = 1e-7,
           .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}},
           .range = {{0.25, 0.75}, {0.5, 3}, {0.5, 3}})
