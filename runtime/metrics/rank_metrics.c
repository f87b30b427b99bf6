/* rank_metrics.c - see rank_metrics.h.  Groups come highest score first; counts are integers, and
 * a metric divides last where it can. */
#include "rank_metrics.h"

#include <math.h>
#include <string.h>

typedef struct totals {
  uint64_t zero, one; /* examples of either flag */
} totals;

static totals total(const bnn_counts *c) {
  totals t = {0, 0};
  for (size_t g = 0; g < c->groups; g++) t.zero += c->count[g][0], t.one += c->count[g][1];
  return t;
}

/* ---- positives against negatives ---- */

/* Twice the pairs won, a tie being half a win: an integer below 2^64 for fewer than 2^32 scores. */
static double auroc(const bnn_counts *c, double parameter) {
  totals t = total(c);
  uint64_t above = 0, twice = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    twice += c->count[g][0] * (2 * above + c->count[g][1]);
    above += c->count[g][1];
  }
  return (double)twice / (2.0 * (double)t.one * (double)t.zero);
}

static double average_precision(const bnn_counts *c, double parameter) {
  double sum = 0;
  uint64_t tp = 0, fp = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    tp += c->count[g][1], fp += c->count[g][0];
    if (c->count[g][1]) sum += c->count[g][1] * ((double)tp / (double)(tp + fp));
  }
  return sum / (double)tp;
}

static double aupr(const bnn_counts *c, double parameter) {
  double sum = 0, before = 1; /* the curve begins at recall 0, precision 1 */
  uint64_t tp = 0, fp = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    tp += c->count[g][1], fp += c->count[g][0];
    if (tp + fp == 0) continue; /* a resample may leave the first groups empty */
    double precision = (double)tp / (double)(tp + fp);
    sum += c->count[g][1] * (before + precision) / 2;
    before = precision;
  }
  return sum / (double)tp;
}

static double fpr(const bnn_counts *c, double tpr) {
  const uint64_t unit = 1000000, wanted = (uint64_t)llround(tpr * (double)unit);
  totals t = total(c);
  uint64_t tp = 0, fp = 0;
  for (size_t g = 0; g < c->groups; g++) {
    tp += c->count[g][1], fp += c->count[g][0];
    if (c->count[g][1] && tp * unit >= wanted * t.one) break;
  }
  return (double)fp / (double)t.zero;
}

/* ---- errors under a confidence ---- */

static double aurc(const bnn_counts *c, double parameter) {
  double sum = 0;
  uint64_t covered = 0, errors = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    uint32_t size = c->count[g][0] + c->count[g][1];
    double each = size ? (double)c->count[g][1] / size : 0; /* errors of one of the group */
    for (uint32_t j = 1; j <= size; j++) sum += ((double)errors + each * j) / (double)(covered + j);
    covered += size, errors += c->count[g][1];
  }
  return sum / (double)covered;
}

/* The least aurc of n examples with m errors has these last. */
static double e_aurc(const bnn_counts *c, double parameter) {
  totals t = total(c);
  uint64_t n = t.zero + t.one;
  double least = 0;
  for (uint64_t k = t.zero + 1; k <= n; k++) least += (double)(k - t.zero) / (double)k;
  return aurc(c, parameter) - least / (double)n;
}

static double augrc(const bnn_counts *c, double parameter) {
  double sum = 0;
  uint64_t covered = 0, errors = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    uint64_t size = (uint64_t)c->count[g][0] + c->count[g][1], wrong = c->count[g][1];
    sum += (double)size * (double)errors + (double)wrong * ((double)size + 1) / 2;
    covered += size, errors += wrong;
  }
  return sum / (double)covered / (double)covered;
}

/* ---- calibration in bins of equal counts ---- */

typedef struct bin {
  size_t n, right;
  double confidence; /* sum */
} bin;

/* The next bin from the lowest confidence up, empty ones passed over; *g: groups that are left. */
static bool next_bin(bin *out, const bnn_counts *c, size_t bins, size_t n, size_t *g, size_t *below,
                     size_t *index) {
  *out = (bin){0, 0, 0};
  while (*g > 0) {
    const uint32_t *count = c->count[*g - 1];
    size_t size = (size_t)count[0] + count[1], at = *below * bins / n;
    if (size && out->n && at != *index) break;
    if (size) *index = at;
    out->n += size, out->right += count[1];
    if (size) out->confidence += (double)size * c->score[*g - 1];
    *below += size;
    --*g;
  }
  return out->n > 0;
}

/* What the gaps of the bins, confidence - accuracy, add up to. */
typedef struct gaps {
  double absolute, largest, signed_sum; /* sums weighted by n_b / n */
} gaps;

static gaps adaptive_gaps(const bnn_counts *c, size_t bins) {
  totals t = total(c);
  size_t n = (size_t)(t.zero + t.one), g = c->groups, below = 0, index = 0;
  gaps sum = {0, 0, 0};
  for (bin b; next_bin(&b, c, bins, n, &g, &below, &index);) {
    double gap = b.confidence - (double)b.right;
    sum.signed_sum += gap;
    sum.absolute += fabs(gap);
    sum.largest = fmax(sum.largest, fabs(gap) / (double)b.n);
  }
  return (gaps){sum.absolute / (double)n, sum.largest, sum.signed_sum / (double)n};
}

static double adaptive_ece(const bnn_counts *c, double bins) {
  return adaptive_gaps(c, (size_t)bins).absolute;
}

static double adaptive_mce(const bnn_counts *c, double bins) {
  return adaptive_gaps(c, (size_t)bins).largest;
}

static double adaptive_bias(const bnn_counts *c, double bins) {
  return adaptive_gaps(c, (size_t)bins).signed_sum;
}

void bnn_adaptive_bins(size_t *n, double *confidence, size_t *right, const bnn_counts *counts,
                       size_t bins) {
  totals t = total(counts);
  size_t g = counts->groups, below = 0, index = 0;
  memset(n, 0, bins * sizeof *n);
  memset(right, 0, bins * sizeof *right);
  for (size_t b = 0; b < bins; b++) confidence[b] = 0;
  for (bin b; next_bin(&b, counts, bins, (size_t)(t.zero + t.one), &g, &below, &index);) {
    n[index] = b.n, right[index] = b.right;
    confidence[index] = b.confidence;
  }
}

/* ---- order statistics ---- */

/* The k-th smallest score, k from 0, flags aside. */
static double order_statistic(const bnn_counts *c, uint64_t k) {
  uint64_t below = 0;
  for (size_t g = c->groups; g-- > 0;) {
    below += (uint64_t)c->count[g][0] + c->count[g][1];
    if (below > k) return c->score[g];
  }
  return c->score[0];
}

static double quantile(const bnn_counts *c, double q) {
  totals t = total(c);
  double at = q * (double)(t.zero + t.one - 1), below = floor(at);
  double low = order_statistic(c, (uint64_t)below);
  if (at == below) return low;
  double high = order_statistic(c, (uint64_t)below + 1);
  return low == high ? low : low + (at - below) * (high - low);
}

/* ---- the table ---- */

#define X(name) {#name, name},
const bnn_rank_metric bnn_rank_metrics[] = {
#include "rank_metrics.def"
};
#undef X
const size_t bnn_rank_metric_count = sizeof bnn_rank_metrics / sizeof *bnn_rank_metrics;

const bnn_rank_metric *bnn_rank_metric_find(const char *name) {
  for (size_t i = 0; i < bnn_rank_metric_count; i++)
    if (strcmp(bnn_rank_metrics[i].name, name) == 0) return &bnn_rank_metrics[i];
  return NULL;
}

static double ranked_value(const void *data, const uint32_t *weight, void *scratch) {
  const bnn_ranked *r = data;
  uint32_t(*count)[2] = scratch;
  bnn_ranking_count(count, r->ranking, r->flag, weight);
  bnn_counts counts = {r->ranking->groups, (const uint32_t(*)[2])count, r->ranking->score};
  return r->metric->value(&counts, r->parameter);
}

bnn_statistic bnn_ranked_statistic(const bnn_ranked *data, int stratified) {
  return (bnn_statistic){
      .value = ranked_value,
      .data = data,
      .part = stratified ? data->flag : NULL,
      .n = data->ranking->n,
      .scratch = data->ranking->groups * sizeof(uint32_t[2]),
  };
}
