/* pool.c - parallel loops over threads that persist, and cost nothing while nobody asks.
 *
 * The gate, one atomic word, holds everything that threads race for: the number of the loop,
 * whether it is open, and how many workers are inside.  A worker enters by adding itself while the
 * gate is open; the caller works too, closes the gate when every index is taken, and waits until
 * nobody is inside.  So a worker that wakes late misses a loop and nobody waits for it, and the
 * loop's fields stand still while anyone may read them.
 *
 * Who waits spins first, since in training the next loop is microseconds away, and then sleeps.
 * After a fork the child has no workers, as forks.h tells it. */
#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "forks.h"
#include "mem.h"
#include "processors.h"

enum {
  SPINS = 4000,         /* pauses before sleep: about 0.1 ms */
  SPINS_CROWDED = 50,   /* with more threads than processors, who spins keeps another from work */
  GATE_LOOP_SHIFT = 16, /* bits from here up: the number of the loop */
  GATE_OPEN = 1 << 15,  /* workers may enter */
  GATE_INSIDE = (1 << 15) - 1, /* mask of the number of workers inside */
};

struct bnn_pool {
  alignas(BNN_MEM_ALIGN) atomic_uint_fast64_t gate;
  alignas(BNN_MEM_ALIGN) atomic_size_t next; /* the first index that nobody has taken */
  alignas(BNN_MEM_ALIGN) bnn_job *job; /* the loop; written while the gate is shut and empty */
  void *data;
  size_t count;

  int threads; /* wanted, the caller included */
  int started; /* workers that run */
  int spins;
  bool tried;    /* whether workers have been started for this number of threads in this process */
  unsigned born; /* bnn_forks then */
  pthread_t worker[BNN_THREADS_MAX];

  pthread_mutex_t lock; /* around sleep only */
  pthread_cond_t opened, emptied;
  atomic_int sleepers; /* workers that sleep, or are about to */
  atomic_bool caller_sleeps, quit;
};

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* ---- the workers ---- */

static void take_indices(bnn_pool *pool) {
  bnn_job *job = pool->job;
  void *data = pool->data;
  size_t count = pool->count;
  for (size_t i; (i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed)) < count;)
    job(data, i);
}

/* Whether the gate stands open for a loop other than `seen`. */
static bool is_open(uint_fast64_t gate, uint_fast64_t seen) {
  return (gate & GATE_OPEN) && gate >> GATE_LOOP_SHIFT != seen;
}

/* The counters of sleepers and the gate are sequentially consistent: either the sleeper sees the
 * gate open, or who opened it sees the sleeper. */
static void sleep_until_open(bnn_pool *pool, uint_fast64_t seen) {
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!is_open(atomic_load(&pool->gate), seen) && !atomic_load(&pool->quit))
    pthread_cond_wait(&pool->opened, &pool->lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
}

static void wait_until_open(bnn_pool *pool, uint_fast64_t seen) {
  for (int k = 0; k < pool->spins; k++) {
    if (is_open(atomic_load(&pool->gate), seen) || atomic_load(&pool->quit)) return;
    relax();
  }
  sleep_until_open(pool, seen);
}

/* Enters a loop other than *seen, which is then that loop; false when none is open by now. */
static bool enter(bnn_pool *pool, uint_fast64_t *seen) {
  uint_fast64_t gate = atomic_load(&pool->gate);
  while (is_open(gate, *seen))
    if (atomic_compare_exchange_weak(&pool->gate, &gate, gate + 1)) {
      *seen = gate >> GATE_LOOP_SHIFT;
      return true;
    }
  return false;
}

static void leave(bnn_pool *pool) {
  uint_fast64_t before = atomic_fetch_sub(&pool->gate, 1);
  if ((before & GATE_INSIDE) != 1 || !atomic_load(&pool->caller_sleeps)) return;
  pthread_mutex_lock(&pool->lock);
  pthread_cond_signal(&pool->emptied);
  pthread_mutex_unlock(&pool->lock);
}

static void *work(void *arg) {
  bnn_pool *pool = arg;
  uint_fast64_t seen = 0; /* loops count from 1 */
  while (!atomic_load(&pool->quit)) {
    wait_until_open(pool, seen);
    if (!enter(pool, &seen)) continue;
    take_indices(pool);
    leave(pool);
  }
  return NULL;
}

/* ---- starting and ending them ---- */

/* Signals stay with the threads of the program: workers block them all but SIGBUS, which is about
 * memory that a worker touched itself (map.h). */
static void start(bnn_pool *pool) {
  sigset_t all, before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (pool->started < pool->threads - 1 &&
         pthread_create(&pool->worker[pool->started], NULL, work, pool) == 0)
    pool->started++;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A pool without workers, as new and in the child of a fork, whatever its state was. */
static void reset(bnn_pool *pool) {
  atomic_init(&pool->gate, 0);
  atomic_init(&pool->sleepers, 0);
  atomic_init(&pool->caller_sleeps, false);
  atomic_init(&pool->quit, false);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->opened, NULL);
  pthread_cond_init(&pool->emptied, NULL);
  pool->started = 0;
  pool->tried = false;
  pool->born = bnn_forks();
}

/* Workers of a parent do not exist here, and nobody will ever unlock what they had locked. */
static void forget_parent(bnn_pool *pool) {
  if (pool->born != bnn_forks()) reset(pool);
}

static void end(bnn_pool *pool) {
  forget_parent(pool);
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->quit, true);
  pthread_cond_broadcast(&pool->opened);
  pthread_mutex_unlock(&pool->lock);
  for (int k = 0; k < pool->started; k++) pthread_join(pool->worker[k], NULL);
  atomic_store(&pool->quit, false);
  pool->started = 0;
  pool->tried = false;
}

bnn_status bnn_pool_new(bnn_pool **out, int threads, bnn_err *err) {
  bnn_pool *pool = bnn_mem_alloc(1, sizeof *pool);
  if (!pool) return bnn_fail(err, BNN_ENOMEM, "a pool of %d threads", threads);
  reset(pool);
  pool->threads = threads;
  *out = pool;
  return BNN_OK;
}

void bnn_pool_free(bnn_pool *pool) {
  if (!pool) return;
  end(pool);
  pthread_cond_destroy(&pool->opened);
  pthread_cond_destroy(&pool->emptied);
  pthread_mutex_destroy(&pool->lock);
  bnn_mem_free(pool);
}

int bnn_pool_threads(const bnn_pool *pool) { return pool->threads; }

void bnn_pool_resize(bnn_pool *pool, int threads) {
  if (threads == pool->threads) return;
  end(pool);
  pool->threads = threads;
}

/* ---- the loop ---- */

static void open_gate(bnn_pool *pool) {
  uint_fast64_t loop = (atomic_load(&pool->gate) >> GATE_LOOP_SHIFT) + 1;
  atomic_store(&pool->gate, loop << GATE_LOOP_SHIFT | GATE_OPEN);
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->lock); /* who saw the gate shut waits on the condition by now */
  pthread_mutex_unlock(&pool->lock);
  pthread_cond_broadcast(&pool->opened); /* after the unlock, or who wakes would wait for it */
}

static bool is_empty(bnn_pool *pool) { return (atomic_load(&pool->gate) & GATE_INSIDE) == 0; }

static void close_gate(bnn_pool *pool) {
  atomic_fetch_and(&pool->gate, ~(uint_fast64_t)GATE_OPEN);
  for (int k = 0; k < pool->spins; k++) {
    if (is_empty(pool)) return;
    relax();
  }
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->caller_sleeps, true);
  while (!is_empty(pool)) pthread_cond_wait(&pool->emptied, &pool->lock);
  atomic_store(&pool->caller_sleeps, false);
  pthread_mutex_unlock(&pool->lock);
}

static void start_once(bnn_pool *pool) {
  forget_parent(pool);
  if (pool->tried) return;
  pool->tried = true;
  pool->spins = pool->threads > bnn_processors() ? SPINS_CROWDED : SPINS;
  start(pool);
}

void bnn_pool_run(bnn_pool *pool, bnn_job *job, void *data, size_t count) {
  if (count > 1 && pool->threads > 1) start_once(pool);
  if (count <= 1 || pool->started == 0) {
    for (size_t i = 0; i < count; i++) job(data, i);
    return;
  }
  pool->job = job;
  pool->data = data;
  pool->count = count;
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  open_gate(pool);
  take_indices(pool);
  close_gate(pool);
}
