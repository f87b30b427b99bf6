/* test_lanes.c - jobs side by side: each runs once, with a context of one thread, and comes back. */
#include "base/lanes.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "support.h"

typedef struct counted {
  bnn_lane_job job; /* first */
  int runs, threads;
  atomic_int *all;
} counted;

static void count(bnn_lane_job *job, bnn_context *context) {
  counted *c = (counted *)job;
  c->runs++;
  c->threads = bnn_context_threads(context);
  atomic_fetch_add(c->all, 1);
}

enum { JOBS = 200 };

START_TEST(every_job_runs_once_and_comes_back) {
  static counted job[JOBS];
  atomic_int all = 0;
  bnn_lanes *lanes = NULL;
  ck_succeeds(bnn_lanes_new(&lanes, _i, &err));
  ck_assert_ptr_null(bnn_lanes_wait(lanes));
  for (int round = 1; round <= 3; round++) {
    for (int i = 0; i < JOBS; i++) {
      if (round == 1) job[i] = (counted){.job.run = count, .all = &all};
      bnn_lanes_submit(lanes, &job[i].job);
    }
    for (int i = 0; i < JOBS; i++) ck_assert_ptr_nonnull(bnn_lanes_wait(lanes));
    ck_assert_ptr_null(bnn_lanes_wait(lanes));
    for (int i = 0; i < JOBS; i++) ck_assert(job[i].runs == round && job[i].threads == 1);
  }
  ck_assert_int_eq(atomic_load(&all), 3 * JOBS);
  bnn_lanes_free(lanes);
}
END_TEST

/* A lane alone is the caller's thread, which begins jobs in their order and only while it waits. */
START_TEST(one_lane_works_in_order_while_it_is_waited_for) {
  counted job[3];
  atomic_int all = 0;
  bnn_lanes *lanes = NULL;
  ck_succeeds(bnn_lanes_new(&lanes, 1, &err));
  for (int i = 0; i < 3; i++) {
    job[i] = (counted){.job.run = count, .all = &all};
    bnn_lanes_submit(lanes, &job[i].job);
  }
  ck_assert_int_eq(atomic_load(&all), 0);
  for (int i = 0; i < 3; i++) ck_assert_ptr_eq(bnn_lanes_wait(lanes), &job[i].job);
  bnn_lanes_free(lanes);
}
END_TEST

/* More are submitted as others end, as a scheduler does it; free waits for what runs. */
START_TEST(jobs_may_be_submitted_while_others_run) {
  static counted job[JOBS];
  atomic_int all = 0;
  bnn_lanes *lanes = NULL;
  ck_succeeds(bnn_lanes_new(&lanes, 3, &err));
  int next = 0;
  for (; next < 5; next++) {
    job[next] = (counted){.job.run = count, .all = &all};
    bnn_lanes_submit(lanes, &job[next].job);
  }
  while (next < JOBS) {
    ck_assert_ptr_nonnull(bnn_lanes_wait(lanes));
    job[next] = (counted){.job.run = count, .all = &all};
    bnn_lanes_submit(lanes, &job[next++].job);
  }
  bnn_lanes_free(lanes); /* with up to five out */
  for (int i = 0; i < JOBS - 5; i++) ck_assert_int_eq(job[i].runs, 1);
}
END_TEST

/* Waits for what there is, then does some more; how many ran here. */
static int work(bnn_lanes *lanes, counted job[3]) {
  atomic_int all = 0;
  while (bnn_lanes_wait(lanes)) continue;
  for (int i = 0; i < 3; i++) {
    job[i] = (counted){.job.run = count, .all = &all};
    bnn_lanes_submit(lanes, &job[i].job);
  }
  while (bnn_lanes_wait(lanes)) continue;
  return atomic_load(&all);
}

/* Its threads are not there; what they were doing is lost, and nobody waits for it. */
START_TEST(a_forked_child_does_the_work_itself) {
  static counted job[JOBS], own[3];
  atomic_int all = 0;
  bnn_lanes *lanes = NULL;
  ck_succeeds(bnn_lanes_new(&lanes, 3, &err));
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < JOBS; i++) {
      job[i] = (counted){.job.run = count, .all = &all};
      bnn_lanes_submit(lanes, &job[i].job);
    }
    pid_t child = fork();
    if (child == 0) {
      const int ran = work(lanes, own);
      bnn_lanes_free(lanes);
      _exit(ran == 3 && bnn_mem_live() == 0 ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(work(lanes, own), 3);
  }
  ck_assert_int_eq(atomic_load(&all), 20 * JOBS);
  bnn_lanes_free(lanes);
}
END_TEST

START_TEST(refusals) {
  bnn_lanes *lanes = NULL;
  bnn_err err;
  ck_assert(bnn_lanes_new(&lanes, 0, &err) == BNN_ERANGE);
  ck_assert_str_eq(err.text, "lanes: expected 1 to 256, got 0");
  ck_assert(bnn_lanes_new(&lanes, 257, &err) == BNN_ERANGE);
  ck_assert_ptr_null(lanes);
  bnn_lanes_free(NULL);
}
END_TEST

static bnn_status use_lanes(void *data, bnn_err *err) {
  bnn_lanes *lanes = NULL;
  (void)data;
  BNN_TRY(bnn_lanes_new(&lanes, 4, err));
  bnn_lanes_free(lanes);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) { ck_survives_failing_allocations(use_lanes, NULL); }
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, every_job_runs_once_and_comes_back, 1, 6);
  tcase_add_test(tests, one_lane_works_in_order_while_it_is_waited_for);
  tcase_add_test(tests, jobs_may_be_submitted_while_others_run);
  tcase_add_test(tests, a_forked_child_does_the_work_itself);
  tcase_add_test(tests, refusals);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("lanes", add_tests); }
