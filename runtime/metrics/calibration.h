/* calibration.h - whether confidences match accuracy: bins of equal width, their gaps, and the
 * temperature that reduces them (Guo et al. 2017, "On calibration of modern neural networks").
 *
 * Bin b of `bins`, from 0, covers (b / bins, (b + 1) / bins], and the first one 0 too: the index of
 * a confidence c is clamp(ceil(bins c) - 1, 0, bins - 1), the product in c's own precision, where
 * 0.2f * 15 is 3 (as a double, 0.2f lies above 0.2, and would be in the next bin).  Empty bins are
 * ignored.  Bins of equal counts depend on ranks: rank_metrics.h. */
#ifndef BNN_CALIBRATION_H
#define BNN_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"
#include "bootstrap.h"

enum { BNN_BINS_MAX = 1 << 20 };

/* What of the bins' gaps |accuracy - confidence|: their mean weighted by examples (ECE), the
 * largest (MCE), or the weighted mean of confidence - accuracy, positive for over-confidence. */
typedef enum bnn_gap { BNN_GAP_MEAN, BNN_GAP_LARGEST, BNN_GAP_SIGNED } bnn_gap;

/* Examples in bins: bin [n], confidence [n], right [n] (0 or 1). */
typedef struct bnn_binned {
  const uint32_t *bin;
  const double *confidence;
  const uint8_t *right;
  size_t n, bins;
  bnn_gap gap;
} bnn_binned;

/* bin [n] of confidence [n]; single: these were floats.
 * ERANGE: a confidence is not in [0, 1] (to within BNN_PROBABILITY_SLACK); the text names its
 * position, from 1. */
bnn_status bnn_bin_confidences(uint32_t *bin, const double *confidence, size_t n, bool single,
                               size_t bins, bnn_err *err);

/* A gap as a statistic of the examples; the caller keeps data. */
bnn_statistic bnn_binned_statistic(const bnn_binned *data);

/* Sums over each bin, each [bins]: of the examples, of their confidences and of those that are
 * right, times their weights (NULL: each is 1). */
void bnn_count_bins(double *n, double *confidence, double *right, const bnn_binned *data,
                    const double *weight);

/* The temperature T in [1/100, 100] that minimises the mean negative log-likelihood of
 * softmax(z / T), with finite logits z [n, classes] and labels [n]; an end of that range where it
 * falls (or rises) throughout, as when every answer is right (or all logits are equal: T = 1).
 * The likelihood is convex in 1/T: Newton's method, kept within a bracket by bisection.  before
 * and after: that likelihood at 1 and at T.
 * ERANGE: n is 0, or a label is not a class. */
typedef struct bnn_temperature {
  double temperature, before, after;
} bnn_temperature;
bnn_status bnn_temperature_fit(bnn_temperature *out, const double *z, const int32_t *label,
                               size_t n, size_t classes, bnn_err *err);

#endif
