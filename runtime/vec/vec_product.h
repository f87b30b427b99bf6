/* vec_product.h - what the kernels for products share: the vectors and tiles of the instruction set
 * being compiled, and how columns and terms are cut into tiles and blocks. */
#ifndef BNN_VEC_PRODUCT_H
#define BNN_VEC_PRODUCT_H

#include "vec_rows.h"

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64, TILE_VECTORS = 4 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32, TILE_VECTORS = 2 };
#endif

#ifdef __AVX2__

enum {
  LANES = VECTOR_BYTES / sizeof(bnn_real),
  TILE_ROWS = 6,
  TILE_COLUMNS = TILE_VECTORS * LANES,
  K_BLOCK = 128,
};

/* Of memory that need not be aligned. */
typedef bnn_real vector
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(bnn_real)), may_alias));

/* Sums stay in registers only when the loops over a tile are unrolled, all of them. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif
#define INLINE static inline __attribute__((always_inline))

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The first of the fewest parts, of `most` or fewer, that cut n evenly; 0 of 0. */
static inline size_t part(size_t n, size_t most) {
  const size_t parts = (n + most - 1) / most;
  return n ? (n + parts - 1) / parts : 0;
}

/* Columns of the first of the tiles that n columns are cut into: whole vectors but for the last. */
static inline size_t tile_columns(size_t n) {
  return least(n, part((n + LANES - 1) / LANES, TILE_VECTORS) * LANES);
}

#endif
#endif
