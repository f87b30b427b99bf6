/* map.h - a file's bytes as memory, read from the disk when they are touched.
 *
 * What is written to them changes this process's copy of a page and never the file.
 *
 * A file that another program cuts short while it is mapped would end this one (SIGBUS) when the
 * missing part is touched.  So the first mapping of a process installs a handler for that signal,
 * which puts zeros there and notes the cut: readers of mapped memory ask bnn_map_cut before
 * the results count, which says which file it was.  Signals that are not about a mapping of ours go
 * to the handler that was there before.  Threads that touch mappings must not block SIGBUS.
 * A file that is written to in place shows its new bytes, at once or never: before reading
 * call bnn_map_check, which sees that its size or time of modification is another.  (A file that is
 * replaced by another of its name stays as it was.) */
#ifndef BNN_MAP_H
#define BNN_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/status.h"
#include "../tensor/tensor.h"

typedef struct bnn_map {
  unsigned char *p; /* [n] */
  size_t n;
  struct bnn_map_guard *guard; /* map.c's own */
} bnn_map;

/* Maps a regular file that is not empty and not gzip's; keeps a descriptor of it.  *out: closed by
 * bnn_map_close.  EIO: the system cannot, or BNN_MAPS_MAX are open.  EDATA: it is empty or
 * compressed.  ENOMEM. */
enum { BNN_MAPS_MAX = 4096 };
bnn_status bnn_map_open(bnn_map **out, const char *path, bnn_err *err);

/* The same for a format whose files may begin as gzip's do. */
bnn_status bnn_map_open_any(bnn_map **out, const char *path, bnn_err *err);

/* Another owner of the map, which is closed by the last one; returns it. */
bnn_map *bnn_map_ref(bnn_map *map);

/* Takes a bnn_map; NULL is allowed.  The `release` of every tensor over a map is this, which is how
 * bnn_map_check knows them. */
void bnn_map_close(void *map);

/* EDATA, with the file's name: x, or what it is a view of, lies over a map whose file has changed.
 * Costs a call of the system for these, and nothing for other tensors. */
bnn_status bnn_map_check(const bnn_tensor *x, bnn_err *err);

/* EDATA, with the file's name: the missing part of a file was touched since bnn_map_forget_cut, so
 * what was read may be zeros. */
bnn_status bnn_map_cut(bnn_err *err);
bool bnn_map_is_cut(void); /* may be called from a signal handler */
void bnn_map_forget_cut(void);

/* `alarm` is called by the handler, in the thread that touched the missing part, and again where
 * somebody sends SIGBUS to a thread while a cut is noted: it must be async-signal-safe.  NULL takes
 * it back. */
void bnn_map_on_cut(void (*alarm)(void));

#endif
