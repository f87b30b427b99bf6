/* real: integers (labels, counts, bytes) as real numbers, each the nearest one; no gradient.  Lua
 * calls it as x:real() and x:to(type) while a program is recorded. */
#include "../integers.h"
#include "../op_help.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  if (!is_integer(x->dtype))
    return bnn_fail(err, BNN_ETYPE, "x: expected an integer type, got %s",
                    bnn_dtype_name(x->dtype));
  *y = bnn_shape_make(BNN_REAL, x->rank, x->dim);
  return BNN_OK;
}

#define FROM(NAME, TYPE)                                                           \
  BNN_KERNEL from_##NAME(bnn_real *restrict y, const TYPE *restrict x, size_t n) { \
    for (size_t i = 0; i < n; i++) y[i] = (bnn_real)x[i];                          \
  }
FROM(u8, uint8_t)
FROM(i32, int32_t)
FROM(i64, int64_t)
FROM(u64, uint64_t)
#undef FROM

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  bnn_real *to = bnn_tensor_real(y);
  switch (x[0]->dtype) {
  case BNN_U8: from_u8(to, x[0]->data, y->size); break;
  case BNN_I32: from_i32(to, x[0]->data, y->size); break;
  case BNN_I64: from_i64(to, x[0]->data, y->size); break;
  default: from_u64(to, x[0]->data, y->size);
  }
}

BNN_OP(real) = {
    .name = "real",
    .doc = "real(x): integers as real numbers, elementwise",
    .arity = 1,
    .integers = true,
    .internal = true,
    .infer = infer,
    .rows = op_rows_same,
    .forward = forward,
    .check = {.in = {{2, {3, 4}, BNN_I32}}, .first = 5, .classes = 7},
};
