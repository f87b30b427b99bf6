/* test_safetensors.c - safetensors files, good and bad, rule by rule. */
#include "formats/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz_safetensors.c"
#include "support_files.h"

#ifdef BNN_HAVE_JANSSON

/* ---- files made here ---- */

/* A file whose header claims n bytes and has these. */
static bytes claimed(uint64_t n, const char *header, size_t length, const void *data, size_t size) {
  unsigned char prefix[8];
  for (int k = 0; k < 8; k++) prefix[k] = (unsigned char)(n >> 8 * k);
  return joined(joined(bytes_of(prefix, 8), bytes_of(header, length)), bytes_of(data, size));
}

/* The header, and behind it bytes 0, 1, 2, ... */
static bytes file_with(const char *header, size_t size) {
  unsigned char data[256];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)i;
  return claimed(strlen(header), header, strlen(header), data, size);
}

/* Asserts that b is refused with these words, from memory and from a file; frees b. */
static void refuses(bytes b, const char *words) {
  bnn_safetensors *f = NULL;
  ck_refuses(bnn_safetensors_parse(&f, b.p, b.n, "file", &err), BNN_EDATA, "file: ");
  ck_refuses(bnn_safetensors_parse(&f, b.p, b.n, "file", &err), BNN_EDATA, words);
  const char *path = file_of(0, b);
  ck_refuses(bnn_safetensors_open(&f, path, NULL, &err), BNN_EDATA, path);
  ck_assert_int_eq(bnn_safetensors_open(&f, path, NULL, NULL), BNN_EDATA);
  ck_assert_ptr_null(f);
}

/* Opens b from memory, and frees it. */
static bnn_safetensors *opened(bytes b) {
  bnn_safetensors *f = NULL;
  ck_succeeds(bnn_safetensors_parse(&f, b.p, b.n, "file", &err));
  free(b.p);
  return f;
}

/* The tensor of a name. */
static bnn_tensor *tensor_named(const bnn_safetensors *f, const char *name) {
  bnn_tensor *x = NULL;
  const bnn_safetensors_entry *e = bnn_safetensors_find(f, name);
  ck_assert_msg(e != NULL, "no tensor '%s'", name);
  ck_succeeds(bnn_safetensors_tensor(&x, f, e, &err));
  return x;
}

/* ---- the format's rules: what is taken ---- */

#define A(dtype, shape, offsets) \
  "\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define B(dtype, shape, offsets) \
  "\"b\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define U8_3 A("U8", "[3]", "[0,3]")

static const struct {
  const char *header;
  size_t data, n;
  int rank; /* of a, of u8 unless n is 0 */
  size_t dim[8];
} good_row[] = {
    {"{}", 0, 0, 0, {0}},                    /* no tensors at all */
    {"{\"__metadata__\":{}}", 0, 0, 0, {0}}, /* nor any metadata */
    {"{\"__metadata__\":null}", 0, 0, 0, {0}},
    {"{" U8_3 "}", 3, 1, 1, {3}},            /* the usual */
    {"{" U8_3 "}      ", 3, 1, 1, {3}},      /* padded */
    {" \t\r\n{" U8_3 "}\r\n", 3, 1, 1, {3}}, /* JSON's whitespace */
    {"{ \"a\" :\n{\"dtype\" : \"U8\", \"shape\" : [ 3 ],\t\"data_offsets\" : [ 0 , 3 ] } }",
     3,
     1,
     1,
     {3}},
    {"{\"a\":{\"data_offsets\":[0,3],\"shape\":[3],\"dtype\":\"U8\"}}",
     3,
     1,
     1,
     {3}}, /* any order */
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3],\"more\":1}}", 3, 1, 1, {3}},
    {"{" A("U8", "[]", "[0,1]") "}", 1, 1, 0, {0}},  /* a scalar */
    {"{" A("U8", "[0]", "[0,0]") "}", 0, 1, 1, {0}}, /* a dim of 0 */
    {"{" A("U8", "[4,0,9]", "[0,0]") "}", 0, 1, 3, {4, 0, 9}},
    {"{" A("U8", "[1099511627776,0]", "[0,0]") "}", 0, 1, 2, {(size_t)1 << 40, 0}},
    {"{" B("F4", "[2,3]", "[3,6]") "," U8_3 "}", 6, 2, 1, {3}}, /* entries in any order */
    {"{" B("F6_E2M3", "[4]", "[0,3]") "," A("U8", "[2]", "[3,5]") "}", 5, 2, 1, {2}},
    {"{" B("F32", "[0]", "[3,3]") "," U8_3 "}", 3, 2, 1, {3}}, /* empty at the end */
    {"{" B("F32", "[0]", "[0,0]") "," U8_3 "}", 3, 2, 1, {3}}, /* empty at the beginning */
    {"{\"\\u0061\":{\"dtype\":\"\\u00558\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3, 1, 1, {3}},
    {"{\"__metadata__\":{\"k\":\"v\"}," U8_3 "}", 3, 1, 1, {3}},
    {"{" A("U8", "[1,1,1,1,1,1,1,3]", "[0,3]") "}", 3, 1, 8, {1, 1, 1, 1, 1, 1, 1, 3}},
};
enum { GOOD_COUNT = sizeof good_row / sizeof *good_row };

START_TEST(what_the_format_allows_is_taken) {
  bytes b = file_with(good_row[_i].header, good_row[_i].data);
  bnn_safetensors *f = opened(b), *g = NULL;
  ck_assert_uint_eq(f->n, good_row[_i].n);
  if (f->n) {
    bnn_tensor *x = tensor_named(f, "a");
    ck_tensor(x, BNN_U8, good_row[_i].rank, good_row[_i].dim, NULL);
    bnn_tensor_unref(x);
  }
  b = file_with(good_row[_i].header, good_row[_i].data);
  ck_succeeds(bnn_safetensors_open(&g, file_of(0, b), NULL, &err));
  ck_assert_uint_eq(g->n, f->n);
  bnn_safetensors_close(f);
  bnn_safetensors_close(g);
}
END_TEST

/* The file of 72 bytes from the format's notes: a F32 [2] of 1, -2. */
START_TEST(the_smallest_file_is_read) {
  bytes b = joined(BYTES("\x38\0\0\0\0\0\0\0{" A("F32", "[2]", "[0,8]") "}  "),
                   BYTES("\0\0\x80\x3f\0\0\0\xc0"));
  ck_assert_uint_eq(b.n, 72);
  bnn_safetensors *f = opened(b);
  bnn_tensor *x = tensor_named(f, "a");
  ck_tensor(x, BNN_F32, DIMS(2), VALUES(1, -2));
  ck_assert_str_eq(f->entry[0].dtype, "F32");
  ck_assert_uint_eq(f->entry[0].offset, 64);
  ck_assert_ptr_null(bnn_safetensors_find(f, "b"));
  bnn_safetensors_close(f);
  ck_tensor(x, BNN_F32, DIMS(2), VALUES(1, -2)); /* the tensor keeps the bytes */
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(metadata_are_texts_sorted_by_key) {
  bnn_safetensors *f = opened(file_with(
      "{\"__metadata__\":{\"run\":\"x\\u0000y\",\"\":\"\",\"a\\u00fc\":\"\\ud83d\\ude00\"}}", 0));
  ck_assert_uint_eq(f->n_notes, 3);
  ck_assert_str_eq(f->note[0].key, "");
  ck_assert_str_eq(f->note[1].key, "a\xc3\xbc");
  ck_assert_str_eq(f->note[1].value, "\xf0\x9f\x98\x80");
  ck_assert_uint_eq(f->note[2].length, 3);
  ck_assert_mem_eq(f->note[2].value, "x\0y", 4);
  bnn_safetensors_close(f);
}
END_TEST

/* ---- and what is refused ---- */

#define WITH(entry) "{\"a\":" entry "}"
static const struct {
  const char *header;
  size_t data;
  const char *words;
} bad_row[] = {
    {"", 0, "the header is not JSON at byte"},
    {"x", 0, "the header is not JSON at byte"},
    {"{\"a\":", 0, "the header is not JSON at byte"},
    {"{} x", 0, "the header is not JSON at byte"},
    {"{\"\xff\":1}", 0, "unable to decode byte 0xff"},
    {"{\"\xc0\x80\":1}", 0, "unable to decode byte 0xc0"},
    {"{\"__metadata__\":{\"k\":\"\xed\xa0\x80\"}}", 0, "unable to decode byte 0xed"},
    {"{\"\\u0000\":1}", 0, "the header is not JSON at byte 1: a name with a zero byte"},
    {"[]", 0, "the header: expected an object, got an array"},
    {"{" U8_3 "," U8_3 "}", 3, "tensor 'a' is there twice"},
    {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "__metadata__ has 'k' twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ is there twice"},
    {WITH("{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}"), 1,
     "tensor 'a': 'dtype' is there twice"},
    {"{\"__metadata__\":[]}", 0, "__metadata__: expected an object, got an array"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: 'k': expected a string, got an integer"},
    {WITH("3"), 0, "tensor 'a': expected an object, got an integer"},
    {WITH("{\"shape\":[],\"data_offsets\":[0,1]}"), 1,
     "tensor 'a': dtype: expected a string, got nothing"},
    {WITH("{\"dtype\":8,\"shape\":[],\"data_offsets\":[0,1]}"), 1,
     "dtype: expected a string, got an integer"},
    {"{" A("F33", "[1]", "[0,4]") "}", 4, "tensor 'a': dtype: 'F33' is not known"},
    {"{" A("f32", "[1]", "[0,4]") "}", 4, "dtype: 'f32' is not known"},
    {WITH("{\"dtype\":\"U8\",\"data_offsets\":[0,1]}"), 1, "shape: expected an array, got nothing"},
    {"{" A("U8", "3", "[0,3]") "}", 3, "shape: expected an array, got an integer"},
    {"{" A("U8", "[3.0]", "[0,3]") "}", 3,
     "shape: expected integers of at least 0, got a fraction at 1"},
    {"{" A("U8", "[3,-1]", "[0,3]") "}", 3,
     "shape: expected integers of at least 0, got a negative one at 2"},
    {"{" A("U8", "[\"3\"]", "[0,3]") "}", 3,
     "shape: expected integers of at least 0, got a string at 1"},
    {"{" A("U8", "[9223372036854775808]", "[0,3]") "}", 3, "too big"},
    {"{" A("U8", "[4294967296,4294967296]", "[0,0]") "}", 0, "shape is more than a file can hold"},
    {"{" A("F64", "[4611686018427387904]", "[0,0]") "}", 0, "shape is more than a file can hold"},
    {"{" A("F4", "[3]", "[0,1]") "}", 1, "12 bits of F4 are not a whole number of bytes"},
    {"{" A("F6_E3M2", "[3]", "[0,2]") "}", 2, "18 bits of F6_E3M2 are not a whole number"},
    {WITH("{\"dtype\":\"U8\",\"shape\":[]}"), 1, "data_offsets: expected an array, got nothing"},
    {"{" A("U8", "[]", "[0]") "}", 1, "data_offsets: expected 2 numbers, got 1"},
    {"{" A("U8", "[]", "[0,1,1]") "}", 1, "data_offsets: expected 2 numbers, got 3"},
    {"{" A("U8", "[]", "[-1,0]") "}", 1,
     "data_offsets: expected integers of at least 0, got a negative one at 1"},
    {"{" A("U8", "[1]", "[1,0]") "}", 1, "tensor 'a': ends at 0, before it begins, at 1"},
    {"{" A("U8", "[2]", "[0,3]") "}", 3, "its shape takes 2 bytes of U8, its offsets leave it 3"},
    {"{" A("U8", "[4]", "[0,3]") "}", 3, "its shape takes 4 bytes of U8, its offsets leave it 3"},
    {"{" A("U8", "[2]", "[1,3]") "}", 3, "tensor 'a' begins at 1, the one before it ends at 0"},
    {"{" A("U8", "[1]", "[0,1]") "," B("U8", "[1]", "[2,3]") "}", 3,
     "'b' begins at 2, the one before it"},
    {"{" A("U8", "[2]", "[0,2]") "," B("U8", "[2]", "[1,3]") "}", 3,
     "'b' begins at 1, the one before it"},
    {"{" A("U8", "[3]", "[0,3]") "," B("U8", "[3]", "[0,3]") "}", 3,
     "begins at 0, the one before it ends at 3"},
    {"{" A("U8", "[0]", "[1,1]") "," B("U8", "[3]", "[0,3]") "}", 3,
     "begins at 1, the one before it ends at 3"},
    {"{" U8_3 "}", 4, "has 4 bytes of data, its header describes 3"},
    {"{" U8_3 "}", 2, "has 2 bytes of data, its header describes 3"},
    {"{}", 1, "has 1 bytes of data, its header describes 0"},
};
enum { BAD_COUNT = sizeof bad_row / sizeof *bad_row };

START_TEST(what_the_format_forbids_is_refused_with_a_word) {
  refuses(file_with(bad_row[_i].header, bad_row[_i].data), bad_row[_i].words);
}
END_TEST

START_TEST(a_header_that_the_file_can_not_hold_is_refused) {
  bnn_safetensors *f = NULL;
  refuses(BYTES("\2\0\0\0\0\0\0"), "has 7 bytes, a safetensors file at least 8");
  refuses(claimed(3, "{}", 2, "", 0), "ends after 2 of the 3 bytes of its header");
  refuses(claimed(100000000, "{}", 2, "", 0), "ends after 2 of the 100000000 bytes");
  refuses(claimed(100000001, "{}", 2, "", 0),
          "a header of 100000001 bytes is claimed, at most 100000000");
  refuses(claimed(UINT64_MAX, "{}", 2, "", 0), "a header of 18446744073709551615 bytes is claimed");
  refuses(claimed(1, "{}", 2, "", 0), "the header is not JSON");
  ck_refuses(bnn_safetensors_parse(&f, "", 0, "file", &err), BNN_EDATA, "file: holds no data");
  ck_refuses(bnn_safetensors_open(&f, file_of(0, BYTES("")), NULL, &err), BNN_EDATA,
             "holds no data");
  ck_refuses(bnn_safetensors_open(&f, path_of("no"), NULL, &err), BNN_EIO, "no: No such file");
  ck_refuses(bnn_safetensors_open(&f, folder, NULL, &err), BNN_EIO, "is not a regular file");
}
END_TEST

/* A unit with i for its '#'; returns its length. */
static size_t print_unit(char *to, const char *unit, unsigned i) {
  size_t n = 0;
  for (; *unit; unit++)
    n += (size_t)sprintf(to + n, *unit == '#' ? "%x" : "%c",
                         *unit == '#' ? i : (unsigned char)*unit);
  return n;
}

/* The most bytes that were alive while a header of `unit`s, between head and tail, of 2^20 bytes in
 * all is read, above those of the file itself; the header is refused with `words`, or taken. */
static size_t peak_of(const char *head, const char *unit, const char *tail, const char *words) {
  enum { N = 1 << 20 };
  char *header = malloc(N + 1000);
  size_t n = (size_t)sprintf(header, "%s", head), before = bnn_mem_bytes();
  for (unsigned i = 0; n < N; i++) n += print_unit(header + n, unit, i);
  n += (size_t)sprintf(header + n, "%s", tail);
  bytes b = claimed(n, header, n, "", 0);
  bnn_safetensors *f = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_safetensors_parse(&f, b.p, b.n, "file", &err);
  ck_assert_msg(words ? strstr(err.text, words) != NULL : status == BNN_OK, "said '%s'", err.text);
  bnn_safetensors_close(f);
  free(b.p);
  free(header);
  return bnn_mem_peak() - before - n;
}

/* Each runs in a process of its own, so that its peak is its own. */
static const struct {
  const char *head, *unit, *tail, *words;
} crowded[] = {
    {"{\"a\":[{}", ",{}", "]}", "expected an object, got an array"},
    {"{\"a\":{\"more\":[[]", ",[]", "]}}", "dtype: expected a string, got nothing"},
    {"{\"a\":{\"shape\":[1", ",1", "]}}", "shape has more than 64 numbers"},
    {"{\"a\":0", ",\"#\":0", "}", "tensor 'a': expected an object, got an integer"},
    {"{\"__metadata__\":{\"_\":\"\"", ",\"#\":\"\"", "}}", NULL},
    {"{\"__metadata__\":{\"_\":\"", "[{\\\"", "\"}}", NULL},
    {"{\"_\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
     ",\"#\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", "}", NULL},
};
enum { CROWDED_COUNT = sizeof crowded / sizeof *crowded };

START_TEST(a_header_takes_memory_in_proportion_whatever_it_holds) {
  size_t peak = peak_of(crowded[_i].head, crowded[_i].unit, crowded[_i].tail, crowded[_i].words);
  ck_assert_msg(peak <= 10 << 20, "%zu bytes for a header of 2^20", peak);
}
END_TEST

/* 8 + 35615 bytes of header: the file begins with 1f 8b, as gzip's do. */
START_TEST(a_file_may_begin_as_gzip_does) {
  char *header = malloc(0x8b1f);
  memset(header, ' ', 0x8b1f);
  memcpy(header, "{}", 2);
  bnn_safetensors *f = NULL;
  ck_succeeds(
      bnn_safetensors_open(&f, file_of(0, claimed(0x8b1f, header, 0x8b1f, "", 0)), NULL, &err));
  bnn_safetensors_close(f);
  free(header);
}
END_TEST

/* ---- types ---- */

static const struct {
  const char *dtype;
  size_t each;
  unsigned char data[32];
  bnn_dtype as;
  double value[4];
} type_row[] = {
    {"BOOL", 1, {0, 1, 1, 0}, BNN_I32, {0, 1, 1, 0}},
    {"U8", 1, {0, 1, 128, 255}, BNN_U8, {0, 1, 128, 255}},
    {"I8", 1, {0, 1, 128, 255}, BNN_I32, {0, 1, -128, -1}},
    {"I16", 2, {1, 0, 2, 1, 0, 128, 255, 255}, BNN_I32, {1, 258, -32768, -1}},
    {"U16", 2, {1, 0, 2, 1, 0, 128, 255, 255}, BNN_I32, {1, 258, 32768, 65535}},
    {"F16", 2, {0, 0x3c, 1, 0, 0xff, 0xfb, 0, 0x7c}, BNN_F32, {1, 0x1p-24, -65504, INFINITY}},
    {"BF16",
     2,
     {0x80, 0x3f, 1, 0, 0x7f, 0xff, 0x80, 0x7f},
     BNN_F32,
     {1, 0x1p-133, -0xffp120, INFINITY}},
    {"I32",
     4,
     {1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 128, 255, 255, 255, 255},
     BNN_I32,
     {1, 0x01020304, -0x1p31, -1}},
    {"U32",
     4,
     {1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 128, 255, 255, 255, 255},
     BNN_I64,
     {1, 0x01020304, 0x1p31, 0xffffffffp0}},
    {"F32",
     4,
     {0, 0, 128, 63, 0, 0, 32, 0xc0, 1, 0, 0, 0, 0, 0, 128, 0x7f},
     BNN_F32,
     {1, -2.5, 0x1p-149, INFINITY}},
    {"F64",
     8,
     {[6] = 0xf0, 0x3f, [14] = 4, 0xc0, [16] = 1, [30] = 0xf0, 0x7f},
     BNN_F64,
     {1, -2.5, 0x1p-1074, INFINITY}},
    {"I64", 8, {1, [8] = 0, 1, [23] = 128, [31] = 64}, BNN_I64, {1, 256, -0x1p63, 0x1p62}},
    {"U64", 8, {1, [8] = 0, 1, [23] = 128, [31] = 64}, BNN_U64, {1, 256, 0x1p63, 0x1p62}},
};
enum { TYPE_COUNT = sizeof type_row / sizeof *type_row };

/* A file with row i's four elements, and `before` bytes in front of them. */
static bytes file_of_type(int i, int before) {
  char header[300];
  int size = (int)type_row[i].each * 4;
  int n = snprintf(header, sizeof header,
                   "{\"_\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
                   "\"a\":{\"dtype\":\"%s\",\"shape\":[2,2],\"data_offsets\":[%d,%d]}}",
                   before, before, type_row[i].dtype, before, before + size);
  while ((n + 8) % 8) header[n++] = ' ';
  header[n] = 0;
  bytes data =
      joined(bytes_of("\0\0\0\0\0\0\0", (size_t)before), bytes_of(type_row[i].data, (size_t)size));
  return joined(claimed((uint64_t)n, header, (size_t)n, "", 0), data);
}

START_TEST(every_type_is_read_wherever_it_lies) {
  for (int before = 0; before < 16; before++) {
    bnn_safetensors *f = NULL;
    bnn_safetensors_options how = {.map = before >= 8};
    ck_succeeds(bnn_safetensors_open(&f, file_of(0, file_of_type(_i, before % 8)), &how, &err));
    const bnn_safetensors_entry *e = bnn_safetensors_find(f, "a");
    ck_assert_str_eq(e->dtype, type_row[_i].dtype);
    bnn_tensor *x = tensor_named(f, "a");
    bool is_ours = bnn_dtype_size(e->as) == type_row[_i].each;
    ck_assert_int_eq(x->release != NULL, how.map && is_ours && e->offset % type_row[_i].each == 0);
    bnn_safetensors_close(f);
    ck_tensor(x, type_row[_i].as, DIMS(2, 2), type_row[_i].value);
    bnn_tensor_unref(x);
  }
}
END_TEST

static const char *const unread[] = {"C64",         "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ",
                                     "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "F4"};
enum { UNREAD_COUNT = sizeof unread / sizeof *unread };

START_TEST(types_that_can_not_be_read_are_listed) {
  static const unsigned bits[UNREAD_COUNT] = {64, 8, 8, 8, 8, 8, 6, 6, 4};
  char header[200];
  snprintf(header, sizeof header,
           "{\"a\":{\"dtype\":\"%s\",\"shape\":[2,4],\"data_offsets\":[0,%u]}}", unread[_i],
           bits[_i]);
  bnn_safetensors *f = opened(file_with(header, bits[_i]));
  const bnn_safetensors_entry *e = bnn_safetensors_find(f, "a");
  bnn_tensor *x = NULL;
  ck_assert_str_eq(e->dtype, unread[_i]);
  ck_assert_int_eq(e->as, BNN_DTYPE_COUNT);
  ck_assert(e->rank == 2 && e->dim[0] == 2 && e->dim[1] == 4);
  ck_refuses(bnn_safetensors_tensor(&x, f, e, &err), BNN_ETYPE, "file: tensor 'a': is of dtype ");
  ck_refuses(bnn_safetensors_tensor(&x, f, e, &err), BNN_ETYPE, unread[_i]);
  ck_assert_ptr_null(x);
  bnn_safetensors_close(f);
}
END_TEST

START_TEST(shapes_beyond_ours_are_listed) {
  bnn_tensor *x = NULL;
  bnn_safetensors *f = opened(file_with("{" A("U8", "[1,1,1,1,1,1,1,1,3]", "[0,3]") "," B(
                                            "F64", "[0,1152921504606846976,2]", "[3,3]") "}",
                                        3));
  ck_assert_uint_eq(f->entry[0].rank, 9);
  ck_refuses(bnn_safetensors_tensor(&x, f, &f->entry[0], &err), BNN_ESHAPE,
             "'a': has 9 dimensions, at most 8");
  ck_refuses(bnn_safetensors_tensor(&x, f, &f->entry[1], &err), BNN_ESHAPE, "file: tensor 'b': ");
  ck_assert_ptr_null(x);
  bnn_safetensors_close(f);
}
END_TEST

START_TEST(writes_stay_out_of_the_file) {
  bnn_safetensors *f = NULL;
  bnn_safetensors_options how = {.map = _i};
  const char *path = file_of(0, file_with("{" U8_3 "}", 3));
  ck_succeeds(bnn_safetensors_open(&f, path, &how, &err));
  bnn_tensor *x = tensor_named(f, "a");
  bnn_tensor_set(x, 1, 77);
  bnn_safetensors_close(f);
  ck_succeeds(bnn_safetensors_open(&f, path, &how, &err));
  unlink(path);
  bnn_tensor *y = tensor_named(f, "a");
  bnn_safetensors_close(f);
  ck_tensor(x, BNN_U8, DIMS(3), VALUES(0, 77, 2));
  ck_tensor(y, BNN_U8, DIMS(3), VALUES(0, 1, 2));
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

/* ---- writing ---- */

static const char *const names[] = {"w/b", "u8", "i32", "w/a", "u64", "i64", "f64"};
enum { SAVED = sizeof names / sizeof *names };
static const bnn_dtype saved[SAVED] = {BNN_F32, BNN_U8,  BNN_I32, BNN_F32,
                                       BNN_U64, BNN_I64, BNN_F64};
static const bnn_safetensors_note notes[] = {{"run", "x\0y", 3}, {"a\xc3\xbc", "\"\n", 2}};

/* The tensors of SAVED types, each seen turned. */
static void make_tensors(bnn_tensor *x[SAVED]) {
  for (size_t i = 0; i < SAVED; i++) {
    bnn_tensor *base = tensor_of(saved[i], DIMS(3, 2), NULL);
    ck_succeeds(bnn_tensor_permute(&x[i], base, (int[]){1, 0}, &err));
    bnn_tensor_unref(base);
  }
}

static void free_tensors(bnn_tensor *x[SAVED]) {
  for (size_t i = 0; i < SAVED; i++) bnn_tensor_unref(x[i]);
}

START_TEST(what_is_written_is_read_back) {
  bnn_tensor *x[SAVED];
  bnn_safetensors *f = NULL;
  bnn_safetensors_options how = {.map = _i & 1, .unchecked = _i & 2};
  make_tensors(x);
  ck_succeeds(bnn_safetensors_save(path_of("x"), SAVED, names, x, 2, notes, _i & 4, &err));
  ck_succeeds(bnn_safetensors_open(&f, path_of("x"), &how, &err));
  ck_assert(f->n == SAVED && f->n_notes == 2);
  for (size_t i = 0; i < SAVED; i++) {
    bnn_tensor *y = tensor_named(f, names[i]);
    ck_tensor(y, saved[i], DIMS(2, 3), VALUES(0, 2, 4, 1, 3, 5));
    ck_assert_int_eq(y->release != NULL, how.map); /* all lie where they can be seen in place */
    bnn_tensor_unref(y);
  }
  ck_assert_str_eq(f->note[0].value, "\"\n");
  ck_assert_mem_eq(f->note[1].value, "x\0y", 4);
  ck_assert_int_eq(files_in_folder(), 1);
  bnn_safetensors_close(f);
  free_tensors(x);
}
END_TEST

/* What Python's safetensors 0.6 writes for the same (safetensors_python_test.sh compares more). */
START_TEST(the_bytes_are_those_of_the_reference_writer) {
  bnn_tensor *x[3] = {tensor_of(BNN_U8, DIMS(3), VALUES(1, 2, 3)),
                      tensor_of(BNN_F32, SCALAR, VALUES(1)),
                      tensor_of(BNN_U64, DIMS(1, 1), VALUES(5))};
  static const char *const name[] = {"c", "b", "a"};
  static const char header[] = "{\"__metadata__\":{\"format\":\"np\"},"
                               "\"a\":{\"dtype\":\"U64\",\"shape\":[1,1],\"data_offsets\":[0,8]},"
                               "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
                               "\"c\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[12,15]}}";
  bnn_safetensors_note note = {"format", "np", 2};
  size_t length = (strlen(header) + 7) / 8 * 8;
  char padded[300];
  ck_assert_uint_lt(length, sizeof padded);
  memset(padded, ' ', length);
  memcpy(padded, header, strlen(header));
  bytes want = claimed(length, padded, length, "\5\0\0\0\0\0\0\0\0\0\x80\x3f\1\2\3", 15);
  ck_succeeds(bnn_safetensors_save(path_of("x"), 3, name, x, 1, &note, false, &err));
  bytes got = bytes_of_file(path_of("x"));
  ck_assert_uint_eq(got.n, want.n);
  ck_assert_mem_eq(got.p, want.p, want.n);
  free(got.p);
  free(want.p);
  for (int i = 0; i < 3; i++) bnn_tensor_unref(x[i]);
}
END_TEST

START_TEST(a_file_may_hold_no_tensors) {
  ck_succeeds(bnn_safetensors_save(path_of("x"), 0, NULL, NULL, 0, NULL, false, &err));
  bytes b = bytes_of_file(path_of("x"));
  ck_assert_uint_eq(b.n, 16);
  ck_assert_mem_eq(b.p, "\x08\0\0\0\0\0\0\0{}      ", 16);
  bnn_safetensors_close(opened(b));
}
END_TEST

START_TEST(names_and_texts_that_will_not_do_are_not_written) {
  static const struct {
    const char *name[2];
    bnn_safetensors_note note[2];
    const char *words;
  } row[] = {
      {{"a", "a"}, {{"k", "", 0}, {"l", "", 0}}, "'a' is there twice"},
      {{"a", "__metadata__"},
       {{"k", "", 0}, {"l", "", 0}},
       "no tensor can be called '__metadata__'"},
      {{"a", "\xff"}, {{"k", "", 0}, {"l", "", 0}}, "the name '\\xff' is not UTF-8"},
      {{"a", "b"}, {{"k", "", 0}, {"k", "", 0}}, "'k' is there twice"},
      {{"a", "b"}, {{"k", "", 0}, {"\xff", "", 0}}, "the metadata's key '\\xff' is not UTF-8"},
      {{"a", "b"}, {{"k", "", 0}, {"l", "x\xff", 2}}, "the metadata's value 'x\\xff' is not UTF-8"},
      {{"a", "b"}, {{"k", "", 0}, {"bnn.crc32", "", 0}}, "'bnn.crc32' is there twice"},
  };
  bnn_tensor *x[2] = {tensor_of(BNN_U8, DIMS(3), NULL), tensor_of(BNN_U8, DIMS(3), NULL)};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    const char *path = path_of("x");
    ck_refuses(bnn_safetensors_save(path, 2, row[i].name, x, 2, row[i].note, true, &err),
               BNN_ERANGE, path);
    ck_refuses(bnn_safetensors_save(path, 2, row[i].name, x, 2, row[i].note, true, &err),
               BNN_ERANGE, row[i].words);
  }
  ck_assert_int_eq(files_in_folder(), 0);
  static const char *const name[] = {"a", "b"};
  ck_refuses(bnn_safetensors_save(path_of("no/x"), 2, name, x, 0, NULL, true, &err), BNN_EIO,
             "no/x: No such file");
  bnn_tensor_unref(x[0]);
  bnn_tensor_unref(x[1]);
}
END_TEST

/* ---- checksums ---- */

/* A file of two tensors and two notes with checksums. */
static bytes checked_file(void) {
  static const char *const name[] = {"w", "step"};
  static const bnn_safetensors_note note[] = {{"lr", "0.25", 4}, {"run", "7", 1}};
  bnn_tensor *x[2] = {tensor_of(BNN_F32, DIMS(5, 2), NULL), tensor_of(BNN_U64, SCALAR, VALUES(9))};
  ck_succeeds(bnn_safetensors_save(path_of("x"), 2, name, x, 2, note, true, &err));
  bnn_tensor_unref(x[0]);
  bnn_tensor_unref(x[1]);
  return bytes_of_file(path_of("x"));
}

/* What is read from b, as a text: all that its header says and all elements; false when that is
 * refused. */
static bool says(char text[1000], bytes b) {
  bnn_safetensors *f = NULL;
  size_t n = 0, room = 1000;
  bnn_status status = bnn_safetensors_parse(&f, b.p, b.n, "file", NULL);
  for (size_t i = 0; status == BNN_OK && i < f->n; i++) {
    bnn_tensor *x = NULL;
    status = bnn_safetensors_tensor(&x, f, &f->entry[i], NULL);
    if (status != BNN_OK) break;
    n += (size_t)snprintf(text + n, room - n, "%s %s %d:", f->entry[i].name, f->entry[i].dtype,
                          x->rank);
    for (size_t k = 0; k < x->size; k++)
      n += (size_t)snprintf(text + n, room - n, " %g", bnn_tensor_get(x, k));
    bnn_tensor_unref(x);
  }
  for (size_t i = 0; f && i < f->n_notes; i++)
    n += (size_t)snprintf(text + n, room - n, " %s=%s", f->note[i].key, f->note[i].value);
  bnn_safetensors_close(f);
  return status == BNN_OK;
}

/* Every bit of the file, in the header too.  What is still read says what the undamaged file says
 * (a blank between two texts became another), unless it was the name of the checksums that went. */
START_TEST(a_bit_that_is_wrong_is_found) {
  char want[1000], got[1000];
  bytes b = checked_file();
  size_t found = 0, same = 0, unnamed = 0;
  ck_assert(says(want, b));
  for (size_t bit = 0; bit < 8 * b.n; bit++) {
    b.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
    if (!says(got, b))
      found++;
    else if (strcmp(want, got) == 0)
      same++;
    else
      unnamed += strstr(got, "bnn.crc32=") == NULL;
    b.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  ck_assert_uint_le(same, 8 * 3); /* blanks at the end of the header */
  ck_assert_uint_le(unnamed, 8 * strlen("bnn.crc32"));
  ck_assert_uint_eq(found + same + unnamed, 8 * b.n);
  free(b.p);
}
END_TEST

/* Puts `to` where `from` is, which is as long and there once. */
static bytes replaced(bytes b, const char *from, const char *to) {
  size_t at = 0, n = strlen(from);
  while (at + n <= b.n && memcmp(b.p + at, from, n) != 0) at++;
  ck_assert_uint_le(at + n, b.n);
  memcpy(b.p + at, to, n);
  return b;
}

START_TEST(what_is_damaged_is_named) {
  bnn_safetensors *f = NULL;
  bnn_tensor *x = NULL;
  bnn_safetensors_options unchecked = {.unchecked = true};
  bytes b = checked_file();
  b.p[b.n - 1] ^= 1; /* the last element of w */
  const char *path = file_of(0, b);
  ck_succeeds(bnn_safetensors_open(&f, path, NULL, &err));
  ck_refuses(bnn_safetensors_tensor(&x, f, bnn_safetensors_find(f, "w"), &err), BNN_EDATA, path);
  ck_refuses(bnn_safetensors_tensor(&x, f, bnn_safetensors_find(f, "w"), &err), BNN_EDATA,
             ": tensor 'w': its data are damaged");
  x = tensor_named(f, "step");
  ck_tensor(x, BNN_U64, SCALAR, VALUES(9));
  bnn_tensor_unref(x);
  bnn_safetensors_close(f);
  static const char *const row[][2] = {
      {"0.25", "0.75"}, {"[5,2]", "[2,5]"}, {"\"lr\"", "\"kr\""}, {"\"w\"", "\"v\""}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    path = file_of(0, replaced(checked_file(), row[i][0], row[i][1]));
    ck_refuses(bnn_safetensors_open(&f, path, NULL, &err), BNN_EDATA, "its header is damaged");
    ck_succeeds(bnn_safetensors_open(&f, path, &unchecked, &err));
    ck_assert_uint_eq(f->n_notes, 2);
    bnn_safetensors_close(f);
  }
  b = checked_file();
  b.p[strlen("12345678{\"__metadata__\":{\"lr\":\"0.25\",\"run\":\"7\",\"bnn.crc32\":\"")] = 'x';
  path = file_of(0, b);
  ck_refuses(bnn_safetensors_open(&f, path, NULL, &err), BNN_EDATA, "is not 3 checksums");
}
END_TEST

/* Another program may write the same header in another order, as Python's does. */
START_TEST(the_order_of_a_header_does_not_matter) {
  char want[1000], got[1000];
  bytes b = checked_file();
  ck_assert(says(want, b));
  b = replaced(b, "\"lr\":\"0.25\",\"run\":\"7\"", "\"run\":\"7\",\"lr\":\"0.25\"");
  ck_assert(says(got, b));
  ck_assert_str_eq(want, got);
  free(b.p);
}
END_TEST

/* The file that was opened is read, and what changes in it while it is open is told. */
START_TEST(a_file_that_changes_while_it_is_open_is_told) {
  bnn_safetensors *f = NULL;
  bnn_tensor *x = NULL;
  bytes b = checked_file();
  const char *path = file_of(0, bytes_of(b.p, b.n));
  ck_succeeds(bnn_safetensors_open(&f, path, NULL, &err));
  if (_i == 0) ck_assert_int_eq(truncate(path, (off_t)b.n - 4), 0);
  b.p[b.n - 2] ^= 4;
  if (_i == 1) file_of(0, bytes_of(b.p, b.n));
  ck_refuses(bnn_safetensors_tensor(&x, f, bnn_safetensors_find(f, "w"), &err), BNN_EDATA,
             _i == 0 ? "it had" : "its data are damaged");
  ck_assert_ptr_null(x);
  bnn_safetensors_close(f);
  free(b.p);
}
END_TEST

/* ---- everything that may go wrong ---- */

START_TEST(a_good_file_may_be_cut_and_changed_anywhere) {
  bnn_tensor *x[SAVED];
  make_tensors(x);
  ck_succeeds(bnn_safetensors_save(path_of("x"), SAVED, names, x, 2, notes, true, &err));
  free_tensors(x);
  bytes b = bytes_of_file(path_of("x"));
  ck_assert_uint_lt(b.n, 2000);
  replay_damaged(b, LLVMFuzzerTestOneInput);
  replay_damaged(bytes_of_file("tests/corpus/safetensors/good_types"), LLVMFuzzerTestOneInput);
}
END_TEST

START_TEST(the_corpus_replays) {
  ck_assert_int_gt(replay("tests/corpus/safetensors", LLVMFuzzerTestOneInput), 50);
}
END_TEST

static bnn_status read_and_drop(void *path, bnn_err *err) {
  bnn_safetensors *f = NULL;
  bnn_status status = bnn_safetensors_open(&f, path, NULL, err);
  for (size_t i = 0; status == BNN_OK && i < f->n; i++) {
    bnn_tensor *x = NULL;
    if (f->entry[i].as != BNN_DTYPE_COUNT)
      status = bnn_safetensors_tensor(&x, f, &f->entry[i], err);
    bnn_tensor_unref(x);
  }
  bnn_safetensors_close(f);
  return status;
}

static bnn_status parse_and_drop(void *b, bnn_err *err) {
  bnn_safetensors *f = NULL;
  BNN_TRY(bnn_safetensors_parse(&f, ((bytes *)b)->p, ((bytes *)b)->n, "file", err));
  bnn_safetensors_close(f);
  return BNN_OK;
}

static bnn_status write_tensors(void *x, bnn_err *err) {
  return bnn_safetensors_save(path_of("x"), SAVED, names, x, 2, notes, true, err);
}

START_TEST(every_allocation_may_fail) {
  bnn_tensor *x[SAVED];
  char path[] = "tests/corpus/safetensors/good_types";
  bytes b = bytes_of_file(path);
  ck_survives_failing_allocations(read_and_drop, path);
  ck_survives_failing_allocations(parse_and_drop, &b);
  make_tensors(x);
  ck_survives_failing_allocations(write_tensors, x);
  free_tensors(x);
  free(b.p);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, what_the_format_allows_is_taken, 0, GOOD_COUNT);
  tcase_add_test(tests, the_smallest_file_is_read);
  tcase_add_test(tests, metadata_are_texts_sorted_by_key);
  tcase_add_loop_test(tests, what_the_format_forbids_is_refused_with_a_word, 0, BAD_COUNT);
  tcase_add_test(tests, a_header_that_the_file_can_not_hold_is_refused);
  tcase_add_loop_test(tests, a_header_takes_memory_in_proportion_whatever_it_holds, 0,
                      CROWDED_COUNT);
  tcase_add_test(tests, a_file_may_begin_as_gzip_does);
  tcase_add_loop_test(tests, every_type_is_read_wherever_it_lies, 0, TYPE_COUNT);
  tcase_add_loop_test(tests, types_that_can_not_be_read_are_listed, 0, UNREAD_COUNT);
  tcase_add_test(tests, shapes_beyond_ours_are_listed);
  tcase_add_loop_test(tests, writes_stay_out_of_the_file, 0, 2);
  tcase_add_loop_test(tests, what_is_written_is_read_back, 0, 8);
  tcase_add_test(tests, the_bytes_are_those_of_the_reference_writer);
  tcase_add_test(tests, a_file_may_hold_no_tensors);
  tcase_add_test(tests, names_and_texts_that_will_not_do_are_not_written);
  tcase_add_test(tests, a_bit_that_is_wrong_is_found);
  tcase_add_test(tests, what_is_damaged_is_named);
  tcase_add_test(tests, the_order_of_a_header_does_not_matter);
  tcase_add_loop_test(tests, a_file_that_changes_while_it_is_open_is_told, 0, 2);
  tcase_add_test(tests, a_good_file_may_be_cut_and_changed_anywhere);
  tcase_add_test(tests, the_corpus_replays);
  tcase_add_test(tests, every_allocation_may_fail);
}

#else

START_TEST(a_build_without_jansson_says_so) {
  bnn_safetensors *f = NULL;
  ck_refuses(bnn_safetensors_open(&f, "x", NULL, &err), BNN_EIO,
             "x: this program was built without jansson");
  ck_refuses(bnn_safetensors_parse(&f, "", 0, "x", &err), BNN_EIO,
             "x: this program was built without");
  ck_refuses(bnn_safetensors_save("x", 0, NULL, NULL, 0, NULL, false, &err), BNN_EIO,
             "x: this program was");
  ck_assert_ptr_null(bnn_safetensors_version());
  ck_assert_int_gt(replay("tests/corpus/safetensors", LLVMFuzzerTestOneInput), 0);
  bnn_safetensors_close(f);
}
END_TEST

static void add_tests(TCase *tests) { tcase_add_test(tests, a_build_without_jansson_says_so); }

#endif

int main(void) { return run_suite("safetensors", add_tests); }
