/* objective.c - a training step in phases: each is a set of independent jobs, with a barrier
 * behind. */
#include "objective.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "../base/mem.h"
#include "../kernels/isa.h"

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

enum { BLOCK_MIN = 32, BLOCK_MAX = 128, CHUNK = 256, RANGE_MAX = 8192 };

/* Rows of a block: a quarter of the batch within [32, 128], so that a few cores share a step; half
 * of it where the weights, which every block reads, are more than what a quarter's rows work out (a
 * step of 784-400-400-10: 2.95 ms instead of 3.5; but LeNet's rows are wide, and would leave the
 * caches). */
static size_t block_rows(const bnn_program *p) {
  const size_t batch = bnn_program_batch(p), quarter = (batch / 4 + 7) / 8 * 8;
  const size_t least = quarter < BLOCK_MIN ? BLOCK_MIN : quarter;
  const bool heavy = bnn_program_flat_size(p) > least * bnn_program_row_size(p);
  const size_t rows = heavy ? (batch / 2 + 7) / 8 * 8 : quarter;
  return rows < BLOCK_MIN ? BLOCK_MIN : rows > BLOCK_MAX ? BLOCK_MAX : rows;
}

/* ---- making ---- */

/* The tensor of the layout in which element `at` lies, the last one that begins there or before. */
static size_t param_at(const bnn_layout *layout, size_t at) {
  size_t i = 0, end = layout->n_params;
  while (i + 1 < end) {
    const size_t middle = i + (end - i) / 2;
    *(layout->param[middle].offset <= at ? &i : &end) = middle;
  }
  return i;
}

/* One range for each parameter job. */
static void ranges_of_jobs(bnn_objective *o) {
  for (size_t j = 0; j < o->n_ranges; j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(o->frame, j);
    o->ranges[j] = (update_range){param_at(&o->layout, job->first), job->first, job->size};
  }
}

/* Ranges of at most RANGE_MAX elements of each tensor; counts them, and writes them when there is
 * room. */
static size_t ranges_of_layout(const bnn_layout *layout, update_range *out) {
  size_t n = 0;
  for (size_t i = 0; i < layout->n_params; i++) {
    const bnn_param *t = &layout->param[i];
    for (size_t from = 0; from < t->size; from += RANGE_MAX, n++)
      if (out)
        out[n] = (update_range){i, t->offset + from,
                                t->size - from < RANGE_MAX ? t->size - from : RANGE_MAX};
  }
  return n;
}

/* Whether the update can follow in the job that computes a gradient: that job ends it, lies within
 * one tensor of the layout, and no element of the layout is in none. */
static bool can_fuse(const bnn_frame *frame, const bnn_layout *layout) {
  size_t covered = 0;
  for (size_t j = 0; j < bnn_frame_parameter_jobs(frame) && layout->n_params > 0; j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(frame, j);
    const bnn_param *t = &layout->param[param_at(layout, job->first)];
    if (!job->final || job->first + job->size > t->offset + t->size) return false;
    covered += job->size;
  }
  return covered == layout->size;
}

/* Elements of the largest job whose gradient may go elsewhere. */
static size_t largest_split(const bnn_frame *frame) {
  size_t most = 0;
  for (size_t j = 0; j < bnn_frame_parameter_jobs(frame); j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(frame, j);
    if (job->mode == BNN_GRADIENT_SPLIT && job->size > most) most = job->size;
  }
  return (most + CHUNK - 1) / CHUNK * CHUNK;
}

/* Scratch for n workers, one for each thread of a step; kept for later steps. */
static bnn_status reserve_scratch(bnn_objective *o, size_t n, bnn_err *err) {
  if (!o->fused || n <= o->n_workers) return BNN_OK;
  bnn_real *scratch = bnn_mem_alloc(n * o->scratch_size, sizeof *scratch);
  if (!scratch) return bnn_fail(err, BNN_ENOMEM, "gradients of %zu elements", n * o->scratch_size);
  bnn_mem_free(o->scratch);
  o->scratch = scratch;
  o->n_workers = n;
  return BNN_OK;
}

/* The buffers; on failure bnn_objective_free takes back what was made. */
static bnn_status objective_fill(bnn_objective *o, bnn_err *err) {
  const size_t rows = block_rows(o->program);
  BNN_TRY(bnn_frame_new(&o->frame, o->program, rows, err));
  o->block = bnn_frame_blocks(o->frame) > 1 ? rows : bnn_program_batch(o->program);
  o->fused = o->samples == 1 && can_fuse(o->frame, &o->layout);
  o->n_ranges = o->fused ? bnn_frame_parameter_jobs(o->frame) : ranges_of_layout(&o->layout, NULL);
  size_t size = o->layout.size, sums = o->samples > 1 ? size : 0;
  o->ranges = bnn_mem_alloc(o->n_ranges, sizeof *o->ranges);
  o->theta = bnn_mem_zalloc(size, sizeof *o->theta);
  o->grad = bnn_mem_zalloc(size, sizeof *o->grad);
  o->g_sum = bnn_mem_zalloc(sums, sizeof *o->g_sum);
  o->h_sum = bnn_mem_zalloc(sums, sizeof *o->h_sum);
  if (!o->ranges || !o->theta || !o->grad || !o->g_sum || !o->h_sum)
    return bnn_fail(err, BNN_ENOMEM, "an objective over %zu parameters", size);
  if (o->fused)
    ranges_of_jobs(o);
  else
    ranges_of_layout(&o->layout, o->ranges);
  o->scratch_size = o->fused ? largest_split(o->frame) : 0;
  return reserve_scratch(o, 1, err);
}

/* Whether `at` is the end of a tensor of the layout, or 0. */
static bool is_boundary(const bnn_layout *layout, size_t at) {
  for (size_t i = 0; i < layout->n_params; i++)
    if (layout->param[i].offset == at) return true;
  return at == 0 || at == layout->size;
}

static bool is_weight(double x) { return x >= 0 && !isinf(x); }

static bnn_status check_terms(const bnn_objective_spec *s, bnn_err *err) {
  for (size_t i = 0; i < s->layout->n_params; i++) {
    const bnn_regularizer *t = &s->regularizers[i];
    if (!is_weight(t->kl) || !is_weight(t->precision) || !is_weight(t->decay))
      return bnn_fail(
          err, BNN_ERANGE,
          "tensor %zu: expected numbers of 0 or more, got kl %g, precision %g, decay %g", i + 1,
          t->kl, t->precision, t->decay);
  }
  for (size_t i = 0; i < s->n_kl_weights; i++)
    if (s->kl_weight_param[i] >= s->layout->n_params)
      return bnn_fail(err, BNN_ERANGE, "a weight of tensor %zu of %zu", s->kl_weight_param[i] + 1,
                      s->layout->n_params);
  return BNN_OK;
}

static bnn_status check_spec(const bnn_objective_spec *s, bnn_err *err) {
  if (s->samples < 1)
    return bnn_fail(err, BNN_ERANGE, "samples: expected 1 or more, got %d", s->samples);
  if (!is_boundary(s->layout, s->n_variational))
    return bnn_fail(err, BNN_ESHAPE, "a posterior over %zu elements ends within a tensor",
                    s->n_variational);
  if (bnn_program_flat_size(s->program) > s->layout->size)
    return bnn_fail(err, BNN_ESHAPE, "the program has %zu parameters, the layout %zu",
                    bnn_program_flat_size(s->program), s->layout->size);
  if (!bnn_program_has_gradient(s->program))
    return bnn_fail(err, BNN_ERANGE, "the program was finished without a gradient");
  if (s->loss_output < 0 || s->loss_output >= bnn_program_outputs(s->program))
    return bnn_fail(err, BNN_ERANGE, "the loss is output %d of %d", s->loss_output + 1,
                    bnn_program_outputs(s->program));
  BNN_TRY(check_terms(s, err));
  BNN_TRY(bnn_program_check_weights(s->program, s->kl_weight_node, s->n_kl_weights, err));
  return bnn_program_check_feeds(s->program, s->x_node, s->y_node, s->key_node, err);
}

/* A loss must be one number an example, or one in all. */
static bnn_status check_loss(const bnn_program *p, int output, bnn_err *err) {
  const bnn_shape *loss = bnn_program_output_shape(p, output);
  size_t size;
  if (loss->rank == 1 && loss->dim[0] == bnn_program_batch(p)) return BNN_OK;
  bool whole = !bnn_program_has_rows(p, NULL) && bnn_shape_size(&size, loss->rank, loss->dim);
  if (whole && size == 1) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "the loss: expected one number an example, [%zu], got %s",
                  bnn_program_batch(p), BNN_SHAPE(loss));
}

/* Copies what the spec only lends. */
static bnn_status copy_spec(bnn_objective *o, const bnn_objective_spec *spec, bnn_err *err) {
  size_t n = spec->layout->n_params;
  o->layout = *spec->layout;
  o->layout.param = bnn_mem_alloc(n, sizeof *o->layout.param);
  o->regularizers = bnn_mem_alloc(n, sizeof *o->regularizers);
  o->kl_weight_param = bnn_mem_alloc(spec->n_kl_weights, sizeof *o->kl_weight_param);
  if (!o->layout.param || !o->regularizers || !o->kl_weight_param)
    return bnn_fail(err, BNN_ENOMEM, "a layout of %zu tensors", n);
  memcpy(o->layout.param, spec->layout->param, n * sizeof *o->layout.param);
  memcpy(o->regularizers, spec->regularizers, n * sizeof *o->regularizers);
  if (spec->n_kl_weights)
    memcpy(o->kl_weight_param, spec->kl_weight_param,
           spec->n_kl_weights * sizeof *o->kl_weight_param);
  return BNN_OK;
}

bnn_status bnn_objective_new(bnn_objective **out, const bnn_objective_spec *spec, bnn_err *err) {
  BNN_TRY(check_spec(spec, err));
  bnn_objective *o = bnn_mem_zalloc(1, sizeof *o);
  if (!o) return bnn_fail(err, BNN_ENOMEM, "an objective");
  o->program = bnn_program_ref(spec->program);
  o->x_node = spec->x_node;
  o->y_node = spec->y_node;
  o->key_node = spec->key_node;
  o->kl_weight_node = spec->kl_weight_node;
  o->n_variational = spec->n_variational;
  o->n_kl_weights = spec->n_kl_weights;
  o->samples = spec->samples;
  o->loss_output = spec->loss_output;
  bnn_status status = copy_spec(o, spec, err);
  if (status == BNN_OK) status = check_loss(o->program, 0, err);
  if (status == BNN_OK) status = check_loss(o->program, o->loss_output, err);
  if (status == BNN_OK) status = objective_fill(o, err);
  if (status != BNN_OK) {
    bnn_objective_free(o);
    return status;
  }
  *out = o;
  return BNN_OK;
}

void bnn_objective_free(bnn_objective *o) {
  if (!o) return;
  bnn_frame_free(o->frame);
  bnn_program_unref(o->program);
  bnn_layout_fini(&o->layout);
  bnn_mem_free(o->regularizers);
  bnn_mem_free(o->kl_weight_param);
  bnn_mem_free(o->ranges);
  bnn_mem_free(o->theta);
  bnn_mem_free(o->grad);
  bnn_mem_free(o->g_sum);
  bnn_mem_free(o->h_sum);
  bnn_mem_free(o->scratch);
  bnn_mem_free(o);
}

size_t bnn_objective_bytes(const bnn_objective *o) {
  size_t sums = o->samples > 1 ? 4 : 2;
  return bnn_frame_bytes(o->frame) +
         (sums * o->layout.size + o->n_workers * o->scratch_size) * sizeof *o->theta;
}

size_t bnn_objective_batch(const bnn_objective *o) { return bnn_program_batch(o->program); }

/* ---- a step ---- */

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

/* Reads rows of the batch into their buffer, then forward and backward for one block. */
static void rows_job(void *data, size_t b) {
  work *w = data;
  bnn_objective *o = w->o;
  bnn_real *buffer =
      w->gather && o->x_node >= 0 ? bnn_frame_input_buffer(o->frame, o->x_node) : NULL;
  if (buffer) {
    const bnn_shape *s = bnn_program_shape(o->program, o->x_node);
    size_t from = b * o->block, left = w->batch->count - from, row = 1;
    for (int k = 1; k < s->rank; k++) row *= s->dim[k];
    char *at = (char *)buffer + from * row * bnn_dtype_size(s->dtype);
    bnn_batch_gather(at, s->dtype, w->batch->x, w->batch, from, left < o->block ? left : o->block);
  }
  if (!bnn_program_has_rows(o->program, NULL)) return;
  bnn_frame_forward_block(o->frame, b);
}

static void backward_job(void *data, size_t b) {
  const work *w = data;
  rows_job(data, b);
  bnn_frame_backward_block(w->o->frame, b, w->seed);
}

/* The weight of tensor t's KL in this step. */
static double kl_weight(const work *w, size_t t) {
  return (w->args->betas ? w->args->betas[t] : w->args->beta) * w->o->regularizers[t].kl;
}

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

/* Applies the rule to elements [at, at + n) of w; their state starts at `slot0`. */
static void chunk_update(const work *w, bnn_real *param, const bnn_real *grad, size_t slot0,
                         size_t n) {
  bnn_optimizer_state *s = w->train->optimizer;
  bnn_real *slot[BNN_SLOTS_MAX];
  for (int k = 0; k < s->rule->n_slots; k++) slot[k] = bnn_tensor_real(s->slot[k]) + slot0;
  s->rule->update(&w->update, param, grad, slot, n);
}

/* Remembers the first tensor whose gradient is not finite, whoever comes first. */
static void note_bad(work *w, size_t param) {
  size_t seen = atomic_load(&w->bad);
  while (param < seen && !atomic_compare_exchange_weak(&w->bad, &seen, param)) continue;
}

/* The same in one pass, by a rule that has it. */
static void update_meanfield(work *w, const update_range *p, const bnn_real *g) {
  const bnn_train_state *t = w->train;
  const size_t at = p->first, behind = w->o->layout.size + at;
  bnn_meanfield_step s = {.mu = t->mu + at,
                          .logvar = t->logvar + at,
                          .g = g,
                          .theta = w->o->theta + at,
                          .weight = (bnn_real)kl_weight(w, p->param),
                          .precision = (bnn_real)w->o->regularizers[p->param].precision};
  for (int k = 0; k < 2 && k < t->optimizer->rule->n_slots; k++) {
    s.slot_mu[k] = bnn_tensor_real(t->optimizer->slot[k]) + at;
    s.slot_logvar[k] = bnn_tensor_real(t->optimizer->slot[k]) + behind;
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

static void gradient_job(void *data, size_t j) {
  const work *w = data;
  bnn_frame_run_parameter_job(w->o->frame, j, NULL);
}

/* A gradient and its update, one job after the other: the gradient of each goes into the same scratch,
 * which stays in a cache. */
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

/* The mean loss of the batch, summed in order. */
static double mean_loss(const bnn_objective *o) {
  const bnn_tensor *loss = bnn_frame_output(o->frame, o->loss_output);
  const bnn_real *x = bnn_tensor_real(loss);
  double sum = 0;
  for (size_t i = 0; i < loss->size; i++) sum += (double)x[i];
  return loss->size ? sum / (double)loss->size : 0;
}

/* Weights for sample s (from 1) go to theta.  A point estimate is its own sample, but for fused
 * updates: they change one parameter beside the gradient of another, which may read it. */
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

/* The weights of priors that are part of the program. */
static void feed_weights(const work *w) {
  const bnn_objective *o = w->o;
  bnn_real *buffer =
      o->kl_weight_node >= 0 ? bnn_frame_input_buffer(o->frame, o->kl_weight_node) : NULL;
  for (size_t i = 0; buffer && i < o->n_kl_weights; i++)
    buffer[i] = (bnn_real)kl_weight(w, o->kl_weight_param[i]);
}

/* Forward and backward of the loss for sample s, up to the parameter phase. */
static bnn_status run_rows(work *w, int s, double *loss, bnn_err *err) {
  bnn_objective *o = w->o;
  draw_weights(w, s);
  if (!bnn_program_has_rows(o->program, NULL) && w->gather) rows_job(w, 0);
  BNN_TRY(bnn_frame_forward_whole(o->frame, err));
  if (bnn_program_has_rows(o->program, NULL))
    bnn_context_run(w->context, backward_job, w, bnn_frame_blocks(o->frame));
  w->gather = false;
  *loss += mean_loss(o) / o->samples;
  if (isfinite(*loss)) return BNN_OK;
  return bnn_fail(err, BNN_ENAN, "the loss is %s",
                  isnan(*loss) ? "nan"
                  : *loss > 0  ? "inf"
                               : "-inf");
}

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
 * runs: a step that is refused has written nothing. */
static bnn_status gather_checked(work *w, bnn_err *err) {
  bnn_objective *o = w->o;
  BNN_TRY(check_sources(w, err));
  if (gathers_x_first(o)) gather_whole(o, o->x_node, w->batch->x, w->batch);
  if (o->y_node >= 0) gather_whole(o, o->y_node, w->batch->y, w->batch);
  size_t row = 0;
  bnn_status status = bnn_frame_verify(o->frame, &row, err);
  return status == BNN_OK ? BNN_OK : bnn_batch_fail(w->batch, row, status, err);
}

/* Gradients of one sample, with their updates when these are fused. */
static void run_parameters(work *w) {
  bnn_objective *o = w->o;
  atomic_store(&w->next, 0);
  if (o->fused)
    bnn_context_run(w->context, fused_job, w, (size_t)bnn_context_threads(w->context));
  else
    bnn_context_run(w->context, gradient_job, w, bnn_frame_parameter_jobs(o->frame));
}

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
    BNN_TRY(run_rows(w, s, loss, err));
    run_parameters(w);
    if (o->fused) return BNN_OK;
    bnn_frame_backward_whole(o->frame, w->seed);
    if (o->samples > 1) bnn_context_run(w->context, sum_job, w, o->n_ranges);
  }
  bnn_context_run(w->context, update_job, w, o->n_ranges);
  return BNN_OK;
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

/* Fills in what a step needs besides its arguments, and runs it. */
static bnn_status run_step(work *w, double *loss, bnn_err *err) {
  bnn_objective *o = w->o;
  BNN_TRY(check_betas(w, err));
  BNN_TRY(gather_checked(w, err));
  BNN_TRY(reserve_scratch(o, (size_t)bnn_context_threads(w->context), err));
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
