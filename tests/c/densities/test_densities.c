/* test_densities.c - every density of the op table by what density.h asks of it, on every
 * instruction set at hand.  Values and gradients of their ops are those of test_ops.c and of SciPy
 * (tests/long). */
#include "densities/density.h"

#include <math.h>
#include <string.h>

#include "kernels/isa.h"
#include "ops/op.h"
#include "support_numbers.h"

// clang-format off
#define EACH_DENSITY(density)                                                                 \
  EACH_ISA                                                                                    \
    for (size_t row_ = 0; bnn_density_row(row_, NULL); row_++)                                \
      for (const bnn_density *density = bnn_density_row(row_, NULL); density; density = NULL)
// clang-format on

static void defaults(const bnn_density *density, double *param) {
  for (int k = 0; k < bnn_density_params(density); k++) param[k] = density->param[k].value;
}

static bnn_prior prior_of(const bnn_density *density) {
  double param[BNN_DENSITY_PARAMS_MAX];
  bnn_prior prior;
  defaults(density, param);
  ck_succeeds(bnn_prior_init(&prior, density, param, &err));
  return prior;
}

static double log_prob_at(const bnn_prior *prior, double x) {
  const bnn_real at = (bnn_real)x;
  return prior->density->log_prob(&at, prior->param, 1);
}

/* d log p / dx by the prior's kernel. */
static double slope_at(const bnn_prior *prior, double x) {
  const bnn_real at = (bnn_real)x, g = 0;
  bnn_real out = NAN;
  prior->density->pull(&out, &g, &at, prior->param, 1, 1);
  return -(double)out;
}

/* ---- the table ---- */

static int row_count(void) {
  int n = 0;
  while (bnn_density_row((size_t)n, NULL)) n++;
  return n;
}

START_TEST(every_row_is_found_by_its_name_and_has_an_op) {
  EACH_DENSITY(density) {
    const char *op = NULL;
    bnn_op_id id;
    ck_assert_ptr_eq(bnn_density_row(row_, &op), density);
    ck_assert_ptr_eq(bnn_density_find(density->name), density);
    ck_assert(bnn_op_find(&id, op));
    ck_assert_ptr_eq(bnn_op_get(id)->density, density);
    ck_assert_int_eq(bnn_op_get(id)->arity, 1 + bnn_density_params(density));
    ck_assert(density->doc[0] && density->lo < density->hi);
  }
  ck_assert_int_ge(row_count(), 12);
  ck_assert_ptr_null(bnn_density_find(""));
  ck_assert_ptr_null(bnn_density_find("laplaces"));
}
END_TEST

START_TEST(parameters_are_within_bounds_which_others_are_refused_by) {
  EACH_DENSITY(density) {
    bnn_prior prior = prior_of(density);
    for (int k = 0; k < bnn_density_params(density); k++) {
      const bnn_density_param *row = &density->param[k];
      const double odd[] = {row->lo, row->hi, NAN};
      ck_assert(row->name[0] && row->doc[0] && row->value > row->lo && row->value < row->hi);
      for (int i = 0; i < 3; i++) {
        double param[BNN_DENSITY_PARAMS_MAX];
        defaults(density, param);
        param[k] = odd[i];
        prior.density = NULL;
        ck_refuses(bnn_prior_init(&prior, density, param, &err), BNN_ERANGE, row->name);
        ck_assert_ptr_null(prior.density);
      }
    }
  }
}
END_TEST

START_TEST(ends_in_the_wrong_order_are_refused) {
  bnn_prior prior;
  ck_refuses(bnn_prior_init(&prior, bnn_density_find("uniform"), (double[]){1, 1}, &err),
             BNN_ERANGE, "uniform: expected low below high, got 1 and 1");
}
END_TEST

/* ---- what a density is ---- */

/* x(u) goes through the support while u goes from -40 to 40, finely near 0 and the ends, and
 * dx/du. */
static double place_of(const bnn_density *density, double u, double *dx) {
  if (density->hi == 1) return *dx = 1 / (2 + exp(u) + exp(-u)), 1 / (1 + exp(-u));
  if (density->lo == 0) return *dx = exp(u);
  return *dx = 1e-4 * cosh(u), 1e-4 * sinh(u);
}

enum { MOMENTS = 3 };

/* The integrals of p, x p and x^2 p by the trapezoidal rule.  In float x is the rounded one of
 * which p is computed. */
static void integrate(const bnn_prior *prior, double *moment) {
  const int n = 400000;
  const double h = 80. / n;
  memset(moment, 0, MOMENTS * sizeof *moment);
  for (int i = 0; i <= n; i++) {
    double dx, x = (double)(bnn_real)place_of(prior->density, -40 + h * i, &dx);
    const double p = exp(log_prob_at(prior, x)) * dx * h;
    if (!(p > 0)) continue;
    moment[0] += p, moment[1] += p * x, moment[2] += p * x * x;
  }
}

/* The step of a uniform density is 2e-4 x wide, 1e-4 of its norm; float's rounding of log p is of
 * that size too where it is -10 or so. */
START_TEST(a_density_has_the_integral_1_and_the_moments_that_it_says) {
  const bnn_density *density = bnn_density_row((size_t)_i, NULL);
  const bnn_prior prior = prior_of(density);
  double moment[MOMENTS], mean, variance, param[BNN_DENSITY_PARAMS_MAX];
  integrate(&prior, moment);
  ck_assert_msg(fabs(moment[0] - 1) < 3e-4, "%s: integral %g", density->name, moment[0]);
  defaults(density, param);
  density->moments(&mean, &variance, param);
  if (!isnan(mean))
    ck_assert_msg(fabs(moment[1] - mean) < 3e-4 * (1 + fabs(mean)), "%s: mean %g, said %g",
                  density->name, moment[1], mean);
  if (isfinite(variance))
    ck_assert_msg(fabs(moment[2] - mean * mean - variance) < 1e-3 * (1 + variance),
                  "%s: variance %g, said %g", density->name, moment[2] - mean * mean, variance);
}
END_TEST

START_TEST(moments_are_there_when_they_are) {
  static const struct {
    double df, mean, variance;
  } row[] = {{1, NAN, NAN}, {1.5, 0, INFINITY}, {2, 0, INFINITY}, {4, 0, 2}, {INFINITY, 0, 1}};
  for (int i = 0; i < 5; i++) {
    double mean, variance;
    bnn_density_find("student_t")->moments(&mean, &variance, (double[]){row[i].df, 0, 1});
    ck_holds(isnan(row[i].mean) ? isnan(mean) : mean == row[i].mean);
    ck_holds(isnan(row[i].variance) ? isnan(variance) : variance == row[i].variance);
  }
}
END_TEST

/* ---- the prior's kernels ---- */

enum { N = 77 };

/* Points of the support, away from kinks. */
static void fill_support(const bnn_density *density, bnn_real *x) {
  const double lo = density->lo < 0 ? -0.9 : 0.05, hi = density->hi > 1 ? 0.93 : 0.95;
  fill(x, N, 3, lo, hi);
}

START_TEST(the_sum_is_that_of_the_ops_values) {
  EACH_DENSITY(density) {
    const bnn_prior prior = prior_of(density);
    const char *name = NULL;
    bnn_op_id id;
    bnn_density_row(row_, &name);
    ck_assert(bnn_op_find(&id, name));
    bnn_tensor *x[1 + BNN_DENSITY_PARAMS_MAX], *y = NULL;
    const size_t n = N;
    ck_succeeds(bnn_tensor_new(&x[0], BNN_REAL, 1, &n, &err));
    fill_support(density, bnn_tensor_real(x[0]));
    for (int k = 0; k < bnn_density_params(density); k++) {
      ck_succeeds(bnn_tensor_new(&x[1 + k], BNN_REAL, 0, NULL, &err));
      bnn_tensor_real(x[1 + k])[0] = prior.param[k];
    }
    ck_succeeds(bnn_op_run(&y, id, x, 1 + bnn_density_params(density), NULL, &err));
    double want = 0;
    for (size_t i = 0; i < N; i++) want += bnn_tensor_get(y, i);
    const double got = density->log_prob(bnn_tensor_real(x[0]), prior.param, N);
    ck_assert_msg(fabs(got - want) <= 16 * N * (double)BNN_REAL_EPSILON, "%s: %.9g, wanted %.9g",
                  density->name, got, want);
    bnn_tensor_unref(y);
    for (int k = 0; k <= bnn_density_params(density); k++) bnn_tensor_unref(x[k]);
  }
}
END_TEST

/* out = g - weight slope, of each length of a loop's rest; nothing is written behind. */
START_TEST(a_pull_adds_the_weighted_slope) {
  EACH_DENSITY(density) {
    const bnn_prior prior = prior_of(density);
    bnn_real x[N], g[N], out[N + 1];
    fill_support(density, x);
    fill(g, N, 4, -1, 1);
    for (size_t n = 0; n <= N; n += n < 40 ? 1 : 37) {
      for (size_t i = 0; i <= N; i++) out[i] = -7;
      density->pull(out, g, x, prior.param, (bnn_real)0.3, n);
      for (size_t i = 0; i <= N; i++) {
        const double slope = i < n ? slope_at(&prior, (double)x[i]) : 0;
        const double want = i < n ? (double)g[i] - 0.3 * slope : -7;
        ck_assert_msg(
            fabs((double)out[i] - want) <= 32 * (double)BNN_REAL_EPSILON * (1 + fabs(slope)),
            "%s [%zu] of %zu: %.9g, wanted %.9g", density->name, i, n, (double)out[i], want);
      }
    }
  }
}
END_TEST

/* In float a difference holds some three digits, which finds a factor; the double build finds the
 * rest. */
START_TEST(the_slope_is_that_of_log_prob) {
  const double h = sizeof(bnn_real) == sizeof(float) ? 0x1p-8 : 1e-6;
  const double tol = sizeof(bnn_real) == sizeof(float) ? 2e-2 : 1e-6;
  EACH_DENSITY(density) {
    const bnn_prior prior = prior_of(density);
    bnn_real x[N];
    fill_support(density, x);
    for (size_t i = 0; i < N; i++) {
      const double at = (double)x[i];
      if (fabs(at) < 0.05 && sizeof(bnn_real) == sizeof(float))
        continue; /* peaks are narrower than h */
      const double up = log_prob_at(&prior, at + h), down = log_prob_at(&prior, at - h);
      const double want = (up - down) / (2 * h), got = slope_at(&prior, at);
      ck_assert_msg(fabs(got - want) <= tol * (1 + fabs(want)), "%s: slope %.9g at %g, wanted %.9g",
                    density->name, got, at, want);
    }
  }
}
END_TEST

/* ---- limits ---- */

START_TEST(outside_of_the_support_nothing_pulls) {
  EACH_DENSITY(density) {
    const bnn_prior prior = prior_of(density);
    const double odd[] = {density->lo - 1, density->hi + 1};
    for (int i = 0; i < 2; i++) {
      if (isinf(odd[i])) continue;
      ck_holds(log_prob_at(&prior, odd[i]) == -INFINITY);
      ck_holds(slope_at(&prior, odd[i]) == 0);
    }
  }
  const bnn_prior uniform = prior_of(bnn_density_find("uniform"));
  ck_holds(log_prob_at(&uniform, 1.5) == -INFINITY && slope_at(&uniform, 1.5) == 0);
}
END_TEST

/* A bias starts at 0, a weight may be anywhere.  Near the end of a support slopes may be beyond
 * floats. */
START_TEST(slopes_of_finite_numbers_are_finite) {
  static const double at[] = {0, -0., 1e-40, -1e-40, 1e-30, 1e-20, 1e-3, -1e-3, 1, -1, 60, -60};
  EACH_DENSITY(density) {
    const bnn_prior prior = prior_of(density);
    for (size_t i = density->lo == 0 ? 4 : 0; i < sizeof at / sizeof *at; i++)
      ck_assert_msg(isfinite(slope_at(&prior, at[i])), "%s at %g: %g", density->name, at[i],
                    slope_at(&prior, at[i]));
  }
}
END_TEST

/* log p falls to -inf with x, and of heavy tails is finite as long as it is a number that a float
 * holds. */
START_TEST(tails_are_those_of_the_mathematics) {
  static const char *const heavy[] = {"laplace",        "student_t", "cauchy",     "logistic",
                                      "spike_and_slab", "horseshoe", "log_normal", "gamma"};
  EACH_DENSITY(density) {
    const bnn_prior prior = prior_of(density);
    const bool is_far = density->hi > 1;
    if (is_far) ck_holds(log_prob_at(&prior, INFINITY) == -INFINITY);
    if (density->lo < 0) ck_holds(log_prob_at(&prior, -INFINITY) == -INFINITY);
    ck_holds(!isnan(slope_at(&prior, INFINITY)) && !isnan(slope_at(&prior, -INFINITY)));
    for (int i = 0; i < 8; i++)
      if (strcmp(density->name, heavy[i]) == 0) {
        ck_assert_msg(isfinite(log_prob_at(&prior, 1e36)), "%s", density->name);
        ck_assert_msg(isfinite(slope_at(&prior, 1e36)), "%s", density->name);
      }
  }
}
END_TEST

START_TEST(nan_comes_out) {
  EACH_DENSITY(density) {
    bnn_prior prior = prior_of(density);
    ck_holds(isnan(log_prob_at(&prior, NAN)) && isnan(slope_at(&prior, NAN)));
    for (int k = 0; k < bnn_density_params(density); k++) {
      bnn_prior odd = prior;
      odd.param[k] = NAN;
      ck_assert_msg(isnan(log_prob_at(&odd, 0.5)), "%s: %s", density->name, density->param[k].name);
    }
  }
}
END_TEST

/* Student's t with more and more degrees of freedom, and a mixture of one. */
START_TEST(special_cases_are_the_densities_that_they_are) {
  static const double at[] = {-3, -0.7, 0, 0.2, 2.5};
  EACH_ISA {
    bnn_prior normal, t, mixture, cauchy, t1, beta, uniform;
    ck_succeeds(bnn_prior_init(&normal, bnn_density_find("normal"), (double[]){0, 1}, &err));
    ck_succeeds(bnn_prior_init(&t, bnn_density_find("student_t"), (double[]){1e30, 0, 1}, &err));
    ck_succeeds(
        bnn_prior_init(&mixture, bnn_density_find("scale_mixture"), (double[]){0.3, 1, 1}, &err));
    ck_succeeds(bnn_prior_init(&t1, bnn_density_find("student_t"), (double[]){1, 0, 2}, &err));
    ck_succeeds(bnn_prior_init(&cauchy, bnn_density_find("cauchy"), (double[]){0, 2}, &err));
    ck_succeeds(bnn_prior_init(&beta, bnn_density_find("beta"), (double[]){1, 1}, &err));
    ck_succeeds(bnn_prior_init(&uniform, bnn_density_find("uniform"), (double[]){0, 1}, &err));
    const bnn_prior *const same[][2] = {{&t, &normal}, {&mixture, &normal}, {&t1, &cauchy}};
    for (int i = 0; i < 5; i++)
      for (int k = 0; k < 3; k++) {
        const double tol = 8 * (double)BNN_REAL_EPSILON * 8;
        ck_assert_double_eq_tol(log_prob_at(same[k][0], at[i]), log_prob_at(same[k][1], at[i]),
                                tol);
        ck_assert_double_eq_tol(slope_at(same[k][0], at[i]), slope_at(same[k][1], at[i]), tol);
      }
    for (int i = 0; i <= 4; i++) {
      ck_assert_double_eq_tol(log_prob_at(&beta, i / 4.), log_prob_at(&uniform, i / 4.), 1e-14);
      ck_holds(slope_at(&beta, i / 4.) == 0);
    }
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, every_row_is_found_by_its_name_and_has_an_op);
  tcase_add_test(tests, parameters_are_within_bounds_which_others_are_refused_by);
  tcase_add_test(tests, ends_in_the_wrong_order_are_refused);
  tcase_add_loop_test(tests, a_density_has_the_integral_1_and_the_moments_that_it_says, 0,
                      row_count());
  tcase_add_test(tests, moments_are_there_when_they_are);
  tcase_add_test(tests, the_sum_is_that_of_the_ops_values);
  tcase_add_test(tests, a_pull_adds_the_weighted_slope);
  tcase_add_test(tests, the_slope_is_that_of_log_prob);
  tcase_add_test(tests, outside_of_the_support_nothing_pulls);
  tcase_add_test(tests, slopes_of_finite_numbers_are_finite);
  tcase_add_test(tests, tails_are_those_of_the_mathematics);
  tcase_add_test(tests, nan_comes_out);
  tcase_add_test(tests, special_cases_are_the_densities_that_they_are);
}

int main(void) { return run_suite("densities", add_tests); }
