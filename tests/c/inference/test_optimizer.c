/* test_optimizer.c - the table of update rules, their state and options; each rule against its
 * formula written out in double. */
#include "inference/optimizer.h"

#include <math.h>
#include <string.h>

#include "support.h"

enum { N = 37, STEPS = 10 };

/* What ten float steps may lose against double: a few roundings a step, of numbers of size 1. */
#define CLOSE (20 * (double)BNN_REAL_EPSILON)

/* Weights and gradients of size 1, of both signs; a gradient of zero among them. */
static double weight(int i) { return sin(1 + i); }
static double gradient(int i, int t) { return i == 5 ? 0 : cos(3 * i + 2 * t) + 0.1 * i / N; }

/* Element 0..N-1 after STEPS of a rule with these options, lr a tenth larger each step. */
static void run_rule(bnn_real *w, const char *name, const double *option) {
  const bnn_optimizer *rule = bnn_optimizer_find(name);
  bnn_optimizer_state s;
  ck_succeeds(bnn_optimizer_state_init(&s, rule, option, N, &err));
  bnn_real *slot[BNN_SLOTS_MAX] = {NULL}, g[N];
  for (int k = 0; k < rule->n_slots; k++) slot[k] = bnn_tensor_real(s.slot[k]);
  for (int i = 0; i < N; i++) w[i] = (bnn_real)weight(i);
  for (int t = 1; t <= STEPS; t++) {
    for (int i = 0; i < N; i++) g[i] = (bnn_real)gradient(i, t);
    const bnn_update u = bnn_update_of(rule, s.option, s.option[0] * (1 + t / 10.0), (uint64_t)t);
    rule->update(&u, w, g, slot, N);
  }
  bnn_optimizer_state_fini(&s);
}

static void ck_weights(const char *name, const bnn_real *w, const double *want) {
  for (int i = 0; i < N; i++)
    ck_assert_msg(fabs((double)w[i] - want[i]) <= CLOSE, "%s: weight %d is %.12g, wanted %.12g",
                  name, i, (double)w[i], want[i]);
}

/* Algorithm 1 of Kingma & Ba, line by line. */
static double adam_by_the_book(int i, double lr, double b1, double b2, double eps) {
  double w = (double)(bnn_real)weight(i), m = 0, v = 0;
  for (int t = 1; t <= STEPS; t++) {
    double g = (double)(bnn_real)gradient(i, t);
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * g * g;
    double mhat = m / (1 - pow(b1, t)), vhat = v / (1 - pow(b2, t));
    w -= lr * (1 + t / 10.0) * mhat / (sqrt(vhat) + eps);
  }
  return w;
}

START_TEST(adam_takes_the_steps_of_its_paper) {
  static const double option[][4] = {
      {1e-3, 0.9, 0.999, 1e-8}, {0.1, 0.9, 0.999, 1e-8}, {0.1, 0, 0.5, 1e-3},
      {0.1, 0.5, 0.9, 1e-8},    {0.1, 0, 0, 0.1},        {0, 0.9, 0.999, 1e-8},
  };
  bnn_real w[N];
  double want[N];
  const double *o = option[_i];
  run_rule(w, "adam", o);
  for (int i = 0; i < N; i++) want[i] = adam_by_the_book(i, o[0], o[1], o[2], o[3]);
  ck_weights("adam", w, want);
}
END_TEST

/* Without eps the first step is lr against the gradient, whatever its size: a bias
 * correction with another b2 than the one of the moments would show. */
START_TEST(adams_first_step_is_the_learning_rate) {
  static const double size[] = {1e-3, 1, 1e4};
  const bnn_optimizer *rule = bnn_optimizer_find("adam");
  const double option[] = {1e-3, 0.9, 0.999, 0};
  for (int k = 0; k < 6; k++) {
    double sign = k % 2 ? -1 : 1;
    bnn_real w = 0, g = (bnn_real)(sign * size[k / 2]), m = 0, v = 0, *slot[] = {&m, &v};
    const bnn_update u = bnn_update_of(rule, option, 1e-3, 1);
    rule->update(&u, &w, &g, slot, 1);
    ck_assert_double_eq_tol((double)w, -sign * 1e-3, 1e-3 * 8 * (double)BNN_REAL_EPSILON);
  }
}
END_TEST

START_TEST(a_gradient_of_zero_leaves_adams_weight) {
  bnn_real w[N];
  run_rule(w, "adam", NULL);
  ck_assert(w[5] == (bnn_real)weight(5));
}
END_TEST

/* torch.optim.SGD: buf = g at the first step, then momentum buf + (1 - dampening) g; the step is
 * along g + momentum buf with nesterov, else along buf; without momentum along g. */
static double sgd_as_torch(int i, double lr, double momentum, double dampening, bool nesterov) {
  double w = (double)(bnn_real)weight(i), buf = 0;
  for (int t = 1; t <= STEPS; t++) {
    double g = (double)(bnn_real)gradient(i, t), step = g;
    if (momentum != 0) {
      buf = t == 1 ? g : momentum * buf + (1 - dampening) * g;
      step = nesterov ? g + momentum * buf : buf;
    }
    w -= lr * (1 + t / 10.0) * step;
  }
  return w;
}

START_TEST(sgd_takes_torchs_steps) {
  static const double option[][4] = {
      {0.1, 0, 0, 0},   {0.1, 0.9, 0, 0}, {0.01, 0.5, 0, 1}, {0.1, 0.9, 0.3, 0}, {0.1, 0.5, 0.3, 1},
      {0.1, 0.9, 1, 0}, {0.1, 0, 0.5, 0}, {0.1, 0, 0, 1},    {0, 0.9, 0, 0},
  };
  bnn_real w[N];
  double want[N];
  const double *o = option[_i];
  run_rule(w, "sgd", o);
  for (int i = 0; i < N; i++) want[i] = sgd_as_torch(i, o[0], o[1], o[2], o[3] != 0);
  ck_weights("sgd", w, want);
}
END_TEST

/* ---- the table, options, state ---- */

START_TEST(every_row_is_found_by_its_name) {
  size_t n = 0;
  for (const bnn_optimizer *rule; (rule = bnn_optimizer_row(n)); n++) {
    ck_assert_ptr_eq(bnn_optimizer_find(rule->name), rule);
    ck_assert_ptr_nonnull(strstr(rule->doc, rule->name));
    ck_assert_str_eq(rule->option[0].name, "lr");
    ck_assert_int_le(rule->n_options, BNN_OPTIONS_MAX);
    ck_assert_int_le(rule->n_slots, BNN_SLOTS_MAX);
    for (int k = 0; k < rule->n_options; k++) {
      const bnn_option *o = &rule->option[k];
      ck_assert_ptr_nonnull(strstr(rule->doc, o->name)); /* help() shows every option */
      ck_succeeds(bnn_option_check(rule, o, o->value, &err));
      for (int j = 0; j < k; j++) ck_assert_str_ne(o->name, rule->option[j].name);
    }
  }
  ck_assert_uint_ge(n, 2);
  ck_assert_ptr_null(bnn_optimizer_row(n + 1));
  ck_assert_ptr_null(bnn_optimizer_find("adamw"));
  ck_assert_ptr_null(bnn_optimizer_find(""));
}
END_TEST

START_TEST(options_outside_their_bounds_are_refused) {
  static const struct {
    const char *rule;
    int option;
    double x;
    const char *words; /* NULL: allowed */
  } row[] = {
      {"adam", 0, 0, NULL},
      {"adam", 0, 1e6, NULL},
      {"adam", 0, -1e-9, "adam: lr: expected a number in [0, inf), got -1e-09"},
      {"adam", 0, INFINITY, "adam: lr: expected a number in [0, inf), got inf"},
      {"adam", 0, NAN, "adam: lr: expected a number in [0, inf), got nan"},
      {"adam", 0, -INFINITY, "adam: lr: expected a number in [0, inf), got -inf"},
      {"adam", 1, 0, NULL},
      {"adam", 1, 0.99, NULL},
      {"adam", 1, 1, "adam: b1: expected a number in [0, 1), got 1"},
      {"adam", 2, 0.99999, NULL},
      {"adam", 2, 1, "adam: b2: expected a number in [0, 1), got 1"},
      {"adam", 2, NAN, "adam: b2: expected a number in [0, 1), got nan"},
      {"adam", 2, -0.1, "adam: b2: expected a number in [0, 1), got -0.1"},
      {"adam", 3, 0, NULL},
      {"adam", 3, -1, "adam: eps: expected a number in "},
      {"sgd", 1, 0, NULL},
      {"sgd", 1, 1, "sgd: momentum: expected a number in [0, 1), got 1"},
      {"sgd", 2, 1, NULL},
      {"sgd", 2, 1.5, "sgd: dampening: expected a number in [0, 1], got 1.5"},
      {"sgd", 3, 1, NULL},
      {"sgd", 3, 2, "sgd: nesterov: expected an integer in [0, 1], got 2"},
      {"sgd", 3, 0.5, "sgd: nesterov: expected an integer in [0, 1], got 0.5"},
#ifndef BNN_REAL_DOUBLE
      {"adam", 1, 1 - 1e-9, "adam: b1: expected a number in [0, 1), got 1"}, /* in float it is */
      {"sgd", 1, 1 - 1e-9, "sgd: momentum: expected a number in [0, 1), got 1"},
      {"adam", 0, 1e39, "adam: lr: expected a number in [0, inf), got 1e+39"},
#endif
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    const bnn_optimizer *rule = bnn_optimizer_find(row[k].rule);
    const bnn_status want = row[k].words ? BNN_ERANGE : BNN_OK;
    const char *words = row[k].words ? row[k].words : "";
    double option[BNN_OPTIONS_MAX];
    for (int i = 0; i < rule->n_options; i++) option[i] = rule->option[i].value;
    option[row[k].option] = row[k].x;
    bnn_optimizer_state s = {.n = 99};
    ck_refuses(bnn_option_check(rule, &rule->option[row[k].option], row[k].x, &err), want, words);
    ck_refuses(bnn_optimizer_state_init(&s, rule, option, 3, &err), want, words);
    if (row[k].words)
      ck_assert_uint_eq(s.n, 99); /* untouched */
    else
      bnn_optimizer_state_fini(&s);
  }
}
END_TEST

START_TEST(a_new_state_is_zero_with_the_defaults) {
  for (size_t i = 0; bnn_optimizer_row(i); i++) {
    const bnn_optimizer *rule = bnn_optimizer_row(i);
    for (size_t n = 0; n < 100; n += 33) {
      bnn_optimizer_state s;
      ck_succeeds(bnn_optimizer_state_init(&s, rule, NULL, n, &err));
      ck_assert_ptr_eq(s.rule, rule);
      ck_assert_uint_eq(s.n, n);
      ck_assert_uint_eq(s.t, 0);
      for (int k = 0; k < rule->n_options; k++) ck_assert(s.option[k] == rule->option[k].value);
      for (int k = 0; k < rule->n_slots; k++) {
        ck_tensor(s.slot[k], BNN_REAL, DIMS(n), NULL);
        for (size_t j = 0; j < n; j++) ck_assert(bnn_tensor_get(s.slot[k], j) == 0);
      }
      bnn_optimizer_state_fini(&s);
      bnn_optimizer_state_fini(&s); /* twice is fine */
    }
  }
}
END_TEST

static bnn_status make_a_state(void *rule, bnn_err *err) {
  bnn_optimizer_state s = {.rule = NULL};
  bnn_status status = bnn_optimizer_state_init(&s, rule, NULL, 100, err);
  if (status == BNN_OK) bnn_optimizer_state_fini(&s);
  return status;
}

START_TEST(every_allocation_may_fail) {
  for (size_t i = 0; bnn_optimizer_row(i); i++)
    ck_survives_failing_allocations(make_a_state, (void *)(uintptr_t)bnn_optimizer_row(i));
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, adam_takes_the_steps_of_its_paper, 0, 6);
  tcase_add_test(tests, adams_first_step_is_the_learning_rate);
  tcase_add_test(tests, a_gradient_of_zero_leaves_adams_weight);
  tcase_add_loop_test(tests, sgd_takes_torchs_steps, 0, 9);
  tcase_add_test(tests, every_row_is_found_by_its_name);
  tcase_add_test(tests, options_outside_their_bounds_are_refused);
  tcase_add_test(tests, a_new_state_is_zero_with_the_defaults);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("optimizer", add_tests); }
