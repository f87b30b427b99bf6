/* context.h - the state that a run carries: worker threads, a stop flag.
 *
 * Several contexts may live in one process; each belongs to one thread at a time, except that
 * bnn_context_stop may be called from anywhere, a signal handler included. */
#ifndef BNN_CONTEXT_H
#define BNN_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"
#include "stop.h"

typedef struct bnn_context bnn_context;

enum { BNN_THREADS_MAX = 256 };

/* A context with `threads` workers, the caller's thread included; 0 means one for each processor
 * that the process may run on, or fewer if its control groups limit its time (processors.h).
 * Threads start when they first get work.
 * ERANGE: more than BNN_THREADS_MAX.  ENOMEM. */
bnn_status bnn_context_new(bnn_context **out, int threads, bnn_err *err);

/* Ends its threads and frees it; NULL is allowed. */
void bnn_context_free(bnn_context *context);

/* The number of threads, the caller's included; and setting it (0 as above).  Results never
 * depend on it.  On ERANGE and ENOMEM the context is unchanged. */
int bnn_context_threads(const bnn_context *context);
bnn_status bnn_context_set_threads(bnn_context *context, int threads, bnn_err *err);

/* Raises the stop flag (async-signal-safe), reads it, lowers it.  While it is up, long calls such
 * as bnn_prediction_add end early with ESTOP; a training step is completed, unless one of its
 * products takes so long that it is cut short before anything is updated. */
void bnn_context_stop(bnn_context *context);
bool bnn_context_stopped(const bnn_context *context);
void bnn_context_resume(bnn_context *context);

/* bnn_stop_watch of that flag (stop.h): what this thread computes from now on, until bnn_stop_end,
 * may be left unfinished while it is up. */
bnn_stop bnn_context_watch(const bnn_context *context);

/* A job of a parallel loop: called once for each i in [0, count), in any order, on any thread. */
typedef void bnn_job(void *data, size_t i);

/* Runs job(data, i) for every i and returns when all are done.  A job must not fail, allocate or
 * call this again; what job i writes no other job may touch. */
void bnn_context_run(bnn_context *context, bnn_job *job, void *data, size_t count);

#endif
