/* shards.h - the rows of a batch in shards, and the one order in which their parts are added.
 *
 * Shard r of n rows in S shards is rows [r m, min((r + 1) m, n)) with m = ceil(n / S); shards that
 * would be empty do not exist.  What each shard gives is added in a binary tree over the shards'
 * numbers, whose shape their count alone decides:
 *
 *     0   1   2   3   4         five shards: ((0 + 1) + (2 + 3)) + 4; where there is nothing to the
 *     +---+   +---+   |         right, the left passes through
 *     +-------+       |
 *     +---------------+
 *
 * So whoever works out a shard, and in which order, the sum has the same bits (pairwise summation,
 * Higham 1993, whose error also grows with log S only). */
#ifndef BNN_SHARDS_H
#define BNN_SHARDS_H

#include <stddef.h>

/* Rows [from, from + count) of a batch. */
typedef struct bnn_row_range {
  size_t from, count;
} bnn_row_range;

typedef struct bnn_shards {
  size_t n_rows, size; /* of the batch; of a shard, but the last may have fewer */
  size_t count;        /* at least 1 */
} bnn_shards;

/* n_rows in `shards` shards, at least 1; without rows there is one, of none. */
bnn_shards bnn_shards_of(size_t n_rows, size_t shards);

bnn_row_range bnn_shards_rows(const bnn_shards *s, size_t shard);

/* A partial sum: over some shards from `shard` on.  Of all that exist at once no two have the same
 * level, and levels are as few as can be, so that they number the buffers of a sum; the sum of all is
 * at level 0. */
typedef struct bnn_shard_sum {
  size_t shard, level;
} bnn_shard_sum;

/* The most levels that there can be. */
enum { BNN_SHARD_LEVELS_MAX = 64 };

/* Levels of the tree over so many shards: floor(log2 shards) + 1. */
size_t bnn_shards_levels(size_t shards);

/* What a tree adds: `leaf` makes the part of one shard; `add` adds a sum to the one on its left,
 * which is then the sum of both. */
typedef struct bnn_shard_adder {
  void (*leaf)(void *data, bnn_shard_sum at);
  void (*add)(void *data, bnn_shard_sum to, bnn_shard_sum from);
  void *data;
} bnn_shard_adder;

/* Makes the sum over all shards, at shard 0 and level 0, on the calling thread. */
void bnn_shards_add_up(const bnn_shard_adder *adder, size_t shards);

#endif
