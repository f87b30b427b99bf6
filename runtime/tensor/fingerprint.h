/* fingerprint.h - 64-bit hashes that tell data apart.
 *
 * The step is that of FNV-1a, by Fowler, Noll and Vo (RFC 9923, "The FNV Non-Cryptographic Hash
 * Algorithm", https://www.rfc-editor.org/rfc/rfc9923):
 *
 *   h = (h xor x) * 0x100000001b3, from h = 0xcbf29ce484222325
 *
 * Over octets x this is FNV-1a.  Here x is a word of 64 bits, and h = h xor (h >> 29) follows: the
 * product alone never moves a high bit down.  It finds mistakes, not attacks.
 *
 * Each function folds something into h and returns the result.  Checkpoints hold fingerprints of
 * tensors and texts: what these fold, and in which order, never changes. */
#ifndef BNN_FINGERPRINT_H
#define BNN_FINGERPRINT_H

#include <stdint.h>

#include "tensor.h"

#define BNN_FINGERPRINT_START UINT64_C(0xcbf29ce484222325)

/* One step of FNV-1a. */
static inline uint64_t bnn_fnv1a(uint64_t h, uint64_t x) {
  return (h ^ x) * UINT64_C(0x100000001b3);
}

/* The size and up to 4096 words of a block, evenly spread: for blocks that differ nearly everywhere
 * if they differ at all, as parameters before and after a step do.  The words are in the machine's
 * byte order. */
uint64_t bnn_fingerprint_block(uint64_t h, const void *block, size_t bytes);

/* The shape of x [n, ...] and up to 16384 elements: whole rows at even distances if a row has no
 * more, else the beginning of row 1.  Each as the bits of a double, so that neither the dtype nor
 * the strides matter; u64 counts as i64. */
uint64_t bnn_fingerprint_tensor(uint64_t h, const bnn_tensor *x);

/* The length of a text, and its octets, each as the bits of a double. */
uint64_t bnn_fingerprint_text(uint64_t h, const char *text, size_t length);

#endif
