/* swag: the Gaussian of SWAG around the mean of weights on a path of gradient descent, of covariance half
 * their variances plus a matrix of low rank, their K last deviations:
 *   theta = mu + sigma eps / sqrt(2) + sum_k z_k deviation_k / sqrt(2 (K - 1)),
 * eps and z_k ~ N(0, 1); with K = 1 the last is divided by sqrt(2).  Maddox et al., "A simple baseline
 * for Bayesian uncertainty in deep learning", NeurIPS 2019, equation 1.  It predicts, and is not
 * trained. */
#include <math.h>

#include "low_rank_noise.h"

enum { MU, SIGMA, DEVIATION };

static size_t size_of(const bnn_group *q) { return q->end - q->first; }

/* What a deviation is multiplied by, beside z_k. */
static double scale_of(const bnn_group *q) {
  return 1 / sqrt(2 * (q->rows > 1 ? (double)(q->rows - 1) : 1));
}

/* theta holds eps when it comes in. */
BNN_KERNEL shift_and_scale(bnn_real *restrict theta, const bnn_real *restrict mu,
                           const bnn_real *restrict sigma, size_t n) {
  for (size_t i = 0; i < n; i++) theta[i] = mu[i] + sigma[i] * (bnn_real)M_SQRT1_2 * theta[i];
}

static void chunk(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from, size_t n) {
  const size_t at = from - q->first;
  shift_and_scale(theta + from, q->buffer[MU] + at, q->buffer[SIGMA] + at, n);
  add_rows(q, q->buffer[DEVIATION], theta + from, draw, (bnn_real)scale_of(q), at, n);
}

NORMAL_SAMPLES(sample, chunk)

static void std(const bnn_group *q, bnn_real *sigma) {
  const double scale = scale_of(q);
  for (size_t i = 0; i < size_of(q); i++) {
    const double own = (double)q->buffer[SIGMA][i];
    double sum = own * own / 2;
    for (size_t k = 0; k < q->rows; k++) {
      const double x = scale * (double)q->buffer[DEVIATION][k * size_of(q) + i];
      sum += x * x;
    }
    sigma[q->first + i] = (bnn_real)sqrt(sum);
  }
}

BNN_FAMILY(swag) = {
    .name = "swag",
    .doc = "swag: a Gaussian of low rank around averaged weights (Maddox et al. 2019)",
    .n_buffers = 3,
    .buffer = {{"mu", "the mean", .decayed = true},
               {"sigma", "the standard deviation of each weight along the path", .decayed = false},
               {"deviation", "a row for each of the last weights: their distance from the mean",
                .has_rows = true}},
    .sample = sample,
    .std = std,
};
