/* unary_rows.h - rows of elementwise ops of one input: what makes an op of the formulas of its value
 * and its gradient.  In these v is an element of x, r of the result, g of dy; p and q are the call's
 * numbers. */
#ifndef BNN_OPS_UNARY_ROWS_H
#define BNN_OPS_UNARY_ROWS_H

#include "../integers.h"
#include "../op_help.h"

/* dx += or = g times the slope. */
#define SLOPES(NAME, ADDS, SLOPE)                                                                 \
  BNN_KERNEL NAME(bnn_real *restrict dx, const bnn_real *restrict dy, const bnn_real *restrict y, \
                  const bnn_real *restrict x, bnn_real p, bnn_real q, size_t n) {                 \
    BNN_UNUSED(p), BNN_UNUSED(q);                                                                 \
    for (size_t i = 0; i < n; i++) {                                                              \
      const bnn_real v = x[i], r = y[i], g = dy[i];                                               \
      BNN_UNUSED(v), BNN_UNUSED(r);                                                               \
      dx[i] ADDS SLOPE;                                                                           \
    }                                                                                             \
  }

#define BACKWARD(NAME, KERNEL)                                                            \
  static void NAME(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,      \
                   const bnn_tensor *const *x, int n, const bnn_attr *attr) {             \
    BNN_UNUSED(n);                                                                        \
    if (dx[0])                                                                            \
      KERNEL(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), bnn_tensor_real(y),             \
             bnn_tensor_real(x[0]), (bnn_real)attr->number[0], (bnn_real)attr->number[1], \
             y->size);                                                                    \
  }

#define UNARY_PARTS(NAME, VALUE, SLOPE)                                                  \
  BNN_KERNEL NAME##_values(bnn_real *restrict y, const bnn_real *restrict x, bnn_real p, \
                           bnn_real q, size_t n) {                                       \
    BNN_UNUSED(p), BNN_UNUSED(q);                                                        \
    for (size_t i = 0; i < n; i++) {                                                     \
      const bnn_real v = x[i];                                                           \
      y[i] = VALUE;                                                                      \
    }                                                                                    \
  }                                                                                      \
  static void NAME##_forward(bnn_tensor *y, const bnn_tensor *const *x, int n,           \
                             const bnn_attr *attr) {                                     \
    BNN_UNUSED(n);                                                                       \
    NAME##_values(bnn_tensor_real(y), bnn_tensor_real(x[0]), (bnn_real)attr->number[0],  \
                  (bnn_real)attr->number[1], y->size);                                   \
  }                                                                                      \
  SLOPES(NAME##_slopes, +=, SLOPE)                                                       \
  SLOPES(NAME##_slopes_set, =, SLOPE)                                                    \
  BACKWARD(NAME##_backward, NAME##_slopes)                                               \
  BACKWARD(NAME##_backward_set, NAME##_slopes_set)

#define UNARY_ROW(NAME, ARGUMENTS, DOC, EXAMPLE, FORWARD, SET, ...) \
  BNN_OP(NAME) = {                                                  \
      .name = #NAME,                                                \
      .doc = #NAME ARGUMENTS ": " DOC ", elementwise",              \
      .example = EXAMPLE,                                           \
      .arity = 1,                                                   \
      .rows = op_rows_same,                                         \
      .forward = FORWARD,                                           \
      .backward = NAME##_backward,                                  \
      .backward_set = SET,                                          \
      __VA_ARGS__,                                                  \
  };

#define UNARY(NAME, ARGUMENTS, DOC, EXAMPLE, VALUE, SLOPE, ...) \
  UNARY_PARTS(NAME, VALUE, SLOPE)                               \
  UNARY_ROW(NAME, ARGUMENTS, DOC, EXAMPLE, NAME##_forward, NAME##_backward_set, __VA_ARGS__)

/* The same for integers too, of which INTEGERS makes y. */
#define ARITHMETIC(NAME, INTEGERS, ARGUMENTS, DOC, EXAMPLE, VALUE, SLOPE, ...)  \
  UNARY_PARTS(NAME, VALUE, SLOPE)                                               \
  static void NAME##_numbers(bnn_tensor *y, const bnn_tensor *const *x, int n,  \
                             const bnn_attr *attr) {                            \
    if (is_integer(y->dtype))                                                   \
      INTEGERS;                                                                 \
    else                                                                        \
      NAME##_forward(y, x, n, attr);                                            \
  }                                                                             \
  UNARY_ROW(NAME, ARGUMENTS, DOC, EXAMPLE, NAME##_numbers, NAME##_backward_set, \
            .arithmetic = true, __VA_ARGS__)

#define MAPPED(WHAT) integers_map(y, x, n, INTEGER_##WHAT)

/* The same for a slope that follows from r and g: activations, which need not keep what they were
 * given.  What is written over has a kernel of its own, as no pointer of the others is another's. */
#define ACTIVATION(NAME, ARGUMENTS, DOC, EXAMPLE, VALUE, SLOPE, ...)                              \
  UNARY_PARTS(NAME, VALUE, SLOPE)                                                                 \
  BNN_KERNEL NAME##_values_inplace(bnn_real *x, size_t n) {                                       \
    for (size_t i = 0; i < n; i++) {                                                              \
      const bnn_real v = x[i];                                                                    \
      x[i] = VALUE;                                                                               \
    }                                                                                             \
  }                                                                                               \
  BNN_KERNEL NAME##_slopes_inplace(bnn_real *restrict dy, const bnn_real *restrict y, size_t n) { \
    for (size_t i = 0; i < n; i++) {                                                              \
      const bnn_real r = y[i], g = dy[i];                                                         \
      dy[i] = SLOPE;                                                                              \
    }                                                                                             \
  }                                                                                               \
  static void NAME##_forward_inplace(bnn_tensor *y, const bnn_tensor *const *x, int n,            \
                                     const bnn_attr *attr) {                                      \
    if (y->data == x[0]->data)                                                                    \
      NAME##_values_inplace(bnn_tensor_real(y), y->size);                                         \
    else                                                                                          \
      NAME##_forward(y, x, n, attr);                                                              \
  }                                                                                               \
  static void NAME##_backward_inplace(bnn_tensor *const *dx, const bnn_tensor *dy,                \
                                      const bnn_tensor *y, const bnn_tensor *const *x, int n,     \
                                      const bnn_attr *attr) {                                     \
    if (dx[0] && dx[0]->data == dy->data)                                                         \
      NAME##_slopes_inplace(bnn_tensor_real(dx[0]), bnn_tensor_real(y), y->size);                 \
    else                                                                                          \
      NAME##_backward_set(dx, dy, y, x, n, attr);                                                 \
  }                                                                                               \
  UNARY_ROW(NAME, ARGUMENTS, DOC, EXAMPLE, NAME##_forward_inplace, NAME##_backward_inplace,       \
            .inplace = true, __VA_ARGS__)

/* What most rows share: no arguments, any x, tested on [LO, HI]. */
#define PLAIN(LO, HI) .infer = op_infer_same, .check = {.lo = LO, .hi = HI, .tol = 1e-7}

#endif
