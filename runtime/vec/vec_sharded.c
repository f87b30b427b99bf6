/* vec_sharded.c - the product of a weight gradient over a batch in shards: a product of each shard's
 * terms, added in their tree (base/shards.h).
 *
 * By itself each product of a few terms would write all of c, and its sums be read again to be added:
 * at 8 rows a shard that takes longer than the products.  So c is made in patches that are small
 * enough for the partial sums of all levels to stay in the first-level cache, and the second shard
 * of a pair is added where the first one is: with terms for one block only, start + a b is the sum
 * that adding the two would give. */
#include "vec_product.h"

#ifdef __AVX2__

/* Rows of a patch, its levels but for the first, which is c itself, and the terms of a shard from which
 * skipping zeros is the faster way (bench_step, "shards"). */
enum { PATCH_ROWS = 32, LEVELS = 5, SPARSE_TERMS = 24 };

typedef struct patch {
  const bnn_matrix_product *p; /* c, a and b at the patch's first */
  const bnn_shards *shards;
  void (*make)(const bnn_matrix_product *p);
  bnn_real sum[LEVELS][PATCH_ROWS * TILE_COLUMNS];
} patch;

static bnn_real *sum_at(patch *w, size_t level, size_t *ld) {
  *ld = level ? TILE_COLUMNS : w->p->ldc;
  return level ? w->sum[level - 1] : w->p->c;
}

/* Shards 2 i and 2 i + 1. */
static void pair(void *data, bnn_shard_sum at) {
  patch *w = data;
  bnn_matrix_product t = *w->p;
  t.c = sum_at(w, at.level, &t.ldc);
  t.start = NULL;
  for (size_t s = 2 * at.shard; s < 2 * at.shard + 2 && s < w->shards->count; s++) {
    const bnn_row_range terms = bnn_shards_rows(w->shards, s);
    t.k = terms.count;
    t.a = w->p->a + terms.from * t.a_step;
    t.b = w->p->b + terms.from * t.ldb;
    w->make(&t);
    t.start = t.c;
    t.lds = t.ldc;
  }
}

static void add_row(bnn_real *restrict y, const bnn_real *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void add_pairs(void *data, bnn_shard_sum to, bnn_shard_sum from) {
  patch *w = data;
  size_t ldy, ldx;
  bnn_real *y = sum_at(w, to.level, &ldy), *x = sum_at(w, from.level, &ldx);
  for (size_t i = 0; i < w->p->m; i++) add_row(y + i * ldy, x + i * ldx, w->p->n);
}

bool VEC(product_sharded)(const bnn_matrix_product *p, const bnn_shards *shards) {
  const size_t pairs = (shards->count + 1) / 2;
  if (shards->size > K_BLOCK || p->n < LANES || bnn_shards_levels(pairs) > LEVELS + 1) return false;
  bnn_matrix_product t = *p;
  patch w = {.p = &t, .shards = shards, .make = VEC(product)};
#if defined(__AVX512F__) && defined(__AVX512BW__)
  if (shards->size >= SPARSE_TERMS && VEC(product_is_sparse)(p)) w.make = VEC(product_skipping);
#endif
  for (size_t j = 0; j < p->n; j += t.n) {
    t.n = tile_columns(p->n - j);
    t.b = p->b + j;
    for (size_t i = 0; i < p->m; i += t.m) {
      t.m = least(p->m - i, PATCH_ROWS);
      t.a = p->a + i * p->a_row;
      t.c = p->c + i * p->ldc + j;
      bnn_shards_add_up(&(bnn_shard_adder){pair, add_pairs, &w}, pairs);
    }
  }
  return true;
}

#endif
