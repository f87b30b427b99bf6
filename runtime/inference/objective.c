/* objective.c - making an objective: checks of its parts, and the plan of a step: how rows are cut
 * into blocks and parameters into ranges. */
#include "objective.h"

#include <math.h>
#include <string.h>

#include "../base/mem.h"
#include "objective_inside.h"

enum { BLOCK_MIN = 32, BLOCK_MAX = 128, WIDE = 1 << 16, RANGE_MAX = 8192 };

/* Rows of a block: a quarter of the batch within [32, 128], so that a few cores share a step; half
 * of it if the weights, which every block reads, are more than what a quarter's rows compute (a
 * step of 784-400-400-10: 2.95 ms instead of 3.5; but LeNet's rows are wide, and would leave the
 * caches).  Rows that are WIDE, such as sequences, fill the caches a few at a time: an eighth of
 * the batch. */
static size_t block_rows(const bnn_program *p) {
  const size_t batch = bnn_program_batch(p), quarter = (batch / 4 + 7) / 8 * 8;
  if (bnn_program_row_size(p) >= WIDE && batch < 8 * BLOCK_MAX) return (batch + 7) / 8;
  const size_t least = quarter < BLOCK_MIN ? BLOCK_MIN : quarter;
  const bool heavy = bnn_program_flat_size(p) > least * bnn_program_row_size(p);
  const size_t rows = heavy ? (batch / 2 + 7) / 8 * 8 : quarter;
  return rows < BLOCK_MIN ? BLOCK_MIN : rows > BLOCK_MAX ? BLOCK_MAX : rows;
}

/* The same for several shards of `shard` rows: blocks of a shard have about as many rows each. */
static size_t block_rows_of_shard(const bnn_program *p, size_t shard) {
  const size_t most = block_rows(p), blocks = (shard + most - 1) / most;
  return blocks ? (shard + blocks - 1) / blocks : most;
}

/* ---- ranges of the parameters ---- */

static bnn_range range_of(const bnn_objective *o, size_t first, size_t count) {
  const size_t t = bnn_layout_tensor_at(&o->layout, first);
  return (bnn_range){.span = {t, first, count}, .group = bnn_posterior_group_of(&o->posterior, t)};
}

static bnn_status allocate_ranges(bnn_ranges *out, size_t n, bnn_err *err) {
  out->range = bnn_mem_alloc(n, sizeof *out->range);
  if (!out->range) return bnn_fail(err, BNN_ENOMEM, "%zu ranges of parameters", n);
  out->n = n;
  return BNN_OK;
}

/* The parameter job of exactly these elements of the flat parameters; NO_JOB if there is none. */
static size_t find_job(const bnn_frame *frame, size_t first, size_t size) {
  for (size_t j = 0; j < bnn_frame_parameter_jobs(frame); j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(frame, j);
    if (job->first == first && job->size == size) return j;
  }
  return NO_JOB;
}

/* The range of job j, of weights or their means. */
static bnn_range range_of_job(const bnn_objective *o, size_t j) {
  const bnn_parameter_job *job = bnn_frame_parameter_job(o->frame, j);
  bnn_range r = range_of(o, job->first, job->size);
  r.job = j;
  r.spread_job = bnn_spread_of(o, r.group)
                     ? find_job(o->frame, o->layout.size + job->first, job->size)
                     : NO_JOB;
  return r;
}

/* One range for each parameter job of weights or means. */
static bnn_status ranges_of_jobs(bnn_objective *o, bnn_err *err) {
  BNN_TRY(allocate_ranges(&o->jobs, bnn_frame_parameter_jobs(o->frame), err));
  o->jobs.n = 0;
  for (size_t j = 0; j < bnn_frame_parameter_jobs(o->frame); j++)
    if (bnn_frame_parameter_job(o->frame, j)->first < o->layout.size)
      o->jobs.range[o->jobs.n++] = range_of_job(o, j);
  return BNN_OK;
}

/* Ranges of at most RANGE_MAX elements of each tensor. */
static bnn_status ranges_of_layout(bnn_objective *o, bnn_err *err) {
  size_t n = 0;
  for (size_t i = 0; i < o->layout.n_params; i++)
    n += (o->layout.param[i].size + RANGE_MAX - 1) / RANGE_MAX;
  BNN_TRY(allocate_ranges(&o->plain, n, err));
  n = 0;
  for (size_t i = 0; i < o->layout.n_params; i++) {
    const bnn_param *t = &o->layout.param[i];
    for (size_t from = 0; from < t->size; from += RANGE_MAX)
      o->plain.range[n++] =
          range_of(o, t->offset + from, t->size - from < RANGE_MAX ? t->size - from : RANGE_MAX);
  }
  return BNN_OK;
}

/* Whether the update can follow in the jobs that compute a gradient: each ends its gradient and lies
 * within one tensor of the layout, has a job of the same weights' spreads if they have some, and
 * together they cover the layout. */
static bool can_fuse(const bnn_objective *o) {
  const bnn_layout *layout = &o->layout;
  size_t covered = 0;
  for (size_t j = 0; j < bnn_frame_parameter_jobs(o->frame) && layout->n_params > 0; j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(o->frame, j);
    if (!job->final) return false;
    if (job->first >= layout->size) continue; /* of spreads: counted with their means */
    const bnn_range r = range_of_job(o, j);
    const bnn_param *t = &layout->param[r.span.tensor];
    if (job->first + job->size > t->offset + t->size) return false;
    if (bnn_spread_of(o, r.group) && r.spread_job == NO_JOB) return false;
    covered += job->size;
  }
  return covered == layout->size;
}

/* ---- buffers ---- */

/* Elements of the largest job whose gradient may go elsewhere. */
static size_t largest_split(const bnn_frame *frame) {
  size_t most = 0;
  for (size_t j = 0; j < bnn_frame_parameter_jobs(frame); j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(frame, j);
    if (job->mode == BNN_GRADIENT_SPLIT && job->size > most) most = job->size;
  }
  return (most + BNN_CHUNK - 1) / BNN_CHUNK * BNN_CHUNK;
}

bnn_status bnn_objective_reserve_scratch(bnn_objective *o, size_t n, bnn_err *err) {
  if (n <= o->n_workers) return BNN_OK;
  bnn_real *scratch = bnn_mem_alloc(n * o->scratch_size, sizeof *scratch);
  if (!scratch) return bnn_fail(err, BNN_ENOMEM, "gradients of %zu elements", n * o->scratch_size);
  bnn_mem_free(o->scratch);
  o->scratch = scratch;
  o->n_workers = n;
  return BNN_OK;
}

bnn_status bnn_objective_reserve_levels(bnn_objective *o, size_t n, bnn_err *err) {
  if (n <= o->n_levels) return BNN_OK;
  bnn_real *levels = bnn_mem_alloc(n * o->trained, sizeof *levels);
  if (!levels) return bnn_fail(err, BNN_ENOMEM, "gradients of %zu elements", n * o->trained);
  bnn_mem_free(o->levels);
  o->levels = levels;
  o->n_levels = n;
  return BNN_OK;
}

static size_t parts_of(const bnn_objective *o) { return bnn_estimator_parts(o->estimator); }

/* Whether weights are drawn for a tensor's KL: it has no closed form, and is not in the program. */
static bool draws_for_kl(const bnn_objective *o, size_t t) {
  const bnn_regularizer *r = &o->regularizers[t];
  const bnn_family *family = o->group[bnn_posterior_group_of(&o->posterior, t)].family;
  if (r->kl == 0) return false;
  return r->prior.density || (!family->kl_backward && (r->precision > 0 || r->is_fitted));
}

/* Where the weights drawn are: theta, or memory of their own for tensors that need them. */
static bnn_status allocate_drawn(bnn_objective *o, bnn_err *err) {
  bool any = false;
  o->drawn = o->theta;
  if (parts_of(o) == 1) return BNN_OK;
  for (size_t t = 0; t < o->layout.n_params; t++) any |= draws_for_kl(o, t);
  if (!any) return BNN_OK;
  o->drawn = bnn_mem_zalloc(o->layout.size, sizeof *o->drawn);
  if (o->drawn) return BNN_OK;
  return bnn_fail(err, BNN_ENOMEM, "weights of %zu parameters", o->layout.size);
}

/* The buffers; on failure bnn_objective_free takes back what was made. */
static bnn_status objective_fill(bnn_objective *o, bnn_err *err) {
  const size_t parts = parts_of(o), size = parts * o->layout.size;
  const size_t shards = (size_t)o->shards;
  const size_t shard = bnn_shards_of(bnn_program_batch(o->program), shards).size;
  const size_t rows = shards > 1 ? block_rows_of_shard(o->program, shard) : block_rows(o->program);
  BNN_TRY(bnn_frame_new_in_shards(&o->frame, o->program, rows, shards, err));
  o->theta = bnn_mem_zalloc(size, sizeof *o->theta);
  o->grad = bnn_mem_zalloc(size, sizeof *o->grad);
  if (!o->theta || !o->grad)
    return bnn_fail(err, BNN_ENOMEM, "an objective over %zu parameters", size);
  BNN_TRY(allocate_drawn(o, err));
  BNN_TRY(ranges_of_layout(o, err));
  if (o->samples == 1 && can_fuse(o)) {
    BNN_TRY(ranges_of_jobs(o, err));
    o->split_size = largest_split(o->frame);
  }
  o->scratch_size = parts * o->split_size + bnn_frame_job_scratch(o->frame);
  return bnn_objective_reserve_scratch(o, 1, err);
}

/* ---- checks ---- */

/* A tensor has one prior at most. */
static bnn_status check_prior(const bnn_objective_spec *s, size_t i, bnn_err *err) {
  const bnn_regularizer *t = &s->regularizers[i];
  if ((t->precision > 0) + (t->prior.density != NULL) + t->is_fitted > 1)
    return bnn_fail(err, BNN_ERANGE, "tensor %zu: expected one prior, got several", i + 1);
  const bnn_group *q = &s->posterior->group[bnn_posterior_group_of(s->posterior, i)];
  if (t->joins && (i == 0 || !t->is_fitted || !t[-1].is_fitted))
    return bnn_fail(err, BNN_ERANGE, "tensor %zu joins the scale of a tensor that is not fitted",
                    i + 1);
  if (t->is_fitted && !q->family->second_moment)
    return bnn_fail(err, BNN_ERANGE, "tensor %zu: a prior cannot be fitted to a %s posterior",
                    i + 1, q->family->name);
  return BNN_OK;
}

/* A KL that is one number over tensors has one weight. */
static bnn_status check_weight(const bnn_objective_spec *s, size_t i, bnn_err *err) {
  const bnn_group *q = &s->posterior->group[bnn_posterior_group_of(s->posterior, i)];
  if (!q->family->prepare || i == 0 || s->posterior->layout->param[i].offset == q->first)
    return BNN_OK;
  if (s->regularizers[i].kl == s->regularizers[i - 1].kl) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE,
                  "tensor %zu: expected the weight of the KL of the tensor before "
                  "it, as that of a %s posterior is one number",
                  i + 1, q->family->name);
}

static bnn_status check_terms(const bnn_objective_spec *s, bnn_err *err) {
  for (size_t i = 0; i < s->posterior->layout->n_params; i++) {
    const bnn_regularizer *t = &s->regularizers[i];
    if (!bnn_is_weight(t->kl) || !bnn_is_weight(t->precision) || !bnn_is_weight(t->decay))
      return bnn_fail(
          err, BNN_ERANGE,
          "tensor %zu: expected numbers of 0 or more, got kl %g, precision %g, decay %g", i + 1,
          t->kl, t->precision, t->decay);
    BNN_TRY(check_prior(s, i, err));
    BNN_TRY(check_weight(s, i, err));
  }
  for (size_t i = 0; i < s->n_kl_weights; i++)
    if (s->kl_weight_param[i] >= s->posterior->layout->n_params)
      return bnn_fail(err, BNN_ERANGE, "a weight of tensor %zu of %zu", s->kl_weight_param[i] + 1,
                      s->posterior->layout->n_params);
  return BNN_OK;
}

/* Whether samples can come in pairs. */
static bnn_status check_pairs(const bnn_objective_spec *s, bnn_err *err) {
  if (s->samples % 2 != 0)
    return bnn_fail(err, BNN_ERANGE, "antithetic: expected an even number of samples, got %d",
                    s->samples);
  if (bnn_posterior_support(s->posterior) == 0) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "antithetic: expected a posterior that draws noise");
}

static bnn_status check_estimator(const bnn_objective_spec *s, bnn_err *err) {
  if ((int)s->estimator < 0 || s->estimator >= BNN_ESTIMATOR_COUNT)
    return bnn_fail(err, BNN_ERANGE, "no estimator has number %d", (int)s->estimator);
  for (size_t g = 0; g < s->posterior->n_groups; g++)
    if (!bnn_estimator_suits(s->estimator, s->posterior->group[g].family))
      return bnn_fail(err, BNN_ERANGE, "%s does not suit a %s posterior",
                      bnn_estimator_name(s->estimator), s->posterior->group[g].family->name);
  return BNN_OK;
}

static int eps_node_of(const bnn_objective_spec *s) {
  return bnn_estimator_parts(s->estimator) == 1 ? -1 : s->eps_node;
}

static int sign_node_of(const bnn_objective_spec *s) {
  return bnn_estimator_parts(s->estimator) == 1 ? -1 : s->sign_node;
}

static bnn_status check_spec(const bnn_objective_spec *s, bnn_err *err) {
  if (s->samples < 1)
    return bnn_fail(err, BNN_ERANGE, "samples: expected 1 or more, got %d", s->samples);
  if (s->shards < 1)
    return bnn_fail(err, BNN_ERANGE, "shards: expected 1 or more, got %d", s->shards);
  if (s->posterior->n_groups > BNN_GROUPS_MAX)
    return bnn_fail(err, BNN_ERANGE, "expected at most %d groups, got %zu", BNN_GROUPS_MAX,
                    s->posterior->n_groups);
  BNN_TRY(bnn_posterior_check(s->posterior, err));
  if (!bnn_posterior_is_trainable(s->posterior))
    return bnn_fail(err, BNN_ERANGE, "expected a posterior that can be trained");
  if (s->antithetic) BNN_TRY(check_pairs(s, err));
  BNN_TRY(check_estimator(s, err));
  const size_t flat = bnn_estimator_parts(s->estimator) * s->posterior->layout->size;
  if (bnn_program_flat_size(s->program) > flat)
    return bnn_fail(err, BNN_ESHAPE, "the program has %zu parameters, the layout %zu",
                    bnn_program_flat_size(s->program), flat);
  if (!bnn_program_has_gradient(s->program))
    return bnn_fail(err, BNN_ERANGE, "the program was finished without a gradient");
  if (s->loss_output < 0 || s->loss_output >= bnn_program_outputs(s->program))
    return bnn_fail(err, BNN_ERANGE, "the loss is output %d of %d", s->loss_output + 1,
                    bnn_program_outputs(s->program));
  BNN_TRY(check_terms(s, err));
  BNN_TRY(bnn_program_check_weights(s->program, s->kl_weight_node, s->n_kl_weights, err));
  BNN_TRY(bnn_program_check_key(s->program, eps_node_of(s), err));
  BNN_TRY(bnn_program_check_weights(s->program, sign_node_of(s), sign_node_of(s) >= 0, err));
  BNN_TRY(bnn_feeds_check(&s->feeds, s->program, err));
  return bnn_program_check_key(s->program, s->key_node, err);
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

/* ---- making ---- */

/* Memory of a family that prepares its gradients. */
static bnn_status allocate_scratch(bnn_group *q, bnn_err *err) {
  if (!q->family->prepare) return BNN_OK;
  const size_t n = q->family->scratch(q);
  q->scratch = bnn_mem_alloc(n, sizeof *q->scratch);
  return q->scratch ? BNN_OK : bnn_fail(err, BNN_ENOMEM, "%zu numbers of a step", n);
}

/* The families and layout of the posterior, copied. */
static bnn_status copy_posterior(bnn_objective *o, const bnn_posterior *q, bnn_err *err) {
  const size_t n = q->layout->n_params;
  o->layout = *q->layout;
  o->layout.param = bnn_mem_alloc(n, sizeof *o->layout.param);
  o->group = bnn_mem_zalloc(q->n_groups, sizeof *o->group);
  if (!o->layout.param || !o->group) return bnn_fail(err, BNN_ENOMEM, "a layout of %zu tensors", n);
  memcpy(o->layout.param, q->layout->param, n * sizeof *o->layout.param);
  o->posterior = (bnn_posterior){.layout = &o->layout, .n_groups = q->n_groups, .group = o->group};
  for (size_t g = 0; g < q->n_groups; g++) {
    o->group[g] = (bnn_group){.family = q->group[g].family,
                              .layout = &o->layout,
                              .first = q->group[g].first,
                              .end = q->group[g].end,
                              .rows = q->group[g].rows,
                              .is_state = q->group[g].is_state};
    for (int a = 0; a < bnn_group_arrays(&o->group[g]); a++)
      o->place[g][a] = bnn_posterior_place(q, g, a);
    BNN_TRY(allocate_scratch(&o->group[g], err));
  }
  o->trained = bnn_posterior_trained(q);
  return BNN_OK;
}

/* Copies what the spec only lends. */
static bnn_status copy_spec(bnn_objective *o, const bnn_objective_spec *spec, bnn_err *err) {
  const size_t n = spec->posterior->layout->n_params;
  BNN_TRY(copy_posterior(o, spec->posterior, err));
  o->regularizers = bnn_mem_alloc(n, sizeof *o->regularizers);
  o->kl_weight_param = bnn_mem_alloc(spec->n_kl_weights, sizeof *o->kl_weight_param);
  if (!o->regularizers || !o->kl_weight_param)
    return bnn_fail(err, BNN_ENOMEM, "a layout of %zu tensors", n);
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
  o->feeds = spec->feeds;
  o->key_node = spec->key_node;
  o->eps_node = eps_node_of(spec);
  o->sign_node = sign_node_of(spec);
  o->estimator = spec->estimator;
  o->kl_weight_node = spec->kl_weight_node;
  o->n_kl_weights = spec->n_kl_weights;
  o->samples = spec->samples;
  o->antithetic = spec->antithetic;
  o->shards = spec->shards;
  o->loss_output = spec->loss_output;
  bnn_status status = copy_spec(o, spec, err);
  if (status == BNN_OK) status = bnn_objective_init_state(o, spec, err);
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
  bnn_objective_fini_state(o);
  for (size_t g = 0; g < o->posterior.n_groups; g++) bnn_mem_free(o->group[g].scratch);
  bnn_mem_free(o->group);
  bnn_mem_free(o->plain.range);
  bnn_mem_free(o->jobs.range);
  if (o->drawn != o->theta) bnn_mem_free(o->drawn);
  bnn_mem_free(o->theta);
  bnn_mem_free(o->grad);
  bnn_mem_free(o->levels);
  bnn_mem_free(o->scratch);
  bnn_mem_free(o);
}

size_t bnn_objective_bytes(const bnn_objective *o) {
  const size_t drawn = o->drawn != o->theta ? o->layout.size : 0;
  const size_t reals = 2 * parts_of(o) * o->layout.size + drawn + o->n_workers * o->scratch_size +
                       o->n_levels * o->trained;
  size_t doubles = o->state_size;
  for (size_t g = 0; g < o->posterior.n_groups; g++)
    if (o->group[g].scratch) doubles += o->group[g].family->scratch(&o->group[g]);
  return bnn_frame_bytes(o->frame) + reals * sizeof *o->theta + doubles * sizeof(double);
}

size_t bnn_objective_batch(const bnn_objective *o) { return bnn_program_batch(o->program); }
