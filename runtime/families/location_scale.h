/* location_scale.h - what families whose samples are mu + sigma u have in common, for any noise u that
 * does not depend on mu and sigma = exp(logvar / 2): theta - mu carries all that a gradient needs. */
#ifndef BNN_LOCATION_SCALE_H
#define BNN_LOCATION_SCALE_H

#include "../vec/vec_math.h"
#include "family.h"

enum { MU, LOGVAR };

#define LOCATION_SCALE_BUFFERS                                                              \
  {                                                                                         \
    {"mu", "the mean", .decayed = true}, { "logvar", "the log-variance", .decayed = false } \
  }

/* dmu += g,  dlogvar += g (theta - mu) / 2. */
BNN_KERNEL add_gradient(bnn_real *restrict dmu, bnn_real *restrict dlogvar,
                        const bnn_real *restrict g, const bnn_real *restrict theta,
                        const bnn_real *restrict mu, size_t n) {
  const bnn_real half = (bnn_real)0.5;
  for (size_t i = 0; i < n; i++) {
    dmu[i] += g[i];
    dlogvar[i] += half * g[i] * (theta[i] - mu[i]);
  }
}

static inline void location_scale_backward(const bnn_group *q, bnn_span span, bnn_draw draw,
                                           const bnn_real *g, const bnn_real *theta,
                                           bnn_real *const *d) {
  BNN_UNUSED(draw);
  add_gradient(d[MU], d[LOGVAR], g, theta, q->buffer[MU] + (span.first - q->first), span.count);
}

/* dmu += dmean,  dlogvar += scale dspread spread. */
BNN_KERNEL add_spread_gradient(bnn_real *restrict dmu, bnn_real *restrict dlogvar,
                               const bnn_real *restrict dmean, const bnn_real *restrict dspread,
                               const bnn_real *restrict spread, bnn_real scale, size_t n) {
  for (size_t i = 0; i < n; i++) {
    dmu[i] += dmean[i];
    dlogvar[i] += scale * dspread[i] * spread[i];
  }
}

/* The derivatives by logvar of a variance sigma^2 and of a deviation sigma u are these times it. */
#define VARIANCE_SLOPE ((bnn_real)1)
#define DEVIATION_SLOPE ((bnn_real)0.5)

static inline void location_scale_deviations_backward(const bnn_group *q, bnn_span span,
                                                      const bnn_real *dmean,
                                                      const bnn_real *dspread,
                                                      const bnn_real *spread, bnn_real *const *d) {
  BNN_UNUSED(q);
  add_spread_gradient(d[MU], d[LOGVAR], dmean, dspread, spread, DEVIATION_SLOPE, span.count);
}

#define LOCATION_SCALE_DEVIATIONS(draw) \
  { draw, location_scale_deviations_backward, DEVIATION_SLOPE }

/* The sum of log sigma over a tensor: its entropy but for a constant. */
static inline double location_scale_log_sigma(const bnn_group *q, size_t tensor) {
  const bnn_param *p = &q->layout->param[tensor];
  const bnn_real *logvar = q->buffer[LOGVAR] + (p->offset - q->first);
  double sum = 0;
  for (size_t i = 0; i < p->size; i++) sum += (double)logvar[i];
  return sum / 2;
}

enum { MOMENT_LANES = 16 };

BNN_KERNEL add_moments(double *restrict sum, const bnn_real *restrict mu,
                       const bnn_real *restrict logvar, bnn_real share, size_t rows) {
  for (size_t i = 0; i < rows * MOMENT_LANES; i += MOMENT_LANES)
    for (size_t l = 0; l < MOMENT_LANES; l++)
      sum[l] += (double)(mu[i + l] * mu[i + l] + share * vm_exp(logvar[i + l]));
}

/* sum of mu^2 + share sigma^2 over a tensor: E w^2 of a noise whose variance is share sigma^2.  One
 * running sum per lane, so that the order of summation is fixed and the loop vectorises. */
static inline double location_scale_second_moment(const bnn_group *q, size_t tensor, double share) {
  const bnn_param *p = &q->layout->param[tensor];
  const bnn_real *mu = q->buffer[MU] + (p->offset - q->first);
  const bnn_real *logvar = q->buffer[LOGVAR] + (p->offset - q->first);
  double lane[MOMENT_LANES] = {0}, sum = 0;
  add_moments(lane, mu, logvar, (bnn_real)share, p->size / MOMENT_LANES);
  for (size_t i = p->size - p->size % MOMENT_LANES; i < p->size; i++)
    sum += (double)mu[i] * (double)mu[i] + share * (double)vm_exp(logvar[i]);
  for (size_t l = 0; l < MOMENT_LANES; l++) sum += lane[l];
  return sum;
}

BNN_KERNEL scaled_sigma(bnn_real *restrict sigma, const bnn_real *restrict logvar, bnn_real scale,
                        size_t n) {
  for (size_t i = 0; i < n; i++) sigma[i] = scale * vm_exp(logvar[i] / 2);
}

BNN_KERNEL add_number(bnn_real *restrict d, bnn_real number, size_t n) {
  for (size_t i = 0; i < n; i++) d[i] += number;
}

static inline void location_scale_entropy_backward(const bnn_group *q, bnn_span span,
                                                   bnn_real weight, bnn_real *const *d) {
  BNN_UNUSED(q);
  add_number(d[LOGVAR], weight / 2, span.count);
}

#endif
