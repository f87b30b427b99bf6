/* frame.c - making a frame: buffers planned once, tensor headers for every node and every block of
 * rows made once, so that a replay only calls ops. */
#include <string.h>

#include "frame_inside.h"

/* ---- parts: blocks and shards ---- */

bnn_row_range bnn_frame_block_rows(const bnn_frame *f, size_t b) {
  const bnn_row_range shard = bnn_shards_rows(&f->shards, b / f->shard_blocks);
  const size_t at = b % f->shard_blocks * f->block, left = shard.count - at;
  return (bnn_row_range){shard.from + at, left < f->block ? left : f->block};
}

static bnn_row_range rows_of_part(const bnn_frame *f, size_t part) {
  return part < f->n_blocks ? bnn_frame_block_rows(f, part)
                            : bnn_shards_rows(&f->shards, part - shard_part(f, 0));
}

/* Cuts the batch into shards, and each shard into blocks. */
static void init_parts(bnn_frame *f, size_t block, size_t shards) {
  const bnn_program *p = f->p;
  f->shards = bnn_shards_of(p->batch, p->has_rows ? shards : 1);
  const size_t size = f->shards.size, last = f->shards.count - 1;
  f->block = block && has_blocks(p) && block < size ? block : (size ? size : 1);
  f->shard_blocks = f->n_blocks = f->n_parts = 1;
  if (!has_blocks(p) || !p->batch) return;
  f->shard_blocks = (size + f->block - 1) / f->block;
  f->n_blocks =
      last * f->shard_blocks + (bnn_shards_rows(&f->shards, last).count + f->block - 1) / f->block;
  f->n_parts = f->n_blocks + (f->shard_blocks > 1 ? f->shards.count : 0);
}

/* ---- headers ---- */

/* Points node i's headers, whole and of every block, at `data`. */
static void point(bnn_frame *f, bnn_tensor *whole, bnn_tensor *rows, size_t i, void *data) {
  const node *v = &f->p->nodes[i];
  whole[i].data = data;
  if (rows == f->grad_rows && is_summed(f, i)) rows_header(f, rows, 0, (int)i)->data = data;
  if (!v->batched || !rows) return;
  size_t row = bnn_dtype_size(v->shape.dtype);
  for (int k = 1; k < v->shape.rank; k++) row *= v->shape.dim[k];
  for (size_t part = 0; part < f->n_parts; part++)
    rows_header(f, rows, part, (int)i)->data =
        data ? (char *)data + rows_of_part(f, part).from * row : NULL;
}

/* Points every node that shares the memory of `root`. */
static void point_root(bnn_frame *f, bnn_tensor *whole, bnn_tensor *rows, int root, void *data) {
  const bnn_program *p = f->p;
  for (size_t k = p->view_at[root]; k < p->view_at[root + 1]; k++)
    point(f, whole, rows, (size_t)p->views[k], data);
}

/* Headers of a summed gradient: block b > 0 has memory of its own. */
static void init_sum_headers(bnn_frame *f, size_t i) {
  const node *v = &f->p->nodes[i];
  const size_t bytes = node_bytes(&f->p->nodes[v->root]);
  for (size_t b = 0; b < f->n_blocks; b++)
    bnn_tensor_init(rows_header(f, f->grad_rows, b, (int)i), v->shape.dtype, v->shape.rank,
                    v->shape.dim, b ? f->arena + f->sum_at[i] + (b - 1) * bytes : NULL);
}

static void init_headers(bnn_frame *f, bnn_tensor *whole, bnn_tensor *rows) {
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    const bnn_shape *s = &f->p->nodes[i].shape;
    bnn_tensor_init(&whole[i], s->dtype, s->rank, s->dim, NULL);
    if (rows == f->grad_rows && is_summed(f, i)) init_sum_headers(f, i);
    if (!f->p->nodes[i].batched) continue;
    for (size_t part = 0; part < f->n_parts; part++) {
      const bnn_row_range range = rows_of_part(f, part);
      size_t dim[BNN_RANK_MAX];
      memcpy(dim, s->dim, sizeof dim);
      dim[0] = range.count;
      bnn_tensor *x = rows_header(f, rows, part, (int)i);
      bnn_tensor_init(x, s->dtype, s->rank, dim, NULL);
      x->row0 = range.from;
    }
  }
}

static void point_all(bnn_frame *f, const frame_plan *q) {
  const bnn_program *p = f->p;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (v->root != (int)i) continue;
    if (node_owns(p, i)) point_root(f, f->value, f->value_rows, (int)i, f->arena + q->value_at[i]);
    if (v->what == NODE_CONSTANT) point_root(f, f->value, f->value_rows, (int)i, v->constant->data);
    if (p->gradient && v->grad && !grad_is_flat(p, i))
      point_root(f, f->grad, f->grad_rows, (int)i, f->arena + q->grad_at[i]);
  }
}

/* ---- making ---- */

static bnn_status frame_alloc(bnn_frame *f, bnn_err *err) {
  const size_t n = f->p->n_nodes, rows = has_blocks(f->p) ? n * f->n_parts : 0;
  f->value = bnn_mem_zalloc(n, sizeof *f->value);
  f->grad = bnn_mem_zalloc(f->p->gradient ? n : 0, sizeof *f->grad);
  f->value_rows = bnn_mem_zalloc(rows, sizeof *f->value_rows);
  f->grad_rows = bnn_mem_zalloc(f->p->gradient ? rows : 0, sizeof *f->grad_rows);
  f->sum_at = bnn_mem_alloc(n, sizeof *f->sum_at);
  f->setter = bnn_mem_alloc(n, sizeof *f->setter);
  f->inplace = bnn_mem_alloc(n, sizeof *f->inplace);
  if (f->value && f->grad && f->value_rows && f->grad_rows && f->sum_at && f->setter && f->inplace)
    return BNN_OK;
  return bnn_fail(err, BNN_ENOMEM, "the buffers of a program of %zu nodes", n);
}

/* The most that a job needs for the sums of shards but the one that is its gradient; sums of blocks are
 * added where they are. */
static size_t most_job_scratch(const bnn_frame *f) {
  size_t most = 0;
  for (size_t j = 0; j < f->n_jobs; j++) {
    const size_t stride = job_stride(job_size(f, &f->jobs[j]));
    if (f->jobs[j].mode != BNN_GRADIENT_SUMMED && stride > most) most = stride;
  }
  return most * (bnn_shards_levels(f->shards.count) - 1);
}

static bnn_status frame_fill(bnn_frame *f, frame_plan *q, bnn_err *err) {
  const bool gradient = f->p->gradient;
  BNN_TRY(frame_alloc(f, err));
  bnn_frame_plan_all(f, q);
  f->bytes = q->arena.end;
  f->arena = bnn_mem_zalloc(f->bytes, 1);
  f->n_jobs = gradient ? bnn_frame_list_jobs(f, NULL) : 0;
  f->jobs = bnn_mem_alloc(f->n_jobs, sizeof *f->jobs);
  if (!f->arena || !f->jobs)
    return bnn_fail(err, BNN_ENOMEM, "the buffers of a program of %zu nodes", f->p->n_nodes);
  init_headers(f, f->value, f->value_rows);
  if (gradient) init_headers(f, f->grad, f->grad_rows);
  point_all(f, q);
  if (gradient) bnn_frame_list_jobs(f, f->jobs);
  f->job_scratch = most_job_scratch(f);
  return BNN_OK;
}

/* Whether gradients go on through whole ops after the parameter phase. */
static bool needs_backward_whole(const bnn_program *p) {
  if (!p->gradient) return false;
  if (!p->nodes[p->outputs[0]].rows) return true;
  for (size_t i = 0; i < p->n_nodes; i++)
    if (p->nodes[i].grad && !p->nodes[i].rows && node_computes(&p->nodes[i])) return true;
  return false;
}

/* Each shard is worked out by itself: no row may need another. */
static bnn_status check_shards(const bnn_program *p, size_t shards, bnn_err *err) {
  const char *mixed = NULL;
  if (shards == 1 || bnn_program_has_rows(p, &mixed)) return BNN_OK;
  if (!mixed) return bnn_fail(err, BNN_ERANGE, "%zu shards of a program without a batch", shards);
  return bnn_fail(err, BNN_ERANGE,
                  "%zu shards: %s mixes rows of the batch, each shard has only its own", shards,
                  mixed);
}

bnn_status bnn_frame_new(bnn_frame **out, bnn_program *p, size_t block, bnn_err *err) {
  return bnn_frame_new_in_shards(out, p, block, 1, err);
}

bnn_status bnn_frame_new_in_shards(bnn_frame **out, bnn_program *p, size_t block, size_t shards,
                                   bnn_err *err) {
  if (!p->finished) return bnn_fail(err, BNN_ERANGE, "a program that is not finished");
  BNN_TRY(check_shards(p, shards, err));
  bnn_frame *f = bnn_mem_zalloc(1, sizeof *f);
  if (!f) return bnn_fail(err, BNN_ENOMEM, "a frame");
  f->p = bnn_program_ref(p);
  init_parts(f, block, shards);
  f->backward_whole = needs_backward_whole(p);
  frame_plan q;
  bnn_status status = bnn_frame_plan_init(&q, p->n_nodes, err);
  if (status == BNN_OK) status = frame_fill(f, &q, err);
  bnn_frame_plan_fini(&q);
  if (status != BNN_OK) {
    bnn_frame_free(f);
    return status;
  }
  *out = f;
  return BNN_OK;
}

void bnn_frame_free(bnn_frame *f) {
  if (!f) return;
  bnn_program_unref(f->p);
  bnn_mem_free(f->value);
  bnn_mem_free(f->grad);
  bnn_mem_free(f->value_rows);
  bnn_mem_free(f->grad_rows);
  bnn_mem_free(f->sum_at);
  bnn_mem_free(f->setter);
  bnn_mem_free(f->inplace);
  bnn_mem_free(f->jobs);
  bnn_mem_free(f->arena);
  bnn_mem_free(f);
}

size_t bnn_frame_buffers(const bnn_frame *f) {
  const bnn_program *p = f->p;
  size_t n = 0;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    const int by = f->setter[i];
    n += node_owns(p, i) && !f->inplace[i];
    n += p->gradient && v->grad && v->root == (int)i && !grad_is_flat(p, i) &&
         !(by >= 0 && f->inplace[by]);
  }
  return n;
}

size_t bnn_frame_bytes(const bnn_frame *f) { return f->bytes; }
size_t bnn_frame_blocks(const bnn_frame *f) { return f->n_blocks; }
size_t bnn_frame_shards(const bnn_frame *f) { return f->shards.count; }
bnn_row_range bnn_frame_shard_rows(const bnn_frame *f, size_t r) {
  return bnn_shards_rows(&f->shards, r);
}
size_t bnn_frame_job_scratch(const bnn_frame *f) { return f->job_scratch; }
size_t bnn_frame_parameter_jobs(const bnn_frame *f) { return f->n_jobs; }
const bnn_parameter_job *bnn_frame_parameter_job(const bnn_frame *f, size_t j) {
  return &f->jobs[j];
}
bool bnn_frame_has_backward_whole(const bnn_frame *f) { return f->backward_whole; }

void bnn_frame_bind(bnn_frame *f, int i, void *data) {
  point_root(f, f->value, f->value_rows, i, data);
}

void bnn_frame_bind_params(bnn_frame *f, bnn_real *theta, bnn_real *gradient) {
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    const node *root = &f->p->nodes[f->p->nodes[i].root]; /* itself, or what it is a view of */
    if (root->what != NODE_INPUT || root->kind != BNN_INPUT_PARAM) continue;
    if (theta) point(f, f->value, f->value_rows, i, theta + root->offset);
    if (gradient && f->p->gradient) point(f, f->grad, f->grad_rows, i, gradient + root->offset);
  }
}

void bnn_frame_bind_part(bnn_frame *f, size_t from, size_t to, bnn_real *theta) {
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    const node *root = &f->p->nodes[f->p->nodes[i].root];
    if (root->what != NODE_INPUT || root->kind != BNN_INPUT_PARAM) continue;
    if (root->offset >= from && root->offset < to)
      point(f, f->value, f->value_rows, i, theta + (root->offset - from));
  }
}

void bnn_frame_set_row_offset(bnn_frame *f, size_t row0) {
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    if (!f->p->nodes[i].rows) continue;
    f->value[i].row0 = row0;
    for (size_t part = 0; part < f->n_parts; part++)
      rows_header(f, f->value_rows, part, (int)i)->row0 = row0 + rows_of_part(f, part).from;
    if (!f->p->gradient) continue;
    f->grad[i].row0 = row0;
    for (size_t part = 0; part < f->n_parts; part++)
      rows_header(f, f->grad_rows, part, (int)i)->row0 = row0 + rows_of_part(f, part).from;
  }
}

void *bnn_frame_input_buffer(bnn_frame *f, int i) { return f->value[i].data; }

const bnn_tensor *bnn_frame_output(const bnn_frame *f, int i) {
  return &f->value[f->p->outputs[i]];
}

const bnn_tensor *bnn_frame_gradient(const bnn_frame *f, int i) { return &f->grad[i]; }
