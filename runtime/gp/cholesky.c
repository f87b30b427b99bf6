/* cholesky.c - see cholesky.h.  Golub and Van Loan, "Matrix Computations", 4.2, the outer product
 * form. */
#include "cholesky.h"

#include <math.h>
#include <string.h>

/* y [n] += a x [n] */
static void add_scaled(double *restrict y, const double *restrict x, double a, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void scale(double *x, double a, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] *= a;
}

bool bnn_cholesky(double *a, size_t n) {
  for (size_t k = 0; k < n; k++) {
    double *row = a + k * n;
    if (!(row[k] > 0) || isinf(row[k])) return false;
    double root = sqrt(row[k]);
    row[k] = root;
    scale(row + k + 1, 1 / root, n - k - 1);
    for (size_t i = k + 1; i < n; i++) add_scaled(a + i * n + i, row + i, -row[i], n - i);
  }
  return true;
}

void bnn_cholesky_forward(double *b, const double *u, size_t n, size_t m) {
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < i; j++) add_scaled(b + i * m, b + j * m, -u[j * n + i], m);
    scale(b + i * m, 1 / u[i * n + i], m);
  }
}

void bnn_cholesky_backward(double *b, const double *u, size_t n, size_t m) {
  for (size_t i = n; i-- > 0;) {
    for (size_t j = i + 1; j < n; j++) add_scaled(b + i * m, b + j * m, -u[i * n + j], m);
    scale(b + i * m, 1 / u[i * n + i], m);
  }
}

void bnn_cholesky_inverse(double *inverse, double *lower, const double *u, size_t n) {
  memset(lower, 0, n * n * sizeof *lower);
  memset(inverse, 0, n * n * sizeof *inverse);
  for (size_t i = 0; i < n; i++) { /* U^-T I, whose row i is 0 beyond i */
    double *row = lower + i * n;
    row[i] = 1;
    for (size_t j = 0; j < i; j++) add_scaled(row, lower + j * n, -u[j * n + i], j + 1);
    scale(row, 1 / u[i * n + i], i + 1);
  }
  for (size_t k = 0; k < n; k++) { /* U^-1 U^-T */
    const double *row = lower + k * n;
    for (size_t i = 0; i <= k; i++) add_scaled(inverse + i * n + i, row + i, row[i], k - i + 1);
  }
}
