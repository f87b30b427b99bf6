/* context.c - a pool of threads and a stop flag; and stop.h. */
#include "context.h"

#include <stdatomic.h>

#include "mem.h"
#include "pool.h"
#include "processors.h"

struct bnn_context {
  bnn_pool *pool;
  atomic_bool stopped;
};

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "a signal handler may raise the stop flag");

/* The number of threads that is meant by `threads`, where 0 is one for each processor (processors.h). */
static bnn_status check_threads(int *out, int threads, bnn_err *err) {
  if (threads < 0 || threads > BNN_THREADS_MAX)
    return bnn_fail(err, BNN_ERANGE, "threads: expected 0 to %d, got %d", BNN_THREADS_MAX, threads);
  if (threads == 0) threads = bnn_processors();
  *out = threads < BNN_THREADS_MAX ? threads : BNN_THREADS_MAX;
  return BNN_OK;
}

bnn_status bnn_context_new(bnn_context **out, int threads, bnn_err *err) {
  BNN_TRY(check_threads(&threads, threads, err));
  bnn_context *context = bnn_mem_alloc(1, sizeof *context);
  if (!context) return bnn_fail(err, BNN_ENOMEM, "a context");
  bnn_status status = bnn_pool_new(&context->pool, threads, err);
  if (status != BNN_OK) {
    bnn_mem_free(context);
    return status;
  }
  atomic_init(&context->stopped, false);
  *out = context;
  return BNN_OK;
}

void bnn_context_free(bnn_context *context) {
  if (!context) return;
  bnn_pool_free(context->pool);
  bnn_mem_free(context);
}

int bnn_context_threads(const bnn_context *context) { return bnn_pool_threads(context->pool); }

bnn_status bnn_context_set_threads(bnn_context *context, int threads, bnn_err *err) {
  BNN_TRY(check_threads(&threads, threads, err));
  bnn_pool_resize(context->pool, threads);
  return BNN_OK;
}

void bnn_context_stop(bnn_context *context) { atomic_store(&context->stopped, true); }
bool bnn_context_stopped(const bnn_context *context) { return atomic_load(&context->stopped); }
void bnn_context_resume(bnn_context *context) { atomic_store(&context->stopped, false); }

/* ---- what a thread's computations see of it (stop.h) ---- */

static _Thread_local bnn_stop now;

bnn_stop bnn_stop_watch(const atomic_bool *flag) {
  const bnn_stop before = now;
  now = (bnn_stop){.flag = flag};
  return before;
}

bnn_status bnn_stop_end(bnn_stop before, bnn_status status, bnn_err *err) {
  const bool cut = now.cut;
  now = before;
  if (status != BNN_OK || !cut) return status;
  return bnn_fail(err, BNN_ESTOP, "a computation is unfinished");
}

bool bnn_stop_asked(void) {
  if (!now.flag || !atomic_load_explicit(now.flag, memory_order_relaxed)) return false;
  now.cut = true;
  return true;
}

bnn_stop bnn_context_watch(const bnn_context *context) { return bnn_stop_watch(&context->stopped); }

void bnn_context_run(bnn_context *context, bnn_job *job, void *data, size_t count) {
  bnn_pool_run(context->pool, job, data, count);
}
