/* test_npz.c - .npz archives: written and read back, and each way in which one can be wrong. */
#include "formats/npz.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz_npz.c"
#include "support_files.h"

#ifdef BNN_HAVE_LIBZIP

/* Archives that Python's zipfile made, each wrong in its own way. */
static const struct {
  const char *file, *words;
} bad_row[] = {
    {"bad_name_control", "digits: Zip archive inconsistent"},
    {"bad_name_txt", "digits: a.txt: not an array, which would end in .npy"},
    {"bad_name_dir", "digits: a/: not an array"},
    {"bad_name_bare", "digits: .npy: not an array"},
    {"bad_text_only",
     "digits: names.npy: expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '<U3', text"},
    {"bad_twice", "digits: a.npy: is there twice"},
    {"bad_bzip2", "digits: a.npy: expected compression method 0 (stored) or 8 (deflate), got 12"},
    {"bad_pickle",
     "digits: a.npy: expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '|O', Python objects (pickle)"},
    {"bad_empty", "digits: holds no arrays"},
    {"bad_behind", "digits: a.npy: bytes follow the array"},
    {"bad_short", "digits: a.npy: ends after 2 of the 3 bytes that [3] of u1 takes"},
    {"bad_crc", "digits: a.npy: CRC error"},
    {"bad_deflate", "digits: a.npy: "},
    {"bad_encrypted", "digits: a.npy: is encrypted"},
    {"bad_claim", "digits: a.npy: 4294967280 bytes cannot come from "},
    {"bad_claim_stored", "digits: a.npy: its 2147483632 bytes are more than the archive has left"},
    {"bad_overlap", "bytes are more than the archive has left"},
    {"bad_cut", "digits: "},
    {"bad_no_zip", "digits: Not a zip archive"},
    {"bad_nothing", "digits: "},
};
enum { BAD_COUNT = sizeof bad_row / sizeof *bad_row };

START_TEST(what_is_wrong_with_an_archive_is_said) {
  char path[100];
  bnn_npz *z = NULL;
  snprintf(path, sizeof path, "tests/corpus/npz/%s", bad_row[_i].file);
  bytes b = bytes_of_file(path);
  ck_refuses(bnn_npz_parse(&z, b.p, b.n, "digits", NULL, 0, &err), BNN_EDATA, bad_row[_i].words);
  ck_refuses(bnn_npz_read(&z, path, NULL, 0, &err), BNN_EDATA, path);
  ck_assert_int_eq(bnn_npz_read(&z, path, NULL, 0, NULL), BNN_EDATA);
  ck_assert_ptr_null(z);
  free(b.p);
}
END_TEST

START_TEST(what_numpy_wrote_is_read) {
  static const char *file[] = {"tests/corpus/npz/good_stored", "tests/corpus/npz/good_deflated"};
  bnn_npz *z;
  ck_succeeds(bnn_npz_read(&z, file[_i], NULL, 0, &err));
  ck_assert_uint_eq(z->n, 2);
  ck_assert_str_eq(z->name[0], "a");
  ck_assert_str_eq(z->name[1], "b");
  ck_tensor(z->x[0], BNN_U8, DIMS(3), VALUES(0, 1, 2));
  ck_tensor(z->x[1], BNN_F64, DIMS(2, 2), VALUES(1, 1, 1, 1));
  bnn_npz_free(z);
}
END_TEST

START_TEST(names_may_have_folders_and_any_letters) {
  bnn_npz *z;
  ck_succeeds(bnn_npz_read(&z, "tests/corpus/npz/good_folder_name", NULL, 0, &err));
  ck_assert_str_eq(z->name[0], "a/b");
  bnn_npz_free(z);
  ck_succeeds(bnn_npz_read(&z, "tests/corpus/npz/good_utf8_name", NULL, 0, &err));
  ck_assert_str_eq(z->name[0], "\xc3\xa4\xc3\x9f");
  bnn_npz_free(z);
}
END_TEST

static const struct {
  const char *file, *name;
  size_t n_skipped;
  const char *skipped, *why;
} mixed_row[] = {
    {"good_text_beside", "a", 1, "names.npy", "got '<U3', text"},
    {"good_readme", "a", 2, "README.md", "not an array, which would end in .npy"},
    {"good_folder_entry", "g/a", 1, "g/", "not an array"},
    {"good_no_name_beside", "a", 1, ".npy", "not an array"},
    {"good_name_colon", "dense/kernel:0", 0, NULL, NULL},
    {"good_name_up", "../a", 0, NULL, NULL},
    {"good_name_root", "/a", 0, NULL, NULL},
    {"good_name_middle", "a/../../b", 0, NULL, NULL},
    {"good_name_backslash", "..\\a", 0, NULL, NULL},
    {"good_name_drive", "c:a", 0, NULL, NULL},
};
enum { MIXED_COUNT = sizeof mixed_row / sizeof *mixed_row };

START_TEST(arrays_are_read_whatever_lies_beside_them_and_whatever_their_names) {
  char path[100];
  bnn_npz *z;
  snprintf(path, sizeof path, "tests/corpus/npz/%s", mixed_row[_i].file);
  ck_succeeds(bnn_npz_read(&z, path, NULL, 0, &err));
  ck_assert_uint_eq(z->n, 1);
  ck_assert_str_eq(z->name[0], mixed_row[_i].name);
  ck_tensor(z->x[0], BNN_U8, DIMS(3), VALUES(0, 1, 2));
  ck_assert_uint_eq(z->n_skipped, mixed_row[_i].n_skipped);
  if (z->n_skipped) {
    ck_assert_str_eq(z->skipped[0].name, mixed_row[_i].skipped);
    ck_assert_ptr_nonnull(strstr(z->skipped[0].why, mixed_row[_i].why));
  }
  bnn_npz_free(z);
}
END_TEST

START_TEST(arrays_that_are_asked_for_are_read_alone_or_missed_by_name) {
  static const char stored[] = "tests/corpus/npz/good_stored";
  static const char text[] = "tests/corpus/npz/good_text_beside";
  const char *b[] = {"b"}, *text_array[] = {"a", "names"}, *missing[] = {"a", "y"};
  bnn_npz *z = NULL;
  ck_succeeds(bnn_npz_read(&z, stored, b, 1, &err));
  ck_assert_uint_eq(z->n, 1);
  ck_assert_str_eq(z->name[0], "b");
  bnn_npz_free(z);
  z = NULL;
  ck_refuses(bnn_npz_read(&z, text, text_array, 2, &err), BNN_EDATA,
             "array 'names': expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '<U3', text");
  ck_refuses(bnn_npz_read(&z, stored, missing, 2, &err), BNN_EDATA, "has no array 'y'");
  ck_assert_ptr_null(z);
}
END_TEST

static const char *const names[] = {"x_train", "y", "layer/w"};

static void make_three(bnn_tensor *x[3]) {
  bnn_tensor *wide = tensor_of(BNN_F32, DIMS(2, 3), NULL);
  x[0] = tensor_of(BNN_U8, DIMS(100, 100), NULL);
  x[1] = tensor_of(BNN_I64, SCALAR, VALUES(-5));
  ck_succeeds(bnn_tensor_permute(&x[2], wide, (const int[]){1, 0}, &err));
  bnn_tensor_unref(wide);
}

static void free_three(bnn_tensor *x[3]) {
  for (int k = 0; k < 3; k++) bnn_tensor_unref(x[k]);
}

START_TEST(what_is_written_is_read_back) {
  bnn_tensor *x[3];
  bnn_npz *z;
  size_t size[2];
  make_three(x);
  for (int compressed = 0; compressed < 2; compressed++) {
    ck_succeeds(bnn_npz_write(path_of("x.npz"), 3, names, x, compressed, &err));
    ck_succeeds(bnn_npz_read(&z, path_of("x.npz"), NULL, 0, &err));
    ck_assert_uint_eq(z->n, 3);
    for (int k = 0; k < 3; k++) ck_assert_str_eq(z->name[k], names[k]);
    ck_tensor(z->x[0], BNN_U8, DIMS(100, 100), NULL);
    ck_assert(bnn_tensor_get(z->x[0], 255) == 255);
    ck_tensor(z->x[1], BNN_I64, SCALAR, VALUES(-5));
    ck_tensor(z->x[2], BNN_F32, DIMS(3, 2), VALUES(0, 3, 1, 4, 2, 5));
    bnn_npz_free(z);
    bytes b = bytes_of_file(path_of("x.npz"));
    size[compressed] = b.n;
    free(b.p);
  }
  ck_assert_uint_lt(size[1], size[0] / 2);
  ck_assert_int_eq(files_in_folder(), 1);
  free_three(x);
}
END_TEST

START_TEST(the_same_tensors_give_the_same_bytes) {
  bnn_tensor *x[3];
  make_three(x);
  ck_succeeds(bnn_npz_write(path_of("a.npz"), 3, names, x, true, &err));
  sleep(2); /* ZIP counts time in steps of two seconds */
  ck_succeeds(bnn_npz_write(path_of("b.npz"), 3, names, x, true, &err));
  bytes a = bytes_of_file(path_of("a.npz")), b = bytes_of_file(path_of("b.npz"));
  ck_assert(a.n == b.n && memcmp(a.p, b.p, a.n) == 0);
  free(a.p);
  free(b.p);
  free_three(x);
}
END_TEST

START_TEST(names_that_will_not_do_are_not_written) {
  static const struct {
    const char *name, *words;
  } row[] = {{"", "the name '' is empty"},
             {"../x", "the name '../x' leads out of a folder"},
             {"a/../../x", "leads out of a folder"},
             {"a\nb", "the name 'a?b' holds a control character"},
             {"y", "the name 'y' is there twice"}};
  bnn_tensor *x[3];
  make_three(x);
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    const char *const bad[] = {"x", "y", row[k].name};
    ck_refuses(bnn_npz_write(path_of("x.npz"), 3, bad, x, false, &err), BNN_ERANGE, row[k].words);
  }
  ck_refuses(bnn_npz_write(path_of("x.npz"), 0, NULL, NULL, false, &err), BNN_ERANGE,
             "x.npz: no arrays to write");
  ck_assert_int_eq(files_in_folder(), 0);
  free_three(x);
}
END_TEST

START_TEST(what_can_not_be_opened_is_refused_with_a_word) {
  bnn_npz *z = NULL;
  bnn_tensor *x[3];
  make_three(x);
  ck_refuses(bnn_npz_read(&z, path_of("nothing"), NULL, 0, &err), BNN_EIO, "nothing: No such file");
  ck_refuses(bnn_npz_write(path_of("no/x.npz"), 3, names, x, false, &err), BNN_EIO, "no/x.npz: ");
  ck_assert_ptr_null(z);
  free_three(x);
}
END_TEST

START_TEST(a_good_archive_may_be_cut_and_changed_anywhere) {
  static const char *file[] = {"tests/corpus/npz/good_stored", "tests/corpus/npz/good_deflated"};
  replay_damaged(bytes_of_file(file[_i]), LLVMFuzzerTestOneInput);
}
END_TEST

START_TEST(the_corpus_replays) {
  ck_assert_int_gt(replay("tests/corpus/npz", LLVMFuzzerTestOneInput), 20);
}
END_TEST

static bnn_status read_and_drop(void *path, bnn_err *err) {
  bnn_npz *z;
  BNN_TRY(bnn_npz_read(&z, path, NULL, 0, err));
  bnn_npz_free(z);
  return BNN_OK;
}

static bnn_status write_three(void *x, bnn_err *err) {
  return bnn_npz_write(path_of("x.npz"), 3, names, x, true, err);
}

START_TEST(every_allocation_may_fail) {
  char text[] = "tests/corpus/npz/good_text_beside";
  char stored[] = "tests/corpus/npz/good_stored", deflated[] = "tests/corpus/npz/good_deflated";
  bnn_tensor *x[3];
  ck_survives_failing_allocations(read_and_drop, stored);
  ck_survives_failing_allocations(read_and_drop, deflated);
  ck_survives_failing_allocations(read_and_drop, text);
  make_three(x);
  ck_survives_failing_allocations(write_three, x);
  free_three(x);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, make_folder, remove_folder);
  tcase_add_loop_test(tests, what_is_wrong_with_an_archive_is_said, 0, BAD_COUNT);
  tcase_add_loop_test(tests, what_numpy_wrote_is_read, 0, 2);
  tcase_add_test(tests, names_may_have_folders_and_any_letters);
  tcase_add_loop_test(tests, arrays_are_read_whatever_lies_beside_them_and_whatever_their_names, 0,
                      MIXED_COUNT);
  tcase_add_test(tests, arrays_that_are_asked_for_are_read_alone_or_missed_by_name);
  tcase_add_test(tests, what_is_written_is_read_back);
  tcase_add_test(tests, the_same_tensors_give_the_same_bytes);
  tcase_add_test(tests, names_that_will_not_do_are_not_written);
  tcase_add_test(tests, what_can_not_be_opened_is_refused_with_a_word);
  tcase_add_loop_test(tests, a_good_archive_may_be_cut_and_changed_anywhere, 0, 2);
  tcase_add_test(tests, the_corpus_replays);
  tcase_add_test(tests, every_allocation_may_fail);
}

#else

START_TEST(a_build_without_libzip_says_so) {
  bnn_npz *z = NULL;
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(1), NULL);
  const char *name = "x";
  ck_refuses(bnn_npz_read(&z, "x.npz", NULL, 0, &err), BNN_EIO,
             "x.npz: this program was built without");
  ck_refuses(bnn_npz_parse(&z, "", 0, "x", NULL, 0, &err), BNN_EIO,
             "x: this program was built without");
  ck_refuses(bnn_npz_write("x.npz", 1, &name, &x, true, &err), BNN_EIO, "libzip, which .npz needs");
  ck_assert_ptr_null(bnn_npz_version());
  ck_assert_int_eq(replay("tests/corpus/npz", LLVMFuzzerTestOneInput) > 0, 1);
  bnn_npz_free(z);
  bnn_tensor_unref(x);
}
END_TEST

static void add_tests(TCase *tests) { tcase_add_test(tests, a_build_without_libzip_says_so); }

#endif

int main(void) { return run_suite("npz", add_tests); }
