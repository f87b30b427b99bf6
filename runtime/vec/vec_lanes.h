/* vec_lanes.h - vectors of sixteen floats of AVX-512, with what updates are made of (rules/adam_lanes.h,
 * fused/).  AVX-512 and float only.
 *
 * Roots and divisions are Newton's, as the processor's own would take most of the time.  Every
 * product that is added to something is written as a fused one, which leaves compilers no choice. */
#ifndef BNN_VEC_LANES_H
#define BNN_VEC_LANES_H

#if defined(__AVX512F__) && !defined(BNN_REAL_DOUBLE)
#define BNN_HAVE_LANES 1

#include <immintrin.h>

#include "vec_math.h"

enum { LANES_N = 16 };

enum { LANES_ALL = 0xffff };

/* The lanes of the last vector of n elements, n < LANES_N. */
static inline __mmask16 lanes_of(size_t n) { return (__mmask16)((1u << n) - 1); }

/* Those lanes of x, and 0; where `lanes` is LANES_ALL and inlined, a plain load. */
static inline __attribute__((always_inline)) __m512 lanes_at(const float *x, __mmask16 lanes) {
  return lanes == LANES_ALL ? _mm512_loadu_ps(x) : _mm512_maskz_loadu_ps(lanes, x);
}

/* MXCSR's bits for 0 in place of subnormal results and operands (rules/tiny.h tells why). */
static inline unsigned lanes_flush_subnormals(void) {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  return before;
}

/* e^x scale - 1 in every lane: vm_exp_scaled_less_1, which the compiler keeps in one register. */
static inline __m512 lanes_exp_scaled_less_1(__m512 x, float scale) {
  float lane[LANES_N];
  _mm512_storeu_ps(lane, x);
  for (int i = 0; i < LANES_N; i++) lane[i] = vm_exp_scaled_less_1(lane[i], scale);
  return _mm512_loadu_ps(lane);
}

/* The root of x in [0, inf] (of 0 and inf those of the least and the largest number), relative error
 * 2^-22: a step of Newton's method from an estimate of 14 bits.  NaN is the second operand of max and
 * min, which is what they give then. */
static inline __m512 lanes_root(__m512 x) {
  const __m512 one = _mm512_set1_ps(1), half = _mm512_set1_ps(0.5f);
  x = _mm512_min_ps(_mm512_set1_ps(FLT_MAX), _mm512_max_ps(_mm512_set1_ps(FLT_MIN), x));
  const __m512 y = _mm512_rsqrt14_ps(x), s = _mm512_mul_ps(x, y);
  return _mm512_fmadd_ps(_mm512_mul_ps(half, s), _mm512_fnmadd_ps(s, y, one), s);
}

/* 1 / x for x in [2^-125, 2^125], relative error 2^-22. */
static inline __m512 lanes_inverse(__m512 x) {
  const __m512 y = _mm512_rcp14_ps(x);
  return _mm512_fmadd_ps(y, _mm512_fnmadd_ps(x, y, _mm512_set1_ps(1)), y);
}

#endif
#endif
