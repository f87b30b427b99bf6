/* lanes.h - jobs side by side, one thread each: steps of several chains, or of the members of an
 * ensemble, whose results do not depend on how many threads there are.
 *
 * n lanes are n - 1 threads and the caller's, which works while it waits.  Each has a context of one
 * thread.  One thread at a time submits and waits. */
#ifndef BNN_LANES_H
#define BNN_LANES_H

#include "context.h"
#include "status.h"

typedef struct bnn_lanes bnn_lanes;

/* A job; the caller's, from submitting it until wait gives it back.  run must not call the lanes. */
typedef struct bnn_lane_job {
  void (*run)(struct bnn_lane_job *job, bnn_context *context);
  struct bnn_lane_job *next; /* the lanes' own */
} bnn_lane_job;

/* n lanes, 1..BNN_THREADS_MAX; where fewer threads can be started, those do the work.  ERANGE,
 * ENOMEM. */
bnn_status bnn_lanes_new(bnn_lanes **out, int n, bnn_err *err);

/* Waits for the jobs that run, drops those that have not begun, ends the threads; NULL is allowed. */
void bnn_lanes_free(bnn_lanes *lanes);

/* Jobs begin in the order in which they were submitted. */
void bnn_lanes_submit(bnn_lanes *lanes, bnn_lane_job *job);

/* A job that is done, in the order of ending; NULL when none is out. */
bnn_lane_job *bnn_lanes_wait(bnn_lanes *lanes);

#endif
