/* npy.h - NumPy's .npy format: a tensor in a file.
 *
 * Read: versions 1.0, 2.0 and 3.0, C and Fortran order, either byte order, plain or inside gzip.
 * What we have no type for widens without loss: bool is read as u8 (0 and 1), i1, i2 and u2 as i32,
 * u4 as i64, f2 as f32.  Python objects (pickle), text, dates, complex numbers, long doubles and
 * structured types are errors.  Bytes after the elements are left unread.
 * Written: version 1.0 in C order, byte for byte what numpy.save writes.
 *
 * Memory: the elements (with a second copy while they widen or leave Fortran order) and 200 kB, and
 * none for what a header claims and the file lacks (see bytes.h).  A compressed file may hold 1032
 * bytes for each of its own.  A header has at most 10,000 characters.  Time: linear in what it holds.
 *
 * Errors name the file, what was expected and what it holds.  EIO: it cannot be opened, read or
 * written.  EDATA: it is not such a file.  ENOMEM. */
#ifndef BNN_NPY_H
#define BNN_NPY_H

#include <stddef.h>

#include "../base/status.h"
#include "../files/bytes.h"
#include "../tensor/tensor.h"

/* The tensor in a file.  *out: owned by the caller. */
bnn_status bnn_npy_read(bnn_tensor **out, const char *path, bnn_err *err);

/* The same from n bytes in memory; name stands for the path in errors. */
bnn_status bnn_npy_parse(bnn_tensor **out, const void *bytes, size_t n, const char *name,
                         bnn_err *err);

/* The next tensor of a source, of which not one byte more is read.  ETYPE: its elements are of a type
 * that no tensor holds, such as text; what follows its header has not been read. */
bnn_status bnn_npy_next(bnn_tensor **out, const bnn_source *from, bnn_err *err);

/* The tensor in a plain file, over the file's own bytes, which are read when they are touched: it
 * may be larger than memory.  The mapping lasts as long as the tensor or a view of it; see map.h.
 * EDATA also: what would have to be converted first (gzip, another byte order, Fortran order, a
 * type that widens). */
bnn_status bnn_npy_map(bnn_tensor **out, const char *path, bnn_err *err);

/* Writes x, which may be strided, whole or not at all. */
bnn_status bnn_npy_write(const char *path, const bnn_tensor *x, bnn_err *err);

/* What stands in front of the elements of a tensor like x; returns its length, a multiple of 64. */
enum { BNN_NPY_HEADER = 512 };
size_t bnn_npy_header(char header[BNN_NPY_HEADER], const bnn_tensor *x);

#endif
