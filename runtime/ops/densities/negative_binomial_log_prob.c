/* negative_binomial_log_prob: log p(y | r, l) of counts y before r failures, with logits l of
 * success, so that the mean is r e^l:
 *
 *   log p = log Gamma(y + r) - log Gamma(r) - log(y!) - r softplus(l) - y softplus(-l)
 *   dl = y sigmoid(-l) - r sigmoid(l)
 *   dr = psi(y + r) - psi(r) - softplus(l)     dy = psi(y + r) - psi(y + 1) - softplus(-l)
 *
 * For r to infinity at mean m = r e^l it is Poisson(m).  The success 0, l = -inf: the count 0 is
 * certain. A count below 0 has the probability 0. */
#include "../../vec/vec_gamma.h"
#include "log_prob_kernels.h"

static inline double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

static inline double value(double y, double l, double r) {
  if (y < 0) return -HUGE_VAL;
  const double tail = y == 0 ? 0 : y * softplus(-l);
  return vec_lgamma_ratio(r, y) - vec_lgamma(y + 1) - r * softplus(l) - tail;
}

BNN_KERNEL log_prob(bnn_real *restrict out, const bnn_real *restrict y, const bnn_real *restrict l,
                    const bnn_real *restrict r, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = (bnn_real)value((double)y[i], (double)l[i], (double)r[i]);
}

/* One gradient: FORMULA in y, l and r; 0 where p is. */
#define SLOPE(NAME, FORMULA)                                                                \
  BNN_KERNEL NAME(bnn_real *restrict d, const bnn_real *restrict dout,                      \
                  const bnn_real *restrict out, const bnn_real *restrict y_at,              \
                  const bnn_real *restrict l_at, const bnn_real *restrict r_at, size_t n) { \
    BNN_UNUSED(out);                                                                        \
    for (size_t i = 0; i < n; i++) {                                                        \
      const double y = (double)y_at[i], l = (double)l_at[i], r = (double)r_at[i];           \
      BNN_UNUSED(r);                                                                        \
      d[i] += y < 0 ? 0 : dout[i] * (bnn_real)(FORMULA);                                    \
    }                                                                                       \
  }

SLOPE(slope_count, vec_digamma(y + r) - vec_digamma(y + 1) - softplus(-l))
SLOPE(slope_logits, (y == 0 ? 0 : y / (1 + exp(l))) - r / (1 + exp(-l)))
SLOPE(slope_failures, vec_digamma(y + r) - vec_digamma(r) - softplus(l))

DENSITY(log_prob, slope_count, slope_logits, slope_failures)

BNN_OP(negative_binomial_log_prob) = {
    .name = "negative_binomial_log_prob",
    .doc =
        "negative_binomial_log_prob(y, logits, total_count): the log probability of counts y, real "
        "numbers, before total_count failures, with logits of success: mean total_count e^logits, "
        "elementwise with broadcasting",
    .example = "bnn.negative_binomial_log_prob({0, 2}, 0, 2) --> {-1.3863, -1.6740}",
    .arity = 3,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .y_unread = true,
    .check = {.lo = 0.5, .hi = 3, .tol = 1e-7},
};
