/* posterior_mixture.c - see posterior_mixture.h. */
#include "posterior_mixture.h"

#include <math.h>
#include <string.h>

/* Products of weights and counts are whole, or equal, up to this. */
static const double SLACK = 1e-7;

static bool is_whole(double x) { return fabs(x - round(x)) < SLACK; }

static bool all_get_their_share(const double *weight, const size_t *members, size_t n,
                                size_t samples) {
  for (size_t c = 0; c < n; c++)
    if (!is_whole(weight[c] * (double)samples / (double)members[c])) return false;
  return true;
}

size_t bnn_mixture_period(const double *weight, const size_t *members, size_t n) {
  for (size_t samples = 1; samples <= BNN_MIXTURE_PERIOD; samples++)
    if (all_get_their_share(weight, members, n, samples)) return samples;
  return 0;
}

/* The last slot by which a component that has had k samples must get another, for its lag to stay
 * below 1. */
static double deadline(double weight, uint32_t k) { return ceil(((double)k + 1) / weight - SLACK); }

/* Of the components that are behind their share of s + 1 samples, the one whose deadline is first. */
static size_t next_of(const uint32_t *had, const double *weight, size_t n, size_t s) {
  size_t best = n;
  for (size_t c = 0; c < n; c++) {
    const bool is_behind = (double)had[c] < weight[c] * (double)(s + 1) - SLACK;
    if (is_behind && (best == n || deadline(weight[c], had[c]) < deadline(weight[best], had[best])))
      best = c;
  }
  return best < n ? best : 0;
}

void bnn_mixture_order(uint32_t *order, uint32_t *turn, uint32_t *share, const double *weight,
                       size_t n, size_t period) {
  memset(share, 0, n * sizeof *share);
  for (size_t s = 0; s < period; s++) {
    const size_t c = next_of(share, weight, n, s);
    order[s] = (uint32_t)c;
    turn[s] = share[c]++;
  }
}

size_t bnn_mixture_support(const bnn_mixture *m) {
  size_t all = 0;
  for (size_t c = 0; c < m->n; c++) {
    const size_t own = bnn_posterior_support(m->component[c]);
    if (own == 0) return 0;
    all += own;
  }
  return m->period <= (all < BNN_MIXTURE_SUPPORT ? BNN_MIXTURE_SUPPORT : all) ? m->period : 0;
}

size_t bnn_mixture_component(const bnn_mixture *m, int64_t s, int64_t *own) {
  const int64_t period = (int64_t)m->period, round = (s - 1) / period, at = (s - 1) % period;
  const size_t c = m->order[at];
  *own = round * m->share[c] + m->turn[at] + 1;
  return c;
}
