/* test_csv.c - tables of numbers in text, good and bad. */
#include "csv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fuzz_csv.c"
#include "support_files.h"

static const bnn_csv_options plain = {0};
static const bnn_csv_options last = {.column = -1};

static bnn_csv *table_of(const char *text, bnn_csv_options options) {
  bnn_csv *t = NULL;
  ck_succeeds(bnn_csv_parse(&t, text, strlen(text), "table", &options, &err));
  return t;
}

static void refuses(const char *text, bnn_csv_options o, bnn_status want, const char *words) {
  bnn_csv *t = NULL;
  ck_refuses(bnn_csv_parse(&t, text, strlen(text), "table", &o, &err), want, "table: ");
  ck_refuses(bnn_csv_parse(&t, text, strlen(text), "table", &o, &err), want, words);
  const char *path = file_of(0, bytes_of(text, strlen(text)));
  ck_refuses(bnn_csv_read(&t, path, &o, &err), want, words);
  ck_refuses(bnn_csv_read(&t, path, &o, &err), want, path);
  ck_assert_ptr_null(t);
}

/* ---- tables that are good ---- */

static const struct {
  const char *what, *text;
} same_row[] = {
    {"plain", "1,2\n3,4\n"},
    {"no end of the last line", "1,2\n3,4"},
    {"CR LF", "1,2\r\n3,4\r\n"},
    {"CR", "1,2\r3,4\r"},
    {"tabs", "1\t2\n3\t4\n"},
    {"semicolons", "1;2\n3;4\n"},
    {"blanks", " 1 , 2\n3,\t4 \n"},
    {"blank lines behind", "1,2\n3,4\n\n  \r\n"},
    {"quotes", "\"1\",2\n3,\"4\"\n"},
    {"a header", "a,b\n1,2\n3,4\n"},
    {"a mark in front", "\xef\xbb\xbf"
                        "1,2\n3,4\n"},
    {"a mark and a header", "\xef\xbb\xbf\"a\",b\n1,2\n3,4\n"},
};

START_TEST(one_table_in_many_spellings) {
  bnn_csv *t = table_of(same_row[_i].text, plain), *u;
  ck_tensor(t->x, BNN_REAL, DIMS(2, 2), VALUES(1, 2, 3, 4));
  ck_assert_ptr_null(t->y);
  const char *path = file_of(0, gzipped(bytes_of(same_row[_i].text, strlen(same_row[_i].text))));
  ck_succeeds(bnn_csv_read(&u, path, &plain, &err));
  ck_tensor(u->x, BNN_REAL, DIMS(2, 2), VALUES(1, 2, 3, 4));
  bnn_csv_free(t);
  bnn_csv_free(u);
}
END_TEST

START_TEST(a_header_names_the_columns) {
  bnn_csv *t =
      table_of("width,\"a \"\"b\"\", c\",label\n1,2,3\n", (bnn_csv_options){.label = "label"});
  ck_assert_str_eq(t->name[0], "width");
  ck_assert_str_eq(t->name[1], "a \"b\", c");
  ck_tensor(t->x, BNN_REAL, DIMS(1, 2), VALUES(1, 2));
  ck_tensor(t->y, BNN_I32, DIMS(1), VALUES(3));
  bnn_csv_free(t);
  t = table_of("1,2\n3,4\n", plain);
  ck_assert_ptr_null(t->name);
  bnn_csv_free(t);
}
END_TEST

START_TEST(a_header_can_be_said) {
  bnn_csv *t = table_of("1,2\n3,4\n", (bnn_csv_options){.header = BNN_CSV_HEADER});
  ck_tensor(t->x, BNN_REAL, DIMS(1, 2), VALUES(3, 4));
  ck_assert_str_eq(t->name[1], "2");
  bnn_csv_free(t);
  refuses("a,b\n1,2\n", (bnn_csv_options){.header = BNN_CSV_NO_HEADER}, BNN_EDATA,
          "row 1 (line 1), column 1: 'a' is not a number");
}
END_TEST

START_TEST(labels_are_integers_numbers_or_classes) {
  bnn_csv *t = table_of("1,7\n2,-1\n", last);
  ck_tensor(t->y, BNN_I32, DIMS(2), VALUES(7, -1));
  ck_assert_uint_eq(t->classes, 0);
  bnn_csv_free(t);
  t = table_of("1,7\n2,0.5\n", last);
  ck_tensor(t->y, BNN_REAL, DIMS(2), VALUES(7, 0.5));
  bnn_csv_free(t);
  t = table_of("1,3e9\n2,1\n", last);
  ck_tensor(t->y, BNN_REAL, DIMS(2), VALUES(3e9, 1));
  bnn_csv_free(t);
  t = table_of("dog,1\ncat,2\ndog,3\nant eater,4\n", (bnn_csv_options){.column = 1});
  ck_tensor(t->x, BNN_REAL, DIMS(4, 1), VALUES(1, 2, 3, 4));
  ck_tensor(t->y, BNN_I32, DIMS(4), VALUES(2, 1, 2, 0));
  ck_assert_uint_eq(t->classes, 3);
  ck_assert_str_eq(t->class_name[0], "ant eater");
  ck_assert_str_eq(t->class_name[2], "dog");
  bnn_csv_free(t);
  t = table_of("5.1,3.5,setosa\n4.9,3.0,virginica\n", last); /* no header: it has numbers */
  ck_tensor(t->y, BNN_I32, DIMS(2), VALUES(0, 1));
  bnn_csv_free(t);
}
END_TEST

/* Each is the double nearest to its text, which strtod gives too, and then rounded to the real. */
START_TEST(numbers_are_the_nearest) {
  static const char *text[] = {"0",
                               "-0",
                               "+1.5",
                               ".5",
                               "5.",
                               "1e3",
                               "1E-3",
                               "-1.25e+2",
                               "0.1",
                               "3.4028234e38",
                               "1e-45",
                               "1e-400",
                               "123456789012345678901234567890",
                               "0.000000000000000000000000000001234567890123456789012345678901",
                               "9007199254740993",
                               "1e22",
                               "1e23",
                               "00012.5",
                               "2.2250738585072011e-308",
                               "1e-99999999999999999999"};
  for (size_t k = 0; k < sizeof text / sizeof *text; k++) {
    bnn_csv *t = table_of(text[k], plain);
    double got = bnn_tensor_get(t->x, 0), want = (double)(bnn_real)strtod(text[k], NULL);
    ck_assert_msg(got == want, "%s gave %.17g, wanted %.17g", text[k], got, want);
    bnn_csv_free(t);
  }
}
END_TEST

/* ---- tables that are not ---- */

static const struct {
  const char *text, *words;
} bad_row[] = {
    {"", "holds no rows"},
    {" \n\n", "holds no rows"},
    {"a,b\n", "holds a header but no rows"},
    {"1,2\n3,\n", "row 2 (line 2), column 2: a missing value"},
    {"age,height\n1,2\n,4\n", "row 2 (line 3), column 1 'age': a missing value"},
    {"a\tb\n1\t2\n\t\n", "row 2 (line 3), column 1 'a': a missing value"},
    {"age,height\n1,2\n3,tall\n", "row 2 (line 3), column 2 'height': 'tall' is not a number"},
    {"1,NA\n", "row 1 (line 1), column 2: 'NA' is not a number"},
    {"1,nan\n", "'nan' is not a number"},
    {"1,inf\n", "'inf' is not a number"},
    {"1,0x10\n", "'0x10' is not a number"},
    {"1,1e\n", "'1e' is not a number"},
    {"1,1 2\n", "'1 2' is not a number"},
    {"1,.\n", "'.' is not a number"},
    {"1,--1\n", "'--1' is not a number"},
    {"1;2,5;3\n", "column 2: '2,5' is not a number"},
    {"1,1e400\n", "'1e400' is more than a " BNN_REAL_NAME " can hold"},
    {"1,\"\"\n", "column 2: '' is not a number"},
    {"1,a\x1b[2J\n", "'a\\x1b[2J' is not a number"},
    {"1,2\n3\n", "row 2 (line 2) has 1 cells, the first has 2"},
    {"1,2\n3,4,5\n", "row 2 (line 2) has 3 cells, the first has 2"},
    {"1,2\n\n3,4\n", "row 2 (line 2) has 1 cells, the first has 2"},
    {"\"a\nb\",c\n1,2\n3,x\n", "row 2 (line 4), column 2 'c': 'x' is not a number"},
    {"1,\"2\n3,4\n", "line 1: a quote is not closed"},
    {"1,2\n\"3\"x,4\n", "line 2: text follows a closing quote"},
};
enum { BAD_COUNT = sizeof bad_row / sizeof *bad_row };

START_TEST(what_is_wrong_with_a_table_is_said_with_row_and_column) {
  refuses(bad_row[_i].text, plain, BNN_EDATA, bad_row[_i].words);
}
END_TEST

START_TEST(what_is_wrong_with_labels_is_said) {
  refuses("a,b\n1,2\n", (bnn_csv_options){.label = "c"}, BNN_ERANGE,
          "no column is named 'c'; the first of 2 is 'a'");
  refuses("1,2\n", (bnn_csv_options){.label = "c"}, BNN_ERANGE, "has no header, so no column");
  refuses("1,2\n", (bnn_csv_options){.column = 3}, BNN_ERANGE, "to be column 3, there are 2");
  refuses("1,2\n", (bnn_csv_options){.column = -3}, BNN_ERANGE, "to be column -3, there are 2");
  refuses("1,2\n", (bnn_csv_options){.column = -2147483647 - 1}, BNN_ERANGE, "there are 2");
  refuses("1\n2\n", last, BNN_EDATA, "has no column besides the labels");
  refuses("1,2\n3,\n", last, BNN_EDATA, "row 2 (line 2), column 2: a missing label");
}
END_TEST

START_TEST(what_can_not_be_opened_is_refused_with_the_systems_word) {
  bnn_csv *t = NULL;
  ck_refuses(bnn_csv_read(&t, path_of("no.csv"), &plain, &err), BNN_EIO,
             "no.csv: No such file or directory");
}
END_TEST

START_TEST(a_text_that_decompresses_without_end_is_refused) {
  size_t n = (1 << 26) + 100000;
  bytes b = {n, malloc(n)};
  memset(b.p, '1', n);
  bnn_csv *t = NULL;
  b = gzipped(b);
  ck_refuses(bnn_csv_parse(&t, b.p, b.n, "table", &plain, &err), BNN_EDATA,
             "table: decompresses to more than 100 times its size");
  free(b.p);
}
END_TEST

/* 100,000 rows of 20 numbers: measured 0.1 s; the bound is for a loaded machine and sanitizers. */
START_TEST(two_million_cells_take_a_moment) {
  size_t n = 100000, room = n * 20 * 10, at = 0;
  char *text = malloc(room);
  for (size_t i = 0; i < n * 20; i++)
    at += (size_t)snprintf(text + at, room - at, "%.4f%c", (double)(i * 7919 % 100003) / 1e3,
                           i % 20 == 19 ? '\n' : ',');
  bnn_csv *t;
  clock_t from = clock();
  ck_succeeds(bnn_csv_parse(&t, text, at, "table", &last, &err));
  double seconds = (double)(clock() - from) / CLOCKS_PER_SEC;
  ck_tensor(t->x, BNN_REAL, DIMS(n, 19), NULL);
  ck_assert_double_lt(seconds, 3);
  if (getenv("CK_SHOW_TIMES")) printf("2,000,000 cells: %.3f s\n", seconds);
  bnn_csv_free(t);
  free(text);
}
END_TEST

START_TEST(a_table_may_be_cut_and_changed_anywhere) {
  replay_damaged(BYTES("\200a,\"b \"\"c\"\"\",y\r\n1,-2.5e3,cat\n3,\"4\",dog\n"),
                 LLVMFuzzerTestOneInput);
  replay_damaged(BYTES("\300"
                       "1;2\n3;4\n"),
                 LLVMFuzzerTestOneInput);
}
END_TEST

START_TEST(the_corpus_replays) {
  ck_assert_int_gt(replay("tests/corpus/csv", LLVMFuzzerTestOneInput), 25);
}
END_TEST

static bnn_status read_and_drop(void *path, bnn_err *err) {
  bnn_csv *t;
  BNN_TRY(bnn_csv_read(&t, path, &last, err));
  bnn_csv_free(t);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) {
  char path[300];
  snprintf(path, sizeof path, "%s", file_of(0, BYTES("a,b,y\n1,2,cat\n3,4,dog\n")));
  ck_survives_failing_allocations(read_and_drop, path);
  snprintf(path, sizeof path, "%s", file_of(0, gzipped(BYTES("1,2.5\n3,4\n"))));
  ck_survives_failing_allocations(read_and_drop, path);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, one_table_in_many_spellings, 0, sizeof same_row / sizeof *same_row);
  tcase_add_test(tests, a_header_names_the_columns);
  tcase_add_test(tests, a_header_can_be_said);
  tcase_add_test(tests, labels_are_integers_numbers_or_classes);
  tcase_add_test(tests, numbers_are_the_nearest);
  tcase_add_loop_test(tests, what_is_wrong_with_a_table_is_said_with_row_and_column, 0, BAD_COUNT);
  tcase_add_test(tests, what_is_wrong_with_labels_is_said);
  tcase_add_test(tests, what_can_not_be_opened_is_refused_with_the_systems_word);
  tcase_add_test(tests, a_text_that_decompresses_without_end_is_refused);
  tcase_add_test(tests, two_million_cells_take_a_moment);
  tcase_add_test(tests, a_table_may_be_cut_and_changed_anywhere);
  tcase_add_test(tests, the_corpus_replays);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("csv", add_tests); }
