/* shards.c - see shards.h. */
#include "shards.h"

bnn_shards bnn_shards_of(size_t n_rows, size_t shards) {
  const size_t size = n_rows / shards + (n_rows % shards > 0);
  return (bnn_shards){n_rows, size, size ? (n_rows - 1) / size + 1 : 1};
}

bnn_row_range bnn_shards_rows(const bnn_shards *s, size_t shard) {
  const size_t from = shard * s->size, left = s->n_rows - from;
  return (bnn_row_range){from, left < s->size ? left : s->size};
}

size_t bnn_shards_levels(size_t shards) {
  size_t n = 1;
  for (; shards > 1; shards /= 2) n++;
  return n;
}

/* The sum over the shards from at.shard on that there are among the next `size`, a power of two. */
static void add_subtree(const bnn_shard_adder *adder, bnn_shard_sum at, size_t size,
                        size_t shards) {
  if (size == 1) {
    adder->leaf(adder->data, at);
    return;
  }
  const bnn_shard_sum right = {at.shard + size / 2, at.level + 1};
  add_subtree(adder, at, size / 2, shards);
  if (right.shard >= shards) return;
  add_subtree(adder, right, size / 2, shards);
  adder->add(adder->data, at, right);
}

void bnn_shards_add_up(const bnn_shard_adder *adder, size_t shards) {
  size_t size = 1;
  while (size < shards) size *= 2;
  add_subtree(adder, (bnn_shard_sum){0, 0}, size, shards);
}
