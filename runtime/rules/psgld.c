/* psgld: V <- a V + (1 - a) g^2 in the first burn_in steps, and stays then;  C = 1 / (lambda + sqrt(V)),
 * w <- w - lr C g + sqrt(2 lr C noise / N) eps, eps ~ N(0, 1), from the gradient g of the mean loss of N
 * examples and -log prior / N.  Li et al., "Preconditioned stochastic gradient Langevin dynamics for
 * deep neural networks", AAAI 2016, algorithm 1, with their step eps_t = 2 lr / N.  It leaves out their
 * term Gamma, the derivative of C: with V held after burn-in that is 0, where adapting for ever without
 * it gave variances 1.56 times too large. */
#include <math.h>

#include "noisy_steps.h"
#include "tiny.h"

enum { LR, ALPHA, LAMBDA, BURN_IN };

BNN_KERNEL adapt(bnn_real *restrict v, const bnn_real *restrict g, bnn_real alpha, size_t n) {
  for (size_t i = 0; i < n; i++)
    v[i] = drop_tiny(alpha * v[i] + (1 - alpha) * g[i] * g[i], TINY_SQUARE);
}

/* scale = sqrt(2 lr noise / N). */
BNN_KERNEL step(bnn_real *restrict w, const bnn_real *restrict v, const bnn_real *restrict g,
                const bnn_real *restrict eps, bnn_real lambda, bnn_real lr, bnn_real scale,
                size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real c = 1 / (lambda + root_of(v[i]));
    w[i] += scale * R(sqrt)(c) * eps[i] - lr * c * g[i];
  }
}

static void derive(bnn_step_info *info) {
  info->derived[0] = sqrt(2 * info->lr * info->noise / info->data_size);
}

static void part(const bnn_step_info *info, const bnn_update_span *s, const bnn_real *eps) {
  step(s->w, s->slot[0], s->g, eps, (bnn_real)info->option[LAMBDA], (bnn_real)info->lr,
       (bnn_real)info->derived[0], s->n);
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  const double *o = info->option;
  if ((double)info->t <= o[BURN_IN]) adapt(s->slot[0], s->g, (bnn_real)o[ALPHA], s->n);
  noisy_steps(part, info, s);
}

BNN_RULE(psgld) = {
    .name = "psgld",
    .doc =
        "psgld{lr=1e-4, alpha=0.99, lambda=1e-5, burn_in=1000}: SGLD with the step of each weight "
        "scaled by its gradients' size, as in RMSProp (Li et al. 2016). "
        "For layers whose gradients differ in size, as those of deep networks do",
    .slot = {{"v", 1}},
    .option =
        {
            {"lr", "step in units of the mean loss: the paper's is 2 lr / N", 1e-4, 0, HUGE_VAL,
             .open = true},
            {"alpha", "decay of the mean of squared gradients", 0.99, 0, 1, .open = true},
            {"lambda", "added to the root of the mean of squared gradients", 1e-5, 0, HUGE_VAL,
             .open = true},
            {"burn_in", "steps in which the scale adapts; collectors begin after them", 1000, 0,
             HUGE_VAL, .open = true, .whole = true},
        },
    .needs_data_size = true,
    .draws_noise = true,
    .derive = derive,
    .update = update,
};
