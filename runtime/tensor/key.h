/* key.h - randomness as a value: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011), used as JAX uses Threefry: a draw is a pure function of (key, index).
 *
 * So the same key gives the same numbers whatever was drawn before and on however many threads, and
 * a range of a draw can be made without the rest (kernels/rng.h). */
#ifndef BNN_KEY_H
#define BNN_KEY_H

#include "../base/real.h"
#include "../base/status.h"

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

#endif
