/* test_families.c - every row of the table of families by what family.h asks of it, on every
 * instruction set at hand; then the mean-field family against its formulas in double. */
#include "families/family.h"

#include <math.h>
#include <string.h>

#include "kernels/rng.h"
#include "support_numbers.h"

static const bnn_key KEY = {0x0123456789abcdef};
static const bnn_draw DRAW = {.key = {0x0123456789abcdef}};

/* Every family of every instruction set. */
// clang-format off
#define EACH_FAMILY(family)                                                                   \
  EACH_ISA                                                                                    \
    for (size_t row_ = 0; bnn_family_row(row_); row_++)                                       \
      for (const bnn_family *family = bnn_family_row(row_); family; family = NULL)
// clang-format on

/* Some tensors, an empty one among them. */
static bnn_param param[] = {{0, 37}, {37, 0}, {37, 101}, {138, 1}, {139, 64}};
enum { TENSORS = sizeof param / sizeof *param, N = 203 };
static const bnn_layout layout = {.n_params = TENSORS, .size = N, .param = param};

/* Numbers for each element of the layout, and room behind them that nothing may be written to. */
enum { ROOM = 3 };
typedef bnn_real buffers[BNN_BUFFERS_MAX][N + ROOM];

/* One where a buffer has rows, as then all have the layout's own size. */
static size_t rows_of(const bnn_family *family) {
  size_t rows = 0;
  for (int b = 0; b < family->n_buffers; b++) rows += family->buffer[b].has_rows;
  return rows;
}

/* A group over elements [first, end) of the layout, whose buffers are these there. */
static bnn_group group_of(const bnn_family *family, size_t first, size_t end, buffers value) {
  static double scratch[64]; /* what a family of one row prepares */
  bnn_group q = {
      .family = family, .layout = &layout, .first = first, .end = end, .rows = rows_of(family)};
  for (int b = 0; b < family->n_buffers; b++) q.buffer[b] = value[b] + first;
  q.scratch = scratch;
  if (family->prepare) ck_assert_uint_le(family->scratch(&q), 64);
  return q;
}

/* Before gradients of the KL or entropy of these buffers. */
static void prepare(const bnn_group *q) {
  if (!q->family->prepare) return;
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, 1, &err));
  q->family->prepare(q, context);
  bnn_context_free(context);
}

/* Of the size that means and log-scales have. */
static void fill_buffers(buffers value) {
  for (int b = 0; b < BNN_BUFFERS_MAX; b++)
    fill(value[b], N + ROOM, 10 + b, b == 0 ? -2 : -4, b == 0 ? 2 : 1);
}

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

/* A sample of the group, where its elements lie in theta. */
static void draw(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_key key) {
  q->family->sample(q, context, theta, (bnn_draw){.key = key}, 1);
}

static void draw_alone(const bnn_group *q, bnn_real *theta) {
  bnn_context *context = context_of(1);
  draw(q, context, theta, KEY);
  bnn_context_free(context);
}

/* Whether the key decides what is drawn. */
static bool draws(const bnn_group *q) { return !q->family->is_point && !q->family->is_finite; }

/* ---- gradients: from theta, of the KL, of the entropy ---- */

enum { BACKWARD, KL, ENTROPY, PARTS };
static const double weight = 0.3, prior_std = 0.8;

static bool has_part(const bnn_family *family, int part) {
  return part == BACKWARD ? family->backward != NULL
         : part == KL     ? family->kl_backward != NULL
                          : family->entropy_backward != NULL;
}

/* Adds a part of the gradients of a span to d, where the layout has it.  g and theta too are numbers
 * for each element of the layout. */
static void add_part(const bnn_group *q, int part, bnn_span span, const bnn_real *g,
                     const bnn_real *theta, buffers d) {
  const bnn_family *family = q->family;
  bnn_real *at[BNN_BUFFERS_MAX];
  for (int b = 0; b < BNN_BUFFERS_MAX; b++) at[b] = d[b] + span.first;
  if (part != BACKWARD) prepare(q);
  if (part == BACKWARD) family->backward(q, span, DRAW, g + span.first, theta + span.first, at);
  if (part == KL)
    family->kl_backward(q, span, (bnn_real)weight, (bnn_real)(1 / (prior_std * prior_std)), at);
  if (part == ENTROPY) family->entropy_backward(q, span, (bnn_real)weight, at);
}

static bnn_span span_of(size_t t) { return (bnn_span){t, param[t].offset, param[t].size}; }

static void add_all(const bnn_group *q, int part, const bnn_real *g, const bnn_real *theta,
                    buffers d) {
  for (size_t t = 0; t < TENSORS; t++)
    if (param[t].offset >= q->first && param[t].offset + param[t].size <= q->end)
      add_part(q, part, span_of(t), g, theta, d);
}

/* ---- the table ---- */

START_TEST(every_row_is_found_by_its_name_on_every_instruction_set) {
  const bnn_family *last[16] = {NULL};
  EACH_ISA {
    size_t n = 0;
    for (const bnn_family *family; (family = bnn_family_row(n)); n++) {
      ck_assert_ptr_eq(bnn_family_find(family->name), family);
      ck_assert_uint_lt(n, 16);
      ck_assert_ptr_ne(family, last[n]); /* compiled for this one */
      if (last[n]) ck_assert_str_eq(family->name, last[n]->name);
      last[n] = family;
    }
    ck_assert_uint_ge(n, 2);
    ck_assert_ptr_null(bnn_family_row(n + 1));
    ck_assert_ptr_null(bnn_family_find(""));
    ck_assert_ptr_null(bnn_family_find("meanfields"));
  }
}
END_TEST

START_TEST(every_row_has_what_belongs_together) {
  EACH_FAMILY(family) {
    ck_assert_ptr_nonnull(strstr(family->doc, family->name));
    ck_assert(family->n_buffers >= 1 && family->n_buffers <= BNN_BUFFERS_MAX);
    ck_assert((family->prepare == NULL) == (family->scratch == NULL));
    for (int b = 0; b < family->n_buffers; b++) {
      ck_assert(!family->buffer[b].has_rows || b == family->n_buffers - 1);
      ck_assert(family->buffer[b].name[0] && family->buffer[b].doc[0]);
      for (int k = 0; k < b; k++) ck_assert_str_ne(family->buffer[b].name, family->buffer[k].name);
    }
    ck_assert(family->sample != NULL);
    ck_assert(!family->backward || (family->kl == NULL) == (family->kl_backward == NULL));
    ck_assert(!family->backward || (family->entropy == NULL) == (family->entropy_backward == NULL));
    ck_assert(!family->is_point || (family->n_buffers == 1 && !family->entropy));
  }
}
END_TEST

/* ---- samples ---- */

/* Within 4 standard errors, which the samples tell; every sample of a point. */
START_TEST(the_mean_is_that_of_samples) {
  enum { SAMPLES = 4000 };
  static buffers value;
  fill_buffers(value);
  bnn_context *context = context_of(1);
  EACH_FAMILY(family) {
    const bnn_group q = group_of(family, 138, N, value);
    static double sum[N], squares[N];
    bnn_real theta[N + ROOM], center[N + ROOM];
    memcpy(center, value[0], sizeof center);
    if (family->mean) family->mean(&q, center);
    for (size_t i = 0; i < N; i++) sum[i] = squares[i] = 0;
    for (int k = 0; k < SAMPLES; k++) {
      draw(&q, context, theta, bnn_key_fold(KEY, k));
      for (size_t i = q.first; i < N; i++) {
        const double d = (double)theta[i] - (double)center[i];
        sum[i] += d, squares[i] += d * d;
      }
    }
    for (size_t i = q.first; i < N; i++) {
      const double mean = sum[i] / SAMPLES;
      const double sigma = sqrt(squares[i] / SAMPLES - mean * mean);
      ck_near(mean, 0, 4 * sigma / sqrt(SAMPLES), "mean", i);
      ck_holds((sigma == 0) == !draws(&q));
    }
  }
  bnn_context_free(context);
}
END_TEST

/* Sizes around the pieces that a sample is made in, in a group that begins anywhere. */
START_TEST(a_sample_has_the_same_bits_on_any_number_of_threads) {
  static const size_t size[] = {0, 1, 31, 1024, 4095, 4096, 4097, 8193, 12300};
  enum { MOST = 12300, FIRST = 5 };
  static bnn_real value[BNN_BUFFERS_MAX][MOST], more[FIRST + MOST + ROOM];
  static bnn_real one[sizeof size / sizeof *size][FIRST + MOST];
  for (int b = 0; b < BNN_BUFFERS_MAX; b++) fill(value[b], MOST, b, -2, 1);
  bnn_context *context = context_of(1);
  EACH_FAMILY(family) for (int threads = 1; threads <= 3; threads++) {
    ck_succeeds(bnn_context_set_threads(context, threads, &err));
    for (size_t k = sizeof size / sizeof *size; k-- > 0;) {
      bnn_param two[] = {{0, FIRST}, {FIRST, size[k]}};
      const bnn_layout all = {.n_params = 2, .size = FIRST + size[k], .param = two};
      bnn_group q = {.family = family, .layout = &all, .first = FIRST, .end = all.size};
      q.rows = rows_of(family);
      for (int b = 0; b < family->n_buffers; b++) q.buffer[b] = value[b];
      for (size_t i = 0; i < FIRST + MOST + ROOM; i++) more[i] = -99;
      draw(&q, context, more, KEY);
      for (size_t i = 0; i < FIRST; i++) ck_holds(more[i] == -99);
      for (size_t i = all.size; i < FIRST + MOST + ROOM; i++) ck_holds(more[i] == -99);
      if (threads == 1) memcpy(one[k], more, sizeof one[k]);
      ck_holds(same_bits(more + FIRST, one[k] + FIRST, size[k]));
    }
  }
  bnn_context_free(context);
}
END_TEST

/* Of radial noise u = (theta - mu) / sigma: it lies along the normals of the key, and its length is
 * |normal 0 of key:fold(t)|, of each tensor t by itself. */
START_TEST(radial_noise_has_even_directions_and_one_length_for_each_tensor) {
  static buffers value;
  static bnn_real theta[N], eps[N], r;
  fill_buffers(value);
  EACH_ISA {
    const bnn_group q = group_of(bnn_family_find("radial"), 0, N, value);
    draw_alone(&q, theta);
    bnn_rng_normal(eps, KEY, 0, N);
    for (size_t t = 0; t < TENSORS; t++) {
      double dot = 0, squares = 0, length = 0, size = 0;
      for (size_t i = param[t].offset; i < param[t].offset + param[t].size; i++) {
        const double u = ((double)theta[i] - (double)value[0][i]) / exp((double)value[1][i] / 2);
        dot += u * (double)eps[i];
        squares += u * u;
        size += (double)eps[i] * (double)eps[i];
      }
      if (param[t].size == 0) continue;
      length = sqrt(squares);
      bnn_rng_normal(&r, bnn_key_fold(KEY, (int64_t)t + 1), 0, 1);
      /* a mean of size 2 beside a sigma of e^-2 or more and |u| of 1/16: some hundred roundings */
      ck_near(length, fabs((double)r), 2e3 * (double)BNN_REAL_EPSILON, "length", t);
      ck_near(fabs(dot), length * sqrt(size), 2e4 * (double)BNN_REAL_EPSILON, "direction", t);
    }
  }
}
END_TEST

/* In one dimension the noise is a Gaussian's, and so is the entropy; in two it is that of r in every
 * direction, whose density is exp(-r^2 / 2) / (r sqrt(2 pi^3)). */
START_TEST(radial_entropy_is_that_of_its_density) {
  bnn_real mu[2] = {3, 4}, logvar[2] = {0, 0};
  bnn_param of[] = {{0, 1}};
  const bnn_layout one = {.n_params = 1, .size = 1, .param = of};
  bnn_group q = {
      .family = bnn_family_find("radial"), .layout = &one, .end = 1, .buffer = {mu, logvar}};
  ck_near(q.family->entropy(&q, 0), log(2 * M_PI * M_E) / 2, 1e-14, "of one", 0);
  of[0].size = 2;
  q.end = 2;
  double want = 0; /* -E log density, r from 0 to 12 by the midpoint rule in log r */
  const double h = 1e-4;
  for (double x = -40 + h / 2; x < log(12.); x += h) {
    const double r = exp(x), p = sqrt(2 / M_PI) * exp(-r * r / 2);
    want += h * r * p * (r * r / 2 + x + log(2 * M_PI * M_PI * M_PI) / 2);
  }
  ck_near(q.family->entropy(&q, 0), want, 1e-6, "of two", 0);
}
END_TEST

/* Around a mean of 0 to the bit; around another, whose sum with what is drawn is rounded in both, to
 * two roundings of these.  The mirrored draw's gradient is that of its own sample. */
START_TEST(mirror_images_of_what_is_trained_lie_on_opposite_sides_of_the_mean) {
  static buffers value;
  bnn_context *context = context_of(1);
  const bnn_draw mirrored = {.key = KEY, .is_mirrored = true};
  EACH_FAMILY(family) for (int zero = 0; zero < 2; zero++) {
    bnn_real a[N], b[N];
    if (!family->backward) continue;
    fill_buffers(value);
    if (zero) memset(value[0], 0, sizeof value[0]);
    const bnn_group q = group_of(family, 0, N, value);
    family->sample(&q, context, a, DRAW, 1);
    family->sample(&q, context, b, mirrored, 2);
    for (size_t i = 0; i < N; i++) {
      const double far = fabs((double)a[i]) + fabs((double)b[i]);
      const double sum = (double)a[i] + (double)b[i] - 2 * (double)value[0][i];
      ck_near(sum, 0, zero ? 0 : 2 * (double)BNN_REAL_EPSILON * far, family->name, i);
      ck_holds((a[i] == b[i]) == !draws(&q) || value[0][i] == 0);
    }
  }
  bnn_context_free(context);
}
END_TEST

START_TEST(another_key_gives_another_sample) {
  static buffers value;
  fill_buffers(value);
  bnn_context *context = context_of(1);
  EACH_FAMILY(family) {
    const bnn_group q = group_of(family, 0, N, value);
    bnn_real a[N], b[N];
    draw(&q, context, a, KEY);
    draw(&q, context, b, bnn_key_fold(KEY, 1));
    for (size_t i = 0; i < N; i++) ck_holds((a[i] == b[i]) == !draws(&q));
  }
  bnn_context_free(context);
}
END_TEST

/* Sample s of a bank is its row s, and after the last the first again; its mean is that of the rows. */
START_TEST(a_bank_gives_its_rows_in_turn) {
  enum { ROWS = 3 };
  static bnn_real bank[ROWS * N];
  for (size_t i = 0; i < ROWS * N; i++) bank[i] = (bnn_real)i;
  EACH_ISA {
    const bnn_group q = {.family = bnn_family_find("empirical"),
                         .layout = &layout,
                         .end = N,
                         .rows = ROWS,
                         .buffer = {bank}};
    for (int64_t s = 1; s <= 2 * ROWS; s++) {
      bnn_real theta[N];
      q.family->sample(&q, NULL, theta, DRAW, s);
      ck_assert_mem_eq(theta, bank + (size_t)((s - 1) % ROWS) * N, sizeof theta);
    }
    bnn_real mean[N];
    q.family->mean(&q, mean);
    ck_assert_mem_eq(mean, bank + N, sizeof mean); /* whole numbers, evenly apart */
    ck_assert(q.family->backward == NULL);
  }
}
END_TEST

/* ---- groups ---- */

/* Two groups over the elements of one: the same elements have the same noise and the same gradients. */
START_TEST(groups_that_share_the_elements_give_what_one_gives) {
  static buffers value, d, parted;
  static bnn_real g[N], theta[N], again[N];
  fill_buffers(value);
  fill(g, N, 1, -1, 1);
  for (size_t t = 0; t <= TENSORS; t++) {
    const size_t middle = t < TENSORS ? param[t].offset : N;
    EACH_FAMILY(family) {
      const bnn_group whole = group_of(family, 0, N, value);
      const bnn_group part[] = {group_of(family, 0, middle, value),
                                group_of(family, middle, N, value)};
      draw_alone(&whole, theta);
      for (size_t i = 0; i < N; i++) again[i] = -99;
      for (int k = 0; k < 2; k++) draw_alone(&part[k], again);
      ck_holds(same_bits(theta, again, N));
      for (int p = 0; p < PARTS; p++) {
        if (!has_part(family, p)) continue;
        if (family->prepare && p != BACKWARD) continue; /* two groups are independent */
        memset(d, 0, sizeof d);
        memset(parted, 0, sizeof parted);
        add_all(&whole, p, g, theta, d);
        for (size_t k = 0; k < TENSORS; k++)
          add_part(&part[param[k].offset >= middle], p, span_of(k), g, theta, parted);
        ck_holds(memcmp(d, parted, sizeof d) == 0);
      }
    }
  }
}
END_TEST

/* The last tensor of the layout, and the same values as the only tensor of another. */
START_TEST(a_group_that_begins_elsewhere_gives_what_its_elements_give_at_0) {
  static buffers value;
  static bnn_real moved[BNN_BUFFERS_MAX][64], g[N], theta[N], grad[2][BNN_BUFFERS_MAX][64];
  bnn_param only = {0, 64};
  const bnn_layout alone = {.n_params = 1, .size = 64, .param = &only};
  fill_buffers(value);
  fill(g, N, 1, -1, 1);
  for (int b = 0; b < BNN_BUFFERS_MAX; b++) memcpy(moved[b], value[b] + 139, sizeof moved[b]);
  EACH_FAMILY(family) {
    if (family->prepare) continue; /* a tensor is not by itself */
    const bnn_group there = group_of(family, 138, N, value);
    bnn_group here = there;
    here.layout = &alone, here.first = 0, here.end = 64;
    for (int b = 0; b < family->n_buffers; b++) here.buffer[b] = moved[b];
    draw_alone(&there, theta);
    if (family->kl) ck_holds(family->kl(&there, 4, 0.7) == family->kl(&here, 0, 0.7));
    if (family->entropy) ck_holds(family->entropy(&there, 4) == family->entropy(&here, 0));
    memset(grad, 0, sizeof grad);
    bnn_real *d[2][BNN_BUFFERS_MAX];
    for (int k = 0; k < 2; k++)
      for (int b = 0; b < BNN_BUFFERS_MAX; b++) d[k][b] = grad[k][b];
    const bnn_span at[] = {{4, 139, 64}, {0, 0, 64}};
    for (int k = 0; k < 2; k++) {
      const bnn_group *q = k ? &here : &there;
      if (family->backward) family->backward(q, at[k], DRAW, g + 139, theta + 139, d[k]);
      if (family->kl_backward) family->kl_backward(q, at[k], 1, 2, d[k]);
      if (family->entropy_backward) family->entropy_backward(q, at[k], 1, d[k]);
    }
    ck_holds(memcmp(grad[0], grad[1], sizeof grad[0]) == 0);
  }
}
END_TEST

/* ---- gradients ---- */

/* What is there already may be rounded with what comes, once for each of a few terms. */
START_TEST(gradients_are_added_to_what_is_there) {
  static buffers value, d, alone, start;
  static bnn_real g[N], theta[N];
  fill_buffers(value);
  fill(g, N, 1, -1, 1);
  EACH_FAMILY(family) for (int p = 0; p < PARTS; p++) for (size_t t = 0; t < TENSORS; t++) {
    if (!has_part(family, p)) continue;
    const bnn_group q = group_of(family, 0, N, value);
    const bnn_span span = span_of(t);
    draw_alone(&q, theta);
    for (int b = 0; b < BNN_BUFFERS_MAX; b++) fill(start[b], N + ROOM, 30 + b, -1, 1);
    memcpy(d, start, sizeof d);
    memset(alone, 0, sizeof alone);
    add_part(&q, p, span, g, theta, d);
    add_part(&q, p, span, g, theta, alone);
    for (int b = 0; b < BNN_BUFFERS_MAX; b++)
      for (size_t i = 0; i < N + ROOM; i++) {
        const double x = (double)start[b][i], y = (double)alone[b][i];
        if (b < family->n_buffers && i >= span.first && i < span.first + span.count)
          ck_near((double)d[b][i], x + y, 4 * (double)BNN_REAL_EPSILON * (fabs(x) + fabs(y)), "d",
                  i);
        else
          ck_holds(d[b][i] == start[b][i] && y == 0); /* outside the span */
      }
  }
}
END_TEST

START_TEST(gradients_in_pieces_have_the_bits_of_those_in_one) {
  static buffers value, d, pieces;
  static bnn_real g[N], theta[N];
  fill_buffers(value);
  fill(g, N, 1, -1, 1);
  EACH_FAMILY(family) for (int p = 0; p < PARTS; p++) {
    if (!has_part(family, p)) continue;
    const bnn_group q = group_of(family, 0, N, value);
    draw_alone(&q, theta);
    memset(d, 0, sizeof d);
    memset(pieces, 0, sizeof pieces);
    add_all(&q, p, g, theta, d);
    for (size_t t = 0; t < TENSORS; t++)
      for (size_t from = 0, n; from < param[t].size; from += n) {
        n = 1 + from * 7 % 33;
        if (n > param[t].size - from) n = param[t].size - from;
        add_part(&q, p, (bnn_span){t, param[t].offset + from, n}, g, theta, pieces);
      }
    ck_holds(memcmp(d, pieces, sizeof d) == 0);
  }
}
END_TEST

#ifdef BNN_REAL_DOUBLE

/* What a part is the gradient of; of theta, the function sum_i g_i theta_i. */
static double value_of(const bnn_group *q, int part, const bnn_real *g, bnn_context *context) {
  bnn_real theta[N];
  double sum = 0;
  if (part == BACKWARD) {
    draw(q, context, theta, KEY);
    for (size_t i = 0; i < N; i++) sum += g[i] * theta[i];
  }
  for (size_t t = 0; part != BACKWARD && t < TENSORS; t++)
    sum += weight * (part == KL ? q->family->kl(q, t, prior_std) : q->family->entropy(q, t));
  return sum;
}

/* Step 1e-5: the difference quotient is off by h^2 / 6 times a third derivative, 1e-10, and by the
 * roundings of a sum of 203 terms below 30 over the step: 1e-16 * 6000 / 1e-5 at most. */
START_TEST(gradients_match_central_differences) {
  static buffers value, d;
  static bnn_real g[N], theta[N];
  const double step = 1e-5;
  bnn_context *context = context_of(1);
  fill_buffers(value);
  fill(g, N, 1, -1, 1);
  EACH_FAMILY(family) for (int p = 0; p < PARTS; p++) {
    if (!has_part(family, p)) continue;
    const bnn_group q = group_of(family, 0, N, value);
    draw(&q, context, theta, KEY);
    memset(d, 0, sizeof d);
    add_all(&q, p, g, theta, d);
    for (int b = 0; b < family->n_buffers; b++)
      for (size_t i = 0; i < N; i++) {
        const double x = value[b][i];
        value[b][i] = x + step;
        const double above = value_of(&q, p, g, context);
        value[b][i] = x - step;
        const double below = value_of(&q, p, g, context);
        value[b][i] = x;
        ck_near(d[b][i], (above - below) / (2 * step), 1e-7, family->buffer[b].name, i);
      }
  }
  bnn_context_free(context);
}
END_TEST

#endif

/* ---- edges ---- */

/* A sample, all gradients, KL and entropy at once; whether all are finite. */
static bool all_is_finite(const bnn_group *q, const bnn_real *g) {
  static bnn_real theta[N];
  static buffers d;
  const bnn_family *family = q->family;
  memset(d, 0, sizeof d);
  draw_alone(q, theta);
  for (int p = 0; p < PARTS; p++)
    if (has_part(family, p)) add_all(q, p, g, theta, d);
  bool finite = true;
  for (size_t i = 0; i < N; i++) finite = finite && isfinite(theta[i]);
  for (int b = 0; b < family->n_buffers; b++)
    for (size_t i = 0; i < N; i++) finite = finite && isfinite(d[b][i]);
  for (size_t t = 0; t < TENSORS; t++) {
    finite = finite && (!family->kl || isfinite(family->kl(q, t, prior_std)));
    finite = finite && (!family->entropy || isfinite(family->entropy(q, t)));
  }
  return finite;
}

/* From scales near 0 to those whose squares fill half the range of a float. */
START_TEST(finite_numbers_give_finite_ones) {
  static const double size[] = {0, 1, 20, 40};
  static buffers value;
  static bnn_real g[N];
  fill(g, N, 1, -100, 100);
  for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
    for (int b = 0; b < BNN_BUFFERS_MAX; b++) fill(value[b], N + ROOM, b, -size[k], size[k]);
    EACH_FAMILY(family) {
      const bnn_group q = group_of(family, 0, N, value);
      ck_holds(all_is_finite(&q, g) && has_subnormals());
    }
  }
}
END_TEST

/* In every buffer, whether in a vector or in the rest: it shows in its element of the sample and in its
 * tensor's KL, and in no other, but for those after it of a family that adds them up. */
START_TEST(nan_in_a_buffer_comes_out) {
  static buffers value;
  static bnn_real theta[N];
  fill_buffers(value);
  EACH_FAMILY(family) for (size_t at = 0; at < N; at += 17) {
    bool entropy_shows = false;
    for (int b = 0; b < family->n_buffers; b++) {
      const bnn_group q = group_of(family, 0, N, value);
      const bnn_real before = value[b][at];
      const size_t tensor = bnn_layout_tensor_at(&layout, at);
      value[b][at] = (bnn_real)NAN;
      draw_alone(&q, theta);
      for (size_t i = 0; i < N; i++) ck_holds(isnan(theta[i]) == (i == at));
      for (size_t t = 0; family->kl && t < TENSORS; t++)
        ck_holds(isnan(family->kl(&q, t, 1)) == (t == tensor) || (family->prepare && t > tensor));
      if (family->entropy) entropy_shows |= isnan(family->entropy(&q, tensor)) != 0;
      value[b][at] = before;
    }
    ck_holds(!family->entropy || entropy_shows); /* it may not depend on the mean */
  }
}
END_TEST

START_TEST(nan_in_the_gradient_of_an_element_comes_out_there) {
  static buffers value, d;
  static bnn_real g[N], theta[N];
  fill_buffers(value);
  EACH_FAMILY(family) for (size_t at = 0; at < N; at += 17) {
    if (!family->backward) continue;
    const bnn_group q = group_of(family, 0, N, value);
    draw_alone(&q, theta);
    fill(g, N, 1, -1, 1);
    memset(d, 0, sizeof d);
    g[at] = (bnn_real)NAN;
    add_all(&q, BACKWARD, g, theta, d);
    for (int b = 0; b < family->n_buffers; b++)
      for (size_t i = 0; i < N; i++) ck_holds(isnan(d[b][i]) == (i == at));
  }
}
END_TEST

START_TEST(of_nothing_nothing_is_written) {
  static buffers value, d;
  static bnn_real g[N], theta[N];
  fill_buffers(value);
  EACH_FAMILY(family) {
    const bnn_group q = group_of(family, 0, N, value), none = group_of(family, 37, 37, value);
    for (size_t i = 0; i < N; i++) theta[i] = 7;
    for (int b = 0; b < BNN_BUFFERS_MAX; b++) d[b][37] = 7;
    draw_alone(&none, theta);
    for (size_t i = 0; i < N; i++) ck_holds(theta[i] == 7);
    for (int p = 0; p < PARTS; p++)
      if (has_part(family, p)) add_part(&q, p, span_of(1), g, theta, d);
    for (int b = 0; b < BNN_BUFFERS_MAX; b++) ck_holds(d[b][37] == 7);
    ck_holds(!family->kl || family->kl(&q, 1, 2) == 0);
    ck_holds(!family->entropy || family->entropy(&q, 1) == 0);
  }
}
END_TEST

/* ---- meanfield ---- */

enum { MU, LOGVAR, P = 1003 }; /* P: several vectors and a rest */

/* One tensor of n weights behind `first` others, which are not the group's. */
typedef struct one_tensor {
  bnn_param param[2];
  bnn_layout layout;
  bnn_group q;
} one_tensor;

static const bnn_group *meanfield(one_tensor *x, size_t first, size_t n, bnn_real *mu,
                                  bnn_real *logvar) {
  x->param[0] = (bnn_param){0, first};
  x->param[1] = (bnn_param){first, n};
  x->layout = (bnn_layout){.n_params = 2, .size = first + n, .param = x->param};
  x->q = (bnn_group){.family = bnn_family_find("meanfield"),
                     .layout = &x->layout,
                     .first = first,
                     .end = first + n,
                     .buffer = {mu, logvar}};
  return &x->q;
}

static double meanfield_kl(size_t n, bnn_real *mu, bnn_real *logvar, double s) {
  one_tensor x;
  const bnn_group *q = meanfield(&x, 3, n, mu, logvar);
  return q->family->kl(q, 1, s);
}

START_TEST(a_sample_is_mu_plus_sigma_eps) {
  enum { FIRST = 77 };
  static bnn_real mu[P], logvar[P], eps[P], theta[FIRST + P];
  fill(mu, P, 1, -2, 2);
  fill(logvar, P, 2, -9, 2);
  EACH_ISA {
    one_tensor x;
    bnn_isa_get()->vec->normal(eps, KEY, FIRST, P);
    draw_alone(meanfield(&x, FIRST, P, mu, logvar), theta);
    for (size_t i = 0; i < P; i++) {
      double want = (double)mu[i] + exp((double)logvar[i] / 2) * (double)eps[i];
      ck_near((double)theta[FIRST + i], want, 4 * (double)BNN_REAL_EPSILON * (2 + fabs(want)),
              "theta", i);
    }
  }
}
END_TEST

START_TEST(a_logvar_of_minus_infinity_samples_the_mean) {
  EACH_ISA {
    bnn_real mu[2] = {1, -3}, logvar[2] = {(bnn_real)-INFINITY, -2000}, theta[2];
    one_tensor x;
    draw_alone(meanfield(&x, 0, 2, mu, logvar), theta);
    ck_holds(theta[0] == 1 && theta[1] == -3);
  }
}
END_TEST

/* dmu += g,  dlogvar += g (theta - mu) / 2; and a NaN in theta shows in the second. */
START_TEST(backward_is_what_it_says) {
  static bnn_real mu[P], logvar[P], g[P], theta[P], dmu[P], dlogvar[P], g0[P], h0[P];
  fill(mu, P, 3, -1, 1);
  fill(logvar, P, 6, -9, 2);
  fill(g, P, 1, -1, 1);
  fill(g0, P, 4, -1, 1);
  fill(h0, P, 5, -1, 1);
  EACH_ISA for (size_t at = 5; at < P; at += P - 7) {
    one_tensor x;
    const bnn_group *q = meanfield(&x, 5, P, mu, logvar);
    memcpy(dmu, g0, sizeof dmu);
    memcpy(dlogvar, h0, sizeof dlogvar);
    fill(theta, P, 2, -1, 1);
    theta[at] = (bnn_real)NAN;
    q->family->backward(q, (bnn_span){1, 5, P}, DRAW, g, theta, (bnn_real *[]){dmu, dlogvar});
    for (size_t i = 0; i < P; i++) {
      const double bound = 2 * (double)BNN_REAL_EPSILON, d = (double)(theta[i] - mu[i]);
      ck_near((double)dmu[i], (double)g0[i] + (double)g[i], bound, "dmu", i);
      ck_holds(isnan(dlogvar[i]) == (i == at));
      if (i != at)
        ck_near((double)dlogvar[i], (double)h0[i] + (double)g[i] * d / 2, bound, "dlogvar", i);
    }
  }
}
END_TEST

/* KL(N(mu, e^logvar) || N(0, s^2)) as the textbook writes it. */
static double kl(double mu, double logvar, double s) {
  return log(s) - logvar / 2 + (exp(logvar) + mu * mu) / (2 * s * s) - 0.5;
}

START_TEST(the_kl_is_the_sum_of_the_closed_forms) {
  static bnn_real mu[P], logvar[P];
  fill(mu, P, 1, -2, 2);
  fill(logvar, P, 2, -9, 2);
  EACH_ISA for (size_t n = 0; n <= P; n += n < 40 ? 1 : 107) {
    double want = 0;
    for (size_t i = 0; i < n; i++) want += kl((double)mu[i], (double)logvar[i], 0.7);
    /* a term's e^logvar / 2 s^2 is at most 7.5, off by 1 ULP; then n roundings of the sum */
    double bound = (double)n * (8 * (double)BNN_REAL_EPSILON + DBL_EPSILON * fabs(want));
    ck_near(meanfield_kl(n, mu, logvar, 0.7), want, bound, "kl", n);
  }
}
END_TEST

START_TEST(the_kl_of_the_prior_itself_is_0) {
  static bnn_real mu[P], logvar[P];
  for (size_t i = 0; i < P; i++) mu[i] = 0, logvar[i] = -2;
  EACH_ISA ck_near(meanfield_kl(P, mu, logvar, exp(-1)), 0, P * (double)BNN_REAL_EPSILON, "kl", 0);
}
END_TEST

/* Near the prior the terms of a KL are far smaller than 1: none may lose its digits, or be below 0. */
START_TEST(the_kl_near_the_prior_keeps_its_digits) {
  static bnn_real mu[P], logvar[P];
  static const double s[] = {1, 0.25, 3};
  EACH_ISA for (int k = 0; k < 3; k++) for (int i = 0; i < 800; i++) {
    const double log_s2 = 2 * log(s[k]), u = size_at(i);
    if (fabs(u) > 80) continue;
    long double want = 0;
    for (size_t j = 0; j < P; j++) {
      logvar[j] = (bnn_real)(log_s2 + u * (1 + (double)j / P));
      mu[j] = (bnn_real)(u * (double)(j % 3));
      want += rest_of_exp((long double)logvar[j] - (long double)log_s2) / 2 +
              (long double)mu[j] * (long double)mu[j] / (2 * (long double)s[k] * (long double)s[k]);
    }
    const double got = meanfield_kl(P, mu, logvar, s[k]);
    ck_assert_double_ge(got, 0);
    ck_near(got, (double)want, 1e-12 * (double)want, "kl near the prior", (size_t)i);
  }
}
END_TEST

static void add_meanfield_kl(bnn_real *dmu, bnn_real *dlogvar, bnn_real *mu, bnn_real *logvar,
                             double scale, double s) {
  one_tensor x;
  const bnn_group *q = meanfield(&x, 5, P, mu, logvar);
  q->family->kl_backward(q, (bnn_span){1, 5, P}, (bnn_real)scale, (bnn_real)(1 / (s * s)),
                         (bnn_real *[]){dmu, dlogvar});
}

/* d KL / d logvar = (e^logvar - 1) / 2 to a few units in its own last place, at any distance. */
START_TEST(the_gradient_near_the_prior_keeps_its_digits) {
  static bnn_real mu[P], logvar[P], dmu[P], dlogvar[P];
  for (int i = 0; i < 400; i++) {
    for (size_t j = 0; j < P; j++) logvar[j] = (bnn_real)(size_at(i) / 50 * (1 + (double)j / P));
    EACH_ISA {
      memset(dlogvar, 0, sizeof dlogvar);
      add_meanfield_kl(dmu, dlogvar, mu, logvar, 1, 1);
      for (size_t j = 0; j < P; j++) {
        const double want = expm1((double)logvar[j]) / 2;
        ck_near((double)dlogvar[j], want, 4 * (double)BNN_REAL_EPSILON * fabs(want), "dlogvar", j);
      }
    }
  }
}
END_TEST

/* Central differences of the closed form in double, step 1e-5: their own error is below 1e-9. */
START_TEST(the_gradient_of_the_kl_matches_central_differences_of_its_formula) {
  static bnn_real mu[P], logvar[P], g[P], h[P], dmu[P], dlogvar[P];
  const double s = 0.8, step = 1e-5, bound = 1e-9 + 8 * (double)BNN_REAL_EPSILON;
  fill(mu, P, 1, -2, 2);
  fill(logvar, P, 2, -9, 2);
  fill(g, P, 3, -1, 1);
  fill(h, P, 4, -1, 1);
  EACH_ISA {
    memcpy(dmu, g, sizeof g);
    memcpy(dlogvar, h, sizeof h);
    add_meanfield_kl(dmu, dlogvar, mu, logvar, 0.25, s);
    for (size_t i = 0; i < P; i++) {
      double m = (double)mu[i], v = (double)logvar[i];
      double by_mu = (kl(m + step, v, s) - kl(m - step, v, s)) / (2 * step);
      double by_logvar = (kl(m, v + step, s) - kl(m, v - step, s)) / (2 * step);
      ck_near((double)dmu[i], (double)g[i] + by_mu / 4, bound, "dmu", i);
      ck_near((double)dlogvar[i], (double)h[i] + by_logvar / 4, bound, "dlogvar", i);
    }
  }
}
END_TEST

/* -E log q of each weight, log sigma + (1 + log 2 pi) / 2; its gradient is 1/2 for each logvar. */
START_TEST(the_entropy_is_the_sum_of_the_closed_forms) {
  static bnn_real mu[P], logvar[P], dmu[P], dlogvar[P];
  fill(mu, P, 1, -2, 2);
  fill(logvar, P, 2, -9, 2);
  EACH_ISA for (size_t n = 0; n <= P; n += n < 40 ? 1 : 107) {
    one_tensor x;
    const bnn_group *q = meanfield(&x, 3, n, mu, logvar);
    double want = 0;
    for (size_t i = 0; i < n; i++) want += (double)logvar[i] / 2 + (1 + log(2 * acos(-1))) / 2;
    /* n roundings of a sum whose terms are at most 6 in size */
    ck_near(q->family->entropy(q, 1), want, (double)(n * n) * 6 * DBL_EPSILON, "entropy", n);
    memset(dmu, 0, sizeof dmu);
    memset(dlogvar, 0, sizeof dlogvar);
    q->family->entropy_backward(q, (bnn_span){1, 3, n}, -3, (bnn_real *[]){dmu, dlogvar});
    for (size_t i = 0; i < P; i++) ck_holds(dmu[i] == 0 && dlogvar[i] == (i < n ? -1.5 : 0));
  }
}
END_TEST

/* The mean of w^2 over samples, whose terms, w_i^2 with sigma^2 up to e, vary by as much as they
 * are: within 6 standard deviations. */
START_TEST(the_second_moment_is_that_of_samples) {
  enum { SAMPLES = 4000 };
  bnn_context *context = context_of(1);
  for (size_t row = 0; bnn_family_row(row); row++) {
    const bnn_family *family = bnn_family_row(row);
    buffers value;
    bnn_real theta[N];
    double sum[TENSORS] = {0}, square[TENSORS] = {0};
    fill_buffers(value);
    const bnn_group q = group_of(family, 0, N, value);
    ck_assert((family->second_moment != NULL) == (family->backward != NULL));
    if (!family->second_moment) continue;
    for (int64_t s = 0; s < SAMPLES; s++) {
      draw(&q, context, theta, bnn_key_fold(KEY, s));
      for (size_t t = 0; t < TENSORS; t++) {
        double all = 0;
        for (size_t i = param[t].offset; i < param[t].offset + param[t].size; i++)
          all += (double)theta[i] * (double)theta[i];
        sum[t] += all / SAMPLES, square[t] += all * all / SAMPLES;
      }
    }
    for (size_t t = 0; t < TENSORS; t++) {
      const double deviation = sqrt(fmax(square[t] - sum[t] * sum[t], 0) / SAMPLES);
      const double miss = fabs(family->second_moment(&q, t) - sum[t]);
      ck_assert_double_le(miss, 6 * deviation + 1e-3 * sum[t]);
    }
  }
  bnn_context_free(context);
}
END_TEST

/* That of n samples has itself a deviation of sigma sqrt((k - 1) / 4n) for a noise of kurtosis k: 3 of
 * normal noise, up to 9 of radial noise; within 6 of these. */
START_TEST(the_deviation_is_that_of_samples) {
  enum { SAMPLES = 4000 };
  bnn_context *context = context_of(1);
  EACH_FAMILY(family) {
    static buffers value;
    static bnn_real theta[N], sigma[N + ROOM];
    static double mean[N], square[N];
    if (!family->std) continue;
    fill_buffers(value);
    const bnn_group q = group_of(family, 37, 139, value);
    memset(mean, 0, sizeof mean);
    memset(square, 0, sizeof square);
    for (int64_t s = 1; s <= SAMPLES; s++) {
      draw(&q, context, theta, bnn_key_fold(KEY, s));
      for (size_t i = 37; i < 139; i++) {
        const double miss = (double)theta[i] - mean[i];
        mean[i] += miss / (double)s;
        square[i] += miss * ((double)theta[i] - mean[i]);
      }
    }
    for (size_t i = 0; i < N + ROOM; i++) sigma[i] = -7;
    family->std(&q, sigma);
    for (size_t i = 37; i < 139; i++) {
      const double want = sqrt(square[i] / SAMPLES);
      ck_near((double)sigma[i], want, 6 * want * sqrt(2. / SAMPLES), family->name, i);
    }
    for (size_t i = 0; i < N + ROOM; i++) ck_holds((i >= 37 && i < 139) || sigma[i] == -7);
  }
  bnn_context_free(context);
}
END_TEST

START_TEST(the_deviation_of_a_bank_is_that_of_its_rows) {
  bnn_param one = {0, 3};
  const bnn_layout three = {.n_params = 1, .size = 3, .param = &one};
  bnn_real bank[] = {1, 5, 1e3, 4, 5, 1e3 + 1, 7, 5, 1e3 + 2}, sigma[3];
  EACH_ISA {
    const bnn_family *family = bnn_family_find("empirical");
    const bnn_group q = {.family = family, .layout = &three, .end = 3, .rows = 3, .buffer = {bank}};
    family->std(&q, sigma);
    ck_near((double)sigma[0], sqrt(6), 1e-6, "rows 1, 4, 7", 0);
    ck_holds(sigma[1] == 0);
    ck_near((double)sigma[2], sqrt(2. / 3), 1e-6, "far from 0", 2);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_test(tests, every_row_is_found_by_its_name_on_every_instruction_set);
  tcase_add_test(tests, every_row_has_what_belongs_together);
  tcase_add_test(tests, the_mean_is_that_of_samples);
  tcase_add_test(tests, a_sample_has_the_same_bits_on_any_number_of_threads);
  tcase_add_test(tests, radial_noise_has_even_directions_and_one_length_for_each_tensor);
  tcase_add_test(tests, radial_entropy_is_that_of_its_density);
  tcase_add_test(tests, mirror_images_of_what_is_trained_lie_on_opposite_sides_of_the_mean);
  tcase_add_test(tests, another_key_gives_another_sample);
  tcase_add_test(tests, a_bank_gives_its_rows_in_turn);
  tcase_add_test(tests, groups_that_share_the_elements_give_what_one_gives);
  tcase_add_test(tests, a_group_that_begins_elsewhere_gives_what_its_elements_give_at_0);
  tcase_add_test(tests, gradients_are_added_to_what_is_there);
  tcase_add_test(tests, gradients_in_pieces_have_the_bits_of_those_in_one);
#ifdef BNN_REAL_DOUBLE
  tcase_add_test(tests, gradients_match_central_differences);
#endif
  tcase_add_test(tests, finite_numbers_give_finite_ones);
  tcase_add_test(tests, nan_in_a_buffer_comes_out);
  tcase_add_test(tests, nan_in_the_gradient_of_an_element_comes_out_there);
  tcase_add_test(tests, of_nothing_nothing_is_written);
  tcase_add_test(tests, the_second_moment_is_that_of_samples);
  tcase_add_test(tests, the_deviation_is_that_of_samples);
  tcase_add_test(tests, the_deviation_of_a_bank_is_that_of_its_rows);
  tcase_add_test(tests, a_sample_is_mu_plus_sigma_eps);
  tcase_add_test(tests, a_logvar_of_minus_infinity_samples_the_mean);
  tcase_add_test(tests, backward_is_what_it_says);
  tcase_add_test(tests, the_kl_is_the_sum_of_the_closed_forms);
  tcase_add_test(tests, the_kl_of_the_prior_itself_is_0);
  tcase_add_test(tests, the_kl_near_the_prior_keeps_its_digits);
  tcase_add_test(tests, the_gradient_near_the_prior_keeps_its_digits);
  tcase_add_test(tests, the_gradient_of_the_kl_matches_central_differences_of_its_formula);
  tcase_add_test(tests, the_entropy_is_the_sum_of_the_closed_forms);
}

int main(void) { return run_suite("families", add_tests); }
