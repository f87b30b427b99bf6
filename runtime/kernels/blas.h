/* blas.h - the one door to OpenBLAS: single-threaded matrix products on row-major arrays.
 *
 * The library is not linked with but loaded, once in a process, before the first product: a program
 * that makes none starts without it.  Where it is not to be had, or is found to miscalculate,
 * kernels of our own (own_product.h) make every product instead, and who asked to be told hears it.
 * All functions may be called by several threads at once. */
#ifndef BNN_BLAS_H
#define BNN_BLAS_H

#include <stdbool.h>

#include "../base/real.h"
#include "../base/status.h"

/* Whether every count can be handed to a BLAS with 32-bit integers; infer rules ask before a
 * program is made, so that bnn_blas_mm need not fail. */
static inline bool bnn_blas_fits(size_t m, size_t n, size_t k) {
  return m <= INT32_MAX && n <= INT32_MAX && k <= INT32_MAX;
}

/* Loads OpenBLAS unless that was done; infer rules call it, for the same reason.  No OpenBLAS is no
 * failure.  ENOMEM: the address space has no room for it or its buffer; another call tries anew. */
bnn_status bnn_blas_load(bnn_err *err);

/* c [m, n] = op(a) op(b) + (add ? c : 0), with op(a) [m, k] and op(b) [k, n]; ta: a is stored [k,
 * m], tb: b is stored [n, k].  ld*: elements from one stored row to the next.  Runs on the calling
 * thread; several threads may call it at once.  k = 0 gives zeros (or c).  The counts must fit. */
void bnn_blas_mm(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add);

/* "OpenBLAS 0.3.21 ... Zen MAX_THREADS=64": its configuration; the name of its core; who chose that
 * core, in words.  All three load it; without it they are NULL, NULL and why there is none. */
const char *bnn_blas_config(void);
const char *bnn_blas_core(void);
const char *bnn_blas_choice(void);

/* Told, once, that OpenBLAS does not make the products, and why; NULL is allowed.  Process-wide, as
 * the library is; set it before the first product. */
typedef void bnn_blas_notice(const char *text);
void bnn_blas_on_notice(bnn_blas_notice *notice);

#endif
