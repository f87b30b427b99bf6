/* predict.h - a program's outputs over a whole data set, averaged over sampled networks.
 *
 * Constant memory whatever the number of samples: running mean and squared deviations (Welford
 * 1962, in double) for each row and output.  Weights are sampled a group at a time; then chunks of
 * rows go through the group's networks, in the order of the samples: the result depends neither on
 * the number of threads nor on the size of a group. */
#ifndef BNN_PREDICT_H
#define BNN_PREDICT_H

#include "batch.h"
#include "context.h"
#include "posterior.h"
#include "program.h"

/* program: finished, forward only; its outputs[0] is real, [chunk, ...].  x_node, y_node, key_node
 * as in bnn_objective_spec.  Parameters: mu [size] and logvar [random], flat; NULL: mu itself.
 * key: the weights of sample s are drawn with key:fold(s), s counted from first_sample; programs
 * that draw noise get that key's fold("noise"). */
typedef struct bnn_predict_spec {
  bnn_program *program;
  int x_node, y_node, key_node;
  const bnn_real *mu, *logvar;
  size_t random, size; /* elements that are drawn, and all */
  int samples;
  bnn_key key;
  int first_sample; /* 1, unless samples are predicted in parts */
} bnn_predict_spec;

/* Elements of outputs[0] a row; 0 when it is not real or has no row for each row of the batch. */
size_t bnn_predict_width(const bnn_program *program);

/* Mean and population standard deviation (ddof 0) over the samples of every row of x [n, ...] (and
 * y): mean and std [n, w] with w elements of outputs[0] a row, contiguous tensors of the real type;
 * std may be NULL.  A program without rows must have been recorded for all n rows.
 * ESHAPE, ETYPE, ERANGE: as bnn_objective_step; ESTOP: the context was stopped, mean and std are
 * undefined; ENOMEM. */
bnn_status bnn_predict(bnn_context *context, const bnn_predict_spec *spec, const bnn_tensor *x,
                       const bnn_tensor *y, bnn_tensor *mean, bnn_tensor *std, bnn_err *err);

#endif
