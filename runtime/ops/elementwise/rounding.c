/* Whole numbers near a number, and what is asked of an element: is it NaN, is it finite, is it 0?
 *
 * A step's gradient is 0 where it has one.  Questions give 1 or 0 for numbers of any type and have
 * no gradient. */
#include "unary_rows.h"

/* clang-format off */
ARITHMETIC(floor, MAPPED(KEEP), "(x)", "the largest whole number that is not above x; gradient 0",
           "bnn.tensor{-1.5, 0.5, 2}:floor() --> {-2, 0, 2}", R(floor)(v), 0 * g, PLAIN(0.1, 0.9))
ARITHMETIC(ceil, MAPPED(KEEP), "(x)", "the smallest whole number that is not below x; gradient 0",
           "bnn.tensor{-1.5, 0.5, 2}:ceil() --> {-1, 1, 2}", R(ceil)(v), 0 * g, PLAIN(0.1, 0.9))
ARITHMETIC(round, MAPPED(KEEP), "(x)",
           "the whole number nearest to x, the even one of two (as NumPy's and PyTorch's); gradient 0",
           "bnn.tensor{-1.6, 0.5, 1.5, 2.5}:round() --> {-2, 0, 2, 2}", R(rint)(v), 0 * g,
           PLAIN(-0.4, 0.4))
ARITHMETIC(trunc, MAPPED(KEEP), "(x)", "x without its fraction; gradient 0",
           "bnn.tensor{-1.5, 0.5, 2}:trunc() --> {-1, 0, 2}", R(trunc)(v), 0 * g, PLAIN(0.1, 0.9))
/* clang-format on */

/* ---- questions ---- */

static bnn_status infer_question(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                                 bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(err);
  *y = x[0];
  y->dtype = BNN_REAL;
  return BNN_OK;
}

/* Compares x with a number, or with itself. */
static void compare_with(bnn_tensor *y, const bnn_tensor *x, const bnn_tensor *other,
                         comparison what) {
  const bnn_tensor *both[2] = {x, other};
  numbers_compare(y, both, what);
}

/* Of a tensor that is not real: a whole number equals itself, as does what is not NaN. */
static void is_nan_of(bnn_tensor *y, const bnn_tensor *x) { compare_with(y, x, x, COMPARE_NE); }

static void is_zero_of(bnn_tensor *y, const bnn_tensor *x) {
  bnn_real zero = 0;
  bnn_tensor scalar;
  bnn_tensor_init(&scalar, BNN_REAL, 0, NULL, &zero);
  compare_with(y, x, &scalar, COMPARE_EQ);
}

#define EACH_FLOAT(TYPE, WHICH)                                            \
  do {                                                                     \
    const TYPE *from = x->data;                                            \
    for (size_t i = 0; i < x->size; i++) to[i] = (bnn_real)WHICH(from[i]); \
  } while (0)

static void is_inf_of(bnn_tensor *y, const bnn_tensor *x) {
  bnn_real *to = bnn_tensor_real(y);
  if (x->dtype == BNN_F32)
    EACH_FLOAT(float, !!isinf);
  else if (x->dtype == BNN_F64)
    EACH_FLOAT(double, !!isinf);
  else
    for (size_t i = 0; i < y->size; i++) to[i] = 0;
}

static void is_finite_of(bnn_tensor *y, const bnn_tensor *x) {
  bnn_real *to = bnn_tensor_real(y);
  if (x->dtype == BNN_F32)
    EACH_FLOAT(float, !!isfinite);
  else if (x->dtype == BNN_F64)
    EACH_FLOAT(double, !!isfinite);
  else
    for (size_t i = 0; i < y->size; i++) to[i] = 1;
}

#define QUESTION(NAME, OTHERS, DOC, EXAMPLE, ANSWER)                                     \
  BNN_KERNEL NAME##_values(bnn_real *restrict y, const bnn_real *restrict x, size_t n) { \
    for (size_t i = 0; i < n; i++) {                                                     \
      const bnn_real v = x[i];                                                           \
      y[i] = (bnn_real)(ANSWER);                                                         \
    }                                                                                    \
  }                                                                                      \
  static void NAME##_forward(bnn_tensor *y, const bnn_tensor *const *x, int n,           \
                             const bnn_attr *attr) {                                     \
    BNN_UNUSED(n), BNN_UNUSED(attr);                                                     \
    if (x[0]->dtype == BNN_REAL)                                                         \
      NAME##_values(bnn_tensor_real(y), bnn_tensor_real(x[0]), y->size);                 \
    else                                                                                 \
      OTHERS(y, x[0]);                                                                   \
  }                                                                                      \
  BNN_OP(NAME) = {                                                                       \
      .name = #NAME,                                                                     \
      .doc = #NAME "(x): " DOC ", elementwise",                                          \
      .example = EXAMPLE,                                                                \
      .arity = 1,                                                                        \
      .any_numbers = true,                                                               \
      .infer = infer_question,                                                           \
      .rows = op_rows_same,                                                              \
      .forward = NAME##_forward,                                                         \
      .check = {.lo = -2, .hi = 2},                                                      \
  };

/* A number is finite where it less itself is 0. */
QUESTION(isnan, is_nan_of, "1 where x is NaN, else 0",
         "bnn.tensor{0, 0 / 0, 1 / 0}:isnan() --> {0, 1, 0}", v != v)
QUESTION(isinf, is_inf_of, "1 where x is infinite, else 0",
         "bnn.tensor{0, 0 / 0, -1 / 0}:isinf() --> {0, 0, 1}", v == v && v - v != 0)
QUESTION(isfinite, is_finite_of, "1 where x is neither NaN nor infinite, else 0",
         "bnn.tensor{0, 0 / 0, 1 / 0}:isfinite() --> {1, 0, 0}", v - v == 0)
QUESTION(logical_not, is_zero_of, "1 where x is 0, else 0",
         "bnn.tensor{0, 2, 0 / 0}:logical_not() --> {1, 0, 0}", v == 0)
