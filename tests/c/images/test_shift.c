/* test_shift.c - shifted images: small ones by hand, the drawn ones by what must hold of them. */
#include "images/shift.h"

#include <math.h>
#include <string.h>

#include "support.h"

static const bnn_key some_key = {12345};

static bnn_tensor *shifted(const bnn_tensor *x, bnn_shift_kind kind, double amount,
                           const bnn_key *key, int threads) {
  bnn_context *context;
  bnn_tensor *y = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  ck_succeeds(bnn_shift(&y, context, x, kind, amount, key, &err));
  bnn_context_free(context);
  return y;
}

/* The shift of an image [1, h, w] with these values, in the real type. */
static bnn_tensor *shifted_values(const double *values, size_t h, size_t w, bnn_shift_kind kind,
                                  double amount) {
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(1, h, w), values);
  bnn_tensor *y = shifted(x, kind, amount, NULL, 1);
  bnn_tensor_unref(x);
  return y;
}

/* Images with all values 0 to 1 in them, [n, 2, 9, 7]. */
static bnn_tensor *some_images(bnn_dtype dtype, size_t n) {
  bnn_tensor *x = tensor_of(dtype, 4, (const size_t[]){n, 2, 9, 7}, NULL);
  for (size_t i = 0; i < x->size; i++)
    bnn_tensor_set(x, i, (double)(i * 7919 % 256) / (dtype == BNN_U8 ? 1 : 255));
  return x;
}

static bool is_drawn(bnn_shift_kind kind) {
  return kind != BNN_SHIFT_BLUR && kind != BNN_SHIFT_CONTRAST;
}

static const double amount_of[] = {33, 2.5, 0.2, 1.2, 0.5, 3};

/* ---- what they do ---- */

START_TEST(turns_and_moves_are_those_done_by_hand) {
  static const double x[] = {0, 0.5, 1, 0.25, 0.75, 0.125}; /* [2, 3] */
  static const double square[] = {0, 0.5, 1, 0.25};
  static const struct {
    bnn_shift_kind kind;
    double amount, want[6];
  } row[] = {
      {BNN_SHIFT_ROTATE, 180, {0.125, 0.75, 0.25, 1, 0.5, 0}},
      {BNN_SHIFT_ROTATE, -180, {0.125, 0.75, 0.25, 1, 0.5, 0}},
      {BNN_SHIFT_ROTATE, 360, {0, 0.5, 1, 0.25, 0.75, 0.125}},
      {BNN_SHIFT_TRANSLATE, 1, {0, 0, 0.5, 0, 0.25, 0.75}},
      {BNN_SHIFT_TRANSLATE, -1, {0.5, 1, 0, 0.75, 0.125, 0}},
      {BNN_SHIFT_TRANSLATE, 0.5, {0, 0.25, 0.75, 0.125, 0.5, 0.4375}},
      {BNN_SHIFT_TRANSLATE, 3, {0}},
      {BNN_SHIFT_TRANSLATE, -1e6, {0}},
      {BNN_SHIFT_CONTRAST, 0, {0.4375, 0.4375, 0.4375, 0.4375, 0.4375, 0.4375}},
  };
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    bnn_tensor *y = shifted_values(x, 2, 3, row[i].kind, row[i].amount);
    ck_tensor(y, BNN_REAL, DIMS(1, 2, 3), row[i].want);
    bnn_tensor_unref(y);
  }
  /* counterclockwise: what was at the right is on top */
  bnn_tensor *y = shifted_values(square, 2, 2, BNN_SHIFT_ROTATE, 90);
  ck_tensor(y, BNN_REAL, DIMS(1, 2, 2), VALUES(0.5, 0.25, 0, 1));
  bnn_tensor_unref(y);
  y = shifted_values(square, 2, 2, BNN_SHIFT_ROTATE, -90);
  ck_tensor(y, BNN_REAL, DIMS(1, 2, 2), VALUES(1, 0, 0.25, 0.5));
  bnn_tensor_unref(y);
}
END_TEST

/* The response to a single point is the product of two normalised Gaussians, cut off at 3 sigma. */
START_TEST(a_blurred_point_is_a_gaussian) {
  enum { SIDE = 21, MIDDLE = 10 };
  double x[SIDE * SIDE] = {0}, sum = 0, sigma = 1.5, weight[MIDDLE + 1] = {0};
  x[MIDDLE * SIDE + MIDDLE] = 1;
  for (int d = -5; d <= 5; d++) sum += exp(-d * d / (2 * sigma * sigma));
  for (int d = 0; d <= 5; d++) weight[d] = exp(-d * d / (2 * sigma * sigma)) / sum;
  bnn_tensor *y = shifted_values(x, SIDE, SIDE, BNN_SHIFT_BLUR, sigma);
  for (int i = 0; i < SIDE; i++)
    for (int k = 0; k < SIDE; k++) {
      double want = weight[abs(i - MIDDLE)] * weight[abs(k - MIDDLE)];
      ck_assert_double_eq_tol(bnn_tensor_get(y, (size_t)(i * SIDE + k)), want, 1e-7);
    }
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(blur_goes_on_beyond_the_edge_and_keeps_what_is_even) {
  static const double amounts[] = {0.3, 2, 40};
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(1, 3, 5), NULL);
  memset(x->data, 77, x->size);
  for (size_t i = 0; i < 3; i++) {
    bnn_tensor *y = shifted(x, BNN_SHIFT_BLUR, amounts[i], NULL, 1);
    ck_assert_mem_eq(y->data, x->data, x->size);
    bnn_tensor_unref(y);
  }
  bnn_tensor_unref(x);
}
END_TEST

/* 40,000 pixels at 1/2, too far from 0 and 1 to be clipped: mean and deviation within 4 sigma of
 * their laws, whose deviations are s / sqrt n and s / sqrt(2 n). */
START_TEST(noise_has_its_deviation_and_is_another_in_each_channel) {
  enum { SIDE = 100 };
  const double s = 0.05, n = 4 * SIDE * SIDE;
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(2, 2, SIDE, SIDE), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, 0.5);
  bnn_tensor *y = shifted(x, BNN_SHIFT_NOISE, s, &some_key, 1);
  double sum = 0, square = 0;
  for (size_t i = 0; i < y->size; i++) {
    double d = bnn_tensor_get(y, i) - 0.5;
    sum += d;
    square += d * d;
  }
  ck_assert_double_le(fabs(sum / n), 4 * s / sqrt(n));
  ck_assert_double_le(fabs(sqrt(square / n) - s), 4 * s / sqrt(2 * n));
  const bnn_real *v = bnn_tensor_real(y);
  for (size_t i = 1; i < 4; i++)
    ck_assert(memcmp(v, v + i * SIDE * SIDE, SIDE * SIDE * sizeof *v) != 0);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(an_occlusion_is_one_square_within_the_image_the_same_in_all_channels) {
  enum { N = 300, SIDE = 5 };
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(N, 2, 9, 7), NULL);
  memset(x->data, 200, x->size);
  bnn_tensor *y = shifted(x, BNN_SHIFT_OCCLUDE, SIDE, &some_key, 1);
  bool seen[5][3] = {{false}};
  for (size_t i = 0; i < N; i++) {
    const uint8_t *v = (const uint8_t *)y->data + i * 2 * 63;
    ck_assert_mem_eq(v, v + 63, 63);
    size_t at = (size_t)((const uint8_t *)memchr(v, 0, 63) - v), top = at / 7, left = at % 7;
    for (size_t k = 0; k < 63; k++) {
      bool is_in = k / 7 - top < SIDE && k % 7 - left < SIDE;
      if (v[k] != (is_in ? 0 : 200)) ck_abort_msg("image %zu: pixel %zu is %d", i, k, v[k]);
    }
    seen[top][left] = true;
  }
  for (size_t k = 0; k < 15; k++) ck_assert_msg(seen[k / 3][k % 3], "place %zu is never drawn", k);
  bnn_tensor *all = shifted(x, BNN_SHIFT_OCCLUDE, 8, &some_key, 1);
  for (size_t i = 0; i < all->size; i++) /* all columns, eight rows of nine */
    if (i / 7 % 9 > 0 && i / 7 % 9 < 8) ck_assert_uint_eq(((uint8_t *)all->data)[i], 0);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_tensor_unref(all);
}
END_TEST

/* Sides are drawn as a coin is tossed: 4 sigma of the binomial law. */
START_TEST(a_key_turns_each_image_to_either_side) {
  enum { N = 1000 };
  static const double one[] = {0, 0.5, 1, 0.25};
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(N, 2, 2), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, one[i % 4]);
  bnn_tensor *y = shifted(x, BNN_SHIFT_ROTATE, 90, &some_key, 1);
  size_t left = 0;
  for (size_t i = 0; i < N; i++) {
    double first = bnn_tensor_get(y, 4 * i);
    ck_assert(first == 0.5 || first == 1);
    left += first == 0.5;
  }
  ck_assert_double_le(fabs((double)left - N / 2.), 4 * sqrt(N) / 2);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

/* ---- the same bits ---- */

START_TEST(the_bits_depend_on_key_and_place_alone) {
  bnn_shift_kind kind = (bnn_shift_kind)_i;
  for (int k = 0; k < 2; k++) {
    bnn_tensor *x = some_images(k ? BNN_U8 : BNN_REAL, 100), *few;
    bnn_tensor *one = shifted(x, kind, amount_of[_i], &some_key, 1);
    bnn_tensor *three = shifted(x, kind, amount_of[_i], &some_key, 3);
    ck_succeeds(bnn_tensor_narrow(&few, x, 0, 0, 37, &err));
    bnn_tensor *part = shifted(few, kind, amount_of[_i], &some_key, 1);
    size_t bytes = bnn_dtype_size(x->dtype);
    ck_assert_mem_eq(one->data, three->data, x->size * bytes);
    ck_assert_mem_eq(one->data, part->data, part->size * bytes);
    bnn_tensor *other = shifted(x, kind, amount_of[_i], &(bnn_key){77}, 1);
    bool differs = memcmp(one->data, other->data, x->size * bytes) != 0;
    ck_assert_int_eq(differs, is_drawn(kind));
    ck_assert(memcmp(one->data, x->data, x->size * bytes) != 0);
    bnn_tensor *all[] = {x, few, one, three, part, other};
    for (size_t i = 0; i < 6; i++) bnn_tensor_unref(all[i]);
  }
}
END_TEST

/* Bytes are those of the reals, rounded: an error of 1/2, and of what the reals' type rounds. */
START_TEST(bytes_and_reals_agree) {
  bnn_tensor *bytes = some_images(BNN_U8, 20), *reals = some_images(BNN_REAL, 20);
  bnn_tensor *a = shifted(bytes, (bnn_shift_kind)_i, amount_of[_i], &some_key, 1);
  bnn_tensor *b = shifted(reals, (bnn_shift_kind)_i, amount_of[_i], &some_key, 1);
  for (size_t i = 0; i < a->size; i++)
    if (!(fabs(bnn_tensor_get(a, i) - 255 * bnn_tensor_get(b, i)) <= 0.5001))
      ck_abort_msg("%zu: %g and %g", i, bnn_tensor_get(a, i), 255 * bnn_tensor_get(b, i));
  bnn_tensor *all[] = {bytes, reals, a, b};
  for (size_t i = 0; i < 4; i++) bnn_tensor_unref(all[i]);
}
END_TEST

START_TEST(nothing_happens_at_no_amount_and_to_no_images) {
  bnn_tensor *x = some_images(BNN_REAL, 3), *none;
  bnn_tensor *y = shifted(x, (bnn_shift_kind)_i, _i == BNN_SHIFT_CONTRAST, &some_key, 1);
  ck_assert_ptr_ne(y->data, x->data);
  ck_assert_mem_eq(y->data, x->data, x->size * sizeof(bnn_real));
  static const size_t empty[][4] = {{0, 2, 9, 7}, {3, 0, 9, 7}, {3, 2, 0, 7}, {3, 2, 9, 0}};
  for (size_t i = 0; i < 4; i++) {
    none = tensor_of(BNN_U8, 4, empty[i], NULL);
    bnn_tensor *z = shifted(none, (bnn_shift_kind)_i, amount_of[_i], &some_key, 1);
    ck_tensor(z, BNN_U8, 4, empty[i], NULL);
    bnn_tensor_unref(none);
    bnn_tensor_unref(z);
  }
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

/* ---- NaN ---- */

START_TEST(a_nan_comes_out_where_its_pixel_goes) {
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(2, 9, 9), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, 0.25);
  bnn_tensor_set(x, 4 * 9 + 4, (double)NAN); /* the middle of the first image */
  bnn_tensor *y =
      shifted(x, (bnn_shift_kind)_i, _i == BNN_SHIFT_OCCLUDE ? 9 : amount_of[_i], &some_key, 1);
  size_t nans = 0;
  for (size_t i = 0; i < 81; i++) nans += isnan(bnn_tensor_get(y, i));
  if (_i == BNN_SHIFT_NOISE || _i == BNN_SHIFT_OCCLUDE)
    ck_assert_uint_eq(nans, 1);
  else if (_i == BNN_SHIFT_CONTRAST)
    ck_assert_uint_eq(nans, 81);
  else
    ck_assert_uint_ge(nans, 4);
  for (size_t i = 81; i < 162; i++) ck_assert(!isnan(bnn_tensor_get(y, i)));
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(what_is_wrong_is_named) {
  bnn_context *context;
  bnn_tensor *x = some_images(BNN_REAL, 3), *y = NULL, *bad;
  ck_succeeds(bnn_context_new(&context, 1, &err));
#define REFUSES(x, kind, amount, key, want, words) \
  ck_refuses(bnn_shift(&y, context, x, kind, amount, key, &err), want, words)
  REFUSES(x, BNN_SHIFT_NOISE, -1, &some_key, BNN_ERANGE,
          "std of noise: expected 0 to 1000, got -1");
  REFUSES(x, BNN_SHIFT_NOISE, (double)NAN, &some_key, BNN_ERANGE,
          "std of noise: expected 0 to 1000, got nan");
  REFUSES(x, BNN_SHIFT_CONTRAST, 1.5, NULL, BNN_ERANGE,
          "factor of contrast: expected 0 to 1, got 1.5");
  REFUSES(x, BNN_SHIFT_ROTATE, (double)INFINITY, NULL, BNN_ERANGE, "degrees of rotate: expected ");
  REFUSES(x, BNN_SHIFT_NOISE, 0.1, NULL, BNN_ERANGE, "noise: expected a key, got none");
  REFUSES(x, BNN_SHIFT_OCCLUDE, 2, NULL, BNN_ERANGE, "occlude: expected a key, got none");
  REFUSES(x, BNN_SHIFT_COUNT, 2, NULL, BNN_ERANGE, "there is no shift 6");
  bnn_tensor_set(x, 126 * 2 + 5, 1.5);
  REFUSES(x, BNN_SHIFT_BLUR, 1, NULL, BNN_ERANGE, "x: image 3: expected values 0 to 1, got 1.5");
  bnn_tensor_set(x, 126 * 2 + 5, -(double)INFINITY);
  REFUSES(x, BNN_SHIFT_BLUR, 1, NULL, BNN_ERANGE, "x: image 3: expected values 0 to 1, got -inf");
  bad = tensor_of(BNN_I32, DIMS(1, 2, 2), NULL);
  REFUSES(bad, BNN_SHIFT_BLUR, 1, NULL, BNN_ETYPE, "x: expected u8 or f");
  bnn_tensor_unref(bad);
  bad = tensor_of(BNN_U8, DIMS(2, 2), NULL);
  REFUSES(bad, BNN_SHIFT_BLUR, 1, NULL, BNN_ESHAPE,
          "x: expected [n, h, w] or [n, channels, h, w], got [2, 2]");
  bnn_tensor_unref(bad);
  bad = some_images(BNN_U8, 3);
  bnn_context_stop(context);
  REFUSES(bad, BNN_SHIFT_BLUR, 1, NULL, BNN_ESTOP, "while shifting 3 images");
#undef REFUSES
  ck_assert_ptr_null(y);
  bnn_tensor_unref(bad);
  bnn_tensor_unref(x);
  bnn_context_free(context);
  ck_assert_str_eq(bnn_shift_name(BNN_SHIFT_OCCLUDE), "occlude");
  ck_assert_ptr_null(bnn_shift_name(BNN_SHIFT_COUNT));
}
END_TEST

static bnn_status blur_some(void *arg, bnn_err *err) {
  bnn_context *context;
  BNN_TRY(bnn_context_new(&context, 1, err));
  bnn_tensor *y = NULL;
  bnn_status status = bnn_shift(&y, context, arg, BNN_SHIFT_BLUR, 1.5, NULL, err);
  bnn_tensor_unref(y);
  bnn_context_free(context);
  return status;
}

START_TEST(every_allocation_may_fail) {
  bnn_tensor *x = some_images(BNN_U8, 40);
  ck_survives_failing_allocations(blur_some, x);
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, turns_and_moves_are_those_done_by_hand);
  tcase_add_test(tests, a_blurred_point_is_a_gaussian);
  tcase_add_test(tests, blur_goes_on_beyond_the_edge_and_keeps_what_is_even);
  tcase_add_test(tests, noise_has_its_deviation_and_is_another_in_each_channel);
  tcase_add_test(tests, an_occlusion_is_one_square_within_the_image_the_same_in_all_channels);
  tcase_add_test(tests, a_key_turns_each_image_to_either_side);
  tcase_add_loop_test(tests, the_bits_depend_on_key_and_place_alone, 0, BNN_SHIFT_COUNT);
  tcase_add_loop_test(tests, bytes_and_reals_agree, 0, BNN_SHIFT_COUNT);
  tcase_add_loop_test(tests, nothing_happens_at_no_amount_and_to_no_images, 0, BNN_SHIFT_COUNT);
  tcase_add_loop_test(tests, a_nan_comes_out_where_its_pixel_goes, 0, BNN_SHIFT_COUNT);
  tcase_add_test(tests, what_is_wrong_is_named);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("shift", add_tests); }
