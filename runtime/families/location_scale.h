/* location_scale.h - what families whose samples are mu + sigma u have in common, for any noise u that
 * does not depend on mu and sigma = exp(logvar / 2): theta - mu carries all that a gradient needs. */
#ifndef BNN_LOCATION_SCALE_H
#define BNN_LOCATION_SCALE_H

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

static void location_scale_backward(const bnn_group *q, bnn_span span, bnn_key key,
                                    const bnn_real *g, const bnn_real *theta, bnn_real *const *d) {
  BNN_UNUSED(key);
  add_gradient(d[MU], d[LOGVAR], g, theta, q->buffer[MU] + (span.first - q->first), span.count);
}

/* The sum of log sigma over a tensor: its entropy but for a constant. */
static inline double location_scale_log_sigma(const bnn_group *q, size_t tensor) {
  const bnn_param *p = &q->layout->param[tensor];
  const bnn_real *logvar = q->buffer[LOGVAR] + (p->offset - q->first);
  double sum = 0;
  for (size_t i = 0; i < p->size; i++) sum += (double)logvar[i];
  return sum / 2;
}

BNN_KERNEL add_number(bnn_real *restrict d, bnn_real number, size_t n) {
  for (size_t i = 0; i < n; i++) d[i] += number;
}

static void location_scale_entropy_backward(const bnn_group *q, bnn_span span, bnn_real weight,
                                            bnn_real *const *d) {
  BNN_UNUSED(q);
  add_number(d[LOGVAR], weight / 2, span.count);
}

#endif
