/* test_bounds.c - what a file claims takes no memory: each reader is given small files that claim or
 * unfold to much, and the memory of the whole process (VmHWM, whoever allocates) is held against the
 * reader's bound. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "formats/idx.h"
#include "formats/image_png.h"
#include "formats/npy.h"
#include "formats/npz.h"
#include "formats/safetensors.h"
#include "support_files.h"
#include "tables/csv.h"

/* A sanitizer's own memory would be measured too. */
#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

/* ---- the memory of this process ---- */

/* A line of /proc/self/status in bytes. */
static size_t status_line(const char *name) {
  char line[200];
  size_t kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  ck_assert_ptr_nonnull(file);
  while (fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0) kilobytes = strtoul(line + strlen(name), NULL, 10);
  fclose(file);
  return kilobytes << 10;
}

/* The peak starts at what is there now; where that is not allowed, at this test's fork. */
static void forget_peak(void) {
  FILE *file = fopen("/proc/self/clear_refs", "w");
  if (!file) return;
  fputs("5", file);
  fclose(file);
}

/* ---- readers ---- */

static bnn_status read_png(const char *path, bnn_err *err) {
  bnn_tensor *x = NULL;
  bnn_status status = bnn_png_read(&x, path, BNN_PNG_GREY, err);
  bnn_tensor_unref(x);
  return status;
}

static bnn_status read_idx(const char *path, bnn_err *err) {
  bnn_tensor *x = NULL;
  bnn_status status = bnn_idx_read(&x, path, err);
  bnn_tensor_unref(x);
  return status;
}

static bnn_status read_npy(const char *path, bnn_err *err) {
  bnn_tensor *x = NULL;
  bnn_status status = bnn_npy_read(&x, path, err);
  bnn_tensor_unref(x);
  return status;
}

static bnn_status read_npz(const char *path, bnn_err *err) {
  bnn_npz *z = NULL;
  bnn_status status = bnn_npz_read(&z, path, NULL, 0, err);
  bnn_npz_free(z);
  return status;
}

static bnn_status read_csv(const char *path, bnn_err *err) {
  bnn_csv *t = NULL;
  bnn_csv_options options = {.column = -1};
  bnn_status status = bnn_csv_read(&t, path, &options, err);
  bnn_csv_free(t);
  return status;
}

static bnn_status read_safetensors(const char *path, bnn_err *err) {
  bnn_safetensors *f = NULL;
  bnn_status status = bnn_safetensors_open(&f, path, NULL, err);
  bnn_safetensors_close(f);
  return status;
}

/* ---- files ---- */

static bytes big_endian(uint32_t v) {
  const unsigned char p[] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16),
                             (unsigned char)(v >> 8), (unsigned char)v};
  return bytes_of(p, 4);
}

static bytes zeros(size_t n) {
  bytes b = {n, calloc(n + 1, 1)};
  return b;
}

/* Bytes that deflate cannot make shorter. */
static bytes noise(size_t n) {
  bytes b = zeros(n);
  uint32_t state = 1;
  for (size_t i = 0; i < n; i++)
    b.p[i] = (unsigned char)((state = state * 1664525u + 1013904223u) >> 24);
  return b;
}

/* zlib's format; frees a. */
static bytes deflated(bytes a) {
  uLongf n = compressBound(a.n);
  bytes b = {0, malloc(n)};
  ck_assert_int_eq(compress2(b.p, &n, a.p, a.n, 9), Z_OK);
  b.n = n;
  free(a.p);
  return b;
}

static bytes chunk(const char *type, bytes data) {
  bytes b = joined(big_endian((uint32_t)data.n), bytes_of(type, 4));
  b = joined(b, data);
  return joined(b, big_endian((uint32_t)crc32(0, b.p + 4, (uInt)(b.n - 4))));
}

static bytes png_start(uint32_t w, uint32_t h, const char *depth_and_color) {
  bytes size = joined(joined(big_endian(w), big_endian(h)), bytes_of(depth_and_color, 2));
  return joined(BYTES("\x89PNG\r\n\x1a\n"), chunk("IHDR", joined(size, BYTES("\0\0\0"))));
}

static bytes png_end(bytes b) {
  return joined(joined(b, chunk("IDAT", deflated(zeros(28 * 29)))), chunk("IEND", zeros(0)));
}

static const char *const ancillary[] = {"tEXt", "zTXt", "iTXt", "iCCP", "eXIf", "sPLT",
                                        "prIv", "pCAL", "sCAL", "hIST", "bKGD", "tIME"};
enum { ANCILLARY = sizeof ancillary / sizeof *ancillary };

/* A chunk of 1.8 GB is claimed, before the pixels and behind them. */
static bytes png_claims(int i, bool behind) {
  bytes b = png_start(28, 28, "\x08\0");
  if (behind) b = joined(b, chunk("IDAT", deflated(zeros(28 * 29))));
  return joined(joined(b, big_endian(0x6f000000)),
                joined(bytes_of(ancillary[i], 4), BYTES("k\0\0")));
}

/* A hundred chunks that unfold to 2 MB each. */
static bytes png_unfolds(int i) {
  bytes b = png_start(28, 28, "\x08\0");
  bytes data = joined(i == 2 ? BYTES("k\0\1\0\0\0") : BYTES("k\0\0"), deflated(zeros(2 << 20)));
  for (int k = 0; k < 100; k++) b = joined(b, chunk(ancillary[i], bytes_of(data.p, data.n)));
  free(data.p);
  return png_end(b);
}

/* ---- what is tried ---- */

typedef struct trial {
  const char *name;
  bnn_status (*read)(const char *path, bnn_err *err);
  bnn_status status;
  size_t bound; /* bytes of memory */
} trial;

/* Asserts that the file is read with that status in that memory; frees b. */
static void within(const trial *t, bytes b) {
  bnn_err err = {.text = ""};
  const char *path = file_of(0, b);
  forget_peak();
  size_t before = status_line("VmRSS:");
  bnn_status status = t->read(path, &err);
  size_t peak = status_line("VmHWM:"), taken = peak > before ? peak - before : 0;
  ck_assert_msg(status == t->status, "%s: %s: %s", t->name, bnn_status_text(status), err.text);
  ck_assert_msg(SANITIZED || taken <= t->bound, "%s: %zu bytes of memory, at most %zu are its due",
                t->name, taken, t->bound);
}

enum { MB = 1 << 20 };

#define SKIP_WITHOUT(version)                                 \
  do {                                                        \
    if (!(version)) return; /* a build without the library */ \
  } while (0)

START_TEST(png_chunks_take_no_memory_whatever_they_claim) {
  SKIP_WITHOUT(bnn_png_version());
  within(&(trial){ancillary[_i], read_png, BNN_EDATA, MB}, png_claims(_i, false));
  within(&(trial){ancillary[_i], read_png, BNN_EDATA, MB}, png_claims(_i, true));
  within(&(trial){ancillary[_i], read_png, BNN_OK, MB}, png_unfolds(_i));
}
END_TEST

START_TEST(png_pixels_take_memory_as_they_arrive) {
  SKIP_WITHOUT(bnn_png_version());
  bytes noisy = joined(png_start(16384, 16384, "\x08\6"), chunk("IDAT", noise(1200000)));
  within(&(trial){"pixels that are not there", read_png, BNN_EDATA, 3 * MB}, noisy);
  bytes row = deflated(zeros((16384 / 8 + 1) * 16384)); /* 2^28 bytes of grey from 33 kB */
  bytes bits = joined(png_start(16384, 16384, "\1\0"), chunk("IDAT", row));
  within(&(trial){"bits that become bytes", read_png, BNN_EDATA, MB},
         joined(bits, chunk("IEND", zeros(0))));
}
END_TEST

/* n elements are claimed, and `there` of them there. */
static bytes idx_of(uint32_t n, bytes there) {
  return joined(joined(BYTES("\0\0\x08\1"), big_endian(n)), there);
}

static bytes npy_of(size_t n, bytes there) {
  char header[128];
  memset(header, ' ', sizeof header);
  memcpy(header, "\x93NUMPY\1\0\x76\0", 10);
  int length =
      snprintf(header + 10, 100, "{'descr': '|u1', 'fortran_order': False, 'shape': (%zu,)}", n);
  header[10 + length] = ' ';
  return joined(bytes_of(header, sizeof header), there);
}

START_TEST(arrays_take_the_memory_of_their_elements_and_none_for_a_claim) {
  const size_t true_size = 16 * MB, claim = 2000 * (size_t)MB;
  /* a claim that the file's size refutes, one that deflate allows and its data do not, the truth */
  within(&(trial){"idx", read_idx, BNN_EDATA, MB}, idx_of((uint32_t)claim, zeros(1000)));
  within(&(trial){"idx.gz", read_idx, BNN_EDATA, MB},
         gzipped(idx_of((uint32_t)claim, zeros(true_size))));
  within(&(trial){"idx.gz", read_idx, BNN_OK, true_size + 3 * MB},
         gzipped(idx_of((uint32_t)true_size, zeros(true_size))));
  within(&(trial){"npy", read_npy, BNN_EDATA, MB}, npy_of(claim, zeros(1000)));
  within(&(trial){"npy.gz", read_npy, BNN_EDATA, MB}, gzipped(npy_of(claim, zeros(true_size))));
  within(&(trial){"npy.gz", read_npy, BNN_OK, true_size + 3 * MB},
         gzipped(npy_of(true_size, zeros(true_size))));
}
END_TEST

/* What follows the elements is not unfolded to its end. */
START_TEST(a_surplus_takes_neither_memory_nor_time) {
  within(&(trial){"idx.gz", read_idx, BNN_EDATA, MB}, gzipped(idx_of(3, zeros(24 * MB))));
  within(&(trial){"npy.gz", read_npy, BNN_OK, MB}, gzipped(npy_of(3, zeros(24 * MB))));
}
END_TEST

static bytes little_endian(uint64_t v, int n) {
  unsigned char p[8];
  for (int k = 0; k < n; k++) p[k] = (unsigned char)(v >> 8 * k);
  return bytes_of(p, (size_t)n);
}

/* A member of a ZIP archive: its fields from `method` to the length of the name. */
static bytes member_fields(int method, uint32_t crc, size_t packed, size_t size, size_t name) {
  bytes b = joined(little_endian((uint64_t)method, 2), little_endian(0, 4)); /* no date */
  b = joined(joined(b, little_endian(crc, 4)), little_endian(packed, 4));
  return joined(joined(b, little_endian(size, 4)), little_endian(name, 2));
}

/* An archive of `count` members x0.npy, x1.npy, ... that share one local header and its data, which
 * are said to be of `size` bytes. */
static bytes zip_of(unsigned count, int method, bytes packed, uint32_t crc, size_t size) {
  char name[16];
  bytes fields = member_fields(method, crc, packed.n, size, 6), directory = zeros(0);
  bytes b = joined(BYTES("PK\3\4\x14\0\0\0"), bytes_of(fields.p, fields.n));
  b = joined(joined(b, BYTES("\0\0x0.npy")), bytes_of(packed.p, packed.n));
  for (unsigned i = 0; i < count; i++) {
    snprintf(name, sizeof name, "x%u.npy", i % 10);
    bytes entry = joined(BYTES("PK\1\2\x14\0\x14\0\0\0"), bytes_of(fields.p, fields.n));
    entry = joined(joined(entry, zeros(2 + 2 + 2 + 2 + 4 + 4)), bytes_of(name, 6));
    directory = joined(directory, entry);
  }
  size_t start = b.n, length = directory.n;
  b = joined(joined(b, directory), BYTES("PK\5\6\0\0\0\0"));
  b = joined(joined(b, little_endian(count, 2)), little_endian(count, 2));
  b = joined(joined(b, little_endian(length, 4)), little_endian(start, 4));
  free(fields.p);
  free(packed.p);
  return joined(b, zeros(2));
}

/* Deflate without zlib's frame; frees a. */
static bytes raw_deflated(bytes a) {
  bytes z = deflated(a), b = bytes_of(z.p + 2, z.n - 6);
  free(z.p);
  return b;
}

START_TEST(archives_take_the_memory_of_their_arrays_and_none_for_a_claim) {
  SKIP_WITHOUT(bnn_npz_version());
  const size_t true_size = 16 * MB, header = 128;
  bytes whole = npy_of(true_size, zeros(true_size)), cut = npy_of(true_size, zeros(true_size / 2));
  uint32_t crc = (uint32_t)crc32(0, whole.p, (uInt)whole.n),
           cut_crc = (uint32_t)crc32(0, cut.p, (uInt)cut.n);
  whole = raw_deflated(whole);
  cut = raw_deflated(cut);
  within(&(trial){"true", read_npz, BNN_OK, true_size + 4 * MB},
         zip_of(1, 8, bytes_of(whole.p, whole.n), crc, true_size + header));
  within(&(trial){"ten over each other", read_npz, BNN_EDATA, true_size + 4 * MB},
         zip_of(10, 8, whole, crc, true_size + header));
  within(&(trial){"half of it there", read_npz, BNN_EDATA, 2 * MB},
         zip_of(1, 8, bytes_of(cut.p, cut.n), cut_crc, true_size / 2 + header));
  within(&(trial){"claims more than its data", read_npz, BNN_EDATA, 2 * MB},
         zip_of(1, 8, cut, cut_crc, true_size + header));
  within(&(trial){"stored, claims more than the file", read_npz, BNN_EDATA, MB},
         zip_of(1, 0, npy_of(true_size, zeros(1000)), 0, true_size + header));
}
END_TEST

/* Text of n bytes: head, then unit again and again. */
static bytes repeated(const char *head, const char *unit, size_t n) {
  bytes b = bytes_of(head, strlen(head));
  size_t each = strlen(unit);
  b.p = realloc(b.p, n + each + 1);
  for (; b.n < n; b.n += each) memcpy(b.p + b.n, unit, each + 1);
  return b;
}

START_TEST(tables_take_memory_in_proportion) {
  const size_t n = 2 * MB + 1000; /* 2^20 columns and some */
  within(&(trial){"many columns", read_csv, BNN_EDATA, n + 80 * MB}, repeated("1", ",1", n));
  within(&(trial){"a quote that is not closed", read_csv, BNN_EDATA, n + MB},
         repeated("\"", "1,", n));
  within(&(trial){"one long cell", read_csv, BNN_OK, 3 * n}, repeated("1,", "1", n));
  within(&(trial){"blank lines", read_csv, BNN_OK, n + MB}, repeated("1,2\n", "\n", n));
  within(&(trial){"short rows", read_csv, BNN_OK, 31 * n}, repeated("a,b\n", "1,2\n", n));
  within(&(trial){"short rows with texts", read_csv, BNN_OK, 31 * n},
         repeated("a,b\n", "1,x\n", n));
  within(&(trial){"zero bytes", read_csv, BNN_EDATA, 2 * MB},
         gzipped(joined(BYTES("1,2\n"), zeros(65 * MB))));
}
END_TEST

START_TEST(headers_of_checkpoints_take_memory_in_proportion) {
  SKIP_WITHOUT(bnn_safetensors_version());
  static const char *const head[] = {"{\"a\":[0", "{\"a\":{\"shape\":[1", "{\"a\":0",
                                     "{\"__metadata__\":{\"a\":\"\"", "{\"a\":{\"b\":[0"};
  static const char *const unit[] = {",{}", ",1", ",\"b\":0", ",\"b\":\"\"", ",[[]]"};
  for (int k = 0; k < 5; k++) {
    bytes header = repeated(head[k], unit[k], 4 * MB);
    size_t n = header.n;
    within(&(trial){head[k], read_safetensors, BNN_EDATA, 10 * n + MB},
           joined(little_endian(n, 8), header));
  }
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, png_chunks_take_no_memory_whatever_they_claim, 0, ANCILLARY);
  tcase_add_test(tests, png_pixels_take_memory_as_they_arrive);
  tcase_add_test(tests, arrays_take_the_memory_of_their_elements_and_none_for_a_claim);
  tcase_add_test(tests, a_surplus_takes_neither_memory_nor_time);
  tcase_add_test(tests, archives_take_the_memory_of_their_arrays_and_none_for_a_claim);
  tcase_add_test(tests, tables_take_memory_in_proportion);
  tcase_add_test(tests, headers_of_checkpoints_take_memory_in_proportion);
}

int main(void) { return run_suite("bounds", add_tests); }
