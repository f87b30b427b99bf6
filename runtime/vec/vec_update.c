/* vec_update.c - the steps of the optimizers, each one pass over parameters and state.
 *
 * Subnormal numbers can cost a processor a hundred times what others do, and they do come up: the
 * moments of a weight without gradient decay for ever (0.9 times the smallest number rounds to
 * itself), and so does a weight that nothing but the prior pulls at, such as those of pixels that
 * are 0 in every image.  With MNIST two thirds of an update's time went there on a Xeon.  So a
 * gradient whose square would be subnormal counts as 0, and moments end before they are subnormal;
 * NaN stays.  (With AVX-512 the processor takes them all for 0 meanwhile: vec_lanes.h.) */
#include <math.h>

#include "vec_lanes.h"
#include "vec_rows.h"

/* Below these |x| counts as 0: gradients, first moments, second moments. */
#ifdef BNN_REAL_DOUBLE
enum { TINY_GRADIENT = -500, TINY_MOMENT = -1000, TINY_SQUARE = -1010 }; /* powers of 2 */
#else
enum { TINY_GRADIENT = -56, TINY_MOMENT = -110, TINY_SQUARE = -116 };
#endif

/* x, or 0 where |x| < 2^power. */
static inline bnn_real drop_tiny(bnn_real x, int power) {
  return R(fabs)(x) < (bnn_real)__builtin_ldexp(1, power) ? 0 : x;
}

#ifndef BNN_HAVE_LANES
/* The root of x in [0, inf], of 0 and inf those of the least and the largest number, as vec_lanes.h
 * has it: then with eps = 0 a parameter without a gradient stays where it is, instead of 0 / 0.  NaN
 * stays. */
static inline bnn_real root_of(bnn_real x) {
  const bnn_real least = BNN_REAL_LEAST, largest = -BNN_REAL_LOWEST;
  return R(sqrt)(x < least ? least : x > largest ? largest : x);
}

/* m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= lr mhat / (sqrt(vhat) + eps), as Kingma &
 * Ba have them (v + (1 - b2) (g^2 - v) would lose v's digits when b2 is near 0); rate and unbias2
 * hold the corrections. */
BNN_KERNEL adam(bnn_real *restrict w, bnn_real *restrict m, bnn_real *restrict v,
                const bnn_real *restrict g, bnn_adam_scalars a, size_t n) {
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
/* The same by vec_lanes.h. */
static __attribute__((noinline)) void adam_lanes(float *w, float *m, float *v, const float *g,
                                                 bnn_adam_scalars a, size_t n) {
  size_t i = 0;
  for (; i + LANES_N <= n; i += LANES_N)
    lanes_adam(w + i, m + i, v + i, lanes_at(g + i, LANES_ALL), a, LANES_ALL, LANES_ALL);
  const __mmask16 rest = lanes_of(n - i);
  if (rest) lanes_adam(w + i, m + i, v + i, lanes_at(g + i, rest), a, rest, rest);
}

void VEC(adam)(bnn_real *w, bnn_real *m, bnn_real *v, const bnn_real *g, const bnn_adam_scalars *a,
               size_t n) {
  const unsigned before = lanes_flush_subnormals();
  adam_lanes(w, m, v, g, *a, n);
  _mm_setcsr(before);
}
#else
void VEC(adam)(bnn_real *w, bnn_real *m, bnn_real *v, const bnn_real *g, const bnn_adam_scalars *a,
               size_t n) {
  adam(w, m, v, g, *a, n);
}
#endif

BNN_KERNEL sgd(bnn_real *restrict w, const bnn_real *restrict g, bnn_real lr, size_t n) {
  for (size_t i = 0; i < n; i++) w[i] -= lr * g[i];
}

void VEC(sgd)(bnn_real *w, const bnn_real *g, bnn_real lr, size_t n) { sgd(w, g, lr, n); }

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

void VEC(momentum)(bnn_real *w, bnn_real *m, const bnn_real *g, bnn_real lr, bnn_real mu,
                   bnn_real dampening, bool nesterov, size_t n) {
  (nesterov ? nesterov_step : heavy_ball)(w, m, g, lr, mu, 1 - dampening, n);
}
