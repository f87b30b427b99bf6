/* test_digest.c - SHA-256 of payloads against published values, plain and compressed; what a
 * download refuses before it asks anybody. */
#include "files/digest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "files/fetch.h"
#include "support.h"

/* FIPS 180-2, appendix B, and the empty message. */
static const struct {
  const char *text, *sha256;
} known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};
enum { KNOWN = sizeof known / sizeof *known };
static const char million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static char folder[64];

static const char *in_folder(const char *name) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static const char *write_file(const char *name, const void *bytes, size_t n, bool compressed) {
  const char *path = in_folder(name);
  gzFile file = gzopen(path, compressed ? "wb9" : "wbT");
  ck_assert_ptr_nonnull(file);
  for (size_t at = 0; at < n; at += 1 << 16) {
    unsigned part = n - at < 1 << 16 ? (unsigned)(n - at) : 1 << 16;
    ck_assert_int_eq(gzwrite(file, (const char *)bytes + at, part), (int)part);
  }
  ck_assert_int_eq(gzclose(file), Z_OK);
  return path;
}

START_TEST(known_messages_have_their_published_digests) {
  for (int compressed = 0; compressed < 2; compressed++) {
    bnn_digest digest = {0};
    size_t n = strlen(known[_i].text);
    const char *path = write_file("known", known[_i].text, n, compressed);
    if (!bnn_digest_library()) {
      ck_refuses(bnn_digest_file(&digest, path, UINT64_MAX, &err), BNN_EIO, "has no libcrypto");
      return;
    }
    ck_succeeds(bnn_digest_file(&digest, path, UINT64_MAX, &err));
    ck_assert_str_eq(digest.sha256, known[_i].sha256);
    ck_assert_uint_eq(digest.bytes, n);
  }
}
END_TEST

START_TEST(a_long_message_is_read_in_pieces_and_no_more_than_wanted_of_it) {
  enum { MILLION = 1000000 };
  static char text[MILLION];
  bnn_digest digest = {.bytes = 77};
  if (!bnn_digest_library()) return;
  memset(text, 'a', sizeof text);
  const char *path = write_file("long", text, sizeof text, true);
  ck_refuses(bnn_digest_file(&digest, path, MILLION - 1, &err), BNN_EDATA,
             "expected 999999 bytes, got more");
  ck_assert_uint_eq(digest.bytes, 77);
  ck_succeeds(bnn_digest_file(&digest, path, MILLION, &err));
  ck_assert_str_eq(digest.sha256, million_a);
}
END_TEST

START_TEST(a_check_names_what_differs) {
  if (!bnn_digest_library()) return;
  bnn_digest want = {.bytes = 3};
  memcpy(want.sha256, known[1].sha256, sizeof want.sha256);
  ck_succeeds(bnn_digest_check(&want, write_file("abc", "abc", 3, true), &err));
  ck_refuses(bnn_digest_check(&want, write_file("abd", "abd", 3, true), &err), BNN_EDATA,
             "got a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9");
  ck_refuses(bnn_digest_check(&want, write_file("ab", "ab", 2, true), &err), BNN_EDATA,
             "expected 3 bytes, got 2");
  ck_refuses(bnn_digest_check(&want, in_folder("absent"), &err), BNN_EIO, "No such file");
}
END_TEST

static bnn_status digest_once(void *path, bnn_err *err) {
  bnn_digest digest;
  return bnn_digest_file(&digest, path, UINT64_MAX, err);
}

START_TEST(every_allocation_may_fail) {
  if (!bnn_digest_library()) return;
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s", write_file("known", "abc", 3, true));
  ck_survives_failing_allocations(digest_once, path);
}
END_TEST

/* Nothing here asks a network: other protocols and folders are refused before. */
START_TEST(a_download_that_can_not_begin_leaves_what_is_there) {
  char path[PATH_MAX];
  bnn_saving *saving = NULL;
  snprintf(path, sizeof path, "%s", write_file("new", "mine", 4, false));
  bnn_fetch_job job = {.url = "file:///etc/passwd", .path = path};
  if (!bnn_fetch_library() || !bnn_digest_library()) {
    ck_refuses(bnn_fetch(&saving, &job, &err), BNN_EIO, "lib");
    return;
  }
  ck_refuses(bnn_fetch(&saving, &job, &err), BNN_ENET, "file:///etc/passwd: ");
  struct stat about;
  ck_assert_int_eq(stat(path, &about), 0);
  ck_assert_int_eq((int)about.st_size, 4);
  snprintf(path, sizeof path, "%s", in_folder("absent/new"));
  ck_refuses(bnn_fetch(&saving, &job, &err), BNN_EIO, "absent/new: No such file");
  ck_assert_ptr_null(saving);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, known_messages_have_their_published_digests, 0, KNOWN);
  tcase_add_test(tests, a_long_message_is_read_in_pieces_and_no_more_than_wanted_of_it);
  tcase_add_test(tests, a_check_names_what_differs);
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_test(tests, a_download_that_can_not_begin_leaves_what_is_there);
}

int main(void) {
  snprintf(folder, sizeof folder, "/tmp/test_digest.XXXXXX");
  if (!mkdtemp(folder)) return EXIT_FAILURE;
  int status = run_suite("digest", add_tests);
  static const char *const names[] = {"known", "long", "abc", "abd", "ab", "new"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unlink(in_folder(names[i]));
  rmdir(folder);
  return status;
}
