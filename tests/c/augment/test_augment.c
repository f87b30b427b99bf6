/* test_augment.c - augmented rows: pixels from other places, noise, mixed examples, refusals. */
#include "augment/augment.h"

#include <math.h>
#include <string.h>

#include "batches/batch.h"
#include "support.h"

enum { H = 3, W = 4, PIXELS = H * W, N = 64 };

static const bnn_feeds feeds = {2, {{"x", BNN_FEED_X, 0}, {"y", BNN_FEED_Y, 1}}};

static bnn_augment *augment_of(const bnn_augment_item *items, size_t n, size_t classes) {
  bnn_augment *a = NULL;
  ck_succeeds(bnn_augment_new(&a, items, n, classes, &err));
  return a;
}

static bnn_augment_item item(const char *name, double amount) {
  const bnn_augmentation *kind = bnn_augmentation_find(name);
  ck_assert_ptr_nonnull(kind);
  return (bnn_augment_item){.kind = kind, .amount = amount};
}

/* n images whose pixels are 1, 2, ... */
static bnn_tensor *images(bnn_dtype dtype, size_t n) {
  bnn_tensor *x = tensor_of(dtype, DIMS(n, H, W), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)(i % PIXELS + 1));
  return x;
}

/* Pixel (y, x) of the images above; 0 outside. */
static double pixel(int y, int x) { return y < 0 || x < 0 || y >= H || x >= W ? 0 : y * W + x + 1; }

/* ---- resampling ---- */

static void resampled(double out[PIXELS], bnn_dtype dtype, bnn_affine map, bnn_edge edge) {
  bnn_tensor *x = images(dtype, 1);
  const bnn_plane plane = {x->data, dtype, H, W};
  bnn_real line[W];
  for (size_t y = 0; y < H; y++) {
    for (size_t from = 0; from < W; from += 3) /* a line in pieces */
      bnn_resample(line + from, &plane, &map, edge, y, from, from + 3 > W ? W - from : 3);
    for (size_t k = 0; k < W; k++) out[y * W + k] = (double)line[k] * (dtype == BNN_U8 ? 255 : 1);
  }
  bnn_tensor_unref(x);
}

/* Every move by whole pixels, beyond the image too, mirrored or not. */
START_TEST(whole_moves_take_the_pixels_as_they_are) {
  const bnn_dtype dtype = _i == 0 ? BNN_U8 : BNN_REAL;
  double out[PIXELS];
  for (int dy = -5; dy <= 5; dy++)
    for (int dx = -6; dx <= 6; dx++)
      for (int sign = -1; sign <= 1; sign += 2) {
        resampled(out, dtype, (bnn_affine){.yy = 1, .xx = sign, .ty = dy, .tx = dx}, BNN_EDGE_ZERO);
        for (int i = 0; i < PIXELS; i++) {
          const int from_x = (sign < 0 ? W - 1 - i % W : i % W) + dx;
          ck_assert_double_eq_tol(out[i], pixel(i / W + dy, from_x), 1e-5);
        }
      }
}
END_TEST

START_TEST(an_edge_is_repeated_or_reflected) {
  static const struct {
    bnn_edge edge;
    double dx, want[W];
  } row[] = {
      {BNN_EDGE_REPEAT, -2, {1, 1, 1, 2}},  {BNN_EDGE_REPEAT, 9, {4, 4, 4, 4}},
      {BNN_EDGE_REFLECT, -2, {3, 2, 1, 2}}, {BNN_EDGE_REFLECT, 2, {3, 4, 3, 2}},
      {BNN_EDGE_REFLECT, 6, {1, 2, 3, 4}},  {BNN_EDGE_REFLECT, -7, {2, 1, 2, 3}},
      {BNN_EDGE_ZERO, -2, {0, 0, 1, 2}},
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    double out[PIXELS];
    resampled(out, BNN_REAL, (bnn_affine){.yy = 1, .xx = 1, .tx = row[k].dx}, row[k].edge);
    for (int i = 0; i < W; i++)
      ck_assert_msg(out[i] == row[k].want[i], "row %zu: %g at %d", k, out[i], i);
  }
}
END_TEST

/* Half a pixel to the right and a quarter down: the means of neighbours, of which those outside are
 * 0. */
START_TEST(between_pixels_values_are_interpolated) {
  const bnn_dtype dtype = _i == 0 ? BNN_U8 : BNN_REAL;
  double out[PIXELS];
  resampled(out, dtype, (bnn_affine){.yy = 1, .xx = 1, .ty = 0.25, .tx = 0.5}, BNN_EDGE_ZERO);
  for (int i = 0; i < PIXELS; i++) {
    const int y = i / W, x = i % W;
    const double above = (pixel(y, x) + pixel(y, x + 1)) / 2,
                 below = (pixel(y + 1, x) + pixel(y + 1, x + 1)) / 2;
    ck_assert_double_eq_tol(out[i], 0.75 * above + 0.25 * below, 1e-4);
  }
}
END_TEST

/* Turned, stretched and moved in many ways, beside the sum over all pixels of their weights. */
START_TEST(any_map_takes_the_mean_of_the_four_pixels_about_a_place) {
  const bnn_dtype dtype = _i == 0 ? BNN_U8 : BNN_REAL;
  for (uint64_t k = 0; k < 200; k++) {
    double m[6], out[PIXELS];
    for (uint64_t j = 0; j < 6; j++)
      m[j] = 3 * bnn_augment_uniform(bnn_key_split(bnn_key_new(8), k), j) - 1.5;
    resampled(out, dtype,
              (bnn_affine){.yy = m[0], .yx = m[1], .ty = m[2], .xy = m[3], .xx = m[4], .tx = m[5]},
              BNN_EDGE_ZERO);
    for (int i = 0; i < PIXELS; i++) {
      const double v = i / W - (H - 1) / 2.0, u = i % W - (W - 1) / 2.0;
      const double y = (H - 1) / 2.0 + m[0] * v + m[1] * u + m[2],
                   x = (W - 1) / 2.0 + m[3] * v + m[4] * u + m[5];
      double want = 0;
      for (int j = 0; j < PIXELS; j++)
        want += fmax(0, 1 - fabs(y - j / W)) * fmax(0, 1 - fabs(x - j % W)) * pixel(j / W, j % W);
      ck_assert_double_eq_tol(out[i], want, 1e-4);
    }
  }
}
END_TEST

/* Twice by 45 degrees is once by 90, as maps. */
START_TEST(maps_are_composed_in_their_order) {
  const double r = sqrt(0.5);
  const bnn_affine turn = {.yy = r, .yx = r, .xy = -r, .xx = r}, move = {.yy = 1, .xx = 1, .ty = 2};
  const bnn_affine twice = bnn_affine_after(&turn, &turn);
  ck_assert_double_eq_tol(twice.yy, 0, 1e-15);
  ck_assert_double_eq_tol(twice.yx, 1, 1e-15);
  const bnn_affine both = bnn_affine_after(&turn, &move); /* the place is moved, then turned */
  ck_assert_double_eq_tol(both.ty, 2 * r, 1e-15);
  ck_assert_double_eq_tol(both.tx, -2 * r, 1e-15);
}
END_TEST

/* ---- what is drawn ---- */

START_TEST(shifts_and_crops_are_whole_and_reach_both_ends) {
  const bnn_augmentation *kind = bnn_augmentation_find(_i == 0 ? "shift" : "crop");
  int seen[5][5] = {{0}};
  for (uint64_t i = 0; i < 2500; i++) {
    const bnn_affine m = kind->move(2, bnn_key_split(bnn_key_new(1), i));
    ck_assert(m.ty == rint(m.ty) && fabs(m.ty) <= 2 && m.tx == rint(m.tx) && fabs(m.tx) <= 2);
    seen[(int)m.ty + 2][(int)m.tx + 2]++;
  }
  for (int i = 0; i < 25; i++) /* 100 expected, 4 sigma = 40 */
    ck_assert_int_lt(abs(seen[i / 5][i % 5] - 100), 40);
  ck_assert(kind->move(0, bnn_key_new(1)).tx == 0);
}
END_TEST

START_TEST(angles_and_flips_have_their_range_and_mean) {
  const bnn_augmentation *rotate = bnn_augmentation_find("rotate"),
                         *flip = bnn_augmentation_find("flip");
  double sum = 0, most = 0;
  int flipped = 0;
  for (uint64_t i = 0; i < 4000; i++) {
    const bnn_key key = bnn_key_split(bnn_key_new(2), i);
    const bnn_affine m = rotate->move(30, key);
    ck_assert_double_eq_tol(m.yy * m.xx - m.yx * m.xy, 1, 1e-12);
    const double degrees = atan2(m.yx, m.yy) * 180 / acos(-1);
    sum += degrees;
    if (fabs(degrees) > most) most = fabs(degrees);
    flipped += flip->move(0.3, key).xx < 0;
  }
  ck_assert(most <= 30.0001 && most > 29);
  ck_assert(fabs(sum / 4000) < 4 * 30 / sqrt(3) / sqrt(4000));     /* 4 sigma / sqrt n */
  ck_assert(fabs(flipped / 4000.0 - 0.3) < 4 * sqrt(0.21 / 4000)); /* the same */
  ck_assert(flip->move(0, bnn_key_new(1)).xx == 1 && flip->move(1, bnn_key_new(1)).xx == -1);
}
END_TEST

/* Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2 a + 1)). */
START_TEST(shares_are_of_a_beta_distribution) {
  static const double alphas[] = {0.001, 0.1, 0.5, 1, 4, 1000};
  const double alpha = alphas[_i], variance = 1 / (4 * (2 * alpha + 1));
  enum { DRAWS = 20000 };
  double sum = 0, squares = 0;
  for (uint64_t i = 0; i < DRAWS; i++) {
    double s = bnn_augmentation_find("mixup")->share(alpha, bnn_key_split(bnn_key_new(3), i));
    ck_assert(s >= 0 && s <= 1);
    sum += s - 0.5;
    squares += (s - 0.5) * (s - 0.5);
  }
  ck_assert(fabs(sum / DRAWS) < 4 * sqrt(variance / DRAWS));
  /* (s - 1/2)^2 is at most 1/4 and of variance at most its mean / 4 */
  ck_assert(fabs(squares / DRAWS - variance) < 4 * sqrt(variance / 4 / DRAWS));
}
END_TEST

START_TEST(noise_is_normal_and_a_function_of_the_place_of_an_element) {
  const bnn_augmentation *kind = bnn_augmentation_find("noise");
  enum { SIZE = 1000 };
  bnn_real whole[SIZE] = {0}, parts[SIZE] = {0};
  kind->add(whole, 0, SIZE, 0.5, bnn_key_new(4));
  for (size_t i = 0; i < SIZE; i += 7)
    kind->add(parts + i, i, i + 7 > SIZE ? SIZE - i : 7, 0.5, bnn_key_new(4));
  ck_assert_mem_eq(whole, parts, sizeof whole);
  double squares = 0;
  for (int i = 0; i < SIZE; i++) squares += (double)(whole[i] * whole[i]);
  ck_assert(fabs(squares / SIZE - 0.25) < 4 * 0.25 * sqrt(2.0 / SIZE));
}
END_TEST

/* ---- batches ---- */

static bnn_real *gathered(const bnn_batch *batch, size_t width, size_t block) {
  bnn_real *out = malloc(batch->count * width * sizeof *out);
  for (size_t from = 0; from < batch->count; from += block)
    bnn_batch_gather(out + from * width, BNN_REAL, batch, 0, from,
                     from + block > batch->count ? batch->count - from : block);
  return out;
}

/* Whether and how a batch is cut into blocks changes no bit; another key does. */
START_TEST(rows_are_a_function_of_the_key_and_their_place) {
  const bnn_augment_item items[] = {item("shift", 1), item("rotate", 20), item("flip", 0.5),
                                    item("noise", 0.1), item("mixup", 1)};
  bnn_augment *a = augment_of(items, 5, 0);
  bnn_tensor *x = images(_i == 0 ? BNN_U8 : BNN_REAL, N);
  bnn_batch batch = {.data = bnn_sources_of(x, NULL, NULL),
                     .count = N,
                     .augment = a,
                     .augment_key = bnn_key_new(5)};
  ck_succeeds(bnn_batch_check_rows(&batch, &feeds, &err));
  bnn_real *whole = gathered(&batch, PIXELS, N), *blocks = gathered(&batch, PIXELS, 5);
  ck_assert_mem_eq(whole, blocks, N * PIXELS * sizeof *whole);
  batch.augment_key = bnn_key_new(6);
  bnn_real *other = gathered(&batch, PIXELS, N);
  ck_assert(memcmp(whole, other, N * PIXELS * sizeof *whole) != 0);
  free(whole), free(blocks), free(other);
  bnn_tensor_unref(x);
  bnn_augment_free(a);
}
END_TEST

START_TEST(channels_of_an_image_move_as_one) {
  const bnn_augment_item items[] = {item("shift", 1), item("rotate", 90)};
  bnn_augment *a = augment_of(items, 2, 0);
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(N, 2, H, W), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)(i % PIXELS + 1));
  const bnn_batch batch = {.data = bnn_sources_of(x, NULL, NULL),
                           .count = N,
                           .augment = a,
                           .augment_key = bnn_key_new(5)};
  bnn_real *out = gathered(&batch, (size_t)2 * PIXELS, N);
  for (size_t i = 0; i < N; i++)
    ck_assert_mem_eq(out + 2 * i * PIXELS, out + (2 * i + 1) * PIXELS, PIXELS * sizeof *out);
  free(out);
  bnn_tensor_unref(x);
  bnn_augment_free(a);
}
END_TEST

/* Row i of x is all i, so that a mixed row says which two were mixed and how; labels agree. */
START_TEST(mixed_rows_and_targets_agree) {
  const bnn_augment_item items[] = {item("mixup", 1)};
  bnn_augment *a = augment_of(items, 1, N);
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(N, 5), NULL), *y = tensor_of(BNN_I32, DIMS(N), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)(i / 5));
  for (size_t i = 0; i < N; i++) bnn_tensor_set(y, i, (double)i);
  const bnn_batch batch = {.data = bnn_sources_of(x, y, NULL),
                           .mixed = 1,
                           .count = N,
                           .augment = a,
                           .augment_key = bnn_key_new(7)};
  ck_succeeds(bnn_batch_check_rows(&batch, &feeds, &err));
  bnn_real *out = gathered(&batch, 5, N), *shares = malloc(sizeof *shares * N * N);
  bnn_batch_gather(shares, BNN_REAL, &batch, 1, 0, N);
  size_t taken[N] = {0};
  for (size_t i = 0; i < N; i++) {
    const size_t other = bnn_augment_partner(a, batch.augment_key, i, N);
    ck_assert(other != i && other < N);
    taken[other]++;
    double sum = 0, mean = 0;
    for (size_t k = 0; k < N; k++) {
      sum += (double)shares[i * N + k];
      mean += (double)shares[i * N + k] * (double)k;
      ck_assert(k == i || k == other || shares[i * N + k] == 0);
    }
    ck_assert_double_eq_tol(sum, 1, 1e-6);
    ck_assert_double_eq_tol(mean, (double)out[i * 5], 1e-4);
  }
  for (size_t i = 0; i < N; i++) ck_assert_uint_eq(taken[i], 1);
  free(out), free(shares);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_augment_free(a);
}
END_TEST

/* With shares s of the inputs, s w / W of the targets, and W = s w + (1 - s) w': W times the targets'
 * shares are what either example's weight has of it. */
START_TEST(weights_are_mixed_with_their_targets) {
  const bnn_augment_item items[] = {item("mixup", 1)};
  bnn_augment *a = augment_of(items, 1, N);
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(N, 5), NULL), *y = tensor_of(BNN_I32, DIMS(N), NULL),
             *w = tensor_of(BNN_REAL, DIMS(N), NULL);
  for (size_t i = 0; i < N; i++) bnn_tensor_set(y, i, (double)i), bnn_tensor_set(w, i, i % 3);
  const bnn_batch batch = {.data = bnn_sources_of(x, y, w),
                           .mixed = 1,
                           .weights = 2,
                           .count = N,
                           .augment = a,
                           .augment_key = bnn_key_new(7)};
  ck_succeeds(bnn_batch_check_rows(&batch, &feeds, &err));
  bnn_real *shares = malloc(sizeof *shares * N * N), *weight = malloc(sizeof *weight * N);
  bnn_batch_gather(shares, BNN_REAL, &batch, 1, 0, N);
  bnn_batch_gather(weight, BNN_REAL, &batch, 2, 0, N);
  for (size_t i = 0; i < N; i++) {
    const size_t j = bnn_augment_partner(a, batch.augment_key, i, N);
    const bnn_augment_example own = {i, i}, other = {j, j};
    const double s = bnn_augment_share(a, batch.augment_key, own, other);
    const double of_own = s * (double)(i % 3), of_other = (1 - s) * (double)(j % 3);
    ck_assert_double_eq_tol((double)weight[i], of_own + of_other, 1e-5);
    ck_assert_double_eq_tol((double)(weight[i] * shares[i * N + i]), of_own, 1e-5);
    ck_assert_double_eq_tol((double)(weight[i] * shares[i * N + j]), of_other, 1e-5);
    ck_assert_double_eq_tol((double)(shares[i * N + i] + shares[i * N + j]), 1, 1e-5);
  }
  free(shares), free(weight);
  bnn_tensor_unref(x), bnn_tensor_unref(y), bnn_tensor_unref(w);
  bnn_augment_free(a);
}
END_TEST

START_TEST(a_batch_of_one_is_not_mixed) {
  const bnn_augment_item items[] = {item("mixup", 1)};
  bnn_augment *a = augment_of(items, 1, 2);
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(1, 2), VALUES(3, 4)),
             *y = tensor_of(BNN_I32, DIMS(1), VALUES(1));
  const bnn_batch batch = {.data = bnn_sources_of(x, y, NULL),
                           .mixed = 1,
                           .count = 1,
                           .augment = a,
                           .augment_key = bnn_key_new(7)};
  bnn_real out[2];
  bnn_batch_gather(out, BNN_REAL, &batch, 0, 0, 1);
  ck_assert(out[0] == 3 && out[1] == 4);
  bnn_batch_gather(out, BNN_REAL, &batch, 1, 0, 1);
  ck_assert(out[0] == 0 && out[1] == 1);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_augment_free(a);
}
END_TEST

/* ---- refusals ---- */

static void ck_refused(const bnn_augment_item *items, size_t n, const char *words) {
  bnn_augment *a = NULL;
  ck_refuses(bnn_augment_new(&a, items, n, 0, &err), BNN_ERANGE, words);
  ck_assert_ptr_null(a);
}

START_TEST(lists_out_of_order_or_range_are_refused) {
  const bnn_augment_item late[] = {item("noise", 1), item("flip", 1)},
                         twice[] = {item("mixup", 1), item("mixup", 1)},
                         half[] = {item("shift", 1.5)}, low[] = {item("mixup", 0)},
                         nan[] = {item("rotate", NAN)};
  ck_refused(late, 2, "expected flip before noise");
  ck_refused(twice, 2, "expected one mixup, got two");
  ck_refused(half, 1, "shift: pixels: expected an integer from 0 to 10000, got 1.5");
  ck_refused(low, 1, "mixup: alpha: expected a number from 0.001 to 1000, got 0");
  ck_refused(nan, 1, "got nan");
  ck_assert_ptr_null(bnn_augmentation_find("turn"));
}
END_TEST

START_TEST(tensors_that_cannot_be_augmented_are_refused) {
  const bnn_augment_item moves[] = {item("flip", 1)}, mixes[] = {item("mixup", 1)};
  bnn_augment *move = augment_of(moves, 1, 0), *mix = augment_of(mixes, 1, 3),
              *no_classes = augment_of(mixes, 1, 0);
  bnn_tensor *rows = tensor_of(BNN_REAL, DIMS(2, 12), NULL),
             *tokens = tensor_of(BNN_I32, DIMS(2, 3, 4), NULL),
             *labels = tensor_of(BNN_I32, DIMS(2), VALUES(0, 3)),
             *bytes = tensor_of(BNN_U8, DIMS(2), NULL);
  ck_refuses(bnn_augment_check(move, rows, NULL, &err), BNN_ESHAPE,
             "x: expected images [n, h, w] or [n, channels, h, w], got [2, 12]");
  ck_refuses(bnn_augment_check(move, tokens, NULL, &err), BNN_ETYPE, "got i32");
  ck_refuses(bnn_augment_check(mix, rows, bytes, &err), BNN_ETYPE, "y: expected labels i32");
  ck_refuses(bnn_augment_check(mix, rows, tokens, &err), BNN_ESHAPE, "expected labels [n]");
  ck_refuses(bnn_augment_check(no_classes, rows, labels, &err), BNN_ERANGE, "number of classes");
  const bnn_batch batch = {
      .data = bnn_sources_of(rows, labels, NULL), .mixed = 1, .count = 2, .augment = mix};
  ck_refuses(bnn_batch_check_rows(&batch, &feeds, &err), BNN_ERANGE, "label 3 is outside 0..2");
  bnn_shape want = bnn_shape_of(rows);
  ck_refuses(bnn_batch_check_source(&batch, 1, &want, "y", &err), BNN_ESHAPE,
             "3 mixed targets a row");
  bnn_tensor *all[] = {rows, tokens, labels, bytes};
  for (int i = 0; i < 4; i++) bnn_tensor_unref(all[i]);
  bnn_augment_free(move), bnn_augment_free(mix), bnn_augment_free(no_classes);
}
END_TEST

static bnn_status make(void *arg, bnn_err *err) {
  bnn_augment *a = NULL;
  const bnn_status status = bnn_augment_new(&a, arg, 1, 0, err);
  bnn_augment_free(a);
  return status;
}

START_TEST(memory_that_is_out_is_an_error) {
  bnn_augment_item items[] = {item("flip", 1)};
  ck_survives_failing_allocations(make, items);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, whole_moves_take_the_pixels_as_they_are, 0, 2);
  tcase_add_test(tests, an_edge_is_repeated_or_reflected);
  tcase_add_loop_test(tests, between_pixels_values_are_interpolated, 0, 2);
  tcase_add_loop_test(tests, any_map_takes_the_mean_of_the_four_pixels_about_a_place, 0, 2);
  tcase_add_test(tests, maps_are_composed_in_their_order);
  tcase_add_loop_test(tests, shifts_and_crops_are_whole_and_reach_both_ends, 0, 2);
  tcase_add_test(tests, angles_and_flips_have_their_range_and_mean);
  tcase_add_loop_test(tests, shares_are_of_a_beta_distribution, 0, 6);
  tcase_add_test(tests, noise_is_normal_and_a_function_of_the_place_of_an_element);
  tcase_add_loop_test(tests, rows_are_a_function_of_the_key_and_their_place, 0, 2);
  tcase_add_test(tests, channels_of_an_image_move_as_one);
  tcase_add_test(tests, mixed_rows_and_targets_agree);
  tcase_add_test(tests, weights_are_mixed_with_their_targets);
  tcase_add_test(tests, a_batch_of_one_is_not_mixed);
  tcase_add_test(tests, lists_out_of_order_or_range_are_refused);
  tcase_add_test(tests, tensors_that_cannot_be_augmented_are_refused);
  tcase_add_test(tests, memory_that_is_out_is_an_error);
}

int main(void) { return run_suite("augment", add_tests); }
