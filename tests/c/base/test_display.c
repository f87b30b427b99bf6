/* test_display.c - what a terminal is shown of text of any origin, alone and in errors. */
#include "base/display.h"

#include <stdio.h>
#include <string.h>

#include "support.h"

static const struct {
  const char *text, *shown;
} row[] = {
    {"plain \\ 100% {}`", "plain \\ 100% {}`"},
    {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"\x1b[31mred\a", "\\x1b[31mred\\x07"},
    {"a\nb\tc\r", "a\\nb\\tc\\r"},
    {"\x7f", "\\x7f"},
    {"\xc2\x9b"
     "2J\xc2\x80\xc2\xa0",
     "\\u{9b}2J\\u{80}\xc2\xa0"}, /* C1, a no-break space */
    {"\xe2\x80\xae"
     "b\xe2\x80\xa8\xe2\x81\xa6\xe2\x80\x8f",
     "\\u{202e}b\\u{2028}\\u{2066}\\u{200f}"},
    {"caf\xe9", "caf\\xe9"}, /* Latin-1 */
    {"\x9b"
     "2J",
     "\\x9b2J"},                                  /* C1 in one byte */
    {"\xc0\x9b\xc1\xbf", "\\xc0\\x9b\\xc1\\xbf"}, /* overlong */
    {"\xe0\x80\x9b", "\\xe0\\x80\\x9b"},
    {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
    {"\xf5\xff\xfe", "\\xf5\\xff\\xfe"},
    {"\xe2\x82", "\\xe2\\x82"}, /* cut */
    {"\xe2\x82z", "\\xe2\\x82z"},
};
enum { ROWS = sizeof row / sizeof *row };

START_TEST(commands_and_what_is_not_utf_8_are_escaped) {
  char shown[200];
  size_t n = strlen(row[_i].text);
  ck_assert_uint_eq(bnn_display(shown, sizeof shown, row[_i].text, n, false), n);
  ck_assert_str_eq(shown, row[_i].shown);
  ck_assert_uint_eq(bnn_display(shown, sizeof shown, row[_i].shown, strlen(row[_i].shown), false),
                    strlen(row[_i].shown));
  ck_assert_str_eq(shown, row[_i].shown); /* what is shown stays as it is */
}
END_TEST

START_TEST(lines_may_stay) {
  char shown[40];
  bnn_display(shown, sizeof shown, "a\n\tb\r\x1b", 6, true);
  ck_assert_str_eq(shown, "a\n\tb\\r\\x1b");
}
END_TEST

START_TEST(a_zero_byte_is_a_character) {
  char shown[40];
  ck_assert_uint_eq(bnn_display(shown, sizeof shown, "a\0b", 3, false), 3);
  ck_assert_str_eq(shown, "a\\x00b");
}
END_TEST

START_TEST(only_whole_characters_are_written) {
  static const char text[] = "a\xe2\x82\xac\x1b";
  static const size_t taken[] = {0, 0, 1, 1, 1, 4, 4, 4, 4, 5}; /* with room for i */
  for (size_t room = 0; room < sizeof taken / sizeof *taken; room++) {
    char shown[16];
    memset(shown, '#', sizeof shown);
    ck_assert_uint_eq(bnn_display(shown, room, text, strlen(text), false), taken[room]);
    ck_assert_int_eq(shown[room], '#');
    if (room) ck_assert_uint_lt(strlen(shown), room);
  }
}
END_TEST

START_TEST(an_error_is_one_line_that_a_terminal_may_show) {
  bnn_err err = {.text = ""};
  bnn_fail(&err, BNN_EDATA, "x\x1b[2J\n%s", "\xe9");
  ck_assert_str_eq(err.text, "x\\x1b[2J\\n\\xe9");
  ck_assert_str_eq(bnn_err_reason(&err, "x"), err.text);
  bnn_fail_within(&err, BNN_EDATA, "n\x07");
  ck_assert_str_eq(err.text, "n\\x07: x\\x1b[2J\\n\\xe9");
  ck_assert_str_eq(bnn_err_reason(&err, "n\x07"), "x\\x1b[2J\\n\\xe9");
  bnn_fail_after(&err, BNN_EDATA, " %s", "\x1b");
  ck_assert_str_eq(err.text, "n\\x07: x\\x1b[2J\\n\\xe9 \\x1b");
}
END_TEST

START_TEST(a_long_error_ends_in_a_whole_character) {
  char long_text[3 * BNN_ERR_TEXT];
  for (int shift = 0; shift < 3; shift++) {
    size_t n = 0;
    for (int i = 0; i < shift; i++) long_text[n++] = 'a';
    for (int i = 0; i < BNN_ERR_TEXT / 2; i++, n += 3) memcpy(long_text + n, "\xe2\x82\xac", 3);
    long_text[n] = 0;
    bnn_err err = {.text = ""};
    bnn_fail(&err, BNN_EDATA, "%s", long_text);
    size_t length = strlen(err.text);
    ck_assert_uint_ge(length, BNN_ERR_TEXT - 4);
    ck_assert_str_eq(err.text + length - 3, "\xe2\x82\xac");
    ck_assert_ptr_null(strstr(bnn_path_shown(long_text), "\\"));
    unsigned code;
    ck_assert_uint_eq(bnn_utf8_next(bnn_path_shown(long_text), 4, &code), 3);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, commands_and_what_is_not_utf_8_are_escaped, 0, ROWS);
  tcase_add_test(tests, lines_may_stay);
  tcase_add_test(tests, a_zero_byte_is_a_character);
  tcase_add_test(tests, only_whole_characters_are_written);
  tcase_add_test(tests, an_error_is_one_line_that_a_terminal_may_show);
  tcase_add_test(tests, a_long_error_ends_in_a_whole_character);
}

int main(void) { return run_suite("display", add_tests); }
