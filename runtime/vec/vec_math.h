/* vec_math.h - exp, log and their kin as inline functions whose loops the compiler vectorises.
 *
 * In float: range reduction, then a polynomial fitted for the interval (minimax by Lawson's
 * weights, each coefficient rounded to float before the next is fitted).  No branches, only
 * selections; no libm but for sin and cos.  Rounding to an integer is by adding 1.5 * 2^23, which
 * -ffast-math would delete.  gcc 12 turns the selections into vector code for SSE2 and AVX2 only
 * with -fno-trapping-math (nothing here looks at floating-point exceptions).  In double: libm.
 *
 * NaN in, NaN out, for every function.  The bounds, in units of the result's last place, are the
 * largest errors over every 31st float with and without FMA, rounded up; test_vec.c measures them.
 */
#ifndef BNN_VEC_MATH_H
#define BNN_VEC_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "real.h"

/* The bits of a float, and back. */
static inline uint32_t vm_bits(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

static inline float vm_float(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

#ifdef BNN_REAL_DOUBLE

static inline double vm_exp(double x) { return exp(x); }
static inline double vm_expm1(double x) { return expm1(x); }
static inline double vm_log(double x) { return log(x); }
static inline double vm_log1p(double x) { return log1p(x); }
static inline double vm_tanh(double x) { return tanh(x); }
static inline double vm_erf(double x) { return erf(x); }
static inline double vm_sin(double x) { return sin(x); }
static inline double vm_cos(double x) { return cos(x); }

static inline double vm_sigmoid(double x) {
  double e = exp(-fabs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

static inline double vm_softplus(double x) { return (x < 0 ? 0 : x) + log1p(exp(-fabs(x))); }

#else

/* 2^n for the two's complement n in [-126, 127]. */
static inline float vm_pow2(uint32_t n) { return vm_float((n + 127) << 23); }

#define VM_ROUND 0x1.8p23f     /* x + VM_ROUND has round(x) in its low bits, |x| < 2^22 */
#define VM_LOG2E 0x1.715476p0f /* 1 / log 2 */
#define VM_LN2_HI 0x1.62e4p-1f /* log 2 in two parts: n * HI is exact for |n| < 512 */
#define VM_LN2_LO 0x1.7f7d1cp-20f
#define VM_SQRT_HALF 0x3f3504f3u /* the bits of sqrt(1/2) */

/* x = n log 2 + r with |r| <= 0.347: gives e^r - 1 (relative error 2^-26 before rounding) and n. */
static inline float vm_exp_reduced(float x, uint32_t *n) {
  float t = x * VM_LOG2E + VM_ROUND;
  float k = t - VM_ROUND;
  float r = x - k * VM_LN2_HI - k * VM_LN2_LO;
  float q = 0x1.6b8cb2p-10f;
  q = q * r + 0x1.1226a6p-7f;
  q = q * r + 0x1.555702p-5f;
  q = q * r + 0x1.5554b2p-3f;
  q = q * r + 0x1.fffffep-2f;
  *n = vm_bits(t) - vm_bits(VM_ROUND);
  return r + r * r * q;
}

/* e^x.  1.1 ULP; overflows to infinity, underflows gradually.  The scale 2^n is applied in two
 * steps, so that neither is out of range and only the last one rounds. */
static inline float vm_exp(float x) {
  x = x > 89 ? 89 : x;
  x = x < -105 ? -105 : x;
  uint32_t n;
  float y = 1 + vm_exp_reduced(x, &n);
  uint32_t half = (uint32_t)((int32_t)n >> 1);
  return y * vm_pow2(half) * vm_pow2(n - half);
}

/* e^x - 1.  1.75 ULP.  With p = e^r - 1 it is 2^n p + (2^n - 1), taken at half its size because
 * 2^128 is out of range. */
static inline float vm_expm1(float x) {
  float v = x > 89 ? 89 : x;
  v = v < -18 ? -18 : v;
  uint32_t n;
  float p = vm_exp_reduced(v, &n);
  float s = vm_pow2(n - 1);
  float y = (s * p + (s - 0.5f)) * 2;
  return fabsf(x) < 0x1p-30f ? x : y; /* -0 and subnormal numbers */
}

/* log(1 + f) + e log 2 for f in [sqrt(1/2) - 1, sqrt(2) - 1]. */
static inline float vm_log_reduced(float f, float e) {
  float q = -0x1.38c9dep-4f;
  q = q * f + 0x1.055ec6p-3f;
  q = q * f - 0x1.0d8242p-3f;
  q = q * f + 0x1.22d92ep-3f;
  q = q * f - 0x1.54728ap-3f;
  q = q * f + 0x1.99a01cp-3f;
  q = q * f - 0x1.000226p-2f;
  q = q * f + 0x1.555554p-2f;
  float s = f * f;
  float y = s * (f * q) + e * VM_LN2_LO;
  y = y - 0.5f * s;
  return e * VM_LN2_HI + (f + y);
}

/* log x.  0.85 ULP, for subnormal x too; log 0 = -inf, log of a negative number is NaN. */
static inline float vm_log(float x) {
  float scaled = x < FLT_MIN ? x * 0x1p24f : x;
  float shift = x < FLT_MIN ? 24 : 0;
  uint32_t i = vm_bits(scaled) - VM_SQRT_HALF;
  float m = vm_float((i & 0x7fffff) + VM_SQRT_HALF);
  float y = vm_log_reduced(m - 1, (float)((int32_t)i >> 23) - shift);
  y = x > 0 ? y : (x == 0 ? -INFINITY : NAN);
  return x < INFINITY ? y : x;
}

/* log(1 + x).  1.5 ULP; log1p(-1) = -inf, below that NaN.  What 1 + x loses, c, goes back into the
 * reduced argument. */
static inline float vm_log1p(float x) {
  float u = 1 + x;
  float c = x < 1 ? x - (u - 1) : 1 - (u - x);
  uint32_t i = vm_bits(u) - VM_SQRT_HALF;
  int32_t e = (int32_t)i >> 23;
  float m = vm_float((i & 0x7fffff) + VM_SQRT_HALF);
  float f = (m - 1) + c * vm_pow2(-(uint32_t)(e > 64 ? 64 : e)); /* up there c does not count */
  float y = vm_log_reduced(f, (float)e);
  y = x > -1 ? y : (x == -1 ? -INFINITY : NAN);
  y = x == 0 ? x : y; /* -0 */
  return x < INFINITY ? y : x;
}

/* tanh x = (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x.  2.75 ULP. */
static inline float vm_tanh(float x) {
  float m = vm_expm1(-2 * fabsf(x));
  return copysignf(m / (2 + m), x);
}

/* 1 / (1 + e^-x).  2.5 ULP, underflows gradually: e^x / (1 + e^x) for negative x. */
static inline float vm_sigmoid(float x) {
  float e = vm_exp(-fabsf(x));
  return (x < 0 ? e : 1) / (1 + e);
}

/* log(1 + e^x) as max(x, 0) + log(1 + e^-|x|): no overflow in either tail.  1.75 ULP. */
static inline float vm_softplus(float x) { return (x < 0 ? 0 : x) + vm_log1p(vm_exp(-fabsf(x))); }

/* erf x = 1 - e^(q(|x|)) with the sign of x, where q = log erfc has no zero but 0 and is fitted by
 * a polynomial on [0, 4]: beyond it erf is 1 in float.  2.25 ULP. */
static inline float vm_erf(float x) {
  float a = fabsf(x);
  a = a > 4 ? 4 : a;
  float q = 0x1.3b0344p-17f;
  q = q * a - 0x1.f28b2cp-14f;
  q = q * a + 0x1.4e29acp-11f;
  q = q * a - 0x1.b744d6p-10f;
  q = q * a + 0x1.637a28p-13f;
  q = q * a + 0x1.39b7cap-6f;
  q = q * a - 0x1.a4f8c4p-4f;
  q = q * a - 0x1.45f300p-1f;
  q = q * a - 0x1.06eba8p-3f;
  return copysignf(vm_expm1(q * a - a), x);
}

/* libm's (1 ULP for every x): an own reduction would have to be exact for arguments up to 2^128. */
static inline float vm_sin(float x) { return sinf(x); }
static inline float vm_cos(float x) { return cosf(x); }

#endif

#endif
