/* rank_metrics.c - see rank_metrics.h.  Groups come highest score first.  Counts are doubles, exact
 * without weights up to 2^53, and a metric divides last where it can. */
#include "rank_metrics.h"

#include <math.h>
#include <string.h>

typedef struct totals {
  double zero, one; /* examples of either flag */
} totals;

static totals total(const bnn_counts *c) {
  totals t = {0, 0};
  for (size_t g = 0; g < c->groups; g++) t.zero += c->count[g][0], t.one += c->count[g][1];
  return t;
}

/* ---- positives against negatives ---- */

/* Twice the pairs won, a tie being half a win. */
static double auroc(const bnn_counts *c, double parameter) {
  totals t = total(c);
  double above = 0, twice = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    twice += c->count[g][0] * (2 * above + c->count[g][1]);
    above += c->count[g][1];
  }
  return twice / (2 * t.one * t.zero);
}

static double average_precision(const bnn_counts *c, double parameter) {
  double sum = 0, tp = 0, fp = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    tp += c->count[g][1], fp += c->count[g][0];
    if (c->count[g][1] > 0) sum += c->count[g][1] * (tp / (tp + fp));
  }
  return sum / tp;
}

static double aupr(const bnn_counts *c, double parameter) {
  double sum = 0, before = 1; /* the curve begins at recall 0, precision 1 */
  double tp = 0, fp = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    tp += c->count[g][1], fp += c->count[g][0];
    if (tp + fp == 0) continue; /* a resample may leave the first groups empty */
    double precision = tp / (tp + fp);
    sum += c->count[g][1] * (before + precision) / 2;
    before = precision;
  }
  return sum / tp;
}

static double fpr(const bnn_counts *c, double tpr) {
  const double unit = 1e6, wanted = round(tpr * unit);
  totals t = total(c);
  double tp = 0, fp = 0;
  for (size_t g = 0; g < c->groups; g++) {
    tp += c->count[g][1], fp += c->count[g][0];
    if (c->count[g][1] > 0 && tp * unit >= wanted * t.one) break;
  }
  return fp / t.zero;
}

/* ---- errors under a confidence ---- */

/* psi(c + s + 1) - psi(c + 1), which is 1 / (c + 1) + ... + 1 / (c + s) for a whole s: the
 * recurrence psi(x + 1) = psi(x) + 1 / x up to 32, where the first term that the asymptotic series
 * leaves out is below the rounding.  Differences are taken as products, as s may be small. */
static double harmonic(double c, double s) {
  double sum = 0, x = c + 1;
  for (; x < 32; x++) sum += s / (x * (x + s));
  const double u = 1 / x, v = 1 / (x + s), uu = u * u, vv = v * v;
  const double first = s * u * v, second = first * (u + v), fourth = second * (uu + vv);
  return sum + log1p(s / x) + first / 2 + second / 12 - fourth / 120 +
         second * (uu * uu + uu * vv + vv * vv) / 252 - fourth * (uu * uu + vv * vv) / 240;
}

/* The sum over j = 1..size of (errors + each j) / (covered + j), continued to any size. */
static double sum_of_risks(double errors, double each, double covered, double size) {
  const double most = 64; /* steps; more are no more exact than the closed form, and slower */
  double sum = 0;
  if (size > most || size != floor(size))
    return each * size + (errors - each * covered) * harmonic(covered, size);
  for (double j = 1; j <= size; j++) sum += (errors + each * j) / (covered + j);
  return sum;
}

static double aurc(const bnn_counts *c, double parameter) {
  double sum = 0, covered = 0, errors = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    double size = c->count[g][0] + c->count[g][1];
    double each = size > 0 ? c->count[g][1] / size : 0; /* errors of one of the group */
    sum += sum_of_risks(errors, each, covered, size);
    covered += size, errors += c->count[g][1];
  }
  return sum / covered;
}

/* The least aurc of n examples with m errors has these last. */
static double e_aurc(const bnn_counts *c, double parameter) {
  totals t = total(c);
  return aurc(c, parameter) - sum_of_risks(0, 1, t.zero, t.one) / (t.zero + t.one);
}

static double augrc(const bnn_counts *c, double parameter) {
  double sum = 0, covered = 0, errors = 0;
  (void)parameter;
  for (size_t g = 0; g < c->groups; g++) {
    double wrong = c->count[g][1], size = c->count[g][0] + wrong;
    sum += size * errors + wrong * (size + 1) / 2;
    covered += size, errors += wrong;
  }
  return sum / covered / covered;
}

/* ---- calibration in bins of equal counts ---- */

typedef struct bin {
  double n, right, confidence; /* sums over its examples */
} bin;

/* The next bin from the lowest confidence up, empty ones passed over; *g: groups that are left. */
static bool next_bin(bin *out, const bnn_counts *c, size_t bins, double n, size_t *g, double *below,
                     size_t *index) {
  *out = (bin){0, 0, 0};
  while (*g > 0) {
    const double *count = c->count[*g - 1], size = count[0] + count[1];
    size_t at = (size_t)(*below * (double)bins / n);
    if (at >= bins) at = bins - 1; /* weights may add up to more than n, by rounding */
    if (size > 0 && out->n > 0 && at != *index) break;
    if (size > 0) *index = at;
    out->n += size, out->right += count[1];
    if (size > 0) out->confidence += size * c->score[*g - 1];
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
  size_t g = c->groups, index = 0;
  double n = t.zero + t.one, below = 0;
  gaps sum = {0, 0, 0};
  for (bin b; next_bin(&b, c, bins, n, &g, &below, &index);) {
    double gap = b.confidence - b.right;
    sum.signed_sum += gap;
    sum.absolute += fabs(gap);
    sum.largest = fmax(sum.largest, fabs(gap) / b.n);
  }
  return (gaps){sum.absolute / n, sum.largest, sum.signed_sum / n};
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

void bnn_adaptive_bins(double *n, double *confidence, double *right, uint32_t *bin_of,
                       const bnn_counts *counts, size_t bins) {
  totals t = total(counts);
  size_t g = counts->groups, end = g, index = 0;
  double below = 0;
  for (size_t b = 0; b < bins; b++) n[b] = confidence[b] = right[b] = 0;
  memset(bin_of, 0, counts->groups * sizeof *bin_of);
  for (bin b; next_bin(&b, counts, bins, t.zero + t.one, &g, &below, &index); end = g) {
    n[index] = b.n, right[index] = b.right, confidence[index] = b.confidence;
    for (size_t k = g; k < end; k++) bin_of[k] = (uint32_t)index;
  }
}

/* ---- order statistics ---- */

/* The k-th smallest score, k from 0, flags aside. */
static double order_statistic(const bnn_counts *c, double k) {
  double below = 0;
  for (size_t g = c->groups; g-- > 0;) {
    below += c->count[g][0] + c->count[g][1];
    if (below > k) return c->score[g];
  }
  return c->score[0];
}

static double quantile(const bnn_counts *c, double q) {
  totals t = total(c);
  double at = q * (t.zero + t.one - 1), below = floor(at);
  double low = order_statistic(c, below);
  if (at == below) return low;
  double high = order_statistic(c, below + 1);
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

static double ranked_value(const void *data, const double *weight, void *scratch) {
  const bnn_ranked *r = data;
  double(*count)[2] = scratch;
  bnn_ranking_count(count, r->ranking, r->flag, weight);
  bnn_counts counts = {r->ranking->groups, (const double(*)[2])count, r->ranking->score};
  return r->metric->value(&counts, r->parameter);
}

bnn_statistic bnn_ranked_statistic(const bnn_ranked *data, int stratified) {
  return (bnn_statistic){
      .value = ranked_value,
      .data = data,
      .part = stratified ? data->flag : NULL,
      .n = data->ranking->n,
      .scratch = data->ranking->groups * sizeof(double[2]),
  };
}
