/* bootstrap.h - how much a metric would vary over other sets of examples (Efron 1979).
 *
 * A statistic is a function of weights, one for each example: its own weights, or 1, give its value,
 * and a resample (n draws with replacement) multiplies them by the number of times that each was
 * drawn.  So costly work such as sorting is done once, and a resample costs a pass over the examples.
 *
 * Resample r draws with key:fold(r), r from 1: the results depend neither on the number of threads
 * nor on the statistic, and two metrics of the same examples under one key see the same resamples
 * (their differences are paired). */
#ifndef BNN_BOOTSTRAP_H
#define BNN_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "../base/context.h"
#include "../base/status.h"
#include "../tensor/key.h"

/* value: called from several threads at once, each with `scratch` bytes of its own, not cleared.
 * n: examples, 1 to UINT32_MAX.  weight [n]: the examples' own, as bnn_check_weights takes them; NULL:
 * each 1.  part [n], each 0 or 1: the two are resampled separately, so that a
 * resample has the same number of each (stratified); NULL: all together.  It owns nothing. */
typedef struct bnn_statistic {
  double (*value)(const void *data, const double *weight, void *scratch);
  const void *data;
  const double *weight;
  const uint8_t *part;
  size_t n, scratch;
} bnn_statistic;

/* ERANGE unless weight [n] has finite numbers of at least 0, and one above 0; the text names the
 * position of the first, from 1. */
bnn_status bnn_check_weights(const double *weight, size_t n, bnn_err *err);

/* The statistic of the examples themselves.  ENOMEM. */
bnn_status bnn_statistic_value(double *out, const bnn_statistic *s, bnn_err *err);

/* The statistic of each of `resamples` resamples: out [resamples].
 * ESTOP: the context was stopped, out is undefined; ENOMEM. */
bnn_status bnn_bootstrap(bnn_context *context, double *out, const bnn_statistic *s, bnn_key key,
                         size_t resamples, bnn_err *err);

/* A statistic for the weighted mean of values [n], summed in double; data is a bnn_values.  An
 * example of weight 0 does not count, whatever its value.  root: the square root of that mean. */
typedef struct bnn_values {
  const double *value;
  size_t n;
  int root;
} bnn_values;
bnn_statistic bnn_mean_statistic(const bnn_values *values);

/* Metrics of several numbers, one for each group of the examples, such as the bins of a reliability
 * diagram: group [n], each in [0, groups); value [n], not read for shares; weight [n], the examples'
 * own, or NULL.  What a group's number is, under weights w: */
typedef enum bnn_group_sum {
  BNN_GROUP_TOTAL,    /* the sum of w value */
  BNN_GROUP_MEAN,     /* that over the sum of w: NaN of a group without examples */
  BNN_GROUP_MEAN_TO,  /* the same over this group and all before it */
  BNN_GROUP_SHARE_TO, /* the sum of w over these, as a share of that over all */
} bnn_group_sum;

typedef struct bnn_groups {
  const int32_t *group;
  const double *value, *weight;
  size_t n, groups;
  bnn_group_sum sum;
} bnn_groups;

/* The percentile interval of each group's number: lo and hi [groups], its quantiles (by linear
 * interpolation) at (1 - level) / 2 and 1 less that, over the resamples that bnn_bootstrap draws
 * under this key.  Resamples in which the number is NaN are left out; NaN when all are.
 * ESTOP: lo and hi are undefined; ENOMEM. */
bnn_status bnn_group_intervals(bnn_context *context, double *lo, double *hi,
                               const bnn_groups *groups, bnn_key key, size_t resamples,
                               double level, bnn_err *err);

#endif
