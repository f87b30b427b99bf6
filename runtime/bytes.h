/* bytes.h - bytes that come from somewhere, gathered in a block that grows as they really arrive.
 *
 * Readers of formats take their bytes from a source: a file, memory, a member of an archive.  What
 * a header claims is no reason to allocate: a block starts at a size that the source may well hold
 * and doubles as it fills, so memory stays in proportion to the bytes that are there. */
#ifndef BNN_BYTES_H
#define BNN_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "gzip.h"
#include "status.h"

/* Where bytes come from.  `read` puts the next n of them at `to`; *got < n only at their end. */
typedef struct bnn_source {
  const char *name; /* what errors call it */
  bnn_status (*read)(void *state, void *to, size_t n, size_t *got, bnn_err *err);
  void *state;
  uint64_t size; /* bytes that it has before decompression; 0: not known */
} bnn_source;

/* The source that reads from an open bnn_gzip, which must outlive it. */
bnn_source bnn_source_gzip(bnn_gzip *file);

/* A growing block; starts as {0}, ends with bnn_bytes_free. */
typedef struct bnn_bytes {
  unsigned char *p; /* [room], from bnn_mem; NULL while room is 0 */
  size_t n, room;   /* bytes filled, bytes allocated */
} bnn_bytes;

/* Fills an empty b with the next `wanted` bytes, for which p then has exactly the room; with fewer
 * when the source ends.  `wanted` may be 0: p is a block all the same.  ENOMEM names the source;
 * what reading refuses. */
bnn_status bnn_bytes_read(bnn_bytes *b, const bnn_source *from, size_t wanted, bnn_err *err);

/* Adds n bytes at the end.  ENOMEM. */
bnn_status bnn_bytes_add(bnn_bytes *b, const void *p, size_t n, bnn_err *err);

/* Frees the block and makes b empty. */
void bnn_bytes_free(bnn_bytes *b);

#endif
