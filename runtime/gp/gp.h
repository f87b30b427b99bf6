/* gp.h - Gaussian processes with a Matern 5/2 kernel and one length scale per input, in double.
 *
 *   k(x, x') = s (1 + r + r^2 / 3) exp(-r),  r^2 = 5 sum_k w_k (x_k - x'_k)^2
 *
 * with inverse squared lengths w, variance s, and noise variance on the diagonal.  An input that is
 * a choice has the distance 1 between different values instead.  Rasmussen and Williams, "Gaussian
 * Processes for Machine Learning", 2.2, 4.2 and 5.4.1.
 *
 * theta [d + 2] holds log w, log s and log(noise - least_noise). */
#ifndef BNN_GP_H
#define BNN_GP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Observations x [n, d], and which inputs are choices, flags [d]. */
typedef struct bnn_gp_data {
  const double *x;
  const uint8_t *is_choice;
  size_t n, d;
} bnn_gp_data;

/* u [n, n]: the factor of K + noise I (see cholesky.h).  false: it is not positive definite. */
bool bnn_gp_factor(double *u, const bnn_gp_data *data, const double *theta, double least_noise);

/* alpha [n] = (K + noise I)^-1 y. */
void bnn_gp_weights(double *alpha, const double *u, const double *y, size_t n);

/* The log marginal likelihood of y [n], without its constant, and its slope [d + 2] in theta.
 * scratch: 3 n n + n doubles.  false: not positive definite; nothing is written. */
bool bnn_gp_likelihood(double *value, double *slope, const bnn_gp_data *data, const double *y,
                       const double *theta, double least_noise, double *scratch);

/* The mean and variance, without noise, at points [m, d]; mean [m], variance [m], at least 0.
 * dmean, dvariance [m, d]: their slopes in the points, 0 for choices; both NULL: not wanted.
 * scratch: n m doubles. */
void bnn_gp_predict(double *mean, double *variance, double *dmean, double *dvariance,
                    const bnn_gp_data *data, const double *theta, const double *u,
                    const double *alpha, const double *points, size_t m, double *scratch);

#endif
