/* frame_mixing.c - whole nodes over threads.  Where rows of the batch meet, as in batch_norm or a mean
 * over examples, blocks of rows cannot go through a program side by side.  But most of its ops keep rows
 * apart.  Each of these runs over blocks of its rows, and the next begins when all are done:
 *
 *     forward     y[b] = f(x[b], whole inputs)                            for each block b
 *     backward    dx[b]                                                   for each block b
 *                 dw of a whole input, such as a parameter or a mean over rows:
 *                   split    some rows of it over the whole batch (op.h, backward_rows)
 *                   summed   each block into memory of its own, added in their order when all are done
 *                   at once  by one job, where it is larger than what a block computes
 *
 * An op that mixes rows may have parts of its own, such as channels (op.h, parts).  Blocks, parts and
 * ways follow from the shapes alone, so results do not depend on the number of threads. */
#include <string.h>

#include "../kernels/isa.h"
#include "frame_inside.h"

/* Elements of a sum that are added by one job; and what a node must read, write and compute before other
 * threads are called: on one thread some microseconds, a few times what the call takes. */
enum { SUM_RANGE = 4096, WORK_MIN = 1 << 15 };

/* How the gradient of an input is computed. */
typedef enum gradient_way { UNWANTED, BY_BLOCK, SPLIT, SUMMED, AT_ONCE } gradient_way;

/* A node that runs: its whole inputs, and the ways of their gradients. */
typedef struct running_node {
  const bnn_frame *f;
  const node *v;
  int i, input; /* input: whose sums are added */
  const bnn_tensor *x[BNN_ARITY_MAX];
  gradient_way way[BNN_ARITY_MAX];
  size_t sum_at[BNN_ARITY_MAX], sums; /* where its sum begins in a block's reals, and these */
} running_node;

static running_node node_of(const bnn_frame *f, size_t i) {
  running_node w;
  w.f = f;
  w.v = &f->p->nodes[i];
  w.i = (int)i;
  w.sums = 0;
  gather_whole(f, w.v, w.x);
  return w;
}

static int input_of(const running_node *w, int k) { return node_inputs(w->f->p, w->v)[k]; }

static const node *input_node(const running_node *w, int k) {
  return &w->f->p->nodes[input_of(w, k)];
}

static size_t parts_of(const running_node *w) {
  return w->v->op->parts ? w->v->op->parts(w->x, &w->v->attr) : 0;
}

static bool runs_in_blocks(const running_node *w) { return w->v->by_rows && w->f->n_blocks > 1; }

/* Elements that a node reads and writes; of a product's multiply-adds eight take as long as one. */
static double work_of(const running_node *w) {
  bnn_shape x[BNN_ARITY_MAX];
  double work = (double)node_size(w->v);
  for (int k = 0; k < w->v->n_in; k++) {
    x[k] = input_node(w, k)->shape;
    work += (double)w->x[k]->size;
  }
  return w->v->op->multiply_adds ? work + w->v->op->multiply_adds(&w->v->shape, x) / 8 : work;
}

static void run(bnn_context *context, bnn_job *job, running_node *w, size_t count) {
  if (context && work_of(w) >= WORK_MIN) {
    bnn_context_run(context, job, w, count);
    return;
  }
  for (size_t i = 0; i < count; i++) job(w, i);
}

/* ---- forward ---- */

static void forward_block(void *data, size_t b) {
  const running_node *w = data;
  const bnn_tensor *x[BNN_ARITY_MAX];
  gather_inputs(w->f, w->v, b, x);
  w->v->op->forward(rows_header(w->f, w->f->value_rows, b, w->i), x, w->v->n_in, &w->v->attr);
}

static void forward_part(void *data, size_t part) {
  const running_node *w = data;
  w->v->op->forward_part(&w->f->value[w->i], w->x, &w->v->attr, part);
}

void bnn_frame_forward_node(bnn_frame *f, size_t i, bnn_context *context) {
  running_node w = node_of(f, i);
  const bnn_op *op = w.v->op;
  if (runs_in_blocks(&w))
    run(context, forward_block, &w, f->n_blocks);
  else if (parts_of(&w) > 0)
    run(context, forward_part, &w, parts_of(&w));
  else
    op->forward(&f->value[i], w.x, w.v->n_in, &w.v->attr);
}

/* ---- the ways of gradients ---- */

/* Whether each block may sum the gradient of input k: it is less than what a block computes, and there is
 * room. */
static bool can_sum(const running_node *w, size_t size) {
  const size_t line = job_stride(size), left = SUMS_MAX / sizeof(bnn_real) / w->f->n_blocks;
  return node_size(w->v) / w->f->n_blocks >= size && w->sums <= left && line <= left - w->sums;
}

static gradient_way way_of(const running_node *w, int k) {
  const node *u = input_node(w, k);
  const bnn_op *op = w->v->op;
  if (!u->grad) return UNWANTED;
  if (u->batched) return BY_BLOCK;
  if (op->can_split && op->can_split(k) && u->shape.rank > 0) return SPLIT;
  return can_sum(w, node_size(u)) ? SUMMED : AT_ONCE;
}

static void find_ways(running_node *w) {
  for (int k = 0; k < w->v->n_in; k++) {
    w->way[k] = way_of(w, k);
    w->sum_at[k] = w->sums;
    if (w->way[k] == SUMMED) w->sums += job_stride(node_size(input_node(w, k)));
  }
}

/* Whether jobs may run at the same time: no two gradients are the same memory, but for the same rows. */
static bool are_apart(const running_node *w) {
  for (int k = 0; k < w->v->n_in; k++)
    for (int j = 0; w->way[k] != UNWANTED && j < k; j++) {
      const bool rows = w->way[k] == BY_BLOCK && w->way[j] == BY_BLOCK;
      if (w->way[j] != UNWANTED && !rows && input_node(w, k)->root == input_node(w, j)->root)
        return false;
    }
  return true;
}

size_t bnn_frame_mixing_bytes(const bnn_frame *f, size_t i) {
  running_node w = {.f = f, .v = &f->p->nodes[i], .i = (int)i};
  if (!w.v->grad || !node_computes(w.v) || !runs_in_blocks(&w)) return 0;
  find_ways(&w);
  return w.sums * f->n_blocks * sizeof(bnn_real);
}

/* ---- backward ---- */

static bnn_real *sums_of_block(const running_node *w, size_t b) {
  return (bnn_real *)(void *)(w->f->arena + w->f->mixing_at) + b * w->sums;
}

/* Whether the gradient of its first input is set, not added to. */
static bool sets_first(const running_node *w) {
  return w->v->n_in > 0 && w->f->setter[input_node(w, 0)->root] == w->i;
}

/* The gradients of inputs that go this way, over the whole batch; UNWANTED: all of them. */
static void backward_whole(const running_node *w, gradient_way way) {
  bnn_tensor *dx[BNN_ARITY_MAX];
  for (int k = 0; k < w->v->n_in; k++) {
    const bool wanted = way == UNWANTED ? input_node(w, k)->grad : w->way[k] == way;
    dx[k] = wanted ? &w->f->grad[input_of(w, k)] : NULL;
  }
  (way == UNWANTED && sets_first(w) ? w->v->op->backward_set : w->v->op->backward)(
      dx, &w->f->grad[w->i], &w->f->value[w->i], w->x, w->v->n_in, &w->v->attr);
}

static void backward_block(const running_node *w, size_t b) {
  const bnn_frame *f = w->f;
  const bnn_tensor *x[BNN_ARITY_MAX];
  bnn_tensor *dx[BNN_ARITY_MAX], sum[BNN_ARITY_MAX];
  memset(sums_of_block(w, b), 0, w->sums * sizeof(bnn_real));
  for (int k = 0; k < w->v->n_in; k++) {
    const bnn_shape *s = &input_node(w, k)->shape;
    dx[k] = w->way[k] == BY_BLOCK ? rows_header(f, f->grad_rows, b, input_of(w, k)) : NULL;
    if (w->way[k] != SUMMED) continue;
    bnn_tensor_init(&sum[k], s->dtype, s->rank, s->dim, sums_of_block(w, b) + w->sum_at[k]);
    dx[k] = &sum[k];
  }
  gather_inputs(f, w->v, b, x);
  (sets_first(w) ? w->v->op->backward_set : w->v->op->backward)(
      dx, rows_header(f, f->grad_rows, b, w->i), rows_header(f, f->value_rows, b, w->i), x,
      w->v->n_in, &w->v->attr);
}

/* How many jobs share the gradient of input k, which is split, and one of them. */
static size_t split_jobs(const running_node *w, int k) {
  const node *u = input_node(w, k);
  const size_t rows = bnn_frame_job_rows(u);
  return u->shape.dim[0] > 0 ? (u->shape.dim[0] + rows - 1) / rows : 0;
}

static void backward_split(const running_node *w, int k, size_t job) {
  const node *u = input_node(w, k);
  const bnn_tensor *all = &w->f->grad[input_of(w, k)];
  const size_t rows = bnn_frame_job_rows(u), from = job * rows, left = all->dim[0] - from;
  size_t dim[BNN_RANK_MAX];
  bnn_tensor part;
  memcpy(dim, all->dim, sizeof dim);
  dim[0] = left < rows ? left : rows;
  bnn_tensor_init(&part, BNN_REAL, all->rank, dim,
                  bnn_tensor_real(all) + all->size / all->dim[0] * from);
  w->v->op->backward_rows(&part, k, from, true, &w->f->grad[w->i], w->x, &w->v->attr);
}

static bool goes(const running_node *w, gradient_way way) {
  for (int k = 0; k < w->v->n_in; k++)
    if (w->way[k] == way) return true;
  return false;
}

/* The longest come first: what is computed at once, what is split, and blocks. */
static void backward_job(void *data, size_t job) {
  const running_node *w = data;
  if (goes(w, AT_ONCE) && job-- == 0) {
    backward_whole(w, AT_ONCE);
    return;
  }
  for (int k = 0; k < w->v->n_in; k++) {
    const size_t n = w->way[k] == SPLIT ? split_jobs(w, k) : 0;
    if (job < n) {
      backward_split(w, k, job);
      return;
    }
    job -= n;
  }
  backward_block(w, job);
}

static size_t backward_jobs(const running_node *w) {
  size_t n = goes(w, AT_ONCE);
  for (int k = 0; k < w->v->n_in; k++) n += w->way[k] == SPLIT ? split_jobs(w, k) : 0;
  return n + (goes(w, BY_BLOCK) || goes(w, SUMMED) ? w->f->n_blocks : 0);
}

/* Adds what all blocks have summed for a range of the elements of w->input. */
static void add_sums(void *data, size_t range) {
  const running_node *w = data;
  const bnn_tensor *to = &w->f->grad[input_of(w, w->input)];
  const size_t from = range * SUM_RANGE, left = to->size - from;
  for (size_t b = 0; b < w->f->n_blocks; b++)
    bnn_isa_get()->vec->accumulate(bnn_tensor_real(to) + from,
                                   sums_of_block(w, b) + w->sum_at[w->input] + from,
                                   left < SUM_RANGE ? left : SUM_RANGE);
}

static void backward_in_blocks(running_node *w, bnn_context *context) {
  run(context, backward_job, w, backward_jobs(w));
  for (w->input = 0; w->input < w->v->n_in; w->input++)
    if (w->way[w->input] == SUMMED)
      run(context, add_sums, w, (node_size(input_node(w, w->input)) + SUM_RANGE - 1) / SUM_RANGE);
}

static void backward_part(void *data, size_t part) {
  const running_node *w = data;
  bnn_tensor *dx[BNN_ARITY_MAX];
  for (int k = 0; k < w->v->n_in; k++)
    dx[k] = w->way[k] != UNWANTED ? &w->f->grad[input_of(w, k)] : NULL;
  w->v->op->backward_part(dx, &w->f->grad[w->i], &w->f->value[w->i], w->x, &w->v->attr, part);
}

void bnn_frame_backward_node(bnn_frame *f, size_t i, bnn_context *context) {
  running_node w = node_of(f, i);
  find_ways(&w);
  const bool apart = are_apart(&w);
  if (apart && runs_in_blocks(&w))
    backward_in_blocks(&w, context);
  else if (apart && parts_of(&w) > 0)
    run(context, backward_part, &w, parts_of(&w));
  else
    backward_whole(&w, UNWANTED);
}
