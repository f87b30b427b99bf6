/* adam_scalars.h - the numbers of a step of Adam, and the step sixteen parameters at a time: what
 * adam.c and the passes that do more besides (fused/) have in common, so that they give the same
 * bits. */
#ifndef BNN_ADAM_SCALARS_H
#define BNN_ADAM_SCALARS_H

#include <math.h>

#include "../vec/vec_lanes.h"
#include "rule.h"

/* A step of Adam on n parameters: Kingma & Ba 2015, algorithm 1, with the bias corrections folded
 * into two scalars (computed in double for step t, counted from 1, from b1 and b2 as they are
 * stored here: 1 - 0.999f is not 1e-3 to more than five digits). */
typedef struct adam_scalars {
  bnn_real b1, b2;  /* decay of the first and second moment */
  bnn_real rate;    /* lr / (1 - b1^t) */
  bnn_real unbias2; /* 1 / (1 - b2^t), the second moment's correction */
  bnn_real eps;
} adam_scalars;

/* Those of a step whose options are those of Adam, in its order, and whose derived numbers are rate
 * and unbias2. */
static inline adam_scalars adam_scalars_of(const bnn_step_info *info) {
  return (adam_scalars){
      .b1 = (bnn_real)info->option[1],
      .b2 = (bnn_real)info->option[2],
      .rate = (bnn_real)info->derived[0],
      .unbias2 = (bnn_real)info->derived[1],
      .eps = (bnn_real)info->option[3],
  };
}

/* Derives rate and unbias2.  b1, b2 as they are stored, so that the corrections undo just what the
 * moments did. */
static inline void adam_derive(bnn_step_info *info) {
  const double b1 = (bnn_real)info->option[1], b2 = (bnn_real)info->option[2], t = (double)info->t;
  info->derived[0] = info->lr / (1 - pow(b1, t));
  info->derived[1] = 1 / (1 - pow(b2, t));
}

#ifdef BNN_HAVE_LANES
/* One update of w and its moments by g: read in `lanes`, written in those that are `good` too. */
static inline __attribute__((always_inline)) void adam_lanes_step(float *w, float *m, float *v,
                                                                  __m512 g, adam_scalars a,
                                                                  __mmask16 lanes, __mmask16 good) {
  const __m512 b1 = _mm512_set1_ps(a.b1), b2 = _mm512_set1_ps(a.b2);
  const __m512 c1 = _mm512_set1_ps(1 - a.b1), c2 = _mm512_set1_ps(1 - a.b2);
  const __m512 first = _mm512_fmadd_ps(b1, lanes_at(m, lanes), _mm512_mul_ps(c1, g));
  const __m512 second =
      _mm512_fmadd_ps(b2, lanes_at(v, lanes), _mm512_mul_ps(_mm512_mul_ps(c2, g), g));
  const __m512 spread = lanes_root(_mm512_mul_ps(second, _mm512_set1_ps(a.unbias2)));
  const __m512 scaled = _mm512_mul_ps(_mm512_set1_ps(a.rate), first);
  const __m512 divisor = lanes_inverse(_mm512_add_ps(spread, _mm512_set1_ps(a.eps)));
  _mm512_mask_storeu_ps(m, good, first);
  _mm512_mask_storeu_ps(v, good, second);
  _mm512_mask_storeu_ps(w, good, _mm512_fnmadd_ps(scaled, divisor, lanes_at(w, lanes)));
}

#endif

/* Changes n parameters w and their moments m and v by the gradients g (adam.c). */
void BNN_ISA_NAME(adam_step)(bnn_real *w, bnn_real *m, bnn_real *v, const bnn_real *g,
                             const adam_scalars *a, size_t n);

#endif
