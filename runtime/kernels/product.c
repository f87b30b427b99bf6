/* product.c - which kernel makes a product. */
#include "product.h"

#include <string.h>

#include "../base/stop.h"
#include "isa.h"
#include "product_block.h"

/* Runs a kernel of our own, block by block of rows, each of which is by itself in all of them. */
static void run(void (*kernel)(const bnn_matrix_product *), const bnn_matrix_product *p) {
  bnn_matrix_product part = *p;
  const bool is_empty = p->m == 0 || p->n == 0 || p->k == 0;
  const size_t block = is_empty ? p->m : bnn_product_block_of(p->m, 1, p->n * p->k, 0).rows;
  for (size_t i = 0; i < p->m && !bnn_stop_asked(); i += part.m) {
    part.m = bnn_product_block_part(p->m - i, block, BNN_PRODUCT_STEP);
    part.c = p->c + i * p->ldc;
    part.start = p->start ? p->start + i * p->lds : NULL;
    part.a = p->a + i * p->a_row;
    kernel(&part);
  }
}

/* Makes p by a kernel of our own; false where OpenBLAS is to make it.  a transposed is that of a
 * weight gradient, which is worth skipping zeros of at any size; elsewhere a row of c must not
 * depend on the other rows, which may have more zeros. */
static bool make(const bnn_matrix_product *p, bool ta, bool tb) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  if (!vec->product || (ta && tb)) return false;
  const bool wins = vec->product_wins(tb, p->m, p->n, p->k);
  if (vec->product_skips && !tb && (ta || wins) && vec->product_skips(p))
    run(vec->product_skipping, p);
  else if (wins)
    run(tb ? vec->product_transposed : vec->product, p);
  else
    return false;
  return true;
}

void bnn_product(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add) {
  const bnn_matrix_product p = bnn_matrix_product_of(c, ldc, a, lda, ta, b, ldb, m, n, k, add);
  if (!make(&p, ta, tb)) bnn_blas_mm(c, ldc, a, lda, ta, b, ldb, tb, m, n, k, add);
}

bool bnn_product_sharded(bnn_real *c, const bnn_real *a, size_t lda, const bnn_real *b, size_t ldb,
                         size_t m, size_t n, const bnn_shards *shards) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  const bnn_matrix_product p =
      bnn_matrix_product_of(c, n, a, lda, true, b, ldb, m, n, shards->n_rows, false);
  return vec->product_sharded && vec->product_sharded(&p, shards);
}

void bnn_product_bias(bnn_real *c, const bnn_real *a, const bnn_real *b, const bnn_real *bias,
                      size_t m, size_t n, size_t k) {
  const bnn_matrix_product p = {.c = c,
                                .ldc = n,
                                .start = bias,
                                .a = a,
                                .a_row = k,
                                .a_step = 1,
                                .b = b,
                                .ldb = n,
                                .m = m,
                                .n = n,
                                .k = k};
  if (make(&p, false, false)) return;
  for (size_t i = 0; i < m; i++) memcpy(c + i * n, bias, n * sizeof *c);
  bnn_blas_mm(c, n, a, k, false, b, n, false, m, n, k, true);
}

bool bnn_product_can_shift(void) { return bnn_isa_get()->vec->product_shifted != NULL; }

void bnn_product_shifted(const bnn_shifted_product *p) { bnn_isa_get()->vec->product_shifted(p); }

void bnn_product_inner(const bnn_shifted_inner *p) { bnn_isa_get()->vec->inner_shifted(p); }
