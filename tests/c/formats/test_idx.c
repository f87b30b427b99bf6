/* test_idx.c - IDX files, good and bad, plain and compressed; the corpus; the real MNIST. */
#include "formats/idx.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz_idx.c"
#include "support_files.h"

/* ---- files made here ---- */

/* [3, h, w] of u8, all zero: compresses well. */
static bytes zeros(unsigned h, unsigned w) {
  unsigned char header[16] = {0, 0, 8, 3, 0, 0, 0, 3};
  for (int k = 0; k < 4; k++) {
    header[8 + k] = (unsigned char)(h >> (24 - 8 * k));
    header[12 + k] = (unsigned char)(w >> (24 - 8 * k));
  }
  bytes b = {16 + (size_t)3 * h * w, calloc(16 + (size_t)3 * h * w, 1)};
  memcpy(b.p, header, 16);
  return b;
}

/* Asserts that b is refused with these words, from memory and from a file; frees b. */
static void refuses(bytes b, bnn_status want, const char *words) {
  bnn_tensor *x = NULL;
  ck_refuses(bnn_idx_parse(&x, b.p, b.n, "digits", &err), want, "digits: ");
  ck_refuses(bnn_idx_parse(&x, b.p, b.n, "digits", &err), want, words);
  const char *path = file_of(0, b);
  ck_refuses(bnn_idx_read(&x, path, &err), want, path);
  ck_refuses(bnn_idx_read(&x, path, &err), want, words);
  ck_assert_int_eq(bnn_idx_read(&x, path, NULL), want);
  ck_assert_ptr_null(x);
}

/* ---- files that are good ---- */

#define IDX1_4 "\1\0\0\0\4"
static const struct {
  const char *bytes;
  size_t n;
  bnn_dtype dtype;
  double value[4];
} type_row[] = {
#define ROW(literal, dtype, ...)                        \
  {                                                     \
    literal, sizeof literal - 1, dtype, { __VA_ARGS__ } \
  }
    ROW("\0\0\x08" IDX1_4 "\0\1\x80\xff", BNN_U8, 0, 1, 128, 255),
    ROW("\0\0\x09" IDX1_4 "\0\1\x80\xff", BNN_I32, 0, 1, -128, -1),
    ROW("\0\0\x0b" IDX1_4 "\0\1\1\0\x80\0\xff\xff", BNN_I32, 1, 256, -32768, -1),
    ROW("\0\0\x0c" IDX1_4 "\0\0\0\1\1\2\3\4\x80\0\0\0\xff\xff\xff\xff", BNN_I32, 1, 0x01020304,
        -2147483648., -1),
    ROW("\0\0\x0d" IDX1_4 "\x3f\x80\0\0\xc0\x20\0\0\0\0\0\1\x7f\x80\0\0", BNN_F32, 1, -2.5,
        0x1p-149, (double)INFINITY),
    ROW("\0\0\x0e" IDX1_4 "\x3f\xf0\0\0\0\0\0\0\xc0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x3f\xb9\x99\x99"
        "\x99\x99\x99\x9a",
        BNN_F64, 1, -2.5, 0x1p-1074, 0.1),
#undef ROW
};
enum { TYPE_COUNT = sizeof type_row / sizeof *type_row };

START_TEST(every_type_of_the_format_is_read) {
  for (int compressed = 0; compressed < 2; compressed++) {
    bytes b = bytes_of(type_row[_i].bytes, type_row[_i].n);
    if (compressed) b = gzipped(b);
    bnn_tensor *x, *y;
    ck_succeeds(bnn_idx_parse(&x, b.p, b.n, "digits", &err));
    ck_succeeds(bnn_idx_read(&y, file_of(0, b), &err));
    ck_tensor(x, type_row[_i].dtype, DIMS(4), type_row[_i].value);
    ck_tensor(y, type_row[_i].dtype, DIMS(4), type_row[_i].value);
    ck_assert_uint_eq((uintptr_t)y->data % BNN_MEM_ALIGN, 0);
    bnn_tensor_unref(x);
    bnn_tensor_unref(y);
  }
}
END_TEST

START_TEST(dimensions_are_read_in_order) {
  static const struct {
    const char *bytes;
    size_t n;
    int rank;
    size_t dim[4];
  } row[] = {
#define ROW(literal, rank, ...)                        \
  {                                                    \
    literal, sizeof literal - 1, rank, { __VA_ARGS__ } \
  }
      ROW("\0\0\10\1\0\0\0\6\0\1\2\3\4\5", 1, 6),
      ROW("\0\0\10\2\0\0\0\2\0\0\0\3\0\1\2\3\4\5", 2, 2, 3),
      ROW("\0\0\10\3\0\0\0\3\0\0\0\1\0\0\0\2\0\1\2\3\4\5", 3, 3, 1, 2),
      ROW("\0\0\10\4\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0\3\0\1\2\3\4\5", 4, 1, 1, 2, 3),
#undef ROW
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bnn_tensor *x;
    ck_succeeds(bnn_idx_parse(&x, row[k].bytes, row[k].n, "digits", &err));
    ck_tensor(x, BNN_U8, row[k].rank, row[k].dim, VALUES(0, 1, 2, 3, 4, 5));
    bnn_tensor_unref(x);
  }
}
END_TEST

static const char six[] = "\0\0\10\2\0\0\0\2\0\0\0\3\0\1\2\3\4\5";
enum { SIX = sizeof six - 1 };

/* [from, to) of a good file. */
static bytes part(size_t from, size_t to) { return bytes_of(six + from, to - from); }

START_TEST(members_in_a_row_are_their_contents_in_a_row) {
  for (size_t cut = 0; cut <= SIX; cut++) {
    bytes b = joined(gzipped(part(0, cut)), gzipped(part(cut, SIX)));
    b = joined(joined(gzipped(BYTES("")), b), gzipped(BYTES("")));
    bnn_tensor *x;
    ck_succeeds(bnn_idx_parse(&x, b.p, b.n, "digits", &err));
    ck_tensor(x, BNN_U8, DIMS(2, 3), VALUES(0, 1, 2, 3, 4, 5));
    bnn_tensor_unref(x);
    free(b.p);
  }
}
END_TEST

/* 30 MB of zeros in 30 kB: the block grows nine times on the way. */
START_TEST(what_compresses_a_thousandfold_is_read_whole) {
  for (int compressed = 0; compressed < 2; compressed++) {
    bytes b = zeros(2500, 4001);
    b.p[b.n - 1] = 7;
    bnn_tensor *x;
    ck_succeeds(bnn_idx_read(&x, file_of(0, compressed ? gzipped(b) : b), &err));
    ck_tensor(x, BNN_U8, DIMS(3, 2500, 4001), NULL);
    ck_assert(bnn_tensor_get(x, x->size - 1) == 7 && bnn_tensor_get(x, x->size - 2) == 0);
    ck_assert_uint_lt(bnn_mem_bytes(), x->size + 1000);
    bnn_tensor_unref(x);
  }
}
END_TEST

/* Writes b into a named pipe, its first bytes one by one. */
static void feed(const char *path, bytes b) {
  FILE *file = fopen(path, "wb");
  setvbuf(file, NULL, _IONBF, 0);
  for (size_t i = 0; i < b.n; i++) {
    if (i < 3) usleep(2000);
    fputc(b.p[i], file);
  }
  fclose(file);
  _exit(0);
}

START_TEST(a_pipe_is_read_as_a_file_is) {
  char path[300];
  snprintf(path, sizeof path, "%s/pipe", folder);
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  for (int compressed = 0; compressed < 2; compressed++) {
    bytes b = compressed ? gzipped(part(0, SIX)) : part(0, SIX);
    pid_t child = fork();
    if (child == 0) feed(path, b);
    bnn_tensor *x;
    ck_succeeds(bnn_idx_read(&x, path, &err));
    ck_tensor(x, BNN_U8, DIMS(2, 3), VALUES(0, 1, 2, 3, 4, 5));
    bnn_tensor_unref(x);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    free(b.p);
  }
}
END_TEST

static void *read_often(void *path) {
  for (int k = 0; k < 200; k++) {
    bnn_tensor *x = NULL;
    if (bnn_idx_read(&x, path, NULL) != BNN_OK || bnn_tensor_get(x, 5) != 5) return path;
    bnn_tensor_unref(x);
  }
  return NULL;
}

START_TEST(four_threads_read_one_file) {
  pthread_t thread[4];
  char path[300];
  snprintf(path, sizeof path, "%s", file_of(0, gzipped(part(0, SIX))));
  for (int k = 0; k < 4; k++) pthread_create(&thread[k], NULL, read_often, path);
  for (int k = 0; k < 4; k++) {
    void *failed = path;
    pthread_join(thread[k], &failed);
    ck_assert_ptr_null(failed);
  }
}
END_TEST

/* ---- files that are not ---- */

static const struct {
  const char *bytes;
  size_t n;
  const char *words;
} bad_row[] = {
#define ROW(literal, words) \
  { literal, sizeof literal - 1, words }
    ROW("", "holds no data"),
    ROW("\0", "ends after 1 bytes, within an IDX header of at least 8"),
    ROW("\0\0\10", "ends after 3 bytes, within an IDX header of at least 8"),
    ROW("\0\0\10\1", "ends after 4 bytes, within an IDX header of 8"),
    ROW("\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0", "ends after 15 bytes, within an IDX header of 16"),
    ROW("PK\3\4 zip", "starts with 50 4b 03 04, an IDX file with 00 00"),
    ROW("\0\1\10\1\0\0\0\1a", "starts with 00 01 08 01"),
    ROW("\1\0\10\1\0\0\0\1a", "starts with 01 00 08 01"),
    ROW("\1\10\0\0\1\0\0\0a", "starts with 01 08 00 00"),
    ROW("\0\0\12\1\0\0\0\1a", "expected type 08, 09, 0b, 0c, 0d or 0e, got 0a"),
    ROW("\0\0\7\1\0\0\0\1a", "expected type 08, 09, 0b, 0c, 0d or 0e, got 07"),
    ROW("\0\0\xff\1\0\0\0\1a", "expected type 08, 09, 0b, 0c, 0d or 0e, got ff"),
    ROW("\0\0\10\0", "expected 1 to 8 dimensions, got 0"),
    ROW("\0\0\10\11\0\0\0\1\0\0\0\1\0\0\0\1", "expected 1 to 8 dimensions, got 9"),
    ROW("\0\0\10\xff\0\0\0\1", "expected 1 to 8 dimensions, got 255"),
    ROW("\0\0\10\1\0\0\0\0", "[0] of u8 has no elements"),
    ROW("\0\0\10\3\0\0\0\0\0\0\0\34\0\0\0\34", "[0, 28, 28] of u8 has no elements"),
    ROW("\0\0\10\3\0\0\0\1\0\0\0\34\0\0\0\0", "[1, 28, 0] of u8 has no elements"),
    ROW("\0\0\10\1\0\0\0\5abcd", "ends after 4 of the 5 bytes that [5] of u8 takes"),
    ROW("\0\0\10\1\0\0\0\5", "ends after 0 of the 5 bytes"),
    ROW("\0\0\13\1\0\0\0\2abc", "ends after 3 of the 4 bytes that [2] of i16 takes"),
    ROW("\0\0\16\1\0\0\0\1abcdefg", "ends after 7 of the 8 bytes that [1] of f64 takes"),
    ROW("\0\0\10\1\0\0\0\3abcd", "1 bytes follow the 3 that [3] of u8 takes"),
    ROW("\0\0\14\1\0\0\0\1abcdefghi", "5 bytes follow the 4 that [1] of i32 takes"),
    ROW("\0\0\10\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        "[4294967295, 4294967295, 4294967295] of u8 is more than memory can address"),
    ROW("\0\0\10\2\xff\xff\xff\xff\xff\xff\xff\xff", "is more than memory can address"),
    ROW("\0\0\11\2\x80\0\0\0\x40\0\0\0", "[2147483648, 1073741824] of i8 is more than memory"),
    ROW("\0\0\16\2\x80\0\0\0\x40\0\0\0", "[2147483648, 1073741824] of f64 is more than memory"),
    ROW("\0\0\10\2\0\1\0\0\1\0\0\0abc", "ends after 3 of the 1099511627776 bytes"),
    ROW("\0\0\10\2\x80\0\0\0\x40\0\0\0abc", "ends after 3 of the 2305843009213693952 bytes"),
#undef ROW
};
enum { BAD_COUNT = sizeof bad_row / sizeof *bad_row };

START_TEST(what_is_wrong_with_a_file_is_said) {
  refuses(bytes_of(bad_row[_i].bytes, bad_row[_i].n), BNN_EDATA, bad_row[_i].words);
  refuses(gzipped(bytes_of(bad_row[_i].bytes, bad_row[_i].n)), BNN_EDATA, bad_row[_i].words);
}
END_TEST

START_TEST(memory_follows_the_data_and_not_the_header) {
  static const char *claims[] = {"\0\0\10\2\0\1\0\0\1\0\0\0abc", "\0\0\11\2\0\1\0\0\0\1\0\0abc"};
  size_t before = bnn_mem_peak();
  for (int k = 0; k < 4; k++) {
    bytes b = bytes_of(claims[k % 2], 15);
    if (k / 2) b = gzipped(b);
    refuses(b, BNN_EDATA, "ends after 3 of the");
  }
  size_t bound = 400000; /* the first block, a file buffer, zlib's window, a copy of each */
  ck_assert_uint_le(bnn_mem_peak(), before > bound ? before : bound);
}
END_TEST

START_TEST(a_surplus_is_counted_up_to_a_limit) {
  bytes b = zeros(1000, 1000);
  b.p[7] = 1;
  refuses(gzipped(b), BNN_EDATA, "at least 1048576 bytes follow the 1000000 that");
}
END_TEST

START_TEST(a_gzip_file_cut_short_is_refused_wherever_it_ends) {
  bytes whole = gzipped(part(0, SIX));
  for (size_t n = 2; n < whole.n; n++)
    refuses(bytes_of(whole.p, n), BNN_EDATA, "the gzip data are cut short, after");
  refuses(bytes_of(whole.p, 1), BNN_EDATA, "ends after 1 bytes");
  free(whole.p);
}
END_TEST

START_TEST(a_second_member_cut_short_is_refused_too) {
  bytes second = gzipped(part(5, SIX));
  for (size_t n = 1; n < second.n; n++)
    refuses(joined(gzipped(part(0, 5)), bytes_of(second.p, n)), BNN_EDATA, "cut short");
  free(second.p);
}
END_TEST

START_TEST(damaged_gzip_data_are_refused_with_zlibs_word) {
  static const struct {
    size_t at; /* from the end: CRC-32 and length stand in the last eight bytes */
    const char *words;
  } row[] = {
      {8, "incorrect data check"}, {1, "incorrect length check"}, {2, "incorrect length check"}};
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    bytes b = gzipped(part(0, SIX));
    b.p[b.n - row[k].at] ^= 1;
    refuses(b, BNN_EDATA, row[k].words);
  }
  bytes b = gzipped(part(0, SIX));
  b.p[2] = 9;
  refuses(b, BNN_EDATA, "damaged gzip data near byte 4: unknown compression method");
}
END_TEST

START_TEST(what_follows_gzip_data_is_refused) {
  char words[100];
  bytes whole = gzipped(part(0, SIX));
  snprintf(words, sizeof words, "something else follows the gzip data at byte %zu", whole.n);
  size_t size = whole.n;
  free(whole.p);
  refuses(joined(gzipped(part(0, SIX)), BYTES("junk")), BNN_EDATA, words);
  snprintf(words, sizeof words, "something else follows the gzip data at byte %zu", size + 3);
  refuses(joined(gzipped(part(0, SIX)), BYTES("\0\0\0junk")), BNN_EDATA, words);
  refuses(joined(joined(gzipped(part(0, 9)), BYTES("\0\0\0")), gzipped(part(9, SIX))), BNN_EDATA,
          "something else follows the gzip data");
  refuses(joined(gzipped(part(0, SIX)), BYTES("\x1f junk")), BNN_EDATA, "damaged gzip data");
}
END_TEST

/* A block of 512 bytes, as tar and dd make; and more than the reader's buffer. */
START_TEST(zeros_that_pad_gzip_data_are_ignored) {
  static const size_t padding[] = {1, 512, 70000, 200000};
  for (size_t k = 0; k < sizeof padding / sizeof *padding; k++) {
    bytes b = joined(gzipped(part(0, SIX)), (bytes){padding[k], calloc(padding[k], 1)});
    bnn_tensor *x, *y;
    ck_succeeds(bnn_idx_parse(&x, b.p, b.n, "digits", &err));
    ck_succeeds(bnn_idx_read(&y, file_of(0, b), &err));
    ck_tensor(x, BNN_U8, DIMS(2, 3), VALUES(0, 1, 2, 3, 4, 5));
    ck_tensor(y, BNN_U8, DIMS(2, 3), VALUES(0, 1, 2, 3, 4, 5));
    bnn_tensor_unref(x);
    bnn_tensor_unref(y);
  }
}
END_TEST

START_TEST(what_can_not_be_opened_is_refused_with_the_systems_word) {
  char path[300];
  bnn_tensor *x = NULL;
  ck_refuses(bnn_idx_read(&x, folder, &err), BNN_EIO, folder);
  ck_refuses(bnn_idx_read(&x, folder, &err), BNN_EIO, ": Is a directory");
  snprintf(path, sizeof path, "%s/nothing", folder);
  ck_refuses(bnn_idx_read(&x, path, &err), BNN_EIO, "nothing: No such file or directory");
  snprintf(path, sizeof path, "%s/inside", file_of(0, part(0, SIX)));
  ck_refuses(bnn_idx_read(&x, path, &err), BNN_EIO, "inside: Not a directory");
  ck_refuses(bnn_idx_read(&x, "", &err), BNN_EIO, ": No such file or directory");
  const char *locked = file_of(1, part(0, SIX));
  chmod(locked, 0);
  if (geteuid() != 0) /* root may read all */
    ck_refuses(bnn_idx_read(&x, locked, &err), BNN_EIO, ": Permission denied");
  ck_assert_ptr_null(x);
}
END_TEST

START_TEST(the_reason_stays_readable_behind_a_long_path) {
  char path[3000];
  bnn_tensor *x = NULL;
  memset(path, '/', sizeof path);
  snprintf(path + 2000, sizeof path - 2000, "%s", file_of(0, part(0, SIX - 1)));
  ck_refuses(bnn_idx_read(&x, path, &err), BNN_EDATA, "/file0: ends after 5 of the 6 bytes");
}
END_TEST

/* Whatever one bit or a missing end makes of a good file, it is refused or well formed. */
START_TEST(a_good_file_may_be_cut_and_changed_anywhere) {
  bytes b = bytes_of(type_row[_i].bytes, type_row[_i].n);
  replay_damaged(bytes_of(b.p, b.n), LLVMFuzzerTestOneInput);
  replay_damaged(gzipped(b), LLVMFuzzerTestOneInput);
}
END_TEST

/* ---- images beside labels ---- */

#define THREE_IMAGES "\0\0\10\3\0\0\0\3\0\0\0\1\0\0\0\2\0\1\2\3\4\5"
/* A class, and seven more numbers of QMNIST's. */
#define QMNIST_ROW(class) "\0\0\0" class "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0\7"
static const struct {
  const char *images, *labels;
  size_t images_n, labels_n;
  const char *words; /* NULL: good */
} pair_row[] = {
#define ROW(images, labels, words) \
  { images, labels, sizeof images - 1, sizeof labels - 1, words }
    ROW(THREE_IMAGES, "\0\0\10\1\0\0\0\3\7\0\11", NULL),
    ROW(THREE_IMAGES, "\0\0\11\1\0\0\0\3\7\0\11", NULL),
    ROW(THREE_IMAGES, "\0\0\14\1\0\0\0\3\0\0\0\7\0\0\0\0\0\0\0\11", NULL),
    ROW(THREE_IMAGES, "\0\0\10\2\0\0\0\3\0\0\0\1\7\0\11", NULL),
    ROW(THREE_IMAGES, "\0\0\15\1\0\0\0\3\x40\xe0\0\0\0\0\0\0\x41\x10\0\0", NULL), /* 7, 0, 9 */
    ROW(THREE_IMAGES,
        "\0\0\14\2\0\0\0\3\0\0\0\10" QMNIST_ROW("\7") QMNIST_ROW("\0") QMNIST_ROW("\11"), NULL),
    ROW(THREE_IMAGES, "\0\0\15\1\0\0\0\3\x40\xe0\0\0\x40\x20\0\0\0\0\0\0",
        "/file1: labels are whole numbers: element [2] is 2.5"),
    ROW(THREE_IMAGES, "\0\0\10\1\0\0\0\2\7\0", "3 images but 2 labels: "),
    ROW(THREE_IMAGES, "\0\0\10\1\0\0\0\4\7\0\1\2", "3 images but 4 labels: "),
    ROW(THREE_IMAGES, "\0\0\14\2\0\0\0\1\0\0\0\2\0\0\0\7\0\0\0\1",
        "/file1: holds [1, 2] of i32, expected labels [n] or [n, 1], or QMNIST's [n, 8]"),
    ROW(THREE_IMAGES, THREE_IMAGES, "/file1: holds [3, 1, 2] of u8, expected labels"),
    ROW("\0\0\10\1\0\0\0\1a", "\0\0\10\1\0\0\0\1a",
        "/file0: holds [1] of u8, expected images [n, h, w] or [n, h, w, c] of u8"),
    ROW("\0\0\11\3\0\0\0\1\0\0\0\1\0\0\0\1a", "\0\0\10\1\0\0\0\1a",
        "/file0: holds [1, 1, 1] of i32, expected images"),
    ROW("", "\0\0\10\1\0\0\0\1a", "/file0: holds no data"),
    ROW(THREE_IMAGES, "", "/file1: holds no data"),
#undef ROW
};
enum { PAIR_COUNT = sizeof pair_row / sizeof *pair_row };

START_TEST(labels_belong_to_their_images) {
  const char *images = file_of(0, gzipped(bytes_of(pair_row[_i].images, pair_row[_i].images_n)));
  const char *labels = file_of(1, bytes_of(pair_row[_i].labels, pair_row[_i].labels_n));
  bnn_tensor *x = NULL, *y = NULL;
  if (pair_row[_i].words) {
    ck_refuses(bnn_idx_read_pair(&x, &y, images, labels, &err), BNN_EDATA, pair_row[_i].words);
    ck_assert(!x && !y);
    return;
  }
  ck_succeeds(bnn_idx_read_pair(&x, &y, images, labels, &err));
  ck_tensor(x, BNN_U8, DIMS(3, 1, 2), VALUES(0, 1, 2, 3, 4, 5));
  ck_tensor(y, BNN_I32, DIMS(3), VALUES(7, 0, 9));
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(different_counts_name_both_files) {
  const char *images = file_of(0, BYTES(THREE_IMAGES));
  const char *labels = file_of(1, BYTES("\0\0\10\1\0\0\0\2\7\0"));
  bnn_tensor *x = NULL, *y = NULL;
  ck_refuses(bnn_idx_read_pair(&x, &y, images, labels, &err), BNN_EDATA, images);
  ck_refuses(bnn_idx_read_pair(&x, &y, images, labels, &err), BNN_EDATA, labels);
}
END_TEST

/* QMNIST's labels: [n, 8] of i32. */
START_TEST(labels_with_more_columns_are_read_as_a_tensor) {
  bnn_tensor *x;
  const char *path = file_of(0, BYTES("\0\0\14\2\0\0\0\1\0\0\0\2\0\0\0\7\0\0\1\0"));
  ck_succeeds(bnn_idx_read(&x, path, &err));
  ck_tensor(x, BNN_I32, DIMS(1, 2), VALUES(7, 256));
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(labels_outside_their_classes_are_named) {
  bnn_tensor *labels = tensor_of(BNN_I32, DIMS(4), VALUES(0, 9, 10, -1));
  ck_refuses(bnn_idx_check_labels(labels, 10, "y", &err), BNN_ERANGE,
             "y: label 3: expected 0 to 9, got 10");
  ck_refuses(bnn_idx_check_labels(labels, 11, "y", &err), BNN_ERANGE,
             "y: label 4: expected 0 to 10, got -1");
  bnn_tensor_set(labels, 3, 3);
  ck_succeeds(bnn_idx_check_labels(labels, 11, "y", &err));
  bnn_tensor_unref(labels);
}
END_TEST

/* ---- memory ---- */

static bnn_status read_and_drop(void *path, bnn_err *err) {
  bnn_tensor *x;
  BNN_TRY(bnn_idx_read(&x, path, err));
  bnn_tensor_unref(x);
  return BNN_OK;
}

static bnn_status read_pair_and_drop(void *paths, bnn_err *err) {
  bnn_tensor *x, *y;
  BNN_TRY(bnn_idx_read_pair(&x, &y, ((char **)paths)[0], ((char **)paths)[1], err));
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) {
  char path[300], other[300], *paths[] = {path, other};
  for (int k = 0; k < TYPE_COUNT; k++) {
    bytes b = bytes_of(type_row[k].bytes, type_row[k].n);
    snprintf(path, sizeof path, "%s", file_of(0, k % 2 ? gzipped(b) : b));
    ck_survives_failing_allocations(read_and_drop, path);
  }
  snprintf(path, sizeof path, "%s", file_of(0, gzipped(zeros(500, 500))));
  ck_survives_failing_allocations(read_and_drop, path);
  snprintf(path, sizeof path, "%s", file_of(0, gzipped(BYTES(THREE_IMAGES))));
  snprintf(other, sizeof other, "%s", file_of(1, gzipped(BYTES("\0\0\10\1\0\0\0\3\7\0\11"))));
  ck_survives_failing_allocations(read_pair_and_drop, paths);
}
END_TEST

/* ---- corpus and real data ---- */

START_TEST(the_corpus_replays) {
  ck_assert_int_gt(replay("tests/corpus/idx", LLVMFuzzerTestOneInput), 40);
}
END_TEST

static const struct {
  const char *part;
  size_t n;
  double first[8];
} mnist_row[] = {
    {"train", 60000, {5, 0, 4, 1, 9, 2, 1, 3}},
    {"t10k", 10000, {7, 2, 1, 0, 4, 1, 4, 9}},
};

START_TEST(mnist_is_read_when_it_is_there) {
  char images[600], labels[600];
  const char *data = getenv("BNNLUA_DATA");
  if (!data) return;
  snprintf(images, sizeof images, "%s/mnist/%s-images-idx3-ubyte.gz", data, mnist_row[_i].part);
  snprintf(labels, sizeof labels, "%s/mnist/%s-labels-idx1-ubyte.gz", data, mnist_row[_i].part);
  if (access(images, R_OK) != 0) return;
  bnn_tensor *x, *y, *first;
  ck_succeeds(bnn_idx_read_pair(&x, &y, images, labels, &err));
  ck_tensor(x, BNN_U8, DIMS(mnist_row[_i].n, 28, 28), NULL);
  ck_tensor(y, BNN_I32, DIMS(mnist_row[_i].n), NULL);
  ck_succeeds(bnn_idx_check_labels(y, 10, labels, &err));
  ck_succeeds(bnn_tensor_narrow(&first, y, 0, 0, 8, &err));
  ck_tensor(first, BNN_I32, DIMS(8), mnist_row[_i].first);
  bnn_tensor_unref(first);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, every_type_of_the_format_is_read, 0, TYPE_COUNT);
  tcase_add_test(tests, dimensions_are_read_in_order);
  tcase_add_test(tests, members_in_a_row_are_their_contents_in_a_row);
  tcase_add_test(tests, what_compresses_a_thousandfold_is_read_whole);
  tcase_add_test(tests, a_pipe_is_read_as_a_file_is);
  tcase_add_test(tests, four_threads_read_one_file);
  tcase_add_loop_test(tests, what_is_wrong_with_a_file_is_said, 0, BAD_COUNT);
  tcase_add_test(tests, memory_follows_the_data_and_not_the_header);
  tcase_add_test(tests, a_surplus_is_counted_up_to_a_limit);
  tcase_add_test(tests, a_gzip_file_cut_short_is_refused_wherever_it_ends);
  tcase_add_test(tests, a_second_member_cut_short_is_refused_too);
  tcase_add_test(tests, damaged_gzip_data_are_refused_with_zlibs_word);
  tcase_add_test(tests, what_follows_gzip_data_is_refused);
  tcase_add_test(tests, zeros_that_pad_gzip_data_are_ignored);
  tcase_add_test(tests, what_can_not_be_opened_is_refused_with_the_systems_word);
  tcase_add_test(tests, the_reason_stays_readable_behind_a_long_path);
  tcase_add_loop_test(tests, a_good_file_may_be_cut_and_changed_anywhere, 0, TYPE_COUNT);
  tcase_add_loop_test(tests, labels_belong_to_their_images, 0, PAIR_COUNT);
  tcase_add_test(tests, different_counts_name_both_files);
  tcase_add_test(tests, labels_with_more_columns_are_read_as_a_tensor);
  tcase_add_test(tests, labels_outside_their_classes_are_named);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_test(tests, the_corpus_replays);
  tcase_add_loop_test(tests, mnist_is_read_when_it_is_there, 0, 2);
}

int main(void) { return run_suite("idx", add_tests); }
