/* vec_sparse.c - products c = start + a b in which most elements of a are 0, as four in five pixels
 * of MNIST are: their terms are left out.
 *
 * Adding 0 * b changes a sum only where b is infinite or NaN, so each block of b is looked at before
 * its terms may be left out, which also brings it into the first-level cache; a block that is not
 * finite goes the way of vec_product.c.  What remains is added in that file's order, block by block:
 * the result has the bits of the dense kernel (but for the sign of a sum that is 0).
 *
 * For each row of a, one bit an element says where it is not 0; each such element is multiplied
 * with a row of b whose tile of c stays in registers.  a may be transposed (a weight gradient's x):
 * then the bits of sixteen rows are gathered from the columns of a at once.  AVX-512 only: its
 * comparisons give such bits. */
#include "vec_product.h"

#if defined(__AVX512F__) && defined(__AVX512BW__)
#include <immintrin.h>

/* Where this is used, from sizes and a sample of a: with MNIST's pixels (0.19 are not 0) bench_step
 * found a step of 784-64-64-10 a quarter faster, and predicting 1.7 times as fast (EPYC 9004).  The
 * prototype had its break-even near 0.45. */
enum { M_MIN = 8, N_MIN = 2 * LANES, K_MIN = 64, WORK_MIN = 200000, PROBES = 8, WORDS = 2 };
static const double DENSITY_MAX = 0.35;

#ifdef BNN_REAL_DOUBLE
typedef __mmask8 mask;
static mask nonzero(const bnn_real *x, mask valid) {
  return _mm512_mask_cmp_pd_mask(valid, _mm512_maskz_loadu_pd(valid, x), _mm512_setzero_pd(),
                                 _CMP_NEQ_UQ);
}
#else
typedef __mmask16 mask;
static mask nonzero(const bnn_real *x, mask valid) {
  return _mm512_mask_cmp_ps_mask(valid, _mm512_maskz_loadu_ps(valid, x), _mm512_setzero_ps(),
                                 _CMP_NEQ_UQ);
}
#endif

/* The first n lanes. */
static mask first_lanes(size_t n) { return n >= LANES ? (mask) ~(mask)0 : (mask)((1u << n) - 1); }

/* A bit for each of n elements, at most 64, that is not 0; NaN is not 0. */
static uint64_t bits_of(const bnn_real *x, size_t n) {
  uint64_t bits = 0;
  for (size_t i = 0; i < n; i += LANES) bits |= (uint64_t)nonzero(x + i, first_lanes(n - i)) << i;
  return bits;
}

/* ---- when ---- */

/* The share of elements that are not 0, from a few of the lines of n in which a lies in memory. */
static double density(const bnn_real *a, size_t lines, size_t step, size_t n) {
  size_t count = 0, seen = 0;
  for (size_t i = 0; i < lines; i += (lines + PROBES - 1) / PROBES, seen += n)
    for (size_t j = 0; j < n; j += 64)
      count += (size_t)__builtin_popcountll(bits_of(a + i * step + j, n - j < 64 ? n - j : 64));
  return seen ? (double)count / (double)seen : 1;
}

bool VEC(product_skips)(const bnn_matrix_product *p) {
  if (p->m < M_MIN || p->n < N_MIN || p->n % LANES || p->k < K_MIN || p->m * p->n < WORK_MIN / p->k)
    return false;
  if (p->a_step == 1) return density(p->a, p->m, p->a_row, p->k) <= DENSITY_MAX;
  return p->a_row == 1 && density(p->a, p->k, p->a_step, p->m) <= DENSITY_MAX;
}

/* ---- one row of c ---- */

/* c = start + the terms of one block that have a bit; element i of the row of a is a[i * step]. */
INLINE void row(const bnn_matrix_product *p, const uint64_t *bits, const bnn_real *a, size_t step,
                bnn_real *c, const bnn_real *start, int vectors) {
  vector sum[TILE_VECTORS];
  UNROLL for (int v = 0; v < vectors; v++) sum[v] = (vector){0};
  for (size_t w = 0; w < WORDS; w++)
    for (uint64_t left = bits[w]; left; left &= left - 1) {
      const size_t i = 64 * w + (size_t)__builtin_ctzll(left);
      const bnn_real of_a = a[i * step], *b = p->b + i * p->ldb;
      UNROLL for (int v = 0; v < vectors; v++) sum[v] += of_a * *(const vector *)(b + v * LANES);
    }
  UNROLL for (int v = 0; v < vectors; v++) * (vector *)(c + v * LANES) =
      *(const vector *)(start + v * LANES) + sum[v];
}

/* ---- a block of terms, all rows of a tile's columns ---- */

/* a as it is: its rows lie in memory. */
INLINE void rows(const bnn_matrix_product *p, int vectors) {
  for (size_t i = 0; i < p->m; i++) {
    const bnn_real *a = p->a + i * p->a_row;
    uint64_t bits[WORDS] = {0};
    for (size_t w = 0; 64 * w < p->k; w++) bits[w] = bits_of(a + 64 * w, least(64, p->k - 64 * w));
    row(p, bits, a, 1, p->c + i * p->ldc, p->start + i * p->lds, vectors);
  }
}

/* Bit r of of_columns[i]: whether a[i * step + r] is not 0. */
static void bits_of_columns(uint16_t *of_columns, const bnn_real *a, size_t step, size_t k,
                            size_t n) {
  for (size_t i = 0; i < K_BLOCK; i++)
    of_columns[i] = i < k ? nonzero(a + i * step, first_lanes(n)) : 0;
}

/* Bit i of word w: bit r of of_columns[64 w + i]. */
INLINE void bits_of_row(uint64_t *bits, const uint16_t *of_columns, size_t r) {
  const __m512i bit = _mm512_set1_epi16((short)(1u << r));
  for (size_t w = 0; w < WORDS; w++) {
    const __m512i low = _mm512_loadu_si512(of_columns + 64 * w);
    const __m512i high = _mm512_loadu_si512(of_columns + 64 * w + 32);
    bits[w] = (uint64_t)_mm512_test_epi16_mask(low, bit) |
              (uint64_t)_mm512_test_epi16_mask(high, bit) << 32;
  }
}

/* a transposed: its columns lie in memory. */
INLINE void rows_of_columns(const bnn_matrix_product *p, int vectors) {
  uint16_t of_columns[K_BLOCK];
  for (size_t i = 0; i < p->m; i += LANES) {
    const size_t n = least(p->m - i, LANES);
    bits_of_columns(of_columns, p->a + i, p->a_step, p->k, n);
    for (size_t r = 0; r < n; r++) {
      uint64_t bits[WORDS];
      bits_of_row(bits, of_columns, r);
      row(p, bits, p->a + i + r, p->a_step, p->c + (i + r) * p->ldc, p->start + (i + r) * p->lds,
          vectors);
    }
  }
}

#define BLOCK(vectors)                                               \
  static void block_##vectors(const bnn_matrix_product *p) {         \
    p->a_step == 1 ? rows(p, vectors) : rows_of_columns(p, vectors); \
  }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
static void (*const blocks[TILE_VECTORS])(const bnn_matrix_product *) = {block_1, block_2, block_3,
                                                                         block_4};

/* ---- all of it ---- */

static const bnn_real zeros[TILE_COLUMNS];

/* Whether all of b [k, n] is finite: 0 * x is 0 just where x is. */
static bool is_finite(const bnn_matrix_product *p) {
  vector sum = {0};
  for (size_t i = 0; i < p->k; i++)
    for (size_t j = 0; j < p->n; j += LANES) sum += 0 * *(const vector *)(p->b + i * p->ldb + j);
  return nonzero((const bnn_real *)&sum, first_lanes(LANES)) == 0;
}

void VEC(product_skipping)(const bnn_matrix_product *p) {
  bnn_matrix_product t = *p;
  for (size_t j = 0; j < p->n; j += t.n) {
    t.n = tile_columns(p->n - j);
    t.c = p->c + j;
    t.start = p->start ? p->start + j : zeros;
    t.lds = p->start ? p->lds : 0;
    for (size_t k = 0; k < p->k; k += t.k) {
      t.k = part(p->k - k, K_BLOCK);
      t.a = p->a + k * p->a_step;
      t.b = p->b + k * p->ldb + j;
      (is_finite(&t) ? blocks[t.n / LANES - 1] : VEC(product))(&t);
      t.start = t.c;
      t.lds = p->ldc;
    }
  }
}

#endif
