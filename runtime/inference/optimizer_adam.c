/* adam: m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
 *       w <- w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 * Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.  The bias
 * corrections are computed in double once a step. */
#include <math.h>

#include "../kernels/isa.h"
#include "optimizer.h"

/* rate and unbias2 of bnn_adam_scalars.  b1, b2 as they are stored, so that the corrections undo
 * just what the moments did. */
static void derive(bnn_update *u) {
  double b1 = (bnn_real)u->option[1], b2 = (bnn_real)u->option[2], t = (double)u->t;
  u->derived[0] = u->lr / (1 - pow(b1, t));
  u->derived[1] = 1 / (1 - pow(b2, t));
}

static bnn_adam_scalars scalars_of(const bnn_update *u) {
  return (bnn_adam_scalars){
      .b1 = (bnn_real)u->option[1],
      .b2 = (bnn_real)u->option[2],
      .rate = (bnn_real)u->derived[0],
      .unbias2 = (bnn_real)u->derived[1],
      .eps = (bnn_real)u->option[3],
  };
}

static void update(const bnn_update *u, bnn_real *w, const bnn_real *g, bnn_real *const *slot,
                   size_t n) {
  const bnn_adam_scalars a = scalars_of(u);
  bnn_isa_get()->vec->adam(w, slot[0], slot[1], g, &a, n);
}

static bool update_meanfield(const bnn_update *u, const bnn_meanfield_step *s, size_t n) {
  const bnn_adam_scalars a = scalars_of(u);
  return bnn_isa_get()->vec->meanfield_adam(s, &a, n);
}

const bnn_optimizer bnn_optimizer_adam = {
    .name = "adam",
    .doc = "adam{lr=1e-3, b1=0.9, b2=0.999, eps=1e-8}: Adam with bias correction "
           "(Kingma & Ba 2015, algorithm 1)",
    .n_slots = 2,
    .n_options = 4,
    .option =
        {
            {"lr", "learning rate", 1e-3, 0, HUGE_VAL, .open = true},
            {"b1", "decay of the mean of gradients", 0.9, 0, 1, .open = true},
            {"b2", "decay of the mean of squared gradients", 0.999, 0, 1, .open = true},
            {"eps", "added to the root of the second moment", 1e-8, 0, HUGE_VAL, .open = true},
        },
    .derive = derive,
    .update = update,
    .update_meanfield = update_meanfield,
};
