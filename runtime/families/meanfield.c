/* meanfield: the Gaussian q(w) = prod_i N(mu_i, exp(logvar_i)) over all weights, each by itself:
 * theta = mu + sigma eps, the KL to the prior N(0, s^2) in closed form, and their gradients.  Graves
 * 2011; Blundell et al., "Weight uncertainty in neural networks", ICML 2015; Kingma & Welling 2014. */
#include "diagonal_gaussian.h"
#include "normal_chunks.h"

static void chunk(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from, size_t n) {
  const size_t at = from - q->first;
  BNN_UNUSED(draw);
  shift_and_scale(theta + from, q->buffer[MU] + at, q->buffer[LOGVAR] + at, n);
}

NORMAL_SAMPLES(sample, chunk)

/* ---- variances and deviations, for estimators ---- */

BNN_KERNEL variances(bnn_real *restrict variance, const bnn_real *restrict logvar, size_t n) {
  for (size_t i = 0; i < n; i++) variance[i] = vm_exp(logvar[i]);
}

static void moments_piece(const bnn_group *q, bnn_real *variance, bnn_draw draw, size_t from,
                          size_t n) {
  BNN_UNUSED(draw);
  variances(variance + from, q->buffer[LOGVAR] + (from - q->first), n);
}

static void moments(const bnn_group *q, bnn_context *context, bnn_real *variance, bnn_draw draw) {
  bnn_family_sample_pieces(q, context, moments_piece, variance, draw);
}

static void moments_backward(const bnn_group *q, bnn_span span, const bnn_real *dmean,
                             const bnn_real *dspread, const bnn_real *spread, bnn_real *const *d) {
  BNN_UNUSED(q);
  add_spread_gradient(d[MU], d[LOGVAR], dmean, dspread, spread, VARIANCE_SLOPE, span.count);
}

/* deviation holds eps when it comes in. */
BNN_KERNEL scale(bnn_real *restrict deviation, const bnn_real *restrict logvar, size_t n) {
  for (size_t i = 0; i < n; i++) deviation[i] *= vm_exp(logvar[i] / 2);
}

static void deviations_chunk(const bnn_group *q, bnn_real *deviation, bnn_draw draw, size_t from,
                             size_t n) {
  BNN_UNUSED(draw);
  scale(deviation + from, q->buffer[LOGVAR] + (from - q->first), n);
}

static void deviations_piece(const bnn_group *q, bnn_real *deviation, bnn_draw draw, size_t from,
                             size_t n) {
  normal_chunks(deviations_chunk, q, deviation, draw, from, n);
}

static void deviations(const bnn_group *q, bnn_context *context, bnn_real *deviation,
                       bnn_draw draw) {
  bnn_family_sample_pieces(q, context, deviations_piece, deviation, draw);
}

static double second_moment(const bnn_group *q, size_t tensor) {
  return location_scale_second_moment(q, tensor, 1);
}

static void std(const bnn_group *q, bnn_real *sigma) {
  scaled_sigma(sigma + q->first, q->buffer[LOGVAR], 1, q->end - q->first);
}

BNN_FAMILY(meanfield) = {
    .name = "meanfield",
    .doc = "meanfield: a Gaussian for each weight by itself (Graves 2011; Blundell et al. 2015)",
    .n_buffers = 2,
    .buffer = LOCATION_SCALE_BUFFERS,
    .sample = sample,
    .backward = location_scale_backward,
    .moments = {moments, moments_backward, VARIANCE_SLOPE},
    .deviations = LOCATION_SCALE_DEVIATIONS(deviations),
    .kl = diagonal_kl,
    .kl_backward = diagonal_kl_backward,
    .entropy = diagonal_entropy,
    .entropy_backward = location_scale_entropy_backward,
    .second_moment = second_moment,
    .std = std,
};
