/* test_png.c - PNG images of every kind, good and bad, read; and images written. */
#include "formats/image_png.h"

#include <stdio.h>
#include <string.h>

#include "fuzz_png.c"
#include "support_files.h"

static const char *corpus_path(const char *file) {
  static char path[100];
  snprintf(path, sizeof path, "tests/corpus/png/%s", file);
  return path;
}

#ifdef BNN_HAVE_LIBPNG

static const struct {
  const char *file;
  size_t dim[3];
  double as_is[16], grey[8], rgb[12];
} good_row[] = {
    {"good_grey8", {2, 3, 1}, {0, 1, 2, 3, 4, 255}, {0, 1, 2, 3, 4, 255}, {0, 0, 0, 1, 1, 1}},
    {"good_grey1", {2, 3, 1}, {0, 255, 0, 255, 0, 255}, {0, 255}, {0, 0, 0, 255, 255, 255}},
    {"good_grey2", {2, 3, 1}, {0, 85, 170, 255, 0, 0}, {0, 85}, {0}},
    {"good_grey4", {2, 3, 1}, {0, 17, 34, 255, 0, 136}, {0, 17}, {0}},
    {"good_grey16", {1, 3, 1}, {0, 128, 255}, {0, 128, 255}, {0, 0, 0, 128, 128, 128}},
    {"good_grey_alpha", {1, 2, 2}, {10, 255, 10, 0}, {10, 255}, {10, 10, 10, 255, 255, 255}},
    {"good_rgb", {1, 2, 3}, {255, 0, 0, 0, 0, 255}, {76, 29}, {255, 0, 0, 0, 0, 255}},
    {"good_rgb16", {1, 1, 3}, {255, 0, 128}, {91}, {255, 0, 128}},
    {"good_rgba", {1, 2, 4}, {255, 0, 0, 255, 0, 0, 0, 128}, {76, 127}, {255, 0, 0, 127, 127, 127}},
    {"good_palette", {1, 3, 3}, {255, 0, 0, 0, 255, 0, 0, 0, 255}, {76, 150, 29}, {255, 0, 0}},
    {"good_palette_alpha",
     {1, 3, 4},
     {255, 0, 0, 255, 0, 255, 0, 0, 0, 0, 255, 255},
     {76, 255, 29},
     {255, 0, 0, 255, 255, 255, 0, 0, 255}},
    {"good_grey_trns", {1, 3, 2}, {0, 255, 7, 0, 255, 255}, {0, 255, 255}, {0, 0, 0, 255, 255}},
    {"good_text", {2, 3, 1}, {0, 1, 2, 3, 4, 255}, {0, 1, 2, 3, 4, 255}, {0, 0, 0, 1, 1, 1}},
};
enum { GOOD_COUNT = sizeof good_row / sizeof *good_row };

/* The first elements of x, as many as the row has room for and the image has. */
static void ck_first(const bnn_tensor *x, const double *want, size_t room, const char *what) {
  for (size_t i = 0; i < x->size && i < room; i++)
    ck_assert_msg(bnn_tensor_get(x, i) == want[i], "%s: %s [%zu] is %g, wanted %g",
                  good_row[0].file, what, i, bnn_tensor_get(x, i), want[i]);
}

START_TEST(every_kind_of_image_is_read) {
  const char *path = corpus_path(good_row[_i].file);
  const size_t *dim = good_row[_i].dim;
  size_t n = dim[0] * dim[1];
  bnn_tensor *x, *grey, *rgb;
  ck_succeeds(bnn_png_read(&x, path, BNN_PNG_AS_IS, &err));
  ck_succeeds(bnn_png_read(&grey, path, BNN_PNG_GREY, &err));
  ck_succeeds(bnn_png_read(&rgb, path, BNN_PNG_RGB, &err));
  ck_tensor(x, BNN_U8, 3, dim, good_row[_i].as_is);
  ck_tensor(grey, BNN_U8, DIMS(dim[0], dim[1]), NULL);
  ck_tensor(rgb, BNN_U8, DIMS(dim[0], dim[1], 3), NULL);
  ck_first(grey, good_row[_i].grey, n < 2 ? n : 2, "grey");
  ck_first(rgb, good_row[_i].rgb, 3, "rgb");
  bnn_tensor_unref(x);
  bnn_tensor_unref(grey);
  bnn_tensor_unref(rgb);
}
END_TEST

START_TEST(an_interlaced_image_is_put_together) {
  bnn_tensor *x;
  ck_succeeds(bnn_png_read(&x, corpus_path("good_interlaced"), BNN_PNG_GREY, &err));
  ck_tensor(x, BNN_U8, DIMS(5, 5), NULL);
  for (size_t i = 0; i < 25; i++) ck_assert(bnn_tensor_get(x, i) == (double)i);
  bnn_tensor_unref(x);
}
END_TEST

static const struct {
  const char *file, *words;
} bad_row[] = {
    {"bad_cut", "image: the file is cut short"},
    {"bad_no_end", "image: the file is cut short"},
    {"bad_rows", "image: "},
    {"bad_huge", "image: 32768 x 8192 pixels cannot come from "},
    {"bad_wide", "image: 40000 x 1 pixels, at most 32768 x 32768 and 268435456 in all are read"},
    {"bad_area", "image: 32768 x 16384 pixels, at most"},
    {"bad_zero", "image: Invalid IHDR data"},
    {"bad_depth", "image: Invalid IHDR data"},
    {"bad_color", "image: Invalid IHDR data"},
    {"bad_no_palette", "image: IDAT: Missing PLTE before IDAT"},
    {"bad_crc", "image: IHDR: CRC error"},
    {"bad_idat_crc", "image: "},
    {"bad_no_idat", "image: "},
    {"bad_gif", "image: starts with 47 49 46 38, a PNG with 89 50 4e 47"},
    {"bad_empty", "image: holds no data"},
    {"bad_short", "image: starts with 89 50 4e 00, a PNG with"},
    {"bad_filter", "image: bad adaptive filter value"},
};
enum { BAD_COUNT = sizeof bad_row / sizeof *bad_row };

START_TEST(what_is_wrong_with_an_image_is_said) {
  const char *path = corpus_path(bad_row[_i].file);
  bnn_tensor *x = NULL;
  bytes b = bytes_of_file(path);
  bnn_status status = bnn_png_parse(&x, b.p, b.n, "image", BNN_PNG_AS_IS, NULL);
  bnn_err fault;
  bnn_png_parse(&x, b.p, b.n, "image", BNN_PNG_AS_IS, &fault);
  free(b.p);
  ck_status(path, status, &fault, BNN_EDATA, bad_row[_i].words);
  ck_refuses(bnn_png_read(&x, path, BNN_PNG_GREY, &err), BNN_EDATA, path);
  ck_assert_ptr_null(x);
}
END_TEST

START_TEST(memory_follows_the_data_and_not_the_header) {
  bnn_tensor *x = NULL;
  size_t before = bnn_mem_peak(), bound = 1000000;
  ck_refuses(bnn_png_read(&x, corpus_path("bad_huge"), BNN_PNG_RGB, &err), BNN_EDATA, "pixels");
  ck_assert_uint_le(bnn_mem_peak(), before > bound ? before : bound);
}
END_TEST

START_TEST(what_can_not_be_opened_is_refused_with_the_systems_word) {
  bnn_tensor *x = NULL, *y = tensor_of(BNN_U8, DIMS(1, 1), NULL);
  ck_refuses(bnn_png_read(&x, path_of("no.png"), BNN_PNG_GREY, &err), BNN_EIO,
             "no.png: No such file or directory");
  ck_refuses(bnn_png_write(path_of("no/x.png"), y, &err), BNN_EIO, "no/x.png: No such file");
  bnn_tensor_unref(y);
}
END_TEST

/* ---- writing ---- */

START_TEST(what_is_written_is_read_back) {
  static const struct {
    int rank;
    size_t dim[3];
  } shape[] = {{2, {5, 7}},    {3, {5, 7, 1}}, {3, {5, 7, 2}}, {3, {5, 7, 3}},
               {3, {5, 7, 4}}, {2, {1, 1}},    {2, {1, 300}}};
  for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
    size_t n = shape[k].dim[0] * shape[k].dim[1], c = shape[k].rank == 3 ? shape[k].dim[2] : 1;
    bnn_tensor *x, *y;
    ck_succeeds(bnn_tensor_new(&x, BNN_U8, shape[k].rank, shape[k].dim, &err));
    for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)(i * 37 % 256));
    ck_succeeds(bnn_png_write(path_of("x.png"), x, &err));
    ck_succeeds(bnn_png_read(&y, path_of("x.png"), BNN_PNG_AS_IS, &err));
    ck_tensor(y, BNN_U8, DIMS(shape[k].dim[0], shape[k].dim[1], c), NULL);
    ck_assert_int_eq(memcmp(x->data, y->data, n * c), 0);
    bnn_tensor_unref(x);
    bnn_tensor_unref(y);
  }
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_strided_image_is_written_as_it_looks) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(2, 3), NULL), *turned, *y;
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  ck_succeeds(bnn_png_write(path_of("x.png"), turned, &err));
  ck_succeeds(bnn_png_read(&y, path_of("x.png"), BNN_PNG_GREY, &err));
  ck_tensor(y, BNN_U8, DIMS(3, 2), VALUES(0, 3, 1, 4, 2, 5));
  bnn_tensor_unref(x);
  bnn_tensor_unref(turned);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(what_is_no_image_is_not_written) {
  static const struct {
    bnn_dtype dtype;
    int rank;
    size_t dim[4];
    bnn_status want;
    const char *words;
  } row[] = {
      {BNN_F32, 2, {2, 2}, BNN_ETYPE, "x.png: expected an image of u8, got f32"},
      {BNN_U8, 1, {2}, BNN_ESHAPE, "x.png: expected an image [h, w] or [h, w, 1 to 4], got [2]"},
      {BNN_U8,
       3,
       {2, 2, 5},
       BNN_ESHAPE,
       "expected an image [h, w] or [h, w, 1 to 4], got [2, 2, 5]"},
      {BNN_U8,
       4,
       {1, 2, 2, 1},
       BNN_ESHAPE,
       "expected an image [h, w] or [h, w, 1 to 4], got [1, 2, 2, 1]"},
      {BNN_U8, 2, {0, 2}, BNN_ESHAPE, "expected an image [h, w] or [h, w, 1 to 4], got [0, 2]"},
      {BNN_U8, 2, {1, 32769}, BNN_ESHAPE, "at most 32768 x 32768"},
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_tensor *x;
    ck_succeeds(bnn_tensor_new(&x, row[k].dtype, row[k].rank, row[k].dim, &err));
    ck_refuses(bnn_png_write(path_of("x.png"), x, &err), row[k].want, row[k].words);
    bnn_tensor_unref(x);
  }
  ck_assert_int_eq(files_in_folder(), 0);
}
END_TEST

START_TEST(images_are_added_one_behind_the_other) {
  bnn_bytes b = {.p = NULL};
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(2, 3), NULL), *bad = tensor_of(BNN_U8, DIMS(3), NULL);
  ck_succeeds(bnn_png_encode(&b, x, &err));
  size_t n = b.n;
  ck_refuses(bnn_png_encode(&b, bad, &err), BNN_ESHAPE, "[3]");
  ck_assert_uint_eq(b.n, n);
  ck_succeeds(bnn_png_encode(&b, x, &err));
  ck_assert(b.n == 2 * n && memcmp(b.p, b.p + n, n) == 0);
  bnn_bytes_free(&b);
  bnn_tensor_unref(x);
  bnn_tensor_unref(bad);
}
END_TEST

/* ---- damage, memory ---- */

START_TEST(a_good_image_may_be_cut_and_changed_anywhere) {
  replay_damaged(bytes_of_file(corpus_path(good_row[_i].file)), LLVMFuzzerTestOneInput);
}
END_TEST

START_TEST(the_corpus_replays) {
  ck_assert_int_gt(replay("tests/corpus/png", LLVMFuzzerTestOneInput), 30);
}
END_TEST

static bnn_status read_and_drop(void *path, bnn_err *err) {
  bnn_tensor *x;
  BNN_TRY(bnn_png_read(&x, path, BNN_PNG_GREY, err));
  bnn_tensor_unref(x);
  BNN_TRY(bnn_png_read(&x, path, BNN_PNG_AS_IS, err));
  bnn_tensor_unref(x);
  return BNN_OK;
}

static bnn_status write_turned(void *x, bnn_err *err) {
  bnn_tensor *turned;
  BNN_TRY(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, err));
  bnn_status status = bnn_png_write(path_of("x.png"), turned, err);
  bnn_tensor_unref(turned);
  return status;
}

START_TEST(every_allocation_may_fail) {
  char path[100];
  for (int k = 0; k < GOOD_COUNT; k++) {
    snprintf(path, sizeof path, "%s", corpus_path(good_row[k].file));
    ck_survives_failing_allocations(read_and_drop, path);
  }
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(20, 30), NULL);
  ck_survives_failing_allocations(write_turned, x);
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, every_kind_of_image_is_read, 0, GOOD_COUNT);
  tcase_add_test(tests, an_interlaced_image_is_put_together);
  tcase_add_loop_test(tests, what_is_wrong_with_an_image_is_said, 0, BAD_COUNT);
  tcase_add_test(tests, memory_follows_the_data_and_not_the_header);
  tcase_add_test(tests, what_can_not_be_opened_is_refused_with_the_systems_word);
  tcase_add_test(tests, what_is_written_is_read_back);
  tcase_add_test(tests, a_strided_image_is_written_as_it_looks);
  tcase_add_test(tests, what_is_no_image_is_not_written);
  tcase_add_test(tests, images_are_added_one_behind_the_other);
  tcase_add_loop_test(tests, a_good_image_may_be_cut_and_changed_anywhere, 0, GOOD_COUNT);
  tcase_add_test(tests, the_corpus_replays);
  tcase_add_test(tests, every_allocation_may_fail);
}

#else

START_TEST(a_build_without_libpng_says_so) {
  bnn_tensor *x = NULL, *y = tensor_of(BNN_U8, DIMS(1, 1), NULL);
  const char *path = corpus_path("good_rgb");
  ck_refuses(bnn_png_read(&x, path, BNN_PNG_GREY, &err), BNN_EIO, "was built without libpng");
  ck_refuses(bnn_png_write("x.png", y, &err), BNN_EIO, "x.png: this program was built without");
  ck_assert_ptr_null(bnn_png_version());
  ck_assert_int_gt(replay("tests/corpus/png", LLVMFuzzerTestOneInput), 0);
  bnn_tensor_unref(y);
}
END_TEST

static void add_tests(TCase *tests) { tcase_add_test(tests, a_build_without_libpng_says_so); }

#endif

int main(void) { return run_suite("png", add_tests); }
