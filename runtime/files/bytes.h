/* bytes.h - bytes that come from somewhere, gathered in a block that grows as they really arrive.
 *
 * Readers of formats take their bytes from a source: a file, memory, a member of an archive.  What
 * a header claims is no reason to allocate.  A source of known size is asked first whether the bytes
 * are there: a plain file by its size, a compressed one that would have to unfold to more than 64
 * times its own (usual data do to 2 to 10) by decompressing it into nothing.  Then they get a block
 * of just their size, whose pages take memory as it fills.  From a pipe a block doubles as it fills,
 * so that memory stays within three times the bytes that came. */
#ifndef BNN_BYTES_H
#define BNN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"
#include "gzip.h"

/* Where bytes come from.  `read` puts the next n of them at `to`; *got < n only at their end. */
typedef struct bnn_source {
  const char *name; /* what errors call it */
  bnn_status (*read)(void *state, void *to, size_t n, size_t *got, bnn_err *err);
  void *state;
  uint64_t size; /* bytes that it has before decompression; 0: not known */
  /* How many bytes are to come, counted up to `most`; NULL with a size of 0. */
  bnn_status (*count)(void *state, uint64_t most, uint64_t *count, bnn_err *err);
  bool plain; /* counting costs nothing */
} bnn_source;

/* The source that reads from an open bnn_gzip, which must outlive it. */
bnn_source bnn_source_gzip(bnn_gzip *file);

/* A growing block; starts as {0}, ends with bnn_bytes_free. */
typedef struct bnn_bytes {
  unsigned char *p; /* [room], from bnn_mem; NULL while room is 0 */
  size_t n, room;   /* bytes filled, bytes allocated */
} bnn_bytes;

/* Fills an empty b with the next `wanted` bytes, for which p then has exactly the room.  `wanted` may
 * be 0: p is a block all the same.  EDATA: "<source> ends after 3 of the 4 bytes that <what> takes".
 * ENOMEM names the source; what reading refuses. */
bnn_status bnn_bytes_read(bnn_bytes *b, const bnn_source *from, size_t wanted, const char *what,
                          bnn_err *err);

/* Adds n bytes at the end.  ENOMEM. */
bnn_status bnn_bytes_add(bnn_bytes *b, const void *p, size_t n, bnn_err *err);

/* Frees the block and makes b empty. */
void bnn_bytes_free(bnn_bytes *b);

#endif
