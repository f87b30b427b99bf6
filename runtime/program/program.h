/* program.h - a recorded computation with fixed shapes, and the buffers in which it is replayed.
 *
 * A bnn_program is recorded node by node: inputs, constants, and ops over earlier nodes, so the
 * nodes are in topological order by construction.  After bnn_program_finish it does not change and
 * may be shared.  A bnn_frame holds the buffers of one replay, planned once; replaying allocates
 * nothing.
 *
 * Rows.  Inputs made with BNN_INPUT_ROWS carry the batch in axis 0.  Every node is then either
 * whole (it depends on no batch input) or has rows (its row i depends on row i of the batch); when
 * an op mixes rows the program has no rows at all, and its whole nodes run one after the other, each
 * over blocks of its own (frame_mixing.c).  Whole nodes never depend on nodes with rows, so a replay has
 * these phases, each a set of independent jobs whose results do not depend on which thread runs
 * them, as blocks follow from the shapes alone:
 *
 *     forward_whole                whole nodes, in order
 *     forward_block(b)             rows of block b of every node with rows
 *     backward_block(b)            gradients with respect to nodes with rows, block b; and what the
 *                                  block adds to those with respect to some whole nodes
 *     parameter_job(j)             gradients with respect to whole nodes that nodes with rows use:
 *                                  each job has a range of rows of one parameter, over all blocks,
 *                                  shard by shard, and adds the shards (shards.h)
 *     backward_whole               the rest of the way, through whole ops
 *
 * Ownership: bnn_program is reference counted; a frame holds a reference to its program. */
#ifndef BNN_PROGRAM_H
#define BNN_PROGRAM_H

#include "../base/context.h"
#include "../base/shards.h"
#include "../ops/op.h"
#include "../tensor/key.h"

typedef struct bnn_program bnn_program;
typedef struct bnn_frame bnn_frame;

typedef enum bnn_input_kind {
  BNN_INPUT_WHOLE, /* one value for the whole batch: a number, a key, a tensor */
  BNN_INPUT_ROWS,  /* axis 0 is the batch */
  BNN_INPUT_PARAM, /* a tensor that lives in a flat parameter buffer */
} bnn_input_kind;

/* ---- recording ---- */

/* An empty program.  ENOMEM. */
bnn_status bnn_program_new(bnn_program **out, bnn_err *err);
bnn_program *bnn_program_ref(bnn_program *p);
void bnn_program_unref(bnn_program *p);

/* Appends a node; *node is its number.  All inputs with rows must agree in dim 0 (ESHAPE).
 * offset: for BNN_INPUT_PARAM, the first element's place in the flat buffer; else ignored.
 * ESHAPE, ENOMEM; ERANGE when the program is finished, or a parameter overlaps another. */
bnn_status bnn_program_input(bnn_program *p, int *node, bnn_input_kind kind, const bnn_shape *shape,
                             size_t offset, bnn_err *err);

/* A constant: holds a reference to x, whose contents must not change.  Contiguous copies are
 * made. */
bnn_status bnn_program_constant(bnn_program *p, int *node, bnn_tensor *x, bnn_err *err);

/* An op on earlier nodes.  Errors as bnn_op_infer gives them. */
bnn_status bnn_program_op(bnn_program *p, int *node, bnn_op_id id, const int *x, int n,
                          const bnn_attr *attr, bnn_err *err);

/* Shape of a node; the node must exist. */
const bnn_shape *bnn_program_shape(const bnn_program *p, int node);

/* Ends recording.  outputs: the nodes whose values a replay computes.  Nodes that no output needs
 * are dropped from replays.  With_gradient: the backward pass of outputs[0] is derived with
 * respect to the inputs listed in wrt (n_wrt of them, or all BNN_INPUT_PARAM inputs when wrt is
 * NULL). An op without gradient (a comparison, argmax) counts as a constant.
 * ETYPE: outputs[0], or an input in wrt, is not real.  ENOMEM. */
bnn_status bnn_program_finish(bnn_program *p, const int *outputs, int n_outputs, bool with_gradient,
                              const int *wrt, int n_wrt, bnn_err *err);

/* Whether its nodes have rows: false without batch inputs, or when an op mixes rows (or reads
 * positions that the program itself computes); *mixed, when not NULL, is the name of the first op
 * that does, or NULL. */
bool bnn_program_has_rows(const bnn_program *p, const char **mixed);

/* What an op does that mixes rows: "mean over axis 1"; "" for none. */
typedef struct bnn_batch_mixing_op {
  char text[64];
} bnn_batch_mixing_op;

/* The first op that would mix rows if axis 0 of these n inputs (nodes) was the batch; of a finished
 * program, whatever kinds its inputs are.  ERANGE: a node that is not an input with an axis.
 * ENOMEM.
 */
bnn_status bnn_program_find_batch_mixing_op(bnn_batch_mixing_op *out, const bnn_program *p,
                                            const int *inputs, int n, bnn_err *err);

/* How many rows the batch inputs have; 0 without any. */
size_t bnn_program_batch(const bnn_program *p);

/* Elements that its ops compute for one row of the batch, whether rows meet or not; 0 without a
 * batch. */
size_t bnn_program_row_size(const bnn_program *p);

/* Whether an output of a finished program needs node i, which exists. */
bool bnn_program_uses(const bnn_program *p, int i);

/* Whether it was finished with a gradient. */
bool bnn_program_has_gradient(const bnn_program *p);

/* The number of outputs of a finished program, and the shape of outputs[i]. */
int bnn_program_outputs(const bnn_program *p);
const bnn_shape *bnn_program_output_shape(const bnn_program *p, int i);

/* Elements that a flat parameter buffer must have: the end of the last BNN_INPUT_PARAM. */
size_t bnn_program_flat_size(const bnn_program *p);

/* Whether this node is an input of rows; -1: there is none.  name: "x", for the text.  ERANGE. */
bnn_status bnn_program_check_rows(const bnn_program *p, int node, const char *name, bnn_err *err);

/* Whether this node can be fed as a noise key, a u64 scalar; -1: there is none.  ERANGE. */
bnn_status bnn_program_check_key(const bnn_program *p, int node, bnn_err *err);

/* Whether this node is an input of a real number for each row of the batch; -1: there is none.
 * ERANGE. */
bnn_status bnn_program_check_row_weights(const bnn_program *p, int node, bnn_err *err);

/* Whether this node is a whole real input [n]; -1 when the program reads no weights (n is 0).
 * ERANGE. */
bnn_status bnn_program_check_weights(const bnn_program *p, int node, size_t n, bnn_err *err);

/* For reports: the number of nodes that a replay runs, and multiply-adds of its products; while it is
 * recorded those of all products so far. */
size_t bnn_program_ops(const bnn_program *p);
double bnn_program_flops(const bnn_program *p);

/* ---- replaying ---- */

/* Buffers for replays of p, which must be finished.  block: rows in a block (the last may have
 * fewer); 0 means all.  Without a batch there is one block.  ENOMEM. */
bnn_status bnn_frame_new(bnn_frame **out, bnn_program *p, size_t block, bnn_err *err);

/* The same over a batch in shards, at least 1, each of which is cut into blocks by itself;
 * gradients with respect to whole nodes are those of each shard, added in their tree.  ERANGE:
 * several shards of a program without rows; names the op that mixes them. */
bnn_status bnn_frame_new_in_shards(bnn_frame **out, bnn_program *p, size_t block, size_t shards,
                                   bnn_err *err);
void bnn_frame_free(bnn_frame *f);

/* Its buffers, of values and gradients, and their bytes (less than the sum where buffers whose
 * values are not alive at the same time share memory). */
size_t bnn_frame_buffers(const bnn_frame *f);
size_t bnn_frame_bytes(const bnn_frame *f);

/* Sets where input `node` is read from: memory of the input's shape and dtype, contiguous, valid
 * during replays.  Parameters: one flat buffer of values and, for the gradient, one of the same
 * size. */
void bnn_frame_bind(bnn_frame *f, int node, void *data);
void bnn_frame_bind_params(bnn_frame *f, bnn_real *theta, bnn_real *gradient);

/* Parameters that begin in [from, to) of the flat buffer are read from `theta` in place of what was
 * bound, theta[0] being element `from`. */
void bnn_frame_bind_part(bnn_frame *f, size_t from, size_t to, bnn_real *theta);

/* How many shards there are, none of them empty, and the rows of shard r. */
size_t bnn_frame_shards(const bnn_frame *f);
bnn_row_range bnn_frame_shard_rows(const bnn_frame *f, size_t r);

/* Says that row 0 of this frame is row `row0` of its batch (0 at first): ops that draw noise for a
 * row, such as dropout, count from there. */
void bnn_frame_set_row_offset(bnn_frame *f, size_t row0);

/* The frame's own memory for an input, which is used until another is bound.  NULL if no output
 * needs the input. */
void *bnn_frame_input_buffer(bnn_frame *f, int node);

/* Checks the values of integer inputs (labels, positions) that nodes with rows read.
 * ERANGE as the op says it; *row, when not NULL, is then the first bad row, from 0. */
bnn_status bnn_frame_verify(bnn_frame *f, size_t *row, bnn_err *err);

/* Forward, one phase after the other.  Blocks may run at the same time, and have no nodes where rows
 * meet.  Whole ops that read positions check them first: ERANGE.  context: whose threads work on
 * whole nodes that can be cut; NULL for the caller's alone, as within a job. */
bnn_status bnn_frame_forward_whole(bnn_frame *f, bnn_context *context, bnn_err *err);
size_t bnn_frame_blocks(const bnn_frame *f);
bnn_row_range bnn_frame_block_rows(const bnn_frame *f, size_t b);
void bnn_frame_forward_block(bnn_frame *f, size_t b);

/* The value of outputs[i] after forward: a header of the frame's, valid until the next replay. */
const bnn_tensor *bnn_frame_output(const bnn_frame *f, int i);

/* Backward.  seed: the gradient with respect to each element of outputs[0]. */
void bnn_frame_backward_block(bnn_frame *f, size_t b, bnn_real seed);

/* How the gradient with respect to a whole node is computed from the rows of the batch; ops and
 * shapes decide it. */
typedef enum bnn_gradient_mode {
  BNN_GRADIENT_WHOLE,  /* one job computes it, over each shard */
  BNN_GRADIENT_SPLIT,  /* each job computes rows of it, over each shard (op.h, can_split) */
  BNN_GRADIENT_SUMMED, /* backward_block sums it for each block, the jobs add a shard's in order */
} bnn_gradient_mode;

/* A job of the parameter phase: rows [from, from + count) of whole node `node`.  When that is a
 * parameter, its elements in the flat buffer are [first, first + size); else size is 0.
 * final: no later phase adds to them. */
typedef struct bnn_parameter_job {
  int node;
  size_t from, count;
  size_t first, size;
  bnn_gradient_mode mode;
  bool final;
} bnn_parameter_job;
size_t bnn_frame_parameter_jobs(const bnn_frame *f);
const bnn_parameter_job *bnn_frame_parameter_job(const bnn_frame *f, size_t j);

/* Runs job j.  out: where a job of mode SPLIT leaves its gradient [size], for a caller that uses
 * it at once, while it is in a cache; NULL, as for the other modes: where the gradient is bound.
 * scratch: bnn_frame_job_scratch reals of this thread, for gradients of shards: 0, and NULL, for
 * one shard. */
void bnn_frame_run_parameter_job(bnn_frame *f, size_t j, bnn_real *out, bnn_real *scratch);
size_t bnn_frame_job_scratch(const bnn_frame *f);

/* Whether backward_whole has anything to do, and doing it, over threads as forward_whole.  seed
 * matters only without rows: then it is the gradient with respect to outputs[0], and the parameter
 * jobs set nothing but zeros. */
bool bnn_frame_has_backward_whole(const bnn_frame *f);
void bnn_frame_backward_whole(bnn_frame *f, bnn_context *context, bnn_real seed);

/* The gradient with respect to input `node` (listed in wrt) after backward; a header of the
 * frame's. */
const bnn_tensor *bnn_frame_gradient(const bnn_frame *f, int node);

/* All phases in order on the calling thread; with a gradient when the program has one.  ERANGE: a
 * frame whose jobs need scratch for their shards. */
bnn_status bnn_frame_replay(bnn_frame *f, bnn_real seed, bnn_err *err);

#endif
