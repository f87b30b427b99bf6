/* scoring.h - scores of each row of predictions p [n, classes] (doubles, row-major) and its
 * label, of which metrics take means.
 *
 * Among equal entries of a row the first counts as the largest, as in argmax. */
#ifndef BNN_SCORING_H
#define BNN_SCORING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"

/* ERANGE if a label is not in [0, classes); the text names its position (from 1), the label and
 * classes. */
bnn_status bnn_check_labels(const int32_t *label, size_t n, size_t classes, bnn_err *err);

/* Each row's largest entry and its place, from 0; each [n]. */
void bnn_top_label(double *confidence, int32_t *label, const double *p, size_t n, size_t classes);

/* Of each row; out [n], labels checked before.
 * rank: entries in front of the label's: those above it, and equal ones of a smaller class.
 * nll: -log p_label; infinite where that is 0.
 * brier: sum over c of (p_c - [c = label])^2, 0 to 2. */
void bnn_label_rank(double *out, const double *p, const int32_t *label, size_t n, size_t classes);
void bnn_row_nll(double *out, const double *p, const int32_t *label, size_t n, size_t classes);
void bnn_row_brier(double *out, const double *p, const int32_t *label, size_t n, size_t classes);

/* Means over the elements of each row of [n, width]; out [n].
 * squared error: (a - b)^2.  absolute error: |a - b|.  within: 1 where |target - mean| <= reach std, else 0.
 * interval score: upper - lower, and 2 / alpha times how far the target lies outside (Gneiting &
 * Raftery 2007, equation 43). */
void bnn_row_squared_error(double *out, const double *a, const double *b, size_t n, size_t width);
void bnn_row_absolute_error(double *out, const double *a, const double *b, size_t n, size_t width);
void bnn_row_within(double *out, const double *mean, const double *std, const double *target,
                    double reach, size_t n, size_t width);

void bnn_row_interval_score(double *out, const double *lower, const double *upper,
                            const double *target, double alpha, size_t n, size_t width);

/* How far from a distribution rounding may take a row. */
#define BNN_PROBABILITY_SLACK 1e-3

/* The first row that is not a distribution: an entry outside [0, 1], or a sum that is not 1, by
 * more than the slack; NaN is neither.  Returns n when all are, else *column is the entry's place,
 * or `classes` for the sum; *value is what was found. */
size_t bnn_find_improper_row(size_t *column, double *value, const double *p, size_t n,
                             size_t classes);

/* out = p, 1 where it is larger; true when there is such an element.  out NULL: only looks. */
bool bnn_clip_above_1(double *out, const double *p, size_t n);

#endif
