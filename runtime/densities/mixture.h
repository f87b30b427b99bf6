/* mixture.h - two densities of one form and different scales, mixed: with weights w1 = a, w2 = 1 -
 * a and scales s1 = b, s2 = c
 *
 *   p(x) = sum_k w_k f(x / s_k) / s_k,   log f(z) = -q(z) - LOG_F
 *
 * By the responsibilities r_k = w_k f_k / p, with d = log(w1 f1) - log(w2 f2):
 *
 *   log p = logsumexp_k log(w_k f_k)     r1 = sigmoid(d), r2 = sigmoid(-d)
 *   dx = -sum_k r_k q'(z_k) / s_k        ds_k = r_k (z_k q'(z_k) - 1) / s_k
 *   dw1 = (f1 - f2) / p
 *
 * No density is exponentiated before it is compared with the other one: small scales underflow at
 * once. The file that includes this defines q and q_slope, of |z| and of z, and LOG_F. */
#ifndef BNN_MIXTURE_H
#define BNN_MIXTURE_H

#include "density_row.h"

static inline bnn_real q(bnn_real size);
static inline bnn_real q_slope(bnn_real z);

/* What of d = log(w1 f1) - log(w2 f2) does not depend on x, and the distance up to which it is
 * taken by q: 1e18 of the smaller scale, so that no square overflows. */
static inline bnn_real log_odds_at_0(bnn_real a, bnn_real b, bnn_real c) {
  return (vm_log(a) - vm_log1p(-a)) - (vm_log(b) - vm_log(c));
}

static inline bnn_real farthest(bnn_real b, bnn_real c) { return (bnn_real)1e18 * (b < c ? b : c); }

/* d from these. */
static inline bnn_real log_odds_from(bnn_real x, bnn_real b, bnn_real c, bnn_real at_0,
                                     bnn_real most) {
  const bnn_real size = R(fabs)(x), near = size > most ? most : size;
  return at_0 - (q(near / b) - q(near / c));
}

static inline bnn_real log_odds(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return log_odds_from(x, b, c, log_odds_at_0(a, b, c), farthest(b, c));
}

static inline bnn_real log_f(bnn_real x, bnn_real s) {
  return -q(R(fabs)(x / s)) - vm_log(s) - LOG_F;
}

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  const bnn_real d = log_odds(x, a, b, c), rest = vm_log1p(vm_exp(-R(fabs)(d)));
  return (d > 0 ? vm_log(a) + log_f(x, b) : vm_log1p(-a) + log_f(x, c)) + rest;
}

/* r y, where a share of 0 takes nothing from y, which may have overflowed. */
static inline bnn_real share_of(bnn_real r, bnn_real y) { return r == 0 ? 0 : r * y; }

static inline bnn_real slope_from(bnn_real x, bnn_real b, bnn_real c, bnn_real d) {
  const bnn_real first = share_of(vm_sigmoid(d), q_slope(x / b) / b);
  return -first - share_of(vm_sigmoid(-d), q_slope(x / c) / c);
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return slope_from(x, b, c, log_odds(x, a, b, c));
}

static inline bnn_real slope_of_scale(bnn_real x, bnn_real s, bnn_real r) {
  const bnn_real z = x / s;
  return share_of(r, (z * q_slope(z) - 1) / s);
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  const bnn_real all = value(x, a, b, c);
  return vm_exp(log_f(x, b) - all) - vm_exp(log_f(x, c) - all);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return slope_of_scale(x, b, vm_sigmoid(log_odds(x, a, b, c)));
}

static inline bnn_real slope_c(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return slope_of_scale(x, c, vm_sigmoid(-log_odds(x, a, b, c)));
}

/* The prior's kernel takes the logarithms out of its loop itself, which the compiler does not
 * do. */
BNN_KERNEL mixture_pull(bnn_real *restrict out, const bnn_real *restrict g,
                        const bnn_real *restrict x, const bnn_real *param, bnn_real weight,
                        size_t n) {
  const bnn_real b = param[1], c = param[2];
  const bnn_real at_0 = log_odds_at_0(param[0], b, c), most = farthest(b, c);
  for (size_t i = 0; i < n; i++)
    out[i] = g[i] - weight * slope_from(x[i], b, c, log_odds_from(x[i], b, c, at_0, most));
}

#define MIXTURE_KERNELS .pull = mixture_pull, .log_prob = log_prob, .moments = moments

#endif
