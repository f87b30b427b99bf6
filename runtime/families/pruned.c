/* pruned: a mean-field Gaussian some of whose weights are taken out, as a mask of 0 and 1 says: those
 * are 0 in every sample, and are no part of the model, so they have no KL.  Graves 2011, section 5;
 * Blundell et al., "Weight uncertainty in neural networks", ICML 2015, section 5.1.  It predicts, and
 * is not trained. */
#include <math.h>

#include "location_scale.h"
#include "normal_chunks.h"

enum { MASK = LOGVAR + 1 };

/* theta holds eps when it comes in. */
BNN_KERNEL shift_and_scale(bnn_real *restrict theta, const bnn_real *restrict mu,
                           const bnn_real *restrict logvar, const bnn_real *restrict mask,
                           size_t n) {
  for (size_t i = 0; i < n; i++) theta[i] = mask[i] * (mu[i] + vm_exp(logvar[i] / 2) * theta[i]);
}

BNN_KERNEL multiply(bnn_real *restrict out, const bnn_real *restrict x,
                    const bnn_real *restrict mask, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = mask[i] * x[i];
}

static void chunk(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from, size_t n) {
  const size_t at = from - q->first;
  BNN_UNUSED(draw);
  shift_and_scale(theta + from, q->buffer[MU] + at, q->buffer[LOGVAR] + at, q->buffer[MASK] + at,
                  n);
}

NORMAL_SAMPLES(sample, chunk)

static void mean(const bnn_group *q, bnn_real *theta) {
  multiply(theta + q->first, q->buffer[MU], q->buffer[MASK], q->end - q->first);
}

static void std(const bnn_group *q, bnn_real *sigma) {
  const size_t n = q->end - q->first;
  scaled_sigma(sigma + q->first, q->buffer[LOGVAR], 1, n);
  for (size_t i = 0; i < n; i++) sigma[q->first + i] *= R(fabs)(q->buffer[MASK][i]);
}

/* f(mu, logvar, number) summed over the weights of a tensor that are left; times the mask, which is 1
 * there, so that NaN comes out. */
typedef double term(double mu, double logvar, double number);

static double over_the_rest(const bnn_group *q, size_t tensor, term *f, double number) {
  const bnn_param *p = &q->layout->param[tensor];
  const size_t at = p->offset - q->first;
  double sum = 0;
  for (size_t i = at; i < at + p->size; i++) {
    const double mask = fabs((double)q->buffer[MASK][i]);
    if (mask == 0) continue;
    sum += mask * f((double)q->buffer[MU][i], (double)q->buffer[LOGVAR][i], number);
  }
  return sum;
}

/* Twice the KL to N(0, s^2), as in meanfield.c. */
static double kl_term(double mu, double logvar, double s) {
  const double m = mu / s;
  return vm_exp_rest(logvar - 2 * log(s)) + m * m;
}

static double kl(const bnn_group *q, size_t tensor, double prior_std) {
  return over_the_rest(q, tensor, kl_term, prior_std) / 2;
}

static double entropy_term(double mu, double logvar, double constant) {
  BNN_UNUSED(mu);
  return logvar / 2 + constant;
}

static double entropy(const bnn_group *q, size_t tensor) {
  return over_the_rest(q, tensor, entropy_term, log(2 * M_PI * M_E) / 2);
}

BNN_FAMILY(pruned) = {
    .name = "pruned",
    .doc =
        "pruned: a mean-field Gaussian without the weights that a mask takes out (Blundell et al. "
        "2015)",
    .n_buffers = 3,
    .buffer = {{"mu", "the mean", .decayed = true},
               {"logvar", "the log-variance", .decayed = false},
               {"mask", "1 of the weights that are left, 0 of the others", .decayed = false}},
    .sample = sample,
    .mean = mean,
    .kl = kl,
    .entropy = entropy,
    .std = std,
};
