/* test_ranking.c - rankings against a plain sort, metrics against sums over all pairs, resamples,
 * bins and temperatures of the runtime behind bnn.metrics. */
#include "metrics/ranking.h"

#include <math.h>
#include <string.h>

#include "kernels/rng.h"
#include "metrics/bootstrap.h"
#include "metrics/calibration.h"
#include "metrics/rank_metrics.h"
#include "metrics/scoring.h"
#include "support.h"

enum { N = 500 };

static double score[N];
static uint8_t flag[N];

/* Numbers of many sizes and both signs, with ties, -0 and infinities. */
static void fill(void) {
  bnn_real z[N];
  bnn_rng_normal(z, bnn_key_new(1), 0, N);
  for (int i = 0; i < N; i++) {
    score[i] = i % 3 ? round(4 * (double)z[i]) / 4 : pow(10, 3 * (double)z[i]) * (i % 2 ? 1 : -1);
    flag[i] = z[(i + 7) % N] + (bnn_real)0.5 * z[i] > 0;
  }
  score[4] = -0.0, score[8] = 0.0, score[9] = INFINITY, score[13] = -INFINITY, score[14] = INFINITY;
}

static bnn_ranking *ranking_of(const double *x, size_t n) {
  bnn_ranking *r = NULL;
  ck_succeeds(bnn_ranking_new(&r, x, n, &err));
  return r;
}

START_TEST(groups_are_in_the_order_of_the_scores) {
  fill();
  bnn_ranking *r = ranking_of(score, N);
  for (int i = 0; i < N; i++) {
    ck_assert(r->score[r->group[i]] == score[i]);
    for (int j = 0; j < N; j++) {
      ck_assert_int_eq(r->group[i]<r->group[j], score[i]> score[j]);
      ck_assert_int_eq(r->group[i] == r->group[j], score[i] == score[j]);
    }
  }
  for (size_t g = 1; g < r->groups; g++) ck_assert(r->score[g] < r->score[g - 1]);
  bnn_ranking_free(r);
}
END_TEST

START_TEST(what_is_no_score_is_refused) {
  bnn_ranking *r = NULL;
  const double x[] = {1, 2, NAN, NAN};
  ck_refuses(bnn_ranking_new(&r, x, 4, &err), BNN_ENAN, "score 3");
  ck_refuses(bnn_ranking_new(&r, x, 0, &err), BNN_ERANGE, "there are no scores");
  ck_assert_ptr_null(r);
}
END_TEST

/* P(pos > neg) + P(pos = neg) / 2 over all pairs, each as often as its weights say. */
static double auroc_by_pairs(const double *weight) {
  double won = 0, pairs = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      if (!flag[i] || flag[j]) continue;
      double w = weight[i] * weight[j];
      won += w * ((score[i] > score[j]) + (score[i] == score[j]) / 2.0);
      pairs += w;
    }
  return won / pairs;
}

START_TEST(auroc_is_the_share_of_pairs_under_any_weights) {
  fill();
  bnn_ranking *r = ranking_of(score, N);
  bnn_ranked data = {r, flag, bnn_rank_metric_find("auroc"), 0};
  bnn_statistic s = bnn_ranked_statistic(&data, true);
  double weight[N], scratch[N][2];
  for (int i = 0; i < N; i++) weight[i] = _i == 0 ? 1 : _i == 1 ? i * 7 % 4 : i * 7 % 4 * 0.3;
  ck_assert_double_eq_tol(s.value(s.data, weight, scratch), auroc_by_pairs(weight), 1e-11);
  bnn_ranking_free(r);
}
END_TEST

/* A weight is as good as that many copies. */
START_TEST(a_weight_counts_as_copies) {
  static double copies[4 * N];
  static uint8_t flags[4 * N];
  double weight[N], ones[4 * N], scratch[4 * N][2];
  size_t n = 0;
  fill();
  for (int i = 0; i < N; i++) { /* confidences in (0, 1), ties kept */
    score[i] = 1 / (1 + exp(-fmax(fmin(score[i], 30), -30)));
    weight[i] = i * 5 % 4;
    for (int k = 0; k < weight[i]; k++) copies[n] = score[i], flags[n] = flag[i], n++;
  }
  for (size_t i = 0; i < n; i++) ones[i] = 1;
  bnn_ranking *a = ranking_of(score, N), *b = ranking_of(copies, n);
  for (size_t k = 0; k < bnn_rank_metric_count; k++) {
    const bnn_rank_metric *metric = &bnn_rank_metrics[k];
    double parameter = strncmp(metric->name, "adaptive", 8) == 0 ? 15 : 0.9;
    bnn_ranked da = {a, flag, metric, parameter}, db = {b, flags, metric, parameter};
    bnn_statistic sa = bnn_ranked_statistic(&da, false), sb = bnn_ranked_statistic(&db, false);
    double x = sa.value(sa.data, weight, scratch), y = sb.value(sb.data, ones, scratch);
    ck_assert_msg(fabs(x - y) <= 1e-13, "%s: %.17g and %.17g", metric->name, x, y);
  }
  ck_assert_ptr_null(bnn_rank_metric_find("auc"));
  bnn_ranking_free(a);
  bnn_ranking_free(b);
}
END_TEST

/* ---- resamples ---- */

/* The weight of one example, and the sum of all of either part. */
static double weight_of(const void *data, const double *weight, void *scratch) {
  (void)scratch;
  const int *at = data;
  double sum[2] = {0, 0};
  for (int i = 0; i < N; i++) sum[flag[i]] += weight[i];
  return at[0] < 0 ? sum[at[0] + 2] : weight[at[0]];
}

static void bootstrap(double *out, const bnn_statistic *s, int threads, size_t n) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  ck_succeeds(bnn_bootstrap(context, out, s, bnn_key_new(3), n, &err));
  bnn_context_free(context);
}

START_TEST(each_example_is_drawn_once_on_average_and_parts_keep_their_sizes) {
  enum { RESAMPLES = 4000 };
  static double out[RESAMPLES];
  fill();
  size_t size[2] = {0, 0};
  for (int i = 0; i < N; i++) size[flag[i]]++;
  for (int at = -2; at < N; at += at < 0 ? 1 : 37) {
    bnn_statistic s = {.value = weight_of, .data = &at, .part = flag, .n = N};
    bootstrap(out, &s, 2, RESAMPLES);
    double sum = 0;
    for (int r = 0; r < RESAMPLES; r++) {
      sum += out[r];
      if (at < 0) ck_assert(out[r] == (double)size[at + 2]);
    }
    if (at >= 0) ck_assert_double_eq_tol(sum / RESAMPLES, 1, 4 / sqrt(RESAMPLES)); /* 4 sigma */
  }
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_resamples) {
  double want[700], got[700], values[N];
  fill();
  for (int i = 0; i < N; i++) values[i] = i * i;
  bnn_values v = {values, N, false};
  bnn_statistic s = bnn_mean_statistic(&v);
  bootstrap(want, &s, 1, 700);
  for (int threads = 2; threads <= 5; threads += 3) {
    bootstrap(got, &s, threads, 700);
    ck_assert_mem_eq(got, want, sizeof want);
  }
  bootstrap(got, &s, 3, 300); /* fewer are the first ones */
  ck_assert_mem_eq(got, want, 300 * sizeof *want);
}
END_TEST

START_TEST(a_stopped_context_draws_nothing) {
  double out[10];
  const double values[] = {1, 2, 3};
  bnn_values v = {values, 3, true};
  bnn_statistic s = bnn_mean_statistic(&v);
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, 1, &err));
  bnn_context_stop(context);
  ck_refuses(bnn_bootstrap(context, out, &s, bnn_key_new(1), 10, &err), BNN_ESTOP, "0 of 10");
  bnn_context_free(context);
}
END_TEST

/* ---- bins ---- */

START_TEST(bins_are_counted_in_the_precision_of_the_confidence) {
  static const struct {
    double confidence;
    bool single;
    uint32_t bin;
  } row[] = {{0, 0, 0},     {1, 0, 14},   {1e-9, 0, 0},     {0.2, 0, 2},
             {0.2f, 1, 2},  {0.2f, 0, 3}, {0.4f, 1, 5},     {0.6f, 1, 8},
             {0.8f, 1, 11}, {0.21, 0, 3}, {1.0 / 15, 0, 0}, {1.0005, 0, 14}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    uint32_t bin;
    ck_succeeds(bnn_bin_confidences(&bin, &row[i].confidence, 1, row[i].single, 15, &err));
    ck_assert_msg(bin == row[i].bin, "row %zu: bin %u", i, bin);
  }
  uint32_t bin[2];
  ck_refuses(bnn_bin_confidences(bin, (const double[]){1, -0.1}, 2, false, 15, &err), BNN_ERANGE,
             "confidence 2: expected 0 to 1, got -0.1");
  ck_refuses(bnn_bin_confidences(bin, (const double[]){NAN}, 1, false, 15, &err), BNN_ERANGE,
             "nan");
  ck_refuses(bnn_bin_confidences(bin, NULL, 0, false, 0, &err), BNN_ERANGE,
             "bins: expected 1 to 1048576, got 0");
}
END_TEST

/* ---- rows ---- */

START_TEST(rows_that_are_no_distribution_are_found) {
  static const struct {
    double p[4];
    size_t row, column;
    double value;
  } row[] = {{{.5, .5, 1, 0}, 2, 0, 0},
             {{.5, .5, .5, .6}, 1, 2, 1.1},
             {{-.1, 1.1, 0, 1}, 0, 0, -.1},
             {{1, 0, 0, 1.5}, 1, 1, 1.5},
             {{.5, .5005, 1, 0}, 2, 0, 0}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    size_t column;
    double value;
    size_t found = bnn_find_improper_row(&column, &value, row[i].p, 2, 2);
    ck_assert_uint_eq(found, row[i].row);
    if (found == 2) continue;
    ck_assert_uint_eq(column, row[i].column);
    ck_assert_double_eq_tol(value, row[i].value, 1e-12);
  }
}
END_TEST

START_TEST(a_temperature_of_logits_without_labels_is_refused) {
  bnn_temperature t;
  const double z[] = {0, 1};
  ck_refuses(bnn_temperature_fit(&t, z, (const int32_t[]){2}, 1, 2, &err), BNN_ERANGE,
             "label 1 is 2, there are 2 classes");
  ck_refuses(bnn_temperature_fit(&t, z, NULL, 0, 2, &err), BNN_ERANGE, "there are no examples");
}
END_TEST

/* ---- groups ---- */

/* Values i * i in groups i % 3, of 4. */
static bnn_groups groups_of(bnn_group_sum sum) {
  static int32_t group[N];
  static double value[N];
  for (int i = 0; i < N; i++) group[i] = i % 3, value[i] = i * i;
  return (bnn_groups){.group = group, .value = value, .n = N, .groups = 4, .sum = sum};
}

static void intervals(double *lo, double *hi, bnn_group_sum sum, int threads) {
  bnn_context *context = NULL;
  const bnn_groups g = groups_of(sum);
  ck_succeeds(bnn_context_new(&context, threads, &err));
  ck_succeeds(bnn_group_intervals(context, lo, hi, &g, bnn_key_new(3), 201, 0.9, &err));
  bnn_context_free(context);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The mean up to the last group is that of all; resample 10 and 190 of 0..200 lie at 5% and 95%. */
START_TEST(groups_have_the_intervals_of_the_same_resamples) {
  double lo[4], hi[4], again[4], out[201], values[N];
  for (int i = 0; i < N; i++) values[i] = i * i;
  bnn_values v = {values, N, false};
  bnn_statistic s = bnn_mean_statistic(&v);
  bootstrap(out, &s, 2, 201);
  qsort(out, 201, sizeof *out, by_value);
  intervals(lo, hi, BNN_GROUP_MEAN_TO, 3);
  for (int g = 2; g < 4; g++) {
    ck_assert_double_eq_tol(lo[g], out[10], 1e-9 * out[10]);
    ck_assert_double_eq_tol(hi[g], out[190], 1e-9 * out[190]);
  }
  intervals(again, hi, BNN_GROUP_MEAN_TO, 1);
  ck_assert_mem_eq(lo, again, sizeof lo);
  intervals(lo, hi, BNN_GROUP_MEAN, 2);
  ck_assert(lo[0] < hi[0] && isnan(lo[3]) && isnan(hi[3])); /* nobody is in the last group */
  intervals(lo, hi, BNN_GROUP_TOTAL, 2);
  ck_assert(lo[0] < hi[0] && lo[3] == 0 && hi[3] == 0);
  intervals(lo, hi, BNN_GROUP_SHARE_TO, 2);
  ck_assert(0 < lo[0] && lo[0] < hi[0] && hi[0] < lo[1]);
  ck_assert(lo[2] == 1 && hi[2] == 1 && lo[3] == 1 && hi[3] == 1);
}
END_TEST

START_TEST(groups_of_a_stopped_context_are_refused) {
  double lo[4], hi[4];
  bnn_context *context = NULL;
  const bnn_groups g = groups_of(BNN_GROUP_MEAN);
  ck_succeeds(bnn_context_new(&context, 1, &err));
  bnn_context_stop(context);
  ck_refuses(bnn_group_intervals(context, lo, hi, &g, bnn_key_new(1), 10, 0.9, &err), BNN_ESTOP,
             "0 of 10");
  bnn_context_free(context);
}
END_TEST

/* ---- memory ---- */

static bnn_status rank_and_resample(void *arg, bnn_err *err) {
  bnn_context *context = arg;
  bnn_ranking *r = NULL;
  BNN_TRY(bnn_ranking_new(&r, score, N, err));
  double value, out[9];
  bnn_ranked data = {r, flag, bnn_rank_metric_find("auroc"), 0};
  bnn_statistic s = bnn_ranked_statistic(&data, true);
  bnn_status status = bnn_statistic_value(&value, &s, err);
  if (status == BNN_OK) status = bnn_bootstrap(context, out, &s, bnn_key_new(1), 9, err);
  bnn_ranking_free(r);
  const bnn_groups g = groups_of(BNN_GROUP_MEAN);
  double lo[4], hi[4];
  if (status == BNN_OK)
    status = bnn_group_intervals(context, lo, hi, &g, bnn_key_new(1), 9, 0.9, err);
  return status;
}

START_TEST(every_allocation_may_fail) {
  bnn_context *context = NULL;
  fill();
  ck_succeeds(bnn_context_new(&context, 3, &err));
  ck_survives_failing_allocations(rank_and_resample, context);
  bnn_context_free(context);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, groups_are_in_the_order_of_the_scores);
  tcase_add_test(tests, what_is_no_score_is_refused);
  tcase_add_loop_test(tests, auroc_is_the_share_of_pairs_under_any_weights, 0, 3);
  tcase_add_test(tests, a_weight_counts_as_copies);
  tcase_add_test(tests, each_example_is_drawn_once_on_average_and_parts_keep_their_sizes);
  tcase_add_test(tests, any_number_of_threads_gives_the_same_resamples);
  tcase_add_test(tests, a_stopped_context_draws_nothing);
  tcase_add_test(tests, groups_have_the_intervals_of_the_same_resamples);
  tcase_add_test(tests, groups_of_a_stopped_context_are_refused);
  tcase_add_test(tests, bins_are_counted_in_the_precision_of_the_confidence);
  tcase_add_test(tests, rows_that_are_no_distribution_are_found);
  tcase_add_test(tests, a_temperature_of_logits_without_labels_is_refused);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("ranking", add_tests); }
