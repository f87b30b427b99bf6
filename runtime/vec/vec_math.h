/* vec_math.h - exp, log and their kin as inline functions whose loops the compiler vectorises.
 *
 * In float: range reduction, then a polynomial fitted for the interval (minimax by Lawson's
 * weights, each coefficient rounded to float before the next is fitted).  No branches, only
 * selections; no libm but for sin and cos.  Rounding to an integer is by adding 1.5 * 2^23, which
 * -ffast-math would delete.  gcc 12 turns the selections into vector code for SSE2 and AVX2 only
 * with -fno-trapping-math (nothing here looks at floating-point exceptions).  In double: libm.
 *
 * Results below 2^-125.5 are 0, for functions that have such of arguments of any size (exp, sigmoid,
 * softplus): a processor takes up to a hundred times as long to make or read a subnormal number, and
 * no step in between makes one either.  Only of a subnormal argument is the result one.
 *
 * NaN in, NaN out, for every function.  The bounds, in units of the result's last place, are the
 * largest errors over every 31st float with and without FMA, rounded up; test_vec.c measures them.
 */
#ifndef BNN_VEC_MATH_H
#define BNN_VEC_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../base/real.h"

/* e^x - 1 - x, in double whatever bnn_real is; relative error 4e-15, never below 0, infinite above
 * 709 (test_vec.c).  With x = n log 2 + r it is r^2 q(r) for n = 0, where nothing is subtracted. */
static inline double vm_exp_rest(double x) {
  double v = x > 709 ? 709 : x;
  v = v < -700 ? -700 : v;
  const double t = v * 0x1.71547652b82fep0 + 0x1.8p52, n = t - 0x1.8p52;
  const double r = v - n * 0x1.62e42fefa38p-1 - n * 0x1.ef35793c7673p-45;
  double q = 1. / 1307674368000;
  q = q * r + 1. / 87178291200;
  q = q * r + 1. / 6227020800;
  q = q * r + 1. / 479001600;
  q = q * r + 1. / 39916800;
  q = q * r + 1. / 3628800;
  q = q * r + 1. / 362880;
  q = q * r + 1. / 40320;
  q = q * r + 1. / 5040;
  q = q * r + 1. / 720;
  q = q * r + 1. / 120;
  q = q * r + 1. / 24;
  q = q * r + 1. / 6;
  q = q * r + 0.5;
  const double rest = r * r * q;
  int64_t bits;
  memcpy(&bits, &t, sizeof bits); /* n in its low bits */
  const uint64_t power = ((uint64_t)bits + 1023) << 52;
  double scale;
  memcpy(&scale, &power, sizeof scale);
  const double far = scale * (1 + (r + rest)) - 1 - x;
  return n == 0 ? rest : x > 709 ? INFINITY : far;
}

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

/* e^x scale - 1 for scale >= 0, without loss near the 0 of scale = 1; -1 for scale = 0, whatever e^x
 * is. */
static inline double vm_exp_scaled_less_1(double x, double scale) {
  return scale == 1 ? expm1(x) : scale == 0 && x > 0 ? -1 : exp(x) * scale - 1;
}

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

/* 2^(n - 1) for n in [-126, 128]; of the least one there is none, which gives 0. */
static inline float vm_half_pow2(uint32_t n) { return vm_float((n + 126) << 23); }

#define VM_EXP_MOST 89.0f   /* e^x overflows, and n is 128 */
#define VM_EXP_LEAST -87.2f /* e^x is taken for 0, as n is -126 */

/* e^x.  1.1 ULP; overflows to infinity, 0 below 2^-125.5.  2^n, which may be out of range, is applied
 * as twice its half. */
static inline float vm_exp(float x) {
  x = x > VM_EXP_MOST ? VM_EXP_MOST : x;
  x = x < VM_EXP_LEAST ? VM_EXP_LEAST : x;
  uint32_t n;
  float y = 1 + vm_exp_reduced(x, &n);
  return (y + y) * vm_half_pow2(n);
}

/* e^x scale - 1 for scale >= 0.  Nothing is lost where that is near 0: with e^x = 2^n (1 + p) it is
 * c p + (c - 1) there, for c = 2^n scale, whose difference is exact.  Elsewhere it is what is
 * written, but for inf times 0: -1 for scale = 0, whatever e^x is. */
static inline float vm_exp_scaled_less_1(float x, float scale) {
  x = x > VM_EXP_MOST ? VM_EXP_MOST : x;
  x = x < VM_EXP_LEAST ? VM_EXP_LEAST : x;
  uint32_t n;
  const float p = vm_exp_reduced(x, &n), half = vm_half_pow2(n), y = 1 + p, c = 2 * scale * half;
  const float far = (y + y) * half * scale - 1, near = c * p + (c - 1);
  return fabsf(far) >= 0.5f ? far : near;
}

/* x, or 0 where its square may be subnormal, below 2^-40.  By a mask: of a selection, gcc makes two
 * copies of all that follows, and squares x after all. */
static inline float vm_drop_tiny(float x) {
  const uint32_t u = vm_bits(x), size = u & 0x7fffffff;
  return vm_float(u & -(uint32_t)(size >= (uint32_t)(127 - 40) << 23));
}

/* e^x - 1.  1.75 ULP.  With p = e^r - 1 it is 2^n p + (2^n - 1), taken at half its size because
 * 2^128 is out of range. */
static inline float vm_expm1(float x) {
  float v = x > 89 ? 89 : x;
  v = v < -18 ? -18 : v;
  v = vm_drop_tiny(v);
  uint32_t n;
  float p = vm_exp_reduced(v, &n);
  float s = vm_pow2(n - 1);
  float y = (s * p + (s - 0.5f)) * 2;
  return fabsf(x) < 0x1p-30f ? x : y; /* -0 and subnormal numbers too */
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
  float v = vm_drop_tiny(x);
  float u = 1 + v;
  float c = v < 1 ? v - (u - 1) : 1 - (u - v);
  uint32_t i = vm_bits(u) - VM_SQRT_HALF;
  int32_t e = (int32_t)i >> 23;
  float m = vm_float((i & 0x7fffff) + VM_SQRT_HALF);
  float f = (m - 1) + c * vm_pow2(-(uint32_t)(e > 64 ? 64 : e)); /* up there c does not count */
  float y = vm_log_reduced(f, (float)e);
  y = x > -1 ? y : (x == -1 ? -INFINITY : NAN);
  y = fabsf(x) < 0x1p-30f ? x : y; /* -0 too */
  return x < INFINITY ? y : x;
}

/* tanh x = (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x.  2.75 ULP. */
static inline float vm_tanh(float x) {
  float m = vm_expm1(-2 * fabsf(x));
  return copysignf(m / (2 + m), x);
}

/* 1 / (1 + e^-x).  2.5 ULP: e^x / (1 + e^x) for negative x. */
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
