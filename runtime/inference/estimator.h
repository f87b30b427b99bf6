/* estimator.h - how a step estimates the gradient of E log p(y | x, w) over q(w).
 *
 *   reparameterization        one draw of the weights, theta, for the whole batch (Kingma & Welling
 *                             2014; Blundell et al. 2015)
 *   local_reparameterization  the outputs of a layer are drawn, each example's by itself: the program
 *                             reads the weights' means and variances (Kingma et al. 2015)
 *   flipout                   one draw whose deviations get signs of each example's own: the program
 *                             reads means and deviations (Wen et al. 2018)
 *
 * The last two give the program two numbers for each weight, a mean, which it reads in the family's own
 * buffer, and a spread (family.h): its parameters are [2][size of the layout], of which points have
 * the first half only. */
#ifndef BNN_ESTIMATOR_H
#define BNN_ESTIMATOR_H

#include "posterior.h"

#define BNN_ESTIMATOR_ROWS(X) \
  X(reparameterization)       \
  X(local_reparameterization) \
  X(flipout)

typedef enum bnn_estimator {
#define X(name) BNN_ESTIMATOR_##name,
  BNN_ESTIMATOR_ROWS(X)
#undef X
      BNN_ESTIMATOR_COUNT
} bnn_estimator;

const char *bnn_estimator_name(bnn_estimator e);

/* False when no row has the name. */
bool bnn_estimator_find(bnn_estimator *out, const char *name);

/* Numbers for each weight that the program reads: 1 or 2. */
static inline size_t bnn_estimator_parts(bnn_estimator e) {
  return e == BNN_ESTIMATOR_reparameterization ? 1 : 2;
}

/* What gives the spread of a family's weights; NULL where there is none: of a point, of
 * reparameterization, of a family that the estimator does not suit. */
const bnn_spread *bnn_estimator_spread(bnn_estimator e, const bnn_family *family);

/* Whether weights of the family can be estimated so. */
bool bnn_estimator_suits(bnn_estimator e, const bnn_family *family);

/* What is drawn of sample s, from 1, into theta [parts][size of the layout]: weights, and points; in
 * the second half spreads. */
void bnn_estimator_draw(bnn_estimator e, const bnn_posterior *q, bnn_context *context,
                        bnn_real *theta, bnn_draw draw, int64_t s);

#endif
