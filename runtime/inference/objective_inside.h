/* objective_inside.h - the inside of an objective: what making it (objective.c) leaves to a step
 * (objective_step.c, with objective_inputs.c before it and objective_update.c after it). */
#ifndef BNN_OBJECTIVE_INSIDE_H
#define BNN_OBJECTIVE_INSIDE_H

#include <math.h>
#include <stdatomic.h>

#include "../fused/fused.h"
#include "bad_gradient.h"
#include "objective.h"
#include "update.h"

/* Elements whose gradients are computed and used together, so that they stay in the first-level
 * cache; of a row of parameters of one job that the plain stages take. */
enum { BNN_CHUNK = 256, BNN_GROUPS_MAX = 16 };

/* A range of the parameters, the group it lies in, and the parameter jobs of its gradients: of the
 * weights or their means, and of their spreads if they have some, else NO_JOB. */
typedef struct bnn_range {
  bnn_span span;
  size_t group;
  size_t job, spread_job;
} bnn_range;

static const size_t NO_JOB = SIZE_MAX;

/* Gradients of the mean loss for a range: of its weights; or of their means, and of their spreads. */
typedef struct bnn_weight_gradient {
  const bnn_real *mean, *spread; /* spread NULL: the weights have none */
} bnn_weight_gradient;

typedef struct bnn_ranges {
  size_t n;
  bnn_range *range; /* [n] */
} bnn_ranges;

struct bnn_objective {
  bnn_program *program;
  bnn_frame *frame;
  bnn_feeds feeds;
  int key_node, eps_node, sign_node, kl_weight_node;
  bnn_estimator estimator;
  bnn_layout layout;
  bnn_group *group;        /* [posterior.n_groups] with the buffers of the step that is made */
  bnn_posterior posterior; /* of these: families and extents */
  size_t trained;          /* elements of all buffers */
  size_t place[BNN_GROUPS_MAX][BNN_ARRAYS_MAX]; /* where each of their arrays begins */
  bnn_regularizer *regularizers;                /* [layout.n_params] */
  size_t *kl_weight_param; /* [n_kl_weights] tensors whose weights the program reads */
  size_t n_kl_weights;
  size_t *state_param; /* [n_states] tensors that outputs of the program replace, */
  int *state_output;   /* [n_states] and these outputs; */
  double *state_mean;  /* [state_size] their mean over the samples, one after the other */
  size_t n_states, state_size;
  int samples, shards, loss_output;
  bool antithetic;
  bnn_ranges plain;       /* of the layout, for the plain stages */
  bnn_ranges jobs;        /* of the parameter jobs, where an update can follow in each; else none */
  bnn_real *theta, *grad; /* [parts, size] what is drawn, and gradients */
  bnn_real
      *drawn; /* [size] weights for a KL without a closed form: theta, or memory of their own where
                    * that holds means and spreads */
  bnn_real *scratch; /* [n_workers, split_size + the frame's job_scratch] a gradient between its
                           * job and update, and those of shards */
  size_t n_workers, split_size, scratch_size;
  bnn_real
      *levels; /* [n_levels, trained] sums of gradients over samples: one for each open subtree */
  size_t n_levels;
};

/* What the jobs of a step share. */
typedef struct bnn_step_work {
  bnn_objective *o;
  bnn_context *context;
  const bnn_posterior *q;
  bnn_updater *updater; /* NULL: only gradients are asked for */
  const bnn_batch *batch;
  const bnn_step_args *args;
  bool gather;   /* real inputs are yet to be gathered */
  bnn_real seed; /* d L / d loss_n */
  bnn_update_args update;
  bnn_step_info info[BNN_UPDATER_RULES_MAX];
  const bnn_fused *pass[BNN_GROUPS_MAX][BNN_UPDATER_RULES_MAX];
  bnn_real *d;            /* [trained] the gradients */
  atomic_bool is_cut;     /* a request to stop has left rows unfinished */
  atomic_size_t next;     /* the parameter job that no worker has taken */
  bnn_bad bad;            /* what its gradients are */
  bnn_draw eps;           /* of this sample's weights */
  bnn_real *part, *below; /* what a job over ranges adds to, and what it adds; */
  bool fresh;             /* part is nothing yet */
} bnn_step_work;

/* Whether x can weigh a penalty. */
static inline bool bnn_is_weight(double x) { return x >= 0 && !isinf(x); }

/* The weight of tensor t's KL in this step. */
static inline double bnn_kl_weight(const bnn_step_work *w, size_t t) {
  return (w->args->betas ? w->args->betas[t] : w->args->beta) * w->o->regularizers[t].kl;
}

/* The spread of a group's weights; NULL where they have none. */
static inline const bnn_spread *bnn_spread_of(const bnn_objective *o, size_t group) {
  return bnn_estimator_spread(o->estimator, o->group[group].family);
}

/* The gradients of range r where the plain stages leave them. */
static inline bnn_weight_gradient bnn_gradient_of(const bnn_objective *o, const bnn_range *r) {
  const bnn_real *mean = o->grad + r->span.first;
  return (bnn_weight_gradient){mean, bnn_spread_of(o, r->group) ? mean + o->layout.size : NULL};
}

/* Scratch for n workers, one for each thread of a step, and sums for n levels; kept for later steps.
 * ENOMEM. */
bnn_status bnn_objective_reserve_scratch(bnn_objective *o, size_t n, bnn_err *err);
bnn_status bnn_objective_reserve_levels(bnn_objective *o, size_t n, bnn_err *err);

/* ---- objective_state.c: tensors that outputs of the program replace ---- */

/* ERANGE, ESHAPE: the spec's list of them.  ENOMEM; fini takes back what was made. */
bnn_status bnn_objective_init_state(bnn_objective *o, const bnn_objective_spec *s, bnn_err *err);
void bnn_objective_fini_state(bnn_objective *o);

/* Takes in what the program gives for sample s, from 1. */
void bnn_step_keep_state(const bnn_step_work *w, int s);

/* ---- objective_inputs.c: what a step is fed with ---- */

/* Checks the batch against the program's inputs, gathers all of it that may be out of range, and feeds
 * the weights of priors that are part of the program.  Nothing that a step changes is written. */
bnn_status bnn_step_feed(bnn_step_work *w, bnn_err *err);

/* Reads block b's rows of x into the program's input, if they have not been gathered before. */
void bnn_step_gather_block(const bnn_step_work *w, size_t b);

/* ---- objective_update.c: from the gradient of the weights to that of buffers, and to an update ---- */

/* Adds a sample's part of the gradients of range r to d [arrays][r->span.count], from g. */
void bnn_step_backward(const bnn_step_work *w, const bnn_range *r, bnn_weight_gradient g,
                       bnn_real *const *d);

/* Adds the gradients of KL, entropy and decay. */
void bnn_step_penalties(const bnn_step_work *w, const bnn_range *r, bnn_real *const *d);

/* Both of these, and the update, for a range with one sample: in one pass where there is one, else chunk
 * by chunk; a chunk whose gradients are not finite is noted, and stays as it is. */
void bnn_step_finish_range(bnn_step_work *w, const bnn_range *r, bnn_weight_gradient g);

/* Points d at the range's part of flat gradients [trained], array by array. */
void bnn_step_part_of(const bnn_objective *o, const bnn_range *r, bnn_real *flat, bnn_real **d);

#endif
