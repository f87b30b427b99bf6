/* own_product.h - matrix products of every shape without OpenBLAS: what it is checked against when
 * it is loaded, and what serves where it is not to be had. */
#ifndef BNN_OWN_PRODUCT_H
#define BNN_OWN_PRODUCT_H

#include <stdbool.h>

#include "../base/real.h"

/* bnn_blas_mm's arguments and result, see blas.h; k may be 0.  Allocates nothing. */
void bnn_own_product(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta,
                     const bnn_real *b, size_t ldb, bool tb, size_t m, size_t n, size_t k,
                     bool add);

#endif
