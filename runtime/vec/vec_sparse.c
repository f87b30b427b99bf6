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
  return p->m >= M_MIN && p->k >= K_MIN && p->m * p->n >= WORK_MIN / p->k &&
         VEC(product_is_sparse)(p);
}

bool VEC(product_is_sparse)(const bnn_matrix_product *p) {
  if (p->n < N_MIN || p->n % LANES) return false;
  if (p->a_step == 1) return density(p->a, p->m, p->a_row, p->k) <= DENSITY_MAX;
  return p->a_row == 1 && density(p->a, p->k, p->a_step, p->m) <= DENSITY_MAX;
}

/* ---- two rows of c ---- */

/* A row of a and c over one block of terms, whose element i is a[i * step]. */
typedef struct one_row {
  uint64_t bits[WORDS];
  const bnn_real *a, *start;
  bnn_real *c;
} one_row;

/* sum += the term of the lowest bit of *left, which is taken away. */
INLINE void add_term(vector *sum, uint64_t *left, const bnn_real *a, size_t step, const bnn_real *b,
                     size_t ldb, int vectors) {
  const size_t i = (size_t)__builtin_ctzll(*left);
  const bnn_real of_a = a[i * step];
  *left &= *left - 1;
  UNROLL for (int v = 0; v < vectors; v++) sum[v] +=
      of_a * *(const vector *)(b + i * ldb + v * LANES);
}

/* c = start + the terms that have a bit, for two rows in turn: the next term of a sum has to wait for
 * the last one, so by itself a row would leave half of the processor idle. */
INLINE void two_rows(const bnn_matrix_product *p, const one_row *r, size_t step, int vectors) {
  vector sum[2][TILE_VECTORS];
  UNROLL for (int k = 0; k < 2; k++) {
    UNROLL for (int v = 0; v < vectors; v++) sum[k][v] = (vector){0};
  }
  for (size_t w = 0; 64 * w < p->k; w++) {
    const bnn_real *b = p->b + 64 * w * p->ldb, *a0 = r[0].a + 64 * w * step,
                   *a1 = r[1].a + 64 * w * step;
    uint64_t left0 = r[0].bits[w], left1 = r[1].bits[w];
    while (left0 && left1) {
      add_term(sum[0], &left0, a0, step, b, p->ldb, vectors);
      add_term(sum[1], &left1, a1, step, b, p->ldb, vectors);
    }
    while (left0) add_term(sum[0], &left0, a0, step, b, p->ldb, vectors);
    while (left1) add_term(sum[1], &left1, a1, step, b, p->ldb, vectors);
  }
  UNROLL for (int k = 0; k < 2; k++) {
    UNROLL for (int v = 0; v < vectors; v++) * (vector *)(r[k].c + v * LANES) =
        *(const vector *)(r[k].start + v * LANES) + sum[k][v];
  }
}

/* The rows in twos; a last one alone has a second without terms, which goes nowhere. */
INLINE void last_row(const bnn_matrix_product *p, one_row *r, size_t step, int vectors) {
  bnn_real nowhere[TILE_COLUMNS] = {0};
  r[1] = (one_row){.a = r[0].a, .start = nowhere, .c = nowhere};
  two_rows(p, r, step, vectors);
}

/* ---- a block of terms, all rows of a tile's columns ---- */

/* a as it is: its rows lie in memory. */
INLINE void rows(const bnn_matrix_product *p, int vectors) {
  one_row r[2];
  for (size_t i = 0; i < p->m; i++) {
    one_row *at = &r[i % 2];
    *at = (one_row){{0}, p->a + i * p->a_row, p->start + i * p->lds, p->c + i * p->ldc};
    for (size_t w = 0; 64 * w < p->k; w++)
      at->bits[w] = bits_of(at->a + 64 * w, least(64, p->k - 64 * w));
    if (i % 2) two_rows(p, r, 1, vectors);
  }
  if (p->m % 2) last_row(p, r, 1, vectors);
}

/* Bit r of of_columns[i]: whether a[i * step + r] is not 0. */
static void bits_of_columns(uint16_t *of_columns, const bnn_real *a, size_t step, size_t k,
                            size_t n) {
  size_t i = 0;
  for (; i < k; i++) of_columns[i] = nonzero(a + i * step, first_lanes(n));
  for (; i % 64; i++) of_columns[i] = 0;
}

/* Bit i of word w: bit r of of_columns[64 w + i], for i < k. */
INLINE void bits_of_row(uint64_t *bits, const uint16_t *of_columns, size_t r, size_t k) {
  const __m512i bit = _mm512_set1_epi16((short)(1u << r));
  for (size_t w = 0; 64 * w < k; w++) {
    const __m512i low = _mm512_loadu_si512(of_columns + 64 * w);
    const __m512i high = _mm512_loadu_si512(of_columns + 64 * w + 32);
    bits[w] = (uint64_t)_mm512_test_epi16_mask(low, bit) |
              (uint64_t)_mm512_test_epi16_mask(high, bit) << 32;
  }
}

/* a transposed: its columns lie in memory. */
INLINE void rows_of_columns(const bnn_matrix_product *p, int vectors) {
  uint16_t of_columns[K_BLOCK];
  one_row r[2];
  for (size_t i = 0; i < p->m; i++) {
    if (i % LANES == 0)
      bits_of_columns(of_columns, p->a + i, p->a_step, p->k, least(p->m - i, LANES));
    one_row *at = &r[i % 2];
    *at = (one_row){{0}, p->a + i, p->start + i * p->lds, p->c + i * p->ldc};
    bits_of_row(at->bits, of_columns, i % LANES, p->k);
    if (i % 2) two_rows(p, r, p->a_step, vectors);
  }
  if (p->m % 2) last_row(p, r, p->a_step, vectors);
}

/* Whether all of b [k, a tile's columns] is finite: 0 * x is 0 just where x is.  A sum for each
 * vector of a row and for every other row, as an addition has to wait for the one before. */
INLINE bool are_finite(const bnn_matrix_product *p, int vectors) {
  vector sum[2][TILE_VECTORS] = {{{0}}}, all = {0};
  for (size_t i = 0; i < p->k; i++) {
    const bnn_real *b = p->b + i * p->ldb;
    if (i % 2 == 0) {
      UNROLL for (int v = 0; v < vectors; v++) sum[0][v] += 0 * *(const vector *)(b + v * LANES);
    } else {
      UNROLL for (int v = 0; v < vectors; v++) sum[1][v] += 0 * *(const vector *)(b + v * LANES);
    }
  }
  UNROLL for (int v = 0; v < vectors; v++) all += sum[0][v] + sum[1][v];
  return nonzero((const bnn_real *)&all, first_lanes(LANES)) == 0;
}

/* false, and nothing done, when b is not finite. */
#define BLOCK(vectors)                                               \
  static bool block_##vectors(const bnn_matrix_product *p) {         \
    if (!are_finite(p, vectors)) return false;                       \
    p->a_step == 1 ? rows(p, vectors) : rows_of_columns(p, vectors); \
    return true;                                                     \
  }
BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
static bool (*const blocks[TILE_VECTORS])(const bnn_matrix_product *) = {block_1, block_2, block_3,
                                                                         block_4};

/* ---- all of it ---- */

static const bnn_real zeros[TILE_COLUMNS];

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
      if (!blocks[t.n / LANES - 1](&t)) VEC(product)(&t);
      t.start = t.c;
      t.lds = p->ldc;
    }
  }
}

#endif
