/* test_glyphs.c - the generated digits and letters: the same bits everywhere, a pure function of
 * key and place, and what MNIST's conventions ask of each image. */
#include "images/glyphs.h"

#include <math.h>
#include <string.h>

#include "images/glyph_draw.h"
#include "images/glyph_strokes.h"
#include "kernels/isa.h"
#include "support.h"
#include "tensor/fingerprint.h"

enum { N = 2000, SETS = 3, SIDE = BNN_GLYPH_SIDE };

/* For inner loops: Check's own assertions write to a pipe even when they hold. */
#define ck_holds(condition)                     \
  do {                                          \
    if (!(condition)) ck_abort_msg(#condition); \
  } while (0)

typedef struct drawn {
  uint8_t x[N][BNN_GLYPH_PIXELS];
  int32_t y[N];
} drawn;

/* Elements [from, from + n) of a set under key 42 into places [at, at + n). */
static void draw(drawn *d, size_t at, bnn_glyph_set set, uint64_t from, size_t n, int threads) {
  bnn_context *context;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  ck_succeeds(bnn_glyphs_fill(context, d->x[at], d->y + at, set, bnn_key_new(42), from, n, &err));
  bnn_context_free(context);
}

static drawn *new_drawn(bnn_glyph_set set, int threads) {
  drawn *d = malloc(sizeof *d);
  memset(d, 0xa5, sizeof *d);
  draw(d, 0, set, 0, N, threads);
  return d;
}

static uint64_t hash_of(uint64_t hash, const void *bytes, size_t n) {
  for (const uint8_t *p = bytes; n--; p++) hash = bnn_fnv1a(hash, *p);
  return hash;
}

/* ---- the same bits ---- */

/* On every processor, compiler and instruction set, and in both builds: a change here means that
 * every figure measured on generated data is of other data. */
START_TEST(images_and_labels_keep_their_golden_bits) {
  static const uint64_t golden[SETS] = {0x2c341a434536c8cf, 0xc30b780369b6a1b5, 0x01470a7d4d889afe};
  for (size_t i = 0; bnn_isa_available(i); i++) {
    ck_succeeds(bnn_isa_set(bnn_isa_available(i), &err));
    drawn *d = new_drawn((bnn_glyph_set)_i, 1);
    uint64_t hash = hash_of(BNN_FINGERPRINT_START, d->x, 1000 * sizeof d->x[0]);
    for (size_t k = 0; k < 1000; k++) hash = hash_of(hash, &(uint8_t){(uint8_t)d->y[k]}, 1);
    ck_assert_msg(hash == golden[_i], "set %d on %s: 0x%016llx", _i, bnn_isa_available(i),
                  (unsigned long long)hash);
    free(d);
  }
}
END_TEST

START_TEST(any_range_on_any_threads_gives_the_same_elements) {
  static const size_t parts[] = {1, 63, 64, 65, 0, 300, 7, 1500};
  drawn *whole = new_drawn((bnn_glyph_set)_i, 1), *joined = malloc(sizeof *joined);
  size_t at = 0;
  for (size_t k = 0; k < sizeof parts / sizeof *parts; at += parts[k++])
    draw(joined, at, (bnn_glyph_set)_i, at, parts[k], 1 + (int)k % 5);
  ck_assert_uint_eq(at, N);
  ck_assert_mem_eq(joined->x, whole->x, sizeof whole->x);
  ck_assert_mem_eq(joined->y, whole->y, sizeof whole->y);
  free(whole);
  free(joined);
}
END_TEST

START_TEST(another_key_set_or_place_gives_another_image) {
  drawn *digits = new_drawn(BNN_GLYPH_DIGITS, 2), *letters = new_drawn(BNN_GLYPH_LETTERS, 2);
  for (size_t i = 1; i < N; i++)
    for (size_t j = 0; j < i; j++)
      ck_holds(memcmp(digits->x[i], digits->x[j], sizeof digits->x[0]) != 0);
  for (size_t i = 0; i < N; i++)
    ck_holds(memcmp(digits->x[i], letters->x[i], sizeof digits->x[0]) != 0);
  uint8_t a[BNN_GLYPH_PIXELS], b[BNN_GLYPH_PIXELS];
  size_t n;
  const bnn_glyph_style *style = bnn_glyph_styles(BNN_GLYPH_DIGITS, &n);
  bnn_glyph_draw(a, style, bnn_key_new(1));
  bnn_glyph_draw(b, style, bnn_key_new(2));
  ck_assert(memcmp(a, b, sizeof a) != 0);
  free(digits);
  free(letters);
}
END_TEST

START_TEST(the_last_places_of_all_can_be_drawn) {
  drawn *d = malloc(sizeof *d);
  draw(d, 0, BNN_GLYPH_DIGITS, UINT64_MAX - 9, 10, 1);
  draw(d, 10, BNN_GLYPH_DIGITS, UINT64_MAX, 1, 1);
  ck_assert_mem_eq(d->x[9], d->x[10], sizeof d->x[0]);
  free(d);
}
END_TEST

/* ---- labels and styles ---- */

/* n p within 4.5 sigma of the binomial law: all of 62 counts hold with probability 0.9996. */
static void ck_count(size_t count, size_t n, double p, const char *what) {
  double expected = (double)n * p, bound = 4.5 * sqrt(expected * (1 - p));
  ck_assert_msg(fabs((double)count - expected) <= bound, "%s: %zu of %zu, expected %.1f +- %.1f",
                what, count, n, expected, bound);
}

START_TEST(labels_are_in_range_and_equally_frequent) {
  bnn_glyph_set set = (bnn_glyph_set)_i;
  drawn *d = new_drawn(set, 2);
  size_t count[26] = {0};
  int classes = bnn_glyph_classes(set), present = 0;
  for (size_t i = 0; i < N; i++) {
    ck_holds(d->y[i] >= 0 && d->y[i] < classes);
    count[d->y[i]]++;
  }
  for (int k = 0; k < classes; k++)
    present += set != BNN_GLYPH_UNLIKE || bnn_glyph_look_alike(bnn_glyph_name(set, k)) < 0;
  for (int k = 0; k < classes; k++)
    if (set == BNN_GLYPH_UNLIKE && bnn_glyph_look_alike(bnn_glyph_name(set, k)) >= 0)
      ck_assert_uint_eq(count[k], 0);
    else
      ck_count(count[k], N, 1.0 / present, "a label");
  free(d);
}
END_TEST

START_TEST(labels_have_names_and_look_alikes_are_letters) {
  ck_assert_int_eq(bnn_glyph_classes(BNN_GLYPH_DIGITS), 10);
  ck_assert_int_eq(bnn_glyph_classes(BNN_GLYPH_LETTERS), 26);
  ck_assert_int_eq(bnn_glyph_name(BNN_GLYPH_DIGITS, 7), '7');
  ck_assert_int_eq(bnn_glyph_name(BNN_GLYPH_LETTERS, 25), 'Z');
  ck_assert_int_eq(bnn_glyph_name(BNN_GLYPH_UNLIKE, 0), 'A');
  ck_assert_int_eq(bnn_glyph_name(BNN_GLYPH_DIGITS, 10), 0);
  ck_assert_int_eq(bnn_glyph_name(BNN_GLYPH_LETTERS, -1), 0);
  static const char like[] = "B8D0G6I1O0Q0S5T7Y4Z2";
  for (size_t i = 0; i + 1 < sizeof like; i += 2)
    ck_assert_int_eq(bnn_glyph_look_alike(like[i]), like[i + 1] - '0');
  for (int c = 0; c < 256; c++)
    if (c == 0 || !strchr(like, c) || (c >= '0' && c <= '9'))
      ck_assert_int_eq(bnn_glyph_look_alike((char)c), -1);
}
END_TEST

/* What glyph_draw.c counts on. */
START_TEST(every_class_has_styles_within_the_bounds) {
  bnn_glyph_set set = (bnn_glyph_set)_i;
  size_t n, at = 0;
  const bnn_glyph_style *style = bnn_glyph_styles(set, &n);
  for (int label = 0; label < bnn_glyph_classes(set); label++) {
    size_t first = at;
    for (; at < n && style[at].name == bnn_glyph_name(set, label); at++) {
      int strokes = 0;
      ck_assert_int_le(style[at].n, BNN_GLYPH_POINTS_MAX);
      ck_assert_int_eq(style[at].points[0].kind, BNN_GLYPH_START);
      for (int i = 0; i < style[at].n; i++) {
        strokes += style[at].points[i].kind == BNN_GLYPH_START;
        ck_assert(style[at].points[i].x <= 100 && style[at].points[i].y <= 100);
      }
      ck_assert_int_le(strokes, BNN_GLYPH_STROKES_MAX);
      ck_assert_int_gt(style[at].weight, 0);
    }
    ck_assert_uint_ge(at - first, set == BNN_GLYPH_DIGITS ? 3 : 2);
  }
  ck_assert_uint_eq(at, n);
}
END_TEST

START_TEST(every_style_occurs_as_often_as_its_weight_says) {
  bnn_glyph_set set = (bnn_glyph_set)_i;
  enum { DRAWS = 20000 };
  size_t n;
  const bnn_glyph_style *style = bnn_glyph_styles(set, &n);
  for (int label = 0; label < bnn_glyph_classes(set); label++) {
    size_t count[100] = {0}, total = 0;
    char name = bnn_glyph_name(set, label);
    bnn_key key = bnn_key_fold(bnn_key_new(9), name);
    for (int64_t i = 0; i < DRAWS; i++)
      count[bnn_glyph_choose(set, name, bnn_key_fold(key, i)) - style]++;
    for (size_t k = 0; k < n; k++) total += style[k].name == name ? style[k].weight : 0;
    for (size_t k = 0; k < n; k++)
      if (style[k].name == name)
        ck_count(count[k], DRAWS, style[k].weight / (double)total, "a style");
      else
        ck_assert_uint_eq(count[k], 0);
  }
}
END_TEST

/* ---- MNIST's conventions ---- */

typedef struct figure {
  int left, right, top, bottom; /* of the ink, right and bottom beyond it */
  double mass, x, y;            /* its centre, pixel k lying between k and k + 1 */
} figure;

static figure measure(const uint8_t *image) {
  figure f = {SIDE, 0, SIDE, 0, 0, 0, 0};
  for (int i = 0; i < BNN_GLYPH_PIXELS; i++) {
    int x = i % SIDE, y = i / SIDE;
    if (!image[i]) continue;
    if (x < f.left) f.left = x;
    if (x >= f.right) f.right = x + 1;
    if (y < f.top) f.top = y;
    if (y >= f.bottom) f.bottom = y + 1;
    f.mass += image[i];
    f.x += image[i] * (x + 0.5);
    f.y += image[i] * (y + 0.5);
  }
  f.x /= f.mass;
  f.y /= f.mass;
  return f;
}

/* Measured on MNIST's first 5,000: mean 0.1302, centre 14.50 +- 0.29 along both axes, the longer
 * side 20 in 99.9%.  The box may not leave the image, so a centre can be further off, rarely. */
START_TEST(ink_fits_the_box_and_is_centred_by_mass) {
  drawn *d = new_drawn((bnn_glyph_set)_i, 2);
  double mass = 0;
  size_t off = 0, shorter = 0, margin = 0;
  for (size_t i = 0; i < N; i++) {
    figure f = measure(d->x[i]);
    int w = f.right - f.left, h = f.bottom - f.top;
    ck_holds(w >= 1 && h >= 1 && w <= 20 && h <= 20);
    ck_holds(fabs(f.x - 14.5) < 3 && fabs(f.y - 14.5) < 3);
    ck_holds(f.mass > 20 * 255 && f.mass < 280 * 255);
    off += fabs(f.x - 14.5) > 0.501 || fabs(f.y - 14.5) > 0.501;
    shorter += w < 20 && h < 20;
    margin += f.left >= 2 && f.right <= 26 && f.top >= 2 && f.bottom <= 26;
    mass += f.mass / (255.0 * BNN_GLYPH_PIXELS * N);
  }
  ck_assert_uint_le(off, N / 500);
  ck_assert_uint_le(shorter, N / 50);
  ck_assert_uint_ge(margin, N * 7 / 10);
  ck_assert(mass > 0.115 && mass < 0.150);
  free(d);
}
END_TEST

START_TEST(a_pen_draws_a_capsule_with_soft_edges) {
  uint8_t image[BNN_GLYPH_PIXELS];
  static const bnn_glyph_step way[] = {{10, 4, 2, 1}, {10, 16, 2, 0}};
  bnn_glyph_ink(image, way, 2);
  figure f = measure(image); /* from (8, 2) to (12, 18), half an edge more, all moved by 5 */
  ck_assert(fabs(f.x - 15) < 1e-9 && fabs(f.y - 15) < 1e-9);
  ck_assert_int_eq(image[14 * SIDE + 14], 255);
  ck_assert_int_eq(image[15 * SIDE + 15], 255);
  ck_assert(f.left == 12 && f.right == 18 && f.top == 6 && f.bottom == 24);
  /* its area is 4 * 12 + 4 pi; soft edges move it by a few percent */
  ck_assert(fabs(f.mass / 255 / (48 + 12.566) - 1) < 0.05);
}
END_TEST

START_TEST(ink_outside_the_box_is_cut_off) {
  uint8_t image[BNN_GLYPH_PIXELS];
  static const bnn_glyph_step way[] = {{-50, 10, 2, 1}, {70, 10, 2, 0}, {1e6f, -1e6f, 2, 1}};
  bnn_glyph_ink(image, way, 3);
  figure f = measure(image);
  ck_assert(f.right - f.left == 20 && f.bottom - f.top < 8);
  static const bnn_glyph_step outside[] = {{-50, -50, 2, 1}};
  static const uint8_t black[BNN_GLYPH_PIXELS];
  bnn_glyph_ink(image, outside, 1);
  ck_assert_mem_eq(image, black, sizeof image);
}
END_TEST

/* ---- what can go wrong ---- */

START_TEST(an_unknown_set_is_refused_and_a_stop_is_heeded) {
  bnn_context *context;
  uint8_t image[BNN_GLYPH_PIXELS] = {7};
  int32_t label = -5;
  bnn_key key = bnn_key_new(1);
  ck_succeeds(bnn_context_new(&context, 1, &err));
  ck_refuses(bnn_glyphs_fill(context, image, &label, (bnn_glyph_set)3, key, 0, 1, &err), BNN_ERANGE,
             "no set 3");
  bnn_context_stop(context);
  ck_refuses(bnn_glyphs_fill(context, image, &label, BNN_GLYPH_DIGITS, key, 0, 1, &err), BNN_ESTOP,
             "1 images");
  ck_assert(image[0] == 7 && label == -5);
  bnn_context_resume(context);
  ck_succeeds(bnn_glyphs_fill(context, image, &label, BNN_GLYPH_DIGITS, key, 0, 0, &err));
  ck_assert(image[0] == 7 && label == -5);
  ck_succeeds(bnn_glyphs_fill(context, image, &label, BNN_GLYPH_DIGITS, key, 0, 1, &err));
  ck_assert(label >= 0);
  bnn_context_free(context);
}
END_TEST

static bnn_status draw_some(void *arg, bnn_err *err) {
  bnn_context *context;
  drawn *d = arg;
  BNN_TRY(bnn_context_new(&context, 2, err));
  bnn_status status =
      bnn_glyphs_fill(context, d->x[0], d->y, BNN_GLYPH_LETTERS, bnn_key_new(1), 0, 200, err);
  bnn_context_free(context);
  return status;
}

START_TEST(every_allocation_may_fail) {
  drawn *d = malloc(sizeof *d);
  ck_survives_failing_allocations(draw_some, d);
  free(d);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, images_and_labels_keep_their_golden_bits, 0, SETS);
  tcase_add_loop_test(tests, any_range_on_any_threads_gives_the_same_elements, 0, SETS);
  tcase_add_test(tests, another_key_set_or_place_gives_another_image);
  tcase_add_test(tests, the_last_places_of_all_can_be_drawn);
  tcase_add_loop_test(tests, labels_are_in_range_and_equally_frequent, 0, SETS);
  tcase_add_test(tests, labels_have_names_and_look_alikes_are_letters);
  tcase_add_loop_test(tests, every_class_has_styles_within_the_bounds, 0, SETS);
  tcase_add_loop_test(tests, every_style_occurs_as_often_as_its_weight_says, 0, SETS);
  tcase_add_loop_test(tests, ink_fits_the_box_and_is_centred_by_mass, 0, SETS);
  tcase_add_test(tests, a_pen_draws_a_capsule_with_soft_edges);
  tcase_add_test(tests, ink_outside_the_box_is_cut_off);
  tcase_add_test(tests, an_unknown_set_is_refused_and_a_stop_is_heeded);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("glyphs", add_tests); }
