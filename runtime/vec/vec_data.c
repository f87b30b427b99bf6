/* vec_data.c - data on its way in (bytes of images to reals) and statistics on their way out. */
#include "vec_math.h"
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
BNN_KERNEL welford(double *restrict mean, double *restrict m2, const bnn_real *restrict x,
                   double share, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double d = x[i] - mean[i];
    mean[i] += d * share;
    m2[i] += d * (x[i] - mean[i]);
  }
}

void VEC(welford)(double *mean, double *m2, const bnn_real *x, double k, size_t n) {
  welford(mean, m2, x, 1 / k, n);
}

BNN_KERNEL accumulate(bnn_real *restrict y, const bnn_real *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

void VEC(accumulate)(bnn_real *y, const bnn_real *x, size_t n) { accumulate(y, x, n); }

BNN_KERNEL add_to(double *restrict sum, const bnn_real *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) sum[i] += x[i];
}

void VEC(add_to)(double *sum, const bnn_real *x, size_t n) { add_to(sum, x, n); }

/* Rows of classes are treated in tiles that are turned round, so that a vector holds one class of
 * many rows: sums along rows of 10 classes would leave most lanes idle.  (240 x 10: 9 ns a row for
 * entropy and vote, row by row 29.) */
enum { TILE_ROWS = 48, TILE_CLASSES = 16 };

/* t [m, n] = columns of p [n, m], whose rows are `classes` apart. */
BNN_KERNEL turn(bnn_real *restrict t, const bnn_real *restrict p, size_t n, size_t m,
                size_t classes) {
  for (size_t c = 0; c < m; c++)
    for (size_t i = 0; i < n; i++) t[c * n + i] = p[i * classes + c];
}

/* h -= sum of p log p over the classes of t, none of them below 0: a p that rounding takes above 1
 * counts as 1.  A selection, as NaN * log 1 is still NaN. */
BNN_KERNEL take_terms(double *restrict h, const bnn_real *restrict t, size_t n, size_t m) {
  for (size_t c = 0; c < m; c++)
    for (size_t i = 0; i < n; i++) {
      const bnn_real x = t[c * n + i];
      h[i] -= x * vm_log(x > 0 && x < 1 ? x : 1);
    }
}

/* most, best: the first largest so far and its place; those of t begin with class `first`. */
BNN_KERNEL take_best(bnn_real *restrict most, uint32_t *restrict best, const bnn_real *restrict t,
                     size_t n, size_t m, uint32_t first) {
  for (size_t c = 0; c < m; c++)
    for (size_t i = 0; i < n; i++) {
      const bool more = t[c * n + i] > most[i];
      most[i] = more ? t[c * n + i] : most[i];
      best[i] = more ? first + (uint32_t)c : best[i];
    }
}

/* n rows, no more than a tile has. */
static void class_sums(double *entropy, uint32_t *votes, const bnn_real *p, double k, size_t n,
                       size_t classes) {
  bnn_real t[TILE_ROWS * TILE_CLASSES], most[TILE_ROWS];
  double h[TILE_ROWS] = {0};
  uint32_t best[TILE_ROWS] = {0};
  for (size_t i = 0; i < n; i++) most[i] = -INFINITY;
  for (size_t c = 0; c < classes; c += TILE_CLASSES) {
    const size_t m = classes - c < TILE_CLASSES ? classes - c : TILE_CLASSES;
    turn(t, p + c, n, m, classes);
    take_terms(h, t, n, m);
    if (votes) take_best(most, best, t, n, m, (uint32_t)c);
  }
  for (size_t i = 0; i < n; i++) entropy[i] += (h[i] - entropy[i]) / k;
  for (size_t i = 0; votes && i < n; i++) votes[i * classes + best[i]]++;
}

void VEC(class_sums)(double *entropy, uint32_t *votes, const bnn_real *p, double k, size_t rows,
                     size_t classes) {
  for (size_t r = 0; classes > 0 && r < rows; r += TILE_ROWS)
    class_sums(entropy + r, votes ? votes + r * classes : NULL, p + r * classes, k,
               rows - r < TILE_ROWS ? rows - r : TILE_ROWS, classes);
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
