/* blas.h - the one door to OpenBLAS: single-threaded matrix products on row-major arrays. */
#ifndef BNN_BLAS_H
#define BNN_BLAS_H

#include <stdbool.h>

#include "real.h"

/* Whether every count can be handed to a BLAS with 32-bit integers; infer rules ask before a
 * program is made, so that bnn_blas_mm need not fail. */
static inline bool bnn_blas_fits(size_t m, size_t n, size_t k) {
  return m <= INT32_MAX && n <= INT32_MAX && k <= INT32_MAX;
}

/* c [m, n] = op(a) op(b) + (add ? c : 0), with op(a) [m, k] and op(b) [k, n]; ta: a is stored [k,
 * m], tb: b is stored [n, k].  ld*: elements from one stored row to the next.  Runs on the calling
 * thread; several threads may call it at once.  k = 0 gives zeros (or c).  The counts must fit. */
void bnn_blas_mm(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add);

/* Tells OpenBLAS to keep to the calling thread: our own pool splits the work (DESIGN, idea 5).
 * Process-wide, as OpenBLAS has it; bnn_context_new calls it. */
void bnn_blas_single_thread(void);

/* "OpenBLAS 0.3.21 ... Zen MAX_THREADS=64": its configuration, and the name of its core. */
const char *bnn_blas_config(void);
const char *bnn_blas_core(void);

#endif
