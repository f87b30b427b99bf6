/* safetensors.h - tensors by name in a file that other programs read too, Python's safetensors
 * above all.  Needs jansson; in a build without it, and on a big-endian machine, all functions that
 * return a status fail with EIO.
 *
 *   8 bytes   N, little-endian
 *   N bytes   a JSON object: name -> {"dtype", "shape", "data_offsets" = [begin, end)}, and
 *             optionally "__metadata__": string -> string
 *   the rest  the elements, row-major and little-endian, without gaps
 *
 * Read: the header is checked as a whole before anything else is touched; a tensor is read
 * on demand, as a copy.  U8, I32, I64, U64, F32 and F64 are read
 * unchanged.  Types that we lack widen without loss: BOOL (as 0 and 1), I8, I16 and U16 to i32, U32
 * to i64, F16 and BF16 to f32.  C64 and the floats of 8, 6 and 4 bits are listed and cannot be
 * read. A header has at most 10^8 bytes, as the reference reader allows, at most 2^20 metadata and
 * 64 dims for a tensor.  Reading it takes at most 10 bytes of memory for each of its bytes and 1
 * MB, whatever it holds, and time n log n in its entries.
 * Written: what the format's reference writer writes, byte for byte but for the order of metadata
 * and, unless omitted, the checksums.
 *
 * Checksums: the metadata "bnn.crc32" hold n + 1 CRC-32 in 8 hexadecimal digits each, with blanks
 * between them: one that covers names, types, shapes, places and all other metadata, then one for
 * the elements of each tensor in the order of the file.  The first is checked when a file is
 * opened, the others when a tensor is read; files without them are taken as they are.  CRC-32
 * finds every error of up to 32 bits in a row and all but one in 4e9 of the others, and zlib is
 * always here; against deliberate changes neither it nor a SHA-256 beside the data would
 * help.  Measured on a Xeon of 2024: 30 ms for 100 MB when saving, 40 when loading, block by block
 * with the copy (SHA-256, with its instructions: 75).
 *
 * Errors name the file, the tensor and what is wrong.  EIO: the system cannot open or write the
 * file.
 * EDATA: it is not a safetensors file.  ENOMEM. */
#ifndef BNN_SAFETENSORS_H
#define BNN_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"
#include "../files/file.h"
#include "../tensor/tensor.h"

#define BNN_SAFETENSORS_SUMS "bnn.crc32"

typedef struct bnn_safetensors_entry {
  const char *name;       /* UTF-8 */
  const char *dtype;      /* as the format calls it: "BF16" */
  bnn_dtype as;           /* what it is read as; BNN_DTYPE_COUNT: cannot be read */
  size_t rank;            /* may be above BNN_RANK_MAX, which cannot be read */
  const uint64_t *dim;    /* [rank] */
  uint64_t offset, bytes; /* of its elements, in the file */
  bool has_sum;
  uint32_t sum; /* the CRC-32 that its elements should have */
} bnn_safetensors_entry;

typedef struct bnn_safetensors_note {
  const char *key;   /* UTF-8, as the value is */
  const char *value; /* [length], then a zero byte; may hold zero bytes */
  size_t length;
} bnn_safetensors_note;

/* An open file.  It owns all that it points to; to be read only. */
typedef struct bnn_safetensors {
  size_t n, n_notes;
  bnn_safetensors_entry *entry; /* [n], sorted by name */
  bnn_safetensors_note *note;   /* [n_notes], sorted by key: the metadata without the checksums */
  const char *path;             /* for errors */
  bnn_tensor *bytes;            /* u8: the whole file, mapped or in memory; NULL: it is in `file` */
  bnn_file file;
  uint64_t *dims;
  char *text;
} bnn_safetensors;

typedef struct bnn_safetensors_options {
  bool map;       /* tensors over the mapped file where that is possible, see map.h; their elements
                     are not looked at, so not held against their checksums */
  bool unchecked; /* ignores checksums: to recover data from a damaged file */
} bnn_safetensors_options;

/* Opens a file.  how: NULL for neither.  *out: closed by bnn_safetensors_close. */
bnn_status bnn_safetensors_open(bnn_safetensors **out, const char *path,
                                const bnn_safetensors_options *how, bnn_err *err);

/* The same from n bytes in memory, of which a copy is made; name stands for the path in errors. */
bnn_status bnn_safetensors_parse(bnn_safetensors **out, const void *bytes, size_t n,
                                 const char *name, bnn_err *err);

/* NULL is allowed.  Tensors that were read stay valid. */
void bnn_safetensors_close(bnn_safetensors *f);

/* The entry of that name; NULL if there is none. */
const bnn_safetensors_entry *bnn_safetensors_find(const bnn_safetensors *f, const char *name);

/* The tensor of an entry of f.  *out: owned by the caller; a copy, or over the bytes of a file
 * that is mapped or in memory (x->release is set then; writes to it stay out of the file).  EDATA:
 * its elements do not have their checksum, or the file was cut short.  ETYPE: its dtype cannot be
 * read.
 * ESHAPE: it has more dimensions than BNN_RANK_MAX, or sizes beyond memory. */
bnn_status bnn_safetensors_tensor(bnn_tensor **out, const bnn_safetensors *f,
                                  const bnn_safetensors_entry *e, bnn_err *err);

/* Writes n tensors, which may be strided, under names that differ, metadata in the given
 * order, and checksums, atomically.  ERANGE: an invalid name, key or value (not UTF-8, repeated, a
 * name "__metadata__", a key "bnn.crc32"), or the header would be longer than readers take.
 */
bnn_status bnn_safetensors_save(const char *path, size_t n, const char *const *name,
                                bnn_tensor *const *x, size_t n_notes,
                                const bnn_safetensors_note *note, bool checksums, bnn_err *err);

/* jansson's version; NULL in a build without it. */
const char *bnn_safetensors_version(void);

#endif
