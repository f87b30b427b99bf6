/* objective.h - one training step, as one call: sample weights, gather the batch, forward,
 * backward, and update, for the loss
 *
 *     L = mean over the batch of loss_n(theta) + sum over tensors t of beta_t kl_t KL_t(q || prior)
 *
 * with theta ~ q = N(mu, exp(logvar)) and prior N(0, s_t^2): -ELBO/N for kl_t = 1 and beta = 1/N.
 * Gradients by reparameterisation (Kingma & Welling 2014; Blundell et al. 2015):
 * dmu = g + beta kl mu/s^2, dlogvar = [g (theta - mu) + beta kl (e^logvar/s^2 - 1)] / 2.
 *
 * Elements [0, n_variational) of the flat parameters have a posterior; the rest are point estimates
 * (theta = mu): penalty decay/2 |mu|^2, plus -beta kl log N(mu; 0, s^2) if given a prior.
 *
 * A prior that is not Gaussian is part of the program: it weighs -log p(theta_t) with beta_t kl_t
 * (read from kl_weight_node) and adds the result to each example's loss.  The step then adds the
 * rest of that tensor's KL, -entropy of q, whose gradient is exact.
 *
 * The loss per example is a recorded program.  The work is split by rows of the batch, then by
 * blocks of parameters, each updated right after its gradient.  The blocks follow from the shapes,
 * so the result does not depend on the number of threads. */
#ifndef BNN_OBJECTIVE_H
#define BNN_OBJECTIVE_H

#include "../base/context.h"
#include "../program/program.h"
#include "batch.h"
#include "optimizer.h"
#include "posterior.h"

typedef struct bnn_objective bnn_objective;

/* How one tensor of the layout takes part in L. */
typedef struct bnn_regularizer {
  double kl; /* weight of its KL beside beta; 0 if it has no prior */
  double
      precision; /* 1 / s^2 of its prior; 0: the prior is in the program, only -entropy is left */
  double decay;  /* of a point estimate: the penalty is decay/2 |mu|^2 */
} bnn_regularizer;

/* What a step is made of.  program: finished with the gradient with respect to its parameters;
 * outputs[0] is the loss of each example [batch], or one number that is their mean (then the
 * program has no rows).  x_node, y_node, key_node, kl_weight_node: its inputs, -1 for one that it
 * does not have; key_node is a u64 scalar, kl_weight_node a whole real [n_kl_weights] whose element
 * i is beta_t kl_t of tensor t = kl_weight_param[i]. */
typedef struct bnn_objective_spec {
  bnn_program *program;
  int x_node, y_node, key_node, kl_weight_node;
  const bnn_layout *layout;            /* copied */
  const bnn_regularizer *regularizers; /* [layout->n_params], copied */
  size_t n_variational; /* elements with a posterior: the end of a tensor of the layout, or 0 */
  int samples;          /* weight samples a step, at least 1 */
  int loss_output; /* the output whose mean a step reports: 0, unless outputs[0] is more than loss */
  const size_t *kl_weight_param; /* [n_kl_weights], copied */
  size_t n_kl_weights;
} bnn_objective_spec;

/* ESHAPE: an output is neither [batch] nor one number, the layout is smaller than the program's
 * parameters, n_variational cuts a tensor in two.  ERANGE: samples, a regularizer, a node that
 * cannot be fed so, a program without a gradient.  ENOMEM. */
bnn_status bnn_objective_new(bnn_objective **out, const bnn_objective_spec *spec, bnn_err *err);
void bnn_objective_free(bnn_objective *o);

/* Rows of the batch that its program was recorded for. */
size_t bnn_objective_batch(const bnn_objective *o);

/* Bytes of its buffers. */
size_t bnn_objective_bytes(const bnn_objective *o);

/* What a step changes: mu [size of the layout], logvar [n_variational] (NULL if that is 0), and the
 * optimizer's state over both, size + n_variational elements: mu, then logvar. */
typedef struct bnn_train_state {
  bnn_real *mu, *logvar;
  bnn_optimizer_state *optimizer;
} bnn_train_state;

/* The arguments of one step.  key: weight sample s is drawn with key:fold("eps"):fold(s), s from 1;
 * programs that draw noise get key:fold("noise"):fold(s). */
typedef struct bnn_step_args {
  bnn_key key;
  double beta, lr;
  const double *betas; /* [n_params], a beta for each tensor instead; or NULL */
} bnn_step_args;

/* One step.  *loss: the mean loss over the batch and the samples, without the KL, before the
 * update.  ENAN: that loss is not finite; ERANGE: a label or position out of range; ESTOP: the
 * context was stopped between two samples.  On failure mu, logvar and the optimizer's state are as
 * before the call, with one exception: ENAN "the gradient of tensor T" if the loss is finite and a
 * gradient is not.  The update itself finds that: it writes no number that is not finite, but other
 * parts have been updated.  A step allocates nothing, except the first on more threads than any
 * before it: ENOMEM. */
bnn_status bnn_objective_step(bnn_objective *o, bnn_context *context, const bnn_train_state *train,
                              const bnn_batch *batch, const bnn_step_args *args, double *loss,
                              bnn_err *err);

/* Only the gradients of L for the weights that args->key draws: dmu [size], and dlogvar
 * [n_variational], NULL if that is 0; train->optimizer is not used.  For tests, and for optimizers
 * of the caller's own. */
bnn_status bnn_objective_gradient(bnn_objective *o, bnn_context *context,
                                  const bnn_train_state *train, const bnn_batch *batch,
                                  const bnn_step_args *args, bnn_real *dmu, bnn_real *dlogvar,
                                  double *loss, bnn_err *err);

#endif
