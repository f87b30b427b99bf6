/* density.h - probability densities p(x | parameters) of real numbers, each written once: as an op,
 * NAME_log_prob(x, parameters...), of which likelihoods are made, and as a prior of weights, whose
 * gradient a training step adds in the pass that uses it.
 *
 * A density is a file NAME.c in this folder that defines the op and gives it a bnn_density
 * (density_row.h), and the op's row X(NAME_log_prob) in ops/ops.def.  From these follow the op in
 * Lua, bnn.prior.NAME, bnn.likelihood.NAME (where x may be any real number), help(), checkpoints
 * and the generic tests of ops and of densities.  The file is compiled once for each instruction
 * set.
 *
 * Outside of the support log p is -inf and its gradient with respect to x is 0, as it is at an end
 * where it would be infinite: nothing pulls there.  NaN goes in and comes out. */
#ifndef BNN_DENSITY_H
#define BNN_DENSITY_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/real.h"
#include "../base/status.h"

enum { BNN_DENSITY_PARAMS_MAX = 3 };

/* A parameter of a density: allowed are lo < x < hi. */
typedef struct bnn_density_param {
  const char *name, *doc;
  double value, lo, hi; /* value: the default */
} bnn_density_param;

typedef struct bnn_density {
  const char *name, *doc;
  bnn_density_param
      param[BNN_DENSITY_PARAMS_MAX]; /* in the op's order, up to the first without a name */
  bool ascending;                    /* each parameter is larger than the one before */
  double lo, hi;                     /* p is 0 outside of [lo, hi]; infinities */

  /* out[i] = g[i] - weight d log p(x[i]) / dx. */
  void (*pull)(bnn_real *restrict out, const bnn_real *restrict g, const bnn_real *restrict x,
               const bnn_real *param, bnn_real weight, size_t n);

  /* The sum of log p over x [n]. */
  double (*log_prob)(const bnn_real *x, const bnn_real *param, size_t n);

  /* Mean and variance; NaN where there is none, the variance infinite where it diverges. */
  void (*moments)(double *mean, double *variance, const double *param);
} bnn_density;

/* Row i of the densities, in the order of ops.def, and its op's name; NULL past the end. */
const bnn_density *bnn_density_row(size_t i, const char **op);

/* The density of a name, in the instruction set in use; NULL when there is none. */
const bnn_density *bnn_density_find(const char *name);

int bnn_density_params(const bnn_density *density); /* how many it has */

/* A density with its parameters: a prior of each weight of a tensor by itself. */
typedef struct bnn_prior {
  const bnn_density *density; /* NULL: none */
  bnn_real param[BNN_DENSITY_PARAMS_MAX];
} bnn_prior;

/* A prior of these parameters, in the order of the row.  ERANGE: one is out of its bounds, by
 * name, or they do not ascend where they should. */
bnn_status bnn_prior_init(bnn_prior *out, const bnn_density *density, const double *param,
                          bnn_err *err);

#endif
