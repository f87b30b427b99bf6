/* scores.h - maxima and sums of exponentials of rows of scores, as softmax and cross-entropy need.
 *
 * A class whose score is -inf has the probability 0, and no gradient: so classes are masked.  Where
 * some are +inf they share the whole probability evenly, as the limits of equal scores do.  A row
 * without a class that is left, all of it -inf, is NaN, as is one with a NaN.
 *
 * exp runs over several rows at once, as one flat array: rows of 10 classes by themselves would
 * leave most lanes of a vector idle. */
#ifndef BNN_OPS_SCORES_H
#define BNN_OPS_SCORES_H

#include "../vec/vec_math.h"
#include "op_help.h"

enum { SCORES_CHUNK = 512, SCORES_ROWS = 64 };

/* How many rows of `classes` scores to treat at once. */
static inline size_t scores_block(size_t classes) {
  size_t rows = SCORES_CHUNK / (classes > 0 ? classes : 1);
  return rows < 1 ? 1 : rows > SCORES_ROWS ? SCORES_ROWS : rows;
}

BNN_KERNEL scores_exp(bnn_real *restrict e, size_t n) {
  for (size_t i = 0; i < n; i++) e[i] = vm_exp(e[i]);
}

/* The largest of a row; NaN where that is -inf.  A NaN may get lost here; it shows in the
 * exponentials. */
static inline bnn_real scores_row_max(const bnn_real *x, size_t n) {
  bnn_real max = -INFINITY;
  for (size_t i = 0; i < n; i++) max = x[i] > max ? x[i] : max;
  return max > -INFINITY ? max : NAN;
}

/* x - max, 0 where they are equal and infinite. */
static inline bnn_real scores_below(bnn_real x, bnn_real max) { return x == max ? 0 : x - max; }

/* e[c] = x[c] - max of a row: only below an infinite maximum are equal ones to be told apart. */
static inline void scores_shift(bnn_real *restrict e, const bnn_real *restrict x, bnn_real max,
                                size_t n) {
  if (max < INFINITY)
    for (size_t c = 0; c < n; c++) e[c] = x[c] - max;
  else
    for (size_t c = 0; c < n; c++) e[c] = scores_below(x[c], max);
}

static inline double scores_row_sum(const bnn_real *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

/* A row's sum less 1, the term of its maximum, of terms that are 1 at most: in two sums, as the 1s
 * would take the digits of what is far smaller. */
typedef struct scores_sum {
  double small, ones;
} scores_sum;

/* Takes the 1s out of e; `one` has a 1 where they were. */
BNN_KERNEL scores_split(bnn_real *restrict e, bnn_real *restrict one, size_t n) {
  for (size_t i = 0; i < n; i++) {
    one[i] = e[i] == 1;
    e[i] = e[i] == 1 ? 0 : e[i];
  }
}

static inline void scores_add(scores_sum *sum, const bnn_real *e, const bnn_real *one, size_t n) {
  double small = 0;
  bnn_real ones = 0; /* SCORES_CHUNK at most */
  for (size_t i = 0; i < n; i++) {
    small += e[i];
    ones += one[i];
  }
  sum->small += small;
  sum->ones += ones;
}

/* max[r] = max x_r and rest[r] = (sum of e^(x_r - max[r])) - 1 for rows of x [rows, classes], no
 * more of them than scores_block says.  log1p(rest) keeps the digits of a small loss. */
static inline void scores_stats(bnn_real *max, bnn_real *rest, const bnn_real *x, size_t rows,
                                size_t classes) {
  bnn_real e[SCORES_CHUNK], one[SCORES_CHUNK];
  scores_sum sum[SCORES_ROWS];
  for (size_t r = 0; r < rows; r++) {
    max[r] = scores_row_max(x + r * classes, classes);
    sum[r] = (scores_sum){0, -1};
  }
  for (size_t at = 0; at < classes; at += SCORES_CHUNK) { /* once, unless one row is longer */
    const size_t n = classes - at < SCORES_CHUNK ? classes - at : SCORES_CHUNK;
    for (size_t r = 0; r < rows; r++) scores_shift(e + r * n, x + r * classes + at, max[r], n);
    scores_exp(e, rows * n);
    scores_split(e, one, rows * n);
    for (size_t r = 0; r < rows; r++) scores_add(&sum[r], e + r * n, one + r * n, n);
  }
  for (size_t r = 0; r < rows; r++) rest[r] = (bnn_real)(sum[r].small + sum[r].ones);
}

#endif
