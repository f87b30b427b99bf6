/* rng.c - draws by the vector kernels, and permutations and single integers from them. */
#include "rng.h"

#include "../base/mem.h"
#include "../base/stop.h"
#include "isa.h"

void bnn_rng_bits(uint64_t *out, bnn_key key, uint64_t from, size_t n) {
  bnn_isa_get()->vec->bits(out, key, from, n);
}

void bnn_rng_uniform(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  bnn_isa_get()->vec->uniform(out, key, from, n);
}

void bnn_rng_normal(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  bnn_isa_get()->vec->normal(out, key, from, n);
}

void bnn_rng_truncated(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  bnn_isa_get()->vec->truncated(out, key, from, n);
}

void bnn_rng_rademacher(bnn_real *out, bnn_key key, uint64_t from, size_t n) {
  bnn_isa_get()->vec->rademacher(out, key, from, n);
}

/* A position and the value it is sorted by. */
typedef struct card {
  uint64_t value;
  int32_t at;
} card;

enum { DIGIT = 11, DIGITS = 1 << DIGIT, AT_ONCE = 1 << 20 };

/* Moves cards to sorted, in order of the digit at `shift`, equal ones in the order they came in; until
 * a stop is asked for. */
static void sort_by_digit(card *sorted, const card *cards, size_t n, int shift) {
  size_t start[DIGITS + 1] = {0};
  for (size_t i = 0; i < n; i++) start[(cards[i].value >> shift) % DIGITS + 1]++;
  for (size_t d = 1; d < DIGITS; d++) start[d] += start[d - 1];
  for (size_t i = 0; i < n; i++) {
    if (i % AT_ONCE == 0 && bnn_stop_asked()) return;
    sorted[start[(cards[i].value >> shift) % DIGITS]++] = cards[i];
  }
}

/* From the last digit to the first; six passes, so the cards end where they began. */
static void sort_cards(card *cards, card *spare, size_t n) {
  for (int shift = 0; shift < 64; shift += 2 * DIGIT) {
    sort_by_digit(spare, cards, n, shift);
    sort_by_digit(cards, spare, n, shift + DIGIT);
  }
}

static void deal(card *cards, bnn_key key, size_t n) {
  uint64_t values[64];
  for (size_t i = 0; i < n; i++) {
    if (i % AT_ONCE == 0 && bnn_stop_asked()) return;
    if (i % 64 == 0) bnn_rng_bits(values, key, i, n - i < 64 ? n - i : 64);
    cards[i] = (card){values[i % 64], (int32_t)i};
  }
}

bnn_status bnn_rng_permutation(int32_t *out, bnn_key key, size_t n, bnn_err *err) {
  if (n > INT32_MAX)
    return bnn_fail(err, BNN_ERANGE, "permutation of %zu, at most %d", n, INT32_MAX);
  card *cards = bnn_mem_alloc(n, 2 * sizeof *cards);
  if (!cards) return bnn_fail(err, BNN_ENOMEM, "permutation of %zu", n);
  deal(cards, key, n);
  sort_cards(cards, cards + n, n);
  for (size_t i = 0; !bnn_stop_asked() && i < n; i++) out[i] = cards[i].at;
  bnn_mem_free(cards);
  return BNN_OK;
}

/* Of the 2^64 values the first 2^64 mod n would favour some remainders, so they are drawn again. */
uint64_t bnn_rng_below(bnn_key key, uint64_t n) {
  const uint64_t refused = (0 - n) % n;
  for (uint64_t i = 0;; i++) {
    uint64_t value;
    bnn_rng_bits(&value, key, i, 1);
    if (value >= refused) return value % n;
  }
}
