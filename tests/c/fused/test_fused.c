/* test_fused.c - every pass that does several stages of a step at once against these stages one after
 * the other: backward, KL or entropy, and the update of each buffer.  Passes are found by walking
 * families and rules, on every instruction set at hand. */
#include "fused/fused.h"

#include <math.h>
#include <string.h>

#include "support_numbers.h"

/* Every pass of every instruction set, with its family and rule. */
// clang-format off
#define EACH_PASS(pass, family, rule)                                                         \
  EACH_ISA                                                                                    \
    for (size_t f_ = 0; bnn_family_row(f_); f_++)                                             \
      for (size_t r_ = 0; bnn_rule_row(r_); r_++)                                             \
        for (const bnn_family *family = bnn_family_row(f_); family; family = NULL)            \
          for (const bnn_rule *rule = bnn_rule_row(r_); rule; rule = NULL)                    \
            for (const bnn_fused *pass = bnn_fused_find(family, rule); pass; pass = NULL)
// clang-format on

static const bnn_key KEY = {0x0123456789abcdef};
static const bnn_draw DRAW = {.key = {0x0123456789abcdef}};

/* Several thousand parameters, chunks of any pass and a rest; room behind that nothing may be written
 * to. */
enum { P = 5003, ROOM = 19 };

/* What a step changes, and the gradient at a sample. */
typedef struct numbers {
  bnn_real buffer[BNN_BUFFERS_MAX][P + ROOM];
  bnn_real slot[BNN_BUFFERS_MAX][BNN_SLOTS_MAX][P + ROOM];
  bnn_real g[P + ROOM], theta[P + ROOM], dspread[P + ROOM], spread[P + ROOM];
} numbers;

/* A step of a family and a rule on the first n numbers. */
typedef struct a_step {
  const bnn_family *family;
  const bnn_rule *rule;
  bnn_rule_state state;
  bnn_step_info info;
  bnn_real weight, precision;
  const bnn_spread *spread; /* what the weights have beside their means; or NULL */
  size_t n;
} a_step;

/* The defaults, or each option half way between its bounds. */
enum { DEFAULTS, MIDDLE, SETS };

static void begin(a_step *s, const bnn_family *family, const bnn_rule *rule, int set) {
  *s = (a_step){.family = family,
                .rule = rule,
                .state = {.rule = rule, .t = 2},
                .weight = (bnn_real)0.3,
                .precision = 2,
                .n = P};
  for (int k = 0; k < bnn_rule_options(rule); k++) {
    const bnn_option *o = &rule->option[k];
    const bool keeps = set == DEFAULTS || isinf(o->hi) || o->choice[0];
    s->state.option[k] = keeps ? o->value : (o->lo + o->hi) / 2;
    if (o->whole) s->state.option[k] = ceil(s->state.option[k]);
  }
  s->info = bnn_rule_step(&s->state, 0.01, rule->needs_data_size ? 10 : 0, 1, KEY);
}

/* Of the size of means and log-scales.  State that does not make the update leap where it is near 0. */
static void fill_numbers(numbers *x) {
  for (int b = 0; b < BNN_BUFFERS_MAX; b++) {
    fill(x->buffer[b], P + ROOM, b, b == 0 ? -2 : -4, b == 0 ? 2 : 1);
    for (int k = 0; k < BNN_SLOTS_MAX; k++)
      fill(x->slot[b][k], P + ROOM, 10 + b * BNN_SLOTS_MAX + k, 0.1, 1);
  }
  fill(x->g, P + ROOM, 50, -1, 1);
  fill(x->dspread, P + ROOM, 51, -1, 1);
}

/* The first n as a group of one tensor. */
typedef struct a_group {
  bnn_param param;
  bnn_layout layout;
  bnn_group q;
} a_group;

static const bnn_group *group_of(a_group *a, const a_step *s, numbers *x) {
  a->param = (bnn_param){0, s->n};
  a->layout = (bnn_layout){.n_params = 1, .size = s->n, .param = &a->param};
  a->q = (bnn_group){.family = s->family, .layout = &a->layout, .end = s->n};
  for (int b = 0; b < s->family->n_buffers; b++) a->q.buffer[b] = x->buffer[b];
  return &a->q;
}

static void draw(const a_step *s, numbers *x) {
  bnn_context *context = NULL;
  a_group a;
  ck_succeeds(bnn_context_new(&context, 1, &err));
  fill(x->theta, P + ROOM, 60, -2, 2);
  const bnn_group *q = group_of(&a, s, x);
  if (s->spread)
    s->spread->draw(q, context, x->spread, DRAW);
  else
    q->family->sample(q, context, x->theta, DRAW, 1);
  bnn_context_free(context);
}

static bool in_one_pass(const a_step *s, numbers *x) {
  bnn_fused_span span = {
      .g = x->g, .theta = x->theta, .weight = s->weight, .precision = s->precision, .n = s->n};
  if (s->spread) {
    span.dspread = x->dspread;
    span.spread = x->spread;
    span.slope = s->spread->slope;
  }
  for (int b = 0; b < s->family->n_buffers; b++) {
    span.buffer[b] = x->buffer[b];
    for (int k = 0; k < bnn_rule_slots(s->rule); k++) span.slot[b][k] = x->slot[b][k];
  }
  return bnn_fused_find(s->family, s->rule)->update(&s->info, &span);
}

/* The same by the plain stages, whatever the gradients are; returns whether all were finite. */
static bool by_stages(const a_step *s, numbers *x) {
  static bnn_real d[BNN_BUFFERS_MAX][P];
  bnn_real *at[BNN_BUFFERS_MAX];
  a_group a;
  const bnn_group *q = group_of(&a, s, x);
  const bnn_span span = {0, 0, s->n};
  memset(d, 0, sizeof d);
  for (int b = 0; b < BNN_BUFFERS_MAX; b++) at[b] = d[b];
  if (s->spread)
    s->spread->backward(q, span, x->g, x->dspread, x->spread, at);
  else
    s->family->backward(q, span, DRAW, x->g, x->theta, at);
  if (s->precision > 0)
    s->family->kl_backward(q, span, s->weight, s->precision, at);
  else
    s->family->entropy_backward(q, span, -s->weight, at);
  bool finite = true;
  bnn_update_span u[BNN_BUFFERS_MAX];
  for (int b = 0; b < s->family->n_buffers; b++) {
    for (size_t i = 0; i < s->n; i++) finite = finite && isfinite(d[b][i]);
    u[b] = (bnn_update_span){.w = x->buffer[b],
                             .g = d[b],
                             .n = s->n,
                             .buffer = b,
                             .decayed = s->family->buffer[b].decayed};
    for (int k = 0; k < bnn_rule_slots(s->rule); k++) u[b].slot[k] = x->slot[b][k];
  }
  bnn_rule_update(s->rule, &s->info, u, s->family->n_buffers);
  return finite;
}

/* Gradients of size 10 or less, off by a few roundings, then an update that is smooth in them for such
 * state: some tens of roundings of the result. */
static bool is_close(bnn_real x, bnn_real y) {
  return fabs((double)x - (double)y) <= 64 * (double)BNN_REAL_EPSILON * (1 + fabs((double)y));
}

/* Calls see(a number of x, the same of y, its element) for all that a step changes. */
typedef void see_number(const bnn_real *x, const bnn_real *y, size_t i, const a_step *s);

static void see_all(const numbers *x, const numbers *y, const a_step *s, see_number *see) {
  for (int b = 0; b < BNN_BUFFERS_MAX; b++)
    for (size_t i = 0; i < P + ROOM; i++) {
      see(&x->buffer[b][i], &y->buffer[b][i], i, s);
      for (int k = 0; k < BNN_SLOTS_MAX; k++) see(&x->slot[b][k][i], &y->slot[b][k][i], i, s);
    }
}

static void see_close(const bnn_real *x, const bnn_real *y, size_t i, const a_step *s) {
  if (i < s->n ? is_close(*x, *y) : *x == *y) return;
  ck_abort_msg("%s and %s: element %zu of %zu is %.9g, wanted %.9g (%s)", s->family->name,
               s->rule->name, i, s->n, (double)*x, (double)*y, bnn_isa_get()->name);
}

/* ---- the table ---- */

START_TEST(every_instruction_set_has_the_same_passes) {
  size_t found[8] = {0}, sets = 0;
  EACH_PASS(pass, family, rule) {
    ck_assert_str_eq(pass->family, family->name);
    ck_assert_str_eq(pass->rule, rule->name);
    ck_assert_ptr_eq(family, bnn_family_find(pass->family)); /* of this instruction set */
    found[bnn_isa_get()->set]++;
  }
  size_t rows = 0;
#define X(family, rule) rows++;
#include "fused/fused.def"
#undef X
  ck_assert_uint_ge(rows, 1);
  EACH_ISA {
    ck_assert_uint_eq(found[bnn_isa_get()->set], rows); /* each has its family and rule */
    sets++;
  }
  ck_assert_uint_ge(sets, 1);
}
END_TEST

START_TEST(where_there_is_no_pass_none_is_found) {
  const bnn_family family = {.name = "meanfiel"};
  const bnn_rule rule = {.name = "adamw"};
  EACH_ISA {
    ck_assert_ptr_null(bnn_fused_find(&family, bnn_rule_find("adam")));
    ck_assert_ptr_null(bnn_fused_find(bnn_family_find("meanfield"), &rule));
  }
}
END_TEST

/* ---- a pass and its stages ---- */

static numbers x, want, before;

static void ck_pass_is_its_stages(const a_step *s) {
  fill_numbers(&x);
  draw(s, &x);
  memcpy(&want, &x, sizeof x);
  memcpy(&before, &x, sizeof x);
  ck_holds(in_one_pass(s, &x));
  ck_holds(by_stages(s, &want));
  see_all(&x, &want, s, see_close);
  ck_holds(same_bits(x.g, before.g, P + ROOM) && same_bits(x.theta, before.theta, P + ROOM));
  /* nearly all of it changed: so what is close is not what nothing was done to */
  for (int b = 0; b < s->family->n_buffers; b++) {
    size_t same = 0;
    for (size_t i = 0; i < s->n; i++) same += x.buffer[b][i] == before.buffer[b][i];
    ck_holds(same * 50 <= s->n);
  }
}

/* Every length of what is left over behind whole vectors, and behind chunks. */
START_TEST(a_pass_gives_what_its_stages_give) {
  EACH_PASS(pass, family, rule) for (int set = 0; set < SETS; set++) {
    a_step s;
    begin(&s, family, rule, set);
    for (s.n = 0; s.n <= 40; s.n++) ck_pass_is_its_stages(&s);
    for (s.n = P - 17; s.n <= P; s.n++) ck_pass_is_its_stages(&s);
  }
}
END_TEST

START_TEST(a_precision_of_0_means_the_entropy_alone) {
  EACH_PASS(pass, family, rule) for (int set = 0; set < SETS; set++) {
    a_step s;
    begin(&s, family, rule, set);
    s.precision = 0;
    for (s.n = 0; s.n <= 40; s.n++) ck_pass_is_its_stages(&s);
    s.n = P;
    ck_pass_is_its_stages(&s);
  }
}
END_TEST

START_TEST(a_weight_of_0_leaves_the_gradient_alone) {
  EACH_PASS(pass, family, rule) {
    a_step s;
    begin(&s, family, rule, DEFAULTS);
    s.weight = 0;
    ck_pass_is_its_stages(&s);
  }
}
END_TEST

START_TEST(a_pass_takes_spreads) {
  EACH_PASS(pass, family, rule) for (int kind = 0; kind < 2; kind++) {
    a_step s;
    begin(&s, family, rule, DEFAULTS);
    s.spread = kind ? &family->deviations : &family->moments;
    if (!s.spread->draw) continue;
    ck_holds(s.spread->slope > 0);
    for (s.n = 0; s.n <= 40; s.n++) ck_pass_is_its_stages(&s);
    for (s.n = P - 17; s.n <= P; s.n++) ck_pass_is_its_stages(&s);
    s.precision = 0;
    s.n = P;
    ck_pass_is_its_stages(&s);
  }
}
END_TEST

/* ---- what is not finite ---- */

/* What is wrong with the element: its gradient, the sample, the gradient's size, or a buffer. */
enum {
  G_NAN,
  G_INFINITE,
  THETA_INFINITE,
  G_LARGE,
  BUFFER_NAN,
  FAULTS = BUFFER_NAN + BNN_BUFFERS_MAX
};

static void spoil(numbers *n, size_t at, int fault) {
  const bnn_real most = -BNN_REAL_LOWEST;
  if (fault == G_NAN) n->g[at] = (bnn_real)NAN;
  if (fault == G_INFINITE) n->g[at] = (bnn_real)-INFINITY;
  if (fault == THETA_INFINITE) n->theta[at] = (bnn_real)INFINITY;
  if (fault == G_LARGE) n->g[at] = most, n->theta[at] = n->buffer[0][at] + 9;
  if (fault >= BUFFER_NAN) n->buffer[fault - BUFFER_NAN][at] = (bnn_real)NAN;
}

static size_t spoiled;

/* Element `spoiled` is as it was; the others are what the stages give, or near it that. */
static void see_careful(const bnn_real *found, const bnn_real *was, size_t i, const a_step *s) {
  const size_t offset = (size_t)((const char *)was - (const char *)&before);
  const bnn_real *updated = (const bnn_real *)(const void *)((const char *)&want + offset);
  const bool near = i < spoiled + 1024 && spoiled < i + 1024;
  const bool same = (near || i >= s->n) && memcmp(found, was, sizeof *found) == 0;
  if (same || (i != spoiled && i < s->n && isfinite(*found) && is_close(*found, *updated))) return;
  ck_abort_msg("%s and %s: element %zu is %.9g, was %.9g; not finite is element %zu (%s)",
               s->family->name, s->rule->name, i, (double)*found, (double)*was, spoiled,
               bnn_isa_get()->name);
}

static void ck_fault(const a_step *s, size_t at, int fault) {
  fill_numbers(&x);
  if (fault >= BUFFER_NAN) spoil(&x, at, fault); /* the sample has it too */
  draw(s, &x);
  spoil(&x, at, fault);
  memcpy(&want, &x, sizeof x);
  memcpy(&before, &x, sizeof x);
  spoiled = at;
  const bool finite = by_stages(s, &want);
  ck_holds(in_one_pass(s, &x) == finite);
  if (finite)
    see_all(&x, &want, s, see_close); /* it may not matter to the family */
  else
    see_all(&x, &before, s, see_careful);
}

/* In a vector, in the last chunk and in the rest of it. */
START_TEST(an_element_whose_gradient_is_not_finite_stays_as_it_is) {
  static const size_t at[] = {0, 5, 300, P - 20, P - 1};
  EACH_PASS(pass, family, rule)
  for (size_t k = 0; k < sizeof at / sizeof *at; k++)
    for (int fault = 0; fault < FAULTS; fault++) {
      if (fault >= BUFFER_NAN + family->n_buffers) continue;
      for (int precision = 0; precision <= 2; precision += 2) {
        a_step s;
        begin(&s, family, rule, DEFAULTS);
        s.precision = (bnn_real)precision;
        ck_fault(&s, at[k], fault);
      }
    }
}
END_TEST

/* A fault that no family can miss, so that the test above is of something. */
START_TEST(a_gradient_that_is_nan_is_reported) {
  EACH_PASS(pass, family, rule) for (size_t n = 1; n <= 40; n++) for (size_t at = 0; at < n; at++) {
    a_step s;
    begin(&s, family, rule, DEFAULTS);
    s.n = n;
    fill_numbers(&x);
    draw(&s, &x);
    x.g[at] = (bnn_real)NAN;
    ck_holds(!in_one_pass(&s, &x));
    for (int b = 0; b < family->n_buffers; b++)
      for (size_t i = 0; i < n; i++) ck_holds(isfinite(x.buffer[b][i]));
    x.g[at] = 1;
    x.g[n] = (bnn_real)NAN; /* behind the end */
    ck_holds(in_one_pass(&s, &x));
  }
}
END_TEST

START_TEST(a_gradient_of_a_spread_that_is_nan_is_reported) {
  EACH_PASS(pass, family, rule) for (size_t n = 1; n <= 40; n++) {
    a_step s;
    begin(&s, family, rule, DEFAULTS);
    s.n = n;
    s.spread = &family->moments;
    if (!s.spread->draw) continue;
    fill_numbers(&x);
    draw(&s, &x);
    x.dspread[n - 1] = (bnn_real)NAN;
    ck_holds(!in_one_pass(&s, &x));
    for (int b = 0; b < family->n_buffers; b++) ck_holds(isfinite(x.buffer[b][n - 1]));
  }
}
END_TEST

/* Kernels that take subnormal numbers for 0 meanwhile leave the processor as they found it, however
 * many elements there are and whether all are finite. */
START_TEST(passes_leave_subnormal_numbers_to_others) {
  static const size_t size[] = {0, 1, 16, 17, P};
  EACH_PASS(pass, family, rule) for (int k = 0; k < 10; k++) {
    a_step s;
    begin(&s, family, rule, DEFAULTS);
    s.n = size[k / 2];
    fill_numbers(&x);
    draw(&s, &x);
    if (k % 2) x.g[0] = (bnn_real)NAN;
    ck_holds(in_one_pass(&s, &x) == (s.n == 0 || k % 2 == 0));
    ck_holds(has_subnormals());
  }
}
END_TEST

/* ---- meanfield and adam ---- */

/* e^logvar is infinite there and the deviation is not: the prior, which has e^logvar, is not part of
 * it. */
START_TEST(without_a_prior_the_pass_of_meanfield_bears_any_logvar) {
  EACH_ISA for (int k = 0; k < 2; k++) {
    const double most = log(-(double)BNN_REAL_LOWEST);
    a_step s;
    begin(&s, bnn_family_find("meanfield"), bnn_rule_find("adam"), DEFAULTS);
    s.precision = 0;
    fill_numbers(&x);
    x.buffer[1][7] = (bnn_real)(k ? most + 11 : -2000);
    draw(&s, &x);
    x.g[7] *= (bnn_real)exp(-most / 2); /* so that no square overflows in the update */
    memcpy(&want, &x, sizeof x);
    ck_holds(by_stages(&s, &want));
    ck_holds(in_one_pass(&s, &x));
    see_all(&x, &want, &s, see_close);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, every_instruction_set_has_the_same_passes);
  tcase_add_test(tests, where_there_is_no_pass_none_is_found);
  tcase_add_test(tests, a_pass_gives_what_its_stages_give);
  tcase_add_test(tests, a_precision_of_0_means_the_entropy_alone);
  tcase_add_test(tests, a_pass_takes_spreads);
  tcase_add_test(tests, a_gradient_of_a_spread_that_is_nan_is_reported);
  tcase_add_test(tests, a_weight_of_0_leaves_the_gradient_alone);
  tcase_add_test(tests, an_element_whose_gradient_is_not_finite_stays_as_it_is);
  tcase_add_test(tests, a_gradient_that_is_nan_is_reported);
  tcase_add_test(tests, passes_leave_subnormal_numbers_to_others);
  tcase_add_test(tests, without_a_prior_the_pass_of_meanfield_bears_any_logvar);
}

int main(void) { return run_suite("fused", add_tests); }
