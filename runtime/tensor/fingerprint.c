/* fingerprint.c - see fingerprint.h. */
#include "fingerprint.h"

#include <string.h>

enum { BLOCK_WORDS = 4096, TENSOR_ELEMENTS = 16384 };

static uint64_t fold_word(uint64_t h, uint64_t word) {
  h = bnn_fnv1a(h, word);
  return h ^ h >> 29;
}

static uint64_t fold_double(uint64_t h, double x) {
  uint64_t word;
  memcpy(&word, &x, sizeof word);
  return fold_word(h, word);
}

uint64_t bnn_fingerprint_block(uint64_t h, const void *block, size_t bytes) {
  const size_t words = (bytes + sizeof h - 1) / sizeof h, step = words / BLOCK_WORDS + 1;
  h = bnn_fnv1a(h, bytes);
  for (size_t i = 0; i < words; i += step) {
    uint64_t word = 0;
    const size_t at = i * sizeof word;
    memcpy(&word, (const char *)block + at, bytes - at < sizeof word ? bytes - at : sizeof word);
    h = fold_word(h, word);
  }
  return h;
}

static double element(const bnn_tensor *x, size_t i) {
  return x->dtype == BNN_U64 ? (double)bnn_tensor_get_int(x, i) : bnn_tensor_get(x, i);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

uint64_t bnn_fingerprint_tensor(uint64_t h, const bnn_tensor *x) {
  for (int k = 0; k < x->rank; k++) h = fold_double(h, (double)x->dim[k]);
  if (x->size == 0) return h;
  const size_t n = x->rank > 0 ? x->dim[0] : 1, width = x->size / n;
  const size_t fit = TENSOR_ELEMENTS / width, rows = fit > 0 ? least(n, fit) : 1;
  for (size_t k = 0; k < rows; k++) {
    const size_t first = k * n / rows * width;
    for (size_t i = 0; i < least(width, TENSOR_ELEMENTS); i++)
      h = fold_double(h, element(x, first + i));
  }
  return h;
}

uint64_t bnn_fingerprint_text(uint64_t h, const char *text, size_t length) {
  h = fold_double(h, (double)length);
  for (size_t i = 0; i < length; i++) h = fold_double(h, (unsigned char)text[i]);
  return h;
}
