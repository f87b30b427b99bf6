/* empirical: a bank of weights, each as likely as any other: the members of an ensemble
 * (Lakshminarayanan et al. 2017), or what a sampler has collected.  It predicts, and is not trained. */
#include <math.h>
#include <string.h>

#include "family.h"

static size_t size_of(const bnn_group *q) { return q->end - q->first; }

static void sample(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw,
                   int64_t s) {
  BNN_UNUSED(context);
  BNN_UNUSED(draw);
  const size_t row = (size_t)(s - 1) % q->rows;
  memcpy(theta + q->first, q->buffer[0] + row * size_of(q), size_of(q) * sizeof *theta);
}

/* The running mean, so that equal members give their bits. */
static void mean(const bnn_group *q, bnn_real *theta) {
  bnn_real *out = theta + q->first;
  memcpy(out, q->buffer[0], size_of(q) * sizeof *out);
  for (size_t s = 1; s < q->rows; s++) {
    const bnn_real *row = q->buffer[0] + s * size_of(q);
    for (size_t i = 0; i < size_of(q); i++) out[i] += (row[i] - out[i]) / (bnn_real)(s + 1);
  }
}

/* Weight i over the rows of the bank, by the sum of squares around the mean: equal members give 0. */
static double deviation(const bnn_group *q, size_t i) {
  double mean = 0, squares = 0; /* Welford 1962 */
  for (size_t s = 0; s < q->rows; s++) {
    const double x = (double)q->buffer[0][s * size_of(q) + i], miss = x - mean;
    mean += miss / (double)(s + 1);
    squares += miss * (x - mean);
  }
  return sqrt(squares / (double)q->rows);
}

static void std(const bnn_group *q, bnn_real *sigma) {
  for (size_t i = 0; i < size_of(q); i++) sigma[q->first + i] = (bnn_real)deviation(q, i);
}

BNN_FAMILY(empirical) = {
    .name = "empirical",
    .doc = "empirical: a bank of weights, each as likely as any other",
    .n_buffers = 1,
    .is_finite = true,
    .buffer = {{"bank", "the weights, a row for each network", .has_rows = true}},
    .sample = sample,
    .mean = mean,
    .std = std,
};
