/* blas.c - cblas calls; nothing else includes cblas.h. */
#include "blas.h"

#include <cblas.h>
#include <string.h>

#ifdef BNN_REAL_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

void bnn_blas_mm(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (size_t i = 0; !add && i < m; i++) memset(c + i * ldc, 0, n * sizeof *c);
    return;
  }
  GEMM(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m,
       (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, add ? 1 : 0, c, (int)ldc);
}

void bnn_blas_single_thread(void) { openblas_set_num_threads(1); }
const char *bnn_blas_config(void) { return openblas_get_config(); }
const char *bnn_blas_core(void) { return openblas_get_corename(); }
