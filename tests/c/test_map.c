/* test_map.c - tensors over mapped files. */
#include "map.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idx.h"
#include "npy.h"
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
  ck_refuses(bnn_npy_map(&x, folder, &err), BNN_EIO, "is no regular file");
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
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("map", add_tests); }
