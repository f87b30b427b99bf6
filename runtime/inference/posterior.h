/* posterior.h - the mean-field Gaussian posterior q(w) = prod_i N(mu_i, exp(logvar_i)) over the
 * parameters of a network, in two flat buffers (Graves 2011; Blundell et al. 2015).
 *
 * A layout says where each named tensor lies in a flat buffer; mu, logvar, samples and gradients
 * all share it. */
#ifndef BNN_POSTERIOR_H
#define BNN_POSTERIOR_H

#include "../base/context.h"
#include "../base/status.h"
#include "../tensor/key.h"
#include "../tensor/tensor.h"

/* One tensor of a layout: elements [offset, offset + size). */
typedef struct bnn_param {
  size_t offset, size;
} bnn_param;

typedef struct bnn_layout {
  size_t n_params, size;
  bnn_param *param; /* [n_params], owned; in order, without gaps or overlaps */
} bnn_layout;

/* A layout of tensors of these sizes, in order.  ENOMEM. */
bnn_status bnn_layout_init(bnn_layout *out, size_t n_params, const size_t *size, bnn_err *err);
void bnn_layout_fini(bnn_layout *layout);

/* theta = mu + exp(logvar / 2) * eps with eps = normals 0.. of key, in parallel; theta and mu are
 * [size], logvar is [n_variational]: elements after those are point estimates, theta = mu. */
void bnn_posterior_sample(bnn_context *context, bnn_real *theta, const bnn_real *mu,
                          const bnn_real *logvar, bnn_key key, size_t n_variational, size_t size);

/* KL(q || N(0, prior_std^2)) of one tensor, a sum over its elements in nats:
 * sum [log(s/sigma) + (sigma^2 + mu^2)/(2 s^2) - 1/2]. */
double bnn_posterior_kl(const bnn_param *param, const bnn_real *mu, const bnn_real *logvar,
                        double prior_std);

#endif
