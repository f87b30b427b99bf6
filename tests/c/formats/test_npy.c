/* test_npy.c - .npy files, good and bad, as NumPy writes them and as other programs may. */
#include "formats/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz_npy.c"
#include "support_files.h"

/* ---- files made here ---- */

/* A file of that version with this header, which is not padded. */
static bytes headed(int major, const char *header, const void *data, size_t n) {
  size_t length = strlen(header), wide = major == 1 ? 2 : 4;
  unsigned char prefix[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)major};
  for (size_t k = 0; k < wide; k++) prefix[8 + k] = (unsigned char)(length >> 8 * k);
  return joined(joined(bytes_of(prefix, 8 + wide), bytes_of(header, length)), bytes_of(data, n));
}

/* The usual header of a type and shape. */
static bytes file_with(const char *descr, const char *shape, const void *data, size_t n) {
  char header[300];
  snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr,
           shape);
  return headed(1, header, data, n);
}

/* Asserts that b is refused with these words, from memory and from a file; frees b. */
static void refuses(bytes b, const char *words) {
  bnn_tensor *x = NULL;
  ck_refuses(bnn_npy_parse(&x, b.p, b.n, "array", &err), BNN_EDATA, "array: ");
  ck_refuses(bnn_npy_parse(&x, b.p, b.n, "array", &err), BNN_EDATA, words);
  const char *path = file_of(0, b);
  ck_refuses(bnn_npy_read(&x, path, &err), BNN_EDATA, path);
  ck_refuses(bnn_npy_read(&x, path, &err), BNN_EDATA, words);
  ck_assert_int_eq(bnn_npy_read(&x, path, NULL), BNN_EDATA);
  ck_assert_ptr_null(x);
}

/* ---- files that are good ---- */

static const struct {
  const char *descr;
  size_t each;
  unsigned char data[32]; /* little-endian */
  bnn_dtype dtype;
  double value[4];
} type_row[] = {
    {"b1", 1, {0, 1, 1, 255}, BNN_U8, {0, 1, 1, 1}},
    {"u1", 1, {0, 1, 128, 255}, BNN_U8, {0, 1, 128, 255}},
    {"i1", 1, {0, 1, 128, 255}, BNN_I32, {0, 1, -128, -1}},
    {"u2", 2, {1, 0, 2, 1, 0, 128, 255, 255}, BNN_I32, {1, 258, 32768, 65535}},
    {"i2", 2, {1, 0, 2, 1, 0, 128, 255, 255}, BNN_I32, {1, 258, -32768, -1}},
    {"u4",
     4,
     {1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 128, 255, 255, 255, 255},
     BNN_I64,
     {1, 0x01020304, 0x80000000p0, 0xffffffffp0}},
    {"i4",
     4,
     {1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 128, 255, 255, 255, 255},
     BNN_I32,
     {1, 0x01020304, -0x1p31, -1}},
    {"u8", 8, {1, [8] = 0, 1, [23] = 128, [31] = 64}, BNN_U64, {1, 256, 0x1p63, 0x1p62}},
    {"i8", 8, {1, [8] = 0, 1, [23] = 128, [31] = 64}, BNN_I64, {1, 256, -0x1p63, 0x1p62}},
    {"f2", 2, {0, 0x3c, 1, 0, 0xff, 0xfb, 0, 0x7c}, BNN_F32, {1, 0x1p-24, -65504, INFINITY}},
    {"f4",
     4,
     {0, 0, 128, 63, 0, 0, 32, 0xc0, 1, 0, 0, 0, 0, 0, 128, 0x7f},
     BNN_F32,
     {1, -2.5, 0x1p-149, INFINITY}},
    {"f8",
     8,
     {[6] = 0xf0,
      0x3f,
      [14] = 4,
      0xc0,
      [16] = 1,
      [24] = 0x9a,
      0x99,
      0x99,
      0x99,
      0x99,
      0x99,
      0xb9,
      0x3f},
     BNN_F64,
     {1, -2.5, 0x1p-1074, 0.1}},
};
enum { TYPE_COUNT = sizeof type_row / sizeof *type_row };

/* A file of row i's elements in that byte order. */
static bytes file_of_type(int i, char order, const char *shape) {
  unsigned char data[32];
  char descr[8];
  size_t each = type_row[i].each;
  for (size_t k = 0; k < 4 * each; k++)
    data[k] = type_row[i].data[order == '>' ? k / each * each + each - 1 - k % each : k];
  snprintf(descr, sizeof descr, "%s%s", (char[]){order, 0}, type_row[i].descr);
  return file_with(descr, shape, data, 4 * each);
}

START_TEST(every_type_is_read_in_either_byte_order) {
  for (const char *order = "<>=|"; *order; order++) {
    bytes b = file_of_type(_i, *order, "(4,)");
    bnn_tensor *x, *y;
    ck_succeeds(bnn_npy_parse(&x, b.p, b.n, "array", &err));
    ck_tensor(x, type_row[_i].dtype, DIMS(4), type_row[_i].value);
    ck_succeeds(bnn_npy_read(&y, file_of(0, gzipped(b)), &err));
    ck_tensor(y, type_row[_i].dtype, DIMS(4), type_row[_i].value);
    ck_assert_uint_eq((uintptr_t)y->data % BNN_MEM_ALIGN, 0);
    bnn_tensor_unref(x);
    bnn_tensor_unref(y);
  }
}
END_TEST

static const struct {
  const char *shape;
  int rank;
  size_t dim[8];
} shape_row[] = {
    {"()", 0, {0}},
    {"(6,)", 1, {6}},
    {"(2, 3)", 2, {2, 3}},
    {"(2, 3,)", 2, {2, 3}},
    {"(3L, 1L, 2L)", 3, {3, 1, 2}},
    {"(6L,)", 1, {6}},
    {"( 1,\t1,2 ,1,3,1,1,1 )", 8, {1, 1, 2, 1, 3, 1, 1, 1}},
    {"(0,)", 1, {0}},
    {"(3, 0, 1099511627776)", 3, {3, 0, 1099511627776}},
};

START_TEST(shapes_are_read_in_pythons_spellings) {
  bytes b = file_with("|u1", shape_row[_i].shape, "\0\1\2\3\4\5", 6);
  bnn_tensor *x;
  ck_succeeds(bnn_npy_parse(&x, b.p, b.n, "array", &err));
  ck_tensor(x, BNN_U8, shape_row[_i].rank, shape_row[_i].dim, NULL);
  for (size_t i = 0; i < x->size; i++) ck_assert(bnn_tensor_get(x, i) == (double)i);
  bnn_tensor_unref(x);
  free(b.p);
}
END_TEST

START_TEST(keys_come_in_any_order_and_spacing) {
  static const char *header[] = {
      "{'descr':'|u1','fortran_order':False,'shape':(3,)}",
      "{\"shape\" : (3, ), \"fortran_order\" : False,\n \"descr\" : \"|u1\" , }  \n",
      " { 'fortran_order' :True, 'descr': 'u1', 'shape': (3,)}\n",
  };
  for (int major = 1; major <= 3; major++)
    for (size_t k = 0; k < sizeof header / sizeof *header; k++) {
      bytes b = headed(major, header[k], "\0\1\2", 3);
      bnn_tensor *x;
      ck_succeeds(bnn_npy_parse(&x, b.p, b.n, "array", &err));
      ck_tensor(x, BNN_U8, DIMS(3), VALUES(0, 1, 2));
      bnn_tensor_unref(x);
      free(b.p);
    }
}
END_TEST

START_TEST(fortran_order_is_turned_to_c_order) {
  static const char header[] = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}";
  bytes b = headed(1, header, "\0\0\0\3\0\1\0\4\0\2\0\5", 12);
  bnn_tensor *x;
  ck_succeeds(bnn_npy_parse(&x, b.p, b.n, "array", &err));
  ck_tensor(x, BNN_I32, DIMS(2, 3), VALUES(0, 1, 2, 3, 4, 5));
  ck_assert(bnn_tensor_is_contiguous(x) && !x->base);
  bnn_tensor_unref(x);
  free(b.p);
}
END_TEST

/* All 65,536 of them against the formula; the bits of infinity and NaN with their signs. */
START_TEST(half_precision_is_exact) {
  unsigned char *data = malloc(2 * 65536);
  for (size_t i = 0; i < 65536; i++) {
    data[2 * i] = (unsigned char)i;
    data[2 * i + 1] = (unsigned char)(i >> 8);
  }
  bytes b = file_with("<f2", "(65536,)", data, 2 * 65536);
  bnn_tensor *x;
  ck_succeeds(bnn_npy_parse(&x, b.p, b.n, "array", &err));
  for (size_t i = 0; i < 65536; i++) {
    int e = (int)(i >> 10 & 31), m = (int)(i & 1023);
    double got = bnn_tensor_get(x, i), want = ldexp(e ? 1024 + m : m, e ? e - 25 : -24);
    if (e == 31) want = m ? (double)NAN : (double)INFINITY;
    if (i >> 15) want = -want;
    ck_assert_msg(isnan(want) ? isnan(got) : got == want && signbit(got) == signbit(want),
                  "%04zx is %.9g, wanted %.9g", i, got, want);
  }
  bnn_tensor_unref(x);
  free(b.p);
  free(data);
}
END_TEST

START_TEST(bytes_behind_the_elements_are_left_unread) {
  bytes b = joined(file_with("|u1", "(3,)", "\0\1\2", 3), file_with("|u1", "()", "\7", 1));
  bnn_gzip *file;
  bnn_tensor *x, *y;
  ck_succeeds(bnn_gzip_memory(&file, b.p, b.n, "arrays", &err));
  bnn_source source = bnn_source_gzip(file);
  ck_succeeds(bnn_npy_next(&x, &source, &err));
  ck_succeeds(bnn_npy_next(&y, &source, &err));
  ck_tensor(x, BNN_U8, DIMS(3), VALUES(0, 1, 2));
  ck_tensor(y, BNN_U8, SCALAR, VALUES(7));
  bnn_gzip_close(file);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  free(b.p);
}
END_TEST

/* ---- files that are not ---- */

#define KEYS "'fortran_order': False, 'shape': (3,)"
#define U1 "'descr': '|u1', "
static const struct {
  const char *header, *words;
} header_row[] = {
    {"", "header: expected '{', got its end"},
    {"[]", "header: expected '{', got '[]'"},
    {"{" U1 KEYS, "header: expected ',' or '}', got its end"},
    {"{" U1 KEYS "} x", "header: expected its end, got 'x'"},
    {"{" U1 KEYS ", 'extra': 1}", "expected the keys descr, fortran_order, shape, got 'extra'"},
    {"{" KEYS "}", "lacks 'descr'"},
    {"{" U1 "'shape': (3,)}", "lacks 'fortran_order'"},
    {"{" U1 "'fortran_order': False}", "lacks 'shape'"},
    {"{" U1 U1 KEYS "}", "has 'descr' twice"},
    {"{descr: '|u1', " KEYS "}", "header: expected a key in quotes, got '"},
    {"{'de\\x73cr': '|u1', " KEYS "}", "header: expected a key in quotes, got '"},
    {"{'descr' '|u1', " KEYS "}", "header: expected ':', got '"},
    {"{'descr': |u1, " KEYS "}", "header: expected a type in quotes, got '"},
    {"{'descr': '|u1, " KEYS "}", "got '|u1, ', an unknown type"},
    {"{" U1 "'fortran_order': 0, 'shape': (3,)}",
     "expected True or False, got '0, 'shape': (3,)}'"},
    {"{" U1 "'fortran_order': False, 'shape': [3]}", "header: expected a tuple of integers, got '"},
    {"{" U1 "'fortran_order': False, 'shape': (3)}", "shape: expected a tuple, got an integer"},
    {"{" U1 "'fortran_order': False, 'shape': (3.0,)}", "expected ',' or ')', got '.0,)}'"},
    {"{" U1 "'fortran_order': False, 'shape': (1 2)}", "expected ',' or ')', got '2)}'"},
    {"{" U1 "'fortran_order': False, 'shape': (,)}", "expected an integer, got ',)}'"},
    {"{" U1 "'fortran_order': False, 'shape': (-3,)}", "a dim is negative: '-3,)}'"},
    {"{" U1 "'fortran_order': False, 'shape': (010,)}", "expected an integer, got '010,)}'"},
    {"{" U1 "'fortran_order': False, 'shape': (0x3,)}", "got 'x3,)}'"},
    {"{" U1 "'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8 dimensions"},
    {"{" U1 "'fortran_order': False, 'shape': (18446744073709551616,)}",
     "dim 18446744073709551616 is more than memory can address"},
    {"{" U1 "'fortran_order': False, 'shape': (18446744073709551615,)}",
     "[18446744073709551615] of u1 is more than memory can address"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
     "[4294967296, 4294967296] of f8 is more than memory can address"},
    {"{'descr': '|i1', 'fortran_order': False, 'shape': (4611686018427387904,)}",
     "[4611686018427387904] of i1 is more than memory"},
    {"{'descr': '|O', " KEYS "}", "'|O', Python objects (pickle), which may run code"},
    {"{'descr': '<U7', " KEYS "}",
     "expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '<U7', text"},
    {"{'descr': '|S7', " KEYS "}", "'|S7', text"},
    {"{'descr': '|V4', " KEYS "}", "'|V4', raw records"},
    {"{'descr': '<c8', " KEYS "}", "'<c8', complex numbers"},
    {"{'descr': '<M8[ns]', " KEYS "}", "'<M8[ns]', dates or times"},
    {"{'descr': '<f16', " KEYS "}", "'<f16', an unknown type"},
    {"{'descr': '', " KEYS "}", "'', an unknown type"},
    {"{'descr': '<', " KEYS "}", "'<', an unknown type"},
    {"{'descr': '<u3', " KEYS "}", "'<u3', an unknown type"},
    {"{'descr': [('a', '<f4'), ('b', '|O')], " KEYS "}", "records of a structured type"},
    {"{'descr': '\n\x1b[2J\xff', " KEYS "}", "'\\n\\x1b[2J\\xff', an unknown type"},
    {"__import__('os').system('id')", "expected '{', got '__import__('os').system('id')'"},
};
enum { HEADER_COUNT = sizeof header_row / sizeof *header_row };

START_TEST(what_is_wrong_with_a_header_is_said) {
  refuses(headed(1, header_row[_i].header, "abc", 3), header_row[_i].words);
  refuses(headed(3, header_row[_i].header, "abc", 3), header_row[_i].words);
}
END_TEST

START_TEST(what_is_wrong_around_a_header_is_said) {
  refuses(BYTES(""), "holds no data");
  refuses(BYTES("\x93NUM"), "ends after 4 bytes, within an .npy header of at least 8");
  refuses(BYTES("\x93NUMPY\1\0\x76"), "ends after 9 bytes, within an .npy header of at least 10");
  refuses(BYTES("\x93NUMPY\1\0\x76\0{'de"), "ends after 14 bytes, within an .npy header of 128");
  refuses(BYTES("\x93NUMPY\2\0\x76\0\0\0{'de"), "ends after 16 bytes, within an .npy header of");
  refuses(BYTES("PK\3\4zip!"), "starts with 50 4b 03 04 7a 69, an .npy file with 93 4e 55 4d");
  refuses(BYTES("\x93NUMPY\4\0\1\0{"), "expected version 1.0, 2.0 or 3.0 of .npy, got 4.0");
  refuses(BYTES("\x93NUMPY\1\1\1\0{"), "of .npy, got 1.1");
  refuses(BYTES("\x93NUMPY\1\0\x11\x27{"), "a header of 10001 characters, at most 10000 are read");
  refuses(BYTES("\x93NUMPY\2\0\xff\xff\xff\xff{"), "a header of 4294967295 characters");
}
END_TEST

START_TEST(too_few_elements_are_refused) {
  refuses(file_with("|u1", "(3,)", "ab", 2), "ends after 2 of the 3 bytes that [3] of u1 takes");
  refuses(file_with("<f8", "()", "abcdefg", 7), "ends after 7 of the 8 bytes that [] of f8");
  refuses(file_with(">i2", "(2, 2)", "", 0), "ends after 0 of the 8 bytes that [2, 2] of i2");
  bytes b = gzipped(file_with("|u1", "(3,)", "abc", 3));
  b.p[b.n - 8] ^= 1;
  refuses(b, "incorrect data check");
}
END_TEST

START_TEST(memory_follows_the_data_and_not_the_header) {
  size_t before = bnn_mem_peak(), bound = 400000;
  for (int k = 0; k < 4; k++) {
    bytes b = file_with(k % 2 ? "|i1" : "<f8", "(1048576, 1048576)", "abc", 3);
    if (k / 2) b = gzipped(b);
    refuses(b, "ends after 3 of the");
  }
  ck_assert_uint_le(bnn_mem_peak(), before > bound ? before : bound);
}
END_TEST

START_TEST(a_good_file_may_be_cut_and_changed_anywhere) {
  replay_damaged(file_of_type(_i, "<>"[_i % 2], "(4,)"), LLVMFuzzerTestOneInput);
  replay_damaged(file_of_type(_i, '<', "(2, 2)"), LLVMFuzzerTestOneInput);
}
END_TEST

START_TEST(the_corpus_replays) {
  ck_assert_int_gt(replay("tests/corpus/npy", LLVMFuzzerTestOneInput), 50);
}
END_TEST

/* ---- writing ---- */

static const bnn_dtype dtypes[] = {BNN_U8, BNN_I32, BNN_I64, BNN_U64, BNN_F32, BNN_F64};

START_TEST(what_is_written_is_read_back) {
  static const struct {
    int rank;
    size_t dim[8];
  } shape[] = {{0, {0}},    {1, {5}},       {1, {0}},
               {2, {3, 4}}, {3, {2, 0, 7}}, {8, {1, 2, 1, 3, 1, 1, 1, 2}}};
  for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) {
      bnn_tensor *x = tensor_of(dtypes[d], shape[k].rank, shape[k].dim, NULL), *y;
      ck_succeeds(bnn_npy_write(path_of("x.npy"), x, &err));
      ck_succeeds(bnn_npy_read(&y, path_of("x.npy"), &err));
      ck_tensor(y, dtypes[d], shape[k].rank, shape[k].dim, NULL);
      for (size_t i = 0; i < y->size; i++) ck_assert(bnn_tensor_get(y, i) == (double)i);
      bnn_tensor_unref(x);
      bnn_tensor_unref(y);
    }
  ck_assert_int_eq(files_in_folder(), 1); /* no temporary file is left */
}
END_TEST

/* The bytes that numpy 1.24 writes for np.arange(6, dtype='<i4').reshape(2, 3), and for a scalar.
 */
START_TEST(the_bytes_are_numpys) {
  bnn_tensor *x = tensor_of(BNN_I32, DIMS(2, 3), NULL), *y = tensor_of(BNN_U8, SCALAR, VALUES(7));
  ck_succeeds(bnn_npy_write(path_of("x.npy"), x, &err));
  ck_succeeds(bnn_npy_write(path_of("y.npy"), y, &err));
  bytes got = bytes_of_file(path_of("x.npy")), scalar = bytes_of_file(path_of("y.npy"));
  char want[129];
  snprintf(want, sizeof want, "%-127s\n",
           "\x93NUMPY\1.v.{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }");
  memcpy(want + 7, "\0v\0", 3);
  ck_assert_uint_eq(got.n, 128 + 24);
  ck_assert_int_eq(memcmp(got.p, want, 128), 0);
  ck_assert_uint_eq(scalar.n, 128 + 1);
  ck_assert_int_eq(
      memcmp(scalar.p + 10, "{'descr': '|u1', 'fortran_order': False, 'shape': (), }", 55), 0);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  free(got.p);
  free(scalar.p);
}
END_TEST

START_TEST(a_strided_tensor_is_written_in_c_order) {
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), NULL), *turned, *y;
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  ck_succeeds(bnn_npy_write(path_of("x.npy"), turned, &err));
  ck_succeeds(bnn_npy_read(&y, path_of("x.npy"), &err));
  ck_tensor(y, BNN_F32, DIMS(3, 2), VALUES(0, 3, 1, 4, 2, 5));
  bnn_tensor_unref(x);
  bnn_tensor_unref(turned);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(a_file_is_replaced_whole_or_not_at_all) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(3), NULL), *y = NULL;
  const char *path = file_of(0, BYTES("old"));
  chmod(path, 0640);
  ck_succeeds(bnn_npy_write(path, x, &err));
  struct stat about;
  ck_assert(stat(path, &about) == 0 && (about.st_mode & 0777) == 0640);
  ck_assert_int_eq(symlink(path, path_of("link")), 0);
  ck_succeeds(bnn_npy_write(path_of("link"), x, &err)); /* what it points to is written */
  ck_assert(lstat(path_of("link"), &about) == 0 && S_ISLNK(about.st_mode));
  ck_succeeds(bnn_npy_read(&y, path, &err));
  bnn_tensor_unref(y);
  ck_refuses(bnn_npy_write(path_of("no/x.npy"), x, &err), BNN_EIO,
             "no/x.npy: No such file or directory");
  ck_refuses(bnn_npy_write(folder, x, &err), BNN_EIO, ": Is a directory");
  ck_refuses(bnn_npy_write("/dev/full", x, &err), BNN_EIO, "/dev/full: No space left on device");
  ck_succeeds(bnn_npy_write("/dev/null", x, &err));
  ck_assert_int_eq(files_in_folder(), 2);
  bnn_tensor_unref(x);
}
END_TEST

/* ---- memory ---- */

static bnn_status read_and_drop(void *path, bnn_err *err) {
  bnn_tensor *x;
  BNN_TRY(bnn_npy_read(&x, path, err));
  bnn_tensor_unref(x);
  return BNN_OK;
}

static bnn_status write_turned(void *x, bnn_err *err) {
  bnn_tensor *turned;
  BNN_TRY(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, err));
  bnn_status status = bnn_npy_write(path_of("x.npy"), turned, err);
  bnn_tensor_unref(turned);
  return status;
}

START_TEST(every_allocation_may_fail) {
  char path[300];
  for (int k = 0; k < TYPE_COUNT; k++) {
    bytes b = file_of_type(k, "<>"[k % 2], "(2, 2)");
    snprintf(path, sizeof path, "%s", file_of(0, k % 2 ? gzipped(b) : b));
    ck_survives_failing_allocations(read_and_drop, path);
  }
  static const char header[] = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}";
  snprintf(path, sizeof path, "%s", file_of(0, headed(1, header, "\0\0\0\3\0\1\0\4\0\2\0\5", 12)));
  ck_survives_failing_allocations(read_and_drop, path);
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), NULL);
  ck_survives_failing_allocations(write_turned, x);
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, every_type_is_read_in_either_byte_order, 0, TYPE_COUNT);
  tcase_add_loop_test(tests, shapes_are_read_in_pythons_spellings, 0,
                      sizeof shape_row / sizeof *shape_row);
  tcase_add_test(tests, keys_come_in_any_order_and_spacing);
  tcase_add_test(tests, fortran_order_is_turned_to_c_order);
  tcase_add_test(tests, half_precision_is_exact);
  tcase_add_test(tests, bytes_behind_the_elements_are_left_unread);
  tcase_add_loop_test(tests, what_is_wrong_with_a_header_is_said, 0, HEADER_COUNT);
  tcase_add_test(tests, what_is_wrong_around_a_header_is_said);
  tcase_add_test(tests, too_few_elements_are_refused);
  tcase_add_test(tests, memory_follows_the_data_and_not_the_header);
  tcase_add_loop_test(tests, a_good_file_may_be_cut_and_changed_anywhere, 0, TYPE_COUNT);
  tcase_add_test(tests, the_corpus_replays);
  tcase_add_test(tests, what_is_written_is_read_back);
  tcase_add_test(tests, the_bytes_are_numpys);
  tcase_add_test(tests, a_strided_tensor_is_written_in_c_order);
  tcase_add_test(tests, a_file_is_replaced_whole_or_not_at_all);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("npy", add_tests); }
