/* blas_buffers.c - see blas_buffers.h.
 *
 * `inside` counts the calls and `open` the buffers that are sure; who gets in by comparing the two
 * pays one atomic operation.  To make one more, the door is shut (open = 0), and when the last call
 * has left, all known buffers and the new one are taken together and given back: the library hands
 * out the first that is free, so nothing less makes it map another. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include "blas_buffers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* What else may be mapped between the look and the library's turn: a thread's stack and arena. */
#define SLACK_BYTES ((size_t)8 << 20)

static struct {
  atomic_int inside, open, waiting;
  int count, most; /* buffers that are there; that there may be */
  void *(*take)(int);
  void (*give)(void *);
  bool growing; /* a thread is about to make another */
  pthread_mutex_t lock;
  pthread_cond_t changed;
} door = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

bool bnn_blas_has_room(size_t bytes) {
  void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return false;
  munmap(place, bytes);
  return true;
}

/* ---- making buffers ---- */

/* Makes the library have n buffers, of which it has n - 1; nobody is inside. */
static bool map_buffers(int n) {
  void *held[BNN_BLAS_BUFFERS_MAX];
  if (!bnn_blas_has_room(BNN_BLAS_BUFFER_BYTES + SLACK_BYTES)) return false;
  for (int i = 0; i < n; i++) held[i] = door.take(0);
  for (int i = 0; i < n; i++) door.give(held[i]);
  return true;
}

/* Threads of a parent are not here to leave, nor to unlock; the buffers they held stay taken. */
static void forget_parent(void) {
  pthread_mutex_init(&door.lock, NULL);
  pthread_cond_init(&door.changed, NULL);
  door.growing = false;
  atomic_store(&door.waiting, 0);
  atomic_store(&door.inside, 0);
  atomic_store(&door.open, door.count);
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_parent); }

bool bnn_blas_buffers_open(void *(*take)(int), void (*give)(void *), int most) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch_forks);
  door.most = most < BNN_BLAS_BUFFERS_MAX ? most : BNN_BLAS_BUFFERS_MAX;
  door.take = take;
  door.give = give;
  door.count = take ? 1 : door.most;
  if (take && !map_buffers(1)) return false;
  atomic_store(&door.open, door.count);
  return true;
}

/* With the lock, which it gives up while it waits. */
static void grow(void) {
  door.growing = true;
  atomic_store(&door.open, 0);
  while (atomic_load(&door.inside) > 0) pthread_cond_wait(&door.changed, &door.lock);
  if (map_buffers(door.count + 1))
    door.count++;
  else
    door.most = door.count; /* and those inside are waited for from now on */
  atomic_store(&door.open, door.count);
  door.growing = false;
  pthread_cond_broadcast(&door.changed);
}

/* ---- the door ---- */

static bool try_enter(void) {
  int n = atomic_load(&door.inside);
  while (n < atomic_load(&door.open))
    if (atomic_compare_exchange_weak(&door.inside, &n, n + 1)) return true;
  return false;
}

/* Who waits says so before it looks again, and who leaves goes before it looks for waiters: one of
 * the two sees the other. */
static void wait_and_enter(void) {
  pthread_mutex_lock(&door.lock);
  atomic_fetch_add(&door.waiting, 1);
  while (door.growing || !try_enter())
    if (!door.growing && door.count < door.most)
      grow();
    else
      pthread_cond_wait(&door.changed, &door.lock);
  atomic_fetch_sub(&door.waiting, 1);
  pthread_mutex_unlock(&door.lock);
}

/* The door may have been shut between the look at it and the step through it. */
void bnn_blas_enter(void) {
  if (try_enter()) {
    if (atomic_load(&door.open) > 0) return;
    bnn_blas_leave();
  }
  wait_and_enter();
}

void bnn_blas_leave(void) {
  atomic_fetch_sub(&door.inside, 1);
  if (atomic_load(&door.waiting) == 0) return;
  pthread_mutex_lock(&door.lock);
  pthread_mutex_unlock(&door.lock);
  pthread_cond_broadcast(&door.changed);
}
