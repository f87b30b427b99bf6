/* objective_inside.h - the inside of an objective, shared by objective.c (making it) and
 * objective_step.c (a step). */
#ifndef BNN_OBJECTIVE_INSIDE_H
#define BNN_OBJECTIVE_INSIDE_H

#include <math.h>

#include "objective.h"

/* Elements whose gradients are computed and used together, so that they stay in the first-level
 * cache. */
enum { CHUNK = 256 };

/* A range of the update: elements [first, first + size), all of tensor `param`. */
typedef struct update_range {
  size_t param, first, size;
} update_range;

struct bnn_objective {
  bnn_program *program;
  bnn_frame *frame;
  size_t block; /* rows of a block of the frame */
  int x_node, y_node, key_node, kl_weight_node;
  bnn_layout layout;
  bnn_regularizer *regularizers; /* [layout.n_params] */
  size_t n_variational;          /* elements of the posterior */
  size_t *kl_weight_param;       /* [n_kl_weights] tensors whose weights the program reads */
  size_t n_kl_weights;
  int samples, loss_output;
  bool fused;           /* the update of a parameter follows in the job of its gradient */
  update_range *ranges; /* of the parameter jobs when fused, else of the layout */
  size_t n_ranges;
  bnn_real *theta, *grad; /* [size] the sampled weights, their gradient of the mean loss */
  bnn_real *scratch;      /* [n_workers, scratch_size] gradients between their job and update */
  size_t n_workers, scratch_size;
  bnn_real *g_sum, *h_sum; /* [size] sums over samples of g and g (theta - mu); samples > 1 */
};

/* Whether x can weigh a penalty. */
static inline bool is_weight(double x) { return x >= 0 && !isinf(x); }

/* Scratch for n workers, one for each thread of a step; kept for later steps.  ENOMEM. */
bnn_status bnn_objective_reserve_scratch(bnn_objective *o, size_t n, bnn_err *err);

#endif
