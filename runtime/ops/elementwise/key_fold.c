/* key_fold: a key derived from a key inside a program, so that a program whose key is an input
 * makes keys of its own by meaning (key.h). */
#include "../../tensor/key.h"
#include "../op_help.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  BNN_TRY(op_check_key(&x[0], err));
  *y = x[0];
  return BNN_OK;
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const bnn_key key = {*(const uint64_t *)x[0]->data};
  *(uint64_t *)y->data = bnn_key_mix(key, attr->fold, attr->domain).bits;
}

BNN_OP(key_fold) = {
    .name = "key_fold",
    .doc = "key_fold(key): the key folded with a number or a name",
    .arity = 1,
    .integers = true,
    .internal = true,
    .infer = infer,
    .forward = forward,
    .check = {.in = {{0, {1}, BNN_U64}}, .first = 7, .classes = 1},
};
