/* vec_rows.h - the functions behind the table of vec.h, in the instruction set being compiled. */
#ifndef BNN_VEC_ROWS_H
#define BNN_VEC_ROWS_H

#include "vec.h"

#define VEC(name) BNN_ISA_NAME(bnn_vec_##name)

void VEC(bits)(uint64_t *out, bnn_key key, uint64_t from, size_t n);
void VEC(uniform)(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void VEC(normal)(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void VEC(truncated)(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void VEC(rademacher)(bnn_real *out, bnn_key key, uint64_t from, size_t n);

bool VEC(finite)(const bnn_real *x, size_t n);
void VEC(pixels)(bnn_real *out, const uint8_t *in, size_t n);
void VEC(bilinear)(bnn_real *out, const bnn_real *plane, const bnn_bilinear *b, size_t n);
void VEC(bilinear_u8)(bnn_real *out, const uint8_t *plane, const bnn_bilinear *b, size_t n);
void VEC(welford)(double *mean, double *m2, const bnn_real *x, double k, size_t n);
void VEC(accumulate)(bnn_real *y, const bnn_real *x, size_t n);
void VEC(add_to)(double *sum, const bnn_real *x, size_t n);
void VEC(class_sums)(double *entropy, uint32_t *votes, const bnn_real *p, double k, size_t rows,
                     size_t classes);

#ifdef __AVX2__
void VEC(product)(const bnn_matrix_product *p);
void VEC(product_transposed)(const bnn_matrix_product *p);
bool VEC(product_wins)(bool transposed, size_t m, size_t n, size_t k);
bool VEC(product_sharded)(const bnn_matrix_product *p, const bnn_shards *shards);
void VEC(product_shifted)(const bnn_shifted_product *p);
void VEC(inner_shifted)(const bnn_shifted_inner *p);
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
bool VEC(product_skips)(const bnn_matrix_product *p);
void VEC(product_skipping)(const bnn_matrix_product *p);

/* Whether product_skipping can make p, and a sample of a has few elements that are not 0. */
bool VEC(product_is_sparse)(const bnn_matrix_product *p);
#endif

extern const bnn_vec BNN_ISA_NAME(bnn_vec_rows);

#endif
