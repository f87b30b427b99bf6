/* npz.h - NumPy's .npz format: tensors by name, each an .npy file in a ZIP archive.  Needs libzip;
 * in a build without it all functions fail, with EIO and a word.
 *
 * Members are stored or deflated; CRC-32 and sizes are checked.  What is no array of numbers (text,
 * Python objects, a README, a folder) is skipped and listed.  Refused: arrays that are encrypted,
 * compressed by another method, there twice or have bytes after them, and archives whose arrays
 * claim more bytes than the file has or than deflate can make of them (1032 for one).  Nothing is
 * unpacked, so a name may hold anything but control characters: layer:0, ../a, C:\a.
 *
 * Memory: the arrays, as npy.h has it, of which all together may hold 1032 bytes for each of the
 * archive's, as no two share bytes of it; 800 bytes for each member; and 1 MB.  An array that claims
 * more than 64 times its packed size is unpacked into nothing before.  Time: linear in what it holds.
 *
 * Errors name the file, the member and what is wrong.  EIO: the system cannot open, read or write
 * it.  EDATA: it is not such a file.  ENOMEM. */
#ifndef BNN_NPZ_H
#define BNN_NPZ_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/status.h"
#include "../tensor/tensor.h"

/* A member that is no array of numbers. */
typedef struct bnn_npz_skipped {
  char *name; /* as in the archive, so with any ".npy" */
  char *why;  /* "expected b1, ..., got '<U3', text" */
} bnn_npz_skipped;

/* The tensors of an archive in its order.  It owns them and their names, which lack the ".npy". */
typedef struct bnn_npz {
  size_t n;
  char **name;    /* [n] */
  bnn_tensor **x; /* [n] */
  size_t n_skipped;
  bnn_npz_skipped *skipped; /* [n_skipped] */
} bnn_npz;

/* The tensors of a file: all of them, or with n_wanted > 0 those of these names alone.  *out: freed
 * by bnn_npz_free.  EDATA also: there is none; a wanted one is missing or is no array of numbers. */
bnn_status bnn_npz_read(bnn_npz **out, const char *path, const char *const *wanted, size_t n_wanted,
                        bnn_err *err);

/* The same from n bytes in memory; name stands for the path in errors. */
bnn_status bnn_npz_parse(bnn_npz **out, const void *bytes, size_t n, const char *name,
                         const char *const *wanted, size_t n_wanted, bnn_err *err);

/* NULL is allowed. */
void bnn_npz_free(bnn_npz *z);

/* Writes n > 0 tensors under names that are not empty and differ; the same bytes for the same
 * tensors.  The file appears whole or not at all.  ERANGE: a name will not do. */
bnn_status bnn_npz_write(const char *path, size_t n, const char *const *name, bnn_tensor *const *x,
                         bool compressed, bnn_err *err);

/* libzip's version; NULL in a build without it. */
const char *bnn_npz_version(void);

#endif
