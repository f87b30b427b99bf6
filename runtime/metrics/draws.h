/* draws.h - scores of numbers predicted by equal mixtures of Gaussians, those of a posterior's draws.
 *
 * Draw s says N(mean[s, i, k], std[s, i, k]^2) of number k of row i; target is [n, width].  All are
 * doubles, row-major; std is at least 0. */
#ifndef BNN_DRAWS_H
#define BNN_DRAWS_H

#include <stddef.h>

typedef struct bnn_mixture {
  const double *mean, *std; /* [draws, rows, width] */
  size_t draws, rows, width;
} bnn_mixture;

/* For rows [from, from + n), each of out [n]; target is that of row 0 on.
 *
 * The log of the density of all numbers of the row, log(1/S sum_s prod_k N(y_k; mean, std^2)), in nats:
 * infinite where a std is 0. */
void bnn_mixture_log_density(double *out, const bnn_mixture *m, const double *target, size_t from,
                             size_t n);

/* The continuous ranked probability score, E|Y - y| - E|Y - Y'| / 2 in the units of y, a mean over the
 * numbers of the row: 0 is perfect, and |mean - y| that of a point.  Grimit et al. 2006, equation 5; a
 * number takes draws^2 steps. */
void bnn_mixture_crps(double *out, const bnn_mixture *m, const double *target, size_t from,
                      size_t n);

/* How likely the mixture makes at most the target, Phi((y - mean) / std) averaged over the draws, of each
 * number of all rows (the probability integral transform, Dawid 1984): out [rows, width], each in [0, 1].
 * A std of 0 gives a step, 1 where the target is the mean. */
void bnn_mixture_cdf(double *out, const bnn_mixture *m, const double *target);

#endif
