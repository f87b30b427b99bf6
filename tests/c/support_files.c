/* support_files.c - what the tests of file formats share. */
#include "support_files.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

bytes bytes_of(const void *p, size_t n) {
  bytes b = {n, malloc(n + 1)};
  if (n) memcpy(b.p, p, n);
  return b;
}

bytes joined(bytes a, bytes b) {
  bytes c = {a.n + b.n, malloc(a.n + b.n + 1)};
  memcpy(c.p, a.p, a.n);
  memcpy(c.p + a.n, b.p, b.n);
  free(a.p);
  free(b.p);
  return c;
}

bytes gzipped(bytes a) {
  z_stream z = {0};
  bytes c = {a.n + 1000, malloc(a.n + 1000)};
  ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = a.p;
  z.avail_in = (uInt)a.n;
  z.next_out = c.p;
  z.avail_out = (uInt)c.n;
  ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
  c.n = z.total_out;
  deflateEnd(&z);
  free(a.p);
  return c;
}

bytes bytes_of_file(const char *path) {
  bytes b;
  b.p = read_bytes(&b.n, path);
  return b;
}

/* ---- the folder ---- */

char folder[200];

void make_folder(void) {
  const char *parent = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/bnn_test_XXXXXX", parent ? parent : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(folder));
}

void remove_folder(void) {
  char path[600];
  DIR *dir = opendir(folder);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] != '.') remove(path);
  }
  closedir(dir);
  rmdir(folder);
}

const char *file_of(int slot, bytes b) {
  static char path[2][300];
  snprintf(path[slot], sizeof path[slot], "%s/file%d", folder, slot);
  FILE *file = fopen(path[slot], "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(b.p, 1, b.n, file), b.n);
  ck_assert_int_eq(fclose(file), 0);
  free(b.p);
  return path[slot];
}

const char *path_of(const char *name) {
  static char path[4][300];
  static int next;
  next = (next + 1) % 4;
  snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
  return path[next];
}

int files_in_folder(void) {
  int count = 0;
  DIR *dir = opendir(folder);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

/* ---- the corpus ---- */

int replay(const char *corpus, int (*f)(const uint8_t *bytes, size_t n)) {
  char path[600];
  int count = 0;
  DIR *dir = opendir(corpus);
  ck_assert_msg(dir != NULL, "%s is not there: run the tests from the project's folder", corpus);
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", corpus, entry->d_name);
    bytes b = bytes_of_file(path);
    f(b.p, b.n);
    free(b.p);
    count++;
  }
  closedir(dir);
  return count;
}

void replay_damaged(bytes whole, int (*f)(const uint8_t *bytes, size_t n)) {
  for (size_t n = 0; n <= whole.n; n++) {
    bytes b = bytes_of(whole.p, n); /* of its own, so that a sanitizer sees its end */
    f(b.p, b.n);
    free(b.p);
  }
  for (size_t bit = 0; bit < 8 * whole.n; bit++) {
    whole.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
    f(whole.p, whole.n);
    whole.p[bit / 8] ^= (unsigned char)(1u << bit % 8);
  }
  for (size_t at = 0; at < whole.n; at++) {
    whole.p[at] ^= 0xff;
    f(whole.p, whole.n);
    whole.p[at] ^= 0xff;
  }
  free(whole.p);
}
