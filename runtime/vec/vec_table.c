/* vec_table.c - the rows of vec.h for one instruction set; isa.c picks one of the copies. */
#include "vec_rows.h"

const bnn_vec BNN_ISA_NAME(bnn_vec_rows) = {
    .bits = VEC(bits),
    .uniform = VEC(uniform),
    .normal = VEC(normal),
    .truncated = VEC(truncated),
    .rademacher = VEC(rademacher),
    .finite = VEC(finite),
    .pixels = VEC(pixels),
    .bilinear = VEC(bilinear),
    .bilinear_u8 = VEC(bilinear_u8),
    .welford = VEC(welford),
    .accumulate = VEC(accumulate),
    .add_to = VEC(add_to),
    .class_sums = VEC(class_sums),
#ifdef __AVX2__
    .product = VEC(product),
    .product_transposed = VEC(product_transposed),
    .product_wins = VEC(product_wins),
    .product_sharded = VEC(product_sharded),
    .product_shifted = VEC(product_shifted),
    .inner_shifted = VEC(inner_shifted),
#endif
#if defined(__AVX512F__) && defined(__AVX512BW__)
    .product_skips = VEC(product_skips),
    .product_skipping = VEC(product_skipping),
#endif
};
