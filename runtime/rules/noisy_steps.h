/* noisy_steps.h - what samplers have in common: a step with a normal number for each element, in chunks
 * whose noise stays in the first-level cache. */
#ifndef BNN_NOISY_STEPS_H
#define BNN_NOISY_STEPS_H

#include "../vec/vec_rows.h"
#include "rule.h"

enum { NOISY_CHUNK = 1024 };

/* Changes a part of a span with its normal numbers eps [s->n]. */
typedef void noisy_step(const bnn_step_info *info, const bnn_update_span *s, const bnn_real *eps);

/* Calls f for all parts of a span. */
static inline void noisy_steps(noisy_step *f, const bnn_step_info *info, const bnn_update_span *s) {
  const bnn_key key = bnn_update_key(info, s);
  bnn_real eps[NOISY_CHUNK];
  for (size_t i = 0; i < s->n; i += NOISY_CHUNK) {
    bnn_update_span part = *s;
    part.w += i, part.g += i, part.from += i;
    part.n = s->n - i < NOISY_CHUNK ? s->n - i : NOISY_CHUNK;
    for (int k = 0; k < BNN_SLOTS_MAX; k++)
      if (part.slot[k]) part.slot[k] += i;
    VEC(normal)(eps, key, part.from, part.n);
    f(info, &part, eps);
  }
}

#endif
