/* test_save.c - a file is written whole or not at all, and in an order that a power cut can not
 * turn round: the bytes are on the disk before the name, the name before success is told. */
#include "save.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_files.h"

/* In place of the C library's: notes what is synced, 'f' or 'd' for a file or folder, and fails with
 * EIO for the kind that is asked. */
static char synced[16], failing;

int fsync(int fd) {
  struct stat about;
  ck_assert_int_eq(fstat(fd, &about), 0);
  char kind = S_ISDIR(about.st_mode) ? 'd' : 'f';
  size_t n = strlen(synced);
  if (n + 1 < sizeof synced) memcpy(synced + n, (char[]){kind, 0}, 2);
  if (kind != failing) return 0;
  errno = EIO;
  return -1;
}

static void make_empty_folder(void) {
  make_folder();
  synced[0] = failing = 0;
}

static bnn_status save(const char *path, const char *text, bnn_err *err) {
  const bnn_piece pieces[] = {{text, strlen(text)}, {"!", 1}};
  return bnn_save(path, pieces, 2, err);
}

static void ck_holds(const char *path, const char *text) {
  bytes b = bytes_of_file(path);
  ck_assert_uint_eq(b.n, strlen(text));
  ck_assert_mem_eq(b.p, text, b.n);
  free(b.p);
}

START_TEST(the_file_is_synced_and_then_its_folder) {
  ck_succeeds(save(path_of("x"), "new", &err));
  ck_assert_str_eq(synced, "fd");
  ck_holds(path_of("x"), "new!");
  ck_succeeds(save(path_of("x"), "other", &err));
  ck_assert_str_eq(synced, "fdfd");
  ck_holds(path_of("x"), "other!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_bare_name_lies_in_the_current_folder) {
  char before[1000];
  ck_assert_ptr_nonnull(getcwd(before, sizeof before));
  ck_assert_int_eq(chdir(folder), 0);
  ck_succeeds(save("x", "new", &err));
  ck_assert_int_eq(chdir(before), 0);
  ck_assert_str_eq(synced, "fd");
  ck_holds(path_of("x"), "new!");
}
END_TEST

START_TEST(what_is_not_on_the_disk_does_not_replace_the_old) {
  ck_succeeds(save(path_of("x"), "old", &err));
  failing = 'f';
  ck_refuses(save(path_of("x"), "new", &err), BNN_EIO, "x: Input/output error");
  ck_holds(path_of("x"), "old!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_folder_that_can_not_be_synced_is_told) {
  failing = 'd';
  ck_refuses(save(path_of("x"), "new", &err), BNN_EIO, "x: Input/output error");
  ck_holds(path_of("x"), "new!"); /* it is whole; only its name may be lost */
}
END_TEST

START_TEST(a_folder_that_is_gone_is_told) {
  ck_refuses(save(path_of("no/x"), "new", &err), BNN_EIO, "no/x: No such file");
  ck_assert_int_eq(files_in_folder(), 0);
}
END_TEST

static bnn_status save_one(void *path, bnn_err *err) { return save(path, "new", err); }

START_TEST(every_allocation_may_fail) {
  char path[300];
  strcpy(path, path_of("x"));
  ck_survives_failing_allocations(save_one, path);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_empty_folder, remove_folder);
  tcase_add_test(tests, the_file_is_synced_and_then_its_folder);
  tcase_add_test(tests, a_bare_name_lies_in_the_current_folder);
  tcase_add_test(tests, what_is_not_on_the_disk_does_not_replace_the_old);
  tcase_add_test(tests, a_folder_that_can_not_be_synced_is_told);
  tcase_add_test(tests, a_folder_that_is_gone_is_told);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("save", add_tests); }
