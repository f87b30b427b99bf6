/* binomial_log_prob: log p(y | n, l) of y successes in n trials, from logits l of a success:
 *
 *   log p = log(n choose y) + y l - n softplus(l)
 *   dl = y - n sigmoid(l)
 *   dy = l + psi(n - y + 1) - psi(y + 1)     dn = psi(n + 1) - psi(n - y + 1) - softplus(l)
 *
 * Written, as bernoulli_log_prob is, (y - n [l > 0]) l - n log(1 + e^-|l|); where y - n [l > 0] is
 * 0 so is its product, of an infinite l too.  A count below 0 or above n has the probability 0. */
#include "../../vec/vec_gamma.h"
#include "log_prob_kernels.h"

static inline bool is_outside(double y, double n) { return y < 0 || y > n; }

static inline double value(double y, double l, double n) {
  if (is_outside(y, n)) return -HUGE_VAL;
  const double miss = y - (l > 0 ? n : 0), choices = vec_lgamma_ratio(n - y + 1, y);
  return choices - vec_lgamma(y + 1) + (miss == 0 ? 0 : miss * l) - n * log1p(exp(-fabs(l)));
}

BNN_KERNEL log_prob(bnn_real *restrict out, const bnn_real *restrict y, const bnn_real *restrict l,
                    const bnn_real *restrict trials, size_t n) {
  for (size_t i = 0; i < n; i++)
    out[i] = (bnn_real)value((double)y[i], (double)l[i], (double)trials[i]);
}

/* The probability of the less likely of success and failure. */
static inline double tail(double l) { return 1 / (1 + exp(fabs(l))); }

static inline double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

/* One gradient: FORMULA in y, l and m trials; 0 where p is. */
#define SLOPE(NAME, FORMULA)                                                                \
  BNN_KERNEL NAME(bnn_real *restrict d, const bnn_real *restrict dout,                      \
                  const bnn_real *restrict out, const bnn_real *restrict y_at,              \
                  const bnn_real *restrict l_at, const bnn_real *restrict m_at, size_t n) { \
    BNN_UNUSED(out);                                                                        \
    for (size_t i = 0; i < n; i++) {                                                        \
      const double y = (double)y_at[i], l = (double)l_at[i], m = (double)m_at[i];           \
      d[i] += is_outside(y, m) ? 0 : dout[i] * (bnn_real)(FORMULA);                         \
    }                                                                                       \
  }

SLOPE(slope_count, l + vec_digamma(m - y + 1) - vec_digamma(y + 1))
SLOPE(slope_logits, l > 0 ? (y - m) + m * tail(l) : y - m * tail(l))
SLOPE(slope_trials, vec_digamma(m + 1) - vec_digamma(m - y + 1) - softplus(l))

DENSITY(log_prob, slope_count, slope_logits, slope_trials)

BNN_OP(binomial_log_prob) = {
    .name = "binomial_log_prob",
    .doc =
        "binomial_log_prob(y, logits, trials): the log probability of y successes in trials, real "
        "numbers, with logits of a success, elementwise with broadcasting",
    .example = "bnn.binomial_log_prob({0, 2}, 0, 2) --> {-1.3863, -1.3863}",
    .arity = 3,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .y_unread = true,
    .check = {.lo = 0.5,
              .hi = 2,
              .tol = 1e-7,
              .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}},
              .range = {{0, 0}, {-2, 2}, {3, 6}}},
};
