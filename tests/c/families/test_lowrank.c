/* test_lowrank.c - the low-rank family by dense matrices in double: the covariance of its samples, its KL
 * and entropy by the Cholesky factor of the whole covariance, and their gradients by the whole inverse,
 * for several tensors and ranks on every instruction set at hand. */
#include <math.h>
#include <string.h>

#include "families/family.h"
#include "gp/cholesky.h"
#include "support_numbers.h"

static const bnn_draw DRAW = {.key = {0x0123456789abcdef}};

/* Two tensors with an empty one between behind one that is not the group's. */
static bnn_param param[] = {{0, 5}, {5, 17}, {22, 0}, {22, 13}};
enum { FIRST = 5, N = 30, END = 35, TENSORS = 3, RANK_MAX = 20 };
static const bnn_layout layout = {.n_params = 4, .size = END, .param = param};
static const size_t ranks[] = {1, 2, 3, 5, 8, RANK_MAX};
enum { RANKS = sizeof ranks / sizeof *ranks };

typedef struct numbers {
  bnn_real mu[N], logvar[N], factor[RANK_MAX * N];
  double scratch[34 * RANK_MAX * RANK_MAX];
} numbers;

static bnn_group group_of(numbers *x, size_t rank) {
  fill(x->mu, N, 1, -1, 1);
  fill(x->logvar, N, 2, -3, 1);
  fill(x->factor, rank * N, 3, -1, 1);
  const bnn_group q = {.family = bnn_family_find("lowrank"),
                       .layout = &layout,
                       .first = FIRST,
                       .end = END,
                       .rows = rank,
                       .buffer = {x->mu, x->logvar, x->factor},
                       .scratch = x->scratch};
  ck_assert_uint_le(q.family->scratch(&q), sizeof x->scratch / sizeof *x->scratch);
  return q;
}

/* D + L L^T of the first n elements, [n, n]. */
static void covariance_of(double *c, const numbers *x, size_t rank, size_t n) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      double sum = i == j ? exp((double)x->logvar[i]) : 0;
      for (size_t k = 0; k < rank; k++)
        sum += (double)x->factor[k * N + i] * (double)x->factor[k * N + j];
      c[i * n + j] = sum;
    }
}

static double log_det_of(const numbers *x, size_t rank, size_t n) {
  double c[N * N], sum = 0;
  covariance_of(c, x, rank, n);
  ck_holds(bnn_cholesky(c, n));
  for (size_t i = 0; i < n; i++) sum += 2 * log(c[i * n + i]);
  return sum;
}

/* The inverse of the covariance of all, [N, N]. */
static void precision_of(double *p, const numbers *x, size_t rank) {
  double c[N * N], lower[N * N];
  covariance_of(c, x, rank, N);
  ck_holds(bnn_cholesky(c, N));
  bnn_cholesky_inverse(p, lower, c, N);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < i; j++) p[i * N + j] = p[j * N + i];
}

/* ---- samples ---- */

/* Products of deviations of a Gaussian vary by sqrt(c_ii c_jj + c_ij^2): within 6 of these over the root
 * of their number, of some 5000 numbers; and the mean within 6 of its own. */
START_TEST(samples_have_the_mean_and_the_covariance) {
  enum { SAMPLES = 20000 };
  static numbers x;
  static double sum[N], products[N * N], c[N * N];
  static bnn_real theta[END];
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, 1, &err));
  for (size_t r = 0; r < RANKS; r++) {
    const bnn_group q = group_of(&x, ranks[r]);
    memset(sum, 0, sizeof sum);
    memset(products, 0, sizeof products);
    for (int s = 0; s < SAMPLES; s++) {
      const bnn_draw draw = {.key = bnn_key_fold(DRAW.key, s)};
      q.family->sample(&q, context, theta, draw, 1);
      for (size_t i = 0; i < N; i++) {
        const double miss = (double)theta[FIRST + i] - (double)x.mu[i];
        sum[i] += miss;
        for (size_t j = 0; j <= i; j++)
          products[i * N + j] += miss * ((double)theta[FIRST + j] - (double)x.mu[j]);
      }
    }
    covariance_of(c, &x, ranks[r], N);
    for (size_t i = 0; i < N; i++) {
      ck_near(sum[i] / SAMPLES, 0, 6 * sqrt(c[i * N + i] / SAMPLES), "mean", i);
      for (size_t j = 0; j <= i; j++) {
        const double spread = sqrt(c[i * N + i] * c[j * N + j] + c[i * N + j] * c[i * N + j]);
        ck_near(products[i * N + j] / SAMPLES, c[i * N + j], 6 * spread / sqrt(SAMPLES), "product",
                i * N + j);
      }
    }
  }
  bnn_context_free(context);
}
END_TEST

/* ---- KL and entropy ---- */

/* KL of the first n elements: (tr C / s^2 + |mu|^2 / s^2 - n + n log s^2 - log det C) / 2. */
static double dense_kl(const numbers *x, size_t rank, size_t n, double s) {
  double c[N * N], sum = (double)n * (2 * log(s) - 1) - (n > 0 ? log_det_of(x, rank, n) : 0);
  covariance_of(c, x, rank, n);
  for (size_t i = 0; i < n; i++)
    sum += (c[i * n + i] + (double)x->mu[i] * (double)x->mu[i]) / (s * s);
  return sum / 2;
}

static double dense_entropy(const numbers *x, size_t rank, size_t n) {
  return (n > 0 ? log_det_of(x, rank, n) : 0) / 2 + (double)n * log(2 * M_PI * M_E) / 2;
}

/* Each tensor's is what it adds to those before it.  Sums of some hundred terms of size 10 in bnn_real. */
START_TEST(kl_and_entropy_are_those_of_the_whole_covariance) {
  static numbers x;
  const double bound = 2e4 * (double)BNN_REAL_EPSILON, s = 0.7;
  EACH_ISA for (size_t r = 0; r < RANKS; r++) {
    const bnn_group q = group_of(&x, ranks[r]);
    for (size_t t = 1; t <= TENSORS; t++) {
      const size_t from = param[t].offset - FIRST, end = from + param[t].size;
      ck_near(q.family->kl(&q, t, s),
              dense_kl(&x, ranks[r], end, s) - dense_kl(&x, ranks[r], from, s), bound, "kl", t);
      ck_near(q.family->entropy(&q, t),
              dense_entropy(&x, ranks[r], end) - dense_entropy(&x, ranks[r], from), bound,
              "entropy", t);
    }
  }
}
END_TEST

/* Of the KL with prior precision p: dmu = p mu, dL = p L - C^-1 L, dlogvar = (p - C^-1_ii) D / 2; of the
 * entropy 0, C^-1 L, C^-1_ii D / 2. */
START_TEST(gradients_are_those_of_the_whole_covariance) {
  enum { ARRAYS = 2 + RANK_MAX };
  static numbers x;
  static bnn_real d[2][ARRAYS][N];
  static double inverse[N * N];
  const double p = 2, weight = 0.5, bound = 200 * (double)BNN_REAL_EPSILON;
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, 1, &err));
  EACH_ISA for (size_t r = 0; r < RANKS; r++) {
    const bnn_group q = group_of(&x, ranks[r]);
    q.family->prepare(&q, context);
    memset(d, 0, sizeof d);
    for (size_t t = 1; t <= TENSORS; t++) {
      const bnn_span span = {t, param[t].offset, param[t].size};
      bnn_real *at[2][ARRAYS];
      for (int k = 0; k < 2; k++)
        for (size_t a = 0; a < ARRAYS; a++) at[k][a] = d[k][a] + (span.first - FIRST);
      q.family->kl_backward(&q, span, (bnn_real)weight, (bnn_real)p, at[0]);
      q.family->entropy_backward(&q, span, (bnn_real)weight, at[1]);
    }
    precision_of(inverse, &x, ranks[r]);
    for (size_t i = 0; i < N; i++) {
      const double variance = exp((double)x.logvar[i]), own = inverse[i * N + i];
      ck_near((double)d[0][0][i], weight * p * (double)x.mu[i], bound, "dmu", i);
      ck_near((double)d[0][1][i], weight * (p - own) * variance / 2, bound, "dlogvar", i);
      ck_near((double)d[1][0][i], 0, 0, "dmu of the entropy", i);
      ck_near((double)d[1][1][i], weight * own * variance / 2, bound, "dlogvar of the entropy", i);
      for (size_t k = 0; k < ranks[r]; k++) {
        double pull = 0;
        for (size_t j = 0; j < N; j++) pull += inverse[i * N + j] * (double)x.factor[k * N + j];
        const double l = (double)x.factor[k * N + i];
        ck_near((double)d[0][2 + k][i], weight * (p * l - pull), 20 * bound, "dL", k * N + i);
        ck_near((double)d[1][2 + k][i], weight * pull, 20 * bound, "dL of the entropy", k * N + i);
      }
    }
  }
  bnn_context_free(context);
}
END_TEST

/* What is prepared has the same bits on any number of threads, of a group of many pieces. */
START_TEST(what_is_prepared_has_the_same_bits_on_any_number_of_threads) {
  enum { MANY = 256 * 70 + 33, RANK = 3, ROOM = 34 * RANK * RANK };
  static bnn_real mu[MANY], logvar[MANY], factor[RANK * MANY];
  static double scratch[2][ROOM];
  bnn_param one = {0, MANY};
  const bnn_layout many = {.n_params = 1, .size = MANY, .param = &one};
  fill(logvar, MANY, 2, -3, 1);
  fill(factor, (size_t)RANK * MANY, 3, -1, 1);
  EACH_ISA for (int threads = 1; threads <= 3; threads++) {
    bnn_context *context = NULL;
    ck_succeeds(bnn_context_new(&context, threads, &err));
    const bnn_group q = {.family = bnn_family_find("lowrank"),
                         .layout = &many,
                         .end = MANY,
                         .rows = RANK,
                         .buffer = {mu, logvar, factor},
                         .scratch = scratch[threads > 1]};
    ck_assert_uint_le(q.family->scratch(&q), ROOM);
    q.family->prepare(&q, context);
    ck_assert_mem_eq(scratch[0], scratch[threads > 1], RANK * RANK * sizeof(double));
    bnn_context_free(context);
  }
}
END_TEST

/* ---- moments ---- */

START_TEST(deviation_and_second_moment_are_those_of_the_covariance) {
  static numbers x;
  static double c[N * N];
  bnn_real sigma[END];
  EACH_ISA for (size_t r = 0; r < RANKS; r++) {
    const bnn_group q = group_of(&x, ranks[r]);
    covariance_of(c, &x, ranks[r], N);
    q.family->std(&q, sigma);
    for (size_t i = 0; i < N; i++)
      ck_near((double)sigma[FIRST + i], sqrt(c[i * N + i]), 20 * (double)BNN_REAL_EPSILON, "std",
              i);
    for (size_t t = 1; t <= TENSORS; t++) {
      double want = 0;
      for (size_t i = param[t].offset - FIRST; i < param[t].offset + param[t].size - FIRST; i++)
        want += c[i * N + i] + (double)x.mu[i] * (double)x.mu[i];
      ck_near(q.family->second_moment(&q, t), want, 100 * (double)BNN_REAL_EPSILON, "moment", t);
    }
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, samples_have_the_mean_and_the_covariance);
  tcase_add_test(tests, kl_and_entropy_are_those_of_the_whole_covariance);
  tcase_add_test(tests, gradients_are_those_of_the_whole_covariance);
  tcase_add_test(tests, what_is_prepared_has_the_same_bits_on_any_number_of_threads);
  tcase_add_test(tests, deviation_and_second_moment_are_those_of_the_covariance);
}

int main(void) { return run_suite("lowrank", add_tests); }
