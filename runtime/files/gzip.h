/* gzip.h - reading a file, or bytes in memory, that may be compressed by gzip.
 *
 * What starts with 1f 8b is gzip, whatever its name; all else is passed on as it is.  Several gzip
 * members in a row are their contents in a row; zero bytes from the last one to the end are ignored.
 * Memory: a buffer and zlib's window, whatever the size of the data.
 *
 * Errors name the source.  EIO: the system cannot open or read it.  EDATA: a gzip stream that is
 * cut short, damaged (its CRC-32 and length are checked at each member's end), or followed by
 * something else.  ESTOP: a stop was asked for (base/stop.h).  ENOMEM. */
#ifndef BNN_GZIP_H
#define BNN_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"

typedef struct bnn_gzip bnn_gzip;

/* Opens a file.  *out: closed by bnn_gzip_close. */
bnn_status bnn_gzip_open(bnn_gzip **out, const char *path, bnn_err *err);

/* The same over n bytes, which must outlive *out; name stands in errors and must too. */
bnn_status bnn_gzip_memory(bnn_gzip **out, const void *bytes, size_t n, const char *name,
                           bnn_err *err);

/* Closes the file and frees; NULL is allowed. */
void bnn_gzip_close(bnn_gzip *source);

/* The next n bytes into `to`.  *got < n only when the data end there and all checks have passed. */
bnn_status bnn_gzip_read(bnn_gzip *source, void *to, size_t n, size_t *got, bnn_err *err);

/* How many bytes are still to come, counted up to `most`.  A compressed source is decompressed into
 * nothing for that, and refused where reading would refuse it; it goes on from where it was.  A pipe,
 * which cannot go back, gives `most`. */
bnn_status bnn_gzip_count(bnn_gzip *source, uint64_t most, uint64_t *count, bnn_err *err);

/* Bytes that the source has before decompression; 0 when that is not known (a pipe). */
uint64_t bnn_gzip_size(const bnn_gzip *source);

bool bnn_gzip_is_compressed(const bnn_gzip *source);

/* What errors call the source: the end of its path when that is very long. */
const char *bnn_gzip_name(const bnn_gzip *source);

#endif
