/* map.h - a file's bytes as memory, read from the disk when they are touched.
 *
 * What is written to them changes this process's copy of a page and never the file.  A file that
 * another program cuts short while it is mapped ends the program (SIGBUS) when the missing part is
 * touched. */
#ifndef BNN_MAP_H
#define BNN_MAP_H

#include <stddef.h>

#include "status.h"

typedef struct bnn_map {
  unsigned char *p; /* [n] */
  size_t n;
} bnn_map;

/* Maps a regular file that is not empty and not gzip's.  *out: closed by bnn_map_close.
 * EIO: the system can not.  EDATA: it is empty or compressed.  ENOMEM. */
bnn_status bnn_map_open(bnn_map **out, const char *path, bnn_err *err);

/* The same for a format whose files may begin as gzip's do. */
bnn_status bnn_map_open_any(bnn_map **out, const char *path, bnn_err *err);

/* Takes a bnn_map; NULL is allowed.  A tensor's `release` may be this. */
void bnn_map_close(void *map);

#endif
