/* test_pool.c - parallel loops, contexts, and their stop flag. */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/processors.h"
#include "support.h"

enum { N = 1000 };

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

static void count_visit(void *visits, size_t i) { ((unsigned char *)visits)[i]++; }

/* Whether a loop over n indices visits each once. */
static bool visits_each_once(bnn_context *context, size_t n) {
  unsigned char visits[N + 1] = {0};
  bnn_context_run(context, count_visit, visits, n);
  for (size_t i = 0; i < n; i++)
    if (visits[i] != 1) return false;
  return visits[n] == 0;
}

START_TEST(every_index_is_visited_once) {
  static const size_t count[] = {0, 1, 2, 3, 4, 5, 100, N};
  bnn_context *context = context_of(_i);
  for (int repeat = 0; repeat < 50; repeat++)
    for (size_t k = 0; k < sizeof count / sizeof *count; k++)
      ck_assert(visits_each_once(context, count[k]));
  bnn_context_free(context);
}
END_TEST

static void add_one(void *sum, size_t i) {
  (void)i;
  atomic_fetch_add_explicit((atomic_size_t *)sum, 1, memory_order_relaxed);
}

START_TEST(a_hundred_thousand_tiny_loops_take_little_time) {
  bnn_context *context = context_of(_i);
  atomic_size_t sum = 0;
  for (int k = 0; k < 100000; k++) bnn_context_run(context, add_one, &sum, 3);
  ck_assert_uint_eq(atomic_load(&sum), 300000);
  bnn_context_free(context);
}
END_TEST

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void linger(void *visits, size_t i) {
  if (i % 2) sleep_ms(5);
  count_visit(visits, i);
}

/* Long jobs put the caller to sleep, long pauses the workers. */
START_TEST(sleepers_are_woken) {
  bnn_context *context = context_of(3);
  for (int k = 0; k < 5; k++) {
    unsigned char visits[4] = {0};
    bnn_context_run(context, linger, visits, 4);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(visits[i], 1);
    sleep_ms(10);
  }
  bnn_context_free(context);
}
END_TEST

START_TEST(an_idle_pool_costs_no_time) {
  bnn_context *context = context_of(4);
  ck_assert(visits_each_once(context, N));
  sleep_ms(100); /* the workers fall asleep */
  clock_t before = clock();
  sleep_ms(300);
  ck_assert_msg((double)(clock() - before) / CLOCKS_PER_SEC < 0.1, "idle threads keep running");
  bnn_context_free(context);
}
END_TEST

static void run_inner(void *contexts, size_t i) {
  atomic_size_t sum = 0;
  bnn_context_run(((bnn_context **)contexts)[i], add_one, &sum, 50);
  if (atomic_load(&sum) != 50) abort();
}

START_TEST(contexts_work_inside_jobs_of_another) {
  bnn_context *outer = context_of(3), *inner[5];
  for (int k = 0; k < 5; k++) inner[k] = context_of(2);
  for (int k = 0; k < 100; k++) bnn_context_run(outer, run_inner, inner, 5);
  for (int k = 0; k < 5; k++) bnn_context_free(inner[k]);
  bnn_context_free(outer);
}
END_TEST

START_TEST(the_number_of_threads_may_change) {
  static const int threads[] = {2, 4, 1, 3, 3, 0, 2};
  bnn_context *context = context_of(1);
  for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
    ck_succeeds(bnn_context_set_threads(context, threads[k], &err));
    int want = threads[k] ? threads[k] : bnn_processors();
    ck_assert_int_eq(bnn_context_threads(context), want);
    for (int repeat = 0; repeat < 20; repeat++) ck_assert(visits_each_once(context, N));
  }
  bnn_context_free(context);
}
END_TEST

START_TEST(impossible_numbers_of_threads_are_refused) {
  bnn_context *context = NULL;
  ck_refuses(bnn_context_new(&context, 257, &err), BNN_ERANGE,
             "threads: expected 0 to 256, got 257");
  ck_refuses(bnn_context_new(&context, -1, &err), BNN_ERANGE, "threads: expected 0 to 256, got -1");
  ck_assert_ptr_null(context);
  context = context_of(2);
  ck_refuses(bnn_context_set_threads(context, 257, &err), BNN_ERANGE,
             "threads: expected 0 to 256, got 257");
  ck_assert_int_eq(bnn_context_threads(context), 2);
  bnn_context_free(context);
  bnn_context_free(NULL);
}
END_TEST

START_TEST(the_default_is_one_thread_for_each_processor) {
  bnn_context *context = context_of(0);
  ck_assert_int_ge(bnn_processors(), 1);
  ck_assert_int_eq(bnn_context_threads(context), bnn_processors());
  bnn_context_free(context);
}
END_TEST

START_TEST(the_greatest_number_of_threads_works) {
  bnn_context *context = context_of(BNN_THREADS_MAX);
  for (int k = 0; k < 10; k++) ck_assert(visits_each_once(context, N));
  bnn_context_free(context);
}
END_TEST

/* The child's part: exit status 0 when all is well there. */
static void work_after_fork(bnn_context *used, bnn_context *fresh) {
  bool good = visits_each_once(used, N) && visits_each_once(fresh, N);
  bnn_context *own = NULL;
  good = good && bnn_context_new(&own, 2, NULL) == BNN_OK && visits_each_once(own, N);
  good = good && bnn_context_set_threads(used, 3, NULL) == BNN_OK && visits_each_once(used, N);
  bnn_context_free(own);
  bnn_context_free(used);
  bnn_context_free(fresh);
  _exit(good && bnn_mem_live() == 0 ? 0 : 1);
}

START_TEST(a_forked_child_starts_threads_of_its_own) {
  bnn_context *used = context_of(3), *fresh = context_of(2);
  for (int k = 0; k < 5; k++) {
    ck_assert(visits_each_once(used, N));
    pid_t child = fork();
    if (child == 0) work_after_fork(used, fresh);
    ck_assert(visits_each_once(used, N)); /* the parent keeps its own */
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
  }
  bnn_context_free(used);
  bnn_context_free(fresh);
}
END_TEST

START_TEST(a_child_may_free_a_pool_that_its_parent_runs) {
  bnn_context *context = context_of(3);
  ck_assert(visits_each_once(context, N));
  pid_t child = fork();
  if (child == 0) {
    bnn_context_free(context);
    _exit(0);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  bnn_context_free(context);
}
END_TEST

START_TEST(the_stop_flag_is_raised_read_and_lowered) {
  bnn_context *a = context_of(1), *b = context_of(1);
  ck_assert(!bnn_context_stopped(a));
  bnn_context_stop(a);
  bnn_context_stop(a);
  ck_assert(bnn_context_stopped(a));
  ck_assert(!bnn_context_stopped(b));
  ck_assert(visits_each_once(a, N)); /* a loop is always completed */
  bnn_context_resume(a);
  ck_assert(!bnn_context_stopped(a));
  bnn_context_free(a);
  bnn_context_free(b);
}
END_TEST

static bnn_context *signalled;
static void stop_on_signal(int signal) {
  (void)signal;
  bnn_context_stop(signalled);
}

static pthread_t caller;
static void signal_once(void *workers_listen, size_t i) {
  sigset_t mask;
  if (i == 0) kill(getpid(), SIGUSR1);
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  if (!pthread_equal(pthread_self(), caller) && !sigismember(&mask, SIGUSR1))
    atomic_store((atomic_bool *)workers_listen, true);
}

START_TEST(a_signal_handler_may_stop_a_context) {
  struct sigaction action = {.sa_handler = stop_on_signal}, before;
  atomic_bool workers_listen = false;
  caller = pthread_self();
  sigaction(SIGUSR1, &action, &before);
  signalled = context_of(4);
  bnn_context_run(signalled, signal_once, &workers_listen, N);
  for (int k = 0; k < 1000 && !bnn_context_stopped(signalled); k++) sleep_ms(1);
  ck_assert(bnn_context_stopped(signalled));
  ck_assert(!atomic_load(&workers_listen));
  sigset_t mask; /* the caller's mask is as it was */
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  ck_assert(!sigismember(&mask, SIGUSR1));
  bnn_context_free(signalled);
  sigaction(SIGUSR1, &before, NULL);
}
END_TEST

static bnn_status use_a_context(void *arg, bnn_err *err) {
  bnn_context *context;
  (void)arg;
  BNN_TRY(bnn_context_new(&context, 2, err));
  bool good = visits_each_once(context, N);
  bnn_status status = bnn_context_set_threads(context, 3, err);
  bnn_context_free(context);
  return good ? status : BNN_ERANGE;
}

START_TEST(every_allocation_may_fail) { ck_survives_failing_allocations(use_a_context, NULL); }
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, every_index_is_visited_once, 1, 5);
  tcase_add_loop_test(tests, a_hundred_thousand_tiny_loops_take_little_time, 1, 5);
  tcase_add_test(tests, sleepers_are_woken);
  tcase_add_test(tests, an_idle_pool_costs_no_time);
  tcase_add_test(tests, contexts_work_inside_jobs_of_another);
  tcase_add_test(tests, the_number_of_threads_may_change);
  tcase_add_test(tests, impossible_numbers_of_threads_are_refused);
  tcase_add_test(tests, the_default_is_one_thread_for_each_processor);
  tcase_add_test(tests, the_greatest_number_of_threads_works);
  tcase_add_test(tests, a_forked_child_starts_threads_of_its_own);
  tcase_add_test(tests, a_child_may_free_a_pool_that_its_parent_runs);
  tcase_add_test(tests, the_stop_flag_is_raised_read_and_lowered);
  tcase_add_test(tests, a_signal_handler_may_stop_a_context);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("pool", add_tests); }
