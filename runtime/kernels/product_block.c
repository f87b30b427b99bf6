/* product_block.c - see product_block.h. */
#include "product_block.h"

#include <math.h>
#include <stdbool.h>

#include "../base/real.h"

/* Multiply-adds of a block: about a tenth of a second on one core of today. */
#ifdef BNN_REAL_DOUBLE
static const double MOST = 4.5e9;
#else
static const double MOST = 9e9;
#endif

/* A part of whole steps, of which about `most` are in a block: they cut n evenly. */
static size_t part(size_t n, double most) {
  const double step = BNN_PRODUCT_STEP, parts = ceil((double)n / (most > step ? most : step));
  const size_t rows = (size_t)ceil((double)n / parts / step) * BNN_PRODUCT_STEP;
  return rows < n ? rows : n;
}

/* k is cut first, which costs nothing; then columns, for each part of which the library copies a once
 * more; a cut of rows has it copy b. */
bnn_product_block bnn_product_block_of(size_t m, size_t n, size_t k, size_t step) {
  const double elements = (double)m * (double)n;
  bnn_product_block block = {m, n, k};
  if (elements * (double)k <= MOST) return block;
  if (step > 0 && k > step) {
    const double steps = floor(MOST / elements / (double)step); /* less than k has */
    block.terms = steps > 1 ? (size_t)steps * step : step;
  }
  const double most = MOST / (double)block.terms, side = sqrt(most);
  if (elements <= most) return block;
  const bool takes_rows = (double)m * 4 * BNN_PRODUCT_STEP <= most; /* all, and not few columns */
  if (!takes_rows) block.rows = part(m, (double)n <= side ? most / (double)n : side);
  if (takes_rows || (double)n > side) block.columns = part(n, most / (double)block.rows);
  return block;
}
