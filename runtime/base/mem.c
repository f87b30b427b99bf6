/* mem.c - aligned blocks with a header that remembers their size, and counters over them.
 *
 * Large blocks, such as data sets and the posteriors of wide networks, ask the kernel for huge
 * pages: rows of a batch lie anywhere in them, and each costs the walk through a page table. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* madvise */
#endif
#include "mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

typedef struct mem_header {
  size_t bytes;
} mem_header;

_Static_assert(sizeof(mem_header) <= BNN_MEM_ALIGN, "the header fits before the aligned block");

static atomic_size_t live, bytes_live, bytes_peak, fail_countdown;

/* True once, when the armed countdown reaches its end. */
static int mem_must_fail(void) {
  size_t n = atomic_load(&fail_countdown);
  while (n != 0)
    if (atomic_compare_exchange_weak(&fail_countdown, &n, n - 1)) return n == 1;
  return 0;
}

static void mem_count(size_t bytes) {
  atomic_fetch_add(&live, 1);
  size_t now = atomic_fetch_add(&bytes_live, bytes) + bytes, peak = atomic_load(&bytes_peak);
  while (now > peak && !atomic_compare_exchange_weak(&bytes_peak, &peak, now)) {
  }
}

/* Memory for `bytes` bytes, or NULL.  Whether pages are huge is the kernel's choice and shows in
 * nothing but speed. */
static char *mem_ask(size_t bytes) {
  if (bytes < HUGE_PAGE) return aligned_alloc(BNN_MEM_ALIGN, bytes);
  void *base;
  if (posix_memalign(&base, HUGE_PAGE, bytes) != 0) return NULL;
#ifdef MADV_HUGEPAGE
  madvise(base, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
  return base;
}

void *bnn_mem_alloc(size_t count, size_t size) {
  if (size != 0 && count > (SIZE_MAX - 3 * BNN_MEM_ALIGN) / size) return NULL;
  if (mem_must_fail()) return NULL;
  size_t bytes = count * size;
  /* header, bytes, and at least one byte more: a block of 0 bytes lies inside its allocation too */
  size_t whole = (bytes / BNN_MEM_ALIGN + 2) * BNN_MEM_ALIGN;
  char *base = mem_ask(whole);
  if (!base) return NULL;
  ((mem_header *)(void *)base)->bytes = bytes;
  mem_count(bytes);
  return base + BNN_MEM_ALIGN;
}

void *bnn_mem_zalloc(size_t count, size_t size) {
  void *block = bnn_mem_alloc(count, size);
  if (block) memset(block, 0, count * size);
  return block;
}

void bnn_mem_free(void *block) {
  if (!block) return;
  char *base = (char *)block - BNN_MEM_ALIGN;
  atomic_fetch_sub(&live, 1);
  atomic_fetch_sub(&bytes_live, ((mem_header *)(void *)base)->bytes);
  free(base);
}

size_t bnn_mem_live(void) { return atomic_load(&live); }
size_t bnn_mem_bytes(void) { return atomic_load(&bytes_live); }
size_t bnn_mem_peak(void) { return atomic_load(&bytes_peak); }
size_t bnn_mem_fail_nth(size_t n) { return atomic_exchange(&fail_countdown, n); }
