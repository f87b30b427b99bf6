/* lanes.c - two queues under one lock: jobs that wait, jobs that are done.
 *
 * In the child of a fork there are no threads, and the jobs that ran are lost: the caller does what
 * is still to be done. */
#include "lanes.h"

#include <pthread.h>
#include <signal.h>

#include "forks.h"
#include "mem.h"

typedef struct queue {
  bnn_lane_job *first, **end;
} queue;

struct bnn_lanes {
  int n_threads; /* besides the caller's */
  pthread_t *thread;
  bnn_context **context; /* [n], the last is the caller's */
  int n, started;
  pthread_mutex_t lock;
  pthread_cond_t more, done; /* there is a job; one has ended */
  queue waiting, ended;
  size_t out; /* jobs that wait gives back yet */
  bool closing;
  unsigned born; /* bnn_forks when its threads were started */
};

static void push(queue *q, bnn_lane_job *job) {
  job->next = NULL;
  *q->end = job;
  q->end = &job->next;
}

static bnn_lane_job *pop(queue *q) {
  bnn_lane_job *job = q->first;
  if (!job) return NULL;
  q->first = job->next;
  if (!q->first) q->end = &q->first;
  return job;
}

/* Finds the end of a queue, which a thread may have been about to change, and gives its length. */
static size_t find_end(queue *q) {
  size_t n = 0;
  q->end = &q->first;
  for (; *q->end; q->end = &(*q->end)->next) n++;
  return n;
}

static void make_locks(bnn_lanes *l) {
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->more, NULL);
  pthread_cond_init(&l->done, NULL);
  l->born = bnn_forks();
}

/* Threads of a parent do not exist here, and nobody will ever unlock what they had locked. */
static void forget_parent(bnn_lanes *l) {
  if (l->born == bnn_forks()) return;
  make_locks(l);
  l->n_threads = 0;
  l->out = find_end(&l->waiting) + find_end(&l->ended);
}

/* Runs a job without the lock, which is held before and after. */
static void run(bnn_lanes *l, bnn_lane_job *job, bnn_context *context) {
  pthread_mutex_unlock(&l->lock);
  job->run(job, context);
  pthread_mutex_lock(&l->lock);
  push(&l->ended, job);
  pthread_cond_signal(&l->done);
}

static void *lane(void *data) {
  bnn_lanes *l = data;
  pthread_mutex_lock(&l->lock);
  bnn_context *context = l->context[l->started++];
  while (!l->closing) {
    bnn_lane_job *job = pop(&l->waiting);
    if (job)
      run(l, job, context);
    else
      pthread_cond_wait(&l->more, &l->lock);
  }
  pthread_mutex_unlock(&l->lock);
  return NULL;
}

/* Signals are for the caller's thread. */
static void start_threads(bnn_lanes *l) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (l->n_threads < l->n - 1 && pthread_create(&l->thread[l->n_threads], NULL, lane, l) == 0)
    l->n_threads++;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static bnn_status make_contexts(bnn_lanes *l, bnn_err *err) {
  for (int i = 0; i < l->n; i++) BNN_TRY(bnn_context_new(&l->context[i], 1, err));
  return BNN_OK;
}

bnn_status bnn_lanes_new(bnn_lanes **out, int n, bnn_err *err) {
  if (n < 1 || n > BNN_THREADS_MAX)
    return bnn_fail(err, BNN_ERANGE, "lanes: expected 1 to %d, got %d", BNN_THREADS_MAX, n);
  bnn_lanes *l = bnn_mem_zalloc(1, sizeof *l);
  if (!l) return bnn_fail(err, BNN_ENOMEM, "%d lanes", n);
  l->n = n;
  l->waiting.end = &l->waiting.first;
  l->ended.end = &l->ended.first;
  make_locks(l);
  l->thread = bnn_mem_zalloc((size_t)n, sizeof *l->thread);
  l->context = bnn_mem_zalloc((size_t)n, sizeof(bnn_context *));
  bnn_status status =
      l->thread && l->context ? make_contexts(l, err) : bnn_fail(err, BNN_ENOMEM, "%d lanes", n);
  if (status != BNN_OK) {
    bnn_lanes_free(l);
    return status;
  }
  start_threads(l);
  *out = l;
  return BNN_OK;
}

void bnn_lanes_free(bnn_lanes *l) {
  if (!l) return;
  forget_parent(l);
  pthread_mutex_lock(&l->lock);
  l->closing = true;
  pthread_cond_broadcast(&l->more);
  pthread_mutex_unlock(&l->lock);
  for (int i = 0; i < l->n_threads; i++) pthread_join(l->thread[i], NULL);
  for (int i = 0; l->context && i < l->n; i++) bnn_context_free(l->context[i]);
  pthread_cond_destroy(&l->more);
  pthread_cond_destroy(&l->done);
  pthread_mutex_destroy(&l->lock);
  bnn_mem_free(l->thread);
  bnn_mem_free(l->context);
  bnn_mem_free(l);
}

void bnn_lanes_submit(bnn_lanes *l, bnn_lane_job *job) {
  forget_parent(l);
  pthread_mutex_lock(&l->lock);
  push(&l->waiting, job);
  l->out++;
  pthread_cond_signal(&l->more);
  pthread_mutex_unlock(&l->lock);
}

bnn_lane_job *bnn_lanes_wait(bnn_lanes *l) {
  forget_parent(l);
  pthread_mutex_lock(&l->lock);
  bnn_lane_job *job = pop(&l->ended);
  while (!job && l->out > 0) {
    bnn_lane_job *own = pop(&l->waiting);
    if (own)
      run(l, own, l->context[l->n - 1]);
    else
      pthread_cond_wait(&l->done, &l->lock);
    job = pop(&l->ended);
  }
  if (job) l->out--;
  pthread_mutex_unlock(&l->lock);
  return job;
}
