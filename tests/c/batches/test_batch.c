/* test_batch.c - gathering rows of a data set: bytes to reals, permutations, refusals. */
#include "batches/batch.h"

#include <string.h>

#include "support.h"

enum { N = 5, WIDTH = 6 };

static const bnn_feeds feeds = {
    3, {{"x", BNN_FEED_X, 0}, {"y", BNN_FEED_Y, 1}, {"weight", BNN_FEED_WEIGHT, 2}}};

/* Rows [from, from + n) of the first source as a tensor of `dtype`, [n, ...] as the source. */
static bnn_tensor *gathered(bnn_dtype dtype, const bnn_batch *batch, size_t from, size_t n) {
  const bnn_tensor *source = batch->data.tensor[0];
  size_t dim[BNN_RANK_MAX];
  memcpy(dim, source->dim, sizeof dim);
  dim[0] = n;
  bnn_tensor *out = tensor_of(dtype, source->rank, dim, NULL);
  bnn_batch_gather(out->data, dtype, batch, 0, from, n);
  return out;
}

/* Every byte, correctly rounded. */
START_TEST(a_byte_becomes_its_255th_part) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(2, 128), NULL);
  bnn_batch batch = {.data = bnn_sources_of(x, NULL, NULL), .count = 2};
  bnn_tensor *y = gathered(BNN_REAL, &batch, 0, 2);
  for (int i = 0; i < 256; i++)
    ck_assert_msg(bnn_tensor_real(y)[i] == (bnn_real)(i / 255.0), "byte %d", i);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(other_types_are_copied_as_they_are) {
  static const bnn_dtype dtype[] = {BNN_REAL, BNN_I32, BNN_I64, BNN_U64, BNN_U8};
  for (size_t k = 0; k < sizeof dtype / sizeof *dtype; k++) {
    bnn_tensor *x = tensor_of(dtype[k], DIMS(3, 2), VALUES(9, 1, 250, 3, 7, 200));
    bnn_batch batch = {.data = bnn_sources_of(x, NULL, NULL), .from = 1, .count = 2};
    bnn_tensor *y = gathered(dtype[k], &batch, 0, 2);
    ck_tensor(y, dtype[k], DIMS(2, 2), VALUES(250, 3, 7, 200));
    bnn_tensor_unref(x);
    bnn_tensor_unref(y);
  }
}
END_TEST

/* Row r of the source holds r, r, ...: where each row of a batch must come from. */
static bnn_tensor *numbered_rows(bnn_dtype dtype) {
  bnn_tensor *x = tensor_of(dtype, DIMS(N, 2, 3), NULL);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)(i / WIDTH));
  return x;
}

START_TEST(rows_come_in_the_order_of_a_permutation) {
  static const int32_t order[] = {4, 1, 5, 5, 2, 3};
  static const struct {
    const int32_t *rows;
    size_t batch_from, batch_count, from, n;
    double want[N];
  } row[] = {
      {NULL, 0, 5, 0, 5, {0, 1, 2, 3, 4}},
      {NULL, 2, 3, 0, 3, {2, 3, 4}},
      {NULL, 2, 3, 1, 2, {3, 4}},
      {order, 0, 6, 0, 3, {3, 0, 4}},
      {order, 1, 5, 2, 3, {4, 1, 2}},
      {order, 5, 1, 0, 1, {2}},
      {order, 0, 6, 6, 0, {0}},
      {NULL, 5, 0, 0, 0, {0}},
  };
  const bnn_dtype dtype = _i ? BNN_I32 : BNN_U8;
  bnn_tensor *x = numbered_rows(dtype);
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_batch batch = {.data = bnn_sources_of(x, NULL, NULL),
                       .rows = row[k].rows,
                       .from = row[k].batch_from,
                       .count = row[k].batch_count};
    ck_succeeds(bnn_batch_check_rows(&batch, &feeds, &err));
    bnn_tensor *y = gathered(dtype, &batch, row[k].from, row[k].n);
    for (size_t i = 0; i < row[k].n * WIDTH; i++)
      ck_assert_msg(bnn_tensor_get(y, i) == row[k].want[i / WIDTH], "row %zu, element %zu", k, i);
    bnn_tensor_unref(y);
  }
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(gathering_writes_its_rows_only) {
  bnn_tensor *x = numbered_rows(BNN_U8);
  bnn_real out[4 * WIDTH];
  bnn_batch batch = {.data = bnn_sources_of(x, NULL, NULL), .count = N};
  for (int i = 0; i < 4 * WIDTH; i++) out[i] = -1;
  bnn_batch_gather(out + WIDTH, BNN_REAL, &batch, 0, 3, 2);
  for (int i = 0; i < 4 * WIDTH; i++) ck_assert((out[i] == -1) == (i < WIDTH || i >= 3 * WIDTH));
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(a_source_fits_by_its_type_and_the_size_of_a_row) {
  static const struct {
    bnn_dtype source, want;
    int rank;
    size_t dim[3];
    int want_rank;
    size_t want_dim[3];
    bnn_status status;
    const char *words;
  } row[] = {
      {BNN_U8, BNN_REAL, 3, {9, 2, 3}, 2, {5, 6}, BNN_OK, ""},
      {BNN_REAL, BNN_REAL, 2, {9, 6}, 3, {5, 3, 2}, BNN_OK, ""},
      {BNN_I32, BNN_I32, 1, {9}, 1, {5}, BNN_OK, ""},
      {BNN_I32, BNN_I32, 2, {9, 1}, 1, {5}, BNN_OK, ""},
      {BNN_REAL, BNN_REAL, 2, {9, 0}, 2, {5, 0}, BNN_OK, ""},
      {BNN_REAL, BNN_REAL, 2, {0, 6}, 2, {5, 6}, BNN_OK, ""},
      {BNN_I32, BNN_REAL, 2, {9, 6}, 2, {5, 6}, BNN_ETYPE, "x: expected f"},
      {BNN_U8, BNN_I32, 1, {9}, 1, {5}, BNN_ETYPE, "x: expected i32, got u8"},
      {BNN_REAL, BNN_U8, 1, {9}, 1, {5}, BNN_ETYPE, "expected u8"},
      {BNN_I64, BNN_I32, 1, {9}, 1, {5}, BNN_ETYPE, "x: expected i32, got i64"},
      {BNN_U8,
       BNN_REAL,
       2,
       {9, 6},
       2,
       {5, 7},
       BNN_ESHAPE,
       "x: expected rows as in [5, 7], got [9, 6]"},
      {BNN_U8, BNN_REAL, 1, {9}, 2, {5, 7}, BNN_ESHAPE, "x: expected rows as in [5, 7], got [9]"},
      {BNN_REAL, BNN_REAL, 0, {0}, 1, {5}, BNN_ESHAPE, "x: expected rows as in [5], got []"},
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_tensor *x = tensor_of(row[k].source, row[k].rank, row[k].dim, NULL);
    bnn_shape want = bnn_shape_make(row[k].want, row[k].want_rank, row[k].want_dim);
    ck_refuses(bnn_batch_check(x, &want, "x", &err), row[k].status, row[k].words);
    bnn_tensor_unref(x);
  }
}
END_TEST

START_TEST(a_strided_source_is_refused) {
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(4, 6), NULL), *part = NULL;
  bnn_shape want = bnn_shape_make(BNN_REAL, DIMS(4, 3));
  ck_succeeds(bnn_tensor_narrow(&part, x, 1, 0, 3, &err));
  ck_refuses(bnn_batch_check(part, &want, "y", &err), BNN_ERANGE,
             "y: expected a contiguous tensor");
  bnn_tensor_unref(part);
  ck_succeeds(bnn_tensor_narrow(&part, x, 0, 2, 2, &err)); /* whole rows are contiguous */
  want.dim[1] = 6;
  ck_succeeds(bnn_batch_check(part, &want, "y", &err));
  bnn_tensor_unref(part);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(rows_that_x_does_not_have_are_refused) {
  static const int32_t low[] = {1, 0, 2}, high[] = {5, 6, 1}, negative[] = {-2147483647 - 1};
  static const struct {
    const int32_t *rows;
    size_t from, count;
    bnn_status status;
    const char *words;
  } row[] = {
      {NULL, 0, 5, BNN_OK, ""},
      {NULL, 5, 0, BNN_OK, ""},
      {NULL, 0, 6, BNN_ERANGE, "rows 1..6 of 5"},
      {NULL, 3, 3, BNN_ERANGE, "rows 4..6 of 5"},
      {NULL, 6, 0, BNN_ERANGE, "of 5"},
      {NULL, SIZE_MAX, 2, BNN_ERANGE, "of 5"},
      {low, 0, 1, BNN_OK, ""},
      {low, 0, 2, BNN_ERANGE, "row 0 of 5"},
      {low, 2, 1, BNN_OK, ""},
      {high, 0, 1, BNN_OK, ""},
      {high, 0, 3, BNN_ERANGE, "row 6 of 5"},
      {negative, 0, 1, BNN_ERANGE, "row -2147483648 of 5"},
  };
  bnn_tensor *x = numbered_rows(BNN_U8);
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_batch batch = {.data = bnn_sources_of(x, NULL, NULL),
                       .rows = row[k].rows,
                       .from = row[k].from,
                       .count = row[k].count};
    ck_refuses(bnn_batch_check_rows(&batch, &feeds, &err), row[k].status, row[k].words);
  }
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(a_fault_of_several_sources_names_the_one) {
  bnn_tensor *image = numbered_rows(BNN_U8), *table = tensor_of(BNN_REAL, DIMS(4, 2), NULL);
  bnn_shape want = bnn_shape_make(BNN_REAL, DIMS(2, 3));
  bnn_feeds named = {.n = 0};
  ck_succeeds(bnn_feeds_add(&named, BNN_FEED_X, "x.image", 0, &err));
  ck_succeeds(bnn_feeds_add(&named, BNN_FEED_X, "x.table", 1, &err));
  bnn_batch batch = {.data = {2, {image, table}}, .count = 2};
  ck_refuses(bnn_batch_check_rows(&batch, &named, &err), BNN_ESHAPE,
             "x.image has 5 rows, x.table is [4, 2]");
  ck_refuses(bnn_batch_check_source(&batch, 1, &want, "x.table", &err), BNN_ESHAPE,
             "x.table: expected rows as in [2, 3], got [4, 2]");
  ck_refuses(bnn_batch_check_source(&batch, 2, &want, "y.age", &err), BNN_ESHAPE,
             "y.age: expected rows as in [2, 3], got none");
  bnn_tensor_unref(image);
  bnn_tensor_unref(table);
}
END_TEST

START_TEST(there_is_an_end_to_feeds) {
  bnn_feeds many = {.n = 0};
  for (int i = 0; i < BNN_FEEDS_MAX; i++)
    ck_succeeds(bnn_feeds_add(&many, BNN_FEED_X, "x.a", i, &err));
  ck_refuses(bnn_feeds_add(&many, BNN_FEED_Y, "y.b", 99, &err), BNN_ERANGE,
             "y.b: expected at most 16 tensors");
  ck_assert_uint_eq(many.n, BNN_FEEDS_MAX);
  bnn_feeds one = {.n = 0};
  char name[2 * BNN_FEED_NAME_MAX];
  memset(name, 'a', sizeof name);
  name[sizeof name - 1] = 0;
  ck_succeeds(bnn_feeds_add(&one, BNN_FEED_X, name, 0, &err));
  ck_assert_uint_eq(strlen(one.feed[0].name), BNN_FEED_NAME_MAX - 1);
}
END_TEST

START_TEST(x_and_y_have_the_same_number_of_rows) {
  bnn_tensor *x = numbered_rows(BNN_U8), *y = tensor_of(BNN_I32, DIMS(4), NULL);
  bnn_tensor *scalar = tensor_of(BNN_I32, SCALAR, VALUES(1));
  bnn_batch batch = {.data = bnn_sources_of(x, y, NULL), .count = 2};
  ck_refuses(bnn_batch_check_rows(&batch, &feeds, &err), BNN_ESHAPE, "x has 5 rows, y is [4]");
  batch.data.tensor[1] = scalar;
  ck_refuses(bnn_batch_check_rows(&batch, &feeds, &err), BNN_ESHAPE, "x has 5 rows, y is []");
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_tensor_unref(scalar);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, a_byte_becomes_its_255th_part);
  tcase_add_test(tests, other_types_are_copied_as_they_are);
  tcase_add_loop_test(tests, rows_come_in_the_order_of_a_permutation, 0, 2);
  tcase_add_test(tests, gathering_writes_its_rows_only);
  tcase_add_test(tests, a_source_fits_by_its_type_and_the_size_of_a_row);
  tcase_add_test(tests, a_strided_source_is_refused);
  tcase_add_test(tests, rows_that_x_does_not_have_are_refused);
  tcase_add_test(tests, x_and_y_have_the_same_number_of_rows);
  tcase_add_test(tests, a_fault_of_several_sources_names_the_one);
  tcase_add_test(tests, there_is_an_end_to_feeds);
}

int main(void) { return run_suite("batch", add_tests); }
