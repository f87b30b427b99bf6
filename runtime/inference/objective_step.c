/* objective_step.c - one training step, from the top: see objective.h.  Each stage is a phase of
 * independent jobs, over blocks of rows or ranges of parameters, with a barrier after it. */
#include <string.h>

#include "../kernels/isa.h"
#include "objective_inside.h"

/* ---- sample ---- */

/* The noise of the weights of sample s, from 1. */
static bnn_draw draw_of(const bnn_step_work *w, int s) {
  const bool is_mirrored = w->o->antithetic && s % 2 == 0;
  const bnn_key eps = bnn_key_fold_name(w->args->key, "eps", 3);
  return (bnn_draw){bnn_key_fold(eps, is_mirrored ? s - 1 : s), is_mirrored};
}

static void feed_key(const bnn_objective *o, int node, bnn_key key) {
  uint64_t *buffer = node >= 0 ? bnn_frame_input_buffer(o->frame, node) : NULL;
  if (buffer) *buffer = key.bits;
}

/* What the program reads: what was drawn; the means of weights with spreads where they are, as nothing
 * that is computed from gradients on reads them. */
static void bind(const bnn_step_work *w) {
  const bnn_objective *o = w->o;
  bnn_frame_bind_params(o->frame, o->theta, o->grad);
  for (size_t g = 0; g < w->q->n_groups; g++) {
    const bnn_group *group = &w->q->group[g];
    if (bnn_spread_of(o, g))
      bnn_frame_bind_part(o->frame, group->first, group->end, group->buffer[0]);
  }
}

/* The weights of sample s, from 1, or their means and spreads, and the keys of the program's noise. */
static void sample(bnn_step_work *w, int s) {
  bnn_objective *o = w->o;
  w->eps = draw_of(w, s);
  bnn_estimator_draw(o->estimator, w->q, w->context, o->theta, w->eps, s);
  if (o->drawn != o->theta) bnn_posterior_draw(w->q, w->context, o->drawn, w->eps, s);
  bind(w);
  feed_key(o, o->key_node, bnn_key_fold(bnn_key_fold_name(w->args->key, "noise", 5), s));
  feed_key(o, o->eps_node, w->eps.key);
  bnn_real *sign = o->sign_node >= 0 ? bnn_frame_input_buffer(o->frame, o->sign_node) : NULL;
  if (sign) *sign = w->eps.is_mirrored ? -1 : 1;
}

/* ---- rows: forward and backward, block by block ---- */

/* Until here nothing that a step changes is written, so a request to stop may end it. */
static void rows_job(void *data, size_t b) {
  bnn_step_work *w = data;
  const bnn_stop before = bnn_context_watch(w->context);
  bnn_step_gather_block(w, b);
  bnn_frame_forward_block(w->o->frame, b);
  bnn_frame_backward_block(w->o->frame, b, w->seed);
  if (bnn_stop_end(before, BNN_OK, NULL) != BNN_OK) atomic_store(&w->is_cut, true);
}

/* Where rows meet they are gathered first. */
static void gather_job(void *data, size_t b) { bnn_step_gather_block(data, b); }

static bnn_status forward_whole(bnn_step_work *w, bnn_err *err) {
  const bnn_stop before = bnn_context_watch(w->context);
  return bnn_stop_end(before, bnn_frame_forward_whole(w->o->frame, w->context, err), err);
}

/* The loss of each example, and sums of it by the levels of their tree. */
typedef struct loss_sums {
  const bnn_frame *frame;
  const bnn_tensor *loss;
  double at[BNN_SHARD_LEVELS_MAX];
} loss_sums;

/* The examples of a shard in order; a loss that is one number has one shard. */
static void add_losses(void *data, bnn_shard_sum at) {
  loss_sums *w = data;
  const bool all = bnn_frame_shards(w->frame) == 1;
  const bnn_row_range rows =
      all ? (bnn_row_range){0, w->loss->size} : bnn_frame_shard_rows(w->frame, at.shard);
  const bnn_real *x = bnn_tensor_real(w->loss) + rows.from;
  double sum = 0;
  for (size_t i = 0; i < rows.count; i++) sum += (double)x[i];
  w->at[at.level] = sum;
}

static void add_sums(void *data, bnn_shard_sum to, bnn_shard_sum from) {
  loss_sums *w = data;
  w->at[to.level] += w->at[from.level];
}

/* The mean loss of the batch. */
static double mean_loss(const bnn_objective *o) {
  loss_sums w = {.frame = o->frame, .loss = bnn_frame_output(o->frame, o->loss_output)};
  bnn_shards_add_up(&(bnn_shard_adder){add_losses, add_sums, &w}, bnn_frame_shards(o->frame));
  return w.loss->size ? w.at[0] / (double)w.loss->size : 0;
}

/* Forward and backward of the loss, up to the parameter phase; adds this sample's share to *loss. */
static bnn_status rows(bnn_step_work *w, double *loss, bnn_err *err) {
  bnn_objective *o = w->o;
  const bool has_rows = bnn_program_has_rows(o->program, NULL);
  const size_t blocks = bnn_frame_blocks(o->frame);
  if (!has_rows) bnn_context_run(w->context, gather_job, w, blocks);
  BNN_TRY(forward_whole(w, err));
  if (has_rows) bnn_context_run(w->context, rows_job, w, blocks);
  if (atomic_load(&w->is_cut)) return bnn_fail(err, BNN_ESTOP, "within a step");
  w->gather = false;
  *loss += mean_loss(o) / o->samples;
  if (isfinite(*loss)) return BNN_OK;
  return bnn_fail(err, BNN_ENAN, "the loss is %s",
                  isnan(*loss) ? "nan"
                  : *loss > 0  ? "inf"
                               : "-inf");
}

/* ---- gradient of the weights ---- */

/* A phase in which each worker takes one parameter job after the other, with scratch of its own, which
 * stays in a cache. */
static void over_jobs(bnn_step_work *w, bnn_job *by_worker) {
  atomic_store(&w->next, 0);
  bnn_context_run(w->context, by_worker, w, (size_t)bnn_context_threads(w->context));
}

static bnn_real *scratch_of(const bnn_objective *o, size_t worker) {
  return o->scratch + worker * o->scratch_size;
}

static void gradient_job(void *data, size_t worker) {
  bnn_step_work *w = data;
  bnn_frame *frame = w->o->frame;
  const size_t n = bnn_frame_parameter_jobs(frame);
  for (size_t j; (j = atomic_fetch_add(&w->next, 1)) < n;)
    bnn_frame_run_parameter_job(frame, j, NULL, scratch_of(w->o, worker));
}

static void gradient(bnn_step_work *w) {
  over_jobs(w, gradient_job);
  bnn_frame_backward_whole(w->o->frame, w->context, w->seed);
}

/* The gradient of job j, whose elements begin at `first` of o->grad: there, or in `split`.  after: what
 * shards need. */
static const bnn_real *run_job(const bnn_objective *o, size_t j, size_t first, bnn_real *split,
                               bnn_real *after) {
  const bool splits = bnn_frame_parameter_job(o->frame, j)->mode == BNN_GRADIENT_SPLIT;
  bnn_frame_run_parameter_job(o->frame, j, splits ? split : NULL, after);
  return splits ? split : o->grad + first;
}

/* The gradients of a range and all that follows. */
static void finish_job(void *data, size_t worker) {
  bnn_step_work *w = data;
  bnn_objective *o = w->o;
  bnn_real *split = scratch_of(o, worker);
  bnn_real *after = split + bnn_estimator_parts(o->estimator) * o->split_size;
  for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < o->jobs.n;) {
    const bnn_range *r = &o->jobs.range[i];
    bnn_weight_gradient g = {.mean = run_job(o, r->job, r->span.first, split, after)};
    if (r->spread_job != NO_JOB)
      g.spread =
          run_job(o, r->spread_job, o->layout.size + r->span.first, split + o->split_size, after);
    bnn_step_finish_range(w, r, g);
  }
}

/* ---- backward, and the tree over samples ---- */

static void over_ranges(bnn_step_work *w, void (*job)(void *data, size_t i)) {
  bnn_context_run(w->context, job, w, w->o->plain.n);
}

static void backward_job(void *data, size_t i) {
  const bnn_step_work *w = data;
  const bnn_range *r = &w->o->plain.range[i];
  bnn_real *d[BNN_ARRAYS_MAX];
  bnn_step_part_of(w->o, r, w->part, d);
  for (int a = 0; w->fresh && a < bnn_group_arrays(&w->q->group[r->group]); a++)
    memset(d[a], 0, r->span.count * sizeof *d[a]);
  bnn_step_backward(w, r, bnn_gradient_of(w->o, r), d);
}

static void add_to(bnn_real *restrict d, const bnn_real *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) d[i] += x[i];
}

static void add_job(void *data, size_t i) {
  const bnn_step_work *w = data;
  const bnn_range *r = &w->o->plain.range[i];
  bnn_real *d[BNN_ARRAYS_MAX], *x[BNN_ARRAYS_MAX];
  bnn_step_part_of(w->o, r, w->part, d);
  bnn_step_part_of(w->o, r, w->below, x);
  for (int a = 0; a < bnn_group_arrays(&w->q->group[r->group]); a++)
    add_to(d[a], x[a], r->span.count);
}

/* The sum of an open subtree; the first is where all end. */
static bnn_real *level(const bnn_step_work *w, int i) {
  return i == 0 ? w->d : w->o->levels + (size_t)(i - 1) * w->o->trained;
}

/* Adds sample s of n to the tree: an odd leaf begins a sum (the first one of a pair), the next is added
 * to it, as is a last one to whatever stands to its left; then sums of equal size are added, and at the
 * end all. */
static void backward(bnn_step_work *w, int s, int n) {
  const unsigned before = (unsigned)s - 1;
  const bool is_first = before % 2 == 0 && (s < n || s == 1);
  int i = __builtin_popcount(before & ~1U) - (before % 2 == 0 && !is_first);
  w->part = level(w, i);
  w->fresh = is_first;
  over_ranges(w, backward_job);
  int closed = s == n ? i : before % 2 == 1 ? __builtin_ctz(~before) - 1 : 0;
  for (; closed > 0; closed--, i--) {
    w->part = level(w, i - 1);
    w->below = level(w, i);
    over_ranges(w, add_job);
  }
}

/* Sums that are open at once: level 0, and more from the fourth sample on. */
static int levels_of(int samples) {
  int n = 1;
  for (; samples >= 4; samples /= 2) n++;
  return n;
}

/* ---- priors whose scale is fitted ---- */

/* Tensor t, and those that share its scale. */
static void fit_job(void *data, size_t t) {
  const bnn_step_work *w = data;
  bnn_regularizer *r = &w->o->regularizers[t];
  if (!r->is_fitted || r->joins) return;
  size_t n = 1;
  while (t + n < w->o->layout.n_params && r[n].joins) n++;
  const double rms = bnn_posterior_rms(w->q, t, n);
  const double s = rms < BNN_FITTED_STD_MIN ? BNN_FITTED_STD_MIN : rms;
  for (size_t i = 0; i < n; i++) r[i].precision = 1 / (s * s);
}

static void fit_priors(bnn_step_work *w) {
  bool any = false;
  for (size_t t = 0; t < w->o->layout.n_params; t++) any |= w->o->regularizers[t].is_fitted;
  if (any) bnn_context_run(w->context, fit_job, w, w->o->layout.n_params);
}

/* ---- penalties ---- */

/* What the penalties of a family have in common over its tensors, before anything is updated. */
static void prepare(const bnn_step_work *w) {
  for (size_t g = 0; g < w->q->n_groups; g++) {
    const bnn_group *q = &w->q->group[g];
    const size_t first = bnn_layout_tensor_at(&w->o->layout, q->first);
    if (q->family->prepare && bnn_kl_weight(w, first) != 0) q->family->prepare(q, w->context);
  }
}

static void penalties_job(void *data, size_t i) {
  bnn_step_work *w = data;
  const bnn_range *r = &w->o->plain.range[i];
  bnn_real *d[BNN_ARRAYS_MAX];
  bnn_step_part_of(w->o, r, w->d, d);
  bnn_step_penalties(w, r, d);
}

/* ---- a step ---- */

/* Memory for the stages that a step has. */
static bnn_status reserve(bnn_step_work *w, bool in_jobs, bnn_err *err) {
  bnn_objective *o = w->o;
  BNN_TRY(bnn_objective_reserve_scratch(o, (size_t)bnn_context_threads(w->context), err));
  if (in_jobs) return BNN_OK;
  const size_t deeper = (size_t)levels_of(o->samples) - 1, own = w->d ? 0 : 1;
  BNN_TRY(bnn_objective_reserve_levels(o, deeper + own, err));
  if (!w->d) w->d = o->levels + deeper * o->trained;
  return BNN_OK;
}

/* A step; of one without an updater only the gradients, in w->d. */
static bnn_status run_step(bnn_step_work *w, double *loss, bnn_err *err) {
  bnn_objective *o = w->o;
  const bool in_jobs = w->updater && o->jobs.n > 0 && !bnn_updater_clips(w->updater);
  double sum = 0;
  BNN_TRY(reserve(w, in_jobs, err));
  BNN_TRY(bnn_step_feed(w, err));
  fit_priors(w);
  prepare(w);
  w->seed = (bnn_real)(1 / ((double)bnn_frame_output(o->frame, 0)->size * o->samples));
  for (int s = 1; s <= o->samples; s++) {
    if (s > 1 && bnn_context_stopped(w->context))
      return bnn_fail(err, BNN_ESTOP, "after %d of %d samples", s - 1, o->samples);
    sample(w, s);
    BNN_TRY(rows(w, &sum, err));
    bnn_step_keep_state(w, s);
    if (in_jobs) {
      over_jobs(w, finish_job);
      BNN_TRY(bnn_bad_check(&w->bad, err));
      bnn_updater_count(w->updater);
    } else {
      gradient(w);
      backward(w, s, o->samples);
    }
  }
  if (!in_jobs) {
    over_ranges(w, penalties_job);
    if (w->updater)
      BNN_TRY(bnn_posterior_update(w->q, w->context, w->updater, &w->update, w->d, err));
  }
  if (w->updater) BNN_TRY(bnn_objective_write_state(o, w->q, err));
  *loss = sum;
  return BNN_OK;
}

/* The posterior of a call, which must be what the objective was made for: its buffers, beside the
 * objective's own memory. */
static bnn_status take_posterior(bnn_objective *o, const bnn_posterior *q, bnn_err *err) {
  if (bnn_posterior_is_alike(&o->posterior, q)) {
    for (size_t g = 0; g < q->n_groups; g++)
      memcpy(o->group[g].buffer, q->group[g].buffer, sizeof q->group[g].buffer);
    return BNN_OK;
  }
  return bnn_fail(err, BNN_ESHAPE,
                  "the posterior is not of the families and tensors that the "
                  "objective was made for");
}

/* The mean weight of the KL over the elements of a rule's tensors. */
static double mean_kl_weight(const bnn_step_work *w, int rule) {
  const bnn_layout *layout = &w->o->layout;
  double sum = 0, size = 0;
  for (size_t t = 0; t < layout->n_params; t++) {
    const bool is_state = w->q->group[bnn_posterior_group_of(w->q, t)].is_state;
    if (is_state || bnn_updater_rule(w->updater, t) != rule) continue;
    sum += bnn_kl_weight(w, t) * (double)layout->param[t].size;
    size += (double)layout->param[t].size;
  }
  return size > 0 ? sum / size : 0;
}

/* What the step is for each rule: its constants, and the passes there are with each family. */
static bnn_status prepare_rules(bnn_step_work *w, bnn_err *err) {
  const bnn_updater *u = w->updater;
  for (int i = 0; i < u->n_rules; i++) w->update.kl_weight[i] = mean_kl_weight(w, i);
  bnn_updater_infos(u, &w->update, w->info);
  for (size_t g = 0; g < w->q->n_groups; g++)
    for (int i = 0; i < u->n_rules; i++)
      if (!w->info[i].backward)
        w->pass[g][i] = bnn_fused_find(w->q->group[g].family, u->state[i]->rule);
  for (int i = 0; i < u->n_rules; i++)
    if (w->info[i].backward && bnn_estimator_parts(w->o->estimator) > 1)
      return bnn_fail(err, BNN_ERANGE,
                      "%s: expected the estimator reparameterization, as these options need the "
                      "gradient of each sample, got %s",
                      u->state[i]->rule->name, bnn_estimator_name(w->o->estimator));
  return BNN_OK;
}

bnn_status bnn_objective_step(bnn_objective *o, bnn_context *context, const bnn_train_state *train,
                              const bnn_batch *batch, const bnn_step_args *args, double *loss,
                              bnn_err *err) {
  bnn_step_work w = {.o = o,
                     .context = context,
                     .q = &o->posterior,
                     .updater = train->updater,
                     .batch = batch,
                     .args = args,
                     .update = {.lr = args->lr,
                                .data_size = args->data_size,
                                .noise = args->noise,
                                .rates = args->rates,
                                .of_samples = true,
                                .key = args->key},
                     .bad = BNN_NONE_BAD};
  BNN_TRY(take_posterior(o, train->posterior, err));
  BNN_TRY(bnn_updater_begin(w.updater, w.q, &w.update, err));
  BNN_TRY(prepare_rules(&w, err));
  return run_step(&w, loss, err);
}

bnn_status bnn_objective_gradient(bnn_objective *o, bnn_context *context, const bnn_posterior *q,
                                  const bnn_batch *batch, const bnn_step_args *args, bnn_real *d,
                                  double *loss, bnn_err *err) {
  BNN_TRY(take_posterior(o, q, err));
  bnn_step_work w = {.o = o,
                     .context = context,
                     .q = &o->posterior,
                     .batch = batch,
                     .args = args,
                     .d = d,
                     .bad = BNN_NONE_BAD};
  return run_step(&w, loss, err);
}
