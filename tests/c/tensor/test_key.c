/* test_key.c - keys, and the laws of what is drawn from them. */
#include "tensor/key.h"

#include <math.h>
#include <string.h>

#include "kernels/isa.h"
#include "kernels/rng.h"
#include "support.h"

enum { N = 1 << 20 };

/* For inner loops: Check's own assertions write to a pipe even when they hold. */
#define ck_holds(condition)                     \
  do {                                          \
    if (!(condition)) ck_abort_msg(#condition); \
  } while (0)

static const bnn_key KEY = {0x0123456789abcdef};

/* ---- Philox and keys ---- */

/* The vectors that Random123 publishes for philox4x32-10 (kat_vectors). */
START_TEST(philox_gives_the_known_answers) {
  static const struct {
    uint32_t c[4], k[2], out[4];
  } row[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    uint32_t out[4];
    bnn_philox4x32(out, row[i].c, row[i].k);
    ck_assert_mem_eq(out, row[i].out, sizeof out);
  }
}
END_TEST

START_TEST(keys_keep_their_golden_values) {
  bnn_key root = bnn_key_new(42);
  ck_assert_uint_eq(bnn_key_new(0).bits, 0xf08d6eaa844515e1);
  ck_assert_uint_eq(root.bits, 0x294856d0cb7ecf9e);
  ck_assert_uint_eq(bnn_key_fold(root, 7).bits, 0x9a6b665a88bd90f7);
  ck_assert_uint_eq(bnn_key_fold(root, -1).bits, 0x77e6937da089f8cc);
  ck_assert_uint_eq(bnn_key_fold_name(root, "init", 4).bits, 0xbf109fa1a3182d24);
  ck_assert_uint_eq(bnn_key_fold_name(root, "mlp/linear_0/w", 14).bits, 0x3d971447d59925f3);
  ck_assert_uint_eq(bnn_key_split(root, 3).bits, 0x73a885455d78fcd5);
}
END_TEST

START_TEST(folds_by_number_by_name_and_splits_live_apart) {
  bnn_key keys[] = {KEY,
                    bnn_key_new(KEY.bits),
                    bnn_key_new(1),
                    bnn_key_fold(KEY, 1),
                    bnn_key_fold(KEY, '1'),
                    bnn_key_fold(KEY, 0),
                    bnn_key_fold_name(KEY, "1", 1),
                    bnn_key_fold_name(KEY, "", 0),
                    bnn_key_fold_name(KEY, "a", 1),
                    bnn_key_fold_name(KEY, "a\0", 2),
                    bnn_key_fold_name(KEY, "ab", 2),
                    bnn_key_fold_name(KEY, "12345678", 8),
                    bnn_key_fold_name(KEY, "12345678\0", 9),
                    bnn_key_split(KEY, 0),
                    bnn_key_split(KEY, 1),
                    bnn_key_fold(bnn_key_fold(KEY, 1), 2),
                    bnn_key_fold(bnn_key_fold(KEY, 2), 1)};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    for (size_t j = 0; j < i; j++)
      ck_assert_msg(keys[i].bits != keys[j].bits, "keys %zu and %zu are the same", i, j);
}
END_TEST

START_TEST(every_derived_key_is_a_mix_of_value_and_domain) {
  ck_assert_uint_eq(bnn_key_fold(KEY, -5).bits,
                    bnn_key_mix(KEY, (uint64_t)-5, BNN_KEY_NUMBER).bits);
  ck_assert_uint_eq(bnn_key_split(KEY, 9).bits, bnn_key_mix(KEY, 9, BNN_KEY_SPLIT).bits);
  ck_assert_uint_eq(bnn_key_fold_name(KEY, "epoch", 5).bits,
                    bnn_key_mix(KEY, bnn_name_hash("epoch", 5), BNN_KEY_NAME).bits);
}
END_TEST

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* 2^18 values of 64 bits collide with probability 2^-29. */
START_TEST(folds_of_a_key_do_not_collide) {
  enum { COUNT = 1 << 18 };
  uint64_t *bits = bnn_mem_alloc(COUNT, sizeof *bits);
  for (int i = 0; i < COUNT; i++) bits[i] = bnn_key_fold(KEY, i).bits;
  qsort(bits, COUNT, sizeof *bits, by_value);
  for (int i = 1; i < COUNT; i++) ck_holds(bits[i] != bits[i - 1]);
  bnn_mem_free(bits);
}
END_TEST

/* ---- laws: a fixed key, bounds of 4 sigma ---- */

static bnn_real *draw(void (*fill)(bnn_real *, bnn_key, uint64_t, size_t)) {
  bnn_real *x = bnn_mem_alloc(N, sizeof *x);
  fill(x, KEY, 0, N);
  return x;
}

static double mean_power(const bnn_real *x, int power) {
  double sum = 0;
  for (size_t i = 0; i < N; i++) {
    double term = 1;
    for (int k = 0; k < power; k++) term *= (double)x[i];
    sum += term;
  }
  return sum / N;
}

/* The mean of n values of variance v is within 4 sqrt(v / n) of the expectation. */
static void ck_mean(double found, double want, double variance) {
  double bound = 4 * sqrt(variance / N);
  ck_assert_msg(fabs(found - want) <= bound, "mean %.6g, wanted %.6g +- %.2g", found, want, bound);
}

/* Pearson's statistic of `cells` equally likely cells has mean cells - 1 and variance 2 (cells -
 * 1). */
static void ck_even(const size_t *count, size_t cells, size_t n) {
  double want = (double)n / (double)cells, sum = 0, free_cells = (double)cells - 1;
  for (size_t i = 0; i < cells; i++) sum += ((double)count[i] - want) * ((double)count[i] - want);
  double z = (sum / want - free_cells) / sqrt(2 * free_cells);
  ck_assert_msg(fabs(z) <= 4, "the cells' counts are %.1f sigma from even", z);
}

/* Cells of equal probability by the distribution function. */
static void ck_law(const bnn_real *x, double (*cdf)(double)) {
  enum { CELLS = 256 };
  size_t count[CELLS] = {0};
  for (size_t i = 0; i < N; i++) {
    double p = cdf((double)x[i]);
    count[p >= 1 ? CELLS - 1 : (size_t)(p * CELLS)]++;
  }
  ck_even(count, CELLS, N);
}

/* Elements that one Philox block or one pair of words ties together are not correlated. */
static void ck_uncorrelated(const bnn_real *x, double variance) {
  static const size_t lag[] = {1, 2, 4, 8, 16, 17, 32, 48, 64, 128, 1024};
  double mean = mean_power(x, 1);
  for (size_t k = 0; k < sizeof lag / sizeof *lag; k++) {
    double sum = 0;
    for (size_t i = 0; i + lag[k] < N; i++)
      sum += ((double)x[i] - mean) * ((double)x[i + lag[k]] - mean);
    ck_mean(sum / N, 0, variance * variance);
  }
}

static double uniform_cdf(double x) { return x; }
static double normal_cdf(double x) { return erfc(-x / sqrt(2)) / 2; }
static double truncated_cdf(double x) { return (1 + erf(x / sqrt(2)) / erf(sqrt(2))) / 2; }

START_TEST(uniforms_are_even_in_0_1_with_24_bits) {
  bnn_real *x = draw(bnn_rng_uniform);
  for (size_t i = 0; i < N; i++) {
    ck_holds(x[i] >= 0 && x[i] < 1);
    ck_holds(x[i] * 0x1p24 == floor(x[i] * 0x1p24));
  }
  ck_mean(mean_power(x, 1), 1. / 2, 1. / 12);
  ck_mean(mean_power(x, 2), 1. / 3, 4. / 45);
  ck_law(x, uniform_cdf);
  ck_uncorrelated(x, 1. / 12);
  bnn_mem_free(x);
}
END_TEST

/* E z^k = (k - 1)!! for even k; the variance of z^k is E z^2k - (E z^k)^2. */
START_TEST(normals_have_the_normal_moments) {
  bnn_real *x = draw(bnn_rng_normal);
  ck_mean(mean_power(x, 1), 0, 1);
  ck_mean(mean_power(x, 2), 1, 2);
  ck_mean(mean_power(x, 3), 0, 15);
  ck_mean(mean_power(x, 4), 3, 96);
  ck_mean(mean_power(x, 6), 15, 10170);
  bnn_mem_free(x);
}
END_TEST

START_TEST(normals_have_the_normal_law_and_its_tails) {
  bnn_real *x = draw(bnn_rng_normal);
  ck_law(x, normal_cdf);
  for (int t = 1; t <= 4; t++) {
    double beyond = 0, p = erfc(t / sqrt(2));
    for (size_t i = 0; i < N; i++) {
      ck_holds(fabs((double)x[i]) < 6.56);
      beyond += fabs((double)x[i]) > t;
    }
    ck_mean(beyond / N, p, p * (1 - p));
  }
  bnn_mem_free(x);
}
END_TEST

START_TEST(normals_are_uncorrelated_and_so_are_their_squares) {
  bnn_real *x = draw(bnn_rng_normal);
  ck_uncorrelated(x, 1);
  for (size_t i = 0; i < N; i++) x[i] = x[i] * x[i];
  ck_uncorrelated(x, 2);
  bnn_mem_free(x);
}
END_TEST

/* Variance of N(0, 1) on [-2, 2]: 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.773741, fourth moment
 * 3 v - 16 phi(2) / (2 Phi(2) - 1) = 1.416187. */
START_TEST(truncated_normals_stay_within_2_and_have_deviation_08796) {
  bnn_real *x = draw(bnn_rng_truncated);
  for (size_t i = 0; i < N; i++) ck_holds(x[i] >= -2 && x[i] <= 2);
  double ratio = exp(-2) * sqrt(2 / acos(-1)) / 2 / erf(sqrt(2)), v = 1 - 4 * ratio;
  ck_assert_double_eq_tol(sqrt(v), 0.8796, 5e-5);
  ck_mean(mean_power(x, 1), 0, v);
  ck_mean(mean_power(x, 2), v, 3 * v - 16 * ratio - v * v);
  ck_law(x, truncated_cdf);
  ck_uncorrelated(x, v);
  bnn_mem_free(x);
}
END_TEST

START_TEST(rademachers_are_fair_signs) {
  bnn_real *x = draw(bnn_rng_rademacher);
  for (size_t i = 0; i < N; i++) ck_holds(x[i] == 1 || x[i] == -1);
  ck_mean(mean_power(x, 1), 0, 1);
  ck_uncorrelated(x, 1);
  bnn_mem_free(x);
}
END_TEST

START_TEST(every_bit_is_fair) {
  uint64_t *x = bnn_mem_alloc(N, sizeof *x);
  bnn_rng_bits(x, KEY, 0, N);
  for (int b = 0; b < 64; b++) {
    size_t ones = 0;
    for (size_t i = 0; i < N; i++) ones += x[i] >> b & 1;
    ck_mean((double)ones / N, 0.5, 0.25);
  }
  bnn_mem_free(x);
}
END_TEST

START_TEST(draws_of_two_keys_are_uncorrelated) {
  bnn_real *x = bnn_mem_alloc(N, sizeof *x), *y = bnn_mem_alloc(N, sizeof *y);
  bnn_rng_normal(x, bnn_key_fold(KEY, 1), 0, N);
  bnn_rng_normal(y, bnn_key_fold(KEY, 2), 0, N);
  double sum = 0;
  for (size_t i = 0; i < N; i++) sum += (double)x[i] * (double)y[i];
  ck_mean(sum / N, 0, 1);
  bnn_mem_free(x);
  bnn_mem_free(y);
}
END_TEST

/* ---- permutations and integers ---- */

START_TEST(a_permutation_holds_every_number_once) {
  static const size_t size[] = {0, 1, 2, 63, 64, 65, 1000, 60000};
  for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
    size_t n = size[k], fixed = 0;
    int32_t *p = bnn_mem_alloc(n, sizeof *p);
    bool *seen = bnn_mem_zalloc(n, sizeof *seen);
    ck_succeeds(bnn_rng_permutation(p, KEY, n, &err));
    for (size_t i = 0; i < n; i++) {
      ck_holds(p[i] >= 0 && (size_t)p[i] < n && !seen[p[i]]);
      seen[p[i]] = true;
      fixed += (size_t)p[i] == i;
    }
    if (n > 2) ck_assert_uint_le(fixed, 7); /* Poisson(1): 8 or more once in 10^5 */
    bnn_mem_free(p);
    bnn_mem_free(seen);
  }
}
END_TEST

START_TEST(a_permutation_is_the_order_of_the_keys_bits) {
  enum { COUNT = 777 };
  uint64_t bits[COUNT];
  int32_t p[COUNT];
  bnn_rng_bits(bits, KEY, 0, COUNT);
  ck_succeeds(bnn_rng_permutation(p, KEY, COUNT, &err));
  for (size_t i = 1; i < COUNT; i++) ck_holds(bits[p[i - 1]] < bits[p[i]]);
}
END_TEST

START_TEST(the_24_permutations_of_four_are_equally_likely) {
  enum { DRAWS = 24000 };
  size_t count[24] = {0};
  for (int i = 0; i < DRAWS; i++) {
    int32_t p[4];
    ck_holds(bnn_rng_permutation(p, bnn_key_fold(KEY, i), 4, NULL) == BNN_OK);
    int at = 0; /* Lehmer's code */
    for (int a = 0; a < 4; a++) {
      int smaller = 0;
      for (int b = a + 1; b < 4; b++) smaller += p[b] < p[a];
      at = at * (4 - a) + smaller;
    }
    count[at]++;
  }
  ck_even(count, 24, DRAWS);
}
END_TEST

static bnn_status permute(void *arg, bnn_err *err) {
  return bnn_rng_permutation(arg, KEY, 100, err);
}

START_TEST(a_permutation_survives_failing_allocations_and_refuses_sizes) {
  int32_t p[100];
  ck_survives_failing_allocations(permute, p);
  ck_refuses(bnn_rng_permutation(p, KEY, (size_t)INT32_MAX + 1, &err), BNN_ERANGE, "2147483648");
}
END_TEST

START_TEST(integers_below_n_are_even_and_below_n) {
  enum { DRAWS = 60000 };
  static const uint64_t bound[] = {1, 2, 6, 1000, (uint64_t)3 << 62, UINT64_MAX};
  for (size_t k = 0; k < sizeof bound / sizeof *bound; k++) {
    size_t count[6] = {0};
    for (int i = 0; i < DRAWS; i++) {
      uint64_t x = bnn_rng_below(bnn_key_fold(KEY, i), bound[k]);
      ck_holds(x < bound[k]);
      if (bound[k] >= 6) count[(size_t)((double)x / (double)bound[k] * 6) % 6]++;
    }
    if (bound[k] >= 6 && bound[k] != 1000) ck_even(count, 6, DRAWS);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, philox_gives_the_known_answers);
  tcase_add_test(tests, keys_keep_their_golden_values);
  tcase_add_test(tests, folds_by_number_by_name_and_splits_live_apart);
  tcase_add_test(tests, every_derived_key_is_a_mix_of_value_and_domain);
  tcase_add_test(tests, folds_of_a_key_do_not_collide);
  tcase_add_test(tests, uniforms_are_even_in_0_1_with_24_bits);
  tcase_add_test(tests, normals_have_the_normal_moments);
  tcase_add_test(tests, normals_have_the_normal_law_and_its_tails);
  tcase_add_test(tests, normals_are_uncorrelated_and_so_are_their_squares);
  tcase_add_test(tests, truncated_normals_stay_within_2_and_have_deviation_08796);
  tcase_add_test(tests, rademachers_are_fair_signs);
  tcase_add_test(tests, every_bit_is_fair);
  tcase_add_test(tests, draws_of_two_keys_are_uncorrelated);
  tcase_add_test(tests, a_permutation_holds_every_number_once);
  tcase_add_test(tests, a_permutation_is_the_order_of_the_keys_bits);
  tcase_add_test(tests, the_24_permutations_of_four_are_equally_likely);
  tcase_add_test(tests, a_permutation_survives_failing_allocations_and_refuses_sizes);
  tcase_add_test(tests, integers_below_n_are_even_and_below_n);
}

int main(void) { return run_suite("key", add_tests); }
