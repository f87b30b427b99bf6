/* test_mem.c - allocation: alignment, counters, sizes that overflow, failure on demand; and the
 * words of a status. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "support.h"

START_TEST(blocks_are_aligned_and_counted) {
  static const size_t count[] = {0, 1, 63, 64, 65, 4096, 1000003};
  size_t n = sizeof count / sizeof *count, total = 0;
  void *block[sizeof count / sizeof *count];
  for (size_t k = 0; k < n; k++) {
    block[k] = bnn_mem_alloc(count[k], 3);
    ck_assert_ptr_nonnull(block[k]);
    ck_assert_uint_eq((uintptr_t)block[k] % BNN_MEM_ALIGN, 0);
    memset(block[k], 0xff, 3 * count[k]);
    total += 3 * count[k];
    ck_assert_uint_eq(bnn_mem_live(), k + 1);
    ck_assert_uint_eq(bnn_mem_bytes(), total);
  }
  ck_assert_uint_ge(bnn_mem_peak(), total);
  for (size_t k = 0; k < n; k++) bnn_mem_free(block[k]);
  ck_assert_uint_eq(bnn_mem_live(), 0);
  ck_assert_uint_eq(bnn_mem_bytes(), 0);
  ck_assert_uint_ge(bnn_mem_peak(), total);
}
END_TEST

START_TEST(zalloc_clears_what_was_used_before) {
  for (int k = 0; k < 3; k++) {
    unsigned char *block = bnn_mem_zalloc(1000, 1);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(block[i], 0);
    memset(block, 0xff, 1000);
    bnn_mem_free(block);
  }
}
END_TEST

START_TEST(sizes_that_overflow_are_refused) {
  static const struct {
    size_t count, size;
  } row[] = {{SIZE_MAX, 1},        {1, SIZE_MAX},        {SIZE_MAX / 2, 3},
             {SIZE_MAX - 100, 1},  {SIZE_MAX, SIZE_MAX}, {(size_t)1 << 32, (size_t)1 << 32},
             {SIZE_MAX / 8 + 1, 8}};
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    ck_assert_ptr_null(bnn_mem_alloc(row[k].count, row[k].size));
    ck_assert_ptr_null(bnn_mem_zalloc(row[k].count, row[k].size));
  }
  ck_assert_uint_eq(bnn_mem_live(), 0);
}
END_TEST

START_TEST(freeing_null_does_nothing) { bnn_mem_free(NULL); }
END_TEST

START_TEST(the_nth_allocation_fails_once) {
  bnn_mem_fail_nth(3);
  void *a = bnn_mem_alloc(1, 1), *b = bnn_mem_alloc(1, 1);
  ck_assert(a && b);
  ck_assert_ptr_null(bnn_mem_zalloc(1, 1));
  ck_assert_uint_eq(bnn_mem_live(), 2);
  void *c = bnn_mem_alloc(1, 1);
  ck_assert_ptr_nonnull(c);
  ck_assert_uint_eq(bnn_mem_fail_nth(5), 0); /* it went off */
  ck_assert_uint_eq(bnn_mem_fail_nth(0), 5);
  bnn_mem_free(a);
  bnn_mem_free(b);
  bnn_mem_free(c);
}
END_TEST

static void *allocate_and_free(void *arg) {
  for (size_t k = 1; k < 2000; k++) {
    void *block = bnn_mem_alloc(k, 1);
    memset(block, (int)k, k);
    bnn_mem_free(block);
  }
  return arg;
}

START_TEST(counters_agree_after_allocations_on_four_threads) {
  pthread_t thread[4];
  for (int k = 0; k < 4; k++) pthread_create(&thread[k], NULL, allocate_and_free, NULL);
  for (int k = 0; k < 4; k++) pthread_join(thread[k], NULL);
  ck_assert_uint_eq(bnn_mem_live(), 0);
  ck_assert_uint_eq(bnn_mem_bytes(), 0);
}
END_TEST

START_TEST(every_status_has_words) {
  for (int s = 0; s < BNN_STATUS_COUNT; s++)
    ck_assert_uint_gt(strlen(bnn_status_text((bnn_status)s)), 0);
  ck_assert_str_eq(bnn_status_text(BNN_ESHAPE), "shapes do not agree");
  ck_assert_str_eq(bnn_status_text(BNN_STATUS_COUNT), "unknown status");
  ck_assert_str_eq(bnn_status_text((bnn_status)-1), "unknown status");
}
END_TEST

START_TEST(fail_writes_one_line_and_returns_its_status) {
  bnn_err err;
  ck_assert_int_eq(bnn_fail(&err, BNN_EDATA, "%s has %d", "x", 3), BNN_EDATA);
  ck_assert_int_eq(err.status, BNN_EDATA);
  ck_assert_str_eq(err.text, "x has 3");
  ck_assert_int_eq(bnn_fail_within(&err, BNN_EIO, "file %d", 1), BNN_EIO);
  ck_assert_int_eq(err.status, BNN_EIO);
  ck_assert_str_eq(err.text, "file 1: x has 3");
  ck_assert_int_eq(bnn_fail(NULL, BNN_EIO, "nobody listens"), BNN_EIO);
  ck_assert_int_eq(bnn_fail_within(NULL, BNN_EIO, "nobody listens"), BNN_EIO);
}
END_TEST

START_TEST(long_errors_are_cut) {
  bnn_err err;
  char word[2 * BNN_ERR_TEXT];
  memset(word, 'a', sizeof word - 1);
  word[sizeof word - 1] = 0;
  bnn_fail(&err, BNN_EIO, "%s", word);
  ck_assert_uint_eq(strlen(err.text), BNN_ERR_TEXT - 1);
  bnn_fail_within(&err, BNN_EIO, "prefix");
  ck_assert_uint_eq(strlen(err.text), BNN_ERR_TEXT - 1);
  ck_assert_int_eq(strncmp(err.text, "prefix: aaa", 11), 0);
  bnn_fail_within(&err, BNN_EIO, "%s", word);
  ck_assert_uint_eq(strlen(err.text), BNN_ERR_TEXT - 1);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, blocks_are_aligned_and_counted);
  tcase_add_test(tests, zalloc_clears_what_was_used_before);
  tcase_add_test(tests, sizes_that_overflow_are_refused);
  tcase_add_test(tests, freeing_null_does_nothing);
  tcase_add_test(tests, the_nth_allocation_fails_once);
  tcase_add_test(tests, counters_agree_after_allocations_on_four_threads);
  tcase_add_test(tests, every_status_has_words);
  tcase_add_test(tests, fail_writes_one_line_and_returns_its_status);
  tcase_add_test(tests, long_errors_are_cut);
}

int main(void) { return run_suite("mem", add_tests); }
