/* objective_inputs.c - what a step is fed with: rows of a batch, and the weights of priors. */
#include <string.h>

#include "objective_inside.h"

/* ---- inputs of the program ---- */

/* Whether a feed is gathered block by block, as its rows are computed with: real inputs.  Labels,
 * positions and other targets are gathered first, whole, as they are checked before anything runs: a
 * step that fails so has written nothing. */
static bool goes_by_block(const bnn_objective *o, const bnn_feed *feed) {
  return feed->role == BNN_FEED_X && feed->node >= 0 &&
         bnn_program_shape(o->program, feed->node)->dtype == BNN_REAL;
}

static bnn_status check_sources(const bnn_step_work *w, bnn_err *err) {
  const bnn_objective *o = w->o;
  BNN_TRY(bnn_batch_check_rows(w->batch, &o->feeds, err));
  size_t want = bnn_program_batch(o->program);
  if (want != w->batch->count)
    return bnn_fail(err, BNN_ESHAPE, "expected a batch of %zu rows, got %zu", want,
                    w->batch->count);
  for (size_t i = 0; i < o->feeds.n; i++) {
    const bnn_feed *feed = &o->feeds.feed[i];
    if (feed->node < 0) continue;
    const bnn_shape *shape = bnn_program_shape(o->program, feed->node);
    BNN_TRY(bnn_batch_check_source(w->batch, i, shape, feed->name, err));
  }
  return BNN_OK;
}

/* All rows of source i into its input. */
static void gather_whole(const bnn_step_work *w, size_t i) {
  const bnn_objective *o = w->o;
  const int node = o->feeds.feed[i].node;
  void *buffer = node >= 0 ? bnn_frame_input_buffer(o->frame, node) : NULL;
  if (buffer)
    bnn_batch_gather(buffer, bnn_program_shape(o->program, node)->dtype, w->batch, i, 0,
                     w->batch->count);
}

static bnn_status gather_checked(bnn_step_work *w, bnn_err *err) {
  const bnn_objective *o = w->o;
  BNN_TRY(check_sources(w, err));
  for (size_t i = 0; i < o->feeds.n; i++)
    if (!goes_by_block(o, &o->feeds.feed[i])) gather_whole(w, i);
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

/* Rows of a block of source i. */
static void gather_rows(const bnn_step_work *w, size_t i, bnn_row_range rows) {
  const bnn_objective *o = w->o;
  const int node = o->feeds.feed[i].node;
  char *buffer = bnn_frame_input_buffer(o->frame, node);
  if (!buffer) return;
  const bnn_shape *s = bnn_program_shape(o->program, node);
  size_t row = bnn_dtype_size(s->dtype);
  for (int k = 1; k < s->rank; k++) row *= s->dim[k];
  bnn_batch_gather(buffer + rows.from * row, s->dtype, w->batch, i, rows.from, rows.count);
}

void bnn_step_gather_block(const bnn_step_work *w, size_t b) {
  const bnn_objective *o = w->o;
  if (!w->gather) return;
  const bnn_row_range rows = bnn_frame_block_rows(o->frame, b);
  for (size_t i = 0; i < o->feeds.n; i++)
    if (goes_by_block(o, &o->feeds.feed[i])) gather_rows(w, i, rows);
}

bnn_status bnn_step_feed(bnn_step_work *w, bnn_err *err) {
  BNN_TRY(check_betas(w, err));
  BNN_TRY(check_one_beta(w, err));
  BNN_TRY(gather_checked(w, err));
  feed_weights(w);
  w->gather = true;
  return BNN_OK;
}
