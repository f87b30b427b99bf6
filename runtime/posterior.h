/* posterior.h - the mean-field Gaussian posterior q(w) = prod_i N(mu_i, exp(logvar_i)) over the
 * parameters of a network, in two flat buffers (Graves 2011; Blundell et al. 2015).
 *
 * A layout says where each named tensor lies in a flat buffer; mu, logvar, samples and gradients
 * all share it. */
#ifndef BNN_POSTERIOR_H
#define BNN_POSTERIOR_H

#include "context.h"
#include "key.h"
#include "status.h"
#include "tensor.h"

/* One tensor of a layout: elements [offset, offset + size), and the first dim of its stored shape
 * (1 for a scalar). */
typedef struct bnn_param {
  size_t offset, size, dim0;
} bnn_param;

typedef struct bnn_layout {
  size_t n_params, size;
  bnn_param *param; /* [n_params], owned; in order, without gaps or overlaps */
} bnn_layout;

/* A layout of tensors in order; sizes and first dims are given.  ENOMEM. */
bnn_status bnn_layout_init(bnn_layout *out, size_t n_params, const size_t *size, const size_t *dim0,
                           bnn_err *err);
void bnn_layout_fini(bnn_layout *layout);

/* How the KL of the tensors adds up.
 *   sum      the KL divergence: its sum over all weights
 *   leading  each tensor's sum divided by the first dim of its stored shape, as the article has it;
 *            not a KL divergence, and the objective with it is not an ELBO at one temperature */
#define BNN_KL_ROWS(X)                                 \
  X(sum, "the KL divergence, summed over all weights") \
  X(leading, "each tensor's KL divided by its first dimension, added")
typedef enum bnn_kl {
#define X(name, doc) BNN_KL_##name,
  BNN_KL_ROWS(X)
#undef X
      BNN_KL_COUNT
} bnn_kl;

/* The row of a name; false when there is none. */
bool bnn_kl_find(bnn_kl *out, const char *name);

/* What a tensor's KL is multiplied by in the objective: 1, or 1 / dim0. */
static inline double bnn_kl_weight(bnn_kl kl, const bnn_param *param) {
  return kl == BNN_KL_leading ? 1 / (double)(param->dim0 ? param->dim0 : 1) : 1;
}

/* theta = mu + exp(logvar / 2) * eps with eps = normals 0.. of key, in parallel; all [size]. */
void bnn_posterior_sample(bnn_context *context, bnn_real *theta, const bnn_real *mu,
                          const bnn_real *logvar, bnn_key key, size_t size);

/* KL(q || N(0, prior_std^2)) of one tensor, a sum over its elements in nats:
 * sum [log(s/sigma) + (sigma^2 + mu^2)/(2 s^2) - 1/2]. */
double bnn_posterior_kl(const bnn_param *param, const bnn_real *mu, const bnn_real *logvar,
                        double prior_std);

#endif
