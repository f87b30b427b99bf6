/* mem.h - the only allocator of the runtime.
 *
 * Blocks are aligned to 64 bytes (a cache line, and the widest vector).  The counters are the only
 * mutable process-wide state of the runtime; they are atomic, so any thread may allocate. */
#ifndef BNN_MEM_H
#define BNN_MEM_H

#include <stddef.h>

enum { BNN_MEM_ALIGN = 64 };

/* `count * size` bytes, not cleared; NULL if that overflows or memory is exhausted.  A count or
 * size of 0 gives a distinct block that is freed like any other. */
void *bnn_mem_alloc(size_t count, size_t size);

/* The same, filled with zero bytes. */
void *bnn_mem_zalloc(size_t count, size_t size);

/* Frees a block; NULL is allowed. */
void bnn_mem_free(void *block);

/* Blocks and bytes that are alive now, and the peak of bytes. */
size_t bnn_mem_live(void);
size_t bnn_mem_bytes(void);
size_t bnn_mem_peak(void);

/* For tests: the n-th allocation from now (1 is the next) returns NULL, once; 0 disarms it.
 * Returns how many allocations were left before the last armed failure (0: it happened). */
size_t bnn_mem_fail_nth(size_t n);

#endif
