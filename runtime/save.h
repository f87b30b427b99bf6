/* save.h - a file written whole or not at all.
 *
 * The bytes go to a temporary file beside `path`, which takes its name when all of them are on the
 * disk: who reads the path sees the old contents or the new, and a full disk costs neither.  The
 * folder is synced too, so that this holds when the power goes.  What
 * is no regular file (a pipe, a device, a link) is written in place. */
#ifndef BNN_SAVE_H
#define BNN_SAVE_H

#include <stddef.h>

#include "status.h"

typedef struct bnn_piece {
  const void *p;
  size_t n;
} bnn_piece;

/* Writes the pieces one behind the other.  EIO: the system's word, with the path. */
bnn_status bnn_save(const char *path, const bnn_piece *pieces, size_t count, bnn_err *err);

#endif
