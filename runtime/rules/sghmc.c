/* sghmc: v <- (1 - alpha) v - lr g + sqrt(2 alpha lr noise / N) eps,  w <- w + v,  eps ~ N(0, 1), from
 * the gradient g of the mean loss of N examples and -log prior / N: gradient descent with momentum and
 * the noise that makes its weights samples of the posterior.  Chen, Fox & Guestrin, "Stochastic gradient
 * Hamiltonian Monte Carlo", ICML 2014, equation 15 with their beta = 0 and learning rate eta = lr / N.
 * The velocity first: the other order is explicit Euler, which blows up at usual rates. */
#include <math.h>

#include "noisy_steps.h"
#include "tiny.h"

enum { LR, ALPHA };

BNN_KERNEL step(bnn_real *restrict w, bnn_real *restrict v, const bnn_real *restrict g,
                const bnn_real *restrict eps, bnn_real kept, bnn_real lr, bnn_real scale,
                size_t n) {
  for (size_t i = 0; i < n; i++) {
    v[i] = drop_tiny(kept * v[i] - lr * g[i] + scale * eps[i], TINY_MOMENT);
    w[i] += v[i];
  }
}

static void derive(bnn_step_info *info) {
  info->derived[0] = sqrt(2 * info->option[ALPHA] * info->lr * info->noise / info->data_size);
}

static void part(const bnn_step_info *info, const bnn_update_span *s, const bnn_real *eps) {
  const bnn_real kept = (bnn_real)(1 - info->option[ALPHA]);
  step(s->w, s->slot[0], s->g, eps, kept, (bnn_real)info->lr, (bnn_real)info->derived[0], s->n);
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  noisy_steps(part, info, s);
}

BNN_RULE(sghmc) = {
    .name = "sghmc",
    .doc =
        "sghmc{lr=1e-2, alpha=0.05}: stochastic-gradient Hamiltonian Monte Carlo (Chen et al. 2014). "
        "The sampler to start with: half of the steps to get to the posterior, then samples far "
        "apart, with a collector",
    .slot = {{.name = "velocity"}},
    .option =
        {
            {"lr", "learning rate in units of the mean loss: the paper's eta is lr / N", 1e-2, 0,
             HUGE_VAL, .open = true},
            {"alpha", "friction: the share of the velocity that a step loses", 0.05, 0, 1,
             .open = false},
        },
    .needs_data_size = true,
    .draws_noise = true,
    .derive = derive,
    .update = update,
};
