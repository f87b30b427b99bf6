/* ivon_step.h - a step of IVON on one weight: what ivon.c and the pass that does more besides (fused/)
 * have in common. */
#ifndef BNN_IVON_STEP_H
#define BNN_IVON_STEP_H

#include "../vec/vec_math.h"
#include "rule.h"
#include "tiny.h"

#define IVON_MOST_U 64 /* |u| is far below 1 but for gradients that are out of all bounds */

typedef struct ivon_scalars {
  bnn_real b1, gain; /* of u: 2 (1 - b2) N */
  bnn_real unbias;   /* N / (1 - b1^t) */
  bnn_real rate, clip;
} ivon_scalars;

/* Those of a step whose options and derived numbers are those of ivon.c. */
ivon_scalars BNN_ISA_NAME(ivon_scalars_of)(const bnn_step_info *info);

typedef struct ivon_weight {
  bnn_real mu, logvar, m;
} ivon_weight;

/* x within [-most, most]; NaN stays. */
static inline bnn_real ivon_within(bnn_real x, bnn_real most) {
  return x > most ? most : x < -most ? -most : x;
}

/* From the gradients for mu and logvar, and variance = e^logvar (formulas: ivon.c). */
static inline ivon_weight ivon_step(ivon_weight x, bnn_real dmu, bnn_real dlogvar,
                                    bnn_real variance, ivon_scalars a) {
  const bnn_real u = ivon_within(a.gain * dlogvar, IVON_MOST_U), more = u + u * u / 2;
  x.logvar -= vm_log1p(more);
  x.m = drop_tiny(a.b1 * x.m + (1 - a.b1) * dmu, TINY_MOMENT);
  x.mu -= a.rate * ivon_within(a.unbias * x.m * (variance / (1 + more)), a.clip);
  return x;
}

#endif
