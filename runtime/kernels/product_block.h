/* product_block.h - how a large product is cut into blocks, between which a request to stop is looked
 * at (base/stop.h).
 *
 * An element of c is the same sum, bit by bit, as in one block: its terms are added in the same order,
 * and no block is so thin that a library would have another kernel for it. */
#ifndef BNN_PRODUCT_BLOCK_H
#define BNN_PRODUCT_BLOCK_H

#include <stddef.h>

enum { BNN_PRODUCT_STEP = 192 }; /* a multiple of the sides of all kernels' tiles */

typedef struct bnn_product_block {
  size_t rows, columns, terms; /* of c and of k: all of them, or multiples of the two steps */
} bnn_product_block;

/* The blocks of a product of m, n and k, none of which is 0.  k may be cut at multiples of `step`, and
 * is not if that is 0. */
bnn_product_block bnn_product_block_of(size_t m, size_t n, size_t k, size_t step);

/* How many of the `left` the next block takes: the last takes what would be less than a step too. */
static inline size_t bnn_product_block_part(size_t left, size_t block, size_t step) {
  return left < block + step ? left : block;
}

#endif
