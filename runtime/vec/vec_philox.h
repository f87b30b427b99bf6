/* vec_philox.h - Philox4x32-10 for 16 counters at a time (Salmon et al., SC 2011).
 *
 * On x86 each word sits in a lane of 64 bits, where one multiplication gives both halves of the
 * product; the upper half of a lane may hold anything, as the multiplication does not look at it.
 * Even counters go into one register and odd ones into another, so that a shift packs them in
 * order.  Elsewhere plain C.  Both are bnn_philox4x32 of key.c, which the tests compare them with.
 */
#ifndef BNN_VEC_PHILOX_H
#define BNN_VEC_PHILOX_H

#include <stdint.h>

#include "../tensor/key.h"

enum { PHILOX_LANES = 16, PHILOX_WORDS = 4 * PHILOX_LANES, PHILOX_ROUNDS = 10 };

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u

/* The round keys of a key. */
typedef struct philox_key {
  uint32_t k[PHILOX_ROUNDS][2];
} philox_key;

static inline philox_key philox_schedule(bnn_key key) {
  philox_key s;
  for (uint32_t i = 0; i < PHILOX_ROUNDS; i++) {
    s.k[i][0] = (uint32_t)key.bits + i * 0x9E3779B9u;
    s.k[i][1] = (uint32_t)(key.bits >> 32) + i * 0xBB67AE85u;
  }
  return s;
}

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512i philox_v;
#define PV(op) _mm512_##op
#define PV_SI(op) _mm512_##op##_si512
#define PV_SET64 _mm512_set1_epi64
#define PV_EVEN _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0)
#define PV_XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#elif defined(__AVX2__)
#include <immintrin.h>
typedef __m256i philox_v;
#define PV(op) _mm256_##op
#define PV_SI(op) _mm256_##op##_si256
#define PV_SET64 _mm256_set1_epi64x
#define PV_EVEN _mm256_set_epi64x(6, 4, 2, 0)
#define PV_XOR3(a, b, c) PV_SI (xor)(a, PV_SI(xor)(b, c))
#elif defined(__SSE2__)
#include <emmintrin.h>
typedef __m128i philox_v;
#define PV(op) _mm_##op
#define PV_SI(op) _mm_##op##_si128
#define PV_SET64 _mm_set1_epi64x
#define PV_EVEN _mm_set_epi64x(2, 0)
#define PV_XOR3(a, b, c) PV_SI (xor)(a, PV_SI(xor)(b, c))
#endif

#ifdef PV

enum { PHILOX_GROUP = sizeof(philox_v) / 4 }; /* counters in a pair of registers */

static inline void philox_round(philox_v x[4], philox_v k0, philox_v k1) {
  philox_v p0 = PV(mul_epu32)(x[0], PV(set1_epi32)((int)PHILOX_M0));
  philox_v p1 = PV(mul_epu32)(x[2], PV(set1_epi32)((int)PHILOX_M1));
  x[0] = PV_XOR3(PV(srli_epi64)(p1, 32), x[1], k0);
  x[1] = p1;
  x[2] = PV_XOR3(PV(srli_epi64)(p0, 32), x[3], k1);
  x[3] = p0;
}

static inline void philox_counters(philox_v x[4], uint64_t first) {
  x[0] = PV_SI(or)(PV_SET64((long long)first), PV_EVEN);
  x[1] = PV_SET64((long long)(first >> 32));
  x[2] = x[3] = PV_SET64(0);
}

static inline philox_v philox_pack(philox_v even, philox_v odd) {
  philox_v low = PV_SI(and)(even, PV_SET64(0xffffffff));
  return PV_SI(or)(low, PV(slli_epi64)(odd, 32));
}

/* out[16 j + l] = word j of Philox for the counter 16 block + l.  out is aligned to 64 bytes. */
static inline void philox_block(uint32_t *out, const philox_key *key, uint64_t block) {
  for (unsigned l = 0; l < PHILOX_LANES; l += PHILOX_GROUP) {
    philox_v a[4], b[4];
    philox_counters(a, block * PHILOX_LANES + l);
    philox_counters(b, (block * PHILOX_LANES + l) | 1);
    for (int i = 0; i < PHILOX_ROUNDS; i++) {
      philox_v k0 = PV(set1_epi32)((int)key->k[i][0]);
      philox_v k1 = PV(set1_epi32)((int)key->k[i][1]);
      philox_round(a, k0, k1);
      philox_round(b, k0, k1);
    }
    for (unsigned j = 0; j < 4; j++)
      PV_SI(store)((void *)(out + PHILOX_LANES * j + l), philox_pack(a[j], b[j]));
  }
}

#else

/* out[16 j + l] = word j of Philox for the counter 16 block + l. */
static inline void philox_block(uint32_t *out, const philox_key *key, uint64_t block) {
  uint32_t x[4][PHILOX_LANES];
  for (unsigned l = 0; l < PHILOX_LANES; l++) {
    x[0][l] = (uint32_t)(block * PHILOX_LANES + l);
    x[1][l] = (uint32_t)((block * PHILOX_LANES) >> 32);
    x[2][l] = x[3][l] = 0;
  }
  for (int i = 0; i < PHILOX_ROUNDS; i++) {
    uint32_t k0 = key->k[i][0], k1 = key->k[i][1];
    for (unsigned l = 0; l < PHILOX_LANES; l++) {
      uint64_t p0 = (uint64_t)PHILOX_M0 * x[0][l], p1 = (uint64_t)PHILOX_M1 * x[2][l];
      x[0][l] = (uint32_t)(p1 >> 32) ^ x[1][l] ^ k0;
      x[1][l] = (uint32_t)p1;
      x[2][l] = (uint32_t)(p0 >> 32) ^ x[3][l] ^ k1;
      x[3][l] = (uint32_t)p0;
    }
  }
  for (unsigned j = 0; j < 4; j++)
    for (unsigned l = 0; l < PHILOX_LANES; l++) out[PHILOX_LANES * j + l] = x[j][l];
}

#endif

#endif
