/* cholesky.h - symmetric positive definite matrices in double: A = U^T U with U upper triangular.
 *
 * Matrices are [n, n] row-major.  Loops run along rows, so that they vectorise without
 * reassociating sums: about n^3 / 6 multiply-adds each. */
#ifndef BNN_CHOLESKY_H
#define BNN_CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* Replaces the upper triangle of a by U; what is below the diagonal is neither read nor written.
 * false: a is not positive definite (or has a NaN), and is spoilt. */
bool bnn_cholesky(double *a, size_t n);

/* b [n, m] <- U^-T b, and b <- U^-1 b; one after the other they solve A x = b. */
void bnn_cholesky_forward(double *b, const double *u, size_t n, size_t m);
void bnn_cholesky_backward(double *b, const double *u, size_t n, size_t m);

/* inverse [n, n]: the upper triangle of A^-1, the rest being 0.  lower [n, n]: scratch; gets U^-T. */
void bnn_cholesky_inverse(double *inverse, double *lower, const double *u, size_t n);

#endif
