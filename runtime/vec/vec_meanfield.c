/* vec_meanfield.c - the mean-field Gaussian posterior N(mu, e^logvar) of each parameter: sampling
 * by theta = mu + sigma eps, the KL divergence to the prior N(0, s^2), and its gradient. Blundell
 * et al., "Weight uncertainty in neural networks", ICML 2015; Kingma & Welling 2014. */
#include "vec_lanes.h"
#include "vec_math.h"
#include "vec_rows.h"

enum { CHUNK = 1024, LANES = 16 };

/* theta holds eps when it comes in. */
BNN_KERNEL shift_and_scale(bnn_real *restrict theta, const bnn_real *restrict mu,
                           const bnn_real *restrict logvar, size_t n) {
  for (size_t i = 0; i < n; i++) theta[i] = mu[i] + vm_exp(logvar[i] / 2) * theta[i];
}

/* In chunks, so that the noise is still in the first-level cache when it is used. */
void VEC(sample)(bnn_real *theta, const bnn_real *mu, const bnn_real *logvar, bnn_key key,
                 uint64_t from, size_t n) {
  for (size_t i = 0; i < n;) {
    size_t count = CHUNK - (size_t)((from + i) % CHUNK); /* whole blocks of the key's sequence */
    if (count > n - i) count = n - i;
    VEC(normal)(theta + i, key, from + i, count);
    shift_and_scale(theta + i, mu + i, logvar + i, count);
    i += count;
  }
}

#ifdef BNN_HAVE_LANES
/* One vector, from g at theta or from sums g and h. */
static inline __attribute__((always_inline)) void
grad_vector(float *dmu, float *dlogvar, const float *g, const float *theta, const float *h,
            const float *mu, const float *logvar, float weight, float precision, __mmask16 lanes) {
  const __m512 of_g = lanes_at(g, lanes), of_mu = lanes_at(mu, lanes);
  const __m512 of_h =
      h ? lanes_at(h, lanes) : _mm512_mul_ps(of_g, _mm512_sub_ps(lanes_at(theta, lanes), of_mu));
  __m512 first, second;
  lanes_grad(&first, &second, of_g, of_h, of_mu, lanes_at(logvar, lanes), weight, precision);
  _mm512_mask_storeu_ps(dmu, lanes, first);
  _mm512_mask_storeu_ps(dlogvar, lanes, second);
}

static inline __attribute__((always_inline)) void
grad_lanes(float *dmu, float *dlogvar, const float *g, const float *theta, const float *h,
           const float *mu, const float *logvar, float weight, float precision, size_t n) {
  const unsigned before = lanes_flush_subnormals();
  size_t i = 0;
  for (; i + LANES_N <= n; i += LANES_N)
    grad_vector(dmu + i, dlogvar + i, g + i, theta ? theta + i : NULL, h ? h + i : NULL, mu + i,
                logvar + i, weight, precision, LANES_ALL);
  const __mmask16 rest = lanes_of(n - i);
  if (rest)
    grad_vector(dmu + i, dlogvar + i, g + i, theta ? theta + i : NULL, h ? h + i : NULL, mu + i,
                logvar + i, weight, precision, rest);
  _mm_setcsr(before);
}

void VEC(meanfield_grad)(bnn_real *dmu, bnn_real *dlogvar, const bnn_real *g, const bnn_real *theta,
                         const bnn_real *mu, const bnn_real *logvar, bnn_real weight,
                         bnn_real precision, size_t n) {
  grad_lanes(dmu, dlogvar, g, theta, NULL, mu, logvar, weight, precision, n);
}

void VEC(meanfield_grad_sums)(bnn_real *dmu, bnn_real *dlogvar, const bnn_real *g,
                              const bnn_real *h, const bnn_real *mu, const bnn_real *logvar,
                              bnn_real weight, bnn_real precision, size_t n) {
  grad_lanes(dmu, dlogvar, g, NULL, h, mu, logvar, weight, precision, n);
}
#else
BNN_KERNEL grad(bnn_real *restrict dmu, bnn_real *restrict dlogvar, const bnn_real *restrict g,
                const bnn_real *restrict theta, const bnn_real *restrict mu,
                const bnn_real *restrict logvar, bnn_real weight, bnn_real precision, size_t n) {
  const bnn_real pull = weight * precision;
  for (size_t i = 0; i < n; i++) {
    const bnn_real h = g[i] * (theta[i] - mu[i]);
    dmu[i] = g[i] + pull * mu[i];
    dlogvar[i] = (h + weight * vm_exp_scaled_less_1(logvar[i], precision)) / 2;
  }
}

BNN_KERNEL grad_sums(bnn_real *restrict dmu, bnn_real *restrict dlogvar, const bnn_real *restrict g,
                     const bnn_real *restrict h, const bnn_real *restrict mu,
                     const bnn_real *restrict logvar, bnn_real weight, bnn_real precision,
                     size_t n) {
  const bnn_real pull = weight * precision;
  for (size_t i = 0; i < n; i++) {
    dmu[i] = g[i] + pull * mu[i];
    dlogvar[i] = (h[i] + weight * vm_exp_scaled_less_1(logvar[i], precision)) / 2;
  }
}

void VEC(meanfield_grad)(bnn_real *dmu, bnn_real *dlogvar, const bnn_real *g, const bnn_real *theta,
                         const bnn_real *mu, const bnn_real *logvar, bnn_real weight,
                         bnn_real precision, size_t n) {
  grad(dmu, dlogvar, g, theta, mu, logvar, weight, precision, n);
}

void VEC(meanfield_grad_sums)(bnn_real *dmu, bnn_real *dlogvar, const bnn_real *g,
                              const bnn_real *h, const bnn_real *mu, const bnn_real *logvar,
                              bnn_real weight, bnn_real precision, size_t n) {
  grad_sums(dmu, dlogvar, g, h, mu, logvar, weight, precision, n);
}
#endif

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
double VEC(meanfield_kl)(const bnn_real *mu, const bnn_real *logvar, double prior_std, size_t n) {
  const double log_s = log(prior_std);
  double lane[LANES] = {0}, sum = 0;
  add_terms(lane, mu, logvar, prior_std, log_s, n / LANES);
  for (size_t i = n - n % LANES; i < n; i++) sum += kl_term(mu[i], logvar[i], prior_std, log_s);
  for (size_t l = 0; l < LANES; l++) sum += lane[l];
  return sum / 2;
}

BNN_KERNEL weigh_add(bnn_real *restrict g_sum, bnn_real *restrict h_sum, const bnn_real *restrict g,
                     const bnn_real *restrict theta, const bnn_real *restrict mu, size_t n) {
  for (size_t i = 0; i < n; i++) {
    g_sum[i] += g[i];
    h_sum[i] += g[i] * (theta[i] - mu[i]);
  }
}

void VEC(weigh_add)(bnn_real *g_sum, bnn_real *h_sum, const bnn_real *g, const bnn_real *theta,
                    const bnn_real *mu, size_t n) {
  weigh_add(g_sum, h_sum, g, theta, mu, n);
}
