/* test_rules.c - every row of the table of update rules by what rule.h asks of it, and its options and
 * state; then each rule against its formula written out in double.  On every instruction set at
 * hand. */
#include "rules/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support_numbers.h"

/* Every rule of every instruction set. */
// clang-format off
#define EACH_RULE(rule)                                                                       \
  EACH_ISA                                                                                    \
    for (size_t row_ = 0; bnn_rule_row(row_); row_++)                                         \
      for (const bnn_rule *rule = bnn_rule_row(row_); rule; rule = NULL)
// clang-format on

enum { P = 1003, ROOM = 3 }; /* parameters: several vectors and a rest */
static const bnn_key KEY = {0x0123456789abcdef};

/* ---- the table and options ---- */

static void ck_options(const bnn_rule *rule) {
  for (int k = 0; k < bnn_rule_options(rule); k++) {
    const bnn_option *o = &rule->option[k];
    ck_assert_ptr_nonnull(strstr(rule->doc, o->name)); /* help() shows every option */
    ck_assert(o->doc && o->doc[0]);
    ck_succeeds(bnn_option_check(rule, o, o->value, &err));
    for (int j = 0; j < k; j++) ck_assert_str_ne(o->name, rule->option[j].name);
  }
  for (int k = 0; k < bnn_rule_slots(rule); k++)
    for (int j = 0; j < k; j++) ck_assert_str_ne(rule->slot[k].name, rule->slot[j].name);
}

START_TEST(every_row_is_found_by_its_name_on_every_instruction_set) {
  const bnn_rule *last[16] = {NULL};
  EACH_ISA {
    size_t n = 0;
    for (const bnn_rule *rule; (rule = bnn_rule_row(n)); n++) {
      ck_assert_ptr_eq(bnn_rule_find(rule->name), rule);
      ck_assert_ptr_nonnull(strstr(rule->doc, rule->name));
      ck_assert_str_eq(rule->option[0].name, "lr");
      ck_assert((rule->update != NULL) != (rule->update_together != NULL));
      ck_assert((rule->family != NULL) == (rule->update_together != NULL));
      ck_options(rule);
      ck_assert_uint_lt(n, 16);
      ck_assert_ptr_ne(rule, last[n]); /* compiled for this one */
      if (last[n]) ck_assert_str_eq(rule->name, last[n]->name);
      last[n] = rule;
    }
    ck_assert_uint_ge(n, 2);
    ck_assert_ptr_null(bnn_rule_row(n + 1));
    ck_assert_ptr_null(bnn_rule_find("adams"));
    ck_assert_ptr_null(bnn_rule_find(""));
  }
}
END_TEST

START_TEST(options_and_slots_are_counted_to_the_first_without_a_name) {
  bnn_rule rule = {.name = "full"};
  ck_assert_int_eq(bnn_rule_options(&rule), 0);
  ck_assert_int_eq(bnn_rule_slots(&rule), 0);
  for (int k = 0; k < BNN_OPTIONS_MAX; k++) {
    rule.option[k].name = "o";
    ck_assert_int_eq(bnn_rule_options(&rule), k + 1);
  }
  for (int k = 0; k < BNN_SLOTS_MAX; k++) {
    rule.slot[k].name = "s";
    ck_assert_int_eq(bnn_rule_slots(&rule), k + 1);
  }
}
END_TEST

/* Of x for option k beside the defaults; nothing is made of what is refused. */
static void ck_refused(const bnn_rule *rule, int k, double x, const char *words) {
  const bnn_status want = words ? BNN_ERANGE : BNN_OK;
  double option[BNN_OPTIONS_MAX];
  for (int i = 0; i < bnn_rule_options(rule); i++) option[i] = rule->option[i].value;
  option[k] = x;
  bnn_rule_state s = {.n = 99};
  ck_refuses(bnn_option_check(rule, &rule->option[k], x, &err), want, words ? words : "");
  ck_refuses(bnn_rule_state_init(&s, rule, option, 3, &err), want, words ? words : "");
  if (words)
    ck_assert_uint_eq(s.n, 99); /* untouched */
  else
    bnn_rule_state_fini(&s);
}

START_TEST(every_option_is_refused_outside_its_bounds_by_name) {
  for (size_t i = 0; bnn_rule_row(i); i++) {
    const bnn_rule *rule = bnn_rule_row(i);
    for (int k = 0; k < bnn_rule_options(rule); k++) {
      const bnn_option *o = &rule->option[k];
      char words[64];
      snprintf(words, sizeof words, "%s: %s: expected ", rule->name, o->name);
      ck_assert(o->lo <= o->value && o->value <= o->hi);
      ck_refused(rule, k, o->lo, NULL);
      ck_refused(rule, k, o->hi, o->open ? words : NULL);
      ck_refused(rule, k, nextafter(o->lo, -INFINITY), words);
      ck_refused(rule, k, o->lo - 1, words);
      if (!isinf(o->hi)) ck_refused(rule, k, o->hi + 1, words);
      if (!isinf(o->hi)) ck_refused(rule, k, nextafter(o->hi, INFINITY), words);
      if (o->whole) ck_refused(rule, k, o->lo + 0.5, words);
      ck_refused(rule, k, NAN, words);
      ck_refused(rule, k, -INFINITY, words);
    }
  }
}
END_TEST

START_TEST(options_outside_their_bounds_are_refused_in_words) {
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
  for (size_t k = 0; k < sizeof row / sizeof *row; k++)
    ck_refused(bnn_rule_find(row[k].rule), row[k].option, row[k].x, row[k].words);
}
END_TEST

/* ---- state ---- */

START_TEST(a_new_state_has_the_defaults_and_what_slots_start_from) {
  for (size_t i = 0; bnn_rule_row(i); i++) {
    const bnn_rule *rule = bnn_rule_row(i);
    for (size_t n = 0; n < 100; n += 33) {
      bnn_rule_state s;
      ck_succeeds(bnn_rule_state_init(&s, rule, NULL, n, &err));
      ck_assert_ptr_eq(s.rule, rule);
      ck_assert_uint_eq(s.n, n);
      ck_assert_uint_eq(s.t, 0);
      for (int k = 0; k < bnn_rule_options(rule); k++)
        ck_assert(s.option[k] == rule->option[k].value);
      for (int k = 0; k < bnn_rule_slots(rule); k++) {
        ck_tensor(s.slot[k], BNN_REAL, DIMS(n), NULL);
        for (size_t j = 0; j < n; j++)
          ck_assert(bnn_tensor_get(s.slot[k], j) == (double)(bnn_real)rule->slot[k].start);
      }
      for (int k = bnn_rule_slots(rule); k < BNN_SLOTS_MAX; k++) ck_assert_ptr_null(s.slot[k]);
      bnn_rule_state_fini(&s);
      bnn_rule_state_fini(&s); /* twice is fine */
    }
  }
}
END_TEST

/* A rule of the test's own, as no row has all of it. */
static void derive_the_next(bnn_step_info *info) {
  info->derived[0] = info->lr + info->option[1];
  info->derived[1] = (double)info->t + info->data_size;
}

static const bnn_rule own_rule = {
    .name = "own",
    .option = {{"lr", "", 0.5, 0, 1, .open = false}, {"more", "", 2, 0, 3, .open = false}},
    .slot = {{"a", 0.1}, {"b", 0}, {"c", -2}},
    .derive = derive_the_next,
};

START_TEST(each_slot_starts_from_its_own_value) {
  bnn_rule_state s;
  ck_succeeds(bnn_rule_state_init(&s, &own_rule, NULL, 21, &err));
  for (size_t i = 0; i < 21; i++)
    for (int k = 0; k < 3; k++)
      ck_assert(bnn_tensor_real(s.slot[k])[i] == (bnn_real)own_rule.slot[k].start);
  ck_assert_ptr_null(s.slot[3]);
  bnn_rule_state_fini(&s);
}
END_TEST

START_TEST(a_step_has_its_constants_and_what_the_rule_derives) {
  bnn_rule_state s;
  ck_succeeds(bnn_rule_state_init(&s, &own_rule, VALUES(0.25, 3), 1, &err));
  s.t = 6;
  const bnn_step_info info = bnn_rule_step(&s, 0.125, 1000, 1, KEY);
  ck_assert_ptr_eq(info.option, s.option);
  ck_assert(info.lr == 0.125 && info.data_size == 1000 && info.t == 7);
  ck_assert(info.key.bits == KEY.bits);
  ck_assert(info.derived[0] == 3.125 && info.derived[1] == 1007);
  ck_assert_uint_eq(s.t, 6); /* who makes the step counts it */
  bnn_rule_state_fini(&s);
}
END_TEST

START_TEST(each_buffer_has_a_key_of_its_own) {
  const bnn_step_info info = {.key = KEY};
  for (int b = 0; b < 4; b++) {
    const bnn_update_span s = {.buffer = b};
    ck_assert(bnn_update_key(&info, &s).bits == bnn_key_fold(KEY, b + 1).bits);
  }
}
END_TEST

static bnn_status make_a_state(void *rule, bnn_err *err) {
  bnn_rule_state s = {.rule = NULL};
  bnn_status status = bnn_rule_state_init(&s, rule, NULL, 100, err);
  if (status == BNN_OK) bnn_rule_state_fini(&s);
  return status;
}

START_TEST(every_allocation_may_fail) {
  for (size_t i = 0; bnn_rule_row(i); i++)
    ck_survives_failing_allocations(make_a_state, (void *)(uintptr_t)bnn_rule_row(i));
  ck_survives_failing_allocations(make_a_state, (void *)(uintptr_t)&own_rule);
}
END_TEST

/* ---- updates of every rule ---- */

/* Weights, their gradient and state, with room behind that nothing may be written to. */
typedef struct numbers {
  bnn_real w[P + ROOM], slot[BNN_SLOTS_MAX][P + ROOM], g[P + ROOM];
} numbers;

/* State as it may be in the midst of training: no second moment is far from the gradients' squares. */
static void fill_numbers(numbers *x) {
  fill(x->w, P + ROOM, 1, -1, 1);
  fill(x->g, P + ROOM, 2, -1, 1);
  for (int k = 0; k < BNN_SLOTS_MAX; k++) fill(x->slot[k], P + ROOM, 3 + k, 0.1, 1);
}

/* The defaults; or each option half way between its bounds, so that all parts of a rule work. */
enum { DEFAULTS, MIDDLE, SETS };

static void options_of(const bnn_rule *rule, int set, double *option) {
  for (int k = 0; k < bnn_rule_options(rule); k++) {
    const bnn_option *o = &rule->option[k];
    option[k] = set == DEFAULTS || isinf(o->hi) ? o->value : (o->lo + o->hi) / 2;
    if (o->whole) option[k] = ceil(option[k]);
  }
}

static bnn_step_info step_of(const bnn_rule *rule, bnn_rule_state *s, int set, double lr,
                             uint64_t t) {
  *s = (bnn_rule_state){.rule = rule, .t = t - 1};
  options_of(rule, set, s->option);
  return bnn_rule_step(s, lr, rule->needs_data_size ? 1000 : 0, 1, KEY);
}

/* Elements [at, at + n) of x, element 100 + at of a layout.  A rule for buffers that belong together
 * has its second in the last slot, which it does not use. */
static void update(const bnn_step_info *info, const bnn_rule *rule, numbers *x, size_t at,
                   size_t n) {
  bnn_update_span s[2] = {
      {.w = x->w + at, .g = x->g + at, .from = 100 + at, .n = n, .decayed = true}};
  for (int k = 0; k < bnn_rule_slots(rule); k++) s[0].slot[k] = x->slot[k] + at;
  s[1] = s[0];
  s[1].w = x->slot[BNN_SLOTS_MAX - 1] + at;
  bnn_rule_update(rule, info, s, 1);
}

START_TEST(an_update_in_pieces_gives_the_bits_of_the_update_in_one) {
  static numbers whole, parts;
  EACH_RULE(rule) for (int set = 0; set < SETS; set++) {
    bnn_rule_state state;
    const bnn_step_info info = step_of(rule, &state, set, 0.01, 3);
    fill_numbers(&whole);
    fill_numbers(&parts);
    update(&info, rule, &whole, 0, P);
    for (size_t from = 0, n; from < P; from += n) {
      n = 1 + from * 7 % 90;
      if (n > P - from) n = P - from;
      update(&info, rule, &parts, from, n);
    }
    ck_holds(memcmp(&whole, &parts, sizeof whole) == 0); /* of what lies behind P, too */
    fill_numbers(&parts);
    ck_holds(memcmp(whole.w, parts.w, P * sizeof(bnn_real)) != 0);
    for (size_t i = P; i < P + ROOM; i++) ck_holds(whole.w[i] == parts.w[i]);
    for (int k = 0; k < BNN_SLOTS_MAX; k++)
      ck_holds(same_bits(whole.slot[k] + P, parts.slot[k] + P, ROOM));
    ck_holds(same_bits(whole.g, parts.g, P + ROOM)); /* it is read only */
  }
}
END_TEST

START_TEST(an_update_of_nothing_does_nothing) {
  static numbers x, before;
  EACH_RULE(rule) for (int set = 0; set < SETS; set++) {
    bnn_rule_state state;
    const bnn_step_info info = step_of(rule, &state, set, 0.01, 3);
    fill_numbers(&x);
    fill_numbers(&before);
    update(&info, rule, &x, 0, 0);
    update(&info, rule, &x, 17, 0);
    ck_holds(memcmp(&x, &before, sizeof x) == 0);
  }
}
END_TEST

/* In its own element, whether in a vector or in the rest, and nowhere else. */
START_TEST(a_gradient_that_is_nan_shows) {
  static numbers x;
  EACH_RULE(rule) for (int set = 0; set < SETS; set++) for (size_t at = 5; at < P; at += P - 7) {
    bnn_rule_state state;
    const bnn_step_info info = step_of(rule, &state, set, 0.01, 3);
    fill_numbers(&x);
    x.g[at] = (bnn_real)NAN;
    update(&info, rule, &x, 0, P);
    for (size_t i = 0; i < P; i++) {
      ck_holds(isnan(x.w[i]) == (i == at));
      for (int k = 0; k < bnn_rule_slots(rule); k++) ck_holds(i == at || isfinite(x.slot[k][i]));
    }
  }
}
END_TEST

/* From the state of a first step on, gradients of 0 and of every size whose square is a number. */
START_TEST(finite_gradients_give_finite_weights) {
  static numbers x;
  const double most = sqrt(-(double)BNN_REAL_LOWEST) / 4;
  EACH_RULE(rule) for (int set = 0; set < SETS; set++) {
    fill_numbers(&x);
    for (int k = 0; k < bnn_rule_slots(rule); k++)
      for (size_t i = 0; i < P; i++) x.slot[k][i] = (bnn_real)rule->slot[k].start;
    for (size_t i = 0; i < P; i++) x.g[i] *= (bnn_real)pow(most, (double)i / (P / 2) - 1);
    for (size_t i = 0; i < P; i += 50) x.g[i] = 0;
    for (uint64_t t = 1; t <= 5; t++) {
      bnn_rule_state state;
      const bnn_step_info info = step_of(rule, &state, set, 0.01, t);
      update(&info, rule, &x, 0, P);
      ck_holds(has_subnormals());
    }
    for (size_t i = 0; i < P; i++) {
      ck_holds(isfinite(x.w[i]));
      for (int k = 0; k < bnn_rule_slots(rule); k++) ck_holds(isfinite(x.slot[k][i]));
    }
  }
}
END_TEST

/* Kernels that take subnormal numbers for 0 meanwhile leave the processor as they found it, however
 * many elements there are and whether all are finite. */
START_TEST(updates_leave_subnormal_numbers_to_others) {
  static numbers x;
  static const size_t size[] = {0, 1, 16, 17, P};
  EACH_RULE(rule) for (int k = 0; k < 10 * SETS; k++) {
    bnn_rule_state state;
    const bnn_step_info info = step_of(rule, &state, k / 10, 0.01, 3);
    fill_numbers(&x);
    if (k % 2) x.g[0] = (bnn_real)NAN;
    update(&info, rule, &x, 0, size[k / 2 % 5]);
    ck_holds(has_subnormals());
  }
}
END_TEST

/* 0.9 times the smallest number rounds to itself: it would stay for ever, and be slow. */
START_TEST(no_state_ends_subnormal_where_gradients_have_ended) {
  static numbers x;
  EACH_RULE(rule) for (int set = 0; set < SETS; set++) {
    fill_numbers(&x);
    for (size_t i = 0; i < P; i++) x.g[i] = 0;
    for (uint64_t t = 1; t <= 2200; t++) {
      bnn_rule_state state;
      const bnn_step_info info = step_of(rule, &state, set, 0.01, t);
      update(&info, rule, &x, 0, 37);
    }
    for (int k = 0; k < bnn_rule_slots(rule); k++)
      for (size_t i = 0; i < 37; i++)
        ck_holds(x.slot[k][i] == 0 || fabs((double)x.slot[k][i]) >= (double)BNN_REAL_LEAST);
  }
}
END_TEST

/* ---- steps beside the papers' formulas in double ---- */

enum { STEPS = 10 };

/* Half a place of w, at most 2.5, a step, and the error of each step, of numbers of size 1, times
 * lr. */
#define CLOSE (20 * (double)BNN_REAL_EPSILON)

/* Weights and gradients of size 1, of both signs; a gradient of zero among them. */
static double weight(int i) { return sin(1 + i); }
static double gradient(int i, int t) { return i == 5 ? 0 : cos(3 * i + 2 * t) + 0.1 * i / P; }

/* Elements 0..P-1 after STEPS of a rule with these options, lr a tenth larger each step, of a buffer that
 * is decayed or not. */
static void run_rule_on(bnn_real *w, const char *name, const double *option, bool decayed) {
  const bnn_rule *rule = bnn_rule_find(name);
  bnn_rule_state s;
  static bnn_real g[P];
  ck_succeeds(bnn_rule_state_init(&s, rule, option, P, &err));
  bnn_update_span span = {.w = w, .g = g, .n = P, .decayed = decayed};
  for (int k = 0; k < bnn_rule_slots(rule); k++) span.slot[k] = bnn_tensor_real(s.slot[k]);
  for (int i = 0; i < P; i++) w[i] = (bnn_real)weight(i);
  for (int t = 1; t <= STEPS; t++, s.t++) {
    for (int i = 0; i < P; i++) g[i] = (bnn_real)gradient(i, t);
    const bool samples = rule->draws_noise; /* without its noise */
    const bnn_step_info info =
        bnn_rule_step(&s, s.option[0] * (1 + t / 10.0), samples ? 1 : 0, samples ? 0 : 1, KEY);
    rule->update(&info, &span);
  }
  bnn_rule_state_fini(&s);
}

static void run_rule(bnn_real *w, const char *name, const double *option) {
  run_rule_on(w, name, option, false);
}

/* Algorithm 1 of Kingma & Ba, line by line; b1 and b2 as they are stored. */
static double adam_until(int i, int last, double lr, double b1, double b2, double eps) {
  double w = (double)(bnn_real)weight(i), m = 0, v = 0;
  b1 = (double)(bnn_real)b1, b2 = (double)(bnn_real)b2;
  for (int t = 1; t <= last; t++) {
    double g = (double)(bnn_real)gradient(i, t);
    m = b1 * m + (1 - b1) * g;
    v = b2 * v + (1 - b2) * g * g;
    double mhat = m / (1 - pow(b1, t)), vhat = v / (1 - pow(b2, t));
    w -= lr * (1 + t / 10.0) * mhat / (sqrt(vhat) + eps);
  }
  return w;
}

static double adam_by_the_book(int i, double lr, double b1, double b2, double eps) {
  return adam_until(i, STEPS, lr, b1, b2, eps);
}

START_TEST(adam_takes_the_steps_of_its_paper) {
  static const double option[][4] = {
      {1e-3, 0.9, 0.999, 1e-8}, {0.1, 0.9, 0.999, 1e-8}, {0.1, 0, 0.5, 1e-3},
      {0.1, 0.5, 0.9, 1e-8},    {0.1, 0, 0, 0.1},        {0, 0.9, 0.999, 1e-8},
  };
  static bnn_real w[P];
  const double *o = option[_i];
  EACH_ISA {
    run_rule(w, "adam", o);
    for (int i = 0; i < P; i++)
      ck_near((double)w[i], adam_by_the_book(i, o[0], o[1], o[2], o[3]), CLOSE, "adam", (size_t)i);
  }
}
END_TEST

/* Adam whose weight shrinks by lr decay before each step; another buffer's does not. */
START_TEST(adamw_decays_what_is_to_be_decayed_beside_adams_steps) {
  static bnn_real w[P], same[P];
  const double o[] = {0.1, 0.9, 0.999, 1e-8, 0.2};
  EACH_ISA {
    run_rule_on(w, "adamw", o, true);
    for (int i = 0; i < P; i++) {
      double want = (double)(bnn_real)weight(i), before = want;
      for (int t = 1; t <= STEPS; t++) { /* Adam's steps do not depend on w: their sums so far */
        const double lr = o[0] * (1 + t / 10.0);
        const double after = adam_until(i, t, o[0], o[1], o[2], o[3]);
        want = want * (1 - lr * o[4]) + (after - before);
        before = after;
      }
      ck_near((double)w[i], want, CLOSE, "adamw", (size_t)i);
    }
    run_rule_on(w, "adamw", o, false);
    run_rule(same, "adam", o);
    ck_holds(same_bits(w, same, P));
  }
}
END_TEST

START_TEST(lion_takes_the_steps_of_its_paper) {
  static bnn_real w[P];
  const double o[] = {0.1, 0.9, 0.99, 0.2};
  EACH_ISA for (int decayed = 0; decayed < 2; decayed++) {
    run_rule_on(w, "lion", o, decayed);
    for (int i = 0; i < P; i++) {
      double want = (double)(bnn_real)weight(i), m = 0;
      bool sure = true; /* whether no direction was near 0, where rounding decides its sign */
      for (int t = 1; t <= STEPS; t++) {
        const double lr = o[0] * (1 + t / 10.0), g = (double)(bnn_real)gradient(i, t);
        const double c = o[1] * m + (1 - o[1]) * g;
        sure = sure && (c == 0 || fabs(c) > 1e-4);
        want -= lr * ((c > 0) - (c < 0)) + (decayed ? lr * o[3] * want : 0);
        m = o[2] * m + (1 - o[2]) * g;
      }
      if (sure) ck_near((double)w[i], want, CLOSE, "lion", (size_t)i);
    }
  }
}
END_TEST

START_TEST(rmsprop_takes_torchs_steps) {
  static const double option[][4] = {{0.01, 0.99, 1e-8, 0}, {0.01, 0.9, 1e-2, 0.5}};
  static bnn_real w[P];
  const double *o = option[_i];
  EACH_ISA {
    run_rule(w, "rmsprop", o);
    for (int i = 0; i < P; i++) {
      double want = (double)(bnn_real)weight(i), v = 0, u = 0;
      const double alpha = (double)(bnn_real)o[1];
      for (int t = 1; t <= STEPS; t++) {
        const double g = (double)(bnn_real)gradient(i, t);
        v = alpha * v + (1 - alpha) * g * g;
        u = o[3] * u + (g == 0 ? 0 : g / (sqrt(v) + o[2]));
        want -= o[0] * (1 + t / 10.0) * u;
      }
      ck_near((double)w[i], want, CLOSE, "rmsprop", (size_t)i);
    }
  }
}
END_TEST

/* The scale adapts in the first four steps, and is held then. */
START_TEST(psgld_without_noise_takes_the_steps_of_its_paper) {
  static bnn_real w[P];
  const double o[] = {0.01, 0.9, 0.1, 4};
  const double alpha = (double)(bnn_real)o[1];
  EACH_ISA {
    run_rule(w, "psgld", o);
    for (int i = 0; i < P; i++) {
      double want = (double)(bnn_real)weight(i), v = 1;
      for (int t = 1; t <= STEPS; t++) {
        const double g = (double)(bnn_real)gradient(i, t);
        if (t <= 4) v = alpha * v + (1 - alpha) * g * g;
        want -= o[0] * (1 + t / 10.0) * g / (o[2] + sqrt(v));
      }
      ck_near((double)w[i], want, CLOSE, "psgld", (size_t)i);
    }
  }
}
END_TEST

START_TEST(sghmc_without_noise_is_momentum_with_friction) {
  static bnn_real w[P];
  const double o[] = {0.01, 0.25};
  EACH_ISA {
    run_rule(w, "sghmc", o);
    for (int i = 0; i < P; i++) {
      double want = (double)(bnn_real)weight(i), v = 0;
      for (int t = 1; t <= STEPS; t++) {
        v = (1 - o[1]) * v - o[0] * (1 + t / 10.0) * (double)(bnn_real)gradient(i, t);
        want += v;
      }
      ck_near((double)w[i], want, CLOSE, "sghmc", (size_t)i);
    }
  }
}
END_TEST

START_TEST(adaptive_sghmc_without_noise_takes_the_steps_of_its_paper) {
  static bnn_real w[P];
  const double o[] = {0.01, 0.25, 0.1, 4};
  EACH_ISA {
    run_rule(w, "adaptive_sghmc", o);
    for (int i = 0; i < P; i++) {
      double want = (double)(bnn_real)weight(i), velocity = 0, tau = 1, m = 1, v = 1;
      for (int t = 1; t <= STEPS; t++) {
        const double g = (double)(bnn_real)gradient(i, t);
        if (t <= 4) {
          m += (g - m) / (tau + 1);
          v += (g * g - v) / (tau + 1);
          tau = 1 + tau * (1 - m * m / v);
        }
        velocity = (1 - o[1]) * velocity - o[0] * (1 + t / 10.0) * g / (o[2] + sqrt(v));
        want += velocity;
      }
      ck_near((double)w[i], want, CLOSE, "adaptive_sghmc", (size_t)i);
    }
  }
}
END_TEST

/* Algorithm 1 of Shen et al., in h and delta, of gradients of the log-variance that mean hhat - h; the pull
 * of the prior is in the mean's gradients. */
START_TEST(ivon_takes_the_steps_of_its_paper) {
  enum { N = 50 };
  static const double clips[] = {0, 0.3};
  static bnn_real mu[P], logvar[P], dmu[P], dlogvar[P];
  const double delta = 0.02, h0 = 0.1, lr = 0.05, b2 = 0.98, b1 = (double)(bnn_real)0.8;
  const double clip = clips[_i], option[] = {lr, 0.8, b2, h0, clip, 0};
  EACH_ISA {
    bnn_rule_state s;
    ck_succeeds(bnn_rule_state_init(&s, bnn_rule_find("ivon"), option, P, &err));
    bnn_update_span span[] = {{.w = mu, .g = dmu, .n = P}, {.w = logvar, .g = dlogvar, .n = P}};
    span[0].slot[0] = bnn_tensor_real(s.slot[0]);
    double want[P], h[P], m[P];
    for (int i = 0; i < P; i++) {
      mu[i] = (bnn_real)weight(i), want[i] = (double)mu[i], m[i] = 0;
      logvar[i] = (bnn_real)(-log(N * (h0 + delta))), h[i] = exp(-(double)logvar[i]) / N - delta;
    }
    for (int t = 1; t <= STEPS; t++, s.t++) {
      for (int i = 0; i < P; i++) {
        dmu[i] = (bnn_real)gradient(i, t);
        dlogvar[i] = (bnn_real)(0.02 * gradient(i + 1, 2 * t));
        const double more = 2 * N * (h[i] + delta) * (double)dlogvar[i]; /* hhat - h */
        m[i] = b1 * m[i] + (1 - b1) * (double)dmu[i];
        h[i] += (1 - b2) * more + 0.5 * pow((1 - b2) * more, 2) / (h[i] + delta);
        const double step = m[i] / (1 - pow(b1, t)) / (h[i] + delta);
        want[i] -= lr * h0 * (clip > 0 ? fmax(-clip, fmin(clip, step)) : step);
      }
      const bnn_step_info info = bnn_rule_step(&s, lr, N, 1, KEY);
      bnn_rule_update(s.rule, &info, span, 2);
    }
    for (int i = 0; i < P; i++) {
      ck_near((double)mu[i], want[i], 10 * CLOSE, "mu", (size_t)i);
      ck_near((double)logvar[i], -log(N * (h[i] + delta)), 10 * CLOSE, "logvar", (size_t)i);
    }
    bnn_rule_state_fini(&s);
  }
}
END_TEST

/* Without eps the first step is lr against the gradient, whatever its size: a bias
 * correction with another b2 than the one of the moments would show. */
START_TEST(adams_first_step_is_the_learning_rate) {
  static const double size[] = {1e-3, 1, 1e4};
  EACH_ISA for (int k = 0; k < 6; k++) {
    const double sign = k % 2 ? -1 : 1;
    bnn_real w = 0, g = (bnn_real)(sign * size[k / 2]), m = 0, v = 0;
    const bnn_rule_state s = {.rule = bnn_rule_find("adam"), .option = {1e-3, 0.9, 0.999, 0}};
    const bnn_step_info info = bnn_rule_step(&s, 1e-3, 0, 1, KEY);
    s.rule->update(&info, &(bnn_update_span){.w = &w, .g = &g, .slot = {&m, &v}, .n = 1});
    ck_near((double)w, -sign * 1e-3, 1e-3 * 8 * (double)BNN_REAL_EPSILON, "w", (size_t)k);
  }
}
END_TEST

START_TEST(a_gradient_of_zero_leaves_adams_weight) {
  static bnn_real w[P];
  EACH_ISA {
    run_rule(w, "adam", NULL);
    ck_assert(w[5] == (bnn_real)weight(5));
  }
}
END_TEST

/* One step number `t` of 3 elements without state before. */
static void step_3(bnn_rule_state s, double lr, bnn_real *w, bnn_real *m, bnn_real *v,
                   const bnn_real *g) {
  const bnn_step_info info = bnn_rule_step(&s, lr, 0, 1, KEY);
  s.rule->update(&info, &(bnn_update_span){.w = w, .g = g, .slot = {m, v}, .n = 3});
}

START_TEST(adam_divides_by_eps_alone_where_no_gradient_ever_was) {
  EACH_ISA {
    bnn_real w[3] = {1, 2, 3}, m[3] = {0}, v[3] = {0}, g[3] = {0};
    step_3((bnn_rule_state){.rule = bnn_rule_find("adam"), .option = {1, 0.9, 0.999, 1e-8}}, 0.1, w,
           m, v, g);
    ck_holds(w[0] == 1 && w[1] == 2 && w[2] == 3);
  }
}
END_TEST

/* 0 / 0 for the first and inf / inf for the last would be NaN, which no later step ends. */
START_TEST(adam_without_eps_moves_only_what_has_a_gradient) {
  EACH_ISA {
    const bnn_real large = (bnn_real)(sqrt(-(double)BNN_REAL_LOWEST) * 4);
    bnn_real w[3] = {1, 2, 3}, m[3] = {0}, v[3] = {0};
    const bnn_real g[3] = {0, (bnn_real)0.5, large};
    step_3((bnn_rule_state){.rule = bnn_rule_find("adam")}, 0.25, w, m, v, g);
    ck_holds(w[0] == 1);
    ck_near((double)w[1], 1.75, 4 * (double)BNN_REAL_EPSILON, "w", 1);
    ck_near((double)w[2], 2, 8 * (double)BNN_REAL_EPSILON, "w", 2); /* v is 16 times too small */
    ck_holds(isinf(v[2]));
  }
}
END_TEST

START_TEST(moments_end_at_0_where_gradients_have_ended) {
  EACH_ISA {
    bnn_real w[3] = {1, 1, 1}, m[3] = {1, 1, 1}, v[3] = {1, 1, 1}, g[3] = {0};
    bnn_rule_state adam = {.rule = bnn_rule_find("adam"), .option = {0, 0.5, 0.5, 1e-8}};
    for (; adam.t < 2200; adam.t++) step_3(adam, 0, w, m, v, g);
    for (int i = 0; i < 3; i++) ck_holds(m[i] == 0 && v[i] == 0 && w[i] == 1);
    for (int nesterov = 0; nesterov <= 1; nesterov++) {
      bnn_rule_state sgd = {.rule = bnn_rule_find("sgd"), .option = {0, 0.5, 0, nesterov}};
      bnn_real last[3] = {1, 1, 1};
      for (; sgd.t < 2200; sgd.t++) step_3(sgd, 0, w, last, NULL, g);
      for (int i = 0; i < 3; i++) ck_holds(last[i] == 0);
    }
  }
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
      {0.1, 0, 0, 0},      {0.1, 0.9, 0, 0},    {0.01, 0.5, 0, 1}, {0.1, 0.9, 0.3, 0},
      {0.1, 0.5, 0.3, 1},  {0.1, 0.9, 1, 0},    {0.1, 0, 0.5, 0},  {0.1, 0, 0, 1},
      {0.1, 0.9, 0.25, 0}, {0.1, 0.9, 0.25, 1}, {0, 0.9, 0, 0},
  };
  static bnn_real w[P];
  const double *o = option[_i];
  EACH_ISA {
    run_rule(w, "sgd", o);
    for (int i = 0; i < P; i++)
      ck_near((double)w[i], sgd_as_torch(i, o[0], o[1], o[2], o[3] != 0), CLOSE, "sgd", (size_t)i);
  }
}
END_TEST

START_TEST(sgd_steps_against_the_gradient) {
  static numbers x, before;
  EACH_ISA {
    bnn_rule_state state;
    const bnn_rule *rule = bnn_rule_find("sgd");
    const bnn_step_info info = step_of(rule, &state, DEFAULTS, 0.1, 1);
    fill_numbers(&x);
    fill_numbers(&before);
    update(&info, rule, &x, 0, P);
    for (size_t i = 0; i < P; i++)
      ck_near((double)x.w[i], (double)before.w[i] - 0.1 * (double)x.g[i],
              2 * (double)BNN_REAL_EPSILON, "w", i);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, every_row_is_found_by_its_name_on_every_instruction_set);
  tcase_add_test(tests, options_and_slots_are_counted_to_the_first_without_a_name);
  tcase_add_test(tests, every_option_is_refused_outside_its_bounds_by_name);
  tcase_add_test(tests, options_outside_their_bounds_are_refused_in_words);
  tcase_add_test(tests, a_new_state_has_the_defaults_and_what_slots_start_from);
  tcase_add_test(tests, each_slot_starts_from_its_own_value);
  tcase_add_test(tests, a_step_has_its_constants_and_what_the_rule_derives);
  tcase_add_test(tests, each_buffer_has_a_key_of_its_own);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_test(tests, an_update_in_pieces_gives_the_bits_of_the_update_in_one);
  tcase_add_test(tests, an_update_of_nothing_does_nothing);
  tcase_add_test(tests, a_gradient_that_is_nan_shows);
  tcase_add_test(tests, finite_gradients_give_finite_weights);
  tcase_add_test(tests, updates_leave_subnormal_numbers_to_others);
  tcase_add_test(tests, no_state_ends_subnormal_where_gradients_have_ended);
  tcase_add_loop_test(tests, adam_takes_the_steps_of_its_paper, 0, 6);
  tcase_add_test(tests, adamw_decays_what_is_to_be_decayed_beside_adams_steps);
  tcase_add_test(tests, lion_takes_the_steps_of_its_paper);
  tcase_add_loop_test(tests, rmsprop_takes_torchs_steps, 0, 2);
  tcase_add_test(tests, psgld_without_noise_takes_the_steps_of_its_paper);
  tcase_add_test(tests, sghmc_without_noise_is_momentum_with_friction);
  tcase_add_test(tests, adaptive_sghmc_without_noise_takes_the_steps_of_its_paper);
  tcase_add_loop_test(tests, ivon_takes_the_steps_of_its_paper, 0, 2);
  tcase_add_test(tests, adams_first_step_is_the_learning_rate);
  tcase_add_test(tests, a_gradient_of_zero_leaves_adams_weight);
  tcase_add_test(tests, adam_divides_by_eps_alone_where_no_gradient_ever_was);
  tcase_add_test(tests, adam_without_eps_moves_only_what_has_a_gradient);
  tcase_add_test(tests, moments_end_at_0_where_gradients_have_ended);
  tcase_add_loop_test(tests, sgd_takes_torchs_steps, 0, 11);
  tcase_add_test(tests, sgd_steps_against_the_gradient);
}

int main(void) { return run_suite("rules", add_tests); }
