/* frame_inside.h - the inside of a frame, shared by frame_plan.c (where its buffers lie, and which
 * jobs it has), frame.c (making it) and frame_replay.c (running it). */
#ifndef BNN_FRAME_INSIDE_H
#define BNN_FRAME_INSIDE_H

#include "../base/mem.h"
#include "arena_plan.h"
#include "program_nodes.h"

struct bnn_frame {
  bnn_program *p;
  bnn_shards shards;
  size_t block, shard_blocks, n_blocks; /* rows of a block, blocks of a shard, all blocks; the last
                                         * ones may have or be fewer */
  size_t n_parts;                       /* ranges of rows with headers: blocks, then shards; only
                                         * blocks where each is a shard */
  bnn_tensor *value, *grad;             /* [n_nodes] over the whole batch */
  bnn_tensor *value_rows, *grad_rows;   /* [n_parts, n_nodes] parts of nodes with rows; grad_rows
                                         * also what each block adds to a summed gradient.  None
                                         * where there are no rows, no gradients */
  int *setter;    /* [n_nodes] the node whose op sets the gradient of this one, batched, before any
                * other adds to it (op.h, backward_set); or -1 */
  bool *inplace;  /* [n_nodes] whether a node's values are written over those of its input, and that
                   * one's gradient over its own (op.h, inplace) */
  size_t *sum_at; /* [n_nodes] where the arena has the blocks of a summed gradient, or NOT_SUMMED */
  bnn_parameter_job *jobs;
  size_t n_jobs;
  size_t job_scratch; /* reals that a job needs beside its gradient */
  size_t
      mixing_at; /* where the arena has what blocks of a node sum by themselves (frame_mixing.c) */
  bool backward_whole;
  size_t bytes;
  char *arena;
};

/* Whether its nodes, or some of them one by one, run over blocks of rows. */
static inline bool has_blocks(const bnn_program *p) { return p->has_rows || p->mixed; }

static const size_t NOT_SUMMED = SIZE_MAX;

static inline bool is_summed(const bnn_frame *f, size_t i) { return f->sum_at[i] != NOT_SUMMED; }

/* The part that is shard r. */
static inline size_t shard_part(const bnn_frame *f, size_t r) {
  return r + f->n_parts - f->shards.count;
}

/* The header of node i in a part, in value_rows or grad_rows. */
static inline bnn_tensor *rows_header(const bnn_frame *f, bnn_tensor *list, size_t part, int i) {
  return &list[part * f->p->n_nodes + (size_t)i];
}

/* Elements of a node. */
static inline size_t node_size(const node *v) {
  size_t size = 0;
  bnn_shape_size(&size, v->shape.rank, v->shape.dim);
  return size;
}

/* Elements of job j's gradient. */
static inline size_t job_size(const bnn_frame *f, const bnn_parameter_job *j) {
  const node *v = &f->p->nodes[j->node];
  if (v->shape.rank == 0) return 1;
  return v->shape.dim[0] ? node_size(v) / v->shape.dim[0] * j->count : 0;
}

/* Reals from one gradient of a job to the next in its scratch. */
static inline size_t job_stride(size_t size) {
  const size_t line = BNN_MEM_ALIGN / sizeof(bnn_real);
  return (size + line - 1) / line * line;
}

/* Bytes of its buffer, which begins on a line of the cache. */
static inline size_t node_bytes(const node *v) {
  size_t size = bnn_dtype_size(v->shape.dtype);
  for (int k = 0; k < v->shape.rank; k++) size *= v->shape.dim[k];
  return (size + BNN_MEM_ALIGN - 1) / BNN_MEM_ALIGN * BNN_MEM_ALIGN;
}

/* Whether a node has memory in the arena: of its own, or its input's. */
static inline bool node_owns(const bnn_program *p, size_t i) {
  const node *v = &p->nodes[i];
  if (!v->live || v->root != (int)i || v->what == NODE_CONSTANT) return false;
  return v->what == NODE_OP || v->kind != BNN_INPUT_PARAM;
}

/* A parameter's gradient goes to the flat buffer when the gradient is taken with respect to it. */
static inline bool grad_is_flat(const bnn_program *p, size_t i) {
  return p->nodes[i].what == NODE_INPUT && p->nodes[i].kind == BNN_INPUT_PARAM;
}

/* v's inputs as block b sees them, and whole. */
static inline void gather_inputs(const bnn_frame *f, const node *v, size_t b,
                                 const bnn_tensor **x) {
  const int *in = node_inputs(f->p, v);
  for (int k = 0; k < v->n_in; k++)
    x[k] = v->by_rows && f->p->nodes[in[k]].batched ? rows_header(f, f->value_rows, b, in[k])
                                                    : &f->value[in[k]];
}
static inline void gather_whole(const bnn_frame *f, const node *v, const bnn_tensor **x) {
  for (int k = 0; k < v->n_in; k++) x[k] = &f->value[node_inputs(f->p, v)[k]];
}

/* ---- frame_plan.c ---- */

/* The most that the blocks of summed gradients may take, in bytes. */
enum { SUMS_MAX = 16 << 20 };

/* Where everything lies in the arena of a frame, while that is decided.  Only forward frames of one
 * block give ranges back. */
typedef struct frame_plan {
  bnn_arena_plan arena;
  size_t *last;               /* [n_nodes] run_order of the last reader of a root */
  uint32_t *value_range;      /* [n_nodes] of values that may be given back */
  size_t *value_at, *grad_at; /* [n_nodes] */
} frame_plan;

/* An empty plan.  ENOMEM: _fini is called then too. */
bnn_status bnn_frame_plan_init(frame_plan *q, size_t n_nodes, bnn_err *err);
void bnn_frame_plan_fini(frame_plan *q);

/* Decides where each buffer of f lies: fills q, f->setter, f->inplace and f->sum_at. */
void bnn_frame_plan_all(bnn_frame *f, frame_plan *q);

/* Counts the jobs of the parameter phase, and writes them when `jobs` is given. */
size_t bnn_frame_list_jobs(const bnn_frame *f, bnn_parameter_job *jobs);

/* Rows of a job that is one of several of a gradient like v; from the shape only. */
size_t bnn_frame_job_rows(const node *v);

/* ---- frame_mixing.c ---- */

/* Bytes that the blocks of node i need for sums; 0 for one that runs whole. */
size_t bnn_frame_mixing_bytes(const bnn_frame *f, size_t i);

/* Node i, which computes and is whole, and its share of the gradients; over the context's threads, or
 * on the caller's if that is NULL. */
void bnn_frame_forward_node(bnn_frame *f, size_t i, bnn_context *context);
void bnn_frame_backward_node(bnn_frame *f, size_t i, bnn_context *context);

#endif
