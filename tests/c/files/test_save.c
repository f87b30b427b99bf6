/* test_save.c - a file is written whole or not at all, through links too, whatever the system calls
 * do, and in an order that a power cut cannot turn round: the bytes are on the disk before the name,
 * the name before success is told. */
#include "files/save.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/npy.h"
#include "formats/npz.h"
#include "support_files.h"

/* ---- system calls in place of the C library's ---- */

static struct {
  char synced[16]; /* what was synced: 'f' or 'd' for a file or folder */
  char failing;    /* the kind whose sync fails with `reason` */
  int reason;      /* an errno */
  bool
      interrupted; /* every other write and sync ends with EINTR, and writes take 3 bytes at most */
  bool torn;       /* ... it was this one's turn */
  int link_reply;  /* what link answers if not 0: an errno, whether the link is made or not */
  bool link_lost;  /* ... and it is not made */
  long room;       /* bytes after which writes fail with ENOSPC; -1: no limit */
} calls;

static bool is_interrupted(void) {
  calls.torn = calls.interrupted && !calls.torn;
  if (calls.torn) errno = EINTR;
  return calls.torn;
}

int fsync(int fd) {
  struct stat about;
  if (is_interrupted()) return -1;
  ck_assert_int_eq(fstat(fd, &about), 0);
  char kind = S_ISDIR(about.st_mode) ? 'd' : 'f';
  size_t n = strlen(calls.synced);
  if (n + 1 < sizeof calls.synced) memcpy(calls.synced + n, (char[]){kind, 0}, 2);
  if (kind != calls.failing) return 0;
  errno = calls.reason;
  return -1;
}

ssize_t write(int fd, const void *p, size_t n) {
  if (is_interrupted()) return -1;
  if (calls.interrupted && n > 3) n = 3;
  if (calls.room == 0) {
    errno = ENOSPC;
    return -1;
  }
  if (calls.room > 0 && n > (size_t)calls.room) n = (size_t)calls.room;
  if (calls.room > 0) calls.room -= (long)n;
  return syscall(SYS_write, fd, p, n);
}

int link(const char *from, const char *to) {
  int result = calls.link_lost ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (calls.link_reply == 0) return result;
  errno = calls.link_reply;
  return -1;
}

static void set_up(void) {
  make_folder();
  memset(&calls, 0, sizeof calls);
  calls.room = -1;
  umask(022);
}

static void tear_down(void) {
  calls.interrupted = false;
  remove_folder();
}

/* ---- files ---- */

static bnn_status save(const char *path, const char *text, bnn_err *err) {
  const bnn_save_part spans[] = {{text, strlen(text)}, {"!", 1}};
  return bnn_save(path, spans, 2, err);
}

static void ck_holds(const char *path, const char *text) {
  bytes b = bytes_of_file(path);
  ck_assert_uint_eq(b.n, strlen(text));
  ck_assert_mem_eq(b.p, text, b.n);
  free(b.p);
}

static void link_to(const char *target, const char *name) {
  ck_assert_int_eq(symlink(target, path_of(name)), 0);
}

static void ck_is_link(const char *name) {
  struct stat about;
  ck_assert_int_eq(lstat(path_of(name), &about), 0);
  ck_assert(S_ISLNK(about.st_mode));
}

static mode_t mode_of(const char *name) {
  struct stat about;
  ck_assert_int_eq(stat(path_of(name), &about), 0);
  return about.st_mode & 07777;
}

/* ---- the disk ---- */

START_TEST(the_file_is_synced_and_then_its_folder) {
  ck_succeeds(save(path_of("x"), "new", &err));
  ck_assert_str_eq(calls.synced, "fd");
  ck_holds(path_of("x"), "new!");
  ck_succeeds(save(path_of("x"), "other", &err));
  ck_assert_str_eq(calls.synced, "fdfd");
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
  ck_assert_str_eq(calls.synced, "fd");
  ck_holds(path_of("x"), "new!");
}
END_TEST

START_TEST(what_is_not_on_the_disk_does_not_replace_the_old) {
  ck_succeeds(save(path_of("x"), "old", &err));
  calls.failing = 'f';
  calls.reason = EIO;
  ck_refuses(save(path_of("x"), "new", &err), BNN_EIO, "x: Input/output error");
  ck_holds(path_of("x"), "old!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_folder_that_cannot_be_synced_is_an_error_that_says_what_stands) {
  calls.failing = 'd';
  calls.reason = EIO;
  ck_refuses(save(path_of("x"), "new", &err), BNN_EIO,
             "x: is written, but its folder cannot be synced (Input/output error)");
  ck_holds(path_of("x"), "new!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_file_system_that_cannot_sync_is_no_error) {
  static const int reason[] = {EINVAL, EROFS, ENOSYS, ENOTSUP};
  calls.failing = _i % 2 ? 'd' : 'f';
  calls.reason = reason[_i / 2];
  ck_succeeds(save(path_of("x"), "new", &err));
  ck_holds(path_of("x"), "new!");
}
END_TEST

START_TEST(calls_that_are_interrupted_or_do_a_part_are_gone_on_with) {
  calls.interrupted = true;
  ck_succeeds(save(path_of("x"), "a text of some length", &err));
  calls.interrupted = false;
  ck_holds(path_of("x"), "a text of some length!");
  ck_assert_str_eq(calls.synced, "fd");
}
END_TEST

static bnn_status write_npy(const char *path, bnn_tensor *x, bnn_err *err) {
  return bnn_npy_write(path, x, err);
}

static bnn_status write_npz(const char *path, bnn_tensor *x, bnn_err *err) {
  static const char *const name[] = {"x"};
  return bnn_npz_write(path, 1, name, &x, true, err);
}

/* Formats take the same way: whatever byte the disk ends at, the old file stays and nothing else. */
START_TEST(a_full_disk_leaves_the_old_file) {
  bnn_status (*const format[])(const char *, bnn_tensor *, bnn_err *) = {write_npy, write_npz};
  bnn_tensor *x = tensor_of(BNN_F64, DIMS(3, 5), NULL);
  ck_succeeds(save(path_of("x"), "old", &err));
  bnn_status status = BNN_EIO;
  int failed = 0;
  for (long room = 0; status != BNN_OK; room += 13, failed++) {
    bnn_err err = {.text = ""};
    calls.room = room;
    status = format[_i && bnn_npz_version()](path_of("x"), x, &err);
    calls.room = -1;
    if (status == BNN_OK) break;
    ck_status("write", status, &err, BNN_EIO, "x: No space left on device");
    ck_holds(path_of("x"), "old!");
    ck_assert_int_eq(files_in_folder(), 1);
  }
  ck_assert_int_gt(failed, 10);
  ck_assert_int_eq(files_in_folder(), 1);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(an_archive_is_synced_as_other_files_are) {
  if (!bnn_npz_version()) return;
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(3), NULL);
  calls.interrupted = true;
  ck_succeeds(write_npz(path_of("x"), x, &err));
  calls.interrupted = false;
  ck_assert_str_eq(calls.synced, "fd");
  bnn_npz *z;
  ck_succeeds(bnn_npz_read(&z, path_of("x"), NULL, 0, &err));
  ck_tensor(z->x[0], BNN_F32, DIMS(3), VALUES(0, 1, 2));
  bnn_npz_free(z);
  calls.failing = 'f';
  calls.reason = EIO;
  ck_refuses(write_npz(path_of("y"), x, &err), BNN_EIO, "y: Input/output error");
  ck_assert_int_eq(files_in_folder(), 1);
  bnn_tensor_unref(x);
}
END_TEST

/* ---- links ---- */

START_TEST(a_link_stays_and_its_target_is_replaced) {
  ck_succeeds(save(path_of("x"), "old", &err));
  link_to("x", "relative");
  link_to(path_of("relative"), "absolute");
  ck_succeeds(save(path_of("absolute"), "new", &err));
  ck_is_link("relative");
  ck_is_link("absolute");
  ck_holds(path_of("x"), "new!");
  ck_assert_int_eq(files_in_folder(), 3);
}
END_TEST

START_TEST(a_link_into_another_folder_is_replaced_there) {
  char sub[300], inner[320];
  strcpy(sub, path_of("sub"));
  ck_assert_int_eq(mkdir(sub, 0777), 0);
  link_to("../x", "sub/up"); /* relative to the link's own folder */
  snprintf(inner, sizeof inner, "%s/up", sub);
  ck_succeeds(save(inner, "new", &err));
  ck_holds(path_of("x"), "new!");
  ck_assert_int_eq(unlink(inner), 0);
  ck_assert_int_eq(rmdir(sub), 0); /* no other file was made in it */
}
END_TEST

START_TEST(a_dangling_link_gets_its_target) {
  link_to("x", "link");
  ck_succeeds(save(path_of("link"), "new", &err));
  ck_is_link("link");
  ck_holds(path_of("x"), "new!");
  link_to("no/x", "lost");
  ck_refuses(save(path_of("lost"), "new", &err), BNN_EIO, "lost: No such file or directory");
  link_to("round", "round");
  ck_refuses(save(path_of("round"), "new", &err), BNN_EIO, "round: Too many levels of symbolic");
  ck_assert_int_eq(files_in_folder(), 4);
}
END_TEST

START_TEST(a_file_may_be_written_over_itself_while_it_is_mapped) {
  bnn_tensor *x, *y, *mapped;
  x = tensor_of(BNN_F64, DIMS(1000), NULL);
  ck_succeeds(bnn_npy_write(path_of("x.npy"), x, &err));
  link_to("x.npy", "link.npy");
  ck_succeeds(bnn_npy_map(&mapped, path_of("x.npy"), &err));
  ck_succeeds(bnn_npy_write(path_of("link.npy"), mapped, &err));
  ck_tensor(mapped, BNN_F64, DIMS(1000), NULL);
  ck_succeeds(bnn_npy_read(&y, path_of("x.npy"), &err));
  for (size_t i = 0; i < 1000; i++) {
    ck_assert(bnn_tensor_get(y, i) == bnn_tensor_get(x, i));
    ck_assert(bnn_tensor_get(mapped, i) == bnn_tensor_get(x, i));
  }
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
  bnn_tensor_unref(mapped);
}
END_TEST

/* ---- permissions ---- */

START_TEST(a_new_file_follows_the_umask_and_a_replaced_one_keeps_its_mode) {
  umask(027);
  ck_succeeds(save(path_of("x"), "new", &err));
  ck_assert_uint_eq(mode_of("x"), 0640);
  ck_assert_int_eq(chmod(path_of("x"), 0604), 0);
  ck_succeeds(save(path_of("x"), "newer", &err));
  ck_assert_uint_eq(mode_of("x"), 0604);
}
END_TEST

START_TEST(a_replaced_file_keeps_its_owner) {
  struct stat about;
  if (geteuid() != 0) return; /* only root can give a file away */
  ck_succeeds(save(path_of("x"), "old", &err));
  ck_assert_int_eq(chown(path_of("x"), 12345, 23456), 0);
  ck_succeeds(save(path_of("x"), "new", &err));
  ck_assert_int_eq(stat(path_of("x"), &about), 0);
  ck_assert_uint_eq(about.st_uid, 12345);
  ck_assert_uint_eq(about.st_gid, 23456);
}
END_TEST

START_TEST(a_file_that_may_not_be_written_is_refused) {
  ck_succeeds(save(path_of("x"), "old", &err));
  ck_assert_int_eq(chmod(path_of("x"), 0444), 0);
  ck_assert_int_eq(chmod(folder, 0777), 0);
  bool is_root = geteuid() == 0;
  if (is_root) ck_assert_int_eq(seteuid(12345), 0);
  ck_refuses(save(path_of("x"), "new", &err), BNN_EIO, "x: Permission denied");
  if (is_root) ck_assert_int_eq(seteuid(0), 0);
  ck_holds(path_of("x"), "old!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

/* ---- what is no regular file ---- */

static void *read_pipe(void *text) {
  FILE *pipe = fopen(path_of("pipe"), "rb");
  size_t n = fread(text, 1, 99, pipe);
  ((char *)text)[n] = 0;
  fclose(pipe);
  return NULL;
}

START_TEST(a_pipe_gets_the_bytes_and_stays_a_pipe) {
  char text[100];
  pthread_t reader;
  struct stat about;
  ck_assert_int_eq(mkfifo(path_of("pipe"), 0666), 0);
  ck_assert_int_eq(pthread_create(&reader, NULL, read_pipe, text), 0);
  ck_succeeds(save(path_of("pipe"), "through", &err));
  ck_assert_int_eq(pthread_join(reader, NULL), 0);
  ck_assert_str_eq(text, "through!");
  ck_assert_int_eq(stat(path_of("pipe"), &about), 0);
  ck_assert(S_ISFIFO(about.st_mode));
}
END_TEST

START_TEST(devices_and_folders_stay_what_they_are) {
  ck_succeeds(save("/dev/null", "new", &err));
  link_to("/dev/null", "null");
  ck_succeeds(save(path_of("null"), "new", &err));
  ck_is_link("null");
  ck_refuses(save(folder, "new", &err), BNN_EIO, "Is a directory");
  ck_refuses(save(path_of("no/x"), "new", &err), BNN_EIO, "no/x: No such file");
  ck_refuses(save("", "new", &err), BNN_EIO, "No such file");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

/* What another descriptor has open as a file is written there, not put in its place. */
START_TEST(a_link_of_proc_is_written_in_place) {
  char name[40];
  int fd = open(path_of("x"), O_RDWR | O_CREAT, 0666);
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  if (access(name, F_OK) == 0) {
    ck_succeeds(save(name, "new", &err));
    char text[8] = "";
    ck_assert_int_eq((int)pread(fd, text, sizeof text - 1, 0), 4);
    ck_assert_str_eq(text, "new!");
  }
  close(fd);
}
END_TEST

/* ---- names that one writer gets ---- */

static bnn_status save_once(const char *text, bool *won, bnn_err *err) {
  const bnn_save_part spans[] = {{text, strlen(text)}, {"!", 1}};
  return bnn_save_once(won, path_of("x"), spans, 2, err);
}

START_TEST(of_two_writers_of_a_name_the_first_wins) {
  bool won = false;
  ck_succeeds(save_once("first", &won, &err));
  ck_assert(won);
  ck_assert_str_eq(calls.synced, "fd");
  ck_succeeds(save_once("second", &won, &err));
  ck_assert(!won);
  ck_holds(path_of("x"), "first!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(of_many_at_a_time_one_wins) {
  enum { N = 8 };
  pid_t writer[N];
  for (int i = 0; i < N; i++) {
    writer[i] = fork();
    ck_assert_int_ge(writer[i], 0);
    if (writer[i] != 0) continue;
    bool won = false;
    bnn_status status = save_once((char[]){(char)('a' + i), 0}, &won, NULL);
    _exit(status == BNN_OK ? won : 2);
  }
  int winners = 0;
  char wanted[] = "?!";
  for (int i = 0; i < N; i++) {
    int status;
    ck_assert_int_eq(waitpid(writer[i], &status, 0), writer[i]);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    if (WEXITSTATUS(status) == 1) winners++, wanted[0] = (char)('a' + i);
  }
  ck_assert_int_eq(winners, 1);
  ck_holds(path_of("x"), wanted);
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_name_that_another_user_has_is_lost_and_no_error) {
  bool won = true, is_root = geteuid() == 0;
  ck_succeeds(save(path_of("x"), "theirs", &err));
  ck_assert_int_eq(chmod(path_of("x"), 0444), 0);
  ck_assert_int_eq(chmod(folder, 0777), 0);
  if (is_root) ck_assert_int_eq(seteuid(12345), 0);
  ck_succeeds(save_once("mine", &won, &err));
  if (is_root) ck_assert_int_eq(seteuid(0), 0);
  ck_assert(!won);
  ck_holds(path_of("x"), "theirs!");
}
END_TEST

/* The link was made and the reply lost: the system asked again, and was told that it is there. */
START_TEST(a_link_whose_reply_was_lost_is_told_from_one_of_others) {
  static const int reply[] = {EEXIST, EIO};
  bool won = false;
  calls.link_reply = reply[_i];
  ck_succeeds(save_once("first", &won, &err));
  ck_assert(won);
  ck_holds(path_of("x"), "first!");
  ck_assert_int_eq(files_in_folder(), 1);
  calls.link_lost = true;
  ck_assert_int_eq(unlink(path_of("x")), 0);
  if (reply[_i] == EEXIST) {
    ck_succeeds(save_once("second", &won, &err));
    ck_assert(!won);
  } else {
    ck_refuses(save_once("second", &won, &err), BNN_EIO, "x: Input/output error");
  }
  ck_assert_int_eq(files_in_folder(), 0);
}
END_TEST

START_TEST(what_cannot_be_written_whole_gets_no_name) {
  bool won = true;
  calls.room = 2;
  ck_refuses(save_once("first", &won, &err), BNN_EIO, "x: No space left on device");
  calls.room = -1;
  calls.failing = 'f';
  calls.reason = EIO;
  ck_refuses(save_once("first", &won, &err), BNN_EIO, "x: Input/output error");
  ck_assert(won); /* as on any failure */
  ck_assert_int_eq(files_in_folder(), 0);
}
END_TEST

/* ---- in steps ---- */

START_TEST(a_file_is_written_in_any_order_of_steps) {
  bnn_saving *s;
  bool to_pipe = _i;
  char text[100];
  pthread_t reader;
  if (to_pipe) {
    ck_assert_int_eq(mkfifo(path_of("pipe"), 0666), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_pipe, text), 0);
  }
  ck_succeeds(bnn_save_begin(&s, path_of(to_pipe ? "pipe" : "x"), &err));
  ck_assert_int_eq(bnn_save_temporary(s) == NULL, to_pipe);
  ck_succeeds(bnn_save_write(s, "0123456789", 10, &err));
  ck_succeeds(bnn_save_seek(s, 3, &err));
  ck_succeeds(bnn_save_write(s, "abc", 3, &err));
  ck_succeeds(bnn_save_seek(s, 8, &err));
  ck_succeeds(bnn_save_write(s, "wxyz", 4, &err));
  ck_refuses(bnn_save_seek(s, 13, &err), BNN_ERANGE, "position 13 of 12 bytes");
  ck_succeeds(bnn_save_commit(s, &err));
  if (to_pipe) {
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    ck_assert_str_eq(text, "012abc67wxyz");
  } else {
    ck_holds(path_of("x"), "012abc67wxyz");
  }
}
END_TEST

START_TEST(what_is_aborted_leaves_the_old_file) {
  bnn_saving *s;
  ck_succeeds(save(path_of("x"), "old", &err));
  ck_succeeds(bnn_save_begin(&s, path_of("x"), &err));
  ck_succeeds(bnn_save_write(s, "new", 3, &err));
  ck_assert_int_eq(files_in_folder(), 2);
  bnn_save_abort(s);
  bnn_save_abort(NULL);
  ck_holds(path_of("x"), "old!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(a_name_of_any_length_can_be_written) {
  char name[256];
  memset(name, 'n', 255);
  name[255] = 0;
  ck_succeeds(save(path_of(name), "new", &err));
  ck_holds(path_of(name), "new!");
  ck_assert_int_eq(files_in_folder(), 1);
}
END_TEST

/* ---- what was left behind ---- */

START_TEST(only_old_temporary_files_are_swept) {
  static const struct {
    const char *name;
    bool old, stays;
  } row[] = {
      {"a.npy.12-0af.part", true, false},
      {"b.npy.12-0af.part", false, true},
      {"c.npy", true, true},
      {"d.part", true, true},
      {"e.npy.12-.part", true, true},
      {"f.npy.x-1.part", true, true},
  };
  enum { ROWS = sizeof row / sizeof *row };
  struct timeval old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
  for (size_t i = 0; i < ROWS; i++) {
    ck_succeeds(save(path_of(row[i].name), "x", &err));
    if (row[i].old) ck_assert_int_eq(utimes(path_of(row[i].name), old), 0);
  }
  bnn_save_sweep(folder);
  for (size_t i = 0; i < ROWS; i++)
    ck_assert_int_eq(access(path_of(row[i].name), F_OK) == 0, row[i].stays);
  bnn_save_sweep(path_of("absent"));
}
END_TEST

/* What bnn_save_begin calls a temporary file is what bnn_save_sweep takes for one. */
START_TEST(a_writer_that_was_killed_is_swept_up_after) {
  bnn_saving *s;
  struct timeval old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
  ck_succeeds(bnn_save_begin(&s, path_of("x"), &err));
  ck_assert_int_eq(utimes(bnn_save_temporary(s), old), 0);
  bnn_save_sweep(folder);
  ck_assert_int_eq(files_in_folder(), 0);
  bnn_save_abort(s);
}
END_TEST

static bnn_status save_one(void *path, bnn_err *err) { return save(path, "new", err); }

START_TEST(every_allocation_may_fail) {
  char path[300];
  strcpy(path, path_of("x"));
  ck_survives_failing_allocations(save_one, path);
  char null[] = "/dev/null";
  ck_survives_failing_allocations(save_one, null);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, the_file_is_synced_and_then_its_folder);
  tcase_add_test(tests, a_bare_name_lies_in_the_current_folder);
  tcase_add_test(tests, what_is_not_on_the_disk_does_not_replace_the_old);
  tcase_add_test(tests, a_folder_that_cannot_be_synced_is_an_error_that_says_what_stands);
  tcase_add_loop_test(tests, a_file_system_that_cannot_sync_is_no_error, 0, 8);
  tcase_add_test(tests, calls_that_are_interrupted_or_do_a_part_are_gone_on_with);
  tcase_add_loop_test(tests, a_full_disk_leaves_the_old_file, 0, 2);
  tcase_add_test(tests, an_archive_is_synced_as_other_files_are);
  tcase_add_test(tests, a_link_stays_and_its_target_is_replaced);
  tcase_add_test(tests, a_link_into_another_folder_is_replaced_there);
  tcase_add_test(tests, a_dangling_link_gets_its_target);
  tcase_add_test(tests, a_file_may_be_written_over_itself_while_it_is_mapped);
  tcase_add_test(tests, a_new_file_follows_the_umask_and_a_replaced_one_keeps_its_mode);
  tcase_add_test(tests, a_replaced_file_keeps_its_owner);
  tcase_add_test(tests, a_file_that_may_not_be_written_is_refused);
  tcase_add_test(tests, a_pipe_gets_the_bytes_and_stays_a_pipe);
  tcase_add_test(tests, devices_and_folders_stay_what_they_are);
  tcase_add_test(tests, a_link_of_proc_is_written_in_place);
  tcase_add_test(tests, of_two_writers_of_a_name_the_first_wins);
  tcase_add_test(tests, of_many_at_a_time_one_wins);
  tcase_add_test(tests, a_name_that_another_user_has_is_lost_and_no_error);
  tcase_add_loop_test(tests, a_link_whose_reply_was_lost_is_told_from_one_of_others, 0, 2);
  tcase_add_test(tests, what_cannot_be_written_whole_gets_no_name);
  tcase_add_loop_test(tests, a_file_is_written_in_any_order_of_steps, 0, 2);
  tcase_add_test(tests, what_is_aborted_leaves_the_old_file);
  tcase_add_test(tests, a_name_of_any_length_can_be_written);
  tcase_add_test(tests, only_old_temporary_files_are_swept);
  tcase_add_test(tests, a_writer_that_was_killed_is_swept_up_after);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("save", add_tests); }
