/* vec_noise.c - noise as a pure function of key and element: bits, uniforms, normals.
 *
 * A block is Philox's 64 words for 16 counters; word j of lane l makes element 16 j + l, so that
 * every step works on whole vectors.  Normals are made from pairs of words (Box & Muller 1958).
 *
 * The same bits on every processor, compiler and build: float arithmetic by IEEE's basic operations
 * only, compiled with -ffp-contract=off; the double build widens the floats.  Integers become
 * floats by conversion from int32_t, which rounds to nearest and which every instruction set has.
 */
#include "../vec/vec_math.h"
#include "../vec/vec_philox.h"
#include "../vec/vec_rows.h"

enum { BLOCK = PHILOX_WORDS, CHUNK = 16 }; /* blocks made at a time: words and values fit L1 */

/* [0, 1) by the upper 24 bits. */
BNN_KERNEL uniforms(float *restrict out, const uint32_t *restrict w, size_t blocks) {
  for (size_t i = 0; i < blocks * BLOCK; i++) out[i] = (float)(int32_t)(w[i] >> 8) * 0x1p-24f;
}

/* +1 or -1 by the uppermost bit. */
BNN_KERNEL rademachers(float *restrict out, const uint32_t *restrict w, size_t blocks) {
  for (size_t i = 0; i < blocks * BLOCK; i++) out[i] = vm_float(0x3f800000 | (w[i] & 0x80000000));
}

/* sqrt(-2 log u) for u = k / 2^31, k the odd number of w's upper 31 bits: the middle of one of 2^30
 * equal cells, so the largest is sqrt(62 log 2) = 6.556.  With k = m 2^e, m in [sqrt(1/2),
 * sqrt(2)): -2 log u = 2 log 2 (31 - e) - 2 log m; relative error 3e-7. */
static inline float radius(uint32_t w) {
  uint32_t i = vm_bits((float)(int32_t)(w >> 1 | 1)) - 0x3f3504f3; /* the bits of sqrt(1/2) */
  float e = (float)(31 - ((int32_t)i >> 23));
  float f = vm_float((i & 0x7fffff) + 0x3f3504f3) - 1;
  float q = 0x1.9e329cp-3f;
  q = q * f - 0x1.4c371cp-2f;
  q = q * f + 0x1.613e34p-2f;
  q = q * f - 0x1.978df6p-2f;
  q = q * f + 0x1.ff63acp-2f;
  q = q * f - 0x1.5559e6p-1f;
  q = q * f + 0x1.000078p+0f;
  q = q * f - 0x1.fffffep+0f;
  return sqrtf(e * 0x1.62e43p+0f + f * q);
}

/* Two normals from two words: the radius from a, the angle from b.  b's lower 30 bits turn by phi
 * in
 * (-pi/4, pi/4), its upper two swap the axes and mirror the one that phi stays near. */
static inline void box_muller(float *z0, float *z1, uint32_t a, uint32_t b) {
  float r = radius(a);
  float t = (float)(int32_t)(b << 2 | 2) * 0x1p-31f; /* phi = pi/4 t; odd, so t's law is even */
  float t2 = t * t;
  float s = -0x1.33198ep-15f;
  s = s * t2 + 0x1.4680a4p-9f;
  s = s * t2 - 0x1.4abc24p-4f;
  s = s * t2 + 0x1.921fb6p-1f;
  s = s * t;
  float c = -0x1.4e78bep-12f;
  c = c * t2 + 0x1.03b058p-6f;
  c = c * t2 - 0x1.3bd39cp-2f;
  c = c * t2 + 1;
  c = vm_float(vm_bits(c) ^ (b & 0x80000000));
  uint32_t swap = (vm_bits(c) ^ vm_bits(s)) & (uint32_t)((int32_t)(b << 1) >> 31);
  *z0 = r * vm_float(vm_bits(c) ^ swap);
  *z1 = r * vm_float(vm_bits(s) ^ swap);
}

BNN_KERNEL normals(float *restrict out, const uint32_t *restrict w, size_t blocks) {
  for (size_t i = 0; i < blocks * BLOCK; i += 2 * PHILOX_LANES)
    for (size_t l = i; l < i + PHILOX_LANES; l++)
      box_muller(&out[l], &out[l + PHILOX_LANES], w[l], w[l + PHILOX_LANES]);
}

/* N(0, 1) within [-2, 2] by its inverse distribution function: z = t P(1 - t^2) / Q(1 - t^2) for t
 * uniform in (-1, 1), where erf(z / sqrt 2) = t erf(sqrt 2).  P and Q have positive coefficients
 * only, so nothing cancels.  Error 6e-7, most of it t's own resolution. */
static inline float central(uint32_t w) {
  float t = (float)(int32_t)(w | 1) * 0x1p-31f;
  float v = 1 - t * t;
  float p = 0x1.19af48p+2f;
  p = p * v + 0x1.b2fb02p+5f;
  p = p * v + 0x1.2a5806p+6f;
  p = p * v + 0x1.844bb2p+4f;
  p = p * v + 0x1.fffffep+0f;
  float q = 0x1.57b66ap+3f;
  q = q * v + 0x1.baf0ccp+5f;
  q = q * v + 0x1.a3dea0p+5f;
  q = q * v + 0x1.bb028ap+3f;
  q = q * v + 1;
  return t * (p / q); /* p / q < 2 */
}

BNN_KERNEL truncateds(float *restrict out, const uint32_t *restrict w, size_t blocks) {
  for (size_t i = 0; i < blocks * BLOCK; i++) out[i] = central(w[i]);
}

BNN_KERNEL widen(bnn_real *restrict out, const float *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = x[i];
}

/* Where floats may be made at once that are to be the reals at out; NULL where they must be
 * converted. */
static float *in_place(bnn_real *out) {
#ifdef BNN_REAL_DOUBLE
  BNN_UNUSED(out);
  return NULL;
#else
  return out;
#endif
}

typedef void kernel(float *restrict out, const uint32_t *restrict w, size_t blocks);

/* Elements [from, from + n) of what `make` makes of blocks of words; a block that the range only
 * touches is made whole. */
static void fill(bnn_real *out, bnn_key key, uint64_t from, size_t n, kernel *make) {
  _Alignas(64) uint32_t words[CHUNK * BLOCK];
  _Alignas(64) float values[CHUNK * BLOCK];
  const philox_key schedule = philox_schedule(key);
  uint64_t block = from / BLOCK;
  size_t skip = from % BLOCK;
  while (n > 0) {
    size_t blocks = n > CHUNK * BLOCK - skip ? CHUNK : (skip + n + BLOCK - 1) / BLOCK;
    for (size_t i = 0; i < blocks; i++) philox_block(words + i * BLOCK, &schedule, block + i);
    size_t count = blocks * BLOCK - skip;
    if (count > n) count = n;
    float *home = count == blocks * BLOCK ? in_place(out) : NULL;
    make(home ? home : values, words, blocks);
    if (!home) widen(out, values + skip, count);
    out += count;
    n -= count;
    block += blocks;
    skip = 0;
  }
}

void VEC(uniform)(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  fill(out, key, from, n, uniforms);
}

void VEC(normal)(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  fill(out, key, from, n, normals);
}

void VEC(truncated)(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  fill(out, key, from, n, truncateds);
}

void VEC(rademacher)(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  fill(out, key, from, n, rademachers);
}

/* 64 bits take two words: blocks of 32 elements, element 16 h + l from words 2 h and 2 h + 1. */
static uint64_t bits_of_block(const uint32_t *w, size_t i) {
  const uint32_t *pair = w + i / PHILOX_LANES * 2 * PHILOX_LANES + i % PHILOX_LANES;
  return pair[0] | (uint64_t)pair[PHILOX_LANES] << 32;
}

void VEC(bits)(uint64_t *out, bnn_key key, uint64_t from, size_t n) {
  enum { COUNT = BLOCK / 2 };
  _Alignas(64) uint32_t words[BLOCK];
  const philox_key schedule = philox_schedule(key);
  for (size_t i = from % COUNT, end = i + n; i < end; i++) {
    if (i % COUNT == 0 || i == from % COUNT)
      philox_block(words, &schedule, from / COUNT + i / COUNT);
    *out++ = bits_of_block(words, i % COUNT);
  }
}
