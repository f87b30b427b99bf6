/* idx.h - the IDX format of MNIST and similar sets: a tensor in a file, gzip or plain by content.
 *
 * Bytes 0, 0, type, number of dims; the dims, big-endian u32; the elements, big-endian.  Types: 08
 * u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64; i8 and i16 are read as i32.  One to eight dims, none
 * of them 0, and nothing after the last element.
 *
 * Memory: the elements (with those of i8 and i16 beside them while they widen) and 200 kB, and none
 * for what a header claims and the file lacks (see bytes.h).  A compressed file may hold 1032 bytes
 * for each of its own.  Time: linear in what it holds.
 *
 * Errors name the file, what was expected and what it holds.  EIO: the file cannot be opened or
 * read.
 * EDATA: it is not an IDX file.  ENOMEM. */
#ifndef BNN_IDX_H
#define BNN_IDX_H

#include <stddef.h>

#include "../base/status.h"
#include "../tensor/tensor.h"

/* The tensor in a file.  *out: owned by the caller. */
bnn_status bnn_idx_read(bnn_tensor **out, const char *path, bnn_err *err);

/* The same from n bytes in memory; name stands for the path in errors. */
bnn_status bnn_idx_parse(bnn_tensor **out, const void *bytes, size_t n, const char *name,
                         bnn_err *err);

/* The tensor in a plain file of u8, over the file's own bytes, which are read when they are
 * touched: it may be larger than memory.  The mapping lasts as long as the tensor or a view of it;
 * see map.h. EDATA also: gzip, or another type. */
bnn_status bnn_idx_map(bnn_tensor **out, const char *path, bnn_err *err);

/* Images of u8, [n, h, w] or of rank 4, as they are stored, and a label for each, which becomes i32
 * [n]: from [n] or [n, 1] of whole numbers of any type, or from QMNIST's [n, 8] of i32, whose first
 * column is the class.  EDATA also: another rank or type, a label that is not whole, or different
 * counts.  Both outputs are set or neither. */
bnn_status bnn_idx_read_pair(bnn_tensor **images, bnn_tensor **labels, const char *images_path,
                             const char *labels_path, bnn_err *err);

/* Whether all labels, [n] of i32, are classes 0..classes - 1.  ERANGE names the first that is not.
 */
bnn_status bnn_idx_check_labels(const bnn_tensor *labels, size_t classes, const char *labels_path,
                                bnn_err *err);

#endif
