/* test_number.c - numbers as text and back, in C and in locales with another decimal point. */
#include "base/number.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/c_locale.h"
#include "kernels/rng.h"
#include "support.h"
#include "tables/csv.h"
#include "tensor/key.h"

static char locales[] = "/tmp/bnn-locales-XXXXXX"; /* made once, by main's process */
static const char *const locale_of[] = {"C", "comma", "arabic"};
enum { LOCALES = sizeof locale_of / sizeof *locale_of };

/* Sets locale i for the whole process; false, with a notice, where localedef is missing. */
static bool in_locale(int i) {
  if (setlocale(LC_NUMERIC, locale_of[i])) return true;
  fprintf(stderr, "skipped: no localedef to make locale %s with\n", locale_of[i]);
  return false;
}

static const struct {
  double v;
  const char *text;
} written[] = {
    {0, "0"},
    {-0.0, "-0"},
    {0.25, "0.25"},
    {0.1, "0.1"},
    {0.1 + 0.2, "0.30000000000000004"},
    {1e22, "1e+22"},
    {-1e-7, "-1e-07"},
    {123456789.5, "123456789.5"},
    {DBL_MAX, "1.7976931348623157e+308"},
    {-DBL_MIN, "-2.2250738585072014e-308"},
    {5e-324, "5e-324"},
    {INFINITY, "inf"},
    {-INFINITY, "-inf"},
    {NAN, "nan"},
    {-NAN, "nan"},
};
enum { WRITTEN = sizeof written / sizeof *written };

START_TEST(the_shortest_text_is_the_same_in_every_locale) {
  if (!in_locale(_i)) return;
  for (int k = 0; k < WRITTEN; k++) {
    char text[BNN_NUMBER_TEXT];
    bnn_number_text(text, written[k].v);
    ck_assert_str_eq(text, written[k].text);
    double back = bnn_number_read(text, NULL);
    ck_assert(isnan(written[k].v) ? isnan(back) : back == written[k].v);
  }
}
END_TEST

START_TEST(any_bits_read_back_as_they_were) {
  if (!in_locale(_i)) return;
  uint64_t bits[512];
  bnn_rng_bits(bits, bnn_key_new(7), 0, 512);
  for (int k = 0; k < 512; k++) {
    char text[BNN_NUMBER_TEXT];
    double v;
    float f;
    memcpy(&v, &bits[k], sizeof v);
    memcpy(&f, &bits[k], sizeof f);
    bnn_number_text(text, v);
    ck_assert_msg(isnan(v) || bnn_number_read(text, NULL) == v, "%a is written %s", v, text);
    bnn_number_text_float(text, f);
    ck_assert_msg(isnan(f) || (float)bnn_number_read(text, NULL) == f, "%a is written %s",
                  (double)f, text);
    ck_assert_uint_le(strlen(text), strlen("-1.17549435e-38"));
  }
}
END_TEST

START_TEST(formats_and_reads_with_a_point) {
  if (!in_locale(_i)) return;
  char text[64], *end;
  ck_assert_int_eq(bnn_format(text, sizeof text, "%d %.2f %g %s", 3, 0.5, 1e-5, "0,5"), 16);
  ck_assert_str_eq(text, "3 0.50 1e-05 0,5");
  ck_assert(bnn_number_read("0.5,7", &end) == 0.5);
  ck_assert_str_eq(end, ",7");
  ck_assert(bnn_number_read("0x1.8p1", NULL) == 3);
  ck_assert(bnn_number_read("-inf", NULL) == -(double)INFINITY);
}
END_TEST

START_TEST(the_process_keeps_its_locale) {
  if (!in_locale(1)) return;
  char text[64];
  locale_t outer = bnn_locale_enter(), inner = bnn_locale_enter();
  bnn_locale_leave(inner);
  ck_assert_str_eq(localeconv()->decimal_point, ".");
  bnn_locale_leave(outer);
  ck_assert_str_eq(localeconv()->decimal_point, ",");
  bnn_number_text(text, 0.5);
  ck_assert_int_eq(snprintf(text, sizeof text, "%g", 0.5), 3);
  ck_assert_str_eq(text, "0,5");
}
END_TEST

static void *format_often(void *arg) {
  uintptr_t bad = 0;
  for (int k = 0; k < 2000; k++) {
    char text[BNN_NUMBER_TEXT];
    bnn_number_text(text, k + 0.5);
    bad += strchr(text, '.') == NULL || bnn_number_read(text, NULL) != k + 0.5;
  }
  return (void *)(bad + *(uintptr_t *)arg);
}

START_TEST(threads_format_while_the_locale_changes) {
  pthread_t thread[4];
  uintptr_t none = 0;
  for (int i = 0; i < 4; i++)
    ck_assert_int_eq(pthread_create(&thread[i], NULL, format_often, &none), 0);
  for (int k = 0; k < 200; k++) setlocale(LC_NUMERIC, locale_of[k % 2]);
  for (int i = 0; i < 4; i++) {
    void *bad;
    ck_assert_int_eq(pthread_join(thread[i], &bad), 0);
    ck_assert_ptr_null(bad);
  }
}
END_TEST

/* More digits than a double holds, and powers beyond 10^22: what the reader leaves to the library. */
START_TEST(a_table_is_read_in_every_locale) {
  if (!in_locale(_i)) return;
  static const char text[] = "0.1234567890123456789012345,1.25e30\n0.5,-7.5e-30\n";
  const bnn_csv_options options = {0};
  bnn_csv *t = NULL;
  ck_succeeds(bnn_csv_parse(&t, text, strlen(text), "table", &options, &err));
  ck_tensor(
      t->x, BNN_REAL, DIMS(2, 2),
      VALUES((bnn_real)0.1234567890123456789012345, (bnn_real)1.25e30, 0.5, (bnn_real)-7.5e-30));
  bnn_csv_free(t);
}
END_TEST

START_TEST(errors_have_a_point_in_every_locale) {
  if (!in_locale(_i)) return;
  ck_refuses(bnn_fail(&err, BNN_ERANGE, "p is %g", 1.5), BNN_ERANGE, "p is 1.5");
  bnn_tensor *x = tensor_of(BNN_F64, DIMS(1), VALUES(0.5)), *y = NULL;
  ck_refuses(bnn_tensor_convert(&y, x, BNN_I32, &err), BNN_ERANGE, "is 0.5");
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, the_shortest_text_is_the_same_in_every_locale, 0, LOCALES);
  tcase_add_loop_test(tests, any_bits_read_back_as_they_were, 0, LOCALES);
  tcase_add_loop_test(tests, formats_and_reads_with_a_point, 0, LOCALES);
  tcase_add_test(tests, the_process_keeps_its_locale);
  tcase_add_test(tests, threads_format_while_the_locale_changes);
  tcase_add_loop_test(tests, a_table_is_read_in_every_locale, 0, LOCALES);
  tcase_add_loop_test(tests, errors_have_a_point_in_every_locale, 0, LOCALES);
}

int main(void) {
  char command[128];
  if (!mkdtemp(locales)) return EXIT_FAILURE;
  snprintf(command, sizeof command, "tests/shell/locales.sh %s", locales);
  if (system(command) == 0) setenv("LOCPATH", locales, 1);
  int status = run_suite("number", add_tests);
  snprintf(command, sizeof command, "rm -rf %s", locales);
  return system(command) == 0 ? status : EXIT_FAILURE;
}
