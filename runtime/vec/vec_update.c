/* vec_update.c - the steps of the optimizers, each one pass over parameters and state. */
#include <math.h>

#include "vec_rows.h"

/* m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= lr mhat / (sqrt(vhat) + eps), as Kingma &
 * Ba have them (v + (1 - b2) (g^2 - v) would lose v's digits when b2 is near 0); rate and unbias2
 * hold the corrections. */
BNN_KERNEL adam(bnn_real *restrict w, bnn_real *restrict m, bnn_real *restrict v,
                const bnn_real *restrict g, bnn_adam_scalars a, size_t n) {
  const bnn_real c1 = 1 - a.b1, c2 = 1 - a.b2;
  for (size_t i = 0; i < n; i++) {
    m[i] = a.b1 * m[i] + c1 * g[i];
    v[i] = a.b2 * v[i] + c2 * g[i] * g[i];
    w[i] -= a.rate * m[i] / (R(sqrt)(v[i] * a.unbias2) + a.eps);
  }
}

void VEC(adam)(bnn_real *w, bnn_real *m, bnn_real *v, const bnn_real *g, const bnn_adam_scalars *a,
               size_t n) {
  adam(w, m, v, g, *a, n);
}

BNN_KERNEL sgd(bnn_real *restrict w, const bnn_real *restrict g, bnn_real lr, size_t n) {
  for (size_t i = 0; i < n; i++) w[i] -= lr * g[i];
}

void VEC(sgd)(bnn_real *w, const bnn_real *g, bnn_real lr, size_t n) { sgd(w, g, lr, n); }

/* m <- mu m + (1 - dampening) g; the step is along m. */
BNN_KERNEL heavy_ball(bnn_real *restrict w, bnn_real *restrict m, const bnn_real *restrict g,
                      bnn_real lr, bnn_real mu, bnn_real share, size_t n) {
  for (size_t i = 0; i < n; i++) {
    m[i] = mu * m[i] + share * g[i];
    w[i] -= lr * m[i];
  }
}

/* The same m; the step is along g + mu m (Sutskever et al. 2013, in PyTorch's form). */
BNN_KERNEL nesterov_step(bnn_real *restrict w, bnn_real *restrict m, const bnn_real *restrict g,
                         bnn_real lr, bnn_real mu, bnn_real share, size_t n) {
  for (size_t i = 0; i < n; i++) {
    m[i] = mu * m[i] + share * g[i];
    w[i] -= lr * (g[i] + mu * m[i]);
  }
}

void VEC(momentum)(bnn_real *w, bnn_real *m, const bnn_real *g, bnn_real lr, bnn_real mu,
                   bnn_real dampening, bool nesterov, size_t n) {
  (nesterov ? nesterov_step : heavy_ball)(w, m, g, lr, mu, 1 - dampening, n);
}
