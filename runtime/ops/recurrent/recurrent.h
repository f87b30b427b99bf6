/* recurrent.h - what the recurrent ops share: a loop over the steps of sequences, for any cell.
 *
 * An op is given p [n, t, gates h], the part of each step that its input decides (a linear layer of all
 * steps at once), and u [h, gates h].  At step s
 *
 *   r = state of step s - 1 times u        state: the first h elements of a row of y
 *   row s of y = cell(p of step s, r, row s - 1 of y)
 *
 * Rows of y hold what backward needs, `parts` times h elements: the state, then the rest of the cell's
 * memory and its gates.  All of it is a result like the state, and has a gradient.  Backward goes
 * through the steps from the last: dp and dr by the cell, du += state^T dr, and dr u^T to the state of
 * the step before.  Where a sequence is read from its end, the steps go the other way.
 *
 * Two inputs may be left out.  `state`, [n, carried h] or [1, carried h] for all sequences, is what
 * stands before the first step in place of zeros.  `lengths` [n] (op_help.h) are the steps that each
 * sequence has: rows of y after them are 0, and reading from the end begins at the last of them. */
#ifndef BNN_OPS_RECURRENT_H
#define BNN_OPS_RECURRENT_H

#include "../op_help.h"

/* One step of one example.  before: its row of y at the step before, or its state, of which `carried h`
 * elements are there.  b [h]: a bias of the cell's own, or NULL. */
typedef struct recurrent_cell {
  size_t gates, parts, carried;
  void (*forward)(bnn_real *y, const bnn_real *p, const bnn_real *r, const bnn_real *before,
                  const bnn_real *b, size_t h);
  /* dp and dr [gates h], set; the same array where has_one_slope.  dy: the gradient of the row of y by
   * itself.  d [carried h]: what the step after adds to its first elements, which becomes what goes to
   * those of the row before, other than by r. */
  void (*backward)(bnn_real *dp, bnn_real *dr, bnn_real *d, const bnn_real *dy, const bnn_real *y,
                   const bnn_real *before, size_t h);
  bool has_one_slope, has_bias;
} recurrent_cell;

#define RECURRENT(name) BNN_ISA_NAME(bnn_recurrent_##name)

/* Shapes and types of p, u, b, if the cell has one, and what may be left out.  ESHAPE and ETYPE name
 * what differs. */
bnn_status RECURRENT(infer)(bnn_shape *y, const bnn_shape *x, int n, const recurrent_cell *cell,
                            bnn_err *err);

/* Sequences stand alone, with states and lengths of their own; weights belong to no batch. */
bnn_rows RECURRENT(rows)(const bool *has_rows, const bnn_shape *x, int n,
                         const recurrent_cell *cell);

/* ERANGE names the first length that is an integer, but not 0 to t. */
bnn_status RECURRENT(verify)(const bnn_tensor *const *x, int n, const recurrent_cell *cell,
                             bnn_err *err);
void RECURRENT(forward)(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr,
                        const recurrent_cell *cell);

/* Adds to dx, or sets dx[0]; dx[2], of b, gets the sums of the last h columns of dr. */
void RECURRENT(backward)(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr,
                         const recurrent_cell *cell, bool set);

/* Each element of p has a sum over the state of the step before. */
static inline double recurrent_multiply_adds(const bnn_shape *y, const bnn_shape *x) {
  BNN_UNUSED(y);
  return op_elements(x) * (double)x[1].dim[0];
}

/* The functions of an op whose cell is `cell`, and those fields of its row. */
#define RECURRENT_FUNCTIONS(cell)                                                               \
  static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,        \
                          bnn_err *err) {                                                       \
    BNN_UNUSED(attr);                                                                           \
    return RECURRENT(infer)(y, x, n, &cell, err);                                               \
  }                                                                                             \
  static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,   \
                       const bnn_shape *y) {                                                    \
    BNN_UNUSED(attr), BNN_UNUSED(y);                                                            \
    return RECURRENT(rows)(has_rows, x, n, &cell);                                              \
  }                                                                                             \
  static bnn_status verify(const bnn_tensor *const *x, int n, const bnn_attr *attr,             \
                           bnn_err *err) {                                                      \
    BNN_UNUSED(attr);                                                                           \
    return RECURRENT(verify)(x, n, &cell, err);                                                 \
  }                                                                                             \
  static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) { \
    RECURRENT(forward)(y, x, n, attr, &cell);                                                   \
  }                                                                                             \
  static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,        \
                       const bnn_tensor *const *x, int n, const bnn_attr *attr) {               \
    RECURRENT(backward)(dx, dy, y, x, n, attr, &cell, false);                                   \
  }                                                                                             \
  static void backward_set(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,    \
                           const bnn_tensor *const *x, int n, const bnn_attr *attr) {           \
    RECURRENT(backward)(dx, dy, y, x, n, attr, &cell, true);                                    \
  }
#define RECURRENT_ROW                                                                            \
  .optional = 2, .args = "d?", .integers = true, .infer = infer, .rows = rows, .verify = verify, \
  .forward = forward, .backward = backward, .backward_set = backward_set,                        \
  .multiply_adds = recurrent_multiply_adds

#endif
