/* objective.h - one training step, as one call, for the loss
 *
 *     L = mean over the batch of w_n loss_n(theta) + sum over tensors t of beta_t kl_t KL_t(q || prior)
 *
 * with theta ~ q and prior N(0, s_t^2): -ELBO/N for kl_t = 1 and beta = 1/N.  The weights w_n of the
 * examples, 1 where no weights feed it, multiply in the program.  From the top:
 *
 *     for each weight sample s:
 *       sample     theta ~ q, or what another estimator computes with (estimator.h)
 *       rows       forward and backward, by blocks of rows of the batch; where rows meet only
 *                  forward, op by op, and backward after it
 *       gradient   g = dL / dtheta, by blocks of parameters, for each shard of the batch, added in
 *                  their tree (base/shards.h)
 *       backward   this sample's part of d, the gradients of q's buffers; where the KL has no
 *                  closed form, of g + beta kl (-d log prior / d theta)
 *     penalties    KL or entropy, and the decay of points: once
 *     check        d is finite
 *     clip         d by its norm and by element, where the rule's state says so
 *     update       the rule, element by element (update.h)
 *
 * An estimator with a mean and a spread for each weight has gradients of both.  A KL without a closed
 * form, whose part at the samples is not the program's, draws weights for itself: those of
 * reparameterization.
 *
 * Samples are added by a fixed binary tree over s, and a last odd one to what stands to its left.
 * Antithetic samples come in pairs, whose weights lie on opposite sides of the mean: the variance of
 * what is odd in the noise is gone.  Each has the program's noise of its own.
 *
 * Each tensor is updated by one rule (updater.h), of which there may be several.  With one sample and
 * no clipping, and where each block of parameters has its gradient from one job,
 * that job does the rest too, from backward to update, by pieces that stay in the first-level cache; a
 * family and a rule may have one pass for all of it (fused/fused.h).  Nothing else reads between, and
 * the result is that of the plain stages but for rounding.
 *
 * A KL without a closed form is the cross-entropy at the samples less the entropy of q: of a prior
 * that is a row of the densities (densities/density.h), or a Gaussian beside a family that has no
 * KL to it. Any other prior is part of the program: it weighs -log p(theta_t) with beta_t kl_t
 * (read from kl_weight_node) and adds the result to each example's loss.  The step then adds the
 * rest of that tensor's KL, -entropy of q.
 *
 * A prior N(0, s_t^2) may be fitted: the s_t^2 of the largest ELBO is the mean of E w^2 over the
 * tensor, or over several that share it (empirical Bayes, type II maximum likelihood), and is taken anew before each step; s_t is
 * at least BNN_FITTED_STD_MIN.  It follows from q alone.
 *
 * Tensors of a point family are point estimates: penalty decay/2 |mu|^2, plus -beta kl log
 * prior(mu) if given a prior.
 *
 * States, running statistics, are points that no rule updates (bnn_group.is_state): outputs of the program
 * replace them at the end of a step, by their mean over the samples.
 *
 * Blocks and shards follow from the shapes and the number of shards, so the result does not depend on
 * the number of threads.  The loss is added likewise: each shard in order, then the tree. */
#ifndef BNN_OBJECTIVE_H
#define BNN_OBJECTIVE_H

#include "../base/context.h"
#include "../batches/batch.h"
#include "../densities/density.h"
#include "../program/program.h"
#include "estimator.h"
#include "posterior.h"
#include "updater.h"

typedef struct bnn_objective bnn_objective;

/* How one tensor of the layout takes part in L. */
typedef struct bnn_regularizer {
  double kl;        /* weight of its KL beside beta; 0 if it has no prior */
  double precision; /* 1 / s^2 of a prior N(0, s^2); 0: of another, below or in the program */
  bnn_prior prior;  /* a prior without a KL in closed form, beside precision 0 */
  bool is_fitted; /* precision is set before each step: s^2 is the mean of E w^2 over the tensor, */
  bool joins;     /* and the tensor before, which is fitted too: they have one scale */
  double decay;   /* of a point estimate: the penalty is decay/2 |mu|^2 */
} bnn_regularizer;

/* The least standard deviation that a prior is fitted to. */
#define BNN_FITTED_STD_MIN 1e-4

/* What a step is made of.  program: finished with the gradient with respect to its parameters;
 * outputs[0] is the loss of each example [batch], or one number that is their mean (then the
 * program has no rows).  feeds: its inputs that rows of a batch feed.  key_node, eps_node, sign_node, kl_weight_node:
 * others, -1 for one that it does not have; key_node and eps_node are u64 scalars, sign_node a whole real [1]
 * that is -1 for a mirror image and else 1 (these two are not looked at beside
 * reparameterization), kl_weight_node a whole real [n_kl_weights] whose element i is
 * beta_t kl_t of tensor t = kl_weight_param[i]. */
typedef struct bnn_objective_spec {
  bnn_program *program;
  bnn_feeds feeds;
  int key_node, eps_node, sign_node, kl_weight_node;
  const bnn_posterior *posterior;      /* families and layout, copied; steps bring the buffers */
  const bnn_regularizer *regularizers; /* [layout->n_params], copied */
  bnn_estimator estimator; /* the program's parameters: bnn_estimator_parts times the layout */
  int samples;             /* weight samples a step, at least 1 */
  bool antithetic;         /* sample 2j is the mirror image of sample 2j - 1 */
  int shards;              /* of the batch, at least 1 */
  int loss_output; /* the output whose mean a step reports: 0, unless outputs[0] is more than loss */
  const size_t *kl_weight_param; /* [n_kl_weights], copied */
  size_t n_kl_weights;
  const size_t *state_param; /* [n_states], copied: states that a step replaces */
  const int *state_output;   /* [n_states], copied: by the values of these outputs */
  size_t n_states;
} bnn_objective_spec;

/* ESHAPE: an output is neither [batch] nor one number, the layout is smaller than the program's
 * parameters, or as bnn_posterior_check.  ERANGE: samples, an odd number of antithetic ones or
 * a posterior without noise for them, shards, a regularizer, a family that the estimator does not
 * suit, a state that rules update or that is no output, a node that cannot be fed so, a program without a gradient, several shards of one whose rows
 * meet.  ENOMEM. */
bnn_status bnn_objective_new(bnn_objective **out, const bnn_objective_spec *spec, bnn_err *err);
void bnn_objective_free(bnn_objective *o);

/* Rows of the batch that its program was recorded for. */
size_t bnn_objective_batch(const bnn_objective *o);

/* Bytes of its buffers. */
size_t bnn_objective_bytes(const bnn_objective *o);

/* What a step changes: the buffers of q, whose families are those of the objective, and the states of
 * the rules that update them. */
typedef struct bnn_train_state {
  const bnn_posterior *posterior;
  bnn_updater *updater;
} bnn_train_state;

/* The arguments of one step.  key: weight sample s is drawn with key:fold("eps"):fold(s), s from 1,
 * or is the mirror image of what that gives for s - 1; programs that draw noise get
 * key:fold("noise"):fold(s), those that draw for an estimator get key:fold("eps"):fold(s), rules
 * key:fold("update"):fold(buffer). */
typedef struct bnn_step_args {
  bnn_key key;
  double beta, lr;
  const double *betas;     /* [n_params], a beta for each tensor instead; or NULL */
  double data_size, noise; /* for rules that need them (rule.h); noise is 1 for the whole of it */
  const bnn_rate *rates;   /* [n_rules], an lr and noise for each rule instead; or NULL */
} bnn_step_args;

/* One step.  *loss: the mean loss over the batch and the samples, without the KL, before the
 * update.  ENAN: that loss is not finite; ERANGE: a label or position out of range, or no data_size
 * for a rule that needs it; ESTOP: the context was stopped between two samples, or
 * within a product of a second.  On failure buffers
 * and state are as before the call, with one exception: ENAN "the gradient of tensor T" of a step
 * whose updates follow in the jobs of the gradients, if the loss is finite and a gradient is not.  The
 * update itself finds that: it writes no number that is not finite, but other parts have been updated.
 * (Looking first costs what bench_step prints as "check first".)  A step allocates nothing, except the
 * first of its kind, and on more threads than any before it: ENOMEM. */
bnn_status bnn_objective_step(bnn_objective *o, bnn_context *context, const bnn_train_state *train,
                              const bnn_batch *batch, const bnn_step_args *args, double *loss,
                              bnn_err *err);

/* Only the gradients of L for the weights that args->key draws, by the plain stages: d
 * [bnn_posterior_trained] in the order of bnn_posterior_place.  They may hold what is not finite. */
bnn_status bnn_objective_gradient(bnn_objective *o, bnn_context *context, const bnn_posterior *q,
                                  const bnn_batch *batch, const bnn_step_args *args, bnn_real *d,
                                  double *loss, bnn_err *err);

/* Gives the states of q the values that the last step or gradient found for them, as a step does
 * itself: for one whose update is made elsewhere.  ESHAPE: q is not what the objective was made for. */
bnn_status bnn_objective_write_state(const bnn_objective *o, const bnn_posterior *q, bnn_err *err);

#endif
