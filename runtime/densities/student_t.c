/* student_t: Student's t distribution of df degrees of freedom, with z = (x - loc) / scale:
 *
 *   log p(x) = log Gamma((df + 1)/2) - log Gamma(df/2) - log(pi df)/2 - log scale
 *              - (df + 1)/2 log(1 + z^2/df)
 *   dx = -(1 + 1/df) / (1/z + z/df) / scale = -dloc
 *   q = (1 + 1/df) / (1/df + 1/z^2):  dscale = (q - 1) / scale
 *   ddf = (psi((df + 1)/2) - psi(df/2) - log(1 + z^2/df) + (q - 1)/df) / 2
 *
 * So written they have their limits at z = 0, at z infinite, and at df infinite, a Gaussian. */
#include "density_row.h"

/* log Gamma((df + 1)/2) - log Gamma(df/2) - log(pi df)/2, which tends to -log(2 pi)/2. */
static inline double log_norm(double df) {
  if (df == HUGE_VAL) return -(double)HALF_LOG_2PI;
  return vec_lgamma_ratio(df / 2, 0.5) - log(M_PI * df) / 2;
}

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  const bnn_real z = (x - b) / c;
  const double tail = a == HUGE_VAL ? (double)z * (double)z / 2
                                    : ((double)a + 1) / 2 * (double)log1p_square(z / R(sqrt)(a));
  return (bnn_real)(log_norm((double)a) - log((double)c) - tail);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  const bnn_real z = (x - b) / c;
  return (1 + 1 / a) / (1 / z + z / a) / c;
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return -slope_b(x, a, b, c);
}

static inline bnn_real ratio(bnn_real z, bnn_real df) {
  return (1 + 1 / df) / (1 / df + 1 / (z * z));
}

static inline bnn_real slope_c(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return (ratio((x - b) / c, a) - 1) / c;
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  const bnn_real z = (x - b) / c;
  const double df = (double)a, rest = ((double)ratio(z, a) - 1) / df;
  if (df == HUGE_VAL) return 0;
  return (bnn_real)((vec_digamma((df + 1) / 2) - vec_digamma(df / 2) -
                     (double)log1p_square(z / R(sqrt)(a)) + rest) /
                    2);
}

DENSITY_3(slope_a, slope_b, slope_c)
DENSITY_PULL

static void moments(double *mean, double *variance, const double *param) {
  const double df = param[0], s = param[2];
  *mean = df > 1 ? param[1] : NAN;
  *variance = df == HUGE_VAL ? s * s : df > 2 ? s * s * df / (df - 2) : df > 1 ? HUGE_VAL : NAN;
}

static const bnn_density density = {
    .name = "student_t",
    .doc = "Student's t distribution: tails of the power df + 1",
    .param = {{"df", "degrees of freedom", 3, 0, HUGE_VAL}, LOC_PARAM, SCALE_PARAM("scale")},
    DENSITY_OF_REALS,
    DENSITY_KERNELS,
};

DENSITY_OP(student_t, 3, "df, loc, scale",
           "the log density of Student's t distribution of df degrees of freedom at (x - loc) / "
           "scale, less log scale",
           "({0, 1}, 3, 0, 1) --> {-1.0009, -1.5763}", .lo = 0.5, .hi = 2, .tol = 1e-7)
