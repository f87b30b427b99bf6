/* density_row.h - what a density's file is made of: from its formulas the kernels of its op and of
 * its prior.
 *
 * The file defines, as inline functions of x and its parameters a, b, c (0 for those that it
 * lacks),
 *
 *   value      log p(x | a, b, c)
 *   slope_x    its derivative with respect to x
 *   slope_a, slope_b, slope_c    and to each parameter
 *
 * then says DENSITY_2(slope_a, slope_b) for two parameters (after three DENSITY_PULL as well,
 * unless the prior has a kernel of its own), and the rows: DENSITY(name) = {...} and
 * DENSITY_OP(name) = {...}.  In a prior the parameters do not change along the loop: the compiler
 * takes what depends on them alone out of it. */
#ifndef BNN_DENSITY_ROW_H
#define BNN_DENSITY_ROW_H

#include "../ops/densities/log_prob_kernels.h"
#include "../vec/vec_gamma.h"
#include "density.h"

#define LOG_2 ((bnn_real)0.69314718055994530942)
#define LOG_PI ((bnn_real)1.14472988584940017414)

/* ---- what several formulas need ---- */

/* The sign of x: 0 of 0, NaN of NaN. */
static inline bnn_real sign_of(bnn_real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

/* log(1 + u^2) without overflow. */
static inline bnn_real log1p_square(bnn_real u) {
  const bnn_real size = R(fabs)(u), square = u * u;
  const bnn_real far = 2 * vm_log(size < 1 ? 1 : size);
  return far + vm_log1p(size < 1 ? square : 1 / square);
}

/* What a formula of x and parameters a and b gives where x is in the support, and outside; NaN for
 * a NaN among them. */
static inline bnn_real within(bool inside, bnn_real x, bnn_real a, bnn_real b, bnn_real value,
                              bnn_real outside) {
  const bool is_number = x == x && a == a && b == b;
  return inside ? value : is_number ? outside : NAN;
}

/* ---- kernels ---- */

#define FORMULA_IN const bnn_real *restrict x, const bnn_real *restrict a
#define FORMULA_AT_1 x[i], a[i], 0, 0
#define FORMULA_AT_2 x[i], a[i], b[i], 0
#define FORMULA_AT_3 x[i], a[i], b[i], c[i]

#define DENSITY_VALUES(AT)                                                                      \
  BNN_KERNEL values(bnn_real *restrict y, FORMULA_IN, const bnn_real *restrict b,               \
                    const bnn_real *restrict c, size_t n) {                                     \
    BNN_UNUSED(b), BNN_UNUSED(c);                                                               \
    for (size_t i = 0; i < n; i++) y[i] = value(AT);                                            \
  }                                                                                             \
  static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) { \
    BNN_UNUSED(attr);                                                                           \
    walk_map4(y, x, n, values);                                                                 \
  }

#define DENSITY_SLOPES(SLOPE, AT)                                                         \
  BNN_KERNEL SLOPE##s(bnn_real *restrict d, const bnn_real *restrict dy, FORMULA_IN,      \
                      const bnn_real *restrict b, const bnn_real *restrict c, size_t n) { \
    BNN_UNUSED(b), BNN_UNUSED(c);                                                         \
    for (size_t i = 0; i < n; i++) d[i] += dy[i] * SLOPE(AT);                             \
  }

#define DENSITY_BACKWARD(...)                                                            \
  static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y, \
                       const bnn_tensor *const *x, int n, const bnn_attr *attr) {        \
    static walk_slope4 *const slopes[] = {__VA_ARGS__};                                  \
    BNN_UNUSED(attr);                                                                    \
    for (int k = 0; k < n; k++)                                                          \
      if (dx[k]) walk_grad4(dx[k], k, dy, y, x, n, slopes[k]);                           \
  }

/* The prior's kernels: the sum of log p, and the gradient that is added to others. */
#define DENSITY_SUM                                                                          \
  static double log_prob(const bnn_real *x, const bnn_real *param, size_t n) {               \
    double sum = 0;                                                                          \
    for (size_t i = 0; i < n; i++) sum += (double)value(x[i], param[0], param[1], param[2]); \
    return sum;                                                                              \
  }

#define DENSITY_PULL                                                                              \
  BNN_KERNEL pull(bnn_real *restrict out, const bnn_real *restrict g, const bnn_real *restrict x, \
                  const bnn_real *param, bnn_real weight, size_t n) {                             \
    const bnn_real a = param[0], b = param[1], c = param[2];                                      \
    for (size_t i = 0; i < n; i++) out[i] = g[i] - weight * slope_x(x[i], a, b, c);               \
  }

#define DENSITY_1(SLOPE_A)               \
  DENSITY_VALUES(FORMULA_AT_1)           \
  DENSITY_SLOPES(slope_x, FORMULA_AT_1)  \
  DENSITY_SLOPES(SLOPE_A, FORMULA_AT_1)  \
  DENSITY_BACKWARD(slope_xs, SLOPE_A##s) \
  DENSITY_SUM                            \
  DENSITY_PULL

#define DENSITY_2(SLOPE_A, SLOPE_B)                  \
  DENSITY_VALUES(FORMULA_AT_2)                       \
  DENSITY_SLOPES(slope_x, FORMULA_AT_2)              \
  DENSITY_SLOPES(SLOPE_A, FORMULA_AT_2)              \
  DENSITY_SLOPES(SLOPE_B, FORMULA_AT_2)              \
  DENSITY_BACKWARD(slope_xs, SLOPE_A##s, SLOPE_B##s) \
  DENSITY_SUM                                        \
  DENSITY_PULL

#define DENSITY_3(SLOPE_A, SLOPE_B, SLOPE_C)                     \
  DENSITY_VALUES(FORMULA_AT_3)                                   \
  DENSITY_SLOPES(slope_x, FORMULA_AT_3)                          \
  DENSITY_SLOPES(SLOPE_A, FORMULA_AT_3)                          \
  DENSITY_SLOPES(SLOPE_B, FORMULA_AT_3)                          \
  DENSITY_SLOPES(SLOPE_C, FORMULA_AT_3)                          \
  DENSITY_BACKWARD(slope_xs, SLOPE_A##s, SLOPE_B##s, SLOPE_C##s) \
  DENSITY_SUM

/* ---- rows ---- */

#define LOC_PARAM \
  { "loc", "location", 0, -HUGE_VAL, HUGE_VAL }
#define SCALE_PARAM(DOC) \
  { "scale", DOC, 1, 0, HUGE_VAL }
#define DENSITY_KERNELS .pull = pull, .log_prob = log_prob, .moments = moments
#define DENSITY_OF_REALS .lo = -HUGE_VAL, .hi = HUGE_VAL

/* The op NAME_log_prob(x, ARGUMENTS): WHAT, of n parameters; then its check. */
#define DENSITY_OP(NAME, N, ARGUMENTS, WHAT, EXAMPLE, ...)                                 \
  BNN_OP(NAME##_log_prob) = {                                                              \
      .name = #NAME "_log_prob",                                                           \
      .doc = #NAME "_log_prob(x, " ARGUMENTS "): " WHAT ", elementwise with broadcasting", \
      .example = "bnn." #NAME "_log_prob" EXAMPLE,                                         \
      .arity = 1 + N,                                                                      \
      .infer = op_infer_broadcast,                                                         \
      .rows = op_rows_broadcast,                                                           \
      .forward = forward,                                                                  \
      .backward = backward,                                                                \
      .y_unread = true,                                                                    \
      .density = &density,                                                                 \
      .check = {__VA_ARGS__},                                                              \
  };

#endif
