/* lion: w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w),  m <- b2 m + (1 - b2) g.  Chen et al.,
 * "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.  Weight decay is for
 * means, as adamw has it. */
#include <math.h>

#include "rule.h"
#include "tiny.h"

BNN_KERNEL step(bnn_real *restrict w, bnn_real *restrict m, const bnn_real *restrict g, bnn_real lr,
                bnn_real b1, bnn_real b2, bnn_real decay, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real c = b1 * m[i] + (1 - b1) * g[i];
    const bnn_real sign = c > 0 ? 1 : c < 0 ? -1 : c; /* NaN shows */
    w[i] -= lr * sign + decay * w[i];
    m[i] = drop_tiny(b2 * m[i] + (1 - b2) * g[i], TINY_MOMENT);
  }
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  const double decay = s->decayed ? info->lr * info->option[3] : 0;
  step(s->w, s->slot[0], s->g, (bnn_real)info->lr, (bnn_real)info->option[1],
       (bnn_real)info->option[2], (bnn_real)decay, s->n);
}

BNN_RULE(lion) = {
    .name = "lion",
    .doc = "lion{lr=1e-4, b1=0.9, b2=0.99, weight_decay=0}: signs of a momentum "
           "(Chen et al. 2023, algorithm 2)",
    .slot = {{.name = "m"}},
    .option =
        {
            {"lr", "learning rate: how far each weight moves", 1e-4, 0, HUGE_VAL, .open = true},
            {"b1", "share of the momentum in the direction", 0.9, 0, 1, .open = true},
            {"b2", "decay of the momentum", 0.99, 0, 1, .open = true},
            {"weight_decay", "share of a weight that a step of rate 1 takes away", 0, 0, HUGE_VAL,
             .open = true},
        },
    .update = update,
};
