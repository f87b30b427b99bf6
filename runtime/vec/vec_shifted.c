/* vec_shifted.c - products whose rows of b are one stretch of memory, seen from where a table
 * gives: what a convolution does to an image, without a copy for each offset of its window.
 *
 *   product:  c [m, n] = start + sum over t of a (i, t) b (t, j)        b (t, j) = b[b_at[t] + j]
 *   inner:    c [m, k] += sum over images g and positions j of a (g, i, j) b (g, t, j)
 *
 * As in vec_product.c a tile of 6 rows stays in registers: of sums over t, K_BLOCK terms at a time,
 * or of as many vectors of partial sums, each of which is added up at the end.  So an element of a
 * product depends on its row of a, its place in b and k only; one of an inner product on all of its
 * positions and images. */
#include "vec_product.h"

#include <stdalign.h>

#ifdef __AVX2__

/* ---- products ---- */

/* The sums over terms [from, to) of one tile, added to c; the first ones to start. */
INLINE void tile(const bnn_shifted_product *p, size_t from, size_t to, int rows, int vectors) {
  vector sum[TILE_ROWS][TILE_VECTORS];
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int v = 0; v < vectors; v++) sum[r][v] = (vector){0};
  }
  for (size_t t = from; t < to; t++) {
    const bnn_real *a = p->a + p->a_at[t], *b = p->b + p->b_at[t];
    vector of_b[TILE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) of_b[v] = *(const vector *)(b + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
      const bnn_real of_a = a[(size_t)r * p->a_row];
      UNROLL for (int v = 0; v < vectors; v++) sum[r][v] += of_a * of_b[v];
    }
  }
  UNROLL for (int r = 0; r < rows; r++) {
    bnn_real *c = p->c + (size_t)r * p->ldc;
    const vector start = (vector){0} + (p->start ? p->start[r] : 0);
    UNROLL for (int v = 0; v < vectors; v++) {
      vector *at = (vector *)(c + v * LANES);
      const vector before = from == 0 ? start : *at;
      *at = before + sum[r][v];
    }
  }
}

#define TILE(rows, vectors)                                                                   \
  static void tile_##rows##_##vectors(const bnn_shifted_product *p, size_t from, size_t to) { \
    tile(p, from, to, rows, vectors);                                                         \
  }                                                                                           \
  static void inner_##rows##_##vectors(const bnn_shifted_inner *p) { inner_tile(p, rows, vectors); }

/* ---- inner products ---- */

typedef bnn_real quad
    __attribute__((vector_size(4 * sizeof(bnn_real)), aligned(sizeof(bnn_real)), may_alias));

/* The sum of a vector's quarters. */
INLINE quad quarters(vector x) {
  alignas(VECTOR_BYTES) bnn_real lane[LANES];
  *(vector *)lane = x;
  quad sum = *(const quad *)lane;
  UNROLL for (size_t i = 4; i < LANES; i += 4) sum += *(const quad *)(lane + i);
  return sum;
}

/* The sums (q_0 + q_1) + (q_2 + q_3) of four quads, beside each other. */
INLINE quad totals(const quad *q) {
  const quad a = __builtin_shufflevector(q[0], q[1], 0, 4, 2, 6) +
                 __builtin_shufflevector(q[0], q[1], 1, 5, 3, 7),
             b = __builtin_shufflevector(q[2], q[3], 0, 4, 2, 6) +
                 __builtin_shufflevector(q[2], q[3], 1, 5, 3, 7);
  return __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
}

/* c [terms] += the sums of the lanes of each vector. */
INLINE void add_totals(bnn_real *c, const vector *sum, int terms) {
  quad q[4] = {{0}, {0}, {0}, {0}};
  UNROLL for (int t = 0; t < terms; t++) q[t] = quarters(sum[t]);
  const quad all = totals(q);
  if (terms == 4)
    *(quad *)c += all;
  else
    UNROLL for (int t = 0; t < terms; t++) c[t] += all[t];
}

/* One tile of rows of a and terms of b, over all images. */
INLINE void inner_tile(const bnn_shifted_inner *p, int rows, int terms) {
  vector sum[TILE_ROWS][TILE_VECTORS];
  size_t at[TILE_VECTORS];
  UNROLL for (int t = 0; t < terms; t++) at[t] = (size_t)p->b_at[t];
  UNROLL for (int r = 0; r < rows; r++) {
    UNROLL for (int t = 0; t < terms; t++) sum[r][t] = (vector){0};
  }
  for (size_t g = 0; g < p->images; g++) {
    const bnn_real *a = p->a + g * p->a_image, *b = p->b + g * p->b_image;
    for (size_t j = 0; j < p->n; j += LANES, a += LANES, b += LANES) {
      vector of_b[TILE_VECTORS];
      UNROLL for (int t = 0; t < terms; t++) of_b[t] = *(const vector *)(b + at[t]);
      UNROLL for (int r = 0; r < rows; r++) {
        const vector of_a = *(const vector *)(a + (size_t)r * p->a_row);
        UNROLL for (int t = 0; t < terms; t++) sum[r][t] += of_a * of_b[t];
      }
    }
  }
  UNROLL for (int r = 0; r < rows; r++) add_totals(p->c + (size_t)r * p->ldc, sum[r], terms);
}

/* ---- tables of both ---- */

#ifdef __AVX512F__
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
#define NAMES(kind, rows) \
  { kind##_##rows##_1, kind##_##rows##_2, kind##_##rows##_3, kind##_##rows##_4 }
#else
#define TILES(rows) TILE(rows, 1) TILE(rows, 2)
#define NAMES(kind, rows) \
  { kind##_##rows##_1, kind##_##rows##_2 }
#endif
#define ALL_NAMES(kind) \
  { NAMES(kind, 1), NAMES(kind, 2), NAMES(kind, 3), NAMES(kind, 4), NAMES(kind, 5), NAMES(kind, 6) }
/* clang-format off */
TILES(1) TILES(2) TILES(3) TILES(4) TILES(5) TILES(6)
    /* clang-format on */

    static void (*const tiles[TILE_ROWS][TILE_VECTORS])(const bnn_shifted_product *, size_t,
                                                        size_t) = ALL_NAMES(tile);
static void (*const inners[TILE_ROWS][TILE_VECTORS])(const bnn_shifted_inner *) = ALL_NAMES(inner);

void VEC(product_shifted)(const bnn_shifted_product *p) {
  bnn_shifted_product t = *p;
  for (size_t j = 0, n; j < p->n; j += n) {
    n = tile_columns(p->n - j);
    t.b = p->b + j;
    for (size_t i = 0, rows; i < p->m; i += rows) {
      rows = part(p->m - i, TILE_ROWS);
      t.a = p->a + i * p->a_row;
      t.c = p->c + i * p->ldc + j;
      t.start = p->start ? p->start + i : NULL;
      size_t from = 0;
      do {
        const size_t to = from + part(p->k - from, K_BLOCK);
        tiles[rows - 1][n / LANES - 1](&t, from, to);
        from = to;
      } while (from < p->k);
    }
  }
}

void VEC(inner_shifted)(const bnn_shifted_inner *p) {
  bnn_shifted_inner t = *p;
  for (size_t i = 0, rows; i < p->m; i += rows) {
    rows = part(p->m - i, TILE_ROWS);
    t.a = p->a + i * p->a_row;
    for (size_t k = 0, terms; k < p->k; k += terms) {
      terms = part(p->k - k, TILE_VECTORS);
      t.b_at = p->b_at + k;
      t.c = p->c + i * p->ldc + k;
      inners[rows - 1][terms - 1](&t);
    }
  }
}

#endif
