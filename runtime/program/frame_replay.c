/* frame_replay.c - running a frame, phase by phase (program.h): each phase goes over the nodes and
 * calls their ops on headers that frame.c made. */
#include <string.h>

#include "../kernels/isa.h"
#include "frame_inside.h"

/* ---- forward ---- */

/* The header of one row of a node with rows. */
static bnn_tensor row_header(const bnn_frame *f, int i, size_t row) {
  const bnn_tensor *whole = &f->value[i];
  size_t dim[BNN_RANK_MAX], size = bnn_dtype_size(whole->dtype);
  bnn_tensor x;
  memcpy(dim, whole->dim, sizeof dim);
  for (int k = 1; k < whole->rank; k++) size *= dim[k];
  dim[0] = 1;
  bnn_tensor_init(&x, whole->dtype, whole->rank, dim, (char *)whole->data + row * size);
  return x;
}

/* The first row that v's op refuses, which refuses them all together. */
static size_t first_refused_row(const bnn_frame *f, const node *v) {
  const int *in = node_inputs(f->p, v);
  bnn_tensor header[BNN_ARITY_MAX];
  const bnn_tensor *x[BNN_ARITY_MAX];
  size_t row = 0;
  for (; row + 1 < f->p->batch; row++) {
    for (int k = 0; k < v->n_in; k++) {
      const bool rows = f->p->nodes[in[k]].rows;
      if (rows) header[k] = row_header(f, in[k], row);
      x[k] = rows ? &header[k] : &f->value[in[k]];
    }
    if (v->op->verify(x, v->n_in, &v->attr, NULL) != BNN_OK) break;
  }
  return row;
}

bnn_status bnn_frame_verify(bnn_frame *f, size_t *row, bnn_err *err) {
  const bnn_tensor *x[BNN_ARITY_MAX];
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    const node *v = &f->p->nodes[i];
    if (!v->live || !v->rows || v->what != NODE_OP || !v->op->verify) continue;
    gather_whole(f, v, x);
    const bnn_status status = v->op->verify(x, v->n_in, &v->attr, err);
    if (status == BNN_OK) continue;
    if (row) *row = first_refused_row(f, v);
    return status;
  }
  return BNN_OK;
}

bnn_status bnn_frame_forward_whole(bnn_frame *f, bnn_context *context, bnn_err *err) {
  const bnn_tensor *x[BNN_ARITY_MAX];
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    const node *v = &f->p->nodes[i];
    if (!v->live || v->rows || !node_computes(v)) continue;
    gather_whole(f, v, x);
    if (v->op->verify) BNN_TRY(v->op->verify(x, v->n_in, &v->attr, err));
    bnn_frame_forward_node(f, i, context);
  }
  return BNN_OK;
}

void bnn_frame_forward_block(bnn_frame *f, size_t b) {
  const bnn_tensor *x[BNN_ARITY_MAX];
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    const node *v = &f->p->nodes[i];
    if (!v->live || !v->rows || !node_computes(v)) continue;
    gather_inputs(f, v, b, x);
    v->op->forward(rows_header(f, f->value_rows, b, (int)i), x, v->n_in, &v->attr);
  }
}

/* ---- backward ---- */

static void zero(bnn_tensor *x) { memset(x->data, 0, x->size * sizeof(bnn_real)); }

static void add_seed(bnn_tensor *x, bnn_real seed) {
  bnn_real *at = bnn_tensor_real(x);
  for (size_t i = 0; i < x->size; i++) at[i] += seed;
}

void bnn_frame_backward_block(bnn_frame *f, size_t b, bnn_real seed) {
  const bnn_program *p = f->p;
  const bnn_tensor *x[BNN_ARITY_MAX];
  for (size_t i = 0; i < p->n_nodes; i++)
    if ((p->nodes[i].rows || is_summed(f, i)) && p->nodes[i].grad && p->nodes[i].root == (int)i &&
        f->setter[i] < 0)
      zero(rows_header(f, f->grad_rows, b, (int)i));
  const node *out = &p->nodes[p->outputs[0]];
  if (out->rows && out->grad) add_seed(rows_header(f, f->grad_rows, b, p->outputs[0]), seed);
  for (size_t i = p->n_nodes; i-- > 0;) {
    const node *v = &p->nodes[i];
    if (!v->rows || !v->grad || !node_computes(v)) continue;
    bnn_tensor *dx[BNN_ARITY_MAX];
    bool any = false;
    for (int k = 0; k < v->n_in; k++) {
      int in = node_inputs(p, v)[k];
      bool wanted = p->nodes[in].grad && (p->nodes[in].rows || is_summed(f, (size_t)in));
      dx[k] = wanted ? rows_header(f, f->grad_rows, b, in) : NULL;
      any = any || wanted;
    }
    if (!any) continue;
    gather_inputs(f, v, b, x);
    const bool sets = v->n_in > 0 && f->setter[p->nodes[node_inputs(p, v)[0]].root] == (int)i;
    (sets ? v->op->backward_set : v->op->backward)(dx, rows_header(f, f->grad_rows, b, (int)i),
                                                   rows_header(f, f->value_rows, b, (int)i), x,
                                                   v->n_in, &v->attr);
  }
}

/* A header at `out` of the job's part of the gradient of node `of`. */
static bnn_tensor part_of_gradient(const bnn_frame *f, const bnn_parameter_job *j, int of,
                                   bnn_real *out) {
  const bnn_tensor *whole = &f->grad[of];
  size_t dim[BNN_RANK_MAX];
  bnn_tensor g;
  memcpy(dim, whole->dim, sizeof dim);
  if (j->mode == BNN_GRADIENT_SPLIT) dim[0] = j->count;
  bnn_tensor_init(&g, BNN_REAL, whole->rank, dim, out);
  return g;
}

/* What node i with rows adds to the gradient of job j over the rows of a shard, through its input k, in
 * `out`; `add` is false for the first contribution of a split job, which sets instead. */
static void contribute(const bnn_frame *f, const bnn_parameter_job *j, size_t shard, size_t i,
                       int k, bool add, bnn_real *out) {
  const node *v = &f->p->nodes[i];
  const size_t part = shard_part(f, shard);
  const bnn_tensor *dy = rows_header(f, f->grad_rows, part, (int)i);
  const bnn_tensor *x[BNN_ARITY_MAX];
  gather_inputs(f, v, part, x);
  bnn_tensor g = part_of_gradient(f, j, node_inputs(f->p, v)[k], out);
  if (j->mode == BNN_GRADIENT_SPLIT) {
    v->op->backward_rows(&g, k, j->from, add, dy, x, &v->attr);
    return;
  }
  bnn_tensor *dx[BNN_ARITY_MAX] = {NULL};
  dx[k] = &g;
  v->op->backward(dx, dy, rows_header(f, f->value_rows, part, (int)i), x, v->n_in, &v->attr);
}

static void add_to(bnn_real *y, const bnn_real *x, size_t n) {
  bnn_isa_get()->vec->accumulate(y, x, n);
}

/* The gradient of job j from the rows of one shard. */
static void shard_gradient(const bnn_frame *f, const bnn_parameter_job *j, size_t shard,
                           bnn_real *out) {
  const bnn_program *p = f->p;
  const reader *first = first_reader(p, (size_t)j->node);
  bool add = false;
  if (j->mode == BNN_GRADIENT_WHOLE) memset(out, 0, job_size(f, j) * sizeof *out);
  for (const reader *r = end_of_readers(p, (size_t)j->node), *all; r > first; r = all) {
    /* from the last op to the first, the inputs of one in their order */
    for (all = r; all > first && all[-1].by == r[-1].by;) all--;
    for (const reader *one = all; one < r; one++) {
      if (!p->nodes[one->by].rows) continue;
      contribute(f, j, shard, (size_t)one->by, one->k, add, out);
      add = true;
    }
  }
}

/* A job that runs: where its gradient goes, and the sums of shards beside it. */
typedef struct running_job {
  const bnn_frame *f;
  const bnn_parameter_job *j;
  size_t at, size; /* its elements of the node's */
  bnn_real *out, *scratch;
} running_job;

static bnn_real *level_of(const running_job *w, size_t level) {
  return level == 0 ? w->out : w->scratch + (level - 1) * job_stride(w->size);
}

static void make_shard(void *data, bnn_shard_sum at) {
  const running_job *w = data;
  shard_gradient(w->f, w->j, at.shard, level_of(w, at.level));
}

static void add_shards(void *data, bnn_shard_sum to, bnn_shard_sum from) {
  const running_job *w = data;
  add_to(level_of(w, to.level), level_of(w, from.level), w->size);
}

/* The job's elements of what a block has summed; the sum of the first one is where the gradient is. */
static bnn_real *block_sum(const running_job *w, size_t b) {
  return bnn_tensor_real(rows_header(w->f, w->f->grad_rows, b, w->j->node)) + w->at;
}

/* Adds the blocks of a shard to its first one, in order. */
static void add_blocks(void *data, bnn_shard_sum at) {
  const running_job *w = data;
  const size_t first = at.shard * w->f->shard_blocks, end = first + w->f->shard_blocks;
  for (size_t b = first + 1; b < end && b < w->f->n_blocks; b++)
    add_to(block_sum(w, first), block_sum(w, b), w->size);
}

static void add_first_blocks(void *data, bnn_shard_sum to, bnn_shard_sum from) {
  const running_job *w = data;
  const size_t n = w->f->shard_blocks;
  add_to(block_sum(w, to.shard * n), block_sum(w, from.shard * n), w->size);
}

/* All shards at once, by the op of the one node with rows that reads the job's. */
static bool run_sharded(const running_job *w) {
  const bnn_frame *f = w->f;
  const reader *by = NULL;
  if (f->shards.count == 1 || w->j->mode != BNN_GRADIENT_SPLIT) return false;
  for (const reader *r = first_reader(f->p, (size_t)w->j->node);
       r < end_of_readers(f->p, (size_t)w->j->node); r++) {
    if (!f->p->nodes[r->by].rows) continue;
    if (by) return false;
    by = r;
  }
  const node *v = by ? &f->p->nodes[by->by] : NULL;
  if (!v || !v->op->backward_shards) return false;
  const bnn_tensor *x[BNN_ARITY_MAX];
  gather_whole(f, v, x);
  bnn_tensor g = part_of_gradient(f, w->j, w->j->node, w->out);
  return v->op->backward_shards(&g, by->k, w->j->from, &f->shards, &f->grad[by->by], x);
}

void bnn_frame_run_parameter_job(bnn_frame *f, size_t job, bnn_real *out, bnn_real *scratch) {
  const bnn_parameter_job *j = &f->jobs[job];
  running_job w = {.f = f, .j = j, .size = job_size(f, j), .scratch = scratch};
  w.at = j->from > 0 ? w.size / j->count * j->from : 0;
  w.out = out ? out : bnn_tensor_real(&f->grad[j->node]) + w.at;
  if (run_sharded(&w)) return;
  const bool summed = j->mode == BNN_GRADIENT_SUMMED;
  const bnn_shard_adder adder = {summed ? add_blocks : make_shard,
                                 summed ? add_first_blocks : add_shards, &w};
  bnn_shards_add_up(&adder, f->shards.count);
}

void bnn_frame_backward_whole(bnn_frame *f, bnn_context *context, bnn_real seed) {
  const bnn_program *p = f->p;
  const node *out = &p->nodes[p->outputs[0]];
  if (!out->rows && out->grad) add_seed(&f->grad[p->outputs[0]], seed);
  for (size_t i = p->n_nodes; i-- > 0;) {
    const node *v = &p->nodes[i];
    if (!v->rows && v->grad && node_computes(v)) bnn_frame_backward_node(f, i, context);
  }
}

bnn_status bnn_frame_replay(bnn_frame *f, bnn_real seed, bnn_err *err) {
  if (f->job_scratch > 0)
    return bnn_fail(err, BNN_ERANGE, "a replay in one call is of one shard, this has %zu",
                    f->shards.count);
  BNN_TRY(bnn_frame_verify(f, NULL, err));
  BNN_TRY(bnn_frame_forward_whole(f, NULL, err));
  for (size_t b = 0; f->p->has_rows && b < f->n_blocks; b++) bnn_frame_forward_block(f, b);
  if (!f->p->gradient) return BNN_OK;
  for (size_t b = 0; f->p->has_rows && b < f->n_blocks; b++) bnn_frame_backward_block(f, b, seed);
  for (size_t j = 0; j < f->n_jobs; j++) bnn_frame_run_parameter_job(f, j, NULL, NULL);
  bnn_frame_backward_whole(f, NULL, seed);
  return BNN_OK;
}
