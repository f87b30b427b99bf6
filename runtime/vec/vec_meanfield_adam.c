/* vec_meanfield_adam.c - a step of Adam on a mean-field posterior in one pass: gradients of the loss
 * and of the KL (vec_meanfield.c), then both updates (vec_update.c), to the same bits.
 *
 * In passes of their own these wait for one another's loads and stores; in one, a parameter comes
 * from memory once (AVX-512, by vec_lanes.h).  Elsewhere the two kernels do it, a chunk at a time,
 * whose gradients stay in the first-level cache. */
#include "vec_lanes.h"
#include "vec_rows.h"

#ifdef BNN_HAVE_LANES

/* Vector i; gives the lanes that are not finite.  By value: what is stored may not change what p and
 * a hold. */
static inline __attribute__((always_inline)) __mmask16
step(bnn_meanfield_step p, bnn_adam_scalars a, size_t i, __mmask16 lanes) {
  const __m512 most = _mm512_set1_ps(FLT_MAX);
  const __m512 g = lanes_at(p.g + i, lanes), mu = lanes_at(p.mu + i, lanes);
  const __m512 h = _mm512_mul_ps(g, _mm512_sub_ps(lanes_at(p.theta + i, lanes), mu));
  __m512 dmu, dlogvar;
  lanes_grad(&dmu, &dlogvar, g, h, mu, lanes_at(p.logvar + i, lanes), p.weight, p.precision);
  const __mmask16 finite = _mm512_mask_cmp_ps_mask(lanes, _mm512_abs_ps(dmu), most, _CMP_LE_OQ) &
                           _mm512_cmp_ps_mask(_mm512_abs_ps(dlogvar), most, _CMP_LE_OQ);
  lanes_adam(p.mu + i, p.slot_mu[0] + i, p.slot_mu[1] + i, dmu, a, lanes, finite);
  lanes_adam(p.logvar + i, p.slot_logvar[0] + i, p.slot_logvar[1] + i, dlogvar, a, lanes, finite);
  return lanes & (__mmask16)~finite;
}

static __attribute__((noinline)) bool in_lanes(bnn_meanfield_step p, bnn_adam_scalars a, size_t n) {
  __mmask16 bad = 0;
  size_t i = 0;
  for (; i + LANES_N <= n; i += LANES_N) bad |= step(p, a, i, LANES_ALL);
  const __mmask16 rest = lanes_of(n - i);
  if (rest) bad |= step(p, a, i, rest);
  return bad == 0;
}

bool VEC(meanfield_adam)(const bnn_meanfield_step *p, const bnn_adam_scalars *a, size_t n) {
  const unsigned before = lanes_flush_subnormals();
  const bool good = in_lanes(*p, *a, n);
  _mm_setcsr(before);
  return good;
}

#else

enum { CHUNK = 256 };

/* A chunk whose gradients are not finite stays as it is. */
bool VEC(meanfield_adam)(const bnn_meanfield_step *p, const bnn_adam_scalars *a, size_t n) {
  bnn_real dmu[CHUNK], dlogvar[CHUNK];
  bool good = true;
  for (size_t i = 0, count; i < n; i += count) {
    count = n - i < CHUNK ? n - i : CHUNK;
    VEC(meanfield_grad)
    (dmu, dlogvar, p->g + i, p->theta + i, p->mu + i, p->logvar + i, p->weight, p->precision,
     count);
    if (!VEC(finite)(dmu, count) || !VEC(finite)(dlogvar, count)) {
      good = false;
      continue;
    }
    VEC(adam)(p->mu + i, p->slot_mu[0] + i, p->slot_mu[1] + i, dmu, a, count);
    VEC(adam)(p->logvar + i, p->slot_logvar[0] + i, p->slot_logvar[1] + i, dlogvar, a, count);
  }
  return good;
}

#endif
