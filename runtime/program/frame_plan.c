/* frame_plan.c - what a frame decides from the program and the shapes alone: where each buffer lies
 * in one arena, and which jobs the parameter phase has. */
#include <string.h>

#include "frame_inside.h"

/* ---- buffers ---- */

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

/* Gives back what node i is the last to read; an input keeps its buffer. */
static void plan_give_read(const bnn_program *p, frame_plan *q, size_t i) {
  const node *v = &p->nodes[i];
  for (int k = 0; v->live && k < v->n_in; k++) {
    int r = p->nodes[node_inputs(p, v)[k]].root;
    bool again = false; /* the same root may be read twice by one node */
    for (int j = 0; j < k; j++) again = again || p->nodes[node_inputs(p, v)[j]].root == r;
    if (q->last[r] == run_order(p, i) && p->nodes[r].what == NODE_OP && !again)
      bnn_arena_plan_give(&q->arena, q->value_range[r]);
  }
}

/* Finds the op that is first to give the gradient of a batched node, if it can set it: the last op
 * that reads the node, as backward goes from the last op to the first.  The others add. */
static void find_setters(const bnn_frame *f) {
  const bnn_program *p = f->p;
  for (size_t i = 0; i < p->n_nodes; i++) f->setter[i] = -1;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (!v->grad || !node_computes(v)) continue;
    for (int k = 0; k < v->n_in; k++) {
      const node *u = &p->nodes[node_inputs(p, v)[k]];
      const bool sets = k == 0 && v->op->backward_set && u->batched && u->grad;
      f->setter[u->root] = sets ? (int)i : -1;
    }
  }
}

/* Finds the nodes that are written over their input: another op computes it, only this node reads it,
 * and the other op's backward does not read it either.  Only with gradients (without them memory is
 * reused anyhow), and if this node sets the input's gradient.  reads [n_nodes]: scratch. */
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
    if (!v->by_rows || !v->grad || !node_computes(v) || !v->op->inplace) continue;
    const int in = node_inputs(p, v)[0];
    const node *u = &p->nodes[in];
    f->inplace[i] =
        node_computes(u) && u->op->y_unread && reads[in] == 1 && f->setter[in] == (int)i;
  }
}

/* Where values lie, taken in the order in which ops write them.  Memory is reused once its last reader
 * has run, unless something else (a backward pass, another block) needs it. */
static void plan_values(const bnn_frame *f, frame_plan *q) {
  const bnn_program *p = f->p;
  bool reuse = !p->gradient && (f->n_blocks == 1 || !p->has_rows);
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

/* A range that is not given back. */
static size_t plan_take(frame_plan *q, size_t size) {
  return bnn_arena_plan_at(&q->arena, bnn_arena_plan_take(&q->arena, size));
}

/* Where gradients lie, from the last node to the first: a node that is written over shares the
 * gradient of the node that does it. */
static void plan_gradients(const bnn_frame *f, frame_plan *q) {
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

/* Where summed gradients lie, by the shapes alone: block 0 adds into the gradient itself, each of
 * the others into memory of its own. */
static void plan_sums(bnn_frame *f, frame_plan *q) {
  const bnn_program *p = f->p;
  size_t left = SUMS_MAX;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    f->sum_at[i] = NOT_SUMMED;
    if (!p->gradient || !v->grad || !p->has_rows || v->rows || f->n_blocks < 2) continue;
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

/* Memory for the sums of one node after the other. */
static void plan_mixing(bnn_frame *f, frame_plan *q) {
  size_t most = 0;
  for (size_t i = 0; f->p->gradient && f->p->mixed && i < f->p->n_nodes; i++) {
    const size_t bytes = bnn_frame_mixing_bytes(f, i);
    if (bytes > most) most = bytes;
  }
  f->mixing_at = most > 0 ? plan_take(q, most) : 0;
}

/* ---- the plan as a whole ---- */

bnn_status bnn_frame_plan_init(frame_plan *q, size_t n, bnn_err *err) {
  *q = (frame_plan){.last = bnn_mem_zalloc(n, sizeof *q->last)};
  /* a value, a gradient and its sums each, and sums of one node after the other */
  BNN_TRY(bnn_arena_plan_init(&q->arena, 3 * n + 1, err));
  q->value_range = bnn_mem_zalloc(n, sizeof *q->value_range);
  q->value_at = bnn_mem_zalloc(n, sizeof *q->value_at);
  q->grad_at = bnn_mem_zalloc(n, sizeof *q->grad_at);
  if (q->last && q->value_range && q->value_at && q->grad_at) return BNN_OK;
  return bnn_fail(err, BNN_ENOMEM, "a plan of %zu nodes", n);
}

void bnn_frame_plan_fini(frame_plan *q) {
  bnn_arena_plan_fini(&q->arena);
  bnn_mem_free(q->last);
  bnn_mem_free(q->value_range);
  bnn_mem_free(q->value_at);
  bnn_mem_free(q->grad_at);
}

void bnn_frame_plan_all(bnn_frame *f, frame_plan *q) {
  find_setters(f);
  find_inplace(f, q->last);
  memset(q->last, 0, f->p->n_nodes * sizeof *q->last);
  last_uses(f->p, q->last);
  plan_values(f, q);
  if (f->p->gradient) plan_gradients(f, q);
  plan_sums(f, q);
  plan_mixing(f, q);
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
size_t bnn_frame_job_rows(const node *v) {
  size_t n = v->shape.dim[0], width = 1;
  for (int k = 1; k < v->shape.rank; k++) width *= v->shape.dim[k];
  size_t by_size = 12800 / (width ? width : 1), by_count = (n + 15) / 16;
  size_t rows = by_size > by_count ? by_size : by_count;
  return (rows + 15) / 16 * 16;
}

size_t bnn_frame_list_jobs(const bnn_frame *f, bnn_parameter_job *jobs) {
  const bnn_program *p = f->p;
  size_t n = 0;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (!v->grad || v->rows || v->root != (int)i || f->setter[i] >= 0) continue;
    bool ranked = v->shape.rank > 0, split = ranked && can_split(p, (int)i);
    size_t dim0 = ranked ? v->shape.dim[0] : 1;
    size_t step = split || (ranked && is_summed(f, i)) ? bnn_frame_job_rows(v) : dim0;
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
