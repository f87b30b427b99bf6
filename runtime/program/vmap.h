/* vmap.h - a program replayed for every slice of its inputs, over the threads of a context: a
 * network under many samples of its parameters, a function of each row.
 *
 * The replays are independent, each in the order in which one alone runs: slice i of the outputs
 * is bit-identical to a single replay on slice i of the inputs, on any number of threads. */
#ifndef BNN_VMAP_H
#define BNN_VMAP_H

#include "../base/context.h"
#include "program.h"

/* An input of the program: slice i is read at data + i * step bytes, contiguous and of the input's
 * shape and dtype.  step 0: all slices read the same. */
typedef struct bnn_vmap_input {
  int node;
  const void *data;
  size_t step;
} bnn_vmap_input;

/* program: finished, without parameters (BNN_INPUT_PARAM); inputs: one for each input that it has.
 * gradient, when not NULL, belongs to wrt [n_wrt], which must be among those that the program was
 * finished with.  Slices: n, 0 allowed. */
typedef struct bnn_vmap_spec {
  bnn_program *program;
  const bnn_vmap_input *inputs;
  int n_inputs;
  size_t n;
  int n_outputs;
  const int *wrt;
  int n_wrt;
} bnn_vmap_spec;

/* output[k]: a contiguous tensor [n, shape of outputs[k]]; gradient[k]: [n, shape of wrt[k]], the
 * gradient of the sum of each slice's outputs[0]; NULL when the program has none.
 * ERANGE: the program has parameters, or positions are out of range: the message names the first
 * slice that fails.  ESTOP: the context was stopped.  ENOMEM.  On failure the
 * contents of the outputs are undefined. */
bnn_status bnn_vmap(bnn_context *context, const bnn_vmap_spec *spec, bnn_tensor *const *output,
                    bnn_tensor *const *gradient, bnn_err *err);

#endif
