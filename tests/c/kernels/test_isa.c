/* test_isa.c - the choice of an instruction set. */
#include "kernels/isa.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

START_TEST(the_best_row_is_in_use_until_another_is_set) {
  const char *best = bnn_isa_available(0);
  ck_assert_ptr_nonnull(best);
  if (!getenv("BNNLUA_ISA")) ck_assert_str_eq(bnn_isa_get()->name, best);
  ck_succeeds(bnn_isa_set("baseline", &err));
  ck_assert_str_eq(bnn_isa_get()->name, "baseline");
  ck_succeeds(bnn_isa_set(NULL, &err));
  ck_assert_str_eq(bnn_isa_get()->name, best);
}
END_TEST

START_TEST(every_row_that_is_available_can_be_set_and_baseline_is_last) {
  const char *last = NULL;
  for (size_t i = 0; bnn_isa_available(i); i++) {
    last = bnn_isa_available(i);
    ck_succeeds(bnn_isa_set(last, &err));
    ck_assert_str_eq(bnn_isa_get()->name, last);
    ck_assert_ptr_nonnull(bnn_isa_get()->vec);
  }
  ck_assert_str_eq(last, "baseline");
  ck_assert_ptr_null(bnn_isa_available(99));
}
END_TEST

START_TEST(an_unknown_row_is_refused_by_name_and_changes_nothing) {
  ck_succeeds(bnn_isa_set("baseline", &err));
  ck_refuses(bnn_isa_set("avx1024", &err), BNN_ERANGE, "'avx1024'");
  ck_refuses(bnn_isa_set("", &err), BNN_ERANGE, "baseline");
  ck_assert_str_eq(bnn_isa_get()->name, "baseline");
}
END_TEST

static void *ask(void *out) {
  *(const bnn_isa **)out = bnn_isa_get();
  return NULL;
}

START_TEST(threads_that_ask_first_at_once_get_the_same_row) {
  enum { THREADS = 8 };
  pthread_t thread[THREADS];
  const bnn_isa *isa[THREADS];
  for (int i = 0; i < THREADS; i++)
    ck_assert_int_eq(pthread_create(&thread[i], NULL, ask, &isa[i]), 0);
  for (int i = 0; i < THREADS; i++) ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
  for (int i = 0; i < THREADS; i++) ck_assert_ptr_eq(isa[i], bnn_isa_get());
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, threads_that_ask_first_at_once_get_the_same_row);
  tcase_add_test(tests, the_best_row_is_in_use_until_another_is_set);
  tcase_add_test(tests, every_row_that_is_available_can_be_set_and_baseline_is_last);
  tcase_add_test(tests, an_unknown_row_is_refused_by_name_and_changes_nothing);
}

int main(void) { return run_suite("isa", add_tests); }
