/* dropout (Srivastava et al. 2014): each element is kept with probability 1 - p and then divided by
 * it, else 0.
 *
 * Element i of the whole batch is kept when the key's uniform number i is p or more.  So a block of
 * rows drops what the whole batch would, and backward makes the mask again instead of keeping it.
 */
#include "../../vec/vec.h"
#include "../op_help.h"

extern const bnn_vec BNN_ISA_NAME(bnn_vec_rows);

enum { CHUNK = 512 };

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  BNN_TRY(op_check_real(&x[0], "x", err));
  BNN_TRY(op_check_key(&x[1], err));
  if (!(attr->number[0] >= 0 && attr->number[0] < 1))
    return bnn_fail(err, BNN_ERANGE, "p: expected 0 <= p < 1, got %g", attr->number[0]);
  *y = x[0];
  return BNN_OK;
}

BNN_KERNEL drop(bnn_real *restrict y, const bnn_real *restrict x, const bnn_real *restrict u,
                bnn_real p, bnn_real scale, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = u[i] < p ? 0 : x[i] * scale;
}

BNN_KERNEL drop_add(bnn_real *restrict y, const bnn_real *restrict x, const bnn_real *restrict u,
                    bnn_real p, bnn_real scale, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += u[i] < p ? 0 : x[i] * scale;
}

/* `of` has the rows and the place in the batch; to and from are arrays of its size. */
static void run(bnn_real *to, const bnn_real *from, const bnn_tensor *of, const bnn_tensor *key,
                const bnn_attr *attr,
                void (*f)(bnn_real *restrict, const bnn_real *, const bnn_real *, bnn_real,
                          bnn_real, size_t)) {
  const bnn_real p = (bnn_real)attr->number[0], scale = (bnn_real)(1 / (1 - attr->number[0]));
  const bnn_key bits = {*(const uint64_t *)key->data};
  const uint64_t first = of->row0 * op_span(of->dim, 1, of->rank);
  for (size_t i = 0; i < of->size; i += CHUNK) {
    bnn_real u[CHUNK];
    const size_t n = of->size - i < CHUNK ? of->size - i : CHUNK;
    BNN_ISA_NAME(bnn_vec_rows).uniform(u, bits, first + i, n);
    f(to + i, from + i, u, p, scale, n);
  }
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  run(bnn_tensor_real(y), bnn_tensor_real(x[0]), x[0], x[1], attr, drop);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  if (dx[0]) run(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), x[0], x[1], attr, drop_add);
}

BNN_OP(dropout) = {
    .name = "dropout",
    .doc = "dropout(x, key, p): keeps each element of x with probability 1 - p, divided "
           "by 1 - p, and sets the others to 0; the key decides which",
    .example = "bnn.ones(4):dropout(bnn.key(1), 0.5) --> [4], each 0 or 2",
    .arity = 2,
    .args = "r",
    .integers = true,
    .infer = infer,
    .rows = op_rows_noise,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{2, {5, 4}, 0}, {0, {1}, BNN_U64}},
              .attr = {.number = {0.4}},
              .first = 7,
              .classes = 1},
};
