/* rmsprop: v <- alpha v + (1 - alpha) g^2,  u <- momentum u + g / (sqrt(v) + eps),  w <- w - lr u.
 * Tieleman & Hinton, lecture 6.5 of "Neural networks for machine learning", Coursera 2012, in PyTorch's
 * form (eps outside of the root, momentum after the division). */
#include <math.h>

#include "rule.h"
#include "tiny.h"

BNN_KERNEL step(bnn_real *restrict w, bnn_real *restrict v, bnn_real *restrict u,
                const bnn_real *restrict g, bnn_real lr, bnn_real alpha, bnn_real eps,
                bnn_real momentum, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real d = drop_tiny(g[i], TINY_GRADIENT);
    v[i] = drop_tiny(alpha * v[i] + (1 - alpha) * d * d, TINY_SQUARE);
    u[i] = drop_tiny(momentum * u[i] + d / (root_of(v[i]) + eps), TINY_MOMENT);
    w[i] -= lr * u[i];
  }
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  step(s->w, s->slot[0], s->slot[1], s->g, (bnn_real)info->lr, (bnn_real)info->option[1],
       (bnn_real)info->option[2], (bnn_real)info->option[3], s->n);
}

BNN_RULE(rmsprop) = {
    .name = "rmsprop",
    .doc =
        "rmsprop{lr=1e-2, alpha=0.99, eps=1e-8, momentum=0}: gradients over the root of their mean "
        "square (Tieleman & Hinton 2012; PyTorch's form)",
    .slot = {{.name = "square"}, {.name = "velocity"}},
    .option =
        {
            {"lr", "learning rate", 1e-2, 0, HUGE_VAL, .open = true},
            {"alpha", "decay of the mean of squared gradients", 0.99, 0, 1, .open = true},
            {"eps", "added to the root of that mean", 1e-8, 0, HUGE_VAL, .open = true},
            {"momentum", "share of the last step that is kept", 0, 0, 1, .open = true},
        },
    .update = update,
};
