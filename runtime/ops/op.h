/* op.h - what an op is: a shape rule, forward and backward, on one screen, and one row in ops.def.
 *
 * A new op is a file NAME.c in a folder of runtime/ops that defines `BNN_OP(NAME) = {...}`, and the row X(NAME) in
 * ops.def.  From the row follow the Lua function and method of that name, help(), and the generic
 * tests: gradient against central differences, refused shapes, views, empty inputs.
 *
 * Files under ops/ are compiled once per instruction set; bnn_op_find gives the row of the set in
 * use.  Inside forward and backward:
 *   - every tensor is contiguous; real tensors are of type BNN_REAL; dims of 0 occur;
 *   - y's and x's dims may be a block of rows (axis 0) of what infer saw: take sizes from the
 *     tensors, never from the attributes; x->row0 is the place of the block's first row in its
 *     batch;
 *   - backward ADDS to dx[i]; dx[i] is NULL when that gradient is not wanted;
 *   - nothing is allocated, nothing fails; NaN goes in and comes out. */
#ifndef BNN_OP_H
#define BNN_OP_H

#include <stdbool.h>

#include "../base/real.h"
#include "../base/shards.h"
#include "../base/status.h"
#include "../tensor/shape.h"
#include "../tensor/tensor.h"

enum { BNN_ARITY_MAX = 32 };

/* What a call of an op carries besides its tensors; axes count from 0.  An op reads only the fields
 * that its `args` string names.  A caller starts from the op's `defaults` and fills in what it was
 * given.  Error texts and docs, which scripts read, count axes and positions from 1. */
enum { BNN_AXIS_NONE = -1 }; /* axis left out: the last one, or all of them; the op's doc says */

typedef struct bnn_attr {
  int axis;         /* 'a' one axis, or BNN_AXIS_NONE where the op's defaults say so */
  uint32_t axes;    /* 'A' a set of axes, bit k for axis k; all axes when none are given */
  bool keepdims;    /* 'k' reduced axes stay, with size 1 */
  bool descending;  /* 'd' from the largest to the smallest */
  bool flag;        /* 'f' yes or no; the op's doc says of what */
  double number[2]; /* 'r' real numbers, in order */
  bool has_index;   /* 'i' an integer, or none */
  int64_t index;
  size_t pair[4][2]; /* 'p' counts for rows and for columns, in order; one number stands for both */
  int rank;          /* 's' a shape; 'o' an order of axes */
  size_t dim[BNN_RANK_MAX];
  int order[BNN_RANK_MAX];
  size_t from, count;    /* 'n' a range of positions along axis; 'c' a count of 1 or more alone */
  uint64_t fold, domain; /* key_fold only */
} bnn_attr;

/* What an op does to the rows (axis 0) of a batch. */
typedef enum bnn_rows {
  BNN_ROWS_NONE,  /* no input has rows of the batch, so neither has the output */
  BNN_ROWS_KEPT,  /* row i of the output depends on row i of the inputs that have rows */
  BNN_ROWS_MIXED, /* rows of the batch meet: ops of the program run one after the other */
} bnn_rows;

/* How the generic tests call an op: inputs within [lo, hi]; tol is the largest error of a gradient
 * against central differences in double, relative to 1 + |gradient|.  The shapes and types of the
 * example inputs; those of integers are first + i modulo `classes`. */
typedef struct bnn_op_check {
  double lo, hi, tol;
  struct {
    int rank;
    size_t dim[4];
    bnn_dtype dtype; /* 0: real */
  } in[4];           /* an input with rank 0 and dim[0] == 0 takes the default shape [3, 4] */
  struct {
    double lo, hi;
  } range[4]; /* of an input that has one of its own: hi is above lo */
  bnn_attr attr;
  size_t first, classes;
} bnn_op_check;

typedef struct bnn_op {
  const char *name;
  const char *doc; /* "softplus(x): log(1 + exp x), elementwise"; shapes and paper where they help.
                     * It begins with name(args), where error texts find the inputs' names */
  /* Lua statements that help() shows below the doc.  "--> VALUE" or "--> [SHAPE]" after a statement
   * gives its result, which tests/lua/help/test_results.lua checks.  NULL only for internal ops. */
  const char *example;
  int arity;         /* number of inputs; -1: one list of 1..BNN_ARITY_MAX tensors */
  int optional;      /* further inputs, each of which may be left out; infer and forward tell which
                      * they are by type or rank, and infer checks dtypes itself (integers) */
  const char *args;  /* letters of bnn_attr after the inputs, '?' after one that may be left out;
                     * NULL or "" for none */
  bool integers;     /* infer checks dtypes itself; else all inputs must be real, */
  bool arithmetic;   /* or all of one integer type, with which forward computes exactly, modulo
                     * 2^bits (ops/integers.h) */
  bool any_numbers;  /* or of any types: comparisons */
  bool alias;        /* the output is the input's memory (view): forward and backward are NULL */
  bool internal;     /* no Lua name of its own */
  bool inplace;      /* of one input: forward may write over x, and backward_set over dy, as
                     * element i needs element i only and backward does not read x; the two tensors
                     * are the same then */
  bool y_unread;     /* backward does not read y */
  bnn_attr defaults; /* what an attribute that is left out is */

  /* Shape and dtype of the result; x holds n shapes.  ESHAPE, ETYPE, ERANGE with a text that names
   * the argument and both values. */
  bnn_status (*infer)(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr, bnn_err *err);

  /* What happens to rows; has_rows[i] says that axis 0 of x[i] is the batch.  Only called when one
   * of them is.  NULL: rows are mixed. */
  bnn_rows (*rows)(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                   const bnn_shape *y);

  /* y = f(x). */
  void (*forward)(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr);

  /* dx[i] += dy * dy/dx[i].  NULL: the op has no gradient (comparisons, argmax). */
  void (*backward)(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                   const bnn_tensor *const *x, int n, const bnn_attr *attr);

  /* The same, but that dx[0], which is wanted, is set, not added to: for the first of those that
   * give a gradient, which need not be cleared and read then.  NULL: backward does it. */
  void (*backward_set)(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                       const bnn_tensor *const *x, int n, const bnn_attr *attr);

  /* Some rows of the gradient of input i, a matrix of parameters, over the whole batch: dx = or +=
   * by `add`; dx is those rows, from row `from` of x[i] on.  NULL, or false for an i that cannot be
   * split so: backward does it whole.  Without can_split backward sums the gradient of parameters
   * over each block of rows by itself, where they are small beside what is computed. */
  bool (*can_split)(int i);
  void (*backward_rows)(bnn_tensor *dx, int i, size_t from, bool add, const bnn_tensor *dy,
                        const bnn_tensor *const *x, const bnn_attr *attr);

  /* The same, set to the sum over shards of the batch, in their tree (base/shards.h).  false, and
   * nothing done: the caller adds the parts of backward_rows; `from` and the number of rows have no part
   * in that answer.  NULL: always so. */
  bool (*backward_shards)(bnn_tensor *dx, int i, size_t from, const bnn_shards *shards,
                          const bnn_tensor *dy, const bnn_tensor *const *x);

  /* The parts of an op that mixes rows, such as channels: how many, which follows from the shapes, and
   * part `part` of forward and of backward.  All parts give what forward and backward do; they may run
   * at the same time, as none writes, or adds to, what another does.  NULL, or 0: forward and backward
   * do it all. */
  size_t (*parts)(const bnn_tensor *const *x, const bnn_attr *attr);
  void (*forward_part)(bnn_tensor *y, const bnn_tensor *const *x, const bnn_attr *attr,
                       size_t part);
  void (*backward_part)(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                        const bnn_tensor *const *x, const bnn_attr *attr, size_t part);

  /* The values of integer inputs (labels, positions), before forward.  ERANGE names the first value
   * that is out of range, its place and the bound.  NULL: nothing to check. */
  bnn_status (*verify)(const bnn_tensor *const *x, int n, const bnn_attr *attr, bnn_err *err);

  /* Multiply-adds of the products in forward, for reports.  NULL: it makes none. */
  double (*multiply_adds)(const bnn_shape *y, const bnn_shape *x);

  /* Of an op that is the log density of its first input: what a prior needs of it
   * (densities/density.h). NULL of others. */
  const struct bnn_density *density;

  bnn_op_check check;
} bnn_op;

/* Names the row of the instruction set being compiled: `BNN_OP(softplus) = {...};` */
#define BNN_OP(name) const bnn_op BNN_ISA_NAME(bnn_op_##name)

/* Indices of the rows of ops.def: BNN_OP_softplus, ... */
typedef enum bnn_op_id {
#define X(name) BNN_OP_##name,
#include "ops.def"
#undef X
  BNN_OP_COUNT
} bnn_op_id;

/* The row in the instruction set that is in use (isa.h). */
const bnn_op *bnn_op_get(bnn_op_id id);

/* The id of a name; false when no row has it. */
bool bnn_op_find(bnn_op_id *out, const char *name);

/* ETYPE: "x: expected f32, got i32: x:real() converts", the one wording for input `name` of a type that
 * an op does not compute with. */
bnn_status bnn_op_refuse_type(const char *name, bnn_dtype found, bnn_err *err);

/* Runs an op at once.  x: n tensors, any strides.  Checks dtypes, infers, verifies, then computes.
 * attr NULL: the op's defaults.  *out: owned by the caller.  Errors as the op's infer and verify
 * give them, led by the op's name; ENOMEM. */
bnn_status bnn_op_run(bnn_tensor **out, bnn_op_id id, bnn_tensor *const *x, int n,
                      const bnn_attr *attr, bnn_err *err);

/* The shape of a result, with all of bnn_op_run's checks that need no values. */
bnn_status bnn_op_infer(bnn_shape *y, bnn_op_id id, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err);

#endif
