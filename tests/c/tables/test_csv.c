/* test_csv.c - tables of numbers in text, good and bad. */
#include "tables/csv.h"

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
    {"spaces", "1 2\n3 4\n"},
    {"runs of blanks and tabs", "  1   2\n3\t 4 \n\n"},
    {"blanks before tabs", "1 \t2 \n3 \t4 \n"},
    {"bars", "1|2\n3|4\n"},
    {"names of several words", "my first, my second one\n1,2\n3,4\n"},
    {"an unnamed column of row numbers", ",a,b\n0,1,2\n1,3,4\n"},
    {"the same over numbered columns", ",0,1\n0,1,2\n1,3,4\n"},
    {"the same, read and written again", "Unnamed: 0.1,Unnamed: 0,a,b\n0,5,1,2\n1,3,3,4\n"},
    {"R's write.csv", "\"\",\"a\",\"b\"\n\"1\",1,2\n\"2\",3,4\n"},
    {"R's write.table", "\"a\" \"b\"\n\"Mazda RX4\" 1 2\n\"Fiat 128\" 3 4\n"},
    {"sodium", "Mg,Na\n1,2\n3,4\n"},
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

/* A first row that is names or numbers: nobody can tell. */
static const struct {
  const char *text;
  int column;
  const char *words;
} either_row[] = {
    {"0,1,2,3\n0.5,1.5,2.5,0\n3.5,4.5,5.5,1\n", -1,
     "the first row is 0, 1, ...: names or numbers?"},
    {"0,1\n5,6\n", 0, "the first row is 0, 1: names or numbers? header = true if it holds names"},
    {"1,2,3\n0.5,1,2\n", 0, "names or numbers?"},
    {"2019 2020 2021\n0.5 1.5 2.5\n1 2 3\n7 8.5 9.5\n", 0, "the first row is 2019, 2020, ..."},
    {"\"7\",\"3\"\n5,6\n8,9\n", 0, "the first row is 7, 3: names or numbers?"},
    {"0\n1.5\n2\n", 0, "the first row is 0: names or numbers?"},
    {"0,1,species\n5.5,6,cat\n7,8,dog\n", 3, "the first row is 0, 1, ...: names or numbers?"},
    {"5.5,6,class\n5.5,6,0\n7,8,1\n", -1, "the label of row 1 is 'class', all others are numbers"},
};
enum { EITHER_COUNT = sizeof either_row / sizeof *either_row };

START_TEST(a_first_row_of_numbers_that_may_be_names_is_left_to_the_user) {
  const char *text = either_row[_i].text;
  bnn_csv_options o = {.column = either_row[_i].column};
  refuses(text, o, BNN_EDATA, either_row[_i].words);
  bnn_csv *t, *u;
  o.header = BNN_CSV_HEADER;
  t = table_of(text, o);
  o.header = BNN_CSV_NO_HEADER;
  u = table_of(text, o);
  ck_assert_uint_eq(u->x->dim[0], t->x->dim[0] + 1);
  ck_assert(t->name && !u->name);
  bnn_csv_free(t);
  bnn_csv_free(u);
}
END_TEST

START_TEST(a_first_row_of_numbers_is_data_without_such_a_hint) {
  static const char *const text[] = {
      "1,2,3\n4,5,6\n",     "0\n1\n1\n",      "3,1,2\n0.5,1.5,2.5\n",       "5\n0.5\n",
      "1.0,2.0\n0.5,1.5\n", "0,0,1\n1,1,0\n", "\"7\",\"3\"\n\"5\",\"6\"\n",
  };
  for (size_t k = 0; k < sizeof text / sizeof *text; k++) {
    bnn_csv *t = table_of(text[k], plain);
    ck_assert_ptr_null(t->name);
    bnn_csv_free(t);
  }
}
END_TEST

START_TEST(what_was_found_is_told) {
  bnn_csv *t = table_of(" ;a;y\n7;1;cat\n9;2;dog\n8;3;cat\n", (bnn_csv_options){.label = "y"});
  ck_assert_int_eq(t->separator, ';');
  ck_assert_uint_eq(t->columns, 3);
  ck_assert_uint_eq(t->label, 3);
  ck_assert_uint_eq(t->unnamed, 1);
  ck_assert(!t->numbers_rows);
  ck_assert_str_eq(t->name[0], "a");
  bnn_csv_free(t);
  t = table_of("1 5\n2 6\n3 5\n", plain);
  ck_assert_int_eq(t->separator, ' ');
  ck_assert_uint_eq(t->label + t->unnamed, 0);
  ck_assert(t->numbers_rows);
  bnn_csv_free(t);
}
END_TEST

START_TEST(a_label_may_be_the_column_without_a_name) {
  bnn_csv *t = table_of(",a\n1,5\n1,6\n", (bnn_csv_options){.column = 1});
  ck_tensor(t->x, BNN_REAL, DIMS(2, 1), VALUES(5, 6));
  ck_tensor(t->y, BNN_I32, DIMS(2), VALUES(1, 1));
  bnn_csv_free(t);
}
END_TEST

START_TEST(columns_are_left_out_by_name_and_position) {
  static const bnn_csv_column drop[] = {{"id", 0}, {NULL, -1}};
  bnn_csv *t = table_of("id,a,y,note\nx1,1,0,old\nx2,2,1,\n",
                        (bnn_csv_options){.label = "y", .drop = drop, .n_drop = 2});
  ck_tensor(t->x, BNN_REAL, DIMS(2, 1), VALUES(1, 2));
  ck_assert_str_eq(t->name[0], "a");
  ck_assert_uint_eq(t->columns, 4);
  bnn_csv_free(t);
  static const bnn_csv_column second[] = {{NULL, 3}};
  t = table_of("y,x,y\n0,5,7\n1,6,7\n",
               (bnn_csv_options){.label = "y", .drop = second, .n_drop = 1});
  ck_tensor(t->x, BNN_REAL, DIMS(2, 1), VALUES(5, 6));
  bnn_csv_free(t);
  refuses("a,b\n1,2\n", (bnn_csv_options){.drop = drop, .n_drop = 1}, BNN_ERANGE,
          "no column is named 'id'");
  static const bnn_csv_column beyond[] = {{NULL, 3}};
  refuses("a,b\n1,2\n", (bnn_csv_options){.drop = beyond, .n_drop = 1}, BNN_ERANGE,
          "to drop is column 3, there are 2");
  static const bnn_csv_column label[] = {{NULL, 2}};
  refuses("a,b\n1,2\n", (bnn_csv_options){.label = "b", .drop = label, .n_drop = 1}, BNN_ERANGE,
          "column 2 cannot be both dropped and the labels");
  refuses("1,2\n", (bnn_csv_options){.column = 2, .drop = label, .n_drop = 1}, BNN_ERANGE,
          "column 2 cannot be both dropped and the labels");
}
END_TEST

START_TEST(classes_that_are_given_keep_their_numbers) {
  static const char *const classes[] = {"bee", "ant", "1"};
  bnn_csv_options o = {.column = -1, .class_name = classes, .classes = 3};
  bnn_csv *t = table_of("5,ant\n6,ant\n7,bee\n", o);
  ck_tensor(t->y, BNN_I32, DIMS(3), VALUES(1, 1, 0));
  ck_assert_uint_eq(t->classes, 3);
  ck_assert_str_eq(t->class_name[0], "bee");
  bnn_csv_free(t);
  t = table_of("5,1\n6,1\n", o); /* a class may look like a number */
  ck_tensor(t->y, BNN_I32, DIMS(2), VALUES(2, 2));
  bnn_csv_free(t);
  refuses("5,ant\n6,cat\n", o, BNN_EDATA,
          "row 2, column 2: class 'cat' is not one of the 3 known: bee, ant, 1");
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
    {"nan,nan\n1,2\n", "row 1 (line 1), column 1: 'nan' is not a number"},
    {"1,?\n3,4\n", "column 2: '?' is not a number (header = true if this row holds names)"},
    {"a,b,NA\n1,2,3\n", "row 1 (line 1), column 1: 'a' is not a number (header = true if this row"},
    {"x1,x2,3\n1,2,3\n", "column 1: 'x1' is not a number (header = true if this row holds names)"},
    {"y,x,y\n0,5,0\n", "columns 1 and 3 are both named 'y' (drop = {3} leaves the second out)"},
    {",a\n3,1\n4,2\n3,5\n",
     "column 1 has no name and does not number the rows: '3' is there twice"},
    {"a,,b\n1,2,3\n", "column 2 has no name in the header (drop = {2} leaves it out)"},
    {"1 2\n3 x\n", "row 2 (line 2), column 2: 'x' is not a number"},
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
  refuses("1,yes\n2,?\n", last, BNN_EDATA, "row 2, column 2: '?' stands for a missing label");
  refuses("?,?,yes\n1,2,no\n", last, BNN_EDATA, "row 1 (line 1), column 1: '?' is not a number");
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
  snprintf(path, sizeof path, "%s", file_of(0, BYTES("\"b\" \"y\"\n\"r\" 1 cat\n\"s\" 3 dog\n")));
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
  tcase_add_loop_test(tests, a_first_row_of_numbers_that_may_be_names_is_left_to_the_user, 0,
                      EITHER_COUNT);
  tcase_add_test(tests, a_first_row_of_numbers_is_data_without_such_a_hint);
  tcase_add_test(tests, what_was_found_is_told);
  tcase_add_test(tests, a_label_may_be_the_column_without_a_name);
  tcase_add_test(tests, columns_are_left_out_by_name_and_position);
  tcase_add_test(tests, classes_that_are_given_keep_their_numbers);
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
