/* poisson_log_prob: log p(y | e^l) = y l - e^l - log(y!), from the logarithm l of the rate.
 *
 *   dl = y - e^l     dy = l - psi(y + 1)
 *
 * The rate 0, l = -inf: the count 0 is certain, y l is 0 there, any other impossible.
 *
 * log(y!) is libm's lgamma(y + 1) in double: defined for counts that are no integers as well, and
 * infinite (so log p is -inf) at negative integers.  psi, its slope, is good to 1e-12. */
#include "../../vec/vec_gamma.h"
#include "log_prob_kernels.h"

BNN_KERNEL log_prob(bnn_real *restrict out, const bnn_real *restrict y, const bnn_real *restrict l,
                    const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) out[i] = vm_exp(l[i]);
  for (size_t i = 0; i < n; i++)
    out[i] =
        (bnn_real)((y[i] == 0 ? 0 : (double)y[i] * l[i]) - out[i] - vec_lgamma((double)y[i] + 1));
}

BNN_KERNEL slope_count(bnn_real *restrict d, const bnn_real *restrict dout,
                       const bnn_real *restrict out, const bnn_real *restrict y,
                       const bnn_real *restrict l, const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(out), BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) d[i] += dout[i] * (bnn_real)(l[i] - vec_digamma((double)y[i] + 1));
}

BNN_KERNEL slope_log_rate(bnn_real *restrict d, const bnn_real *restrict dout,
                          const bnn_real *restrict out, const bnn_real *restrict y,
                          const bnn_real *restrict l, const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(out), BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) d[i] += dout[i] * (y[i] - vm_exp(l[i]));
}

DENSITY(log_prob, slope_count, slope_log_rate)

BNN_OP(poisson_log_prob) = {
    .name = "poisson_log_prob",
    .doc = "poisson_log_prob(y, log_rate): y log_rate - e^log_rate - log(y!), the log "
           "probability of counts y, elementwise with broadcasting; y is real, and "
           "log(y!) is lgamma(y + 1) for any y",
    .example = "bnn.poisson_log_prob({0, 2}, 0) --> {-1, -1.6931}",
    .arity = 2,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = 0.5, .hi = 3, .tol = 1e-7},
};
