/* point: weights that are one value each, without a distribution: a point estimate (a delta).  What a
 * prior does to them is its cross-entropy, -log prior(mu): a MAP estimate. */
#include <string.h>

#include "family.h"

static void sample(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw,
                   int64_t s) {
  BNN_UNUSED(s);
  BNN_UNUSED(context);
  BNN_UNUSED(draw);
  memcpy(theta + q->first, q->buffer[0], (q->end - q->first) * sizeof *theta);
}

BNN_KERNEL add(bnn_real *restrict d, const bnn_real *restrict g, size_t n) {
  for (size_t i = 0; i < n; i++) d[i] += g[i];
}

static void backward(const bnn_group *q, bnn_span span, bnn_draw draw, const bnn_real *g,
                     const bnn_real *theta, bnn_real *const *d) {
  BNN_UNUSED(q);
  BNN_UNUSED(draw);
  BNN_UNUSED(theta);
  add(d[0], g, span.count);
}

static double second_moment(const bnn_group *q, size_t tensor) {
  const bnn_param *p = &q->layout->param[tensor];
  const bnn_real *mu = q->buffer[0] + (p->offset - q->first);
  double sum = 0;
  for (size_t i = 0; i < p->size; i++) sum += (double)mu[i] * (double)mu[i];
  return sum;
}

BNN_FAMILY(point) = {
    .name = "point",
    .doc = "point: one value for each weight",
    .n_buffers = 1,
    .buffer = {{"mu", "the values", .decayed = true}},
    .is_point = true,
    .sample = sample,
    .backward = backward,
    .second_moment = second_moment,
};
