/* own_product.c - see own_product.h.
 *
 * The vector kernels where the instruction set has them; else, and for a^T b^T, plain C: a block of
 * op(b) is copied so that its rows are contiguous and the inner loop is c += a b along a row, which
 * vectorises for any processor.  Nothing is skipped: 0 * NaN is NaN. */
#include "own_product.h"

#include <string.h>

#include "isa.h"

/* A block of op(b) fits the first-level cache, in double too. */
enum { BLOCK_K = 32, BLOCK_N = 64 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* out [k, n] = op(b), whose elements are `row` and `column` apart. */
static void copy_block(bnn_real *out, const bnn_real *b, size_t row, size_t column, size_t k,
                       size_t n) {
  for (size_t t = 0; t < k; t++)
    for (size_t j = 0; j < n; j++) out[t * BLOCK_N + j] = b[t * row + j * column];
}

BNN_KERNEL add_row(bnn_real *restrict c, const bnn_real *restrict b, bnn_real a, size_t n) {
  for (size_t j = 0; j < n; j++) c[j] += a * b[j];
}

/* p->c += p->a p->b. */
static void add_plainly(const bnn_matrix_product *p, size_t b_column) {
  bnn_real block[BLOCK_K * BLOCK_N];
  for (size_t t = 0; t < p->k; t += BLOCK_K)
    for (size_t j = 0; j < p->n; j += BLOCK_N) {
      const size_t k = least(p->k - t, BLOCK_K), n = least(p->n - j, BLOCK_N);
      copy_block(block, p->b + t * p->ldb + j * b_column, p->ldb, b_column, k, n);
      for (size_t i = 0; i < p->m; i++)
        for (size_t s = 0; s < k; s++)
          add_row(p->c + i * p->ldc + j, block + s * BLOCK_N,
                  p->a[i * p->a_row + (t + s) * p->a_step], n);
    }
}

void bnn_own_product(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta,
                     const bnn_real *b, size_t ldb, bool tb, size_t m, size_t n, size_t k,
                     bool add) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  bnn_matrix_product p = bnn_matrix_product_of(c, ldc, a, lda, ta, b, ldb, m, n, k, add);
  if (vec->product && !(ta && tb)) {
    (tb ? vec->product_transposed : vec->product)(&p);
    return;
  }
  for (size_t i = 0; !add && i < m; i++) memset(c + i * ldc, 0, n * sizeof *c);
  if (tb) p.ldb = 1;
  add_plainly(&p, tb ? ldb : 1);
}
