/* pool.h - threads that wait for parallel loops; a context owns one.
 *
 * One thread at a time uses a pool.  A pool of n threads starts n - 1, at the first loop that can
 * use them; the caller of a loop is the n-th.  Where fewer can be started, those do the work. */
#ifndef BNN_POOL_H
#define BNN_POOL_H

#include <stddef.h>

#include "context.h"
#include "status.h"

typedef struct bnn_pool bnn_pool;

/* A pool of `threads`, 1..BNN_THREADS_MAX.  ENOMEM. */
bnn_status bnn_pool_new(bnn_pool **out, int threads, bnn_err *err);

/* Ends the threads and frees the pool; NULL is allowed. */
void bnn_pool_free(bnn_pool *pool);

int bnn_pool_threads(const bnn_pool *pool);

/* Another number of threads, 1..BNN_THREADS_MAX; those that run end first. */
void bnn_pool_resize(bnn_pool *pool, int threads);

/* bnn_context_run's loop. */
void bnn_pool_run(bnn_pool *pool, bnn_job *job, void *data, size_t count);

#endif
