/* rank_metrics.h - metrics that depend only on the order of the scores, with ties.
 *
 * Each is a function of how many examples of either flag have each score (ranking.h), or of the sums
 * of their weights, so it gives the same number in whatever order the examples come.  The areas of
 * the selective metrics are means over counts k: their weights say how many examples each stands
 * for, so that twice the weights are twice the data, and between whole weights the sums over k are
 * continued as the digamma function continues the harmonic numbers.  The quantile interpolates
 * between single examples: it takes whole weights alone.
 *
 *   metric             flag 1              parameter         value
 *   auroc              positive            -                 P(pos > neg) + P(pos = neg) / 2
 *   average_precision  positive            -                 sum of (R_k - R_k-1) P_k over scores
 *   aupr               positive            -                 trapezoids under (R, P) from (0, 1)
 *   fpr                positive            tpr in (0, 1]     negatives >= t, for the largest t with
 *                                                            TPR(score >= t) >= tpr
 *   aurc               wrong; score: conf. -                 mean_k of errors in the top k / k
 *   e_aurc             wrong               -                 aurc - the least with as many errors
 *   augrc              wrong               -                 mean_k of errors in the top k / n
 *   adaptive_ece       right               bins              sum n_b / n |accuracy - confidence|
 *   adaptive_mce       right               bins              the largest of these gaps
 *   adaptive_bias      right               bins              the same sum of confidence - accuracy
 *   quantile           -                   q in [0, 1]       by linear interpolation
 *
 * Among examples of one confidence the errors of the selective metrics are spread evenly (their
 * expectation over orders).  An example's adaptive bin is floor(bins * below / n), where `below`
 * counts the examples of lower confidence: equal counts without ties, and ties stay together.
 * TPR >= tpr is decided without rounding for fewer than 2^33 examples, with tpr rounded to a
 * millionth: for 0.95, 20 TP >= 19 n1. */
#ifndef BNN_RANK_METRICS_H
#define BNN_RANK_METRICS_H

#include "bootstrap.h"
#include "ranking.h"

/* count [groups][2] of a ranking whose scores are score [groups]. */
typedef struct bnn_counts {
  size_t groups;
  const double (*count)[2];
  const double *score;
} bnn_counts;

typedef double bnn_rank_function(const bnn_counts *counts, double parameter);

typedef struct bnn_rank_metric {
  const char *name;
  bnn_rank_function *value;
} bnn_rank_metric;

/* All of them, and the one of that name or NULL. */
extern const bnn_rank_metric bnn_rank_metrics[];
extern const size_t bnn_rank_metric_count;
const bnn_rank_metric *bnn_rank_metric_find(const char *name);

/* What a statistic of a metric needs; flag [n], each 0 or 1. */
typedef struct bnn_ranked {
  const bnn_ranking *ranking;
  const uint8_t *flag;
  const bnn_rank_metric *metric;
  double parameter;
} bnn_ranked;

/* The metric as a statistic of the examples; the caller keeps data.  stratified: each flag is
 * resampled separately.  auroc, average_precision, aupr and fpr need examples of both flags. */
bnn_statistic bnn_ranked_statistic(const bnn_ranked *data, int stratified);

/* Bins of equal counts as adaptive_ece has them: sums over each bin, each [bins], of the examples,
 * of their confidences, and of those that are right; bin [groups]: that of each group, where it has
 * examples. */
void bnn_adaptive_bins(double *n, double *confidence, double *right, uint32_t *bin,
                       const bnn_counts *counts, size_t bins);

#endif
