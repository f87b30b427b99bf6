/* meanfield_adam: a mean-field posterior and Adam, from the gradient at one sample to the update:
 *   dmu = g + weight mu / s^2,   dlogvar = (h + weight (e^logvar / s^2 - 1)) / 2
 * for h = g (theta - mu), or with spreads 2 slope dspread spread (families/meanfield.c), then both
 * updates (rules/adam.c).
 *
 * In passes of their own these wait for one another's loads and stores; in one, a parameter comes
 * from memory once.  Elsewhere two loops do it, a chunk at a time, whose gradients stay in the
 * first-level cache. */
#include "../rules/adam_scalars.h"
#include "../vec/vec_math.h"
#include "../vec/vec_rows.h"
#include "fused.h"

enum { MU, LOGVAR };

/* n parameters, their moments ([0] the first ones, [1] the second), and what is theirs in the step. */
typedef struct meanfield_part {
  bnn_real *mu, *logvar;
  bnn_real *slot_mu[2], *slot_logvar[2];
  const bnn_real *g, *theta, *dspread, *spread;
  bnn_real slope, weight, precision;
} meanfield_part;

#ifdef BNN_HAVE_LANES

/* dmu = g + weight precision mu,  dlogvar = (h + weight (e^logvar precision - 1)) / 2. */
static inline __attribute__((always_inline)) void lanes_grad(__m512 *dmu, __m512 *dlogvar, __m512 g,
                                                             __m512 h, __m512 mu, __m512 logvar,
                                                             float weight, float precision) {
  const __m512 spread = lanes_exp_scaled_less_1(logvar, precision);
  *dmu = _mm512_fmadd_ps(_mm512_set1_ps(weight * precision), mu, g);
  *dlogvar =
      _mm512_mul_ps(_mm512_set1_ps(0.5f), _mm512_fmadd_ps(_mm512_set1_ps(weight), spread, h));
}

/* Vector i; gives the lanes that are not finite.  By value: what is stored may not change what p and
 * a hold. */
static inline __attribute__((always_inline)) __mmask16
step(meanfield_part p, adam_scalars a, size_t i, __mmask16 lanes, bool has_spread) {
  const __m512 most = _mm512_set1_ps(FLT_MAX);
  const __m512 g = lanes_at(p.g + i, lanes), mu = lanes_at(p.mu + i, lanes);
  const __m512 h = has_spread ? _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(2 * p.slope),
                                                            lanes_at(p.dspread + i, lanes)),
                                              lanes_at(p.spread + i, lanes))
                              : _mm512_mul_ps(g, _mm512_sub_ps(lanes_at(p.theta + i, lanes), mu));
  __m512 dmu, dlogvar;
  lanes_grad(&dmu, &dlogvar, g, h, mu, lanes_at(p.logvar + i, lanes), p.weight, p.precision);
  const __mmask16 finite = _mm512_mask_cmp_ps_mask(lanes, _mm512_abs_ps(dmu), most, _CMP_LE_OQ) &
                           _mm512_cmp_ps_mask(_mm512_abs_ps(dlogvar), most, _CMP_LE_OQ);
  adam_lanes_step(p.mu + i, p.slot_mu[0] + i, p.slot_mu[1] + i, dmu, a, lanes, finite);
  adam_lanes_step(p.logvar + i, p.slot_logvar[0] + i, p.slot_logvar[1] + i, dlogvar, a, lanes,
                  finite);
  return lanes & (__mmask16)~finite;
}

static inline __attribute__((always_inline)) bool steps(meanfield_part p, adam_scalars a, size_t n,
                                                        bool has_spread) {
  __mmask16 bad = 0;
  size_t i = 0;
  for (; i + LANES_N <= n; i += LANES_N) bad |= step(p, a, i, LANES_ALL, has_spread);
  const __mmask16 rest = lanes_of(n - i);
  if (rest) bad |= step(p, a, i, rest, has_spread);
  return bad == 0;
}

static __attribute__((noinline)) bool in_lanes(meanfield_part p, adam_scalars a, size_t n) {
  return steps(p, a, n, false);
}

static __attribute__((noinline)) bool spread_in_lanes(meanfield_part p, adam_scalars a, size_t n) {
  return steps(p, a, n, true);
}

static bool pass(const meanfield_part *p, const adam_scalars *a, size_t n) {
  const unsigned before = lanes_flush_subnormals();
  const bool good = (p->dspread ? spread_in_lanes : in_lanes)(*p, *a, n);
  _mm_setcsr(before);
  return good;
}

#else

enum { CHUNK = 256 };

BNN_KERNEL gradient(bnn_real *restrict dmu, bnn_real *restrict dlogvar, const bnn_real *restrict g,
                    const bnn_real *restrict theta, const bnn_real *restrict mu,
                    const bnn_real *restrict logvar, bnn_real weight, bnn_real precision,
                    size_t n) {
  const bnn_real pull = weight * precision;
  for (size_t i = 0; i < n; i++) {
    const bnn_real h = g[i] * (theta[i] - mu[i]);
    dmu[i] = g[i] + pull * mu[i];
    dlogvar[i] = (h + weight * vm_exp_scaled_less_1(logvar[i], precision)) / 2;
  }
}

BNN_KERNEL spread_gradient(bnn_real *restrict dmu, bnn_real *restrict dlogvar,
                           const bnn_real *restrict g, const bnn_real *restrict dspread,
                           const bnn_real *restrict spread, const bnn_real *restrict mu,
                           const bnn_real *restrict logvar, bnn_real slope, bnn_real weight,
                           bnn_real precision, size_t n) {
  const bnn_real pull = weight * precision;
  for (size_t i = 0; i < n; i++) {
    const bnn_real h = 2 * slope * dspread[i] * spread[i];
    dmu[i] = g[i] + pull * mu[i];
    dlogvar[i] = (h + weight * vm_exp_scaled_less_1(logvar[i], precision)) / 2;
  }
}

static void gradients(bnn_real *dmu, bnn_real *dlogvar, const meanfield_part *p, size_t i,
                      size_t n) {
  if (p->dspread)
    spread_gradient(dmu, dlogvar, p->g + i, p->dspread + i, p->spread + i, p->mu + i, p->logvar + i,
                    p->slope, p->weight, p->precision, n);
  else
    gradient(dmu, dlogvar, p->g + i, p->theta + i, p->mu + i, p->logvar + i, p->weight,
             p->precision, n);
}

/* A chunk whose gradients are not finite stays as it is. */
static bool pass(const meanfield_part *p, const adam_scalars *a, size_t n) {
  bnn_real dmu[CHUNK], dlogvar[CHUNK];
  bool good = true;
  for (size_t i = 0, count; i < n; i += count) {
    count = n - i < CHUNK ? n - i : CHUNK;
    gradients(dmu, dlogvar, p, i, count);
    if (!VEC(finite)(dmu, count) || !VEC(finite)(dlogvar, count)) {
      good = false;
      continue;
    }
    BNN_ISA_NAME(adam_step)
    (p->mu + i, p->slot_mu[0] + i, p->slot_mu[1] + i, dmu, a, count);
    BNN_ISA_NAME(adam_step)
    (p->logvar + i, p->slot_logvar[0] + i, p->slot_logvar[1] + i, dlogvar, a, count);
  }
  return good;
}

#endif

static bool update(const bnn_step_info *info, const bnn_fused_span *s) {
  const adam_scalars a = adam_scalars_of(info);
  const meanfield_part p = {
      .mu = s->buffer[MU],
      .logvar = s->buffer[LOGVAR],
      .slot_mu = {s->slot[MU][0], s->slot[MU][1]},
      .slot_logvar = {s->slot[LOGVAR][0], s->slot[LOGVAR][1]},
      .g = s->g,
      .theta = s->theta,
      .dspread = s->dspread,
      .spread = s->spread,
      .slope = s->slope,
      .weight = s->weight,
      .precision = s->precision,
  };
  return pass(&p, &a, s->n);
}

BNN_FUSED(meanfield, adam) = {.family = "meanfield", .rule = "adam", .update = update};
