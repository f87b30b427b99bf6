/* key.h - randomness as a value: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011), used as JAX uses Threefry: a draw is a pure function of (key, index).
 *
 * So the same key gives the same numbers whatever was drawn before and on however many threads, and
 * a range of a draw can be made without the rest.  Bits, uniforms and normals are the same on every
 * processor and in the float and the double build: normals are computed in float by IEEE basic
 * operations only, without contraction (vec/vec_noise.c). */
#ifndef BNN_KEY_H
#define BNN_KEY_H

#include "real.h"
#include "status.h"

typedef struct bnn_key {
  uint64_t bits;
} bnn_key;

/* Philox4x32-10 itself: out = the four words for counter c under key k (Random123's conventions, so
 * that its published known-answer vectors hold). */
void bnn_philox4x32(uint32_t out[4], const uint32_t c[4], const uint32_t k[2]);

/* The root key of a seed, and keys derived from a key.  Folding by number and by name live in
 * different domains: fold(1) and fold("1") differ; split(n)[i] is a third domain. */
bnn_key bnn_key_new(uint64_t seed);
bnn_key bnn_key_fold(bnn_key key, int64_t number);
bnn_key bnn_key_fold_name(bnn_key key, const char *name, size_t length);
bnn_key bnn_key_split(bnn_key key, uint64_t i);

/* What these are made of: every derived key is bnn_key_mix(key, value, domain), the value a number,
 * a position or the hash of a name, which does not depend on the key.  So a program can record a
 * fold of a key that it does not know yet as (value, domain). */
enum { BNN_KEY_SEED = 1, BNN_KEY_NUMBER, BNN_KEY_NAME, BNN_KEY_SPLIT };
bnn_key bnn_key_mix(bnn_key key, uint64_t value, uint32_t domain);
uint64_t bnn_name_hash(const char *name, size_t length);

/* The draws.  Each fills out[0..n) with elements [from, from + n) of the key's infinite sequence.
 *   bits         64 independent bits an element
 *   uniform      [0, 1), multiples of 2^-24
 *   normal       N(0, 1), by Box and Muller from 31-bit uniforms: |z| < 6.56
 *   truncated    N(0, 1) conditioned on [-2, 2], not rescaled (standard deviation 0.8796)
 *   rademacher   -1 or +1, each with probability 1/2
 * One key should serve one draw: a uniform and a normal of the same key are dependent. */
void bnn_rng_bits(uint64_t *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_uniform(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_normal(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_truncated(bnn_real *out, bnn_key key, uint64_t from, size_t n);
void bnn_rng_rademacher(bnn_real *out, bnn_key key, uint64_t from, size_t n);

/* A uniformly random permutation of 0..n-1: n keyed 64-bit values in order, ties by position.
 * ERANGE: n > INT32_MAX.  ENOMEM. */
bnn_status bnn_rng_permutation(int32_t *out, bnn_key key, size_t n, bnn_err *err);

/* One integer in [0, n), n > 0, without bias (by rejection). */
uint64_t bnn_rng_below(bnn_key key, uint64_t n);

#endif
