/* adamw: Adam, whose decay of weights is not part of the gradient: w <- w - lr weight_decay w, then
 * adam.c's step.  Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
 * It decays what weights are, a posterior's means, and not its variances. */
#include <math.h>

#include "adam_scalars.h"

BNN_KERNEL shrink(bnn_real *restrict w, bnn_real factor, size_t n) {
  for (size_t i = 0; i < n; i++) w[i] *= factor;
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  const adam_scalars a = adam_scalars_of(info);
  if (s->decayed) shrink(s->w, (bnn_real)(1 - info->lr * info->option[4]), s->n);
  BNN_ISA_NAME(adam_step)(s->w, s->slot[0], s->slot[1], s->g, &a, s->n);
}

BNN_RULE(adamw) = {
    .name = "adamw",
    .doc =
        "adamw{lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, weight_decay=1e-2}: Adam with decoupled weight "
        "decay (Loshchilov & Hutter 2019, algorithm 2)",
    .slot = {{.name = "m"}, {.name = "v"}},
    .option =
        {
            {"lr", "learning rate", 1e-3, 0, HUGE_VAL, .open = true},
            {"b1", "decay of the mean of gradients", 0.9, 0, 1, .open = true},
            {"b2", "decay of the mean of squared gradients", 0.999, 0, 1, .open = true},
            {"eps", "added to the root of the second moment", 1e-8, 0, HUGE_VAL, .open = true},
            {"weight_decay", "share of a weight that a step of rate 1 takes away", 1e-2, 0,
             HUGE_VAL, .open = true},
        },
    .derive = adam_derive,
    .update = update,
};
