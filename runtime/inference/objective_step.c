/* objective_step.c - one training step: for each weight sample, a phase over blocks of rows (forward
 * and backward), then one over ranges of parameters (gradient and update).  A phase is a set of
 * independent jobs with a barrier after it. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "../kernels/isa.h"
#include "objective_inside.h"

/* What the jobs of a step share. */
typedef struct work {
  bnn_objective *o;
  bnn_context *context;
  const bnn_train_state *train;
  const bnn_batch *batch;
  const bnn_step_args *args;
  bool gather;             /* x is yet to be gathered */
  bnn_real seed;           /* d L / d loss_n */
  bnn_update update;       /* this step's constants */
  atomic_size_t next;      /* the parameter job that no worker has taken */
  atomic_size_t bad;       /* the first tensor whose gradient is not finite, or SIZE_MAX */
  bnn_real *dmu, *dlogvar; /* where gradients go instead of into an update */
} work;

/* The weight of tensor t's KL in this step. */
static double kl_weight(const work *w, size_t t) {
  return (w->args->betas ? w->args->betas[t] : w->args->beta) * w->o->regularizers[t].kl;
}

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

static bnn_status check_sources(const work *w, bnn_err *err) {
  const bnn_objective *o = w->o;
  BNN_TRY(bnn_batch_check_rows(w->batch, err));
  size_t want = bnn_program_batch(o->program);
  if (want != w->batch->count)
    return bnn_fail(err, BNN_ESHAPE, "expected a batch of %zu rows, got %zu", want,
                    w->batch->count);
  if (o->x_node >= 0)
    BNN_TRY(bnn_batch_check(w->batch->x, bnn_program_shape(o->program, o->x_node), "x", err));
  if (o->y_node < 0) return BNN_OK;
  const bnn_shape *s = bnn_program_shape(o->program, o->y_node);
  if (!w->batch->y)
    return bnn_fail(err, BNN_ESHAPE, "y: expected rows as in %s, got none", BNN_SHAPE(s));
  return bnn_batch_check(w->batch->y, s, "y", err);
}

/* Labels, positions and other targets are gathered first, whole, as they are checked before anything
 * runs: a step that fails so has written nothing. */
static bnn_status gather_checked(work *w, bnn_err *err) {
  bnn_objective *o = w->o;
  BNN_TRY(check_sources(w, err));
  if (gathers_x_first(o)) gather_whole(o, o->x_node, w->batch->x, w->batch);
  if (o->y_node >= 0) gather_whole(o, o->y_node, w->batch->y, w->batch);
  size_t row = 0;
  bnn_status status = bnn_frame_verify(o->frame, &row, err);
  return status == BNN_OK ? BNN_OK : bnn_batch_fail(w->batch, row, status, err);
}

static bnn_status check_betas(const work *w, bnn_err *err) {
  size_t n = w->args->betas ? w->o->layout.n_params : 1;
  for (size_t i = 0; i < n; i++) {
    double beta = w->args->betas ? w->args->betas[i] : w->args->beta;
    if (!is_weight(beta))
      return bnn_fail(err, BNN_ERANGE, "beta: expected a number of 0 or more, got %g", beta);
  }
  return BNN_OK;
}

/* The weights of priors that are part of the program. */
static void feed_weights(const work *w) {
  const bnn_objective *o = w->o;
  bnn_real *buffer =
      o->kl_weight_node >= 0 ? bnn_frame_input_buffer(o->frame, o->kl_weight_node) : NULL;
  for (size_t i = 0; buffer && i < o->n_kl_weights; i++)
    buffer[i] = (bnn_real)kl_weight(w, o->kl_weight_param[i]);
}

/* Writes the weights of sample s (from 1) to theta.  A point estimate is its own sample, except with
 * fused updates: they change one parameter while the gradient of another may still read it. */
static void draw_weights(const work *w, int s) {
  bnn_objective *o = w->o;
  bnn_key key = bnn_key_fold(bnn_key_fold_name(w->args->key, "eps", 3), s);
  bnn_real *theta = o->theta;
  if (o->n_variational)
    bnn_posterior_sample(w->context, theta, w->train->mu, w->train->logvar, key, o->n_variational,
                         o->layout.size);
  else if (o->fused)
    memcpy(theta, w->train->mu, o->layout.size * sizeof *theta);
  else
    theta = w->train->mu;
  bnn_frame_bind_params(o->frame, theta, o->grad);
  uint64_t *buffer = o->key_node >= 0 ? bnn_frame_input_buffer(o->frame, o->key_node) : NULL;
  if (buffer) *buffer = bnn_key_fold(bnn_key_fold_name(w->args->key, "noise", 5), s).bits;
}

/* ---- rows: forward and backward, block by block ---- */

/* Reads block b's rows of x into the program's input, if they have not been gathered before. */
static void gather_block(const work *w, size_t b) {
  const bnn_objective *o = w->o;
  char *buffer = w->gather && o->x_node >= 0 ? bnn_frame_input_buffer(o->frame, o->x_node) : NULL;
  if (!buffer) return;
  const bnn_shape *s = bnn_program_shape(o->program, o->x_node);
  size_t from = b * o->block, left = w->batch->count - from, row = bnn_dtype_size(s->dtype);
  for (int k = 1; k < s->rank; k++) row *= s->dim[k];
  bnn_batch_gather(buffer + from * row, s->dtype, w->batch->x, w->batch, from,
                   left < o->block ? left : o->block);
}

static void rows_job(void *data, size_t b) {
  const work *w = data;
  gather_block(w, b);
  bnn_frame_forward_block(w->o->frame, b);
  bnn_frame_backward_block(w->o->frame, b, w->seed);
}

/* The mean loss of the batch, summed in order. */
static double mean_loss(const bnn_objective *o) {
  const bnn_tensor *loss = bnn_frame_output(o->frame, o->loss_output);
  const bnn_real *x = bnn_tensor_real(loss);
  double sum = 0;
  for (size_t i = 0; i < loss->size; i++) sum += (double)x[i];
  return loss->size ? sum / (double)loss->size : 0;
}

/* Forward and backward of the loss, up to the parameter phase; adds this sample's share to *loss. */
static bnn_status run_rows(work *w, double *loss, bnn_err *err) {
  bnn_objective *o = w->o;
  const bool has_rows = bnn_program_has_rows(o->program, NULL);
  if (!has_rows) gather_block(w, 0);
  BNN_TRY(bnn_frame_forward_whole(o->frame, err));
  if (has_rows) bnn_context_run(w->context, rows_job, w, bnn_frame_blocks(o->frame));
  w->gather = false;
  *loss += mean_loss(o) / o->samples;
  if (isfinite(*loss)) return BNN_OK;
  return bnn_fail(err, BNN_ENAN, "the loss is %s",
                  isnan(*loss) ? "nan"
                  : *loss > 0  ? "inf"
                               : "-inf");
}

/* ---- updates: from the gradient of a range to its parameters ---- */

/* Gradients of L for elements [at, at + n) of tensor t, from g [n] and h = g (theta - mu). */
static void chunk_gradient(const work *w, size_t t, const bnn_real *g, size_t at, size_t n,
                           bnn_real *dmu, bnn_real *dlogvar) {
  const bnn_objective *o = w->o;
  const bnn_vec *vec = bnn_isa_get()->vec;
  bool summed = o->samples > 1;
  const bnn_real *mu = w->train->mu + at;
  if (!dlogvar) {
    bnn_real pull =
        (bnn_real)(o->regularizers[t].decay + kl_weight(w, t) * o->regularizers[t].precision);
    for (size_t i = 0; i < n; i++) dmu[i] = g[i] + pull * mu[i];
    return;
  }
  const bnn_real weight = (bnn_real)kl_weight(w, t),
                 precision = (bnn_real)o->regularizers[t].precision;
  (summed ? vec->meanfield_grad_sums
          : vec->meanfield_grad)(dmu, dlogvar, g, (summed ? o->h_sum : o->theta) + at, mu,
                                 w->train->logvar + at, weight, precision, n);
}

/* Applies the rule to n parameters; their state starts at element `slot0` of each slot. */
static void chunk_update(const work *w, bnn_real *param, const bnn_real *grad, size_t slot0,
                         size_t n) {
  bnn_optimizer_state *s = w->train->optimizer;
  bnn_real *slot[BNN_SLOTS_MAX];
  for (int k = 0; k < s->rule->n_slots; k++) slot[k] = bnn_tensor_real(s->slot[k]) + slot0;
  s->rule->update(&w->update, param, grad, slot, n);
}

/* Remembers the first tensor whose gradient is not finite, whichever job finds one first. */
static void note_bad(work *w, size_t param) {
  size_t seen = atomic_load(&w->bad);
  while (param < seen && !atomic_compare_exchange_weak(&w->bad, &seen, param)) continue;
}

/* The gradients of a range with a posterior and its update, in one pass by a rule that has one. */
static void update_meanfield(work *w, const update_range *p, const bnn_real *g) {
  const bnn_train_state *t = w->train;
  const size_t at = p->first, after = w->o->layout.size + at;
  bnn_meanfield_step s = {.mu = t->mu + at,
                          .logvar = t->logvar + at,
                          .g = g,
                          .theta = w->o->theta + at,
                          .weight = (bnn_real)kl_weight(w, p->param),
                          .precision = (bnn_real)w->o->regularizers[p->param].precision};
  for (int k = 0; k < 2 && k < t->optimizer->rule->n_slots; k++) {
    s.slot_mu[k] = bnn_tensor_real(t->optimizer->slot[k]) + at;
    s.slot_logvar[k] = bnn_tensor_real(t->optimizer->slot[k]) + after;
  }
  if (!t->optimizer->rule->update_meanfield(&w->update, &s, p->size)) note_bad(w, p->param);
}

/* The update of one range from its gradient g, chunk by chunk so that gradients stay in the
 * first-level cache. */
static void apply_update(work *w, const update_range *p, const bnn_real *g) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  bool variational = p->first < w->o->n_variational;
  if (variational && !w->dmu && w->o->samples == 1 && w->train->optimizer->rule->update_meanfield) {
    update_meanfield(w, p, g);
    return;
  }
  for (size_t from = 0; from < p->size; from += CHUNK) {
    size_t n = p->size - from < CHUNK ? p->size - from : CHUNK, at = p->first + from;
    if (w->dmu) {
      chunk_gradient(w, p->param, g + from, at, n, w->dmu + at,
                     variational ? w->dlogvar + at : NULL);
      continue;
    }
    bnn_real dmu[CHUNK], dlogvar[CHUNK];
    chunk_gradient(w, p->param, g + from, at, n, dmu, variational ? dlogvar : NULL);
    if (!vec->finite(dmu, n) || (variational && !vec->finite(dlogvar, n))) {
      note_bad(w, p->param);
      continue;
    }
    chunk_update(w, w->train->mu + at, dmu, at, n);
    if (variational) chunk_update(w, w->train->logvar + at, dlogvar, w->o->layout.size + at, n);
  }
}

static void update_job(void *data, size_t j) {
  work *w = data;
  const bnn_objective *o = w->o;
  const update_range *p = &o->ranges[j];
  apply_update(w, p, (o->samples > 1 ? o->g_sum : o->grad) + p->first);
}

/* ---- parameters: gradients, with their updates if these are fused ---- */

static void gradient_job(void *data, size_t j) {
  const work *w = data;
  bnn_frame_run_parameter_job(w->o->frame, j, NULL);
}

/* A gradient and its update, one job after the other: each gradient goes into the same scratch, which
 * stays in a cache. */
static void fused_job(void *data, size_t worker) {
  work *w = data;
  bnn_objective *o = w->o;
  bnn_real *scratch = o->scratch + worker * o->scratch_size;
  for (size_t j; (j = atomic_fetch_add(&w->next, 1)) < o->n_ranges;) {
    const bool split = bnn_frame_parameter_job(o->frame, j)->mode == BNN_GRADIENT_SPLIT;
    bnn_frame_run_parameter_job(o->frame, j, split ? scratch : NULL);
    apply_update(w, &o->ranges[j], split ? scratch : o->grad + o->ranges[j].first);
  }
}

/* Adds this sample's gradient to the sums. */
static void sum_job(void *data, size_t j) {
  const work *w = data;
  const update_range *p = &w->o->ranges[j];
  bnn_objective *o = w->o;
  bnn_isa_get()->vec->weigh_add(o->g_sum + p->first, o->h_sum + p->first, o->grad + p->first,
                                o->theta + p->first, w->train->mu + p->first, p->size);
}

/* Gradients of one sample, with their updates if these are fused. */
static void run_parameters(work *w) {
  bnn_objective *o = w->o;
  atomic_store(&w->next, 0);
  if (o->fused)
    bnn_context_run(w->context, fused_job, w, (size_t)bnn_context_threads(w->context));
  else
    bnn_context_run(w->context, gradient_job, w, bnn_frame_parameter_jobs(o->frame));
}

/* ---- a step ---- */

/* All samples: at the end the ranges, or the fused parameter jobs, have been run. */
static bnn_status run_samples(work *w, double *loss, bnn_err *err) {
  bnn_objective *o = w->o;
  const size_t size = o->layout.size;
  if (o->samples > 1) {
    memset(o->g_sum, 0, size * sizeof *o->g_sum);
    memset(o->h_sum, 0, size * sizeof *o->h_sum);
  }
  for (int s = 1; s <= o->samples; s++) {
    if (s > 1 && bnn_context_stopped(w->context))
      return bnn_fail(err, BNN_ESTOP, "after %d of %d samples", s - 1, o->samples);
    draw_weights(w, s);
    BNN_TRY(run_rows(w, loss, err));
    run_parameters(w);
    if (o->fused) return BNN_OK;
    bnn_frame_backward_whole(o->frame, w->seed);
    if (o->samples > 1) bnn_context_run(w->context, sum_job, w, o->n_ranges);
  }
  bnn_context_run(w->context, update_job, w, o->n_ranges);
  return BNN_OK;
}

/* Fills in what a step needs besides its arguments, and runs it. */
static bnn_status run_step(work *w, double *loss, bnn_err *err) {
  bnn_objective *o = w->o;
  BNN_TRY(check_betas(w, err));
  BNN_TRY(gather_checked(w, err));
  BNN_TRY(bnn_objective_reserve_scratch(o, (size_t)bnn_context_threads(w->context), err));
  feed_weights(w);
  size_t n = bnn_frame_output(o->frame, 0)->size;
  w->gather = !gathers_x_first(o);
  w->seed = (bnn_real)(1 / ((double)n * o->samples));
  double sum = 0;
  BNN_TRY(run_samples(w, &sum, err));
  size_t bad = atomic_load(&w->bad);
  if (bad < SIZE_MAX)
    return bnn_fail(err, BNN_ENAN, "the gradient of tensor %zu is not finite", bad + 1);
  *loss = sum;
  return BNN_OK;
}

bnn_status bnn_objective_step(bnn_objective *o, bnn_context *context, const bnn_train_state *train,
                              const bnn_batch *batch, const bnn_step_args *args, double *loss,
                              bnn_err *err) {
  bnn_optimizer_state *s = train->optimizer;
  size_t want = o->layout.size + o->n_variational;
  if (s->n != want)
    return bnn_fail(err, BNN_ESHAPE, "the optimizer's state: expected %zu elements, got %zu", want,
                    s->n);
  BNN_TRY(bnn_option_check(s->rule, &s->rule->option[0], args->lr, err));
  work w = {
      .o = o, .context = context, .train = train, .batch = batch, .args = args, .bad = SIZE_MAX};
  w.update = bnn_update_of(s->rule, s->option, args->lr, s->t + 1);
  BNN_TRY(run_step(&w, loss, err));
  s->t++;
  return BNN_OK;
}

bnn_status bnn_objective_gradient(bnn_objective *o, bnn_context *context,
                                  const bnn_train_state *train, const bnn_batch *batch,
                                  const bnn_step_args *args, bnn_real *dmu, bnn_real *dlogvar,
                                  double *loss, bnn_err *err) {
  work w = {
      .o = o, .context = context, .train = train, .batch = batch, .args = args, .bad = SIZE_MAX};
  w.dmu = dmu;
  w.dlogvar = dlogvar;
  return run_step(&w, loss, err);
}
