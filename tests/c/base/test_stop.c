/* test_stop.c - requests to stop, as a thread's computations see them. */
#include "base/stop.h"

#include <pthread.h>

#include "base/context.h"
#include "support.h"

START_TEST(nobody_is_asked_outside_of_a_watch) {
  atomic_bool flag = true;
  ck_assert(!bnn_stop_asked());
  const bnn_stop before = bnn_stop_watch(&flag);
  ck_assert(bnn_stop_asked());
  bnn_stop_end(before, BNN_OK, NULL);
  ck_assert(!bnn_stop_asked());
}
END_TEST

START_TEST(only_what_was_cut_is_stopped) {
  atomic_bool flag = false;
  bnn_stop before = bnn_stop_watch(&flag);
  ck_assert(!bnn_stop_asked());
  flag = true; /* too late */
  ck_succeeds(bnn_stop_end(before, BNN_OK, &err));
  before = bnn_stop_watch(&flag);
  ck_assert(bnn_stop_asked());
  flag = false; /* what was cut stays so */
  ck_refuses(bnn_stop_end(before, BNN_OK, &err), BNN_ESTOP, "unfinished");
}
END_TEST

START_TEST(an_error_goes_before_a_stop) {
  atomic_bool flag = true;
  const bnn_stop before = bnn_stop_watch(&flag);
  ck_assert(bnn_stop_asked());
  ck_assert_int_eq(bnn_stop_end(before, BNN_ENOMEM, NULL), BNN_ENOMEM);
}
END_TEST

START_TEST(an_inner_watch_leaves_the_outer_one_as_it_was) {
  atomic_bool outer = false, inner = true;
  const bnn_stop before = bnn_stop_watch(&outer);
  const bnn_stop between = bnn_stop_watch(&inner);
  ck_assert(bnn_stop_asked());
  ck_refuses(bnn_stop_end(between, BNN_OK, &err), BNN_ESTOP, "");
  ck_assert(!bnn_stop_asked());
  const bnn_stop none = bnn_stop_watch(NULL);
  outer = true;
  ck_assert(!bnn_stop_asked());
  ck_succeeds(bnn_stop_end(none, BNN_OK, &err));
  ck_assert(bnn_stop_asked());
  ck_refuses(bnn_stop_end(before, BNN_OK, &err), BNN_ESTOP, "");
}
END_TEST

static void *ask(void *asked) {
  *(bool *)asked = bnn_stop_asked();
  return NULL;
}

START_TEST(a_watch_is_of_its_thread_alone) {
  bnn_context *context;
  bool asked = true;
  pthread_t other;
  ck_succeeds(bnn_context_new(&context, 1, &err));
  bnn_context_stop(context);
  const bnn_stop before = bnn_context_watch(context);
  ck_assert_int_eq(pthread_create(&other, NULL, ask, &asked), 0);
  pthread_join(other, NULL);
  ck_assert(!asked);
  ck_assert(bnn_stop_asked());
  bnn_context_resume(context);
  ck_assert(!bnn_stop_asked());
  ck_refuses(bnn_stop_end(before, BNN_OK, &err), BNN_ESTOP, "");
  bnn_context_free(context);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, nobody_is_asked_outside_of_a_watch);
  tcase_add_test(tests, only_what_was_cut_is_stopped);
  tcase_add_test(tests, an_error_goes_before_a_stop);
  tcase_add_test(tests, an_inner_watch_leaves_the_outer_one_as_it_was);
  tcase_add_test(tests, a_watch_is_of_its_thread_alone);
}

int main(void) { return run_suite("stop", add_tests); }
