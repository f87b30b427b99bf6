/* stop_gradient: the same numbers, as a constant to the gradient (PyTorch's detach). */
#include <string.h>

#include "../op_help.h"

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  if (y->size > 0) memcpy(bnn_tensor_real(y), bnn_tensor_real(x[0]), y->size * sizeof(bnn_real));
}

BNN_OP(stop_gradient) = {
    .name = "stop_gradient",
    .doc = "stop_gradient(x): x itself, which gradients take for a constant",
    .example = "bnn.grad(function(x) return x * bnn.stop_gradient(x) end)(3) --> 3",
    .arity = 1,
    .infer = op_infer_same,
    .rows = op_rows_same,
    .forward = forward,
    .check = {.lo = -2, .hi = 2},
};
