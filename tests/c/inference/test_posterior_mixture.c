/* test_posterior_mixture.c - mixtures of posteriors: which component each sample is of, and that it is that
 * component's own sample. */
#include "inference/posterior_mixture.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/rng.h"
#include "support.h"

enum { MOST = 8, SAMPLES = 3000 };

/* Weights of sum 1 from a key. */
static size_t random_weights(double *weight, bnn_key key) {
  bnn_real u[MOST + 1];
  bnn_rng_uniform(u, key, 0, MOST + 1);
  const size_t n = 1 + (size_t)((double)u[MOST] * MOST);
  double sum = 0;
  for (size_t c = 0; c < n; c++) sum += weight[c] = 0.01 + (double)u[c];
  for (size_t c = 0; c < n; c++) weight[c] /= sum;
  return n;
}

START_TEST(after_any_number_of_samples_each_component_has_had_its_share_but_for_less_than_one) {
  uint32_t order[SAMPLES], turn[SAMPLES], share[MOST];
  double weight[MOST];
  for (int round = 0; round < 100; round++) {
    const size_t n = random_weights(weight, bnn_key_fold(bnn_key_new(1), round));
    uint32_t had[MOST] = {0};
    bnn_mixture_order(order, turn, share, weight, n, SAMPLES);
    for (size_t s = 0; s < SAMPLES; s++) {
      ck_assert_uint_lt(order[s], n);
      ck_assert_uint_eq(turn[s], had[order[s]]++);
      for (size_t c = 0; c < n; c++)
        ck_assert_double_lt(fabs((double)had[c] - weight[c] * (double)(s + 1)), 1);
    }
    ck_assert_mem_eq(had, share, n * sizeof *had);
  }
}
END_TEST

START_TEST(equal_weights_take_turns) {
  const double weight[] = {0.2, 0.2, 0.2, 0.2, 0.2};
  uint32_t order[20], turn[20], share[5];
  bnn_mixture_order(order, turn, share, weight, 5, 20);
  for (size_t s = 0; s < 20; s++) ck_assert(order[s] == s % 5 && turn[s] == s / 5);
}
END_TEST

/* Components of these weights, with so many samples each: of 20, 0.3 are 3 for each of two, and 0.7 are
 * 2 for each of seven; fewer do not add up. */
static const struct {
  double weight[3];
  size_t members[3], n, period;
} periods[] = {
    {{1}, {1}, 1, 1},
    {{1}, {6}, 1, 6},
    {{0.5, 0.5}, {1, 1}, 2, 2},
    {{0.5, 0.5}, {3, 3}, 2, 6},
    {{0.5, 0.5}, {3, 5}, 2, 30},
    {{0.3, 0.7}, {2, 7}, 2, 20},
    {{0.375, 0.625}, {3, 5}, 2, 8},
    {{1.0 / 3, 1.0 / 3, 1.0 / 3}, {1, 1, 1}, 3, 3},
    {{0.99, 0.01}, {1, 1}, 2, 100},
    {{0.70710678118654752, 0.29289321881345248}, {1, 1}, 2, 0},
};

START_TEST(the_period_is_where_all_have_had_their_share) {
  ck_assert_uint_eq(bnn_mixture_period(periods[_i].weight, periods[_i].members, periods[_i].n),
                    periods[_i].period);
}
END_TEST

/* ---- posteriors of one tensor ---- */

enum { SIZE = 7, ROWS = 3 };

static bnn_param param = {.offset = 0, .size = SIZE};
static const bnn_layout layout = {.n_params = 1, .size = SIZE, .param = &param};

static bnn_group group_of(const char *family, bnn_real *first, bnn_real *second) {
  return (bnn_group){.family = bnn_family_find(family),
                     .layout = &layout,
                     .end = SIZE,
                     .rows = ROWS,
                     .buffer = {first, second}};
}

/* A mixture of a mean-field posterior, a point and a bank of three, of weights 1/2, 1/4, 1/4. */
typedef struct a_mixture {
  bnn_real mu[SIZE], logvar[SIZE], at[SIZE], bank[ROWS * SIZE];
  bnn_group group[3];
  bnn_posterior part[3], q;
  const bnn_posterior *component[3];
  uint32_t order[4], turn[4], share[3];
  bnn_mixture mixture;
} a_mixture;

static a_mixture *make(a_mixture *m) {
  bnn_rng_normal(m->mu, bnn_key_new(1), 0, SIZE);
  bnn_rng_normal(m->logvar, bnn_key_new(2), 0, SIZE);
  bnn_rng_normal(m->at, bnn_key_new(3), 0, SIZE);
  bnn_rng_normal(m->bank, bnn_key_new(4), 0, ROWS * SIZE);
  m->group[0] = group_of("meanfield", m->mu, m->logvar);
  m->group[1] = group_of("point", m->at, NULL);
  m->group[2] = group_of("empirical", m->bank, NULL);
  for (int c = 0; c < 3; c++) {
    m->part[c] = (bnn_posterior){.layout = &layout, .n_groups = 1, .group = &m->group[c]};
    m->component[c] = &m->part[c];
  }
  const double weight[] = {0.5, 0.25, 0.25};
  bnn_mixture_order(m->order, m->turn, m->share, weight, 3, 4);
  m->mixture = (bnn_mixture){3, m->component, 4, m->order, m->turn, m->share};
  m->q = (bnn_posterior){.layout = &layout, .mixture = &m->mixture};
  return m;
}

START_TEST(a_sample_is_the_next_one_of_its_component) {
  a_mixture m;
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, 1, &err));
  ck_succeeds(bnn_posterior_check(&make(&m)->q, &err));
  int64_t had[3] = {0};
  for (int64_t s = 1; s <= 25; s++) {
    bnn_real theta[SIZE], want[SIZE];
    int64_t own;
    const bnn_key key = bnn_key_fold(bnn_key_new(5), s);
    const size_t c = bnn_mixture_component(&m.mixture, s, &own);
    ck_assert_int_eq(own, ++had[c]);
    bnn_posterior_sample(&m.q, context, theta, key, s);
    bnn_posterior_sample(m.component[c], context, want, key, had[c]);
    ck_assert_mem_eq(theta, want, sizeof theta);
  }
  ck_assert(had[0] == 13 && had[1] == 6 && had[2] == 6);
  bnn_context_free(context);
}
END_TEST

START_TEST(it_predicts_and_is_not_trained) {
  a_mixture m;
  const bnn_posterior *q = &make(&m)->q;
  ck_assert(!bnn_posterior_is_trainable(q) && !bnn_posterior_point(q));
  ck_assert_uint_eq(bnn_posterior_support(q), 0); /* one of them is infinite */
  ck_assert_uint_eq(bnn_posterior_trained(q), 0);
  ck_assert(isnan(bnn_posterior_kl(q, 0, 1)) && isnan(bnn_posterior_entropy(q, 0)) &&
            isnan(bnn_posterior_rms(q, 0, 1)));
}
END_TEST

/* Of finite components the period, unless it is long beside what there is. */
START_TEST(the_support_is_that_of_finite_components) {
  a_mixture m;
  make(&m);
  m.mixture.n = 2, m.mixture.component = m.component + 1; /* the point and the bank of three */
  m.mixture.period = 6;
  ck_assert_uint_eq(bnn_posterior_support(&m.q), 6);
  m.mixture.period = BNN_MIXTURE_SUPPORT + 1;
  ck_assert_uint_eq(bnn_posterior_support(&m.q), 0);
}
END_TEST

START_TEST(fingerprints_tell_buffers_and_orders_apart) {
  a_mixture m;
  const bnn_posterior *q = &make(&m)->q;
  const uint64_t before = bnn_posterior_fingerprint(1, q);
  ck_assert(before == bnn_posterior_fingerprint(1, q));
  m.bank[ROWS * SIZE - 1] += 1;
  const uint64_t after = bnn_posterior_fingerprint(1, q);
  ck_assert(before != after);
  m.order[0] = 1;
  ck_assert(after != bnn_posterior_fingerprint(1, q));
}
END_TEST

START_TEST(components_have_the_same_tensors) {
  a_mixture m;
  bnn_param one_less = {.offset = 0, .size = SIZE - 1};
  const bnn_layout other = {.n_params = 1, .size = SIZE - 1, .param = &one_less};
  make(&m)->part[1].layout = &other;
  ck_refuses(bnn_posterior_check(&m.q, &err), BNN_ESHAPE,
             "component 2 has other tensors than the first");
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(
      tests, after_any_number_of_samples_each_component_has_had_its_share_but_for_less_than_one);
  tcase_add_test(tests, equal_weights_take_turns);
  tcase_add_loop_test(tests, the_period_is_where_all_have_had_their_share, 0,
                      sizeof periods / sizeof *periods);
  tcase_add_test(tests, a_sample_is_the_next_one_of_its_component);
  tcase_add_test(tests, it_predicts_and_is_not_trained);
  tcase_add_test(tests, the_support_is_that_of_finite_components);
  tcase_add_test(tests, fingerprints_tell_buffers_and_orders_apart);
  tcase_add_test(tests, components_have_the_same_tensors);
}

int main(void) { return run_suite("posterior_mixture", add_tests); }
