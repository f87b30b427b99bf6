/* key.c - keys and their derivation.
 *
 * Philox4x32-10 maps a counter of 128 bits to 128 bits under a key of 64.  The counter's third word
 * keeps apart what a key is used for: 0 draws (noise/vec_noise.c), others derive keys, one domain
 * each. */
#include "key.h"

void bnn_philox4x32(uint32_t out[4], const uint32_t c[4], const uint32_t k[2]) {
  uint32_t x0 = c[0], x1 = c[1], x2 = c[2], x3 = c[3], k0 = k[0], k1 = k[1];
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53 * x0, p1 = (uint64_t)0xCD9E8D57 * x2;
    x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
    x1 = (uint32_t)p1;
    x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
    x3 = (uint32_t)p0;
    k0 += 0x9E3779B9; /* the golden ratio */
    k1 += 0xBB67AE85; /* sqrt(3) - 1 */
  }
  out[0] = x0, out[1] = x1, out[2] = x2, out[3] = x3;
}

/* The first 64 bits of Philox for the counter (value, high) under key. */
static uint64_t philox64(uint64_t value, uint64_t high, uint64_t key) {
  const uint32_t c[4] = {(uint32_t)value, (uint32_t)(value >> 32), (uint32_t)high,
                         (uint32_t)(high >> 32)};
  const uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
  uint32_t out[4];
  bnn_philox4x32(out, c, k);
  return out[0] | (uint64_t)out[1] << 32;
}

bnn_key bnn_key_mix(bnn_key key, uint64_t value, uint32_t domain) {
  return (bnn_key){philox64(value, domain, key.bits)};
}

bnn_key bnn_key_new(uint64_t seed) { return bnn_key_mix((bnn_key){0}, seed, BNN_KEY_SEED); }

bnn_key bnn_key_fold(bnn_key key, int64_t number) {
  return bnn_key_mix(key, (uint64_t)number, BNN_KEY_NUMBER);
}

bnn_key bnn_key_fold_name(bnn_key key, const char *name, size_t length) {
  return bnn_key_mix(key, bnn_name_hash(name, length), BNN_KEY_NAME);
}

bnn_key bnn_key_split(bnn_key key, uint64_t i) { return bnn_key_mix(key, i, BNN_KEY_SPLIT); }

/* Eight bytes at a time, the last ones filled up with 0, chained from the length.  The bytes are
 * put together by hand: the same number on big-endian machines. */
uint64_t bnn_name_hash(const char *name, size_t length) {
  uint64_t hash = length;
  for (size_t i = 0; i < length; i += 8) {
    uint64_t word = 0;
    for (size_t j = 0; j < 8 && i + j < length; j++)
      word |= (uint64_t)(unsigned char)name[i + j] << (8 * j);
    hash = philox64(word, hash, BNN_KEY_NAME);
  }
  return hash;
}
