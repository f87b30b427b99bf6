/* gp.c - see gp.h. */
#include "gp.h"

#include <math.h>
#include <string.h>

#include "cholesky.h"

/* sum_k w_k (a_k - b_k)^2, w_k = exp(theta_k). */
static double distance(const bnn_gp_data *data, const double *w, const double *a, const double *b) {
  double sum = 0;
  for (size_t k = 0; k < data->d; k++) {
    double difference = a[k] - b[k];
    sum += w[k] * (data->is_choice[k] ? difference != 0 : difference * difference);
  }
  return sum;
}

/* Matern 5/2 of a squared distance, and its slope in it. */
static double matern(double squared, double *slope) {
  double r = sqrt(5 * squared), e = exp(-r);
  *slope = -5.0 / 6 * (1 + r) * e;
  return (1 + r + r * r / 3) * e;
}

#define INPUTS_MAX 256 /* bindings check it */

static void exponentials(double *w, const double *theta, size_t d) {
  for (size_t k = 0; k < d; k++) w[k] = exp(theta[k]);
}

/* The upper triangle of K + noise I; slope, where it is not NULL: s m'(r^2) beside the diagonal. */
static void fill_kernel(double *kernel, double *slope, const bnn_gp_data *data, const double *theta,
                        double least_noise) {
  size_t n = data->n, d = data->d;
  double w[INPUTS_MAX], unused, s = exp(theta[d]), noise = exp(theta[d + 1]) + least_noise;
  exponentials(w, theta, d);
  for (size_t i = 0; i < n; i++) {
    kernel[i * n + i] = s + noise;
    for (size_t j = i + 1; j < n; j++) {
      double squared = distance(data, w, data->x + i * d, data->x + j * d);
      double *to = slope ? slope + i * n + j : &unused;
      kernel[i * n + j] = s * matern(squared, to);
      *to *= s;
    }
  }
}

bool bnn_gp_factor(double *u, const bnn_gp_data *data, const double *theta, double least_noise) {
  fill_kernel(u, NULL, data, theta, least_noise);
  return bnn_cholesky(u, data->n);
}

void bnn_gp_weights(double *alpha, const double *u, const double *y, size_t n) {
  memcpy(alpha, y, n * sizeof *alpha);
  bnn_cholesky_forward(alpha, u, n, 1);
  bnn_cholesky_backward(alpha, u, n, 1);
}

/* Adds the slopes of a pair i < j, whose kernel is `kernel` and its slope in r^2 `slope`; twice
 * 1/2 (alpha_i alpha_j - C^-1_ij) is their weight, for ij and ji. */
static void add_pair(double *out, const bnn_gp_data *data, const double *w, size_t i, size_t j,
                     double weight, double slope) {
  const double *a = data->x + i * data->d, *b = data->x + j * data->d;
  for (size_t k = 0; k < data->d; k++) {
    double difference = a[k] - b[k];
    out[k] +=
        weight * slope * w[k] * (data->is_choice[k] ? difference != 0 : difference * difference);
  }
}

bool bnn_gp_likelihood(double *value, double *slope, const bnn_gp_data *data, const double *y,
                       const double *theta, double least_noise, double *scratch) {
  size_t n = data->n, d = data->d;
  double *u = scratch, *slopes = u + n * n, *inverse = slopes + n * n, *alpha = inverse + n * n;
  double w[INPUTS_MAX], sum = 0, s = exp(theta[d]), noise = exp(theta[d + 1]);
  fill_kernel(u, NULL, data, theta, least_noise);
  if (!bnn_cholesky(u, n)) return false;
  bnn_gp_weights(alpha, u, y, n);
  for (size_t i = 0; i < n; i++) sum -= log(u[i * n + i]) + 0.5 * alpha[i] * y[i];
  bnn_cholesky_inverse(inverse, slopes, u, n);
  fill_kernel(u, slopes, data, theta, least_noise);
  exponentials(w, theta, d);
  memset(slope, 0, (d + 2) * sizeof *slope);
  for (size_t i = 0; i < n; i++) {
    double own = 0.5 * (alpha[i] * alpha[i] - inverse[i * n + i]);
    slope[d] += own * s;
    slope[d + 1] += own * noise;
    for (size_t j = i + 1; j < n; j++) {
      double weight = alpha[i] * alpha[j] - inverse[i * n + j];
      add_pair(slope, data, w, i, j, weight, slopes[i * n + j]);
      slope[d] += weight * u[i * n + j];
    }
  }
  *value = sum;
  return true;
}

/* dk(x_i, point)/dpoint_k times weight, added to out [d] with stride 1. */
static void add_slope(double *out, const bnn_gp_data *data, const double *w, const double *x,
                      const double *point, double weight) {
  double slope;
  matern(distance(data, w, x, point), &slope);
  for (size_t k = 0; k < data->d; k++)
    if (!data->is_choice[k]) out[k] += weight * slope * 2 * w[k] * (point[k] - x[k]);
}

void bnn_gp_predict(double *mean, double *variance, double *dmean, double *dvariance,
                    const bnn_gp_data *data, const double *theta, const double *u,
                    const double *alpha, const double *points, size_t m, double *scratch) {
  size_t n = data->n, d = data->d;
  double *v = scratch, w[INPUTS_MAX], unused, s = exp(theta[d]);
  exponentials(w, theta, d);
  memset(mean, 0, m * sizeof *mean);
  for (size_t p = 0; p < m; p++) variance[p] = s;
  for (size_t i = 0; i < n; i++) {
    for (size_t p = 0; p < m; p++) {
      v[i * m + p] = s * matern(distance(data, w, data->x + i * d, points + p * d), &unused);
      mean[p] += alpha[i] * v[i * m + p];
    }
  }
  bnn_cholesky_forward(v, u, n, m);
  for (size_t i = 0; i < n; i++)
    for (size_t p = 0; p < m; p++) variance[p] -= v[i * m + p] * v[i * m + p];
  for (size_t p = 0; p < m; p++) variance[p] = variance[p] > 0 ? variance[p] : 0;
  if (!dmean) return;
  bnn_cholesky_backward(v, u, n, m); /* C^-1 k */
  memset(dmean, 0, m * d * sizeof *dmean);
  memset(dvariance, 0, m * d * sizeof *dvariance);
  for (size_t i = 0; i < n; i++) {
    for (size_t p = 0; p < m; p++) {
      const double *x = data->x + i * d, *point = points + p * d;
      add_slope(dmean + p * d, data, w, x, point, s * alpha[i]);
      add_slope(dvariance + p * d, data, w, x, point, -2 * s * v[i * m + p]);
    }
  }
}
