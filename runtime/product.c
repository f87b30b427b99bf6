/* product.c - which kernel makes a product. */
#include "product.h"

#include <string.h>

#include "isa.h"

typedef void kernel(const bnn_matrix_product *p);

/* Our kernel for a product, or NULL where OpenBLAS is to make it. */
static kernel *kernel_of(bool ta, bool tb, size_t m, size_t n, size_t k) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  if (!vec->product || (ta && tb) || !vec->product_wins(tb, m, n, k)) return NULL;
  return tb ? vec->product_transposed : vec->product;
}

void bnn_product(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add) {
  kernel *run = kernel_of(ta, tb, m, n, k);
  if (!run) {
    bnn_blas_mm(c, ldc, a, lda, ta, b, ldb, tb, m, n, k, add);
    return;
  }
  run(&(bnn_matrix_product){.c = c,
                            .ldc = ldc,
                            .start = add ? c : NULL,
                            .lds = add ? ldc : 0,
                            .a = a,
                            .a_row = ta ? 1 : lda,
                            .a_step = ta ? lda : 1,
                            .b = b,
                            .ldb = ldb,
                            .m = m,
                            .n = n,
                            .k = k});
}

void bnn_product_bias(bnn_real *c, const bnn_real *a, const bnn_real *b, const bnn_real *bias,
                      size_t m, size_t n, size_t k) {
  kernel *run = kernel_of(false, false, m, n, k);
  if (run) {
    run(&(bnn_matrix_product){.c = c,
                              .ldc = n,
                              .start = bias,
                              .a = a,
                              .a_row = k,
                              .a_step = 1,
                              .b = b,
                              .ldb = n,
                              .m = m,
                              .n = n,
                              .k = k});
    return;
  }
  for (size_t i = 0; i < m; i++) memcpy(c + i * n, bias, n * sizeof *c);
  bnn_blas_mm(c, n, a, k, false, b, n, false, m, n, k, true);
}
