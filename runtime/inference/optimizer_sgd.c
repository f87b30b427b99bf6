/* sgd: v <- momentum v + (1 - dampening) g,  w <- w - lr v  (nesterov: w <- w - lr (g + momentum
 * v)). The heavy ball of Polyak 1964; Nesterov's form as Sutskever et al. 2013 (and PyTorch) write
 * it. */
#include <math.h>

#include "../kernels/isa.h"
#include "optimizer.h"

static void update(const bnn_update *u, bnn_real *w, const bnn_real *g, bnn_real *const *slot,
                   size_t n) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  double momentum = u->option[1];
  if (momentum == 0) {
    vec->sgd(w, g, (bnn_real)u->lr, n);
    return;
  }
  double dampening = u->t == 1 ? 0 : u->option[2]; /* the first step takes the whole gradient */
  vec->momentum(w, slot[0], g, (bnn_real)u->lr, (bnn_real)momentum, (bnn_real)dampening,
                u->option[3] != 0, n);
}

const bnn_optimizer bnn_optimizer_sgd = {
    .name = "sgd",
    .doc = "sgd{lr=1e-2, momentum=0, dampening=0, nesterov=0}: gradient descent, with momentum "
           "(Polyak 1964; Nesterov's form by Sutskever et al. 2013)",
    .n_slots = 1,
    .n_options = 4,
    .option =
        {
            {"lr", "learning rate", 1e-2, 0, HUGE_VAL, .open = true},
            {"momentum", "share of the last step that is kept", 0, 0, 1, .open = true},
            {"dampening", "share of the gradient that is left out of the momentum", 0, 0, 1,
             .open = false},
            {"nesterov", "1 looks ahead by the momentum, 0 does not", 0, 0, 1, .whole = true},
        },
    .update = update,
};
