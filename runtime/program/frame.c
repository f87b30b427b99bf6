/* frame.c - replaying a program: buffers planned once, tensor headers for every node and every
 * block of rows made once, so that a replay only calls ops. */
#include <string.h>

#include "../base/mem.h"
#include "arena_plan.h"
#include "program.h"
#include "program_nodes.h"

struct bnn_frame {
  bnn_program *p;
  size_t block, n_blocks;
  bnn_tensor *value, *grad;           /* [n_nodes] over the whole batch */
  bnn_tensor *value_rows, *grad_rows; /* [n_blocks, n_nodes] blocks of nodes with rows; grad_rows
                                       * also what each block adds to a summed gradient.  None
                                       * where there are no rows, no gradients */
  int *setter;   /* [n_nodes] the node whose op sets the gradient of this one, with rows, before any
                * other adds to it (op.h, backward_set); or -1 */
  bool *inplace; /* [n_nodes] whether a node's values are written over those of its input, and that
                   * one's gradient over its own (op.h, inplace) */
  size_t *sum_at; /* [n_nodes] where the arena has the blocks of a summed gradient, or NOT_SUMMED */
  bnn_parameter_job *jobs;
  size_t n_jobs;
  bool backward_whole;
  size_t bytes;
  char *arena;
};

/* The most that the blocks of summed gradients may take, in bytes. */
enum { SUMS_MAX = 16 << 20 };

static const size_t NOT_SUMMED = SIZE_MAX;

/* ---- planning ---- */

/* Places in the arena while they are found; only forward frames of one block give any back. */
typedef struct plan {
  bnn_arena_plan arena;
  size_t *last;               /* [n_nodes] run_order of the last reader of a root */
  uint32_t *value_range;      /* [n_nodes] of values that may be given back */
  size_t *value_at, *grad_at; /* [n_nodes] */
} plan;

static size_t node_bytes(const node *v) {
  size_t size = bnn_dtype_size(v->shape.dtype);
  for (int k = 0; k < v->shape.rank; k++) size *= v->shape.dim[k];
  return (size + BNN_MEM_ALIGN - 1) / BNN_MEM_ALIGN * BNN_MEM_ALIGN;
}

/* The phases of a forward pass: inputs hold their values before it, then all whole ops run, then
 * those with rows, whatever their numbers. */
typedef enum phase { PHASE_INPUTS, PHASE_WHOLE, PHASE_ROWS, PHASE_COUNT } phase;

static phase node_phase(const node *v) {
  return v->what != NODE_OP ? PHASE_INPUTS : v->rows ? PHASE_ROWS : PHASE_WHOLE;
}

/* A number that is larger for what runs later. */
static size_t run_order(const bnn_program *p, size_t i) {
  return (size_t)node_phase(&p->nodes[i]) * p->n_nodes + i;
}

/* When the memory of each root is read for the last time; outputs are read for ever. */
static void last_uses(const bnn_program *p, size_t *last) {
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    for (int k = 0; v->live && k < v->n_in; k++) {
      size_t *at = &last[p->nodes[node_inputs(p, v)[k]].root];
      if (*at < run_order(p, i)) *at = run_order(p, i);
    }
  }
  for (int i = 0; i < p->n_outputs; i++) last[p->nodes[p->outputs[i]].root] = SIZE_MAX;
}

/* Whether a node has memory in the arena: of its own, or its input's. */
static bool node_owns(const bnn_program *p, size_t i) {
  const node *v = &p->nodes[i];
  if (!v->live || v->root != (int)i || v->what == NODE_CONSTANT) return false;
  return v->what == NODE_OP || v->kind != BNN_INPUT_PARAM;
}

/* Gives back what node i is the last to read; an input keeps its buffer. */
static void plan_give_read(const bnn_program *p, plan *q, size_t i) {
  const node *v = &p->nodes[i];
  for (int k = 0; v->live && k < v->n_in; k++) {
    int r = p->nodes[node_inputs(p, v)[k]].root;
    bool again = false; /* the same root may be read twice by one node */
    for (int j = 0; j < k; j++) again = again || p->nodes[node_inputs(p, v)[j]].root == r;
    if (q->last[r] == run_order(p, i) && p->nodes[r].what == NODE_OP && !again)
      bnn_arena_plan_give(&q->arena, q->value_range[r]);
  }
}

/* Elements of a node. */
static size_t node_size(const node *v) {
  size_t size = 0;
  bnn_shape_size(&size, v->shape.rank, v->shape.dim);
  return size;
}

/* Who is the first to give a gradient of a node with rows, all of it, and can set it: the last that
 * reads the node, as backward goes from the last op to the first.  The others add. */
static void find_setters(const bnn_frame *f) {
  const bnn_program *p = f->p;
  for (size_t i = 0; i < p->n_nodes; i++) f->setter[i] = -1;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (!v->rows || !v->grad || !node_computes(v)) continue;
    for (int k = 0; k < v->n_in; k++) {
      const node *u = &p->nodes[node_inputs(p, v)[k]];
      const bool sets = k == 0 && v->op->backward_set && u->rows && u->grad;
      f->setter[u->root] = sets ? (int)i : -1;
    }
  }
}

/* Which nodes are written over their input: that is what another op works out and only this one
 * reads, whose own backward does not look at it either.  Gradients must be to be had (without them
 * memory is used again anyhow), and the input's must be set. */
static void find_inplace(const bnn_frame *f, size_t *reads) {
  const bnn_program *p = f->p;
  for (size_t i = 0; i < p->n_nodes; i++) f->inplace[i] = false, reads[i] = 0;
  for (int i = 0; i < p->n_outputs; i++)
    reads[p->nodes[p->outputs[i]].root] = 2; /* never in place */
  for (size_t i = 0; i < p->n_nodes; i++)
    for (int k = 0; p->nodes[i].live && node_computes(&p->nodes[i]) && k < p->nodes[i].n_in; k++)
      reads[p->nodes[node_inputs(p, &p->nodes[i])[k]].root]++;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (!v->rows || !v->grad || !node_computes(v) || !v->op->inplace) continue;
    const int in = node_inputs(p, v)[0];
    const node *u = &p->nodes[in];
    f->inplace[i] =
        node_computes(u) && u->op->y_unread && reads[in] == 1 && f->setter[in] == (int)i;
  }
}

/* Places of the nodes' values, in the order in which they get them.  Memory is used again once its
 * last reader has run, when nothing else (a backward pass, another block) needs it. */
static void plan_values(const bnn_frame *f, plan *q) {
  const bnn_program *p = f->p;
  bool reuse = !p->gradient && f->n_blocks == 1;
  for (int now = PHASE_INPUTS; now < PHASE_COUNT; now++)
    for (size_t i = 0; i < p->n_nodes; i++) {
      if ((int)node_phase(&p->nodes[i]) != now) continue;
      if (f->inplace[i]) {
        q->value_at[i] = q->value_at[node_inputs(p, &p->nodes[i])[0]];
      } else if (node_owns(p, i)) {
        q->value_range[i] = bnn_arena_plan_take(&q->arena, node_bytes(&p->nodes[i]));
        q->value_at[i] = bnn_arena_plan_at(&q->arena, q->value_range[i]);
      }
      if (reuse) plan_give_read(p, q, i);
    }
}

/* A place that is kept. */
static size_t plan_take(plan *q, size_t size) {
  return bnn_arena_plan_at(&q->arena, bnn_arena_plan_take(&q->arena, size));
}

/* A parameter's gradient goes to the flat buffer when the gradient is taken with respect to it. */
static bool grad_is_flat(const bnn_program *p, size_t i) {
  return p->nodes[i].what == NODE_INPUT && p->nodes[i].kind == BNN_INPUT_PARAM;
}

/* From the last node to the first: the gradient of what is written over is that of who does it. */
static void plan_gradients(const bnn_frame *f, plan *q) {
  const bnn_program *p = f->p;
  for (size_t i = p->n_nodes; i-- > 0;) {
    if (!p->nodes[i].grad || p->nodes[i].root != (int)i || grad_is_flat(p, i)) continue;
    const int by = f->setter[i];
    q->grad_at[i] =
        by >= 0 && f->inplace[by] ? q->grad_at[by] : plan_take(q, node_bytes(&p->nodes[i]));
  }
}

/* Whether each block of rows is to add up the gradient of whole node `root` by itself: no op that
 * reads it has another way, and a block's share of what they compute is larger than that node, so
 * that clearing and adding the blocks is little beside it. */
static bool is_worth_summing(const bnn_frame *f, size_t root) {
  const bnn_program *p = f->p;
  size_t read = 0;
  for (const reader *r = first_reader(p, root); r < end_of_readers(p, root); r++) {
    const node *v = &p->nodes[r->by];
    if (!v->rows) continue;
    if (v->op->can_split) return false;
    read += node_size(v) / f->n_blocks;
  }
  return read >= node_size(&p->nodes[root]) && read > 0;
}

/* Places of summed gradients, by the shapes alone: block 0 adds into the gradient itself, each of
 * the others into memory of its own. */
static void plan_sums(bnn_frame *f, plan *q) {
  const bnn_program *p = f->p;
  size_t left = SUMS_MAX;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    f->sum_at[i] = NOT_SUMMED;
    if (!p->gradient || !v->grad || v->rows || f->n_blocks < 2) continue;
    if (v->root != (int)i) {
      f->sum_at[i] = f->sum_at[v->root];
      continue;
    }
    const size_t bytes = node_bytes(v);
    if (bytes > left / (f->n_blocks - 1) || !is_worth_summing(f, i)) continue;
    left -= bytes * (f->n_blocks - 1);
    f->sum_at[i] = plan_take(q, bytes * (f->n_blocks - 1));
  }
}

static bool is_summed(const bnn_frame *f, size_t i) { return f->sum_at[i] != NOT_SUMMED; }

/* ---- headers ---- */

static bnn_tensor *rows_header(const bnn_frame *f, bnn_tensor *list, size_t b, int i) {
  return &list[b * f->p->n_nodes + (size_t)i];
}

/* Points node i's headers, whole and of every block, at `data`. */
static void point(bnn_frame *f, bnn_tensor *whole, bnn_tensor *rows, size_t i, void *data) {
  const node *v = &f->p->nodes[i];
  whole[i].data = data;
  if (rows == f->grad_rows && is_summed(f, i)) rows_header(f, rows, 0, (int)i)->data = data;
  if (!v->rows || !rows) return;
  size_t row = bnn_dtype_size(v->shape.dtype);
  for (int k = 1; k < v->shape.rank; k++) row *= v->shape.dim[k];
  for (size_t b = 0; b < f->n_blocks; b++)
    rows_header(f, rows, b, (int)i)->data = data ? (char *)data + b * f->block * row : NULL;
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
    if (!f->p->nodes[i].rows) continue;
    for (size_t b = 0; b < f->n_blocks; b++) {
      size_t dim[BNN_RANK_MAX], from = b * f->block, left = f->p->batch - from;
      memcpy(dim, s->dim, sizeof dim);
      dim[0] = left < f->block ? left : f->block;
      bnn_tensor *x = rows_header(f, rows, b, (int)i);
      bnn_tensor_init(x, s->dtype, s->rank, dim, NULL);
      x->row0 = from;
    }
  }
}

static void point_all(bnn_frame *f, const plan *q) {
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

/* ---- jobs of the parameter phase ---- */

/* Whether nodes with rows reach whole node `root` only through inputs that can be split. */
static bool can_split(const bnn_program *p, int root) {
  bool any = false;
  for (const reader *r = first_reader(p, (size_t)root); r < end_of_readers(p, (size_t)root); r++) {
    const node *v = &p->nodes[r->by];
    if (!v->rows) continue;
    if (node_inputs(p, v)[r->k] != root || !v->op->can_split || !v->op->can_split(r->k))
      return false;
    any = true;
  }
  return any;
}

/* Whether a whole op adds to the gradient of `root` later. */
static bool has_whole_reader(const bnn_program *p, int root) {
  for (const reader *r = first_reader(p, (size_t)root); r < end_of_readers(p, (size_t)root); r++)
    if (!p->nodes[r->by].rows) return true;
  return p->nodes[p->outputs[0]].root == root;
}

/* Rows of a job that is one of several: blocks of 12,800 elements or more (four of 784 x 64, which
 * two threads or four share evenly), at most some 16 blocks; from the shape only. */
static size_t job_rows(const node *v) {
  size_t n = v->shape.dim[0], width = 1;
  for (int k = 1; k < v->shape.rank; k++) width *= v->shape.dim[k];
  size_t by_size = 12800 / (width ? width : 1), by_count = (n + 15) / 16;
  size_t rows = by_size > by_count ? by_size : by_count;
  return (rows + 15) / 16 * 16;
}

/* Counts the jobs, and writes them when `jobs` is given. */
static size_t list_jobs(const bnn_frame *f, bnn_parameter_job *jobs) {
  const bnn_program *p = f->p;
  size_t n = 0;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (!v->grad || v->rows || v->root != (int)i) continue;
    bool ranked = v->shape.rank > 0, split = ranked && can_split(p, (int)i);
    size_t dim0 = ranked ? v->shape.dim[0] : 1;
    size_t step = split || (ranked && is_summed(f, i)) ? job_rows(v) : dim0;
    size_t row = dim0 ? node_size(v) / dim0 : 0, from = 0, flat = grad_is_flat(p, i);
    do {
      size_t count = dim0 - from < step ? dim0 - from : step;
      if (jobs)
        jobs[n] = (bnn_parameter_job){.node = (int)i,
                                      .from = from,
                                      .count = count,
                                      .first = flat ? v->offset + from * row : 0,
                                      .size = flat ? count * row : 0,
                                      .mode = split             ? BNN_GRADIENT_SPLIT
                                              : is_summed(f, i) ? BNN_GRADIENT_SUMMED
                                                                : BNN_GRADIENT_WHOLE,
                                      .final = flat && !has_whole_reader(p, (int)i)};
      n++;
      from += count;
    } while (from < dim0);
  }
  return n;
}

/* ---- making ---- */

static bnn_status plan_init(plan *q, size_t n, bnn_err *err) {
  *q = (plan){.last = bnn_mem_zalloc(n, sizeof *q->last)};
  BNN_TRY(bnn_arena_plan_init(&q->arena, 3 * n, err)); /* a value, a gradient and its sums each */
  q->value_range = bnn_mem_zalloc(n, sizeof *q->value_range);
  q->value_at = bnn_mem_zalloc(n, sizeof *q->value_at);
  q->grad_at = bnn_mem_zalloc(n, sizeof *q->grad_at);
  if (q->last && q->value_range && q->value_at && q->grad_at) return BNN_OK;
  return bnn_fail(err, BNN_ENOMEM, "a plan of %zu nodes", n);
}

static void plan_fini(plan *q) {
  bnn_arena_plan_fini(&q->arena);
  bnn_mem_free(q->last);
  bnn_mem_free(q->value_range);
  bnn_mem_free(q->value_at);
  bnn_mem_free(q->grad_at);
}

/* Where everything lies. */
static void plan_all(bnn_frame *f, plan *q) {
  find_setters(f);
  find_inplace(f, q->last);
  memset(q->last, 0, f->p->n_nodes * sizeof *q->last);
  last_uses(f->p, q->last);
  plan_values(f, q);
  if (f->p->gradient) plan_gradients(f, q);
  plan_sums(f, q);
}

static bnn_status frame_alloc(bnn_frame *f, bnn_err *err) {
  const size_t n = f->p->n_nodes, rows = f->p->has_rows ? n * f->n_blocks : 0;
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

static bnn_status frame_fill(bnn_frame *f, plan *q, bnn_err *err) {
  const bool gradient = f->p->gradient;
  BNN_TRY(frame_alloc(f, err));
  plan_all(f, q);
  f->bytes = q->arena.end;
  f->arena = bnn_mem_zalloc(f->bytes, 1);
  f->n_jobs = gradient ? list_jobs(f, NULL) : 0;
  f->jobs = bnn_mem_alloc(f->n_jobs, sizeof *f->jobs);
  if (!f->arena || !f->jobs)
    return bnn_fail(err, BNN_ENOMEM, "the buffers of a program of %zu nodes", f->p->n_nodes);
  init_headers(f, f->value, f->value_rows);
  if (gradient) init_headers(f, f->grad, f->grad_rows);
  point_all(f, q);
  if (gradient) list_jobs(f, f->jobs);
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

bnn_status bnn_frame_new(bnn_frame **out, bnn_program *p, size_t block, bnn_err *err) {
  if (!p->finished) return bnn_fail(err, BNN_ERANGE, "a program that is not finished");
  bnn_frame *f = bnn_mem_zalloc(1, sizeof *f);
  if (!f) return bnn_fail(err, BNN_ENOMEM, "a frame");
  f->p = bnn_program_ref(p);
  f->block = block && p->has_rows && block < p->batch ? block : (p->batch ? p->batch : 1);
  f->n_blocks = p->has_rows && p->batch ? (p->batch + f->block - 1) / f->block : 1;
  f->backward_whole = needs_backward_whole(p);
  plan q;
  bnn_status status = plan_init(&q, p->n_nodes, err);
  if (status == BNN_OK) status = frame_fill(f, &q, err);
  plan_fini(&q);
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

void bnn_frame_set_row_offset(bnn_frame *f, size_t row0) {
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    if (!f->p->nodes[i].rows) continue;
    f->value[i].row0 = row0;
    for (size_t b = 0; b < f->n_blocks; b++)
      rows_header(f, f->value_rows, b, (int)i)->row0 = row0 + b * f->block;
    if (!f->p->gradient) continue;
    f->grad[i].row0 = row0;
    for (size_t b = 0; b < f->n_blocks; b++)
      rows_header(f, f->grad_rows, b, (int)i)->row0 = row0 + b * f->block;
  }
}

void *bnn_frame_input_buffer(bnn_frame *f, int i) { return f->value[i].data; }

const bnn_tensor *bnn_frame_output(const bnn_frame *f, int i) {
  return &f->value[f->p->outputs[i]];
}

const bnn_tensor *bnn_frame_gradient(const bnn_frame *f, int i) { return &f->grad[i]; }

/* ---- forward ---- */

/* The headers of v's inputs as block b sees them. */
static void gather_inputs(const bnn_frame *f, const node *v, size_t b, const bnn_tensor **x) {
  const int *in = node_inputs(f->p, v);
  for (int k = 0; k < v->n_in; k++)
    x[k] = v->rows && f->p->nodes[in[k]].rows ? rows_header(f, f->value_rows, b, in[k])
                                              : &f->value[in[k]];
}

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
    for (int k = 0; k < v->n_in; k++) x[k] = &f->value[node_inputs(f->p, v)[k]];
    const bnn_status status = v->op->verify(x, v->n_in, &v->attr, err);
    if (status == BNN_OK) continue;
    if (row) *row = first_refused_row(f, v);
    return status;
  }
  return BNN_OK;
}

bnn_status bnn_frame_forward_whole(bnn_frame *f, bnn_err *err) {
  const bnn_tensor *x[BNN_ARITY_MAX];
  for (size_t i = 0; i < f->p->n_nodes; i++) {
    const node *v = &f->p->nodes[i];
    if (!v->live || v->rows || !node_computes(v)) continue;
    gather_inputs(f, v, 0, x);
    if (v->op->verify) BNN_TRY(v->op->verify(x, v->n_in, &v->attr, err));
    v->op->forward(&f->value[i], x, v->n_in, &v->attr);
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

/* A header for the rows of job j, in `out` or else where the gradient has them. */
static bnn_tensor job_header(const bnn_frame *f, const bnn_parameter_job *j, bnn_real *out) {
  bnn_tensor *whole = &f->grad[j->node], rows;
  size_t dim[BNN_RANK_MAX], row = 1;
  memcpy(dim, whole->dim, sizeof dim);
  for (int k = 1; k < whole->rank; k++) row *= dim[k];
  dim[0] = j->count;
  bnn_tensor_init(&rows, BNN_REAL, whole->rank, dim,
                  out ? out : bnn_tensor_real(whole) + j->from * row);
  return rows;
}

/* What node i with rows adds to the whole node of job j, through its input k; `add` is false for
 * the first contribution of a split job, which sets instead. */
static void contribute(bnn_frame *f, const bnn_parameter_job *j, size_t i, int k, bool add,
                       bnn_real *out) {
  const node *v = &f->p->nodes[i];
  const bnn_tensor *x[BNN_ARITY_MAX];
  for (int m = 0; m < v->n_in; m++) x[m] = &f->value[node_inputs(f->p, v)[m]];
  int in = node_inputs(f->p, v)[k];
  if (j->mode == BNN_GRADIENT_SPLIT) {
    bnn_tensor rows = job_header(f, j, out);
    v->op->backward_rows(&rows, k, j->from, add, &f->grad[i], x, &v->attr);
    return;
  }
  bnn_tensor *dx[BNN_ARITY_MAX] = {NULL};
  dx[k] = &f->grad[in];
  v->op->backward(dx, &f->grad[i], &f->value[i], x, v->n_in, &v->attr);
}

/* y += x. */
static void add_to(bnn_real *restrict y, const bnn_real *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

/* Adds what blocks 1, 2, ... have summed to what block 0 has, in this order. */
static void add_blocks(bnn_frame *f, const bnn_parameter_job *j) {
  const node *v = &f->p->nodes[j->node];
  const size_t row = v->shape.rank > 0 && v->shape.dim[0] ? node_size(v) / v->shape.dim[0] : 1;
  const size_t at = j->from * row;
  for (size_t b = 1; b < f->n_blocks; b++)
    add_to(bnn_tensor_real(&f->grad[j->node]) + at,
           bnn_tensor_real(rows_header(f, f->grad_rows, b, j->node)) + at, j->count * row);
}

void bnn_frame_run_parameter_job(bnn_frame *f, size_t job, bnn_real *out) {
  const bnn_program *p = f->p;
  const bnn_parameter_job *j = &f->jobs[job];
  bool add = false;
  if (j->mode == BNN_GRADIENT_SUMMED) {
    add_blocks(f, j);
    return;
  }
  if (j->mode == BNN_GRADIENT_WHOLE) zero(&f->grad[j->node]);
  const reader *first = first_reader(p, (size_t)j->node);
  for (const reader *r = end_of_readers(p, (size_t)j->node), *all; r > first; r = all) {
    /* from the last op to the first, the inputs of one in their order */
    for (all = r; all > first && all[-1].by == r[-1].by;) all--;
    for (const reader *one = all; one < r; one++) {
      if (!p->nodes[one->by].rows) continue;
      contribute(f, j, (size_t)one->by, one->k, add, out);
      add = true;
    }
  }
}

void bnn_frame_backward_whole(bnn_frame *f, bnn_real seed) {
  const bnn_program *p = f->p;
  const bnn_tensor *x[BNN_ARITY_MAX];
  const node *out = &p->nodes[p->outputs[0]];
  if (!out->rows && out->grad) add_seed(&f->grad[p->outputs[0]], seed);
  for (size_t i = p->n_nodes; i-- > 0;) {
    const node *v = &p->nodes[i];
    if (v->rows || !v->grad || !node_computes(v)) continue;
    bnn_tensor *dx[BNN_ARITY_MAX];
    for (int k = 0; k < v->n_in; k++) {
      int in = node_inputs(p, v)[k];
      dx[k] = p->nodes[in].grad ? &f->grad[in] : NULL;
    }
    gather_inputs(f, v, 0, x);
    v->op->backward(dx, &f->grad[i], &f->value[i], x, v->n_in, &v->attr);
  }
}

bnn_status bnn_frame_replay(bnn_frame *f, bnn_real seed, bnn_err *err) {
  BNN_TRY(bnn_frame_verify(f, NULL, err));
  BNN_TRY(bnn_frame_forward_whole(f, err));
  for (size_t b = 0; f->p->has_rows && b < f->n_blocks; b++) bnn_frame_forward_block(f, b);
  if (!f->p->gradient) return BNN_OK;
  for (size_t b = 0; f->p->has_rows && b < f->n_blocks; b++) bnn_frame_backward_block(f, b, seed);
  for (size_t j = 0; j < f->n_jobs; j++) bnn_frame_run_parameter_job(f, j, NULL);
  bnn_frame_backward_whole(f, seed);
  return BNN_OK;
}
