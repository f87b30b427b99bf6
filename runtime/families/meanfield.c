/* meanfield: the Gaussian q(w) = prod_i N(mu_i, exp(logvar_i)) over all weights, each by itself:
 * theta = mu + sigma eps, the KL to the prior N(0, s^2) in closed form, and their gradients.  Graves
 * 2011; Blundell et al., "Weight uncertainty in neural networks", ICML 2015; Kingma & Welling 2014. */
#include "../vec/vec_math.h"
#include "location_scale.h"
#include "normal_chunks.h"

enum { LANES = 16 };

/* ---- samples ---- */

/* theta holds eps when it comes in. */
BNN_KERNEL shift_and_scale(bnn_real *restrict theta, const bnn_real *restrict mu,
                           const bnn_real *restrict logvar, size_t n) {
  for (size_t i = 0; i < n; i++) theta[i] = mu[i] + vm_exp(logvar[i] / 2) * theta[i];
}

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

/* ---- moments and deviations, for estimators ---- */

BNN_KERNEL means_and_variances(bnn_real *restrict mean, bnn_real *restrict variance,
                               const bnn_real *restrict mu, const bnn_real *restrict logvar,
                               size_t n) {
  for (size_t i = 0; i < n; i++) {
    mean[i] = mu[i];
    variance[i] = vm_exp(logvar[i]);
  }
}

static void moments_piece(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from,
                          size_t n) {
  const size_t at = from - q->first;
  BNN_UNUSED(draw);
  means_and_variances(theta + from, theta + q->layout->size + from, q->buffer[MU] + at,
                      q->buffer[LOGVAR] + at, n);
}

static void moments(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw) {
  bnn_family_sample_pieces(q, context, moments_piece, theta, draw);
}

/* The derivative of e^logvar is itself. */
static void moments_backward(const bnn_group *q, bnn_span span, const bnn_real *dmean,
                             const bnn_real *dspread, const bnn_real *spread, bnn_real *const *d) {
  BNN_UNUSED(q);
  add_spread_gradient(d[MU], d[LOGVAR], dmean, dspread, spread, 1, span.count);
}

/* deviation holds eps when it comes in. */
BNN_KERNEL means_and_deviations(bnn_real *restrict mean, bnn_real *restrict deviation,
                                const bnn_real *restrict mu, const bnn_real *restrict logvar,
                                size_t n) {
  for (size_t i = 0; i < n; i++) {
    mean[i] = mu[i];
    deviation[i] *= vm_exp(logvar[i] / 2);
  }
}

static void deviations_chunk(const bnn_group *q, bnn_real *deviation, bnn_draw draw, size_t from,
                             size_t n) {
  const size_t at = from - q->first;
  BNN_UNUSED(draw);
  means_and_deviations(deviation - q->layout->size + from, deviation + from, q->buffer[MU] + at,
                       q->buffer[LOGVAR] + at, n);
}

static void deviations_piece(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from,
                             size_t n) {
  normal_chunks(deviations_chunk, q, theta + q->layout->size, draw, from, n);
}

static void deviations(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw) {
  bnn_family_sample_pieces(q, context, deviations_piece, theta, draw);
}

/* ---- KL and entropy ---- */

/* Twice the KL of one weight, e^u - 1 - u + (mu / s)^2 for u = logvar - log s^2: two terms that are
 * not negative, so that near the prior, where they are small, none takes the other's digits. */
static inline double kl_term(double mu, double logvar, double s, double log_s) {
  const double m = mu / s;
  return vm_exp_rest(logvar - 2 * log_s) + m * m;
}

/* sum[l] += the terms of rows of LANES. */
BNN_KERNEL add_terms(double *restrict sum, const bnn_real *restrict mu,
                     const bnn_real *restrict logvar, double s, double log_s, size_t rows) {
  for (size_t i = 0; i < rows * LANES; i += LANES)
    for (size_t l = 0; l < LANES; l++) sum[l] += kl_term(mu[i + l], logvar[i + l], s, log_s);
}

/* One running sum per lane, so that the order of summation is fixed and the loop vectorises. */
static double kl(const bnn_group *q, size_t tensor, double prior_std) {
  const bnn_param *p = &q->layout->param[tensor];
  const bnn_real *mu = q->buffer[MU] + (p->offset - q->first);
  const bnn_real *logvar = q->buffer[LOGVAR] + (p->offset - q->first);
  const double log_s = log(prior_std);
  double lane[LANES] = {0}, sum = 0;
  add_terms(lane, mu, logvar, prior_std, log_s, p->size / LANES);
  for (size_t i = p->size - p->size % LANES; i < p->size; i++)
    sum += kl_term(mu[i], logvar[i], prior_std, log_s);
  for (size_t l = 0; l < LANES; l++) sum += lane[l];
  return sum / 2;
}

/* dmu += weight mu / s^2,  dlogvar += weight (e^logvar / s^2 - 1) / 2. */
BNN_KERNEL add_kl(bnn_real *restrict dmu, bnn_real *restrict dlogvar, const bnn_real *restrict mu,
                  const bnn_real *restrict logvar, bnn_real weight, bnn_real precision, size_t n) {
  const bnn_real pull = weight * precision, half = weight / 2;
  for (size_t i = 0; i < n; i++) {
    dmu[i] += pull * mu[i];
    dlogvar[i] += half * vm_exp_scaled_less_1(logvar[i], precision);
  }
}

static void kl_backward(const bnn_group *q, bnn_span span, bnn_real weight, bnn_real precision,
                        bnn_real *const *d) {
  const size_t at = span.first - q->first;
  add_kl(d[MU], d[LOGVAR], q->buffer[MU] + at, q->buffer[LOGVAR] + at, weight, precision,
         span.count);
}

/* sum of log sigma + log(2 pi e) / 2. */
static double entropy(const bnn_group *q, size_t tensor) {
  const double n = (double)q->layout->param[tensor].size;
  return location_scale_log_sigma(q, tensor) + n * log(2 * M_PI * M_E) / 2;
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
    .buffer = {{"mu", "the mean", .decayed = true},
               {"logvar", "the log-variance", .decayed = false}},
    .sample = sample,
    .backward = location_scale_backward,
    .moments = {moments, moments_backward},
    .deviations = {deviations, location_scale_deviations_backward},
    .kl = kl,
    .kl_backward = kl_backward,
    .entropy = entropy,
    .entropy_backward = location_scale_entropy_backward,
    .second_moment = second_moment,
    .std = std,
};
