/* support_ops.h - example calls of ops, and their gradients, for the tests that hold for every op.
 *
 * A case is an op, the shapes of its inputs and its attributes: the example that the op's own row
 * gives, or one of a test's.  Real inputs are filled with distinct numbers of [lo, hi] that keep
 * away from kinks and ties, integers as the row's `first` and `classes` say. */
#ifndef SUPPORT_OPS_H
#define SUPPORT_OPS_H

#include "ops/op.h"
#include "support.h"

enum { CASE_INPUTS = 5 };
typedef struct op_case {
  bnn_op_id id;
  int n;
  bnn_shape in[CASE_INPUTS];
  bnn_attr attr;
  size_t first, classes;
} op_case;

/* The example of an op's own row. */
op_case case_of_row(bnn_op_id id);

/* Another example: input shapes of rank >= 0, real unless the row says otherwise. */
typedef struct case_shape {
  int rank;
  size_t dim[4];
} case_shape;
op_case case_of_shapes(bnn_op_id id, int n, const case_shape *in, bnn_attr attr);

/* Cases, one per row first, then every pattern of broadcasting, axes and sizes that the op files
 * treat apart; NULL past the end. */
const op_case *case_at(size_t i);
size_t case_count(void);

/* "sum([2, 3, 4])" for messages. */
typedef struct case_text {
  char s[200];
} case_text;
case_text case_print(const op_case *c);
#define CASE(c) (case_print(c).s)

/* Inputs of a case, owned by the caller; and giving back n tensors, NULLs among them allowed. */
void case_inputs(bnn_tensor **x, const op_case *c);
void unref_all(bnn_tensor **x, int n);

/* Rows [from, from + count) of x along axis 0, in a header of the caller's. */
void block_of_rows(bnn_tensor *block, const bnn_tensor *x, size_t from, size_t count);

/* Whether input i takes a gradient. */
bool takes_gradient(const op_case *c, int i);

/* The op's result; the caller's. */
bnn_tensor *value_of(const op_case *c, bnn_tensor *const *x);

/* dy = 1, 1.25, ... in the shape of y, so that no two outputs weigh alike. */
bnn_tensor *weights_for(const bnn_tensor *y);

/* dx[i] = start + the gradient of sum(weights * y), NULL for inputs that take none. */
void gradients_of(bnn_tensor **dx, const op_case *c, const bnn_tensor *y, const bnn_tensor *dy,
                  bnn_tensor *const *x, double start);

/* Largest |a - b| / (1 + |b|) over the elements; NaN against NaN and equal infinities count 0. */
double distance(const bnn_tensor *a, const bnn_tensor *b);

/* What sums of n terms may differ by when they are added up in another order: each of the n
 * roundings is half an epsilon at most of a sum of the result's size or less, and they add up like
 * a random walk; 4 standard deviations, on both sides.  0 for all but convolutions, whose sums are
 * the long ones: over a filter for y, over images and positions for the gradients. */
double order_tolerance(const op_case *c, size_t images);

/* Calls test(c) for every case on every instruction set that this processor has. */
void for_every_isa(void (*test)(const op_case *c), const op_case *c);

#endif
