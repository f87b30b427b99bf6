/* file.h - a regular file that is open for reading at any position.
 *
 * It is the file that was opened: another one that takes its name later is not looked at.  What
 * another program writes into it in place is read as it then is; one that is cut short is an error.
 *
 * Errors name the file.  EIO: the system cannot open or read it, or it is not a regular file.
 * EDATA: it ends too early. */
#ifndef BNN_FILE_H
#define BNN_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"

typedef struct bnn_file {
  int fd;        /* -1: closed */
  uint64_t size; /* bytes when it was opened */
} bnn_file;

/* *out: closed by bnn_file_close. */
bnn_status bnn_file_open(bnn_file *out, const char *path, bnn_err *err);

/* The n bytes at a position, which may be beyond the end; name stands for the path in errors. */
bnn_status bnn_file_read(const bnn_file *f, void *to, size_t n, uint64_t position, const char *name,
                         bnn_err *err);

/* Twice is fine. */
void bnn_file_close(bnn_file *f);

#endif
