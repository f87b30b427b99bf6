/* columns.c - see columns.h. */
#include "columns.h"

#include <math.h>

#include "../base/mem.h"

/* What is known of a column: the sum of x - first, which is 0 for a column of equal values, and then
 * that of squared deviations. */
typedef struct column {
  double first, sum, squares;
} column;

static void add_rows(column *c, const bnn_real *x, size_t n, size_t d) {
  for (size_t j = 0; j < d; j++) c[j] = (column){.first = x[j]};
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) c[j].sum += x[i * d + j] - c[j].first;
}

static void add_squares(column *c, const bnn_real *x, size_t n, size_t d) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) {
      const double miss = (x[i * d + j] - c[j].first) - c[j].sum / (double)n;
      c[j].squares += miss * miss;
    }
}

/* What to divide by: 1 where all values are the same; never 0, as a deviation that is less than any
 * real number would be. */
static bnn_real divisor_of(double spread) {
  if (spread == 0) return 1;
  const bnn_real std = (bnn_real)spread;
  return std == 0 ? R(nextafter)(0, 1) : std;
}

bnn_status bnn_columns_fit(bnn_real *mean, bnn_real *rest, bnn_real *std, size_t *constant,
                           size_t *first, const bnn_real *x, size_t n, size_t d, bnn_err *err) {
  column *c = bnn_mem_alloc(d, sizeof *c);
  if (!c) return bnn_fail(err, BNN_ENOMEM, "the statistics of %zu columns", d);
  add_rows(c, x, n, d);
  add_squares(c, x, n, d);
  *constant = 0;
  for (size_t j = 0; j < d; j++) {
    const double exact = c[j].first + c[j].sum / (double)n, spread = sqrt(c[j].squares / (double)n);
    mean[j] = (bnn_real)exact;
    rest[j] = (bnn_real)(exact - (double)mean[j]);
    std[j] = divisor_of(spread);
    if (spread == 0 && (*constant)++ == 0) *first = j;
  }
  bnn_mem_free(c);
  return BNN_OK;
}

void bnn_columns_standardise(bnn_real *z, const bnn_real *x, const bnn_real *mean,
                             const bnn_real *rest, const bnn_real *std, size_t n, size_t d) {
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) {
      const double miss = ((double)x[i * d + j] - mean[j]) - (rest ? rest[j] : 0);
      z[i * d + j] = (bnn_real)(miss / std[j]);
    }
}
