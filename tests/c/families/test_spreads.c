/* test_spreads.c - spreads of every family that has some (families/family.h), on every instruction set
 * at hand: variances against the family's std, deviations against its draws, and
 * their gradients against that of a draw made of them. */
#include <math.h>
#include <string.h>

#include "families/family.h"
#include "support_numbers.h"

static const bnn_draw DRAW = {.key = {0x0123456789abcdef}};

enum { FIRST = 5, MOST = 8300, ROOM = 3 };

/* A group over two tensors behind a first one that is not its own. */
typedef struct a_group {
  bnn_param param[3];
  bnn_layout layout;
  bnn_group q;
} a_group;

static bnn_real value[BNN_BUFFERS_MAX][MOST];

static const bnn_group *group_of(a_group *a, const bnn_family *family, size_t n) {
  const size_t middle = n < 700 ? n : 700;
  a->param[0] = (bnn_param){0, FIRST};
  a->param[1] = (bnn_param){FIRST, middle};
  a->param[2] = (bnn_param){FIRST + middle, n - middle};
  a->layout = (bnn_layout){.n_params = 3, .size = FIRST + n, .param = a->param};
  a->q = (bnn_group){.family = family, .layout = &a->layout, .first = FIRST, .end = FIRST + n};
  for (int b = 0; b < family->n_buffers; b++) {
    fill(value[b], MOST, 10 + b, b == 0 ? -2 : -4, b == 0 ? 2 : 1);
    a->q.buffer[b] = value[b];
  }
  return &a->q;
}

/* Every spread of every family: its moments, or its deviations. */
// clang-format off
#define EACH_SPREAD(family, spread, is_moments)                                                \
  EACH_ISA                                                                                     \
    for (size_t row_ = 0; bnn_family_row(row_); row_++)                                        \
      for (const bnn_family *family = bnn_family_row(row_); family; family = NULL)             \
        for (int is_moments = 0; is_moments < 2; is_moments++)                                 \
          for (const bnn_spread *spread = is_moments ? &family->moments : &family->deviations; \
               spread && spread->draw; spread = NULL)
// clang-format on

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

/* What is drawn, with room behind it that is -99. */
static bnn_real drawn[FIRST + MOST + ROOM];

static void draw(const bnn_spread *spread, const bnn_group *q, int threads) {
  bnn_context *context = context_of(threads);
  for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) drawn[i] = -99;
  spread->draw(q, context, drawn, DRAW);
  bnn_context_free(context);
}

/* The weights of the key. */
static void draw_weights(const bnn_group *q, bnn_real *w) {
  bnn_context *context = context_of(1);
  q->family->sample(q, context, w, DRAW, 1);
  bnn_context_free(context);
}

START_TEST(at_least_meanfield_has_both_and_radial_deviations) {
  EACH_ISA {
    ck_assert(bnn_family_find("meanfield")->moments.draw != NULL);
    ck_assert(bnn_family_find("meanfield")->deviations.draw != NULL);
    ck_assert(bnn_family_find("radial")->deviations.draw != NULL);
    ck_assert(bnn_family_find("radial")->moments.draw == NULL);
    ck_assert(bnn_family_find("point")->deviations.draw == NULL);
  }
}
END_TEST

/* Only where the group's elements lie, and the same bits on any number of threads. */
START_TEST(spreads_lie_where_the_weights_do) {
  static const size_t size[] = {0, 1, 31, 1024, 4097, MOST};
  static bnn_real one[FIRST + MOST + ROOM];
  EACH_SPREAD(family, spread, is_moments) for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
    a_group a;
    const bnn_group *q = group_of(&a, family, size[k]);
    const size_t n = a.layout.size;
    draw(spread, q, 1);
    memcpy(one, drawn, sizeof one);
    for (size_t i = 0; i < FIRST; i++) ck_holds(drawn[i] == -99);
    for (size_t i = 0; i < ROOM; i++) ck_holds(drawn[n + i] == -99);
    draw(spread, q, 3);
    ck_holds(same_bits(one, drawn, n));
  }
}
END_TEST

/* Of a mean of size 2 a draw less the mean has a rounding of 2 more than the deviation. */
START_TEST(moments_are_variances_and_deviations_those_of_the_draw) {
  static bnn_real other[FIRST + MOST];
  EACH_SPREAD(family, spread, is_moments) {
    a_group a;
    const bnn_group *q = group_of(&a, family, MOST);
    draw(spread, q, 1);
    if (is_moments)
      family->std(q, other);
    else
      draw_weights(q, other);
    for (size_t i = FIRST; i < FIRST + MOST; i++) {
      const double mean = (double)value[0][i - FIRST], w = (double)other[i];
      const double s = (double)drawn[i], tolerance = 8 * (double)BNN_REAL_EPSILON;
      if (is_moments)
        ck_near(s, w * w, tolerance * w * w, family->name, i);
      else
        ck_near(s, w - mean, tolerance * (1 + fabs(w)), family->name, i);
    }
  }
}
END_TEST

/* The gradient g at a draw w = mean + deviation is that of both; of mean and variance it is g, and g
 * (w - mean) / (2 variance), as w = mean + sqrt(variance) noise.  Gradients are added to d. */
START_TEST(gradients_are_those_of_a_draw) {
  static bnn_real g[FIRST + MOST], dspread[FIRST + MOST], w[FIRST + MOST];
  static bnn_real found[BNN_BUFFERS_MAX][MOST], want[BNN_BUFFERS_MAX][MOST];
  fill(g, FIRST + MOST, 1, -1, 1);
  EACH_SPREAD(family, spread, is_moments) {
    a_group a;
    const bnn_group *q = group_of(&a, family, MOST);
    const bnn_span span = {1, FIRST, MOST};
    bnn_real *d[BNN_BUFFERS_MAX], *of_draw[BNN_BUFFERS_MAX];
    draw(spread, q, 1);
    draw_weights(q, w);
    const bnn_real *spreads = drawn, *mu = value[0];
    for (size_t i = FIRST; i < FIRST + MOST; i++)
      dspread[i] = is_moments ? g[i] * (w[i] - mu[i - FIRST]) / (2 * spreads[i]) : g[i];
    for (int b = 0; b < family->n_buffers; b++) {
      fill(found[b], MOST, b, -1, 1);
      memcpy(want[b], found[b], sizeof want[b]);
      d[b] = found[b], of_draw[b] = want[b];
    }
    spread->backward(q, span, g + FIRST, dspread + FIRST, spreads + FIRST, d);
    family->backward(q, span, DRAW, g + FIRST, w + FIRST, of_draw);
    for (int b = 0; b < family->n_buffers; b++)
      for (size_t i = 0; i < MOST; i++)
        ck_near((double)found[b][i], (double)want[b][i], 16 * (double)BNN_REAL_EPSILON,
                family->name, i);
    for (size_t i = FIRST; i < FIRST + MOST; i++) {
      const double slope = (double)spread->slope * (double)spreads[i] * (double)dspread[i];
      bnn_real none = 0, only[2] = {0}, *at[] = {&only[0], &only[1]};
      if (spread->slope == 0) continue;
      spread->backward(q, (bnn_span){1, i, 1}, &none, dspread + i, spreads + i, at);
      ck_holds(only[0] == 0);
      ck_near((double)only[1], slope, 4 * (double)BNN_REAL_EPSILON * fabs(slope), "slope", i);
    }
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, at_least_meanfield_has_both_and_radial_deviations);
  tcase_add_test(tests, spreads_lie_where_the_weights_do);
  tcase_add_test(tests, moments_are_variances_and_deviations_those_of_the_draw);
  tcase_add_test(tests, gradients_are_those_of_a_draw);
}

int main(void) { return run_suite("spreads", add_tests); }
