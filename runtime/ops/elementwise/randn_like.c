/* randn_like, rand_like: normals and uniforms in the shape of a tensor, drawn inside a program.
 *
 * Element i of the whole batch is element i of the key's sequence, so a block of rows gets what the
 * whole batch would, and bnn.randn(key, shape) the same numbers.  Only the shape of x matters: the
 * draw is a constant to gradients. */
#include "../../vec/vec.h"
#include "../op_help.h"

extern const bnn_vec BNN_ISA_NAME(bnn_vec_rows);

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  BNN_TRY(op_check_real(&x[0], "x", err));
  BNN_TRY(op_check_key(&x[1], err));
  *y = x[0];
  return BNN_OK;
}

static void draw(bnn_tensor *y, const bnn_tensor *const *x,
                 void (*fill)(bnn_real *out, bnn_key key, uint64_t from, size_t n)) {
  const bnn_key key = {*(const uint64_t *)x[1]->data};
  fill(bnn_tensor_real(y), key, x[0]->row0 * op_span(x[0]->dim, 1, x[0]->rank), y->size);
}

#define DRAW(NAME, SEQUENCE, DOC, EXAMPLE)                                                \
  static void NAME##_forward(bnn_tensor *y, const bnn_tensor *const *x, int n,            \
                             const bnn_attr *attr) {                                      \
    BNN_UNUSED(n), BNN_UNUSED(attr);                                                      \
    draw(y, x, BNN_ISA_NAME(bnn_vec_rows).SEQUENCE);                                      \
  }                                                                                       \
  BNN_OP(NAME) = {                                                                        \
      .name = #NAME,                                                                      \
      .doc = #NAME "(x, key): " DOC " in x's shape; the same key gives the same numbers", \
      .example = EXAMPLE,                                                                 \
      .arity = 2,                                                                         \
      .integers = true,                                                                   \
      .infer = infer,                                                                     \
      .rows = op_rows_noise,                                                              \
      .forward = NAME##_forward,                                                          \
      .check = {.lo = -1,                                                                 \
                .hi = 1,                                                                  \
                .in = {{2, {5, 4}, 0}, {0, {1}, BNN_U64}},                                \
                .first = 7,                                                               \
                .classes = 1},                                                            \
  };

DRAW(randn_like, normal, "standard normals", "bnn.zeros(2, 3):randn_like(bnn.key(1)) --> [2, 3]")
DRAW(rand_like, uniform, "uniforms in [0, 1)", "bnn.zeros(2, 3):rand_like(bnn.key(1)) --> [2, 3]")
