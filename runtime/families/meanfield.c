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

static void sample_piece(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from,
                         size_t n) {
  normal_chunks(chunk, q, theta, draw, from, n);
}

static void sample(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw,
                   int64_t s) {
  BNN_UNUSED(s);
  bnn_family_sample_pieces(q, context, sample_piece, theta, draw);
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
    .kl = diagonal_kl,
    .kl_backward = diagonal_kl_backward,
    .entropy = diagonal_entropy,
    .entropy_backward = location_scale_entropy_backward,
    .second_moment = second_moment,
    .std = std,
};
