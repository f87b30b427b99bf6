/* blas_buffers.h - how many calls may be inside OpenBLAS at once, by the buffers that it has.
 *
 * Each call takes a buffer for as long as it runs.  When all are taken the library maps another, and
 * where that fails it tries again for ever; with more of them than it was built for it prints, then
 * ends the program.  So it is made to map them here, one at a time, after a look whether the address
 * space has room; a call that finds no buffer waits for another call to end.  A buffer costs address
 * space only, until it is used. */
#ifndef BNN_BLAS_BUFFERS_H
#define BNN_BLAS_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>

enum { BNN_BLAS_BUFFERS_MAX = 256 };

/* What a buffer takes in OpenBLAS 0.3: 128 MiB, on POWER the double. */
#ifdef __powerpc64__
#define BNN_BLAS_BUFFER_BYTES ((size_t)256 << 20)
#else
#define BNN_BLAS_BUFFER_BYTES ((size_t)128 << 20)
#endif

/* Whether the address space has room for so many bytes now. */
bool bnn_blas_has_room(size_t bytes);

/* The library's buffers: take and give are its functions (NULL, NULL: they cannot be had ahead), at
 * most `most` of them.  False, and nothing held, when there is no room for the first.  Not while
 * anybody is inside. */
bool bnn_blas_buffers_open(void *(*take)(int), void (*give)(void *), int most);

/* Around each call into the library, on the calling thread. */
void bnn_blas_enter(void);
void bnn_blas_leave(void);

#endif
