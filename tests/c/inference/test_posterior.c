/* test_posterior.c - posteriors made of groups: which tensor is whose, where buffers lie, samples, and
 * the KL divergence. */
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

/* ---- posteriors of one mean-field group, and of a mean-field group and a point group ---- */

enum { GROUPS_MAX = 4 };

typedef struct a_posterior {
  bnn_param param[GROUPS_MAX];
  bnn_layout layout;
  bnn_group group[GROUPS_MAX];
  bnn_posterior q;
} a_posterior;

/* A tensor and a group of this size of a family, behind those that there are; all begins when x->q is
 * 0. */
static const bnn_posterior *join(a_posterior *x, const char *family, size_t size, bnn_real *mu,
                                 bnn_real *logvar) {
  const size_t k = x->q.n_groups, first = x->layout.size;
  x->param[k] = (bnn_param){first, size};
  x->layout = (bnn_layout){.n_params = k + 1, .size = first + size, .param = x->param};
  x->group[k] = (bnn_group){.family = bnn_family_find(family),
                            .layout = &x->layout,
                            .first = first,
                            .end = first + size,
                            .buffer = {mu, logvar}};
  x->q = (bnn_posterior){.layout = &x->layout, .n_groups = k + 1, .group = x->group};
  return &x->q;
}

static void sample(bnn_context *context, bnn_real *theta, bnn_real *mu, bnn_real *logvar,
                   bnn_key key, size_t n_variational, size_t n) {
  a_posterior x = {.q.n_groups = 0};
  join(&x, "meanfield", n_variational, mu, logvar);
  join(&x, "point", n - n_variational, mu + n_variational, NULL);
  bnn_posterior_sample(&x.q, context, theta, key, 1);
}

/* ---- samples ---- */

/* theta = mu + sigma eps of n weights that share mu and sigma: its mean, its variance and its third
 * and fourth moment within 4 standard errors of N(mu, sigma^2)'s.  With z = (theta - mu)/sigma the
 * standard errors of the means of z, z^2, z^3, z^4 are sqrt(1, 2, 15, 96)/sqrt(n). */
START_TEST(samples_have_the_moments_of_the_posterior) {
  enum { N = 200000 };
  static const double row[][2] = {{0, 0}, {1.5, -7}, {-20, 2}, {0.1, -1}, {0.3, -3}};
  static const double moment[] = {0, 1, 0, 3}, variance[] = {1, 2, 15, 96};
  const double mean = row[_i][0], logvar = row[_i][1];
  bnn_real *mu = calloc(3 * N, sizeof *mu), *lv = mu + N, *theta = mu + 2 * N;
  for (int i = 0; i < N; i++) mu[i] = (bnn_real)mean, lv[i] = (bnn_real)logvar;
  bnn_context *context = context_of(2);
  sample(context, theta, mu, lv, bnn_key_new(3), N, N);
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
  sample(context, theta, mu, lv, bnn_key_new(3), N, N);
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
  static const size_t size[] = {0, 1, 31, 1024, 4095, 4096, 4097, 8193, 40000};
  enum { MOST = 40000 };
  bnn_real *mu = calloc(4 * MOST, sizeof *mu), *lv = mu + MOST, *one = mu + 2 * MOST;
  bnn_real *more = mu + 3 * MOST;
  bnn_rng_normal(mu, bnn_key_new(1), 0, MOST);
  bnn_rng_normal(lv, bnn_key_new(2), 0, MOST);
  bnn_context *context = context_of(1);
  sample(context, one, mu, lv, bnn_key_new(4), MOST, MOST);
  for (int threads = 1; threads <= 4; threads++) {
    ck_succeeds(bnn_context_set_threads(context, threads, &err));
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
      memset(more, 0, MOST * sizeof *more);
      sample(context, more, mu, lv, bnn_key_new(4), size[k], size[k]);
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
  sample(context, a, mu, lv, bnn_key_new(4), 100, 100);
  sample(context, b, mu, lv, bnn_key_new(5), 100, 100);
  for (int i = 0; i < 100; i++) ck_assert(a[i] != b[i]);
  bnn_context_free(context);
}
END_TEST

START_TEST(elements_of_a_point_group_are_points) {
  bnn_real mu[100], lv[60] = {0}, theta[100], whole[60];
  bnn_rng_normal(mu, bnn_key_new(1), 0, 100);
  bnn_context *context = context_of(1);
  sample(context, theta, mu, lv, bnn_key_new(4), 60, 100);
  sample(context, whole, mu, lv, bnn_key_new(4), 60, 60);
  ck_assert_mem_eq(theta, whole, sizeof whole);
  ck_assert_mem_eq(theta + 60, mu + 60, 40 * sizeof *mu);
  sample(context, theta, mu, NULL, bnn_key_new(4), 0, 100);
  ck_assert_mem_eq(theta, mu, sizeof mu);
  bnn_context_free(context);
}
END_TEST

/* Groups of both families, in any order and one of nothing: the noise of an element is that of its
 * place. */
START_TEST(groups_sample_what_is_theirs) {
  enum { N = 100 };
  bnn_real mu[N], lv[N] = {0}, theta[N], whole[N], mean[N];
  bnn_rng_normal(mu, bnn_key_new(1), 0, N);
  bnn_context *context = context_of(1);
  sample(context, whole, mu, lv, bnn_key_new(4), N, N);
  a_posterior x = {.q.n_groups = 0};
  join(&x, "meanfield", 17, mu, lv);
  join(&x, "point", 20, mu + 17, NULL);
  join(&x, "point", 0, mu + 37, NULL);
  join(&x, "meanfield", 63, mu + 37, lv + 37);
  bnn_posterior_sample(&x.q, context, theta, bnn_key_new(4), 1);
  ck_assert_mem_eq(theta, whole, 17 * sizeof *mu);
  ck_assert_mem_eq(theta + 17, mu + 17, 20 * sizeof *mu);
  ck_assert_mem_eq(theta + 37, whole + 37, 63 * sizeof *mu);
  bnn_posterior_mean(&x.q, mean);
  ck_assert_mem_eq(mean, mu, sizeof mu);
  bnn_context_free(context);
}
END_TEST

START_TEST(only_one_group_of_points_is_a_point) {
  bnn_real mu[7] = {0}, lv[7] = {0};
  a_posterior point = {.q.n_groups = 0}, gauss = point, two = point;
  ck_assert_ptr_eq(bnn_posterior_point(join(&point, "point", 7, mu, NULL)), mu);
  ck_assert_ptr_null(bnn_posterior_point(join(&gauss, "meanfield", 7, mu, lv)));
  join(&two, "point", 3, mu, NULL);
  ck_assert_ptr_null(bnn_posterior_point(join(&two, "meanfield", 4, mu + 3, lv)));
}
END_TEST

/* ---- groups ---- */

START_TEST(groups_cover_the_layout_one_after_the_other) {
  bnn_real mu[9] = {0}, lv[9] = {0};
  a_posterior x = {.q.n_groups = 0};
  join(&x, "meanfield", 4, mu, lv);
  join(&x, "point", 0, mu + 4, NULL);
  join(&x, "point", 5, mu + 4, NULL);
  ck_succeeds(bnn_posterior_check(&x.q, &err));
  x.q.n_groups = 2;
  ck_refuses(bnn_posterior_check(&x.q, &err), BNN_ESHAPE, "4 of 9 elements");
  x.q.n_groups = 3;
  x.group[2].first = 5;
  ck_refuses(bnn_posterior_check(&x.q, &err), BNN_ESHAPE,
             "group 3: expected to begin at element 4, got 5");
  x.group[2].first = 3;
  ck_refuses(bnn_posterior_check(&x.q, &err), BNN_ESHAPE, "group 3: expected to begin at");
  x.group[2].first = 4;
  x.group[2].end = 10;
  ck_refuses(bnn_posterior_check(&x.q, &err), BNN_ESHAPE, "group 3, point, ends within a tensor");
  x.group[2].end = 9;
  x.group[1].end = x.group[2].first = 6;
  ck_refuses(bnn_posterior_check(&x.q, &err), BNN_ESHAPE, "at element 6");
  x.group[1].end = 3;
  ck_refuses(bnn_posterior_check(&x.q, &err), BNN_ESHAPE, "group 2");
}
END_TEST

START_TEST(a_layout_of_nothing_is_covered_by_no_group) {
  const bnn_layout nothing = {.n_params = 0};
  const bnn_posterior q = {.layout = &nothing};
  ck_succeeds(bnn_posterior_check(&q, &err));
  ck_assert_uint_eq(bnn_posterior_trained(&q), 0);
}
END_TEST

/* mu of all, then logvar of those that have one. */
START_TEST(buffers_lie_one_after_the_other) {
  bnn_real mu[20] = {0}, lv[20] = {0};
  a_posterior x = {.q.n_groups = 0};
  join(&x, "meanfield", 4, mu, lv);
  join(&x, "point", 5, mu, NULL);
  join(&x, "meanfield", 0, mu, lv);
  join(&x, "meanfield", 7, mu, lv);
  const size_t first[] = {0, 4, 9, 9}, second[] = {16, 20, 20, 20};
  for (size_t g = 0; g < 4; g++) {
    ck_assert_uint_eq(bnn_posterior_place(&x.q, g, 0), first[g]);
    if (g != 1) ck_assert_uint_eq(bnn_posterior_place(&x.q, g, 1), second[g]);
  }
  ck_assert_uint_eq(bnn_posterior_trained(&x.q), 27);
}
END_TEST

START_TEST(each_tensor_has_its_group) {
  bnn_param param[] = {{0, 3}, {3, 0}, {3, 4}, {7, 0}, {7, 2}};
  const bnn_layout layout = {.n_params = 5, .size = 9, .param = param};
  const bnn_family *family = bnn_family_find("point");
  const bnn_group group[] = {{.family = family, .layout = &layout, .first = 0, .end = 3},
                             {.family = family, .layout = &layout, .first = 3, .end = 9}};
  const bnn_posterior q = {.layout = &layout, .n_groups = 2, .group = group};
  const size_t want[] = {0, 1, 1, 1, 1};
  for (size_t t = 0; t < 5; t++) ck_assert_uint_eq(bnn_posterior_group_of(&q, t), want[t]);
}
END_TEST

START_TEST(alike_are_families_and_extents_not_buffers) {
  bnn_real mu[9] = {0}, lv[9] = {0}, other[9] = {0};
  a_posterior x = {.q.n_groups = 0}, same = x, family = x, extent = x, fewer = x;
  join(&x, "meanfield", 4, mu, lv), join(&x, "point", 5, mu + 4, NULL);
  join(&same, "meanfield", 4, other, other), join(&same, "point", 5, other, NULL);
  join(&family, "meanfield", 4, mu, lv), join(&family, "meanfield", 5, mu + 4, lv + 4);
  join(&extent, "meanfield", 5, mu, lv), join(&extent, "point", 4, mu + 5, NULL);
  join(&fewer, "meanfield", 4, mu, lv);
  ck_assert(bnn_posterior_is_alike(&x.q, &x.q) && bnn_posterior_is_alike(&x.q, &same.q));
  ck_assert(!bnn_posterior_is_alike(&x.q, &family.q) && !bnn_posterior_is_alike(&family.q, &x.q));
  ck_assert(!bnn_posterior_is_alike(&x.q, &extent.q));
  ck_assert(!bnn_posterior_is_alike(&x.q, &fewer.q) && !bnn_posterior_is_alike(&fewer.q, &x.q));
}
END_TEST

/* ---- KL ---- */

/* Of `size` weights behind `offset` others of the same group. */
static double kl_of(size_t offset, size_t size, bnn_real *mu, bnn_real *lv, double prior_std) {
  a_posterior x = {.q.n_groups = 0};
  join(&x, "meanfield", offset + size, mu, lv);
  x.param[0].size = offset;
  x.param[1] = (bnn_param){offset, size};
  x.layout.n_params = 2;
  return bnn_posterior_kl(&x.q, 1, prior_std);
}

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
      double got = kl_of(param.offset, param.size, mu, lv, prior_std[i]);
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
    ck_assert_double_eq_tol(kl_of(0, 40, mu, lv, s[k]), 0, 40 * 8 * BNN_REAL_EPSILON);
  }
}
END_TEST

/* KL = E_q[log q(w) - log p(w)], by 1e6 samples of one weight, within 4 standard errors (estimated
 * from the same samples). */
START_TEST(kl_is_what_samples_say) {
  enum { N = 1000000 };
  static const double row[][3] = {
      {0.3, -7, 1}, {-1, -1, 1}, {2, 0.5, 3}, {0.05, -3, 0.1}, {0.4, -1, 1.3}};
  const double m = row[_i][0], v = row[_i][1], s = row[_i][2];
  bnn_real *mu = calloc(3 * (size_t)N, sizeof *mu), *lv = mu + N, *w = mu + 2 * (size_t)N;
  for (int i = 0; i < N; i++) mu[i] = (bnn_real)m, lv[i] = (bnn_real)v;
  bnn_context *context = context_of(2);
  sample(context, w, mu, lv, bnn_key_new(11), N, N);
  double sum = 0, squares = 0;
  for (int i = 0; i < N; i++) {
    double x = (double)w[i], z = (x - m) / exp(v / 2);
    double d = (-z * z - v) / 2 - (-(x * x) / (s * s) - 2 * log(s)) / 2;
    sum += d, squares += d * d;
  }
  double mean = sum / N, error = sqrt((squares / N - mean * mean) / N);
  double kl = kl_of(0, 1, mu, lv, s);
  ck_assert_msg(fabs(kl - mean) <= 4 * error, "KL %.9g, by samples %.9g +- %.3g", kl, mean, error);
  ck_assert_double_gt(kl, 40 * error); /* so the bound means something */
  free(mu);
  bnn_context_free(context);
}
END_TEST

START_TEST(a_nan_in_the_posterior_is_seen) {
  for (int k = 0; k < 40; k++) {
    bnn_real mu[20] = {0}, lv[20] = {0};
    (k < 20 ? mu : lv)[k % 20] = NAN;
    ck_assert(isnan(kl_of(0, 20, mu, lv, 1)));
  }
}
END_TEST

/* KL = cross-entropy to the prior less entropy; a point has neither. */
START_TEST(kl_and_entropy_are_those_of_the_tensors_family) {
  bnn_real mu[8], lv[5];
  bnn_rng_normal(mu, bnn_key_new(1), 0, 8);
  bnn_rng_normal(lv, bnn_key_new(2), 0, 5);
  a_posterior x = {.q.n_groups = 0};
  join(&x, "point", 3, mu, NULL);
  join(&x, "meanfield", 5, mu + 3, lv);
  ck_assert(isnan(bnn_posterior_kl(&x.q, 0, 1)) && isnan(bnn_posterior_entropy(&x.q, 0)));
  double cross = 0, s = 0.5;
  for (int i = 0; i < 5; i++) {
    const double m = (double)mu[3 + i], v = exp((double)lv[i]);
    cross += log(2 * acos(-1) * s * s) / 2 + (v + m * m) / (2 * s * s);
  }
  ck_assert_double_eq_tol(bnn_posterior_kl(&x.q, 1, s), cross - bnn_posterior_entropy(&x.q, 1),
                          16 * (double)BNN_REAL_EPSILON * fabs(cross));
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, samples_have_the_moments_of_the_posterior, 0, 5);
  tcase_add_test(tests, a_sample_is_mu_plus_sigma_times_the_keys_normals);
  tcase_add_test(tests, a_sample_has_the_same_bits_on_any_number_of_threads);
  tcase_add_test(tests, another_key_gives_another_sample);
  tcase_add_test(tests, elements_of_a_point_group_are_points);
  tcase_add_test(tests, groups_sample_what_is_theirs);
  tcase_add_test(tests, only_one_group_of_points_is_a_point);
  tcase_add_test(tests, groups_cover_the_layout_one_after_the_other);
  tcase_add_test(tests, a_layout_of_nothing_is_covered_by_no_group);
  tcase_add_test(tests, buffers_lie_one_after_the_other);
  tcase_add_test(tests, each_tensor_has_its_group);
  tcase_add_test(tests, alike_are_families_and_extents_not_buffers);
  tcase_add_test(tests, kl_is_its_formula_summed_over_a_tensor);
  tcase_add_test(tests, kl_of_the_prior_is_zero);
  tcase_add_loop_test(tests, kl_is_what_samples_say, 0, 5);
  tcase_add_test(tests, a_nan_in_the_posterior_is_seen);
  tcase_add_test(tests, kl_and_entropy_are_those_of_the_tensors_family);
}

int main(void) { return run_suite("posterior", add_tests); }
