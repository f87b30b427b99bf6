/* vec_gamma.h - the gamma function's kin in double, one number at a time, for densities and
 * probabilities of counts. */
#ifndef BNN_VEC_GAMMA_H
#define BNN_VEC_GAMMA_H

#include <math.h>

/* log |Gamma(x)|, libm's; unlike its lgamma it writes no global. */
static inline double vec_lgamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

/* The digamma function, the slope of lgamma: by psi(x) = psi(x + 1) - 1/x up to where its
 * asymptotic series is exact, and by reflection for negative x, of which whole numbers give NaN, as
 * the slope has another sign on each side of them.  Good to 1e-12 (test_op_values.c). */
static inline double vec_digamma(double x) {
  double psi = 0;
  if (x < 0) {
    if (x == floor(x)) return NAN;
    psi = -M_PI / tan(M_PI * (x - rint(x)));
    x = 1 - x;
  }
  for (; x < 10; x++) psi -= 1 / x;
  const double z = 1 / (x * x);
  return psi + log(x) - 0.5 / x -
         z * (1. / 12 - z * (1. / 120 - z * (1. / 252 - z * (1. / 240 - z / 132))));
}

/* The trigamma function, the slope of digamma, the same way: of x >= 0, and of any x;
 * infinite where digamma is NaN. */
static inline double vec_trigamma_above(double x) {
  double psi = 0;
  for (; x < 12; x++) psi += 1 / (x * x);
  const double z = 1 / (x * x);
  return psi + 1 / x + z / 2 +
         z / x * (1. / 6 - z * (1. / 30 - z * (1. / 42 - z * (1. / 30 - z * 5 / 66))));
}
static inline double vec_trigamma(double x) {
  if (x < 0) {
    const double sine = sin(M_PI * (x - rint(x)));
    return M_PI * M_PI / (sine * sine) - vec_trigamma_above(1 - x);
  }
  return vec_trigamma_above(x);
}

/* What is left of log Gamma(x) after Stirling's (x - 1/2) log x - x + log(2 pi)/2, for x >= 10. */
static inline double vec_stirling_rest(double x) {
  const double z = 1 / (x * x);
  return (1. / 12 - z * (1. / 360 - z * (1. / 1260 - z * (1. / 1680 - z / 1188)))) / x;
}

/* log Gamma(x + d) - log Gamma(x) for x > 0 and d >= 0; of large x by Stirling's series, term by
 * term, as the two hardly differ beside their size. */
static inline double vec_lgamma_ratio(double x, double d) {
  if (x < 10) return vec_lgamma(x + d) - vec_lgamma(x);
  return (x - 0.5) * log1p(d / x) + d * (log(x + d) - 1) + vec_stirling_rest(x + d) -
         vec_stirling_rest(x);
}

#endif
