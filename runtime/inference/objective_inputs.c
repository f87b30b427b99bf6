/* objective_inputs.c - what a step is fed with: rows of a batch, and the weights of priors. */
#include <string.h>

#include "objective_inside.h"

/* ---- inputs of the program ---- */

/* Whether x is gathered whole before anything runs: integers may be positions or labels, which are
 * checked first.  Real numbers are gathered block by block. */
static bool gathers_x_first(const bnn_objective *o) {
  return o->x_node >= 0 && bnn_program_shape(o->program, o->x_node)->dtype != BNN_REAL;
}

/* All rows of one input into its buffer. */
static void gather_whole(bnn_objective *o, int node, const bnn_tensor *source,
                         const bnn_batch *batch) {
  void *buffer = bnn_frame_input_buffer(o->frame, node);
  if (buffer)
    bnn_batch_gather(buffer, bnn_program_shape(o->program, node)->dtype, source, batch, 0,
                     batch->count);
}

static bnn_status check_y(const bnn_step_work *w, bnn_err *err) {
  const bnn_objective *o = w->o;
  if (o->y_node < 0) return BNN_OK;
  const bnn_shape *s = bnn_program_shape(o->program, o->y_node);
  if (w->batch->y) return bnn_batch_check_y(w->batch, s, err);
  return bnn_fail(err, BNN_ESHAPE, "y: expected rows as in %s, got none", BNN_SHAPE(s));
}

static bnn_status check_sources(const bnn_step_work *w, bnn_err *err) {
  const bnn_objective *o = w->o;
  BNN_TRY(bnn_batch_check_rows(w->batch, err));
  size_t want = bnn_program_batch(o->program);
  if (want != w->batch->count)
    return bnn_fail(err, BNN_ESHAPE, "expected a batch of %zu rows, got %zu", want,
                    w->batch->count);
  if (o->x_node >= 0)
    BNN_TRY(bnn_batch_check(w->batch->x, bnn_program_shape(o->program, o->x_node), "x", err));
  BNN_TRY(check_y(w, err));
  if (o->weight_node < 0) return BNN_OK;
  const bnn_shape *s = bnn_program_shape(o->program, o->weight_node);
  if (w->batch->weight) return bnn_batch_check(w->batch->weight, s, "weight", err);
  return bnn_fail(err, BNN_ESHAPE, "weight: expected rows as in %s, got none", BNN_SHAPE(s));
}

/* Labels, positions and other targets are gathered first, whole, as they are checked before anything
 * runs: a step that fails so has written nothing. */
static bnn_status gather_checked(bnn_step_work *w, bnn_err *err) {
  bnn_objective *o = w->o;
  BNN_TRY(check_sources(w, err));
  if (gathers_x_first(o)) gather_whole(o, o->x_node, w->batch->x, w->batch);
  if (o->y_node >= 0) gather_whole(o, o->y_node, w->batch->y, w->batch);
  if (o->weight_node >= 0) gather_whole(o, o->weight_node, w->batch->weight, w->batch);
  size_t row = 0;
  bnn_status status = bnn_frame_verify(o->frame, &row, err);
  return status == BNN_OK ? BNN_OK : bnn_batch_fail(w->batch, row, status, err);
}

static bnn_status check_betas(const bnn_step_work *w, bnn_err *err) {
  size_t n = w->args->betas ? w->o->layout.n_params : 1;
  for (size_t i = 0; i < n; i++) {
    double beta = w->args->betas ? w->args->betas[i] : w->args->beta;
    if (!bnn_is_weight(beta))
      return bnn_fail(err, BNN_ERANGE, "beta: expected a number of 0 or more, got %g", beta);
  }
  return BNN_OK;
}

/* A KL that is one number over tensors has one beta. */
static bnn_status check_one_beta(const bnn_step_work *w, bnn_err *err) {
  const bnn_layout *layout = &w->o->layout;
  for (size_t t = 1; w->args->betas && t < layout->n_params; t++) {
    const bnn_group *q = &w->q->group[bnn_posterior_group_of(w->q, t)];
    if (!q->family->prepare || layout->param[t].offset == q->first) continue;
    if (w->args->betas[t] != w->args->betas[t - 1])
      return bnn_fail(err, BNN_ERANGE,
                      "beta: expected one number for all tensors of a %s posterior, got %g and %g",
                      q->family->name, w->args->betas[t - 1], w->args->betas[t]);
  }
  return BNN_OK;
}

/* The weights of priors that are part of the program. */
static void feed_weights(const bnn_step_work *w) {
  const bnn_objective *o = w->o;
  bnn_real *buffer =
      o->kl_weight_node >= 0 ? bnn_frame_input_buffer(o->frame, o->kl_weight_node) : NULL;
  for (size_t i = 0; buffer && i < o->n_kl_weights; i++)
    buffer[i] = (bnn_real)bnn_kl_weight(w, o->kl_weight_param[i]);
}

void bnn_step_gather_block(const bnn_step_work *w, size_t b) {
  const bnn_objective *o = w->o;
  char *buffer = w->gather && o->x_node >= 0 ? bnn_frame_input_buffer(o->frame, o->x_node) : NULL;
  if (!buffer) return;
  const bnn_shape *s = bnn_program_shape(o->program, o->x_node);
  const bnn_row_range rows = bnn_frame_block_rows(o->frame, b);
  size_t row = bnn_dtype_size(s->dtype);
  for (int k = 1; k < s->rank; k++) row *= s->dim[k];
  bnn_batch_gather(buffer + rows.from * row, s->dtype, w->batch->x, w->batch, rows.from,
                   rows.count);
}

bnn_status bnn_step_feed(bnn_step_work *w, bnn_err *err) {
  BNN_TRY(check_betas(w, err));
  BNN_TRY(check_one_beta(w, err));
  BNN_TRY(gather_checked(w, err));
  feed_weights(w);
  w->gather = !gathers_x_first(w->o);
  return BNN_OK;
}
