/* test_posterior.c - layouts, samples of the mean-field posterior, and its KL divergence. */
#include "inference/posterior.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/rng.h"
#include "support.h"

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

/* ---- layouts ---- */

START_TEST(a_layout_has_no_gaps) {
  static const size_t size[] = {50176, 64, 0, 640, 10, 1};
  bnn_layout layout;
  ck_succeeds(bnn_layout_init(&layout, 6, size, &err));
  size_t at = 0;
  for (size_t i = 0; i < 6; i++) {
    ck_assert_uint_eq(layout.param[i].offset, at);
    ck_assert_uint_eq(layout.param[i].size, size[i]);
    at += size[i];
  }
  ck_assert_uint_eq(layout.size, at);
  ck_assert_uint_eq(layout.n_params, 6);
  bnn_layout_fini(&layout);
  bnn_layout_fini(&layout); /* twice is fine */
}
END_TEST

static bnn_status make_a_layout(void *arg, bnn_err *err) {
  const size_t size[] = {3, 4};
  bnn_layout layout;
  (void)arg;
  BNN_TRY(bnn_layout_init(&layout, 2, size, err));
  bnn_layout_fini(&layout);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) { ck_survives_failing_allocations(make_a_layout, NULL); }
END_TEST

/* ---- samples ---- */

/* theta = mu + sigma eps of n weights that share mu and sigma: its mean, its variance and its third
 * and fourth moment within 4 standard errors of N(mu, sigma^2)'s.  With z = (theta - mu)/sigma the
 * standard errors of the means of z, z^2, z^3, z^4 are sqrt(1, 2, 15, 96)/sqrt(n). */
START_TEST(samples_have_the_moments_of_the_posterior) {
  enum { N = 200000 };
  static const double row[][2] = {{0, 0}, {1.5, -7}, {-20, 2}, {0.1, -1}};
  static const double moment[] = {0, 1, 0, 3}, variance[] = {1, 2, 15, 96};
  const double mean = row[_i][0], logvar = row[_i][1];
  bnn_real *mu = calloc(3 * N, sizeof *mu), *lv = mu + N, *theta = mu + 2 * N;
  for (int i = 0; i < N; i++) mu[i] = (bnn_real)mean, lv[i] = (bnn_real)logvar;
  bnn_context *context = context_of(2);
  bnn_posterior_sample(context, theta, mu, lv, bnn_key_new(3), N, N);
  double sum[4] = {0};
  for (int i = 0; i < N; i++) {
    double z = ((double)theta[i] - (double)mu[i]) / exp(logvar / 2), power = 1;
    for (int k = 0; k < 4; k++) sum[k] += power *= z;
  }
  for (int k = 0; k < 4; k++)
    ck_assert_msg(fabs(sum[k] / N - moment[k]) <= 4 * sqrt(variance[k] / N),
                  "moment %d of z is %g, that of N(0, 1) %g", k + 1, sum[k] / N, moment[k]);
  free(mu);
  bnn_context_free(context);
}
END_TEST

/* theta and its noise, element by element: eps is the key's normals. */
START_TEST(a_sample_is_mu_plus_sigma_times_the_keys_normals) {
  enum { N = 20011 };
  bnn_real *mu = calloc(4 * N, sizeof *mu), *lv = mu + N, *theta = mu + 2 * N, *eps = mu + 3 * N;
  bnn_rng_normal(mu, bnn_key_new(1), 0, N);
  bnn_rng_normal(lv, bnn_key_new(2), 0, N);
  bnn_rng_normal(eps, bnn_key_new(3), 0, N);
  bnn_context *context = context_of(1);
  bnn_posterior_sample(context, theta, mu, lv, bnn_key_new(3), N, N);
  for (int i = 0; i < N; i++) {
    double noise = exp((double)lv[i] / 2) * (double)eps[i], want = (double)mu[i] + noise;
    double tol = 4 * (double)BNN_REAL_EPSILON * (fabs((double)mu[i]) + fabs(noise));
    ck_assert_double_eq_tol((double)theta[i], want, tol);
  }
  free(mu);
  bnn_context_free(context);
}
END_TEST

/* Sizes around the pieces that a sample is made in; and a piece of a posterior is not another
 * one. */
START_TEST(a_sample_has_the_same_bits_on_any_number_of_threads) {
  static const size_t size[] = {0, 1, 31, 1024, 8191, 8192, 8193, 40000};
  enum { MOST = 40000 };
  bnn_real *mu = calloc(4 * MOST, sizeof *mu), *lv = mu + MOST, *one = mu + 2 * MOST;
  bnn_real *more = mu + 3 * MOST;
  bnn_rng_normal(mu, bnn_key_new(1), 0, MOST);
  bnn_rng_normal(lv, bnn_key_new(2), 0, MOST);
  bnn_context *context = context_of(1);
  bnn_posterior_sample(context, one, mu, lv, bnn_key_new(4), MOST, MOST);
  for (int threads = 1; threads <= 4; threads++) {
    ck_succeeds(bnn_context_set_threads(context, threads, &err));
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
      memset(more, 0, MOST * sizeof *more);
      bnn_posterior_sample(context, more, mu, lv, bnn_key_new(4), size[k], size[k]);
      ck_assert_mem_eq(more, one, size[k] * sizeof *one); /* elements do not depend on the size */
      for (size_t i = size[k]; i < MOST; i++) ck_assert(more[i] == 0);
    }
  }
  free(mu);
  bnn_context_free(context);
}
END_TEST

START_TEST(another_key_gives_another_sample) {
  bnn_real mu[100] = {0}, lv[100] = {0}, a[100], b[100];
  bnn_context *context = context_of(1);
  bnn_posterior_sample(context, a, mu, lv, bnn_key_new(4), 100, 100);
  bnn_posterior_sample(context, b, mu, lv, bnn_key_new(5), 100, 100);
  for (int i = 0; i < 100; i++) ck_assert(a[i] != b[i]);
  bnn_context_free(context);
}
END_TEST

START_TEST(elements_behind_the_posterior_are_points) {
  bnn_real mu[100], lv[60] = {0}, theta[100], whole[60];
  bnn_rng_normal(mu, bnn_key_new(1), 0, 100);
  bnn_context *context = context_of(1);
  bnn_posterior_sample(context, theta, mu, lv, bnn_key_new(4), 60, 100);
  bnn_posterior_sample(context, whole, mu, lv, bnn_key_new(4), 60, 60);
  ck_assert_mem_eq(theta, whole, sizeof whole);
  ck_assert_mem_eq(theta + 60, mu + 60, 40 * sizeof *mu);
  bnn_posterior_sample(context, theta, mu, NULL, bnn_key_new(4), 0, 100);
  ck_assert_mem_eq(theta, mu, sizeof mu);
  bnn_context_free(context);
}
END_TEST

/* ---- KL ---- */

/* log(s/sigma) + (sigma^2 + mu^2)/(2 s^2) - 1/2 */
static double kl_formula(double mu, double logvar, double s) {
  double sigma = exp(logvar / 2);
  return log(s / sigma) + (sigma * sigma + mu * mu) / (2 * s * s) - 0.5;
}

START_TEST(kl_is_its_formula_summed_over_a_tensor) {
  enum { N = 3007 };
  static const double prior_std[] = {1, 0.1, 3};
  static const size_t offset[] = {0, 5, 1000}, size[] = {0, 1, 15, 16, 17, 2000};
  bnn_real mu[N], lv[N];
  bnn_rng_normal(mu, bnn_key_new(1), 0, N);
  bnn_rng_normal(lv, bnn_key_new(2), 0, N);
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 18; k++) {
      bnn_param param = {.offset = offset[k / 6], .size = size[k % 6]};
      double want = 0, terms = 0;
      for (size_t j = param.offset; j < param.offset + param.size; j++) {
        want += kl_formula((double)mu[j], (double)lv[j], prior_std[i]);
        terms += 2 + (1 + (double)(mu[j] * mu[j])) / (prior_std[i] * prior_std[i]);
      }
      double got = bnn_posterior_kl(&param, mu, lv, prior_std[i]);
      /* e^logvar is computed in the real type, within 2 ULP (test_vec.c) */
      ck_assert_double_eq_tol(got, want, 4 * (double)BNN_REAL_EPSILON * terms + 1e-300);
    }
}
END_TEST

START_TEST(kl_of_the_prior_is_zero) {
  static const double s[] = {1, 0.5, 0.25};
  for (int k = 0; k < 3; k++) {
    bnn_real mu[40] = {0}, lv[40];
    for (int i = 0; i < 40; i++) lv[i] = (bnn_real)(2 * log(s[k]));
    bnn_param param = {.size = 40};
    ck_assert_double_eq_tol(bnn_posterior_kl(&param, mu, lv, s[k]), 0, 40 * 8 * BNN_REAL_EPSILON);
  }
}
END_TEST

/* KL = E_q[log q(w) - log p(w)], by 1e6 samples of one weight, within 4 standard errors (estimated
 * from the same samples). */
START_TEST(kl_is_what_samples_say) {
  enum { N = 1000000 };
  static const double row[][3] = {{0.3, -7, 1}, {-1, -1, 1}, {2, 0.5, 3}, {0.05, -3, 0.1}};
  const double m = row[_i][0], v = row[_i][1], s = row[_i][2];
  bnn_real *mu = calloc(3 * (size_t)N, sizeof *mu), *lv = mu + N, *w = mu + 2 * (size_t)N;
  for (int i = 0; i < N; i++) mu[i] = (bnn_real)m, lv[i] = (bnn_real)v;
  bnn_context *context = context_of(2);
  bnn_posterior_sample(context, w, mu, lv, bnn_key_new(11), N, N);
  double sum = 0, squares = 0;
  for (int i = 0; i < N; i++) {
    double x = (double)w[i], z = (x - m) / exp(v / 2);
    double d = (-z * z - v) / 2 - (-(x * x) / (s * s) - 2 * log(s)) / 2;
    sum += d, squares += d * d;
  }
  double mean = sum / N, error = sqrt((squares / N - mean * mean) / N);
  bnn_param param = {.size = 1};
  double kl = bnn_posterior_kl(&param, mu, lv, s);
  ck_assert_msg(fabs(kl - mean) <= 4 * error, "KL %.9g, by samples %.9g +- %.3g", kl, mean, error);
  ck_assert_double_gt(kl, 40 * error); /* so the bound means something */
  free(mu);
  bnn_context_free(context);
}
END_TEST

START_TEST(a_nan_in_the_posterior_is_seen) {
  bnn_param param = {.size = 20};
  for (int k = 0; k < 40; k++) {
    bnn_real mu[20] = {0}, lv[20] = {0};
    (k < 20 ? mu : lv)[k % 20] = NAN;
    ck_assert(isnan(bnn_posterior_kl(&param, mu, lv, 1)));
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, a_layout_has_no_gaps);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_loop_test(tests, samples_have_the_moments_of_the_posterior, 0, 4);
  tcase_add_test(tests, a_sample_is_mu_plus_sigma_times_the_keys_normals);
  tcase_add_test(tests, a_sample_has_the_same_bits_on_any_number_of_threads);
  tcase_add_test(tests, another_key_gives_another_sample);
  tcase_add_test(tests, elements_behind_the_posterior_are_points);
  tcase_add_test(tests, kl_is_its_formula_summed_over_a_tensor);
  tcase_add_test(tests, kl_of_the_prior_is_zero);
  tcase_add_loop_test(tests, kl_is_what_samples_say, 0, 4);
  tcase_add_test(tests, a_nan_in_the_posterior_is_seen);
}

int main(void) { return run_suite("posterior", add_tests); }
