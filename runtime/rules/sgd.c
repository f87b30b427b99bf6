/* sgd: v <- momentum v + (1 - dampening) g,  w <- w - lr v  (nesterov: w <- w - lr (g + momentum
 * v)). The heavy ball of Polyak 1964; Nesterov's form as Sutskever et al. 2013 (and PyTorch) write
 * it. */
#include <math.h>

#include "rule.h"
#include "tiny.h"

BNN_KERNEL sgd(bnn_real *restrict w, const bnn_real *restrict g, bnn_real lr, size_t n) {
  for (size_t i = 0; i < n; i++) w[i] -= lr * g[i];
}

/* m <- mu m + (1 - dampening) g; the step is along m. */
BNN_KERNEL heavy_ball(bnn_real *restrict w, bnn_real *restrict m, const bnn_real *restrict g,
                      bnn_real lr, bnn_real mu, bnn_real share, size_t n) {
  for (size_t i = 0; i < n; i++) {
    m[i] = drop_tiny(mu * m[i] + share * g[i], TINY_MOMENT);
    w[i] -= lr * m[i];
  }
}

/* The same m; the step is along g + mu m (Sutskever et al. 2013, in PyTorch's form). */
BNN_KERNEL nesterov_step(bnn_real *restrict w, bnn_real *restrict m, const bnn_real *restrict g,
                         bnn_real lr, bnn_real mu, bnn_real share, size_t n) {
  for (size_t i = 0; i < n; i++) {
    m[i] = drop_tiny(mu * m[i] + share * g[i], TINY_MOMENT);
    w[i] -= lr * (g[i] + mu * m[i]);
  }
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  const bnn_real lr = (bnn_real)info->lr, momentum = (bnn_real)info->option[1];
  if (momentum == 0) {
    sgd(s->w, s->g, lr, s->n);
    return;
  }
  const double dampening = info->t == 1 ? 0 : info->option[2]; /* the first step takes all of g */
  const bool nesterov = info->option[3] != 0;
  (nesterov ? nesterov_step : heavy_ball)(s->w, s->slot[0], s->g, lr, momentum,
                                          1 - (bnn_real)dampening, s->n);
}

BNN_RULE(sgd) = {
    .name = "sgd",
    .doc = "sgd{lr=1e-2, momentum=0, dampening=0, nesterov=0}: gradient descent, with momentum "
           "(Polyak 1964; Nesterov's form by Sutskever et al. 2013)",
    .slot = {{.name = "velocity"}},
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
