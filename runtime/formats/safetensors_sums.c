/* safetensors_sums.c - CRC-32 by zlib. */
#include "safetensors_sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { DIGITS = 8, STEP = DIGITS + 1 };

uint32_t bnn_sums_data(uint32_t sum, const void *p, size_t n) {
  return n ? (uint32_t)crc32_z(sum, p, n) : sum; /* zlib takes NULL for a beginning */
}

/* A text with its zero byte, so that what follows cannot seem a part of it. */
static uint32_t add_text(uint32_t sum, const char *text) {
  return bnn_sums_data(sum, text, strlen(text) + 1);
}

static uint32_t add_number(uint32_t sum, uint64_t number) {
  unsigned char byte[8];
  for (int k = 0; k < 8; k++) byte[k] = (unsigned char)(number >> 8 * k);
  return bnn_sums_data(sum, byte, sizeof byte);
}

uint32_t bnn_sums_tensor(const char *name, const char *dtype, size_t rank, const uint64_t *dim,
                         uint64_t begin) {
  uint32_t sum = add_text(add_text(0, name), dtype);
  for (size_t k = 0; k < rank; k++) sum = add_number(sum, dim[k]);
  return add_number(sum, begin);
}

uint32_t bnn_sums_note(const char *key, const char *value, size_t length) {
  return bnn_sums_data(add_text(0, key), value, length);
}

bnn_status bnn_sums_put(bnn_bytes *text, uint32_t sum, bnn_err *err) {
  char word[STEP + 1];
  snprintf(word, sizeof word, " %08" PRIx32, sum);
  return text->n ? bnn_bytes_add(text, word, STEP, err)
                 : bnn_bytes_add(text, word + 1, DIGITS, err);
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool bnn_sums_get(uint32_t *sum, const char *text, size_t length, size_t i, size_t n) {
  const char *word = text + i * STEP;
  if (length + 1 != n * STEP || (i + 1 < n && word[DIGITS] != ' ')) return false;
  uint32_t value = 0;
  for (int k = 0; k < DIGITS; k++) {
    int digit = digit_of(word[k]);
    if (digit < 0) return false;
    value = value << 4 | (uint32_t)digit;
  }
  *sum = value;
  return true;
}
