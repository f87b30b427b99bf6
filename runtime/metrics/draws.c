/* draws.c - see draws.h. */
#include "draws.h"

#include <math.h>

static const double LOG_ROOT_2PI = 0.91893853320467274178;
static const double ROOT_2_OVER_PI = 0.79788456080286535588;

/* ---- the density ---- */

/* The log-density of a row under draw s. */
static double log_normal(const bnn_mixture *m, size_t s, size_t row, const double *y) {
  const size_t at = (s * m->rows + row) * m->width;
  double sum = 0;
  for (size_t k = 0; k < m->width; k++) {
    const double z = (y[k] - m->mean[at + k]) / m->std[at + k];
    sum -= z * z / 2 + log(m->std[at + k]) + LOG_ROOT_2PI;
  }
  return sum;
}

void bnn_mixture_log_density(double *out, const bnn_mixture *m, const double *target, size_t from,
                             size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double *y = target + (from + i) * m->width;
    double largest = -INFINITY, sum = 0; /* a sum of exp(log - largest) so far */
    for (size_t s = 0; s < m->draws; s++) {
      const double x = log_normal(m, s, from + i, y);
      if (x > largest) {
        sum = sum * exp(largest - x) + 1;
        largest = x;
      } else if (x > -INFINITY) {
        sum += exp(x - largest);
      }
    }
    out[i] = largest + log(sum / (double)m->draws);
    if (isinf(largest)) out[i] = largest;
  }
}

/* ---- the distribution function ---- */

static double normal_cdf(double y, double mean, double std) {
  if (std == 0) return y >= mean;
  return erfc((mean - y) / std * M_SQRT1_2) / 2;
}

void bnn_mixture_cdf(double *out, const bnn_mixture *m, const double *target) {
  const size_t size = m->rows * m->width;
  for (size_t i = 0; i < size; i++) {
    double sum = 0;
    for (size_t s = 0; s < m->draws; s++)
      sum += normal_cdf(target[i], m->mean[s * size + i], m->std[s * size + i]);
    out[i] = sum / (double)m->draws;
  }
}

/* ---- CRPS ---- */

/* E|X| of X ~ N(mean, std^2). */
static double mean_size(double mean, double std) {
  if (std == 0) return fabs(mean);
  const double z = mean / std;
  return std * ROOT_2_OVER_PI * exp(-z * z / 2) + mean * erf(z * M_SQRT1_2);
}

/* That of number k of all rows, `at` of draw 0. */
static double crps(const bnn_mixture *m, size_t at, double y) {
  const size_t step = m->rows * m->width;
  const double *mean = m->mean + at, *std = m->std + at;
  double to_target = 0, between = 0;
  for (size_t s = 0; s < m->draws; s++) {
    const double a = mean[s * step], sigma = std[s * step];
    to_target += mean_size(a - y, sigma);
    between += mean_size(0, M_SQRT2 * sigma);
    for (size_t t = 0; t < s; t++)
      between += 2 * mean_size(a - mean[t * step], hypot(sigma, std[t * step]));
  }
  const double draws = (double)m->draws;
  return to_target / draws - between / (2 * draws * draws);
}

void bnn_mixture_crps(double *out, const bnn_mixture *m, const double *target, size_t from,
                      size_t n) {
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t k = 0; k < m->width; k++) {
      const size_t at = (from + i) * m->width + k;
      sum += crps(m, at, target[at]);
    }
    out[i] = sum / (double)m->width;
  }
}
