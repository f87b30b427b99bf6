/* product.h - matrix products on row-major arrays, each by what is fastest for its shape: a small
 * kernel of our own (vec/vec_product.c) or OpenBLAS.
 *
 * The choice follows from the shape and the instruction set in use, so the same call gives the same
 * bits on every thread.  Runs on the calling thread; several threads may call at once.  NaN and
 * infinity go through as IEEE 754 has them: 0 * NaN is NaN.  The counts must fit a BLAS
 * (bnn_blas_fits). */
#ifndef BNN_PRODUCT_H
#define BNN_PRODUCT_H

#include "../vec/vec.h"
#include "blas.h"

/* c [m, n] = op(a) op(b) + (add ? c : 0): bnn_blas_mm's arguments, see blas.h. */
void bnn_product(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta, const bnn_real *b,
                 size_t ldb, bool tb, size_t m, size_t n, size_t k, bool add);

/* c [m, n] = the sum over shards of the k terms, in their tree, of the products a^T b of each, for a
 * [k, m] and b [k, n] with rows of lda and ldb.  false, and nothing done: for these sizes, whatever m,
 * it is better made of the products of bnn_product. */
bool bnn_product_sharded(bnn_real *c, const bnn_real *a, size_t lda, const bnn_real *b, size_t ldb,
                         size_t m, size_t n, const bnn_shards *shards);

/* c [m, n] = a [m, k] b [k, n] + bias [n], the same bias for every row; all of them contiguous. */
void bnn_product_bias(bnn_real *c, const bnn_real *a, const bnn_real *b, const bnn_real *bias,
                      size_t m, size_t n, size_t k);

/* The products of convolutions, c = start + a b and c += a b^T with b a table of places in one
 * stretch of memory (see vec.h); only where bnn_product_can_shift. */
bool bnn_product_can_shift(void);
void bnn_product_shifted(const bnn_shifted_product *p);
void bnn_product_inner(const bnn_shifted_inner *p);

#endif
