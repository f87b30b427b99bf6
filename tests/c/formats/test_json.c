/* test_json.c - JSON read and written value by value, and jansson's memory. */
#include "formats/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support.h"

#ifdef BNN_HAVE_JANSSON
#include <jansson.h>

/* ---- a text written anew as it is read ---- */

static bnn_status copy_value(bnn_bytes *to, bnn_json *r, bnn_err *err);

static bnn_status copy_container(bnn_bytes *to, bnn_json *r, const char *brackets, bnn_err *err) {
  bool more = true;
  for (int i = 0;; i++) {
    bnn_json_value key = {.text = NULL};
    BNN_TRY(bnn_json_next(r, &more, &key, err));
    if (i == 0) BNN_TRY(bnn_bytes_add(to, brackets, 1, err));
    if (!more) return bnn_bytes_add(to, brackets + 1, 1, err);
    if (i > 0) BNN_TRY(bnn_bytes_add(to, ",", 1, err));
    if (key.text) {
      BNN_TRY(bnn_json_put_text(to, key.text, key.length, err));
      BNN_TRY(bnn_bytes_add(to, ":", 1, err));
    }
    BNN_TRY(copy_value(to, r, err));
  }
}

static bnn_status copy_value(bnn_bytes *to, bnn_json *r, bnn_err *err) {
  bnn_json_value v;
  BNN_TRY(bnn_json_read(r, &v, err));
  switch (v.kind) {
  case BNN_JSON_OBJECT: return copy_container(to, r, "{}", err);
  case BNN_JSON_ARRAY: return copy_container(to, r, "[]", err);
  case BNN_JSON_TEXT: return bnn_json_put_text(to, v.text, v.length, err);
  case BNN_JSON_INTEGER: return bnn_json_put_integer(to, v.integer, err);
  case BNN_JSON_REAL: return bnn_json_put_real(to, v.real, err);
  default: {
    const char *word = bnn_json_kind_name(v.kind);
    return bnn_bytes_add(to, word, strlen(word), err);
  }
  }
}

static bnn_status copy_text(bnn_bytes *to, const char *text, size_t n, bnn_err *err) {
  bnn_json *r = NULL;
  BNN_TRY(bnn_json_open(&r, text, n, "it is no JSON", err));
  bnn_status status = copy_value(to, r, err);
  if (status == BNN_OK) status = bnn_json_end(r, err);
  bnn_json_close(r);
  return status;
}

/* Asserts that text becomes `wanted`. */
static void copies(const char *text, size_t n, const char *wanted, size_t wanted_n) {
  bnn_bytes b = {.p = NULL};
  ck_succeeds(copy_text(&b, text, n, &err));
  ck_assert_msg(b.n == wanted_n && memcmp(b.p, wanted, b.n) == 0, "'%.*s' became '%.*s'", (int)n,
                text, (int)b.n, (char *)b.p);
  bnn_bytes_free(&b);
}

static const struct {
  const char *text, *wanted; /* NULL: the same */
} good_row[] = {
    {"{}", NULL},
    {" [ ]\r\n\t", "[]"},
    {"[[],{},[{\"a\":[]}]]", NULL},
    {"{\"b\":1,\"a\":{\"\":null},\"c\":[true,false,null]}", NULL},
    {"{\"twice\":1,\"twice\":2}", NULL}, /* for the caller to see */
    {"\"\"", NULL},
    {"\"gr\\u00fcn \\ud83d\\ude00 \\/ \\\" \\\\ \\n \\u0001\"",
     "\"gr\xc3\xbcn \xf0\x9f\x98\x80 / \\\" \\\\ \\n \\u0001\""},
    {"\"\\u0000\"", NULL},
    {"[0,-0,1,-1,9223372036854775807,-9223372036854775808]",
     "[0,0,1,-1,9223372036854775807,-9223372036854775808]"},
    {"[0.0,-0.0,1e0,2.5E+3]", "[0.0,-0.0,1.0,2500.0]"},
    {"[0.1,5e-324,1.7976931348623157e308]",
     "[0.10000000000000001,4.9406564584124654e-324,1.7976931348623157e308]"},
};
enum { GOOD_COUNT = sizeof good_row / sizeof *good_row };

START_TEST(what_is_read_is_written_again) {
  const char *text = good_row[_i].text, *wanted = good_row[_i].wanted;
  if (!wanted) wanted = text;
  copies(text, strlen(text), wanted, strlen(wanted));
}
END_TEST

static const struct {
  const char *text, *words;
} bad_row[] = {
    {"", "at byte 0: it ends where a value is expected"},
    {"  ", "at byte 2: it ends"},
    {"{", "at byte 1: it ends where a name in quotes is expected"},
    {"[", "at byte 1: it ends where a value is expected"},
    {"[1", "at byte 2: it ends where ',' or ']' is expected"},
    {"[1,]", "at byte 3: expected a value, found ']'"},
    {"[,1]", "at byte 1: expected a value, found ','"},
    {"[1}", "at byte 2: expected ',' or ']', found '}'"},
    {"[1 2]", "at byte 3: expected ',' or ']', found '2'"},
    {"{\"a\":1,}", "expected a name in quotes, found '}'"},
    {"{\"a\" 1}", "at byte 5: expected ':', found '1'"},
    {"{\"a\":1]", "expected ',' or '}', found ']'"},
    {"{a:1}", "expected a name in quotes, found 'a'"},
    {"{\"a\\u0000\":1}", "a name with a zero byte"},
    {"[] x", "at byte 3: expected the end, found 'x'"},
    {"1 1", "at byte 2: expected the end"},
    {"\"a", "at byte 0: a quote is not closed"},
    {"\"a\\\"", "a quote is not closed"},
    {"\"a\\", "a quote is not closed"},
    {"\"\n\"", "unexpected newline"},
    {"\"\\x\"", "invalid escape"},
    {"\"\\ud800\"", "invalid Unicode"},
    {"\"\\u00\"", "invalid escape"},
    {"\"\xff\"", "unable to decode byte 0xff"},
    {"\"\xc3\"", "unable to decode byte 0xc3"},
    {"\"\xed\xa0\x80\"", "unable to decode byte 0xed"},
    {"'a'", "at byte"},
    {"nan", "at byte"},
    {"NaN", "at byte"},
    {"01", "at byte"},
    {"+1", "at byte"},
    {"1.", "at byte"},
    {".5", "at byte"},
    {"0x1", "at byte"},
    {"1e", "at byte"},
    {"truex", "at byte"},
    {"True", "at byte"},
    {"1e999", "real number overflow"},
    {"9223372036854775808", "too big integer"},
};
enum { BAD_COUNT = sizeof bad_row / sizeof *bad_row };

START_TEST(a_zero_byte_ends_no_word) {
  static const char *const row[] = {"1@", "true@", "[1.5@]", "{\"a\":null@}", "[1@,2]", "[@]", "@"};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    bnn_bytes b = {.p = NULL};
    char text[16];
    strcpy(text, row[i]);
    size_t n = strlen(text);
    *strchr(text, '@') = 0;
    ck_refuses(copy_text(&b, text, n, &err), BNN_EDATA, "found '\\x00'");
    bnn_bytes_free(&b);
  }
}
END_TEST

START_TEST(what_is_no_json_is_refused_with_its_place) {
  bnn_bytes b = {.p = NULL};
  const char *text = bad_row[_i].text;
  ck_refuses(copy_text(&b, text, strlen(text), &err), BNN_EDATA, "it is no JSON at byte ");
  ck_refuses(copy_text(&b, text, strlen(text), &err), BNN_EDATA, bad_row[_i].words);
  bnn_bytes_free(&b);
}
END_TEST

/* Texts are decoded in pieces: whatever stands at a joint must come out whole. */
START_TEST(long_texts_keep_what_stands_at_any_place) {
  static const char *const unit[] = {"x",   "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                     "\\n", "\\u0001"};
  static char text[20000];
  for (size_t k = 0; k < sizeof unit / sizeof *unit; k++)
    for (size_t shift = 0; shift < 14; shift++) {
      size_t n = (size_t)sprintf(text, "\"%.*s", (int)shift, "abcdefghijklmn");
      while (n < 9000) n += (size_t)sprintf(text + n, "%s", unit[k]);
      n += (size_t)sprintf(text + n, "\"");
      copies(text, n, text, n);
    }
}
END_TEST

START_TEST(a_surrogate_pair_at_any_place_is_one_character) {
  static char text[5000], wanted[5000];
  for (size_t shift = 1000; shift < 1030; shift++) {
    memset(text, 'x', sizeof text);
    memset(wanted, 'x', sizeof wanted);
    text[0] = wanted[0] = '"';
    memcpy(text + shift, "\\uD83d\\uDe00\"", 13);
    memcpy(wanted + shift, "\xf0\x9f\x98\x80\"", 5);
    copies(text, shift + 13, wanted, shift + 5);
  }
}
END_TEST

START_TEST(half_characters_are_not_written) {
  static char text[3000];
  bnn_bytes b = {.p = NULL};
  for (size_t n = 1020; n < 1030; n++) {
    memset(text, 'x', n);
    memcpy(text + n, "\xf0\x9f\x98", 3);
    ck_refuses(bnn_json_put_text(&b, text, n + 3, &err), BNN_ERANGE, "");
  }
  ck_refuses(bnn_json_put_real(&b, NAN, &err), BNN_ERANGE, "cannot be a number in JSON");
  ck_refuses(bnn_json_put_real(&b, -INFINITY, &err), BNN_ERANGE, "-inf cannot be a number");
  bnn_bytes_free(&b);
}
END_TEST

/* n times a, then n times b. */
static char *nested(size_t n, const char *a, const char *b) {
  char *text = malloc(n * (strlen(a) + strlen(b)) + 1), *to = text;
  for (size_t i = 0; i < n; i++) to += sprintf(to, "%s", a);
  for (size_t i = 0; i < n; i++) to += sprintf(to, "%s", b);
  return text;
}

START_TEST(depth_has_an_end) {
  bnn_bytes b = {.p = NULL};
  bnn_json *r = NULL;
  char *deepest = nested(BNN_JSON_DEPTH, "[", "]"), *deeper = nested(BNN_JSON_DEPTH + 1, "[", "]");
  char *deep = nested(1000000, "{\"\":", "}");
  copies(deepest, strlen(deepest), deepest, strlen(deepest));
  ck_refuses(copy_text(&b, deeper, strlen(deeper), &err), BNN_EDATA, "nested more than 200 deep");
  ck_refuses(copy_text(&b, deep, strlen(deep), &err), BNN_EDATA, "nested more than 200 deep");
  ck_succeeds(bnn_json_open(&r, deepest, strlen(deepest), "it", &err));
  ck_succeeds(bnn_json_skip(r, &err));
  ck_succeeds(bnn_json_end(r, &err));
  bnn_json_close(r);
  bnn_bytes_free(&b);
  free(deepest);
  free(deeper);
  free(deep);
}
END_TEST

/* ---- memory ---- */

/* An array of two bytes would be a hundred in jansson's tree. */
START_TEST(reading_takes_constant_memory_and_the_longest_text) {
  enum { N = 1 << 20, TEXT = 1 << 16 };
  char *text = malloc(2 * N);
  size_t n = (size_t)sprintf(text, "[\"");
  memset(text + n, 'x', TEXT);
  n += TEXT;
  n += (size_t)sprintf(text + n, "\"");
  while (n < N) n += (size_t)sprintf(text + n, ",{},[],1,\"a\"");
  n += (size_t)sprintf(text + n, "]");
  bnn_json *r = NULL;
  size_t bound = bnn_mem_bytes() + TEXT + 20000, before = bnn_mem_peak();
  ck_succeeds(bnn_json_open(&r, text, n, "it", &err));
  ck_succeeds(bnn_json_skip(r, &err));
  ck_succeeds(bnn_json_end(r, &err));
  bnn_json_close(r);
  free(text);
  ck_assert_uint_le(bnn_mem_peak(), before > bound ? before : bound);
}
END_TEST

static const char sample[] =
    "{\"a\":[1,-2.5e-7,\"gr\\u00fcn\",true,{}],\"a longer name\":\"\\ud83d\\ude00\"}";

static bnn_status copy_sample(void *data, bnn_err *err) {
  (void)data;
  bnn_bytes b = {.p = NULL};
  bnn_status status = copy_text(&b, sample, sizeof sample - 1, err);
  bnn_bytes_free(&b);
  return status;
}

START_TEST(every_allocation_may_fail) { ck_survives_failing_allocations(copy_sample, NULL); }
END_TEST

/* The allocator of a program that uses jansson too. */
static int asked, given;

static void *ask(size_t n) {
  asked++;
  return malloc(n);
}

static void give(void *p) {
  given += p != NULL;
  free(p);
}

static void *refuse(size_t n) {
  (void)n;
  return NULL;
}

START_TEST(jansson_never_sees_that_memory_is_out) {
  json_set_alloc_funcs(refuse, free);
  ck_succeeds(copy_sample(NULL, &err));
  ck_assert_ptr_null(json_object()); /* ours passes on what it is not meant for */
  json_set_alloc_funcs(malloc, free);
}
END_TEST

START_TEST(a_programs_own_allocator_keeps_its_blocks) {
  json_set_alloc_funcs(ask, give);
  json_t *early = json_pack("{s:[i,i,i]}", "list", 1, 2, 3);
  int before = asked;
  ck_succeeds(copy_sample(NULL, &err)); /* ours is in front from here on */
  ck_assert_int_eq(asked, before);
  ck_assert_int_eq(given, 0);
  json_t *late = json_pack("{s:[i,i,i]}", "list", 1, 2, 3);
  ck_assert_int_eq(asked, 2 * before);
  json_decref(early);
  ck_succeeds(copy_sample(NULL, &err));
  json_decref(late);
  ck_assert_int_eq(given, asked);
  json_set_alloc_funcs(ask, give); /* set again, behind our back */
  ck_succeeds(copy_sample(NULL, &err));
  ck_assert_int_eq(asked, 2 * before);
  json_set_alloc_funcs(malloc, free);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, what_is_read_is_written_again, 0, GOOD_COUNT);
  tcase_add_loop_test(tests, what_is_no_json_is_refused_with_its_place, 0, BAD_COUNT);
  tcase_add_test(tests, a_zero_byte_ends_no_word);
  tcase_add_test(tests, long_texts_keep_what_stands_at_any_place);
  tcase_add_test(tests, a_surrogate_pair_at_any_place_is_one_character);
  tcase_add_test(tests, half_characters_are_not_written);
  tcase_add_test(tests, depth_has_an_end);
  tcase_add_test(tests, reading_takes_constant_memory_and_the_longest_text);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_test(tests, jansson_never_sees_that_memory_is_out);
  tcase_add_test(tests, a_programs_own_allocator_keeps_its_blocks);
}

#else

START_TEST(a_build_without_jansson_says_so) {
  bnn_json *r = NULL;
  ck_refuses(bnn_json_open(&r, "1", 1, "it", &err), BNN_EIO, "built without jansson");
  ck_assert_ptr_null(bnn_json_version());
}
END_TEST

static void add_tests(TCase *tests) { tcase_add_test(tests, a_build_without_jansson_says_so); }

#endif

int main(void) { return run_suite("json", add_tests); }
