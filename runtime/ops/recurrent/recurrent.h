/* recurrent.h - what the recurrent ops share: a loop over the steps of sequences, for any cell.
 *
 * An op is given p [n, t, gates h], the part of each step that its input decides (a linear layer of all
 * steps at once), and u [h, gates h].  At step s
 *
 *   r = state of step s - 1 times u        state: the first h elements of a row of y; 0 before the first
 *   row s of y = cell(p of step s, r, row s - 1 of y)
 *
 * Rows of y hold what backward needs, `parts` times h elements: the state, then the rest of the cell's
 * memory and its gates.  All of it is a result like the state, and has a gradient.  Backward goes
 * through the steps from the last: dp and dr by the cell, du += state^T dr, and dr u^T to the state of
 * the step before.  Where a sequence is read from its end, the steps go the other way. */
#ifndef BNN_OPS_RECURRENT_H
#define BNN_OPS_RECURRENT_H

#include "../op_help.h"

/* One step of one example.  before: its row of y at the step before, zeros at the first.  b [h]: a bias
 * of the cell's own, or NULL. */
typedef struct recurrent_cell {
  size_t gates, parts, carried;
  void (*forward)(bnn_real *y, const bnn_real *p, const bnn_real *r, const bnn_real *before,
                  const bnn_real *b, size_t h);
  /* dp and dr [gates h], set; the same array where has_one_slope.  dy: the gradient of the row of y by
   * itself.  d [carried h]: what the step after adds to its first elements, which becomes what goes to
   * those of the row before, other than by r. */
  void (*backward)(bnn_real *dp, bnn_real *dr, bnn_real *d, const bnn_real *dy, const bnn_real *y,
                   const bnn_real *before, size_t h);
  bool has_one_slope;
} recurrent_cell;

#define RECURRENT(name) BNN_ISA_NAME(bnn_recurrent_##name)

/* Shapes of p, u and, if the cell has one, b.  ESHAPE names what differs. */
bnn_status RECURRENT(infer)(bnn_shape *y, const bnn_shape *x, int n, const recurrent_cell *cell,
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
#define RECURRENT_ROW                                                         \
  .args = "d?", .infer = infer, .rows = op_rows_weighted, .forward = forward, \
  .backward = backward, .backward_set = backward_set, .multiply_adds = recurrent_multiply_adds

#endif
