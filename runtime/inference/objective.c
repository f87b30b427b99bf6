/* objective.c - making an objective: checks of its parts, and the plan of a step: how rows are cut
 * into blocks and parameters into ranges. */
#include "objective.h"

#include <math.h>
#include <string.h>

#include "../base/mem.h"
#include "objective_inside.h"

enum { BLOCK_MIN = 32, BLOCK_MAX = 128, RANGE_MAX = 8192 };

/* Rows of a block: a quarter of the batch within [32, 128], so that a few cores share a step; half
 * of it if the weights, which every block reads, are more than what a quarter's rows compute (a
 * step of 784-400-400-10: 2.95 ms instead of 3.5; but LeNet's rows are wide, and would leave the
 * caches). */
static size_t block_rows(const bnn_program *p) {
  const size_t batch = bnn_program_batch(p), quarter = (batch / 4 + 7) / 8 * 8;
  const size_t least = quarter < BLOCK_MIN ? BLOCK_MIN : quarter;
  const bool heavy = bnn_program_flat_size(p) > least * bnn_program_row_size(p);
  const size_t rows = heavy ? (batch / 2 + 7) / 8 * 8 : quarter;
  return rows < BLOCK_MIN ? BLOCK_MIN : rows > BLOCK_MAX ? BLOCK_MAX : rows;
}

/* ---- ranges of the update ---- */

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

/* Ranges of at most RANGE_MAX elements of each tensor; counts them, and writes them to out
 * if that is not NULL. */
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

/* Whether the update can follow in the job that computes a gradient: each job ends its gradient and
 * lies within one tensor of the layout, and together they cover the layout. */
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

/* ---- buffers ---- */

/* Elements of the largest job whose gradient may go elsewhere. */
static size_t largest_split(const bnn_frame *frame) {
  size_t most = 0;
  for (size_t j = 0; j < bnn_frame_parameter_jobs(frame); j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(frame, j);
    if (job->mode == BNN_GRADIENT_SPLIT && job->size > most) most = job->size;
  }
  return (most + CHUNK - 1) / CHUNK * CHUNK;
}

bnn_status bnn_objective_reserve_scratch(bnn_objective *o, size_t n, bnn_err *err) {
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
  return bnn_objective_reserve_scratch(o, 1, err);
}

/* ---- checks ---- */

/* Whether `at` is the end of a tensor of the layout, or 0. */
static bool is_boundary(const bnn_layout *layout, size_t at) {
  for (size_t i = 0; i < layout->n_params; i++)
    if (layout->param[i].offset == at) return true;
  return at == 0 || at == layout->size;
}

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

/* ---- making ---- */

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
