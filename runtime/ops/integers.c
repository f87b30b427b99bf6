/* integers.c - see integers.h.  Loops are walk.h's; an operand that stands still along the inner
 * loop has a step of 0. */
#include "integers.h"

#include <math.h>
#include <string.h>

#include "walk.h"

/* n elements of an inner loop: y[i] from element i * step[k] of in[k]. */
typedef void integer_loop(void *y, const void *const *in, const size_t *step, size_t n);

static void walk_loop(bnn_tensor *y, const bnn_tensor *const *x, int n, integer_loop *f) {
  if (y->size == 0) return;
  walk w;
  walk_init(&w, y, x, n);
  walk_cursor c = {0};
  const size_t rows = walk_count(&w, 0, w.rank), size = bnn_dtype_size(y->dtype);
  size_t step[WALK_INPUTS];
  for (int k = 0; k < n; k++) step[k] = !w.still[k + 1];
  for (size_t r = 0; r < rows; r++, walk_next(&c, &w, 0, w.rank)) {
    const void *in[WALK_INPUTS];
    for (int k = 0; k < n; k++)
      in[k] = (const char *)x[k]->data + c.at[k + 1] * bnn_dtype_size(x[k]->dtype);
    f((char *)y->data + c.at[0] * size, in, step, w.inner);
  }
}

/* ---- arithmetic ---- */

/* Sums and products are those of 64-bit numbers without a sign, cut to the type: modulo 2^bits, and
 * never undefined. */
#define WRAPPED(u, OPERATOR, v) ((uint64_t)(u)OPERATOR(uint64_t)(v))

#define BINARY_LOOP(NAME, TAG, TYPE, FORMULA)                                              \
  static void NAME##_##TAG(void *y, const void *const *in, const size_t *step, size_t n) { \
    TYPE *to = y;                                                                          \
    const TYPE *a = in[0], *b = in[1];                                                     \
    for (size_t i = 0; i < n; i++) {                                                       \
      const TYPE u = a[i * step[0]], v = b[i * step[1]];                                   \
      to[i] = (TYPE)(FORMULA);                                                             \
    }                                                                                      \
  }

#define UNARY_LOOP(NAME, TAG, TYPE, FORMULA)                                               \
  static void NAME##_##TAG(void *y, const void *const *in, const size_t *step, size_t n) { \
    TYPE *to = y;                                                                          \
    const TYPE *a = in[0], zero = 0;                                                       \
    BNN_UNUSED(zero);                                                                      \
    for (size_t i = 0; i < n; i++) {                                                       \
      const TYPE u = a[i * step[0]];                                                       \
      to[i] = (TYPE)(FORMULA);                                                             \
    }                                                                                      \
  }

/* Quotients, as numbers of 64 bits.  The least of signed numbers has no quotient by -1: it wraps. */
static inline int64_t fmod_signed(int64_t u, int64_t v) { return v == 0 || v == -1 ? 0 : u % v; }
static inline uint64_t fmod_unsigned(uint64_t u, uint64_t v) { return v == 0 ? 0 : u % v; }
static inline int64_t remainder_signed(int64_t u, int64_t v) {
  const int64_t r = fmod_signed(u, v);
  return r != 0 && (r < 0) != (v < 0) ? r + v : r;
}
static inline int64_t quotient_signed(int64_t u, int64_t v) {
  if (v == 0) return 0;
  if (v == -1) return (int64_t)WRAPPED(0, -, u);
  return u / v - (u % v != 0 && (u < 0) != (v < 0));
}
static inline uint64_t quotient_unsigned(uint64_t u, uint64_t v) { return v == 0 ? 0 : u / v; }

#define BY_SIGN(NAME, UNSIGNED, u, v) \
  _Generic((u), uint64_t : UNSIGNED, default : NAME##_signed)((u), (v))

#define LOOPS(TAG, TYPE)                                                     \
  BINARY_LOOP(add, TAG, TYPE, WRAPPED(u, +, v))                              \
  BINARY_LOOP(sub, TAG, TYPE, WRAPPED(u, -, v))                              \
  BINARY_LOOP(mul, TAG, TYPE, WRAPPED(u, *, v))                              \
  BINARY_LOOP(maximum, TAG, TYPE, u > v ? u : v)                             \
  BINARY_LOOP(minimum, TAG, TYPE, u < v ? u : v)                             \
  UNARY_LOOP(neg, TAG, TYPE, WRAPPED(0, -, u))                               \
  UNARY_LOOP(abs, TAG, TYPE, u < zero ? WRAPPED(0, -, u) : (uint64_t)u)      \
  UNARY_LOOP(sign, TAG, TYPE, (u > zero) - (u < zero))                       \
  UNARY_LOOP(square, TAG, TYPE, WRAPPED(u, *, u))                            \
  UNARY_LOOP(keep, TAG, TYPE, u)                                             \
  BINARY_LOOP(fmod, TAG, TYPE, BY_SIGN(fmod, fmod_unsigned, u, v))           \
  BINARY_LOOP(remainder, TAG, TYPE, BY_SIGN(remainder, fmod_unsigned, u, v)) \
  BINARY_LOOP(floor_divide, TAG, TYPE, BY_SIGN(quotient, quotient_unsigned, u, v))
INTEGER_ROWS(LOOPS)

void integers_map(bnn_tensor *y, const bnn_tensor *const *x, int n, integer_map what) {
  switch (y->dtype) {
#define X(TAG, TYPE)                                                                  \
  case BNN_##TAG: {                                                                   \
    static integer_loop *const loop[INTEGER_MAPS] = {                                 \
        add_##TAG,  sub_##TAG,       mul_##TAG,         maximum_##TAG, minimum_##TAG, \
        neg_##TAG,  abs_##TAG,       sign_##TAG,        square_##TAG,  keep_##TAG,    \
        fmod_##TAG, remainder_##TAG, floor_divide_##TAG};                             \
    walk_loop(y, x, n, loop[what]);                                                   \
    break;                                                                            \
  }
    INTEGER_ROWS(X)
#undef X
  default: break;
  }
}

/* The bounds are first moved into the type's own range, which keeps their order. */
#define CLAMP(TAG, TYPE, LOWEST, HIGHEST)                                                   \
  static void clamp_##TAG(TYPE *y, const TYPE *x, double lo, double hi, size_t n) {         \
    const TYPE least = lo <= (double)(LOWEST)    ? (LOWEST)                                 \
                       : lo >= (double)(HIGHEST) ? (HIGHEST)                                \
                                                 : (TYPE)lo;                                \
    const TYPE most = hi >= (double)(HIGHEST)  ? (HIGHEST)                                  \
                      : hi <= (double)(LOWEST) ? (LOWEST)                                   \
                                               : (TYPE)hi;                                  \
    for (size_t i = 0; i < n; i++) y[i] = x[i] < least ? least : x[i] > most ? most : x[i]; \
  }
CLAMP(U8, uint8_t, 0, UINT8_MAX)
CLAMP(I32, int32_t, INT32_MIN, INT32_MAX)
CLAMP(I64, int64_t, INT64_MIN, INT64_MAX)
CLAMP(U64, uint64_t, 0, UINT64_MAX)

void integers_clamp(bnn_tensor *y, const bnn_tensor *x, double lo, double hi) {
  switch (y->dtype) {
#define X(TAG, TYPE) \
  case BNN_##TAG: clamp_##TAG(y->data, x->data, lo, hi, y->size); break;
    INTEGER_ROWS(X)
#undef X
  default: break;
  }
}

#define PICK(TAG, TYPE)                                                                  \
  static void pick_##TAG(void *y, const void *const *in, const size_t *step, size_t n) { \
    TYPE *to = y;                                                                        \
    const bnn_real *cond = in[0];                                                        \
    const TYPE *a = in[1], *b = in[2];                                                   \
    for (size_t i = 0; i < n; i++)                                                       \
      to[i] = cond[i * step[0]] != 0 ? a[i * step[1]] : b[i * step[2]];                  \
  }
INTEGER_ROWS(PICK)

void integers_pick(bnn_tensor *y, const bnn_tensor *const *x) {
  switch (y->dtype) {
#define X(TAG, TYPE) \
  case BNN_##TAG: walk_loop(y, x, 3, pick_##TAG); break;
    INTEGER_ROWS(X)
#undef X
  default: break;
  }
}

/* ---- reductions ---- */

/* acc = the fold of acc and n elements. */
#define FOLD(NAME, TAG, TYPE, RESULT, FORMULA)                              \
  static void NAME##_##TAG(void *y, size_t step, const void *x, size_t n) { \
    RESULT *to = y;                                                         \
    const TYPE *from = x;                                                   \
    for (size_t i = 0; i < n; i++) {                                        \
      const RESULT u = to[i * step];                                        \
      const TYPE v = from[i];                                               \
      to[i * step] = (RESULT)(FORMULA);                                     \
    }                                                                       \
  }
#define FOLDS(TAG, TYPE)                                \
  FOLD(fold_max, TAG, TYPE, TYPE, v > u ? v : u)        \
  FOLD(fold_min, TAG, TYPE, TYPE, v < u ? v : u)        \
  FOLD(fold_any, TAG, TYPE, bnn_real, u != 0 || v != 0) \
  FOLD(fold_all, TAG, TYPE, bnn_real, u != 0 && v != 0)
INTEGER_ROWS(FOLDS)
FOLD(fold_sum, U8, uint8_t, int64_t, WRAPPED(u, +, v))
FOLD(fold_sum, I32, int32_t, int64_t, WRAPPED(u, +, v))
FOLD(fold_sum, I64, int64_t, int64_t, WRAPPED(u, +, v))
FOLD(fold_sum, U64, uint64_t, uint64_t, WRAPPED(u, +, v))
FOLD(fold_prod, U8, uint8_t, int64_t, WRAPPED(u, *, v))
FOLD(fold_prod, I32, int32_t, int64_t, WRAPPED(u, *, v))
FOLD(fold_prod, I64, int64_t, int64_t, WRAPPED(u, *, v))
FOLD(fold_prod, U64, uint64_t, uint64_t, WRAPPED(u, *, v))

typedef void integer_folding(void *y, size_t step, const void *x, size_t n);

static integer_folding *folding(bnn_dtype dtype, integer_fold what) {
  switch (dtype) {
#define X(TAG, TYPE)                                                                          \
  case BNN_##TAG: {                                                                           \
    static integer_folding *const fold[] = {fold_sum_##TAG, fold_prod_##TAG, fold_max_##TAG,  \
                                            fold_min_##TAG, fold_any_##TAG,  fold_all_##TAG}; \
    return fold[what];                                                                        \
  }
    INTEGER_ROWS(X)
#undef X
  default: return NULL;
  }
}

/* An extreme starts from the first element that is folded into it: its place in x along every
 * reduced axis is 0. */
static void start_extremes(const bnn_tensor *kept, const bnn_tensor *x) {
  const size_t size = bnn_dtype_size(x->dtype);
  for (size_t i = 0; i < kept->size; i++) {
    size_t left = i, at = 0, span = 1;
    for (int k = x->rank - 1; k >= 0; k--) {
      at += left % kept->dim[k] * span;
      left /= kept->dim[k];
      span *= x->dim[k];
    }
    memcpy((char *)kept->data + i * size, (const char *)x->data + at * size, size);
  }
}

/* Every element of y is 0 or 1. */
static void start_from(const bnn_tensor *y, int value) {
  for (size_t i = 0; i < y->size; i++)
    if (is_integer(y->dtype))
      ((int64_t *)y->data)[i] = value; /* of 64 bits, with a sign or without */
    else
      bnn_tensor_real(y)[i] = (bnn_real)value;
}

void integers_reduce(const bnn_tensor *kept, const bnn_tensor *x, integer_fold what) {
  if (kept->size == 0) return;
  const size_t to_size = bnn_dtype_size(kept->dtype), size = bnn_dtype_size(x->dtype);
  if (what == INTEGER_MAX || what == INTEGER_MIN)
    start_extremes(kept, x);
  else
    start_from(kept, what == INTEGER_PROD || what == INTEGER_ALL);
  if (x->size == 0) return;
  walk w;
  walk_init(&w, x, &kept, 1);
  walk_cursor c = {0};
  const size_t rows = walk_count(&w, 0, w.rank);
  integer_folding *fold = folding(x->dtype, what);
  for (size_t r = 0; r < rows; r++, walk_next(&c, &w, 0, w.rank))
    fold((char *)kept->data + c.at[1] * to_size, !w.still[1],
         (const char *)x->data + c.at[0] * size, w.inner);
}

#define EXTREME(TAG, TYPE)                                                        \
  static size_t extreme_##TAG(const TYPE *x, size_t n, size_t stride, int sign) { \
    size_t at = 0;                                                                \
    for (size_t i = 1; i < n; i++) {                                              \
      const TYPE u = x[at * stride], v = x[i * stride];                           \
      if (sign > 0 ? v > u : v < u) at = i;                                       \
    }                                                                             \
    return at;                                                                    \
  }
INTEGER_ROWS(EXTREME)

size_t integers_extreme(const bnn_tensor *x, size_t at, size_t n, size_t stride, int sign) {
  switch (x->dtype) {
#define X(TAG, TYPE) \
  case BNN_##TAG: return extreme_##TAG((const TYPE *)x->data + at, n, stride, sign);
    INTEGER_ROWS(X)
#undef X
  default: return 0;
  }
}

/* ---- comparisons ---- */

#define COMPARE(NAME, TAG, TYPE, OPERATOR)                                                     \
  static void NAME##_##TAG(void *y, const void *const *in, const size_t *step, size_t n) {     \
    bnn_real *to = y;                                                                          \
    const TYPE *a = in[0], *b = in[1];                                                         \
    for (size_t i = 0; i < n; i++) to[i] = (bnn_real)(a[i * step[0]] OPERATOR b[i * step[1]]); \
  }
#define COMPARISONS(TAG, TYPE) \
  COMPARE(eq, TAG, TYPE, ==)   \
  COMPARE(ne, TAG, TYPE, !=)   \
  COMPARE(lt, TAG, TYPE, <)    \
  COMPARE(le, TAG, TYPE, <=)   \
  COMPARE(gt, TAG, TYPE, >)    \
  COMPARE(ge, TAG, TYPE, >=)
INTEGER_ROWS(COMPARISONS)
COMPARISONS(F32, float)
COMPARISONS(F64, double)

/* Any element: a whole number below 2^63, one from there on, or a float. */
typedef struct number {
  enum { SIGNED, LARGE, FLOATING } kind;
  int64_t i;
  uint64_t u;
  double d;
} number;

static number whole(int64_t i) { return (number){.kind = SIGNED, .i = i}; }
static number without_sign(uint64_t u) {
  return u <= INT64_MAX ? whole((int64_t)u) : (number){.kind = LARGE, .u = u};
}

static number number_at(const bnn_tensor *x, size_t i) {
  switch (x->dtype) {
  case BNN_U8: return whole(((const uint8_t *)x->data)[i]);
  case BNN_I32: return whole(((const int32_t *)x->data)[i]);
  case BNN_I64: return whole(((const int64_t *)x->data)[i]);
  case BNN_U64: return without_sign(((const uint64_t *)x->data)[i]);
  case BNN_F32: return (number){.kind = FLOATING, .d = ((const float *)x->data)[i]};
  default: return (number){.kind = FLOATING, .d = ((const double *)x->data)[i]};
  }
}

/* -1, 0 or 1 as a is less than, equal to or more than b; the floats of a range beyond a whole number
 * have no fraction, so that cutting them to one loses nothing. */
static int order_of_floats(double a, double b) { return (a > b) - (a < b); }
static int order_of_signed(int64_t a, int64_t b) { return (a > b) - (a < b); }
static int order_of_unsigned(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

static int order_with_float(const number *a, double b) {
  const double two_63 = 9223372036854775808.0, two_64 = 2 * two_63;
  if (a->kind == LARGE)
    return b >= two_64 ? -1 : b < two_63 ? 1 : order_of_unsigned(a->u, (uint64_t)b);
  if (b >= two_63) return -1;
  if (b < -two_63) return 1;
  const int64_t cut = (int64_t)b; /* towards 0 */
  return a->i != cut ? order_of_signed(a->i, cut) : order_of_floats((double)cut, b);
}

static int order_of(const number *a, const number *b) {
  if (a->kind == FLOATING && b->kind == FLOATING) return order_of_floats(a->d, b->d);
  if (b->kind == FLOATING) return order_with_float(a, b->d);
  if (a->kind == FLOATING) return -order_with_float(b, a->d);
  if (a->kind != b->kind) return a->kind == LARGE ? 1 : -1;
  return a->kind == LARGE ? order_of_unsigned(a->u, b->u) : order_of_signed(a->i, b->i);
}

static bool holds(const number *a, const number *b, int what) {
  if ((a->kind == FLOATING && isnan(a->d)) || (b->kind == FLOATING && isnan(b->d)))
    return what == COMPARE_NE;
  const int order = order_of(a, b);
  switch (what) {
  case COMPARE_EQ: return order == 0;
  case COMPARE_NE: return order != 0;
  case COMPARE_LT: return order < 0;
  case COMPARE_LE: return order <= 0;
  case COMPARE_GT: return order > 0;
  default: return order >= 0;
  }
}

/* y = 1 where `relation` holds of the elements of two tensors of any types, else 0. */
static void relate_each(bnn_tensor *y, const bnn_tensor *const *x,
                        bool (*relation)(const number *a, const number *b, int what), int what) {
  if (y->size == 0) return;
  walk w;
  walk_init(&w, y, x, 2);
  walk_cursor c = {0};
  const size_t rows = walk_count(&w, 0, w.rank);
  for (size_t r = 0; r < rows; r++, walk_next(&c, &w, 0, w.rank))
    for (size_t i = 0; i < w.inner; i++) {
      const number a = number_at(x[0], c.at[1] + (w.still[1] ? 0 : i)),
                   b = number_at(x[1], c.at[2] + (w.still[2] ? 0 : i));
      bnn_tensor_real(y)[c.at[0] + i] = relation(&a, &b, what);
    }
}

void numbers_compare(bnn_tensor *y, const bnn_tensor *const *x, comparison what) {
  if (x[0]->dtype != x[1]->dtype) {
    relate_each(y, x, holds, what);
    return;
  }
  switch (x[0]->dtype) {
#define X(TAG, NAME, TYPE)                                              \
  case BNN_##TAG: {                                                     \
    static integer_loop *const loop[] = {eq_##TAG, ne_##TAG, lt_##TAG,  \
                                         le_##TAG, gt_##TAG, ge_##TAG}; \
    walk_loop(y, x, 2, loop[what]);                                     \
    break;                                                              \
  }
    BNN_DTYPE_ROWS(X)
#undef X
  default: break;
  }
}

/* ---- logic ---- */

static bool is_true(const number *v) {
  return v->kind == FLOATING ? v->d != 0 : v->kind == LARGE || v->i != 0;
}

static bool joined(const number *a, const number *b, int what) {
  const bool u = is_true(a), v = is_true(b);
  return what == LOGICAL_AND ? u && v : what == LOGICAL_OR ? u || v : u != v;
}

void numbers_logical(bnn_tensor *y, const bnn_tensor *const *x, conjunction what) {
  relate_each(y, x, joined, (int)what);
}
