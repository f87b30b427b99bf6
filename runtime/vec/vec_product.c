/* vec_product.c - small dense matrix products: a tile of c stays in registers while a row of b and
 * a few elements of a go by, straight from where they lie.
 *
 *   c [m, n] = start + a b        for every element: ((start + s_1) + s_2) + ...
 *
 * where s_i is the sum over the i-th block of K_BLOCK terms, by one chain of fused multiply-adds.
 * So an element depends on its row of a, its column of b and k only: not on m or n, nor on the tile
 * that it falls in.  Nothing is skipped and nothing but columns that are dropped is padded: NaN and
 * infinity go through as in the plain loop.
 *
 * The tile is 6 rows by 4 vectors with AVX-512 (24 sums in 32 registers) and by 2 with AVX2 (12 in
 * 16), see Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", TOMS 2008; but
 * at these sizes packing a and b costs more than it gives.  K_BLOCK rows of a tile's columns of b
 * fit the first-level cache. */
#include "vec_product.h"

#include <string.h>

#ifdef __AVX2__

/* Four elements, to transpose by. */
typedef bnn_real quad
    __attribute__((vector_size(4 * sizeof(bnn_real)), aligned(sizeof(bnn_real)), may_alias));

/* ---- when ---- */

/* Where bench_product (tests/bench) found these kernels faster than OpenBLAS 0.3.21: c of up to
 * m_to rows and of n_from to n_to columns, a multiple of n_step; k of k_from or more; more than
 * `work` multiply-adds.  (On an EPYC 9004 with two cores: AVX-512 as it is, where OpenBLAS has good
 * kernels of its own below 10^6 multiply-adds; AVX2 by BNNLUA_ISA=avx2 OPENBLAS_CORETYPE=Haswell.
 * Ratios of times within the ranges: 0.75 - 0.95 mostly, 1.05 at worst; outside up to 4.) */
typedef struct range {
  bool transposed;
  size_t m_to, n_from, n_to, n_step, k_from, work;
} range;

static const range ranges[] = {
#ifdef __AVX512F__
    {false, 512, LANES, SIZE_MAX, LANES, 1, 1000000},
    {false, 512, 128, SIZE_MAX, 1, 1, 1000000},
    {true, 64, 48, SIZE_MAX, 1, 50, 50000},
#else
    {false, 512, LANES, 64, LANES, 1, 0},
    {false, 64, LANES, 256, LANES, 1, 0},
#endif
};

bool VEC(product_wins)(bool transposed, size_t m, size_t n, size_t k) {
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    const range *r = &ranges[i];
    if (r->transposed == transposed && m <= r->m_to && n >= r->n_from && n <= r->n_to &&
        n % r->n_step == 0 && k >= r->k_from && m * n > r->work / k)
      return true;
  }
  return false;
}

/* ---- one tile ---- */

/* p is one tile over one block: its m and n are not looked at, its rows and vectors are constants
 * where this is inlined. */
INLINE void tile(const bnn_matrix_product *p, int rows, int vectors) {
  vector sum[TILE_ROWS][TILE_VECTORS];
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = (vector){0};
  }
  const bnn_real *a = p->a, *b = p->b;
  for (size_t k = 0; k < p->k; k++, a += p->a_step, b += p->ldb) {
    vector of_b[TILE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) of_b[v] = *(const vector *)(b + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      const bnn_real of_a = a[(size_t)r * p->a_row];
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] += of_a * of_b[v];
    }
  }
  UNROLL for (int r = 0; r < rows; r++) {
    bnn_real *c = p->c + (size_t)r * p->ldc;
    const bnn_real *start = p->start + (size_t)r * p->lds;
    UNROLL for (int v = 0; v < vectors; v++) * (vector *)(c + v * LANES) =
        *(const vector *)(start + v * LANES) + sum[r][v];
  }
}

#define TILE(rows, vectors) \
  static void tile_##rows##_##vectors(const bnn_matrix_product *p) { tile(p, rows, vectors); }
#ifdef __AVX512F__
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
#define TILE_NAMES(rows) \
  { tile_##rows##_1, tile_##rows##_2, tile_##rows##_3, tile_##rows##_4 }
#else
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#define TILE_NAMES(rows) \
  { tile_##rows##_1, tile_##rows##_2 }
#endif
/* clang-format off */
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
    /* clang-format on */

    static void (*const tiles[TILE_ROWS][TILE_VECTORS])(const bnn_matrix_product *) = {
        TILE_NAMES(1), TILE_NAMES(2), TILE_NAMES(3), TILE_NAMES(4), TILE_NAMES(5), TILE_NAMES(6),
};

/* ---- a block of columns and terms ---- */

static const bnn_real zeros[TILE_COLUMNS];

/* out [rows, vectors of LANES] = the first n columns of x, and zeros after. */
static void copy_padded(bnn_real *out, size_t ldo, const bnn_real *x, size_t ldx, size_t rows,
                        size_t n) {
  for (size_t i = 0; i < rows; i++) {
    memcpy(out + i * ldo, x + i * ldx, n * sizeof *x);
    memset(out + i * ldo + n, 0, (ldo - n) * sizeof *x);
  }
}

/* All rows of the columns of p, `vectors` whole vectors. */
static void whole_columns(const bnn_matrix_product *p, size_t vectors) {
  bnn_matrix_product t = *p;
  for (size_t i = 0, rows; i < p->m; i += rows) {
    rows = least(p->m - i, TILE_ROWS);
    t.c = p->c + i * p->ldc;
    t.start = p->start + i * p->lds;
    t.a = p->a + i * p->a_row;
    tiles[rows - 1][vectors - 1](&t);
  }
}

/* The same for n columns that end within a vector: with copies of b and c that do not. */
static void ragged_columns(const bnn_matrix_product *p, size_t vectors) {
  bnn_real b[K_BLOCK * TILE_COLUMNS], c[TILE_ROWS * TILE_COLUMNS];
  const size_t width = vectors * LANES;
  bnn_matrix_product t = *p;
  copy_padded(b, width, p->b, p->ldb, p->k, p->n);
  t.b = b;
  t.c = c;
  t.start = c;
  t.ldb = t.ldc = t.lds = width;
  for (size_t i = 0, rows; i < p->m; i += rows) {
    rows = least(p->m - i, TILE_ROWS);
    t.a = p->a + i * p->a_row;
    copy_padded(c, width, p->start + i * p->lds, p->lds, rows, p->n);
    tiles[rows - 1][vectors - 1](&t);
    for (size_t r = 0; r < rows; r++)
      memcpy(p->c + (i + r) * p->ldc, c + r * width, p->n * sizeof *c);
  }
}

/* The columns of p, at most those of a tile, block of terms after block of terms. */
static void columns(const bnn_matrix_product *p) {
  const size_t vectors = (p->n + LANES - 1) / LANES;
  bnn_matrix_product t = *p;
  if (!t.start) {
    t.start = zeros;
    t.lds = 0;
  }
  size_t k = 0;
  do {
    t.k = part(p->k - k, K_BLOCK);
    t.a = p->a + k * p->a_step;
    t.b = p->b + k * p->ldb;
    (p->n % LANES ? ragged_columns : whole_columns)(&t, vectors);
    t.start = p->c;
    t.lds = p->ldc;
    k += t.k;
  } while (k < p->k);
}

void VEC(product)(const bnn_matrix_product *p) {
  bnn_matrix_product t = *p;
  for (size_t j = 0; j < p->n; j += t.n) {
    t.n = tile_columns(p->n - j);
    t.c = p->c + j;
    t.start = p->start ? p->start + j : NULL;
    t.b = p->b + j;
    columns(&t);
  }
}

/* ---- b transposed ---- */

enum { STRIP = 24 }; /* rows of b, and so columns of c, that are worked on at a time */

/* out [4, 4] of a matrix with rows of ldo: (start +) the transpose of x [4, 4]. */
INLINE void transpose_quads(bnn_real *out, size_t ldo, const bnn_real *start, size_t lds,
                            const bnn_real *x, size_t ldx) {
  const quad a = *(const quad *)x, b = *(const quad *)(x + ldx), c = *(const quad *)(x + 2 * ldx),
             d = *(const quad *)(x + 3 * ldx);
  const quad ab0 = {a[0], b[0], a[1], b[1]}, ab1 = {a[2], b[2], a[3], b[3]};
  const quad cd0 = {c[0], d[0], c[1], d[1]}, cd1 = {c[2], d[2], c[3], d[3]};
  const quad column[4] = {{ab0[0], ab0[1], cd0[0], cd0[1]},
                          {ab0[2], ab0[3], cd0[2], cd0[3]},
                          {ab1[0], ab1[1], cd1[0], cd1[1]},
                          {ab1[2], ab1[3], cd1[2], cd1[3]}};
  for (size_t i = 0; i < 4; i++) {
    const quad from = start ? *(const quad *)(start + i * lds) : (quad){0};
    *(quad *)(out + i * ldo) = from + column[i];
  }
}

/* c [m, n] = start + the transpose of x [n, m]. */
static void add_transposed(bnn_real *c, size_t ldc, const bnn_real *start, size_t lds,
                           const bnn_real *x, size_t ldx, size_t m, size_t n) {
  const size_t m4 = m / 4 * 4, n4 = n / 4 * 4;
  for (size_t i = 0; i < m4; i += 4)
    for (size_t j = 0; j < n4; j += 4)
      transpose_quads(c + i * ldc + j, ldc, start ? start + i * lds + j : NULL, lds,
                      x + j * ldx + i, ldx);
  for (size_t i = 0; i < m; i++)
    for (size_t j = i < m4 ? n4 : 0; j < n; j++)
      c[i * ldc + j] = (start ? start[i * lds + j] : 0) + x[j * ldx + i];
}

/* The terms of one block for some rows of a, which come transposed, as at [k, m padded]. */
static void strips(const bnn_matrix_product *p, const bnn_real *at) {
  bnn_real sum[STRIP * TILE_COLUMNS];
  const size_t vectors = (p->m + LANES - 1) / LANES, width = vectors * LANES;
  for (size_t j = 0, n; j < p->n; j += n) {
    n = least(p->n - j, STRIP);
    const bnn_matrix_product t = {.c = sum,
                                  .ldc = width,
                                  .start = zeros,
                                  .a = p->b + j * p->ldb,
                                  .a_row = p->ldb,
                                  .a_step = 1,
                                  .b = at,
                                  .ldb = width,
                                  .m = n,
                                  .k = p->k};
    whole_columns(&t, vectors);
    add_transposed(p->c + j, p->ldc, p->start ? p->start + j : NULL, p->lds, sum, width, p->m, n);
  }
}

/* Transposes the smaller one: with few rows in a that is a and c, not b. */
void VEC(product_transposed)(const bnn_matrix_product *p) {
  bnn_real at[K_BLOCK * TILE_COLUMNS];
  bnn_matrix_product t = *p;
  for (size_t i = 0; i < p->m; i += t.m) {
    t.m = least(p->m - i, TILE_COLUMNS);
    t.c = p->c + i * p->ldc;
    t.start = p->start ? p->start + i * p->lds : NULL;
    t.lds = p->lds;
    size_t k = 0;
    do {
      t.k = part(p->k - k, K_BLOCK);
      const size_t width = (t.m + LANES - 1) / LANES * LANES;
      memset(at, 0, t.k * width * sizeof *at);
      add_transposed(at, width, NULL, 0, p->a + i * p->a_row + k, p->a_row, t.k, t.m);
      t.b = p->b + k;
      strips(&t, at);
      t.start = t.c;
      t.lds = t.ldc;
      k += t.k;
    } while (k < p->k);
  }
}

#endif
