/* ranking.h - scores in order, ties together, from which AUROC, average precision, FPR95, AURC,
 * adaptive calibration error and quantiles are computed.
 *
 * A ranking is made once (a radix sort).  Then any weighting of the examples, such as a resample,
 * is counted into its groups in one pass, and a metric is a pass over these counts: it cannot
 * depend on the order of the examples. */
#ifndef BNN_RANKING_H
#define BNN_RANKING_H

#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"

/* group [n]: which group each example is in, 0 having the highest score.  score [groups]: strictly
 * decreasing. */
typedef struct bnn_ranking {
  size_t n, groups;
  uint32_t *group;
  double *score;
} bnn_ranking;

/* The ranking of score [n]; -0 and 0 are equal, infinities are scores like others.
 * *out: owned by the caller.
 * ENAN: a score is not a number; the text names its position, from 1.  ERANGE: n is 0 or more than
 * UINT32_MAX.  ENOMEM.  A stop that is asked for (base/stop.h) leaves its groups unfinished. */
bnn_status bnn_ranking_new(bnn_ranking **out, const double *score, size_t n, bnn_err *err);

/* Frees it; NULL is allowed. */
void bnn_ranking_free(bnn_ranking *ranking);

/* The examples of each flag in each group, the sum of their weights (NULL: each is 1): count
 * [groups][2], by group and flag; flag [n], each 0 or 1. */
void bnn_ranking_count(double (*count)[2], const bnn_ranking *ranking, const uint8_t *flag,
                       const double *weight);

#endif
