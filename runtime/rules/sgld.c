/* sgld: w <- w - lr g + sqrt(2 lr noise / N) eps, eps ~ N(0, 1), from the gradient g of the mean loss of N
 * examples and -log prior / N (an objective at temperature 1): for small rates the weights are samples
 * of the posterior.  Welling & Teh, "Bayesian learning via stochastic gradient Langevin dynamics",
 * ICML 2011, equation 4, with their step eps_t = 2 lr / N. */
#include <math.h>

#include "noisy_steps.h"

BNN_KERNEL step(bnn_real *restrict w, const bnn_real *restrict g, const bnn_real *restrict eps,
                bnn_real lr, bnn_real scale, size_t n) {
  for (size_t i = 0; i < n; i++) w[i] += scale * eps[i] - lr * g[i];
}

static void derive(bnn_step_info *info) {
  info->derived[0] = sqrt(2 * info->lr * info->noise / info->data_size);
}

static void part(const bnn_step_info *info, const bnn_update_span *s, const bnn_real *eps) {
  step(s->w, s->g, eps, (bnn_real)info->lr, (bnn_real)info->derived[0], s->n);
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  noisy_steps(part, info, s);
}

BNN_RULE(sgld) = {
    .name = "sgld",
    .doc =
        "sgld{lr=1e-3}: stochastic-gradient Langevin dynamics (Welling & Teh 2011). "
        "The simplest sampler: its weights are samples of the posterior as exactly as lr is small, "
        "and wander slowly. Use sghmc first; this one to check it, or where memory is short",
    .option = {{"lr", "step in units of the mean loss: the paper's is 2 lr / N", 1e-3, 0, HUGE_VAL,
                .open = true}},
    .needs_data_size = true,
    .draws_noise = true,
    .derive = derive,
    .update = update,
};
