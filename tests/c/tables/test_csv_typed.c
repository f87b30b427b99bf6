/* test_csv_typed.c - tables of numbers and categories, which may lack values. */
#include "tables/csv_typed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fuzz_csv_typed.c"
#include "support_files.h"

static const bnn_csv_typed_options plain = {0};

static bnn_status read_text(bnn_csv_typed **t, const char *text, const bnn_csv_typed_options *o,
                            bnn_err *err) {
  bnn_csv_text *in = NULL;
  BNN_TRY(bnn_csv_text_of(&in, text, strlen(text), "table", 0, 0, err));
  bnn_status status = bnn_csv_typed_read(t, in, o, err);
  bnn_csv_text_close(in);
  return status;
}

static bnn_csv_typed *table_of(const char *text, const bnn_csv_typed_options *o) {
  bnn_csv_typed *t = NULL;
  ck_succeeds(read_text(&t, text, o, &err));
  return t;
}

static void refuses(const char *text, const bnn_csv_typed_options *o, const char *words) {
  bnn_csv_typed *t = NULL;
  ck_refuses(read_text(&t, text, o, &err), BNN_EDATA, words);
  ck_assert_ptr_null(t);
}

START_TEST(columns_are_numbers_or_categories) {
  bnn_csv_typed *t = table_of("age,kind,code\n1,dog,7\nNA,cat,\n2.5,?,x\n", &plain);
  ck_assert_uint_eq(t->rows, 3);
  ck_assert(t->header);
  ck_assert_int_eq(t->column[0].kind, BNN_CSV_NUMBERS);
  ck_assert_double_eq(bnn_tensor_get(t->column[0].values, 2), 2.5);
  ck_assert(isnan(bnn_tensor_get(t->column[0].values, 1)));
  ck_tensor(t->column[1].values, BNN_I32, DIMS(3), VALUES(1, 0, -1));
  ck_assert_uint_eq(t->column[1].categories, 2);
  ck_assert_str_eq(t->column[1].category[0], "cat");
  ck_tensor(t->column[2].values, BNN_I32, DIMS(3), VALUES(0, -1, 1));
  ck_assert_uint_eq(t->column[2].numbers, 1);
  ck_assert_uint_eq(t->column[2].texts, 1);
  ck_assert_uint_eq(t->column[2].text_line, 4);
  ck_assert_str_eq(t->column[2].text.s, "x");
  bnn_csv_typed_free(t);
}
END_TEST

/* 2^53 + 1 is no double; what has a point is no count. */
START_TEST(integers_that_lose_digits_are_counted) {
  bnn_csv_typed *t = table_of(
      "id,v,w\n1,9007199254740993.5,16777216\n-9007199254740993,1,2\n9007199254740995,2,3\n",
      &plain);
  ck_assert_uint_eq(t->column[0].rounded, 2);
  ck_assert_uint_eq(t->column[0].rounded_line, 3);
  ck_assert_str_eq(t->column[0].rounded_text.s, "-9007199254740993");
  ck_assert_double_eq(t->column[0].rounded_to, -9007199254740992);
  ck_assert_uint_eq(t->column[1].rounded, 0);
  ck_assert_uint_eq(t->column[2].rounded, 0);
  bnn_csv_typed_free(t);
}
END_TEST

START_TEST(a_first_row_without_names_is_a_row) {
  bnn_csv_typed *t = table_of("1,b\n2,a\n", &plain);
  ck_assert(!t->header);
  ck_tensor(t->column[0].values, BNN_REAL, DIMS(2), VALUES(1, 2));
  ck_tensor(t->column[1].values, BNN_I32, DIMS(2), VALUES(1, 0));
  bnn_csv_typed_free(t);
  t = table_of("\"x \"\"1\"\"\",a\n\"x \"\"1\"\"\",b\n", &plain);
  ck_assert(!t->header); /* as its first text is in the column again */
  ck_assert_uint_eq(t->column[0].categories, 1);
  ck_assert_str_eq(t->column[0].category[0], "x \"1\"");
  bnn_csv_typed_free(t);
}
END_TEST

START_TEST(columns_may_be_said) {
  static const char *const kinds[] = {"dog", "cat", "emu"};
  static const char *const missing[] = {"-1"};
  const bnn_csv_wanted wanted[] = {
      {.kind = BNN_CSV_CATEGORY}, {BNN_CSV_CATEGORY, kinds, 3}, {.kind = BNN_CSV_IGNORED}};
  const bnn_csv_typed_options o = {.column = wanted, .missing = missing, .n_missing = 1};
  bnn_csv_typed *t = table_of("a,b,c\n10,cat,x\n9,dog,y\n-1,-1,z\n", &o);
  ck_tensor(t->column[0].values, BNN_I32, DIMS(3), VALUES(1, 0, -1));
  ck_assert_str_eq(t->column[0].category[1], "10");
  ck_tensor(t->column[1].values, BNN_I32, DIMS(3), VALUES(1, 0, -1));
  ck_assert_uint_eq(t->column[1].categories, 3);
  ck_assert_ptr_null(t->column[2].values);
  bnn_csv_typed_free(t);
  refuses("a,b,c\n1,ant,x\n", &o,
          "table: line 2, column 2 'b': 'ant' is none of the 3 categories: dog, cat, emu");
}
END_TEST

START_TEST(what_is_wrong_is_said_with_its_line) {
  const bnn_csv_wanted number[] = {{.kind = BNN_CSV_NUMBERS}};
  const bnn_csv_typed_options o = {.column = number, .header = BNN_CSV_HEADER};
  refuses("a\n1\n\"x\ny\"\n", &o, "table: line 3, column 1 'a': 'x\\ny' is not a number");
  refuses("a,b\n1,2\n\n1,2,3\n", &plain, "table: line 4 has 3 cells, the first row has 2");
  refuses("a,b\n", &plain, "table: holds a header but no rows");
  refuses("\n", &plain, "table: holds no rows");
  refuses("a\n1e999\n", &plain, "is more than a ");
}
END_TEST

START_TEST(many_categories_keep_their_rows) {
  enum { N = 5000 };
  static char text[N * 8];
  size_t at = 0;
  for (int i = 0; i < N; i++)
    at += (size_t)snprintf(text + at, sizeof text - at, "c%04d\n", (i * 7) % N);
  const bnn_csv_typed_options o = {.header = BNN_CSV_NO_HEADER};
  bnn_csv_typed *t = table_of(text, &o);
  ck_assert_uint_eq(t->column[0].categories, N);
  for (int i = 0; i < N; i++)
    ck_assert_int_eq(bnn_tensor_get_int(t->column[0].values, (size_t)i), (i * 7) % N);
  bnn_csv_typed_free(t);
}
END_TEST

START_TEST(a_table_may_be_cut_and_changed_anywhere) {
  replay_damaged(BYTES("\300a,\"b \"\"c\"\"\",y\r\n1,-2.5e3,cat\n3,\"4\",dog\n"),
                 LLVMFuzzerTestOneInput);
  replay_damaged(BYTES("\001a;y\n1,5;x\n\n?;z\n"), LLVMFuzzerTestOneInput);
}
END_TEST

START_TEST(the_corpus_replays) {
  ck_assert_int_gt(replay("tests/corpus/csv", LLVMFuzzerTestOneInput), 25);
  ck_assert_int_gt(replay("tests/corpus/csv_typed", LLVMFuzzerTestOneInput), 8);
}
END_TEST

static bnn_status read_and_drop(void *path, bnn_err *err) {
  static const char *const missing[] = {"-9"};
  const bnn_csv_typed_options o = {.missing = missing, .n_missing = 1};
  bnn_csv_text *in = NULL;
  bnn_csv_typed *t = NULL;
  BNN_TRY(bnn_csv_text_open(&in, path, 0, 0, err));
  bnn_status status = bnn_csv_typed_read(&t, in, &o, err);
  bnn_csv_text_close(in);
  bnn_csv_typed_free(t);
  return status;
}

START_TEST(every_allocation_may_fail) {
  char path[300];
  snprintf(path, sizeof path, "%s", file_of(0, BYTES("a,b,y\n1,2,cat\n3,-9,dog\n")));
  ck_survives_failing_allocations(read_and_drop, path);
  snprintf(path, sizeof path, "%s", file_of(0, BYTES("\"b\" \"y\"\n\"r\" 1,5 cat\n\"s\" 3 dog\n")));
  ck_survives_failing_allocations(read_and_drop, path);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_test(tests, columns_are_numbers_or_categories);
  tcase_add_test(tests, integers_that_lose_digits_are_counted);
  tcase_add_test(tests, a_first_row_without_names_is_a_row);
  tcase_add_test(tests, columns_may_be_said);
  tcase_add_test(tests, what_is_wrong_is_said_with_its_line);
  tcase_add_test(tests, many_categories_keep_their_rows);
  tcase_add_test(tests, a_table_may_be_cut_and_changed_anywhere);
  tcase_add_test(tests, the_corpus_replays);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("csv_typed", add_tests); }
