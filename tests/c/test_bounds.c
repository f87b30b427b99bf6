/* test_bounds.c - what a file claims takes no memory: each reader is given small files that claim or
 * unfold to much, and the memory of the whole process (VmHWM, whoever allocates) is held against the
 * reader's bound. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "csv.h"
#include "idx.h"
#include "image_png.h"
#include "npy.h"
#include "npz.h"
#include "safetensors.h"
#include "support_files.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
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

/* Bytes that deflate can not make shorter. */
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
#ifndef SANITIZED
  ck_assert_msg(taken <= t->bound, "%s: %zu bytes of memory, at most %zu are its due", t->name,
                taken, t->bound);
#endif
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

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, png_chunks_take_no_memory_whatever_they_claim, 0, ANCILLARY);
  tcase_add_test(tests, png_pixels_take_memory_as_they_arrive);
}

int main(void) { return run_suite("bounds", add_tests); }
