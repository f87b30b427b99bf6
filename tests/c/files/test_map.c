/* test_map.c - tensors over mapped files, also over those that change meanwhile. */
#include "files/map.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "files/save.h"
#include "formats/idx.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "support_files.h"

#define IDX "\0\0\10\2\0\0\0\2\0\0\0\3\0\1\2\3\4\5"

/* An .npy file of n zeros of u8 that take no room; NULL when the file system refuses it. */
static const char *sparse_npy(size_t n) {
  char header[BNN_NPY_HEADER];
  bnn_tensor like;
  bnn_tensor_init(&like, BNN_U8, 1, &n, NULL);
  size_t length = bnn_npy_header(header, &like);
  const char *path = file_of(0, bytes_of(header, length));
  return truncate(path, (off_t)(length + n)) == 0 ? path : NULL;
}

START_TEST(a_mapped_tensor_has_the_files_elements) {
  bnn_tensor *x, *y, *z;
  ck_succeeds(bnn_idx_map(&x, file_of(0, BYTES(IDX)), &err));
  ck_tensor(x, BNN_U8, DIMS(2, 3), VALUES(0, 1, 2, 3, 4, 5));
  static const bnn_dtype dtype[] = {BNN_U8, BNN_I32, BNN_I64, BNN_U64, BNN_F32, BNN_F64};
  for (size_t k = 0; k < sizeof dtype / sizeof *dtype; k++) {
    y = tensor_of(dtype[k], DIMS(3, 2), NULL);
    ck_succeeds(bnn_npy_write(path_of("y.npy"), y, &err));
    bnn_tensor_unref(y);
    ck_succeeds(bnn_npy_map(&z, path_of("y.npy"), &err));
    ck_tensor(z, dtype[k], DIMS(3, 2), VALUES(0, 1, 2, 3, 4, 5));
    bnn_tensor_unref(z);
  }
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(views_keep_the_mapping_and_writes_stay_out_of_the_file) {
  const char *path = file_of(0, BYTES(IDX));
  bnn_tensor *x, *row, *again;
  ck_succeeds(bnn_idx_map(&x, path, &err));
  ck_succeeds(bnn_tensor_select(&row, x, 0, 1, &err));
  bnn_tensor_unref(x);
  bnn_tensor_set(row, 0, 77);
  ck_succeeds(bnn_idx_read(&again, path, &err));
  ck_tensor(again, BNN_U8, DIMS(2, 3), VALUES(0, 1, 2, 3, 4, 5));
  unlink(path);
  ck_tensor(row, BNN_U8, DIMS(3), VALUES(77, 4, 5));
  bnn_tensor_unref(row);
  bnn_tensor_unref(again);
}
END_TEST

/* 1 TiB, of which only the pages that are touched are there; a file system may refuse the file. */
START_TEST(a_file_may_be_larger_than_memory) {
  size_t n = (size_t)1 << 40;
  const char *path = sparse_npy(n);
  if (!path) return;
  bnn_tensor *x;
  ck_succeeds(bnn_npy_map(&x, path, &err));
  ck_assert(bnn_tensor_get(x, n - 1) == 0);
  ck_assert_uint_lt(bnn_mem_bytes(), 10000);
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(what_can_not_be_mapped_is_refused) {
  bnn_tensor *x = NULL;
  ck_refuses(bnn_idx_map(&x, path_of("no"), &err), BNN_EIO, "no: No such file or directory");
  ck_refuses(bnn_npy_map(&x, folder, &err), BNN_EIO, "is not a regular file");
  ck_refuses(bnn_npy_map(&x, file_of(0, BYTES("")), &err), BNN_EDATA, "holds no data");
  ck_refuses(bnn_idx_map(&x, file_of(0, gzipped(BYTES(IDX))), &err), BNN_EDATA,
             "is compressed, only a plain file can be mapped");
  ck_refuses(bnn_idx_map(&x, file_of(0, BYTES(IDX "a")), &err), BNN_EDATA,
             "has 7 bytes of elements, [2, 3] of u8 takes 6");
  ck_refuses(bnn_idx_map(&x, file_of(0, BYTES("\0\0\10\1\0\0\0\3a")), &err), BNN_EDATA,
             "has 1 bytes of elements");
  ck_refuses(bnn_idx_map(&x, file_of(0, BYTES("\0\0\14\1\0\0\0\1abcd")), &err), BNN_EDATA,
             "only read: it holds i32, not u8");
  ck_refuses(bnn_idx_map(&x, file_of(0, BYTES("\0\0\10\1\0\0")), &err), BNN_EDATA, "ends after");
  ck_assert_ptr_null(x);
}
END_TEST

static const struct {
  const char *header, *words;
} npy_row[] = {
    {"{'descr': '|i1', 'fortran_order': False, 'shape': (3,)}  ", "it has a type that must be"},
    {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}  ", "it has the other byte order"},
    {"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2)} ", "it has Fortran order"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}  ", "elements that are not aligned"},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}  ", "ends after 4 of the 5 bytes"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (5,)}   ", "Python objects"},
};

START_TEST(an_npy_file_that_needs_work_is_refused) {
  size_t n = strlen(npy_row[_i].header);
  unsigned char prefix[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)n};
  bytes b = joined(joined(bytes_of(prefix, 10), bytes_of(npy_row[_i].header, n)), BYTES("abcd"));
  bnn_tensor *x = NULL;
  ck_refuses(bnn_npy_map(&x, file_of(0, b), &err), BNN_EDATA, npy_row[_i].words);
  ck_assert_ptr_null(x);
}
END_TEST

/* ---- files that change ---- */

enum { MANY = 5000 }; /* doubles, of 40 kB: several pages on any machine but those with 64 kB */

/* A mapped file of 0, 1, 2, ...; its path is path_of("x.npy"). */
static bnn_tensor *map_many(void) {
  bnn_tensor *x = tensor_of(BNN_F64, DIMS(MANY), NULL), *mapped;
  ck_succeeds(bnn_npy_write(path_of("x.npy"), x, &err));
  ck_succeeds(bnn_npy_map(&mapped, path_of("x.npy"), &err));
  bnn_tensor_unref(x);
  ck_succeeds(bnn_map_check(mapped, &err));
  return mapped;
}

static void cut_file(void) { ck_assert_int_eq(truncate(path_of("x.npy"), 200), 0); }

static int alarms;
static void count_alarm(void) { alarms++; }

START_TEST(a_file_that_is_cut_short_is_told_and_kills_nobody) {
  bnn_tensor *x = map_many(), *half;
  ck_succeeds(bnn_tensor_narrow(&half, x, 0, MANY / 2, MANY / 2, &err));
  alarms = 0;
  bnn_map_on_cut(count_alarm);
  cut_file();
  ck_succeeds(bnn_map_cut(&err)); /* nobody has read from it yet */
  ck_refuses(bnn_map_check(x, &err), BNN_EDATA, "x.npy: has been changed since it was mapped");
  ck_refuses(bnn_map_check(half, &err), BNN_EDATA, "x.npy: has been changed since it was mapped");
  ck_assert(bnn_tensor_get(half, MANY / 2 - 1) == 0);
  ck_assert(bnn_map_is_cut());
  ck_assert_int_eq(alarms, 1);
  ck_refuses(bnn_map_cut(&err), BNN_EDATA, "x.npy: was cut short");
  bnn_map_forget_cut();
  ck_succeeds(bnn_map_cut(&err));
  ck_assert(bnn_tensor_get(half, MANY / 2 - 1) == 0); /* the zeros stay */
  ck_assert_int_eq(alarms, 1);
  bnn_map_on_cut(NULL);
  bnn_tensor_unref(half);
  bnn_tensor_unref(x);
}
END_TEST

static void read_last(void *x, size_t i) {
  (void)i;
  bnn_tensor_get(x, MANY - 1);
}

/* Whichever thread of a pool it is that touches the missing part. */
START_TEST(a_worker_may_touch_what_is_cut) {
  bnn_pool *pool;
  ck_succeeds(bnn_pool_new(&pool, 4, &err));
  for (int k = 0; k < 20; k++) {
    bnn_tensor *x = map_many();
    cut_file();
    bnn_pool_run(pool, read_last, x, 8);
    ck_refuses(bnn_map_cut(&err), BNN_EDATA, "x.npy: was cut short");
    bnn_map_forget_cut();
    bnn_tensor_unref(x);
  }
  bnn_pool_free(pool);
}
END_TEST

START_TEST(a_file_that_is_written_to_is_told) {
  for (int k = 0; k < 5; k++) { /* at once, so within one tick of the file system's clock */
    bnn_tensor *x = map_many();
    int fd = open(path_of("x.npy"), O_WRONLY);
    ck_assert_int_eq((int)pwrite(fd, "new", 3, 30000), 3);
    close(fd);
    ck_refuses(bnn_map_check(x, &err), BNN_EDATA, "x.npy: has been changed since it was mapped");
    bnn_tensor_unref(x);
  }
}
END_TEST

START_TEST(a_file_that_is_replaced_or_removed_stays) {
  bnn_tensor *x = map_many(), *y = tensor_of(BNN_U8, DIMS(3), NULL);
  ck_succeeds(bnn_npy_write(path_of("x.npy"), y, &err));
  ck_succeeds(bnn_map_check(x, &err));
  ck_succeeds(bnn_map_check(y, &err)); /* over no file at all */
  unlink(path_of("x.npy"));
  ck_succeeds(bnn_map_check(x, &err));
  ck_assert(bnn_tensor_get(x, MANY - 1) == MANY - 1);
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(tensors_of_a_mapped_archive_know_their_file) {
  static const char *const name[] = {"a", "b"};
  bnn_safetensors_options how = {.map = true};
  bnn_safetensors *f;
  if (!bnn_safetensors_version()) return;
  bnn_tensor *x[2] = {tensor_of(BNN_F64, DIMS(MANY), NULL), tensor_of(BNN_F64, DIMS(2), NULL)}, *y;
  ck_succeeds(bnn_safetensors_save(path_of("x"), 2, name, x, 0, NULL, true, &err));
  ck_succeeds(bnn_safetensors_open(&f, path_of("x"), &how, &err));
  ck_succeeds(bnn_safetensors_tensor(&y, f, bnn_safetensors_find(f, "a"), &err));
  bnn_safetensors_close(f);
  ck_succeeds(bnn_map_check(y, &err));
  ck_assert(bnn_tensor_get(y, MANY - 1) == MANY - 1);
  ck_assert_int_eq(truncate(path_of("x"), 100), 0);
  ck_refuses(bnn_map_check(y, &err), BNN_EDATA, "x: has been changed");
  for (int i = 0; i < 2; i++) bnn_tensor_unref(x[i]);
  bnn_tensor_unref(y);
}
END_TEST

/* Zeros for what is missing do not get into a file. */
START_TEST(what_is_cut_is_not_saved) {
  bnn_tensor *x = map_many(), *turned, *wide;
  ck_succeeds(bnn_tensor_view(&wide, x, 2, (size_t[]){2, MANY / 2}, &err));
  ck_succeeds(bnn_tensor_permute(&turned, wide, (int[]){1, 0}, &err));
  cut_file();
  ck_refuses(bnn_npy_write(path_of("y"), x, &err), BNN_EDATA, "a mapped file that was cut short");
  ck_refuses(bnn_npy_write(path_of("y"), turned, &err), BNN_EDATA, "x.npy: was cut short");
  bnn_map_forget_cut();
  ck_assert_int_eq(files_in_folder(), 1);
  bnn_tensor_unref(turned);
  bnn_tensor_unref(wide);
  bnn_tensor_unref(x);
}
END_TEST

/* In a process of its own: memory that is not ours is somebody else's to answer for. */
START_TEST(other_bus_errors_go_where_they_went) {
  for (int sent = 0; sent < 2; sent++) {
    int status = 0;
    bnn_tensor *x = map_many();
    pid_t child = fork();
    if (child == 0) {
      if (sent) raise(SIGBUS);
      int fd = open(path_of("other"), O_RDWR | O_CREAT, 0666);
      volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0); /* of an empty file */
      _exit(p[0]);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    bnn_tensor_unref(x);
  }
}
END_TEST

static bnn_status map_and_drop(void *path, bnn_err *err) {
  bnn_tensor *x;
  BNN_TRY(bnn_idx_map(&x, path, err));
  bnn_tensor_unref(x);
  return BNN_OK;
}

static bnn_status map_npy_and_drop(void *path, bnn_err *err) {
  bnn_tensor *x;
  BNN_TRY(bnn_npy_map(&x, path, err));
  bnn_tensor_unref(x);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) {
  char path[300];
  strcpy(path, file_of(0, BYTES(IDX)));
  ck_survives_failing_allocations(map_and_drop, path);
  strcpy(path, sparse_npy(1000));
  ck_survives_failing_allocations(map_npy_and_drop, path);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_test(tests, a_mapped_tensor_has_the_files_elements);
  tcase_add_test(tests, views_keep_the_mapping_and_writes_stay_out_of_the_file);
  tcase_add_test(tests, a_file_may_be_larger_than_memory);
  tcase_add_test(tests, what_can_not_be_mapped_is_refused);
  tcase_add_loop_test(tests, an_npy_file_that_needs_work_is_refused, 0,
                      sizeof npy_row / sizeof *npy_row);
  tcase_add_test(tests, a_file_that_is_cut_short_is_told_and_kills_nobody);
  tcase_add_test(tests, a_worker_may_touch_what_is_cut);
  tcase_add_test(tests, a_file_that_is_written_to_is_told);
  tcase_add_test(tests, a_file_that_is_replaced_or_removed_stays);
  tcase_add_test(tests, tensors_of_a_mapped_archive_know_their_file);
  tcase_add_test(tests, what_is_cut_is_not_saved);
  tcase_add_test(tests, other_bus_errors_go_where_they_went);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("map", add_tests); }
