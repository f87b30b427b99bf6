/* meanfield_ivon: a mean-field posterior and IVON, from the gradient at one sample to the update:
 *   dmu = g + weight mu / s^2,   dlogvar = (h + weight (e^logvar / s^2 - 1)) / 2
 * for h = g (theta - mu), or with spreads 2 slope dspread spread (families/meanfield.c), then IVON's step
 * (rules/ivon_step.h), whose variance is the same e^logvar.  Loops whose instructions are the compiler's:
 * a weight comes from memory once. */
#include "../rules/ivon_step.h"
#include "fused.h"

enum { MU, LOGVAR };

/* What all weights of a call have in common. */
typedef struct pass_scalars {
  ivon_scalars ivon;
  bnn_real slope, weight, precision;
} pass_scalars;

/* Whether x is a number, and finite. */
static inline bool is_finite(bnn_real x) { return R(fabs)(x) <= -BNN_REAL_LOWEST; }

/* Steps weight *x with the gradient g and h; one whose gradients are not finite stays, and gives 1. */
static inline uint32_t step(ivon_weight *x, bnn_real g, bnn_real h, pass_scalars a) {
  const bnn_real variance = vm_exp(x->logvar);
  const bnn_real spread = a.precision == 0 ? -1 : variance * a.precision - 1;
  const bnn_real dmu = g + a.weight * a.precision * x->mu;
  const bnn_real dlogvar = (h + a.weight * spread) / 2;
  const bool good = is_finite(dmu) && is_finite(dlogvar);
  const ivon_weight next = ivon_step(*x, dmu, dlogvar, variance, a.ivon);
  x->mu = good ? next.mu : x->mu;
  x->logvar = good ? next.logvar : x->logvar;
  x->m = good ? next.m : x->m;
  return !good;
}

/* From the gradients at a sample.  *bad: how many weights have stayed. */
BNN_KERNEL at_sample(bnn_real *restrict mu, bnn_real *restrict logvar, bnn_real *restrict m,
                     const bnn_real *restrict g, const bnn_real *restrict theta, pass_scalars a,
                     size_t n, uint32_t *restrict bad) {
  uint32_t count = 0;
  for (size_t i = 0; i < n; i++) {
    ivon_weight x = {mu[i], logvar[i], m[i]};
    count += step(&x, g[i], g[i] * (theta[i] - x.mu), a);
    mu[i] = x.mu, logvar[i] = x.logvar, m[i] = x.m;
  }
  *bad = count;
}

/* The same from those of means and spreads. */
BNN_KERNEL at_spreads(bnn_real *restrict mu, bnn_real *restrict logvar, bnn_real *restrict m,
                      const bnn_real *restrict g, const bnn_real *restrict dspread,
                      const bnn_real *restrict spread, pass_scalars a, size_t n,
                      uint32_t *restrict bad) {
  uint32_t count = 0;
  for (size_t i = 0; i < n; i++) {
    ivon_weight x = {mu[i], logvar[i], m[i]};
    count += step(&x, g[i], 2 * a.slope * dspread[i] * spread[i], a);
    mu[i] = x.mu, logvar[i] = x.logvar, m[i] = x.m;
  }
  *bad = count;
}

static bool update(const bnn_step_info *info, const bnn_fused_span *s) {
  const pass_scalars a = {BNN_ISA_NAME(ivon_scalars_of)(info), s->slope, s->weight, s->precision};
  bnn_real *mu = s->buffer[MU], *logvar = s->buffer[LOGVAR], *m = s->slot[MU][0];
  uint32_t bad;
  if (s->dspread)
    at_spreads(mu, logvar, m, s->g, s->dspread, s->spread, a, s->n, &bad);
  else
    at_sample(mu, logvar, m, s->g, s->theta, a, s->n, &bad);
  return bad == 0;
}

BNN_FUSED(meanfield, ivon) = {.family = "meanfield", .rule = "ivon", .update = update};
