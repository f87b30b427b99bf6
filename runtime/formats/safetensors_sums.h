/* safetensors_sums.h - the checksums of a safetensors file, as safetensors.h describes them.
 *
 * The sum of a header is that of the CRC-32 of its parts, modulo 2^32: a change in one part changes
 * it, and a program that writes the same header in another order does not. */
#ifndef BNN_SAFETENSORS_SUMS_H
#define BNN_SAFETENSORS_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"
#include "../files/bytes.h"

/* The parts of a header: a tensor whose elements begin `begin` bytes after the header, and an entry
 * of the metadata. */
uint32_t bnn_sums_tensor(const char *name, const char *dtype, size_t rank, const uint64_t *dim,
                         uint64_t begin);
uint32_t bnn_sums_note(const char *key, const char *value, size_t length);

/* The CRC-32 of elements, which starts from 0 and goes on from `sum`. */
uint32_t bnn_sums_data(uint32_t sum, const void *p, size_t n);

/* The text in the metadata, piece by piece: each adds 8 digits, and a blank before all but the
 * first.  ENOMEM. */
bnn_status bnn_sums_put(bnn_bytes *text, uint32_t sum, bnn_err *err);

/* Sum i, from 0, of a text; false when the text is not that of n sums. */
bool bnn_sums_get(uint32_t *sum, const char *text, size_t length, size_t i, size_t n);

#endif
