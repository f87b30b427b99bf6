/* ranking.c - see ranking.h.  The sort is by the bits of a double, made to rise as the number
 * falls, a byte at a time from the lowest (LSD radix sort); bytes that all share are passed over,
 * as are the low ones of scores that were floats. */
#include "ranking.h"

#include <math.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/stop.h"

typedef struct entry {
  uint64_t bits;
  uint32_t at;
} entry;

/* Bits that rise as the score falls; adding 0 makes -0 of +0's. */
static uint64_t descending(double score) {
  uint64_t bits;
  score += 0.0;
  memcpy(&bits, &score, sizeof bits);
  return bits >> 63 ? bits : ~bits & ~(UINT64_C(1) << 63);
}

static double score_of(uint64_t bits) {
  double score;
  bits = bits >> 63 ? bits : ~bits & ~(UINT64_C(1) << 63);
  memcpy(&score, &bits, sizeof score);
  return score;
}

/* Sorts by one byte, stably, into `to`; false, and nothing done, when all have the same. */
static int sort_byte(entry *to, const entry *from, size_t n, int shift) {
  size_t start[256] = {0}, sum = 0;
  for (size_t i = 0; i < n; i++) start[from[i].bits >> shift & 255]++;
  if (start[from[0].bits >> shift & 255] == n) return 0;
  for (int b = 0; b < 256; b++) {
    size_t count = start[b];
    start[b] = sum;
    sum += count;
  }
  for (size_t i = 0; i < n; i++) to[start[from[i].bits >> shift & 255]++] = from[i];
  return 1;
}

/* Sorts e [n] with `room` [n]; returns the one of the two that holds the result. */
static const entry *sort(entry *e, entry *room, size_t n) {
  for (int shift = 0; shift < 64 && !bnn_stop_asked(); shift += 8) {
    if (!sort_byte(room, e, n, shift)) continue;
    entry *sorted = room;
    room = e;
    e = sorted;
  }
  return e;
}

static void find_groups(bnn_ranking *r, const entry *e) {
  size_t g = 0;
  for (size_t i = 0; i < r->n; i++) {
    if (i > 0 && e[i].bits != e[i - 1].bits) g++;
    r->group[e[i].at] = (uint32_t)g;
    r->score[g] = score_of(e[i].bits);
  }
  r->groups = g + 1;
}

static bnn_status check(const double *score, size_t n, bnn_err *err) {
  if (n == 0) return bnn_fail(err, BNN_ERANGE, "there are no scores");
  if (n > UINT32_MAX) return bnn_fail(err, BNN_ERANGE, "%zu scores, at most %u", n, UINT32_MAX);
  for (size_t i = 0; i < n; i++)
    if (isnan(score[i])) return bnn_fail(err, BNN_ENAN, "score %zu", i + 1);
  return BNN_OK;
}

bnn_status bnn_ranking_new(bnn_ranking **out, const double *score, size_t n, bnn_err *err) {
  BNN_TRY(check(score, n, err));
  bnn_ranking *r = bnn_mem_zalloc(1, sizeof *r);
  entry *entries = bnn_mem_alloc(n, 2 * sizeof *entries);
  if (r) {
    r->n = n;
    r->group = bnn_mem_alloc(n, sizeof *r->group);
    r->score = bnn_mem_alloc(n, sizeof *r->score);
  }
  if (!r || !entries || !r->group || !r->score) {
    bnn_mem_free(entries);
    bnn_ranking_free(r);
    return bnn_fail(err, BNN_ENOMEM, "ranking of %zu scores", n);
  }
  for (size_t i = 0; i < n; i++) entries[i] = (entry){descending(score[i]), (uint32_t)i};
  find_groups(r, sort(entries, entries + n, n));
  bnn_mem_free(entries);
  *out = r;
  return BNN_OK;
}

void bnn_ranking_free(bnn_ranking *ranking) {
  if (!ranking) return;
  bnn_mem_free(ranking->group);
  bnn_mem_free(ranking->score);
  bnn_mem_free(ranking);
}

void bnn_ranking_count(double (*count)[2], const bnn_ranking *ranking, const uint8_t *flag,
                       const double *weight) {
  for (size_t g = 0; g < ranking->groups; g++) count[g][0] = count[g][1] = 0;
  for (size_t i = 0; i < ranking->n; i++)
    count[ranking->group[i]][flag[i]] += weight ? weight[i] : 1;
}
