/* vec.h - the vector kernels that are not ops: noise, gathering, running sums, products.
 *
 * Plain C loops that the compiler vectorises, built once per instruction set (isa.h); each row of
 * this table is one function.  n counts elements; arrays do not overlap unless it is said. */
#ifndef BNN_VEC_H
#define BNN_VEC_H

#include <stdbool.h>

#include "../base/real.h"
#include "../base/shards.h"
#include "../tensor/key.h" /* from here: this header is installed */

/* A matrix product c [m, n] = start + a b, of a [m, k] and b [k, n] (transposed: b [n, k]).
 * Element [i, l] of a is a[i * a_row + l * a_step]: either may be 1.  ld*: elements from one row to
 * the next.  start: NULL for 0, c itself, or another matrix; with lds = 0 it is one row for all. */
typedef struct bnn_matrix_product {
  bnn_real *c;
  size_t ldc;
  const bnn_real *start;
  size_t lds;
  const bnn_real *a;
  size_t a_row, a_step;
  const bnn_real *b;
  size_t ldb;
  size_t m, n, k;
} bnn_matrix_product;

/* The product c = op(a) op(b) + (add ? c : 0) as bnn_blas_mm is given it (kernels/blas.h).  Whether
 * b is transposed is for the kernel to know. */
static inline bnn_matrix_product bnn_matrix_product_of(bnn_real *c, size_t ldc, const bnn_real *a,
                                                       size_t lda, bool ta, const bnn_real *b,
                                                       size_t ldb, size_t m, size_t n, size_t k,
                                                       bool add) {
  return (bnn_matrix_product){.c = c,
                              .ldc = ldc,
                              .start = add ? c : NULL,
                              .lds = add ? ldc : 0,
                              .a = a,
                              .a_row = ta ? 1 : lda,
                              .a_step = ta ? lda : 1,
                              .b = b,
                              .ldb = ldb,
                              .m = m,
                              .n = n,
                              .k = k};
}

/* c [m, n] = start [m] (NULL: 0) + a b, where element [i, t] of a is a[i * a_row + a_at[t]] and
 * [t, j] of b is b[b_at[t] + j], t < k.  n is a multiple of BNN_SHIFTED_STEP, so that kernels read
 * and write whole vectors; ldc of n or more. */
enum { BNN_SHIFTED_STEP = 16 };
typedef struct bnn_shifted_product {
  bnn_real *c;
  size_t ldc;
  const bnn_real *start;
  const bnn_real *a;
  size_t a_row;
  const bnn_real *b;
  const int32_t *a_at, *b_at; /* [k] */
  size_t m, n, k;
} bnn_shifted_product;

/* c [m, k] += the sums over images g and j < n of a[g * a_image + i * a_row + j]
 * b[g * b_image + b_at[t] + j].  n is a multiple of BNN_SHIFTED_STEP. */
typedef struct bnn_shifted_inner {
  bnn_real *c;
  size_t ldc;
  const bnn_real *a;
  size_t a_image, a_row;
  const bnn_real *b;
  size_t b_image;
  const int32_t *b_at; /* [k] */
  size_t m, n, k, images;
} bnn_shifted_inner;

/* Places (y + i dy, x + i dx) in a plane of h lines of w pixels, neither of them 0.  Beyond its edge lies
 * nothing (fades), its mirror image without the outermost pixels (reflects), or else these pixels again
 * and again. */
typedef struct bnn_bilinear {
  double y, x, dy, dx;
  size_t h, w;
  bool fades, reflects;
} bnn_bilinear;

typedef struct bnn_vec {
  /* Noise (vec_noise.c, without contraction: the same bits on every instruction set); see key.h. */
  void (*bits)(uint64_t *out, bnn_key key, uint64_t from, size_t n);
  void (*uniform)(bnn_real *out, bnn_key key, uint64_t from, size_t n);
  void (*normal)(bnn_real *out, bnn_key key, uint64_t from, size_t n);
  void (*truncated)(bnn_real *out, bnn_key key, uint64_t from, size_t n);
  void (*rademacher)(bnn_real *out, bnn_key key, uint64_t from, size_t n);

  /* Whether no element is infinite or NaN (vec_data.c). */
  bool (*finite)(const bnn_real *x, size_t n);

  /* out = in / 255 for the bytes of an image (vec_data.c). */
  void (*pixels)(bnn_real *out, const uint8_t *in, size_t n);

  /* out [n] = the values of a plane between its pixels; those of u8 are divided by 255
   * (vec_bilinear.c). */
  void (*bilinear)(bnn_real *out, const bnn_real *plane, const bnn_bilinear *b, size_t n);
  void (*bilinear_u8)(bnn_real *out, const uint8_t *plane, const bnn_bilinear *b, size_t n);

  /* Welford's running mean and sum of squared deviations, sample number k (counted from 1):
   * d = x - mean; mean += d * (1 / k), one division for all; m2 += d * (x - mean).  In double. */
  void (*welford)(double *mean, double *m2, const bnn_real *x, double k, size_t n);

  /* y += x. */
  void (*accumulate)(bnn_real *y, const bnn_real *x, size_t n);

  /* sum += x, in double. */
  void (*add_to)(double *sum, const bnn_real *x, size_t n);

  /* Sample number k (counted from 1) of probabilities p [rows, classes]: entropy [rows] is the
   * running mean of h = -sum p log p, entropy += (h - entropy) / k (terms in the real type, 0 log 0 =
   * 0, sums in double; a NaN in a row shows), votes [rows, classes] counts the first largest of each
   * row (NULL: not wanted). */
  void (*class_sums)(double *entropy, uint32_t *votes, const bnn_real *p, double k, size_t rows,
                     size_t classes);

  /* Matrix products (vec_product.c), with b as it is and b transposed, which needs a_step = 1.
   * product_wins: whether they are the faster choice for these sizes, for one layout of b and any of
   * a.  All three are NULL where there are none.  bnn_product (product.h) chooses. */
  void (*product)(const bnn_matrix_product *p);
  void (*product_transposed)(const bnn_matrix_product *p);
  bool (*product_wins)(bool transposed, size_t m, size_t n, size_t k);

  /* c = the sum over shards of the terms, in their tree, of each shard's product; start is not looked
   * at (vec_sharded.c).  false, and nothing done: these sizes are better made shard by shard; the answer
   * does not depend on m.  NULL where there is none. */
  bool (*product_sharded)(const bnn_matrix_product *p, const bnn_shards *shards);

  /* The same without the terms whose element of a is 0, of b as it is (vec_sparse.c): whether so many
   * of them are that it is faster, and the product, with the bits of `product`.  NULL where there is
   * none. */
  bool (*product_skips)(const bnn_matrix_product *p);
  void (*product_skipping)(const bnn_matrix_product *p);

  /* Products with shifted views of b (vec_shifted.c); NULL where there are none. */
  void (*product_shifted)(const bnn_shifted_product *p);
  void (*inner_shifted)(const bnn_shifted_inner *p);
} bnn_vec;

#endif
