/* adam: m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
 *       w <- w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 * Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.  The bias
 * corrections are computed in double once a step.  A second moment of 0 or infinity counts as the
 * least or the largest number, so a w without gradients stays, eps = 0 or not. */
#include <math.h>

#include "adam_scalars.h"
#include "tiny.h"

#ifndef BNN_HAVE_LANES
/* m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= lr mhat / (sqrt(vhat) + eps), as Kingma &
 * Ba have them (v + (1 - b2) (g^2 - v) would lose v's digits when b2 is near 0); rate and unbias2
 * hold the corrections. */
BNN_KERNEL adam(bnn_real *restrict w, bnn_real *restrict m, bnn_real *restrict v,
                const bnn_real *restrict g, adam_scalars a, size_t n) {
  const bnn_real c1 = 1 - a.b1, c2 = 1 - a.b2;
  for (size_t i = 0; i < n; i++) {
    const bnn_real d = drop_tiny(g[i], TINY_GRADIENT);
    m[i] = drop_tiny(a.b1 * m[i] + c1 * d, TINY_MOMENT);
    v[i] = drop_tiny(a.b2 * v[i] + c2 * d * d, TINY_SQUARE);
    w[i] -= a.rate * m[i] / (root_of(v[i] * a.unbias2) + a.eps);
  }
}
#endif

#ifdef BNN_HAVE_LANES
/* The same by vec/vec_lanes.h. */
static __attribute__((noinline)) void adam_lanes(float *w, float *m, float *v, const float *g,
                                                 adam_scalars a, size_t n) {
  size_t i = 0;
  for (; i + LANES_N <= n; i += LANES_N)
    adam_lanes_step(w + i, m + i, v + i, lanes_at(g + i, LANES_ALL), a, LANES_ALL, LANES_ALL);
  const __mmask16 rest = lanes_of(n - i);
  if (rest) adam_lanes_step(w + i, m + i, v + i, lanes_at(g + i, rest), a, rest, rest);
}

void BNN_ISA_NAME(adam_step)(bnn_real *w, bnn_real *m, bnn_real *v, const bnn_real *g,
                             const adam_scalars *a, size_t n) {
  const unsigned before = lanes_flush_subnormals();
  adam_lanes(w, m, v, g, *a, n);
  _mm_setcsr(before);
}
#else
void BNN_ISA_NAME(adam_step)(bnn_real *w, bnn_real *m, bnn_real *v, const bnn_real *g,
                             const adam_scalars *a, size_t n) {
  adam(w, m, v, g, *a, n);
}
#endif

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  const adam_scalars a = adam_scalars_of(info);
  BNN_ISA_NAME(adam_step)(s->w, s->slot[0], s->slot[1], s->g, &a, s->n);
}

BNN_RULE(adam) = {
    .name = "adam",
    .doc = "adam{lr=1e-3, b1=0.9, b2=0.999, eps=1e-8}: Adam with bias correction "
           "(Kingma & Ba 2015, algorithm 1)",
    .slot = {{.name = "m"}, {.name = "v"}},
    .option =
        {
            {"lr", "learning rate", 1e-3, 0, HUGE_VAL, .open = true},
            {"b1", "decay of the mean of gradients", 0.9, 0, 1, .open = true},
            {"b2", "decay of the mean of squared gradients", 0.999, 0, 1, .open = true},
            {"eps", "added to the root of the second moment", 1e-8, 0, HUGE_VAL, .open = true},
        },
    .derive = adam_derive,
    .update = update,
};
