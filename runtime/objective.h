/* objective.h - one training step, as one call: sample weights, gather the batch, forward,
 * backward, and update, for the loss
 *
 *     L = mean over the batch of loss_n(theta) + beta * sum over tensors t of weight_t KL_t(q ||
 *     prior)
 *
 * with theta ~ q = N(mu, exp(logvar)), prior N(0, s^2), weight_t by bnn_kl: -ELBO/N for kl = sum
 * and beta = 1/N.  Gradients by reparameterisation (Kingma & Welling 2014; Blundell et al. 2015):
 * dmu = g + beta weight mu/s^2, dlogvar = [g (theta - mu) + beta weight (e^logvar/s^2 - 1)] / 2.
 *
 * The loss per example is a recorded program.  The work is split by rows of the batch, then by
 * blocks of parameters with the update of a block right behind its gradient; the blocks follow from
 * the shapes, so the result does not depend on the number of threads. */
#ifndef BNN_OBJECTIVE_H
#define BNN_OBJECTIVE_H

#include "batch.h"
#include "context.h"
#include "optimizer.h"
#include "posterior.h"
#include "program.h"

typedef struct bnn_objective bnn_objective;

/* What a step is made of.  program: finished with the gradient with respect to its parameters;
 * outputs[0] is the loss of each example [batch], or one number that is their mean (then the
 * program has no rows).  x_node, y_node, key_node: its inputs, -1 for one that it does not have;
 * key_node is a u64 scalar. */
typedef struct bnn_objective_spec {
  bnn_program *program;
  int x_node, y_node, key_node;
  const bnn_layout *layout; /* copied */
  bnn_kl kl;
  double prior_std;
  int samples; /* weight samples a step, at least 1 */
} bnn_objective_spec;

/* ESHAPE: outputs[0] is neither [batch] nor one number, or the layout is smaller than the program's
 * parameters.  ERANGE: samples, prior_std, a node that can not be fed so, a program without a
 * gradient.  ENOMEM. */
bnn_status bnn_objective_new(bnn_objective **out, const bnn_objective_spec *spec, bnn_err *err);
void bnn_objective_free(bnn_objective *o);

/* Rows of the batch that its program was recorded for. */
size_t bnn_objective_batch(const bnn_objective *o);

/* The parameters that a step changes, flat, of the layout's size.  logvar NULL: a point estimate
 * theta = mu; the KL's mu part is then its penalty beta weight mu^2 / (2 s^2). */
typedef struct bnn_target {
  bnn_real *mu, *logvar;
  bnn_optimizer_state *state; /* over size elements (point) or 2 * size (mu, then logvar) */
} bnn_target;

/* What belongs to one step.  key: weight sample s is drawn with key:fold("eps"):fold(s), s from 1;
 * programs that draw noise get key:fold("noise"):fold(s). */
typedef struct bnn_step {
  bnn_key key;
  double beta, lr;
} bnn_step;

/* One step.  *loss: the mean loss over the batch and the samples, without the KL, before the
 * update. ENAN: that loss is not finite; ERANGE: a label or position out of range.  On failure mu,
 * logvar and state are as before the call. */
bnn_status bnn_objective_step(bnn_objective *o, bnn_context *context, const bnn_target *target,
                              const bnn_batch *batch, const bnn_step *step, double *loss,
                              bnn_err *err);

/* Only the gradients of L for the weights that `step` draws: dmu [size], and dlogvar [size] unless
 * target->logvar is NULL; target->state is not used.  For tests, and for optimizers of one's
 * own. */
bnn_status bnn_objective_gradient(bnn_objective *o, bnn_context *context, const bnn_target *target,
                                  const bnn_batch *batch, const bnn_step *step, bnn_real *dmu,
                                  bnn_real *dlogvar, double *loss, bnn_err *err);

#endif
