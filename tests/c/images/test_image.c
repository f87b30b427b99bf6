/* test_image.c - a picture of a character becomes what MNIST would have made of it. */
#include "images/image.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/idx.h"
#include "support.h"

/* ---- pictures made here ---- */

typedef struct picture {
  size_t h, w;
  double paper, ink; /* grey levels */
  double slope;      /* of the light, from left to right */
  double noise;      /* half its range */
  double scale;      /* pixels of a unit */
} picture;

static const picture plain = {.h = 300, .w = 200, .paper = 230, .ink = 40, .scale = 1};

/* Ink of a capital L at (y, x), in units: a stem and a foot, 14 wide; 0 or 1. */
static double letter(double y, double x) {
  bool stem = x >= 60 && x < 74 && y >= 80 && y < 220, foot = y >= 206 && y < 220 && x >= 60;
  return stem || (foot && x < 140) ? 1 : 0;
}

/* A number in [-1, 1) that depends on i alone. */
static double noise_at(size_t i) {
  uint32_t v = (uint32_t)i * 2654435761u;
  v = (v ^ v >> 15) * 2246822519u;
  return (double)(v ^ v >> 13) / 2147483648. - 1;
}

static bnn_tensor *draw(const picture *p) {
  bnn_tensor *x;
  ck_succeeds(bnn_tensor_new(&x, BNN_U8, 2, (size_t[]){p->h, p->w}, &err));
  for (size_t i = 0; i < x->size; i++) {
    double row = (double)(i / p->w), column = (double)(i % p->w);
    double a = letter(row / p->scale, column / p->scale);
    double v = p->paper + (p->ink - p->paper) * a + p->slope * column / (double)p->w +
               p->noise * noise_at(i);
    ((uint8_t *)x->data)[i] = (uint8_t)fmin(255, fmax(0, v));
  }
  return x;
}

static bnn_tensor *character_of(bnn_tensor *x, bnn_ink ink) {
  bnn_tensor *y = NULL;
  ck_succeeds(bnn_image_character(&y, x, ink, &err));
  ck_tensor(y, BNN_U8, DIMS(28, 28), NULL);
  bnn_tensor_unref(x);
  return y;
}

static int at(const bnn_tensor *x, size_t y, size_t column) {
  return (int)bnn_tensor_get(x, y * 28 + column);
}

/* Differences of two images as a part of the first one's ink. */
static double difference(const bnn_tensor *a, const bnn_tensor *b) {
  double sum = 0, ink = 0;
  for (size_t i = 0; i < a->size; i++) {
    sum += fabs(bnn_tensor_get(a, i) - bnn_tensor_get(b, i));
    ink += bnn_tensor_get(a, i);
  }
  return sum / ink;
}

/* ---- what must hold ---- */

START_TEST(a_character_fills_the_box_and_is_centred_by_mass) {
  bnn_tensor *x = draw(&plain), *y = character_of(x, BNN_INK_DARK);
  size_t top = 28, bottom = 0, left = 28, right = 0;
  double mass = 0, my = 0, mx = 0;
  for (size_t i = 0; i < 784; i++) {
    double v = bnn_tensor_get(y, i);
    if (v > 0) {
      top = i / 28 < top ? i / 28 : top;
      bottom = i / 28;
      left = i % 28 < left ? i % 28 : left;
      right = i % 28 > right ? i % 28 : right;
    }
    mass += v;
    my += v * (double)(i / 28);
    mx += v * (double)(i % 28);
  }
  ck_assert_uint_eq(bottom - top + 1, 20);
  ck_assert_uint_eq(right - left + 1, 11); /* 80 of 140, 20 high */
  ck_assert_double_le(fabs(my / mass - 14), 0.5);
  ck_assert_double_le(fabs(mx / mass - 14), 0.5);
  ck_assert_int_eq(at(y, bottom, right), 255);
  ck_assert_int_eq(at(y, top, right), 0);
  ck_assert_int_eq(at(y, 0, 0), 0);
  bnn_tensor_unref(y);
}
END_TEST

static const struct {
  const char *what;
  picture p;
  double most; /* difference from the plain one */
} variant_row[] = {
    {"chalk on a board", {300, 200, 30, 220, 0, 0, 1}, 0},
    {"pale ink", {300, 200, 200, 150, 0, 0, 1}, 0},
    {"three times the size", {900, 600, 230, 40, 0, 0, 3}, 0.05},
    {"a third of the size", {100, 67, 230, 40, 0, 0, 1 / 3.}, 0.35},
    {"a slope of light", {300, 200, 150, 40, 90, 0, 1}, 0.05},
    {"the other slope", {300, 200, 240, 120, -100, 0, 1}, 0.05},
    {"noise", {300, 200, 200, 60, 0, 15, 1}, 0.1},
    {"noise and a slope", {900, 600, 150, 60, 80, 20, 3}, 0.1},
    {"a wide sheet", {300, 900, 230, 40, 0, 0, 1}, 0.1},
};
enum { VARIANT_COUNT = sizeof variant_row / sizeof *variant_row };

START_TEST(it_does_not_depend_on_light_size_and_polarity) {
  bnn_tensor *want = character_of(draw(&plain), BNN_INK_AUTO);
  bnn_tensor *got = character_of(draw(&variant_row[_i].p), BNN_INK_AUTO);
  double d = difference(want, got);
  ck_assert_msg(d <= variant_row[_i].most, "%s: differs by %.3f of its ink, at most %.3f wanted",
                variant_row[_i].what, d, variant_row[_i].most);
  bnn_tensor_unref(want);
  bnn_tensor_unref(got);
}
END_TEST

START_TEST(specks_do_not_move_it_and_dots_stay) {
  bnn_tensor *want = character_of(draw(&plain), BNN_INK_AUTO), *x = draw(&plain), *dotted;
  uint8_t *v = x->data;
  for (size_t y = 10; y < 14; y++) memset(v + y * 200 + 180, 40, 4);
  v[290 * 200 + 5] = 0;
  bnn_tensor *got = character_of(x, BNN_INK_AUTO);
  ck_assert_double_le(difference(want, got), 0);
  x = draw(&plain);
  v = x->data;
  for (size_t y = 30; y < 50; y++) memset(v + y * 200 + 60, 40, 20); /* the dot of an i */
  dotted = character_of(x, BNN_INK_AUTO);
  ck_assert_double_gt(difference(want, dotted), 0.2);
  bnn_tensor_unref(want);
  bnn_tensor_unref(got);
  bnn_tensor_unref(dotted);
}
END_TEST

START_TEST(the_ink_may_be_said) {
  bnn_tensor *x = draw(&plain), *dark = NULL, *light = NULL, *found = NULL;
  ck_succeeds(bnn_image_character(&dark, x, BNN_INK_DARK, &err));
  ck_succeeds(bnn_image_character(&found, x, BNN_INK_AUTO, &err));
  ck_assert_double_le(difference(dark, found), 0);
  if (bnn_image_character(&light, x, BNN_INK_LIGHT, NULL) == BNN_OK)
    ck_assert_double_gt(difference(dark, light), 0.5);
  bnn_tensor_unref(x);
  bnn_tensor_unref(dark);
  bnn_tensor_unref(light);
  bnn_tensor_unref(found);
}
END_TEST

START_TEST(an_image_without_ink_is_refused) {
  static const picture blank[] = {{300, 200, 230, 230, 0, 0, 1},  {300, 200, 130, 130, 90, 0, 1},
                                  {300, 200, 200, 200, 0, 30, 1}, {300, 200, 200, 195, 0, 0, 1},
                                  {1, 1, 200, 200, 0, 0, 1},      {1, 200, 200, 200, 0, 0, 1}};
  for (size_t k = 0; k < sizeof blank / sizeof *blank; k++) {
    bnn_tensor *x = draw(&blank[k]), *y = NULL;
    for (int ink = 0; ink < 3; ink++)
      ck_refuses(bnn_image_character(&y, x, (bnn_ink)ink, &err), BNN_EDATA, "no ink to be seen");
    ck_assert_ptr_null(y);
    bnn_tensor_unref(x);
  }
}
END_TEST

/* Whatever the size, it is refused or gives an image. */
START_TEST(every_size_is_taken) {
  static const size_t size[] = {1, 2, 3, 20, 28, 511, 512, 513, 3000};
  enum { N = sizeof size / sizeof *size };
  for (size_t k = 0; k < N * N; k++) {
    bnn_tensor *x, *y = NULL;
    size_t h = size[k / N], w = size[k % N];
    if (h * w > 3000 * 600) continue;
    ck_succeeds(bnn_tensor_new(&x, BNN_U8, 2, (size_t[]){h, w}, &err));
    memset((uint8_t *)x->data + x->size / 2, 255, (x->size + 19) / 20);
    bnn_status status = bnn_image_character(&y, x, BNN_INK_AUTO, NULL);
    ck_assert(status == BNN_OK || status == BNN_EDATA);
    bnn_tensor_unref(x);
    bnn_tensor_unref(y);
  }
}
END_TEST

START_TEST(what_is_no_grey_image_is_refused) {
  bnn_tensor *y = NULL, *rgb = tensor_of(BNN_U8, DIMS(2, 2, 3), NULL);
  bnn_tensor *real = tensor_of(BNN_F32, DIMS(2, 2), NULL),
             *none = tensor_of(BNN_U8, DIMS(0, 2), NULL);
  ck_refuses(bnn_image_character(&y, rgb, BNN_INK_AUTO, &err), BNN_ESHAPE,
             "expected a contiguous image [h, w], got [2, 2, 3]");
  ck_refuses(bnn_image_character(&y, real, BNN_INK_AUTO, &err), BNN_ETYPE,
             "expected an image of u8, got f32");
  ck_refuses(bnn_image_character(&y, none, BNN_INK_AUTO, &err), BNN_ESHAPE,
             "expected a contiguous image [h, w], got [0, 2]");
  bnn_tensor_unref(rgb);
  bnn_tensor_unref(real);
  bnn_tensor_unref(none);
}
END_TEST

static bnn_status make_and_drop(void *x, bnn_err *err) {
  bnn_tensor *y;
  BNN_TRY(bnn_image_character(&y, x, BNN_INK_AUTO, err));
  bnn_tensor_unref(y);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) {
  bnn_tensor *x = draw(&plain);
  ck_survives_failing_allocations(make_and_drop, x);
  bnn_tensor_unref(x);
}
END_TEST

/* MNIST's own images, black on white, come back as they were but for a shift of a pixel where the
 * centre of mass is between two: three quarters of them within 10% of their ink. */
START_TEST(mnist_comes_back_when_it_is_there) {
  char images[600], labels[600];
  const char *data = getenv("BNNLUA_DATA");
  if (!data) return;
  snprintf(images, sizeof images, "%s/mnist/t10k-images-idx3-ubyte.gz", data);
  snprintf(labels, sizeof labels, "%s/mnist/t10k-labels-idx1-ubyte.gz", data);
  if (access(images, R_OK) != 0) return;
  bnn_tensor *x, *y;
  size_t close = 0, n = 1000;
  ck_succeeds(bnn_idx_read_pair(&x, &y, images, labels, &err));
  for (size_t i = 0; i < n; i++) {
    bnn_tensor *one, *dark, *got = NULL;
    ck_succeeds(bnn_tensor_select(&one, x, 0, i, &err));
    ck_succeeds(bnn_tensor_clone(&dark, one, &err));
    for (size_t k = 0; k < 784; k++) ((uint8_t *)dark->data)[k] ^= 255;
    ck_succeeds(bnn_image_character(&got, dark, BNN_INK_AUTO, &err));
    close += difference(one, got) < 0.1;
    bnn_tensor_unref(one);
    bnn_tensor_unref(dark);
    bnn_tensor_unref(got);
  }
  ck_assert_uint_gt(close, n * 7 / 10);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, a_character_fills_the_box_and_is_centred_by_mass);
  tcase_add_loop_test(tests, it_does_not_depend_on_light_size_and_polarity, 0, VARIANT_COUNT);
  tcase_add_test(tests, specks_do_not_move_it_and_dots_stay);
  tcase_add_test(tests, the_ink_may_be_said);
  tcase_add_test(tests, an_image_without_ink_is_refused);
  tcase_add_test(tests, every_size_is_taken);
  tcase_add_test(tests, what_is_no_grey_image_is_refused);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_test(tests, mnist_comes_back_when_it_is_there);
}

int main(void) { return run_suite("image", add_tests); }
