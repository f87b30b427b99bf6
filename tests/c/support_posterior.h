/* support_posterior.h - the posterior that most tests of steps and predictions have: a mean-field
 * Gaussian over the first tensors and points over the rest. */
#ifndef TESTS_SUPPORT_POSTERIOR_H
#define TESTS_SUPPORT_POSTERIOR_H

#include "inference/posterior.h"

/* q points into the same value, which therefore stays where it is. */
typedef struct split_posterior {
  bnn_group group[2];
  bnn_posterior q;
} split_posterior;

/* Elements [0, n) of the layout mean-field, the others points; a group of none is left out.  mu [size]
 * and logvar [n] are the caller's, NULL where only families and extents matter.  In the order of
 * bnn_posterior_place mu comes first, whole, then logvar. */
static inline void split_posterior_init(split_posterior *p, const bnn_layout *layout, bnn_real *mu,
                                        bnn_real *logvar, size_t n) {
  size_t n_groups = 0;
  if (n > 0)
    p->group[n_groups++] = (bnn_group){.family = bnn_family_find("meanfield"),
                                       .layout = layout,
                                       .first = 0,
                                       .end = n,
                                       .buffer = {mu, logvar}};
  if (n < layout->size)
    p->group[n_groups++] = (bnn_group){.family = bnn_family_find("point"),
                                       .layout = layout,
                                       .first = n,
                                       .end = layout->size,
                                       .buffer = {mu ? mu + n : NULL}};
  p->q = (bnn_posterior){.layout = layout, .n_groups = n_groups, .group = p->group};
}

#endif
