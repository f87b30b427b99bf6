/* rng.h - draws from a key: element i is a pure function of (key, i).
 *
 * Bits, uniforms and normals are the same on every processor and in the float and the double build:
 * normals are computed in float by IEEE basic operations only, without contraction
 * (noise/vec_noise.c). */
#ifndef BNN_RNG_H
#define BNN_RNG_H

#include "../base/real.h"
#include "../base/status.h"
#include "../tensor/key.h"

/* Each fills out[0..n) with elements [from, from + n) of the key's infinite sequence.
 *   bits         64 independent bits per element
 *   uniform      [0, 1), multiples of 2^-24
 *   normal       N(0, 1), by Box and Muller from 31-bit uniforms: |z| < 6.56
 *   truncated    N(0, 1) conditioned on [-2, 2], not rescaled (standard deviation 0.8796)
 *   rademacher   -1 or +1, each with probability 1/2
 * Use each key for one draw: a uniform and a normal of the same key are dependent. */
void bnn_rng_bits(uint64_t *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_uniform(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_normal(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_truncated(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_rademacher(bnn_real *out, bnn_key key, uint64_t from, size_t n);

/* A uniformly random permutation of 0..n-1: n keyed 64-bit values in order, ties by position.  A stop
 * that is asked for (base/stop.h) leaves it unfinished.
 * ERANGE: n > INT32_MAX.  ENOMEM. */
bnn_status bnn_rng_permutation(int32_t *out, bnn_key key, size_t n, bnn_err *err);

/* One integer in [0, n), n > 0, without bias (by rejection). */
uint64_t bnn_rng_below(bnn_key key, uint64_t n);

#endif
