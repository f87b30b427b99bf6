/* vec_data.c - data on its way in (bytes of images to reals) and statistics on their way out. */
#include "vec_rows.h"

/* 1/255 in two parts: byte * HI is exact and byte * LO mends its end, so the sum is byte / 255
 * correctly rounded, for each of the 256 values and with or without FMA.  (By one rounded 1/255 126
 * of them are wrong in float.) */
#ifdef BNN_REAL_DOUBLE
#define INV255_HI 0x1.0101010101p-8
#define INV255_LO 0x1.0102p-56
#else
#define INV255_HI 0x1.0101p-8f
#define INV255_LO 0x1.010102p-32f
#endif

BNN_KERNEL pixels(bnn_real *restrict out, const uint8_t *restrict in, size_t n) {
  for (size_t i = 0; i < n; i++) {
    bnn_real x = in[i];
    out[i] = x * INV255_HI + x * INV255_LO;
  }
}

void VEC(pixels)(bnn_real *out, const uint8_t *in, size_t n) { pixels(out, in, n); }

/* Welford, "Note on a method for calculating corrected sums of squares", Technometrics 1962. */
BNN_KERNEL welford(double *restrict mean, double *restrict m2, const bnn_real *restrict x, double k,
                   size_t n) {
  for (size_t i = 0; i < n; i++) {
    double d = x[i] - mean[i];
    mean[i] += d / k;
    m2[i] += d * (x[i] - mean[i]);
  }
}

void VEC(welford)(double *mean, double *m2, const bnn_real *x, double k, size_t n) {
  welford(mean, m2, x, k, n);
}

/* The bits of a real number; those of its exponent are all set in infinities and NaN only. */
#ifdef BNN_REAL_DOUBLE
typedef uint64_t __attribute__((may_alias)) word;
#define EXPONENT UINT64_C(0x7ff0000000000000)
#else
typedef uint32_t __attribute__((may_alias)) word;
#define EXPONENT UINT32_C(0x7f800000)
#endif

bool VEC(finite)(const bnn_real *x, size_t n) {
  const word *bits = (const word *)x;
  word found = 0;
  for (size_t i = 0; i < n; i++) found |= (bits[i] & EXPONENT) == EXPONENT;
  return found == 0;
}
