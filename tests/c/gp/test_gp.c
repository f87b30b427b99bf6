/* test_gp.c - Cholesky factors against products; likelihoods and predictions of Gaussian processes
 * against their definitions, and slopes against central differences. */
#include "gp/gp.h"

#include <math.h>
#include <string.h>

#include "gp/cholesky.h"
#include "kernels/rng.h"
#include "support.h"

enum { N = 17, D = 3, M = 4 };

static double x[N * D], y[N], points[M * D];
static const uint8_t is_choice[D] = {0, 1, 0};
static const double theta[D + 2] = {0.7, -0.3, 1.5, 0.2, -3};
static const bnn_gp_data data = {x, is_choice, N, D};
static const double least_noise = 1e-6;

static void fill(void) {
  bnn_real u[N * D], v[N], w[M * D];
  bnn_rng_uniform(u, bnn_key_new(1), 0, N * D);
  bnn_rng_normal(v, bnn_key_new(2), 0, N);
  bnn_rng_uniform(w, bnn_key_new(3), 0, M * D);
  for (int i = 0; i < N * D; i++) x[i] = i % D == 1 ? floor(3 * (double)u[i]) : (double)u[i];
  for (int i = 0; i < M * D; i++) points[i] = i % D == 1 ? i % 3 : (double)w[i];
  for (int i = 0; i < N; i++) y[i] = (double)v[i];
}

/* The kernel as the formula has it. */
static double kernel(const double *a, const double *b) {
  double sum = 0;
  for (int k = 0; k < D; k++)
    sum += exp(theta[k]) * (is_choice[k] ? a[k] != b[k] : pow(a[k] - b[k], 2));
  double r = sqrt(5 * sum);
  return exp(theta[D]) * (1 + r + r * r / 3) * exp(-r);
}

static double covariance(int i, int j) {
  return kernel(x + i * D, x + j * D) + (i == j ? exp(theta[D + 1]) + least_noise : 0);
}

START_TEST(a_factor_rebuilds_the_covariance) {
  double u[N * N];
  fill();
  ck_assert(bnn_gp_factor(u, &data, theta, least_noise));
  for (int i = 0; i < N; i++) {
    for (int j = i; j < N; j++) {
      double sum = 0;
      for (int k = 0; k <= i; k++) sum += u[k * N + i] * u[k * N + j];
      ck_assert_double_eq_tol(sum, covariance(i, j), 1e-13);
    }
  }
}
END_TEST

START_TEST(an_inverse_times_the_matrix_is_one) {
  double u[N * N], inverse[N * N], lower[N * N];
  fill();
  ck_assert(bnn_gp_factor(u, &data, theta, least_noise));
  bnn_cholesky_inverse(inverse, lower, u, N);
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      double sum = 0;
      for (int k = 0; k < N; k++)
        sum += covariance(i, k) * (k <= j ? inverse[k * N + j] : inverse[j * N + k]);
      ck_assert_double_eq_tol(sum, i == j, 1e-11);
    }
  }
}
END_TEST

START_TEST(what_is_not_positive_definite_is_refused) {
  double a[4] = {1, 2, 0, 1}, nan[1] = {NAN};
  ck_assert(!bnn_cholesky(a, 2));
  ck_assert(!bnn_cholesky(nan, 1));
}
END_TEST

static double value_at(const double *at, double *slope) {
  static double scratch[3 * N * N + N];
  double value;
  ck_assert(bnn_gp_likelihood(&value, slope, &data, y, at, least_noise, scratch));
  return value;
}

START_TEST(the_likelihood_is_its_definition_and_has_its_slope) {
  double u[N * N], alpha[N], want = 0, slope[D + 2], unused[D + 2];
  fill();
  ck_assert(bnn_gp_factor(u, &data, theta, least_noise));
  bnn_gp_weights(alpha, u, y, N);
  for (int i = 0; i < N; i++) {
    double back = 0;
    for (int j = 0; j < N; j++) back += covariance(i, j) * alpha[j];
    ck_assert_double_eq_tol(back, y[i], 1e-11);
    want -= log(u[i * N + i]) + 0.5 * y[i] * alpha[i];
  }
  ck_assert_double_eq_tol(value_at(theta, slope), want, 1e-12);
  for (int k = 0; k < D + 2; k++) {
    double at[D + 2], h = 1e-5;
    memcpy(at, theta, sizeof at);
    at[k] = theta[k] + h;
    double up = value_at(at, unused);
    at[k] = theta[k] - h;
    ck_assert_double_eq_tol(slope[k], (up - value_at(at, unused)) / (2 * h), 1e-7);
  }
}
END_TEST

static void predict(double *mean, double *variance, double *dmean, double *dvariance,
                    const double *at) {
  double u[N * N], alpha[N], scratch[N * M];
  ck_assert(bnn_gp_factor(u, &data, theta, least_noise));
  bnn_gp_weights(alpha, u, y, N);
  bnn_gp_predict(mean, variance, dmean, dvariance, &data, theta, u, alpha, at, M, scratch);
}

START_TEST(predictions_are_their_definition_and_have_their_slopes) {
  double mean[M], variance[M], dmean[M * D], dvariance[M * D], u[N * N], k[N], solved[N];
  fill();
  predict(mean, variance, dmean, dvariance, points);
  ck_assert(bnn_gp_factor(u, &data, theta, least_noise));
  for (int p = 0; p < M; p++) {
    double want_mean = 0, want = exp(theta[D]);
    for (int i = 0; i < N; i++) k[i] = kernel(x + i * D, points + p * D);
    bnn_gp_weights(solved, u, k, N);
    for (int i = 0; i < N; i++) want_mean += solved[i] * y[i], want -= solved[i] * k[i];
    ck_assert_double_eq_tol(mean[p], want_mean, 1e-12);
    ck_assert_double_eq_tol(variance[p], want, 1e-12);
  }
  for (int i = 0; i < M * D; i++) {
    double at[M * D], up[M], down[M], up_v[M], down_v[M], h = 1e-5;
    memcpy(at, points, sizeof at);
    if (i % D == 1) {
      ck_assert(dmean[i] == 0 && dvariance[i] == 0);
      continue;
    }
    at[i] = points[i] + h;
    predict(up, up_v, NULL, NULL, at);
    at[i] = points[i] - h;
    predict(down, down_v, NULL, NULL, at);
    ck_assert_double_eq_tol(dmean[i], (up[i / D] - down[i / D]) / (2 * h), 1e-7);
    ck_assert_double_eq_tol(dvariance[i], (up_v[i / D] - down_v[i / D]) / (2 * h), 1e-7);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, a_factor_rebuilds_the_covariance);
  tcase_add_test(tests, an_inverse_times_the_matrix_is_one);
  tcase_add_test(tests, what_is_not_positive_definite_is_refused);
  tcase_add_test(tests, the_likelihood_is_its_definition_and_has_its_slope);
  tcase_add_test(tests, predictions_are_their_definition_and_have_their_slopes);
}

int main(void) { return run_suite("gp", add_tests); }
