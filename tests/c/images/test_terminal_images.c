/* test_terminal_images.c - what terminals get of images: bytes, other sizes, sixels, which a
 * decoder here draws again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "images/levels.h"
#include "images/resize.h"
#include "images/sixel.h"
#include "support.h"

/* ---- levels ---- */

START_TEST(levels_are_the_nearest_bytes_and_clipped) {
  bnn_tensor *y = NULL;
  bnn_tensor *x = tensor_of(BNN_F64, DIMS(7), VALUES(-1, 0, 0.5, 2, 9, NAN, INFINITY));
  double lo = 7, hi = 7;
  ck_succeeds(bnn_image_levels(&y, x, 0, 2, &err));
  ck_tensor(y, BNN_U8, DIMS(7), VALUES(0, 0, 64, 255, 255, BNN_LEVELS_NAN, 255));
  bnn_tensor_unref(y);
  ck_succeeds(bnn_image_levels(&y, x, 2, 0, &err)); /* black is the greater one */
  ck_tensor(y, BNN_U8, DIMS(7), VALUES(255, 255, 191, 0, 0, BNN_LEVELS_NAN, 0));
  ck_assert(bnn_image_span(x, &lo, &hi));
  ck_assert_double_eq(lo, -1);
  ck_assert_double_eq(hi, 9);
  bnn_tensor_unref(y);
  bnn_tensor_unref(x);
  x = tensor_of(BNN_F64, DIMS(2), VALUES(NAN, -INFINITY));
  ck_assert(!bnn_image_span(x, &lo, &hi));
  ck_assert_double_eq(lo, -1);
  bnn_tensor_unref(x);
}
END_TEST

/* ---- other sizes ---- */

START_TEST(sizes_by_hand) {
  static const struct {
    size_t h, w;
    double want[24];
  } row[] = {
      {2, 3, {0, 30, 60, 90, 120, 150}}, /* as it was */
      {4, 6, {0,  0,  30,  30,  60,  60,  0,  0,  30,  30,  60,  60,
              90, 90, 120, 120, 150, 150, 90, 90, 120, 120, 150, 150}}, /* repeated */
      {1, 1, {75}},                                                     /* the mean */
      {2, 2, {10, 50, 100, 140}}, /* 1.5 pixels: (0 + 30/2)/1.5, (30/2 + 60)/1.5 */
      {1, 3, {45, 75, 105}},
  };
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(2, 3), VALUES(0, 30, 60, 90, 120, 150)), *y = NULL;
  ck_succeeds(bnn_image_resize(&y, x, row[_i].h, row[_i].w, &err));
  ck_tensor(y, BNN_U8, DIMS(row[_i].h, row[_i].w), row[_i].want);
  bnn_tensor_unref(y);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(channels_stay_apart_and_views_are_read) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(1, 2, 3), VALUES(10, 20, 30, 30, 60, 90)), *y = NULL,
             *v = NULL;
  ck_succeeds(bnn_image_resize(&y, x, 1, 1, &err));
  ck_tensor(y, BNN_U8, DIMS(1, 1, 3), VALUES(20, 40, 60));
  bnn_tensor_unref(y);
  ck_succeeds(bnn_tensor_permute(&v, x, (const int[]){2, 1, 0}, &err));
  ck_succeeds(bnn_image_resize(&y, v, 3, 1, &err));
  ck_tensor(y, BNN_U8, DIMS(3, 1, 1), VALUES(20, 40, 60));
  bnn_tensor_unref(y);
  bnn_tensor_unref(v);
  ck_refuses(bnn_image_resize(&y, x, 0, 1, &err), BNN_ESHAPE, "sides of 1 to");
  bnn_tensor_unref(x);
  x = tensor_of(BNN_F32, DIMS(1, 1), VALUES(0));
  ck_refuses(bnn_image_resize(&y, x, 1, 1, &err), BNN_ETYPE, "u8, got f32");
  bnn_tensor_unref(x);
}
END_TEST

/* ---- sixels ---- */

/* What a terminal draws: RGB in percent. */
typedef struct screen {
  size_t w, h;
  int colour[256][3];
  unsigned char *rgb; /* [h, w, 3] */
} screen;

/* Draws `times` sixels at (x, y) in a colour. */
static void draw(screen *s, size_t x, size_t y, int bits, int times, const int *colour) {
  for (; times > 0; times--, x++)
    for (size_t row = 0; row < 6; row++) {
      if (!(bits >> row & 1)) continue;
      ck_assert_uint_lt(x, s->w);
      ck_assert_uint_lt(y + row, s->h);
      for (size_t k = 0; k < 3; k++)
        s->rgb[((y + row) * s->w + x) * 3 + k] = (unsigned char)colour[k];
    }
}

/* Reads the sequence as a terminal does; every pixel must have been drawn, 255 is one that was
 * not. */
static screen decode(const char *text) {
  screen s = {0};
  int n = 0, number, c[3];
  ck_assert_int_eq(sscanf(text, "\033P0;1q\"1;1;%zu;%zu%n", &s.w, &s.h, &n), 2);
  s.rgb = malloc(s.w * s.h * 3);
  memset(s.rgb, 255, s.w * s.h * 3);
  size_t x = 0, y = 0;
  const int *colour = NULL;
  for (text += n; *text != '\033'; text += n) {
    n = 1;
    int times = 1;
    char sixel = *text;
    if (sscanf(text, "#%d;2;%d;%d;%d%n", &number, &c[0], &c[1], &c[2], &n) == 4) {
      memcpy(s.colour[number], c, sizeof c);
      continue;
    }
    if (sscanf(text, "#%d%n", &number, &n) == 1) {
      colour = s.colour[number];
      continue;
    }
    if (*text == '$' || *text == '-') {
      y += *text == '-' ? 6 : 0;
      x = 0;
      continue;
    }
    if (*text == '!') ck_assert_int_eq(sscanf(text, "!%d%c%n", &times, &sixel, &n), 2);
    ck_assert_int_ge(sixel, '?');
    ck_assert_int_le(sixel, '~');
    ck_assert_ptr_nonnull(colour);
    draw(&s, x, y, sixel - '?', times, colour);
    x += (size_t)times;
  }
  ck_assert_str_eq(text, "\033\\");
  for (size_t i = 0; i < s.w * s.h * 3; i++) ck_assert_int_le(s.rgb[i], 100);
  return s;
}

static screen drawn(const bnn_tensor *x) {
  bnn_bytes b = {0};
  ck_succeeds(bnn_sixel_encode(&b, x, &err));
  ck_succeeds(bnn_bytes_add(&b, "", 1, &err));
  screen s = decode((const char *)b.p);
  bnn_bytes_free(&b);
  ck_assert_uint_eq(s.h, x->dim[0]);
  ck_assert_uint_eq(s.w, x->dim[1]);
  return s;
}

/* The greatest difference, in levels of 255, of what is drawn from x. */
static double miss_of(const bnn_tensor *x) {
  screen s = drawn(x);
  const size_t parts = x->rank == 3 ? 3 : 1;
  double most = 0;
  for (size_t i = 0; i < s.w * s.h; i++)
    for (size_t k = 0; k < 3; k++) {
      double v = bnn_tensor_get(x, i * parts + k % parts), d = fabs(s.rgb[i * 3 + k] * 2.55 - v);
      most = d > most ? d : most;
    }
  free(s.rgb);
  return most;
}

/* Half a percent is what sixels cannot tell. */
#define HALF_PERCENT (2.55 / 2 + 1e-9)

START_TEST(grey_is_as_near_as_percents_are) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(17, 31), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)(i * 7 % 256));
  ck_assert_double_le(miss_of(x), HALF_PERCENT);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(few_colours_are_exact_and_many_near) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(40, 50, 3), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)(i / 3 * 37 % 6 * 51));
  ck_assert_double_le(miss_of(x), HALF_PERCENT);
  for (size_t i = 0; i < 2000; i++) { /* 2000 colours on a curve through all of them */
    bnn_tensor_set(x, i * 3, (double)(i * 255 / 1999));
    bnn_tensor_set(x, i * 3 + 1, (double)(255 - i * 255 / 1999));
    bnn_tensor_set(x, i * 3 + 2, (double)(i % 64 * 4));
  }
  ck_assert_double_le(miss_of(x),
                      24); /* 256 boxes among 32 x 32 levels of a plane: some 4 x 1 of 8 */
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(runs_are_short_and_bands_end_anywhere) {
  bnn_bytes b = {0};
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(7, 500), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, 255);
  ck_assert_double_le(miss_of(x), HALF_PERCENT);
  ck_succeeds(bnn_sixel_encode(&b, x, &err));
  static const char end[] = "#100!500~-#100!500@\033\\";
  ck_assert_mem_eq(b.p + b.n - strlen(end), end, strlen(end));
  bnn_bytes_free(&b);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(what_is_no_image_is_refused) {
  bnn_bytes b = {0};
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(2, 2, 4), NULL);
  ck_refuses(bnn_sixel_encode(&b, x, &err), BNN_ESHAPE, "[2, 2, 4]");
  bnn_tensor_unref(x);
  x = tensor_of(BNN_U8, DIMS(0, 2), NULL);
  ck_refuses(bnn_sixel_encode(&b, x, &err), BNN_ESHAPE, "[0, 2]");
  bnn_tensor_unref(x);
  x = tensor_of(BNN_F64, DIMS(2, 2), NULL);
  ck_refuses(bnn_sixel_encode(&b, x, &err), BNN_ETYPE, "f64");
  bnn_tensor_unref(x);
  ck_assert_uint_eq(b.n, 0);
  bnn_bytes_free(&b);
}
END_TEST

static bnn_status encode_some(void *arg, bnn_err *err) {
  bnn_bytes b = {0};
  bnn_tensor *y = NULL;
  bnn_status status = bnn_image_resize(&y, arg, 9, 5, err);
  if (status == BNN_OK) status = bnn_sixel_encode(&b, y, err);
  bnn_bytes_free(&b);
  bnn_tensor_unref(y);
  return status;
}

START_TEST(every_allocation_may_fail) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(4, 4, 3), NULL), *v = NULL;
  ck_succeeds(bnn_tensor_narrow(&v, x, 1, 1, 2, &err)); /* a view, which is copied */
  ck_survives_failing_allocations(encode_some, v);
  bnn_tensor_unref(v);
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, levels_are_the_nearest_bytes_and_clipped);
  tcase_add_loop_test(tests, sizes_by_hand, 0, 5);
  tcase_add_test(tests, channels_stay_apart_and_views_are_read);
  tcase_add_test(tests, grey_is_as_near_as_percents_are);
  tcase_add_test(tests, few_colours_are_exact_and_many_near);
  tcase_add_test(tests, runs_are_short_and_bands_end_anywhere);
  tcase_add_test(tests, what_is_no_image_is_refused);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("terminal images", add_tests); }
