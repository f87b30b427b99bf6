/* integers.h - what elementwise ops and reductions do with integer tensors.
 *
 * Integers are exact.  Arithmetic is modulo 2^bits of the type, as NumPy's and C's unsigned numbers
 * are: what overflows wraps around.  Sums have 64 bits whatever they are sums of.  Comparisons are
 * of the numbers themselves, whatever the two types: -1 is less than every u64, and 2^24 + 1 of i32
 * is not the float 2^24.  Nothing here has a gradient. */
#ifndef BNN_OPS_INTEGERS_H
#define BNN_OPS_INTEGERS_H

#include "op.h"

#define integers_map BNN_ISA_NAME(bnn_integers_map)
#define integers_clamp BNN_ISA_NAME(bnn_integers_clamp)
#define integers_pick BNN_ISA_NAME(bnn_integers_pick)
#define integers_reduce BNN_ISA_NAME(bnn_integers_reduce)
#define integers_extreme BNN_ISA_NAME(bnn_integers_extreme)
#define numbers_compare BNN_ISA_NAME(bnn_numbers_compare)
#define numbers_logical BNN_ISA_NAME(bnn_numbers_logical)

static inline bool is_integer(bnn_dtype dtype) { return dtype != BNN_F32 && dtype != BNN_F64; }

/* X(tag, C type) of the integer types. */
#define INTEGER_ROWS(X) X(U8, uint8_t) X(I32, int32_t) X(I64, int64_t) X(U64, uint64_t)

/* Results for elements u and v, in the type of theirs. */
typedef enum integer_map {
  INTEGER_ADD,
  INTEGER_SUB,
  INTEGER_MUL,
  INTEGER_MAXIMUM,
  INTEGER_MINIMUM,
  INTEGER_NEG,
  INTEGER_ABS,
  INTEGER_SIGN,
  INTEGER_SQUARE,
  INTEGER_KEEP,
  INTEGER_FMOD,
  INTEGER_REMAINDER,
  INTEGER_FLOOR_DIVIDE,
  INTEGER_MAPS
} integer_map;

/* y = f(x[0]) or f(x[0], x[1]), broadcasting; y and all x are of one integer type.  What is divided
 * by 0 is 0. */
void integers_map(bnn_tensor *y, const bnn_tensor *const *x, int n, integer_map what);

/* y = x within [lo, hi]; the bounds are whole numbers or infinite. */
void integers_clamp(bnn_tensor *y, const bnn_tensor *x, double lo, double hi);

/* y = a where the real x[0] is not 0, else b: x = {cond, a, b}. */
void integers_pick(bnn_tensor *y, const bnn_tensor *const *x);

typedef enum integer_fold {
  INTEGER_SUM,
  INTEGER_PROD,
  INTEGER_MAX,
  INTEGER_MIN,
  INTEGER_ANY,
  INTEGER_ALL
} integer_fold;

/* y = the fold of x over the axes that `kept` (y's header with the reduced axes as 1) repeats; of ANY and
 * ALL, real numbers 1 or 0. */
void integers_reduce(const bnn_tensor *kept, const bnn_tensor *x, integer_fold what);

/* The type of a sum: 64 bits, with a sign where the elements have one (NumPy's; u8 sums in i64, as
 * torch's do). */
static inline bnn_dtype integers_sum_type(bnn_dtype dtype) {
  return !is_integer(dtype) || dtype == BNN_U64 ? dtype : BNN_I64;
}

/* The position, from 0, of the first largest (sign 1) or smallest (-1) of n elements of x from
 * element `at` on, `stride` apart. */
size_t integers_extreme(const bnn_tensor *x, size_t at, size_t n, size_t stride, int sign);

typedef enum comparison {
  COMPARE_EQ,
  COMPARE_NE,
  COMPARE_LT,
  COMPARE_LE,
  COMPARE_GT,
  COMPARE_GE
} comparison;

/* y = 1 where x[0] and x[1], of any types, compare so, else 0. */
void numbers_compare(bnn_tensor *y, const bnn_tensor *const *x, comparison what);

typedef enum conjunction { LOGICAL_AND, LOGICAL_OR, LOGICAL_XOR } conjunction;

/* y = 1 where that holds of x[0] and x[1], of any types, of which all but 0 is true, else 0. */
void numbers_logical(bnn_tensor *y, const bnn_tensor *const *x, conjunction what);

#endif
