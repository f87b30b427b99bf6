/* bernoulli_log_prob: log p(t | sigmoid(l)) = t l - softplus(l), from logits.
 *
 * Written (t - [l > 0]) l - log(1 + e^-|l|), so that nothing overflows and a confident right answer
 * keeps its digits.  t may be any number in [0, 1], as for grey pixels.
 *   dl = t - sigmoid(l) = (t - [l > 0]) +- sigmoid(-|l|)     dt = l
 *
 * Where t - [l > 0] is 0 so is its product, of an infinite l too.
 *
 * The logarithm is stored before it is subtracted: fused into one expression, the vector loop and
 * its scalar tail contracted it differently, and a block of rows had other bits than the whole
 * batch. */
#include "log_prob_kernels.h"

BNN_KERNEL log_prob(bnn_real *restrict y, const bnn_real *restrict l, const bnn_real *restrict t,
                    const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) y[i] = vm_log1p(vm_exp(-R(fabs)(l[i])));
  for (size_t i = 0; i < n; i++) {
    const bnn_real miss = t[i] - (l[i] > 0 ? 1 : 0), of = miss == 0 ? 0 : l[i];
    y[i] = miss * of - y[i];
  }
}

BNN_KERNEL slope_logits(bnn_real *restrict d, const bnn_real *restrict dy,
                        const bnn_real *restrict y, const bnn_real *restrict l,
                        const bnn_real *restrict t, const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(y), BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) {
    const bnn_real tail = vm_sigmoid(-R(fabs)(l[i]));
    d[i] += dy[i] * (l[i] > 0 ? (t[i] - 1) + tail : t[i] - tail);
  }
}

BNN_KERNEL slope_targets(bnn_real *restrict d, const bnn_real *restrict dy,
                         const bnn_real *restrict y, const bnn_real *restrict l,
                         const bnn_real *restrict t, const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(y), BNN_UNUSED(t), BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) d[i] += dy[i] * l[i];
}

DENSITY(log_prob, slope_logits, slope_targets)

BNN_OP(bernoulli_log_prob) = {
    .name = "bernoulli_log_prob",
    .doc = "bernoulli_log_prob(logits, targets): targets * logits - softplus(logits), "
           "the log probability of targets in [0, 1], elementwise with broadcasting",
    .example = "bnn.bernoulli_log_prob({0, 2}, {1, 0}) --> {-0.6931, -2.1269}",
    .arity = 2,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = 0, .hi = 1, .tol = 1e-8},
};
