/* columns.h - the mean and standard deviation of each column of a matrix, and columns standardised
 * by them: mean 0 and deviation 1.
 *
 * All in double, in two passes (the mean, then the squares of what differs from it), so that what
 * is small beside the mean, or whose square is no float, keeps its digits.  A mean is a real
 * number and its rounding error `rest`: in float that may be as large as the deviation. */
#ifndef BNN_COLUMNS_H
#define BNN_COLUMNS_H

#include <stddef.h>

#include "../base/real.h"
#include "../base/status.h"

/* mean, rest and std [d] (the population's) of x [n, d], n > 0.  A column whose values are all the
 * same has the deviation 1: only its mean is subtracted.  A NaN or infinity makes its column NaN.
 * *constant: the number of such columns, *first the first of them, from 0.  ENOMEM. */
bnn_status bnn_columns_fit(bnn_real *mean, bnn_real *rest, bnn_real *std, size_t *constant,
                           size_t *first, const bnn_real *x, size_t n, size_t d, bnn_err *err);

/* z = (x - (mean + rest)) / std of x [n, d]; rest NULL: 0. */
void bnn_columns_standardise(bnn_real *z, const bnn_real *x, const bnn_real *mean,
                             const bnn_real *rest, const bnn_real *std, size_t n, size_t d);

#endif
