/* meanfield_ivon: a mean-field posterior and IVON, from the gradient at one sample to the update:
 *   dmu = g + weight mu / s^2,   dlogvar = (g (theta - mu) + weight (e^logvar / s^2 - 1)) / 2
 * (families/meanfield.c), then IVON's step (rules/ivon_step.h), whose variance is the same e^logvar.  One
 * loop, whose instructions are the compiler's: a weight comes from memory once. */
#include "../rules/ivon_step.h"
#include "fused.h"

enum { MU, LOGVAR };

/* Whether x is a number, and finite. */
static inline bool is_finite(bnn_real x) { return R(fabs)(x) <= -BNN_REAL_LOWEST; }

/* Returns how many weights have gradients that are not finite; they stay as they are. */
static __attribute__((noinline)) uint32_t pass(bnn_real *restrict mu, bnn_real *restrict logvar,
                                               bnn_real *restrict m, const bnn_real *restrict g,
                                               const bnn_real *restrict theta, bnn_real weight,
                                               bnn_real precision, ivon_scalars a, size_t n) {
  const bnn_real pull = weight * precision;
  uint32_t bad = 0;
  for (size_t i = 0; i < n; i++) {
    const ivon_weight x = {mu[i], logvar[i], m[i]};
    const bnn_real variance = vm_exp(x.logvar);
    const bnn_real spread = precision == 0 ? -1 : variance * precision - 1;
    const bnn_real dmu = g[i] + pull * x.mu;
    const bnn_real dlogvar = (g[i] * (theta[i] - x.mu) + weight * spread) / 2;
    const bool good = is_finite(dmu) && is_finite(dlogvar);
    const ivon_weight next = ivon_step(x, dmu, dlogvar, variance, a);
    mu[i] = good ? next.mu : x.mu;
    logvar[i] = good ? next.logvar : x.logvar;
    m[i] = good ? next.m : x.m;
    bad += !good;
  }
  return bad;
}

static bool update(const bnn_step_info *info, const bnn_fused_span *s) {
  return pass(s->buffer[MU], s->buffer[LOGVAR], s->slot[MU][0], s->g, s->theta, s->weight,
              s->precision, BNN_ISA_NAME(ivon_scalars_of)(info), s->n) == 0;
}

BNN_FUSED(meanfield, ivon) = {.family = "meanfield", .rule = "ivon", .update = update};
