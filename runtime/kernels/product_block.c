/* product_block.c - see product_block.h. */
#include "product_block.h"

#include <math.h>

#include "../base/real.h"

/* Multiply-adds of a block: about a tenth of a second on one core of today. */
#ifdef BNN_REAL_DOUBLE
static const double MOST = 2.5e9;
#else
static const double MOST = 5e9;
#endif

/* A part of whole steps, of which about `most` are in a block: they cut n evenly. */
static size_t part(size_t n, double most) {
  const double step = BNN_PRODUCT_STEP, parts = ceil((double)n / (most > step ? most : step));
  const size_t rows = (size_t)ceil((double)n / parts / step) * BNN_PRODUCT_STEP;
  return rows < n ? rows : n;
}

/* k is cut first, which costs nothing: every other cut has a or b read once more. */
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
  block.rows = part(m, (double)n <= side ? most / (double)n : side);
  block.columns = part(n, (double)m <= side ? most / (double)m : side);
  return block;
}
