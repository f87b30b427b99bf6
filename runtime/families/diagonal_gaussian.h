/* diagonal_gaussian.h - what families have in common that have the Gaussian prod_i N(mu_i,
 * exp(logvar_i)) as a part: its samples, its KL to the prior N(0, s^2), its entropy, and their
 * gradients. */
#ifndef BNN_DIAGONAL_GAUSSIAN_H
#define BNN_DIAGONAL_GAUSSIAN_H

#include "../vec/vec_math.h"
#include "location_scale.h"

enum { KL_LANES = 16 };

/* theta holds eps when it comes in. */
BNN_KERNEL shift_and_scale(bnn_real *restrict theta, const bnn_real *restrict mu,
                           const bnn_real *restrict logvar, size_t n) {
  for (size_t i = 0; i < n; i++) theta[i] = mu[i] + vm_exp(logvar[i] / 2) * theta[i];
}

/* Twice the KL of one weight, e^u - 1 - u + (mu / s)^2 for u = logvar - log s^2: two terms that are
 * not negative, so that near the prior, where they are small, none takes the other's digits. */
static inline double kl_term(double mu, double logvar, double s, double log_s) {
  const double m = mu / s;
  return vm_exp_rest(logvar - 2 * log_s) + m * m;
}

/* sum[l] += the terms of rows of KL_LANES. */
BNN_KERNEL add_terms(double *restrict sum, const bnn_real *restrict mu,
                     const bnn_real *restrict logvar, double s, double log_s, size_t rows) {
  for (size_t i = 0; i < rows * KL_LANES; i += KL_LANES)
    for (size_t l = 0; l < KL_LANES; l++) sum[l] += kl_term(mu[i + l], logvar[i + l], s, log_s);
}

/* One running sum per lane, so that the order of summation is fixed and the loop vectorises. */
static inline double diagonal_kl(const bnn_group *q, size_t tensor, double prior_std) {
  const bnn_param *p = &q->layout->param[tensor];
  const bnn_real *mu = q->buffer[MU] + (p->offset - q->first);
  const bnn_real *logvar = q->buffer[LOGVAR] + (p->offset - q->first);
  const double log_s = log(prior_std);
  double lane[KL_LANES] = {0}, sum = 0;
  add_terms(lane, mu, logvar, prior_std, log_s, p->size / KL_LANES);
  for (size_t i = p->size - p->size % KL_LANES; i < p->size; i++)
    sum += kl_term(mu[i], logvar[i], prior_std, log_s);
  for (size_t l = 0; l < KL_LANES; l++) sum += lane[l];
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

static inline void diagonal_kl_backward(const bnn_group *q, bnn_span span, bnn_real weight,
                                        bnn_real precision, bnn_real *const *d) {
  const size_t at = span.first - q->first;
  add_kl(d[MU], d[LOGVAR], q->buffer[MU] + at, q->buffer[LOGVAR] + at, weight, precision,
         span.count);
}

/* sum of log sigma + log(2 pi e) / 2. */
static inline double diagonal_entropy(const bnn_group *q, size_t tensor) {
  const double n = (double)q->layout->param[tensor].size;
  return location_scale_log_sigma(q, tensor) + n * log(2 * M_PI * M_E) / 2;
}

#endif
