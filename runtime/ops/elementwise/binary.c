/* Elementwise ops of two inputs with NumPy's broadcasting: the formulas of value and gradients, and
 * nothing else; walk.h loops.  u and v are elements of a and b, r is the result, g is dy.
 *
 * maximum and minimum share their gradient equally between equal arguments, as reductions do; where
 * either argument is NaN so is the result.  Comparisons give 1 or 0 and have no gradient; every
 * comparison with NaN but `ne` gives 0.  What integers do is in integers.h. */
#include "../../vec/vec_math.h"
#include "../integers.h"
#include "../op_help.h"
#include "../walk.h"

/* libm's pow is a hundred times a product's cost, and squares are what powers mostly are. */
static inline bnn_real power(bnn_real u, bnn_real v) {
  return v == 2 ? u * u : v == 1 ? u : R(pow)(u, v);
}

/* d u^v/dv: 0 at u = 0 for v >= 0, where u^v log u tends to 0 (v > 0) or is cut there (v = 0). */
static inline bnn_real power_slope(bnn_real u, bnn_real v, bnn_real r) {
  return u == 0 && v >= 0 ? 0 : r * R(log)(u);
}

/* u log v, 0 for u = 0 whatever v is but NaN; and its slope in v. */
static inline bnn_real xlogy(bnn_real u, bnn_real v) {
  const bnn_real r = u * vm_log(v);
  return u == 0 && v == v ? 0 : r;
}
static inline bnn_real xlogy_slope(bnn_real u, bnn_real v) { return u == 0 && v == v ? 0 : u / v; }
/* Its slope in u: 0 where u is 0 and log v is -infinity or NaN, as PyTorch has it. */
static inline bnn_real xlogy_slope_u(bnn_real u, bnn_real v) {
  return u == 0 && v <= 0 ? 0 : vm_log(v);
}

/* log(e^u + e^v), by the larger one; equal infinities are not subtracted.  Its slope in u, e^(u - r),
 * is a sigmoid of the difference: no rounding of r is in it. */
static inline bnn_real logaddexp(bnn_real u, bnn_real v) {
  const bnn_real apart = u == v ? 0 : R(fabs)(u - v), most = u < v ? v : u;
  return most + vm_log1p(vm_exp(-apart));
}
static inline bnn_real logaddexp_slope(bnn_real u, bnn_real v) {
  return vm_sigmoid(u == v ? 0 : u - v);
}

static inline bnn_real larger(bnn_real u, bnn_real v) { return u > v || u != u ? u : v; }
static inline bnn_real smaller(bnn_real u, bnn_real v) { return u < v || u != u ? u : v; }

/* u's share of a gradient when the larger one takes it. */
static inline bnn_real share(bnn_real u, bnn_real v) {
  return u == v ? (bnn_real)0.5 : u < v ? 0 : 1;
}

#define VALUE(NAME, FORMULA)                                                                  \
  BNN_KERNEL NAME##_value(bnn_real *restrict y, const bnn_real *restrict a,                   \
                          const bnn_real *restrict b, const bnn_real *restrict c, size_t n) { \
    BNN_UNUSED(c);                                                                            \
    for (size_t i = 0; i < n; i++) {                                                          \
      const bnn_real u = a[i], v = b[i];                                                      \
      y[i] = FORMULA;                                                                         \
    }                                                                                         \
  }                                                                                           \
  static void NAME##_forward(bnn_tensor *y, const bnn_tensor *const *x, int n,                \
                             const bnn_attr *attr) {                                          \
    BNN_UNUSED(attr);                                                                         \
    walk_map(y, x, n, NAME##_value);                                                          \
  }

#define SLOPE(NAME, WHICH, FORMULA)                                                             \
  BNN_KERNEL NAME##_##WHICH(bnn_real *restrict d, const bnn_real *restrict dy,                  \
                            const bnn_real *restrict y, const bnn_real *restrict a,             \
                            const bnn_real *restrict b, const bnn_real *restrict c, size_t n) { \
    BNN_UNUSED(c);                                                                              \
    for (size_t i = 0; i < n; i++) {                                                            \
      const bnn_real u = a[i], v = b[i], r = y[i], g = dy[i];                                   \
      BNN_UNUSED(u), BNN_UNUSED(v), BNN_UNUSED(r);                                              \
      d[i] += FORMULA;                                                                          \
    }                                                                                           \
  }

#define ROW(NAME, DOC, EXAMPLE, FORWARD, BACKWARD, ...)              \
  BNN_OP(NAME) = {                                                   \
      .name = #NAME,                                                 \
      .doc = #NAME "(a, b): " DOC ", elementwise with broadcasting", \
      .example = EXAMPLE,                                            \
      .arity = 2,                                                    \
      .rows = op_rows_broadcast,                                     \
      .forward = FORWARD,                                            \
      .backward = BACKWARD,                                          \
      __VA_ARGS__,                                                   \
  };

/* An op's value and the gradients with respect to a and b. */
#define BINARY_PARTS(NAME, FORMULA, SLOPE_A, SLOPE_B)                                           \
  VALUE(NAME, FORMULA)                                                                          \
  SLOPE(NAME, da, SLOPE_A)                                                                      \
  SLOPE(NAME, db, SLOPE_B)                                                                      \
  static void NAME##_backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y, \
                              const bnn_tensor *const *x, int n, const bnn_attr *attr) {        \
    BNN_UNUSED(attr);                                                                           \
    if (dx[0]) walk_grad(dx[0], 0, dy, y, x, n, NAME##_da);                                     \
    if (dx[1]) walk_grad(dx[1], 1, dy, y, x, n, NAME##_db);                                     \
  }

/* An op of real numbers. */
#define BINARY(NAME, DOC, EXAMPLE, FORMULA, SLOPE_A, SLOPE_B, ...)                      \
  BINARY_PARTS(NAME, FORMULA, SLOPE_A, SLOPE_B)                                         \
  ROW(NAME, DOC, EXAMPLE, NAME##_forward, NAME##_backward, .infer = op_infer_broadcast, \
      .check = {__VA_ARGS__})

/* And of integers of one type. */
#define WITH_INTEGERS(NAME, WHAT, FORMULA, SLOPE_A, SLOPE_B)                   \
  BINARY_PARTS(NAME, FORMULA, SLOPE_A, SLOPE_B)                                \
  static void NAME##_numbers(bnn_tensor *y, const bnn_tensor *const *x, int n, \
                             const bnn_attr *attr) {                           \
    if (is_integer(y->dtype))                                                  \
      integers_map(y, x, n, WHAT);                                             \
    else                                                                       \
      NAME##_forward(y, x, n, attr);                                           \
  }

#define ARITHMETIC(NAME, WHAT, DOC, EXAMPLE, FORMULA, SLOPE_A, SLOPE_B, ...)   \
  WITH_INTEGERS(NAME, WHAT, FORMULA, SLOPE_A, SLOPE_B)                         \
  ROW(NAME, DOC, EXAMPLE, NAME##_numbers, NAME##_backward, .arithmetic = true, \
      .infer = op_infer_broadcast, .check = {__VA_ARGS__})

/* The same for what has no integer of a divisor 0; tested between two jumps. */
#define QUOTIENT(NAME, WHAT, DOC, EXAMPLE, FORMULA, SLOPE_A, SLOPE_B)          \
  WITH_INTEGERS(NAME, WHAT, FORMULA, SLOPE_A, SLOPE_B)                         \
  ROW(NAME, DOC, EXAMPLE, NAME##_numbers, NAME##_backward, .arithmetic = true, \
      .infer = op_infer_broadcast, .verify = verify_divisor,                   \
      .check = {.tol = 1e-8, .range = {{2.2, 2.7}, {0.95, 1.05}}})

static bnn_status infer_comparison(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                                   bnn_err *err) {
  bnn_shape to;
  BNN_TRY(op_infer_broadcast(&to, x, n, attr, err));
  to.dtype = BNN_REAL;
  *y = to;
  return BNN_OK;
}

/* An integer divided by 0 is no number. */
static bnn_status verify_divisor(const bnn_tensor *const *x, int n, const bnn_attr *attr,
                                 bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  static const char zero[sizeof(uint64_t)];
  const size_t size = bnn_dtype_size(x[1]->dtype);
  for (size_t i = 0; is_integer(x[1]->dtype) && i < x[1]->size; i++)
    if (memcmp((const char *)x[1]->data + i * size, zero, size) == 0)
      return bnn_fail(err, BNN_ERANGE, "b: element %zu is 0: integers cannot be divided by it",
                      i + 1);
  return BNN_OK;
}

/* As Lua's % and //. */
static inline bnn_real remainder_of(bnn_real u, bnn_real v) {
  const bnn_real r = R(fmod)(u, v);
  return r != 0 && (r < 0) != (v < 0) ? r + v : r;
}

#define COMPARISON(NAME, WHAT, DOC, EXAMPLE, OPERATOR)                                          \
  VALUE(NAME, (bnn_real)(u OPERATOR v))                                                         \
  static void NAME##_numbers(bnn_tensor *y, const bnn_tensor *const *x, int n,                  \
                             const bnn_attr *attr) {                                            \
    if (x[0]->dtype != BNN_REAL || x[1]->dtype != BNN_REAL)                                     \
      numbers_compare(y, x, WHAT);                                                              \
    else                                                                                        \
      NAME##_forward(y, x, n, attr);                                                            \
  }                                                                                             \
  ROW(NAME, DOC, EXAMPLE, NAME##_numbers, NULL, .any_numbers = true, .infer = infer_comparison, \
      .check = {.lo = -2, .hi = 2})

/* clang-format off */
ARITHMETIC(add, INTEGER_ADD, "a + b; integers of one type wrap around",
           "bnn.add(bnn.ones(2, 3), bnn.tensor{1, 2, 3}) --> {{2, 3, 4}, {2, 3, 4}}",
           u + v, g, g, .lo = -2, .hi = 2, .tol = 1e-8)
ARITHMETIC(sub, INTEGER_SUB, "a - b; integers of one type wrap around",
           "bnn.tensor{1, 2, 3}:sub(1) --> {0, 1, 2}",
           u - v, g, -g, .lo = -2, .hi = 2, .tol = 1e-8)
ARITHMETIC(mul, INTEGER_MUL, "a * b; integers of one type wrap around",
           "bnn.tensor{1, 2, 3}:mul{3, 2, 1} --> {3, 4, 3}",
           u * v, g * v, g * u, .lo = -2, .hi = 2, .tol = 1e-8)
BINARY(div, "a / b", "bnn.tensor{1, 2}:div(4) --> {0.25, 0.5}",
       u / v, g / v, -g * (u / v) / v, .lo = 0.5, .hi = 2, .tol = 1e-8)
BINARY(pow, "a ^ b", "bnn.pow(2, bnn.tensor{0, 1, 3}) --> {1, 2, 8}",
       power(u, v), v == 0 ? 0 : g * v * power(u, v - 1), g * power_slope(u, v, r),
       .lo = 0.5, .hi = 2.5, .tol = 1e-8)
BINARY(xlogy, "a log b, 0 where a is 0, and so is its gradient there if b is not above 0", "bnn.xlogy({0, 2}, {0, 3}) --> {0, 2.1972}",
       xlogy(u, v), g * xlogy_slope_u(u, v), g * xlogy_slope(u, v), .lo = 0.5, .hi = 2.5, .tol = 1e-8)
BINARY(logaddexp, "log(e^a + e^b), without overflow",
       "bnn.logaddexp({0, 1000}, {0, 1000}) --> {0.6931, 1000.6931}",
       logaddexp(u, v), g * logaddexp_slope(u, v), g * logaddexp_slope(v, u),
       .lo = -3, .hi = 3, .tol = 1e-8)
QUOTIENT(fmod, INTEGER_FMOD, "what is left of a after whole multiples of b, with a's sign, as C's",
           "bnn.tensor{7, -7}:fmod(3) --> {1, -1}",
           R(fmod)(u, v), g, -g * R(trunc)(u / v))
QUOTIENT(remainder, INTEGER_REMAINDER,
           "what is left of a after whole multiples of b, with b's sign; Lua's a % b",
           "bnn.tensor{7, -7}:remainder(3) --> {1, 2}",
           remainder_of(u, v), g, -g * R(floor)(u / v))
QUOTIENT(floor_divide, INTEGER_FLOOR_DIVIDE,
           "the largest whole number that is not above a / b; gradient 0; Lua's a // b",
           "bnn.tensor{7, -7}:floor_divide(3) --> {2, -3}",
           R(floor)(u / v), 0 * g, 0 * g)
ARITHMETIC(maximum, INTEGER_MAXIMUM,
           "the larger of a and b; NaN if either is NaN; ties share the gradient equally",
           "bnn.tensor{1, 5}:maximum(3) --> {3, 5}",
           larger(u, v), g * share(u, v), g * share(v, u), .lo = -2, .hi = 2, .tol = 1e-8)
ARITHMETIC(minimum, INTEGER_MINIMUM,
           "the smaller of a and b; NaN if either is NaN; ties share the gradient equally",
           "bnn.tensor{1, 5}:minimum(3) --> {1, 3}",
           smaller(u, v), g * share(v, u), g * share(u, v), .lo = -2, .hi = 2, .tol = 1e-8)

COMPARISON(eq, COMPARE_EQ, "1 where a = b, else 0; compares the values of any two types",
           "bnn.tensor{1, 2, 3}:eq(2) --> {0, 1, 0}", ==)
COMPARISON(ne, COMPARE_NE, "1 where a and b differ, else 0; compares the values of any two types",
           "bnn.tensor{1, 2, 3}:ne(2) --> {1, 0, 1}", !=)
COMPARISON(lt, COMPARE_LT, "1 where a < b, else 0; compares the values of any two types",
           "bnn.tensor{1, 2, 3}:lt(2) --> {1, 0, 0}", <)
COMPARISON(le, COMPARE_LE, "1 where a <= b, else 0; compares the values of any two types",
           "bnn.tensor{1, 2, 3}:le(2) --> {1, 1, 0}", <=)
COMPARISON(gt, COMPARE_GT, "1 where a > b, else 0; compares the values of any two types",
           "bnn.tensor{1, 2, 3}:gt(2) --> {0, 0, 1}", >)
COMPARISON(ge, COMPARE_GE, "1 where a >= b, else 0; compares the values of any two types",
           "bnn.tensor{1, 2, 3}:ge(2) --> {0, 1, 1}", >=)
/* clang-format on */

#define LOGICAL(NAME, WHAT, DOC, EXAMPLE, ANSWER)                                               \
  VALUE(NAME, (bnn_real)(ANSWER))                                                               \
  static void NAME##_numbers(bnn_tensor *y, const bnn_tensor *const *x, int n,                  \
                             const bnn_attr *attr) {                                            \
    if (x[0]->dtype != BNN_REAL || x[1]->dtype != BNN_REAL)                                     \
      numbers_logical(y, x, WHAT);                                                              \
    else                                                                                        \
      NAME##_forward(y, x, n, attr);                                                            \
  }                                                                                             \
  ROW(NAME, DOC, EXAMPLE, NAME##_numbers, NULL, .any_numbers = true, .infer = infer_comparison, \
      .check = {.lo = -2, .hi = 2})

/* clang-format off */
LOGICAL(logical_and, LOGICAL_AND, "1 where a and b are not 0, else 0; of any two types",
        "bnn.tensor{0, 1, 2}:logical_and{1, 0, 3} --> {0, 0, 1}", u != 0 && v != 0)
LOGICAL(logical_or, LOGICAL_OR, "1 where a or b is not 0, else 0; of any two types",
        "bnn.tensor{0, 1, 0}:logical_or{0, 0, 3} --> {0, 1, 1}", u != 0 || v != 0)
LOGICAL(logical_xor, LOGICAL_XOR, "1 where one of a and b is 0 and the other is not, else 0; of any two types",
        "bnn.tensor{0, 1, 2}:logical_xor{0, 0, 3} --> {0, 1, 0}", (u != 0) != (v != 0))
/* clang-format on */
