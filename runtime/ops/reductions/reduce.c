/* Reductions over any axes: sum, prod, mean, var, std, norm, max, min, logsumexp, any, all.
 *
 * Each is one or two folds over the elements that make up an output - var is the mean, then the
 * squared deviations from it, and std its root; logsumexp is the maximum m, then the sum of e^(x - m) - and a finish.
 * All in double, so that the sum of a million floats has the digits of a float.
 *
 * The inner loop of the walk either runs along outputs (a stretch of up to WALK_CHUNK of them is
 * folded side by side) or along what is reduced (one output, folded in LANES lanes that are
 * combined at the end).  Either way a fold is one loop over neighbours in memory.
 *
 * max and min share their gradient equally between equal extremes; a NaN counts as the extreme.
 * Integers have a sum, a product, max and min, exact ones (integers.h). */
#include "../../vec/vec_math.h"
#include "../integers.h"
#include "../op_help.h"
#include "../walk.h"

/* PARTS: of all stretches at most, for threads. */
enum { LANES = 64, PARTS = 16 };

/* acc[i] = step(acc[i], x[i]) around the parameter p[i]; and two accumulators made one. */
typedef struct fold {
  double start;
  void (*step)(double *restrict acc, const double *p, const bnn_real *x, size_t n);
  double (*combine)(double a, double b);
} fold;

#define STEP(NAME, FORMULA)                                                                       \
  BNN_KERNEL NAME(double *restrict acc, const double *restrict param, const bnn_real *restrict x, \
                  size_t n) {                                                                     \
    for (size_t i = 0; i < n; i++) {                                                              \
      const double a = acc[i], p = param[i];                                                      \
      const bnn_real v = x[i];                                                                    \
      BNN_UNUSED(p);                                                                              \
      acc[i] = FORMULA;                                                                           \
    }                                                                                             \
  }

static double plus(double a, double b) { return a + b; }
static double times(double a, double b) { return a * b; }
static double either(double a, double b) { return a != 0 || b != 0; }
static double both(double a, double b) { return a != 0 && b != 0; }
static double larger(double a, double b) { return a > b || a != a ? a : b; }
static double smaller(double a, double b) { return a < b || a != a ? a : b; }

STEP(add_value, a + v)
STEP(add_square, a + (v - p) * (v - p))
STEP(add_exp, a + vm_exp(v == p ? 0 : (bnn_real)(v - p))) /* 0 for equal infinities too */
STEP(add_equal, a + (v == p || v != v))
STEP(multiply, a *v)
STEP(multiply_others, v == 0 ? a : a * v) /* than 0 */
STEP(count_zero, a + (v == 0))
STEP(either_value, a != 0 || v != 0)
STEP(both_values, a != 0 && v != 0)
STEP(keep_larger, v > a || v != v ? v : a)
STEP(keep_smaller, v < a || v != v ? v : a)

static const fold sum_fold = {0, add_value, plus}, square_fold = {0, add_square, plus},
                  exp_fold = {0, add_exp, plus}, equal_fold = {0, add_equal, plus},
                  prod_fold = {1, multiply, times}, others_fold = {1, multiply_others, times},
                  zero_fold = {0, count_zero, plus}, any_fold = {0, either_value, either},
                  all_fold = {1, both_values, both}, max_fold = {-INFINITY, keep_larger, larger},
                  min_fold = {INFINITY, keep_smaller, smaller};

/* A stretch of outputs on its way: `n` outputs from element `i` of the inner loop on, or one output
 * when the inner loop is reduced. */
typedef struct stretch {
  walk w; /* operand 0 is x, operand 1 is y with its reduced axes kept; split by y */
  walk_cursor c;
  const bnn_real *x;
  size_t i, n;
  double count;   /* elements that make up one output */
  double freedom; /* count - ddof, what var divides by; not below 0 */
} stretch;

static bool reduces_inner(const stretch *s) { return s->w.still[1]; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Folds the elements of one output, in lanes. */
static void fold_lanes(double *out, const fold *f, double p, stretch *s) {
  const walk *w = &s->w;
  const size_t members = walk_count(w, w->kept, w->rank), lanes = least(w->inner, LANES);
  double acc[LANES], param[LANES];
  for (size_t i = 0; i < lanes; i++) acc[i] = f->start, param[i] = p;
  for (size_t m = 0; m < members; m++, walk_next(&s->c, w, w->kept, w->rank))
    for (size_t i = 0; i < w->inner; i += lanes)
      f->step(acc, param, s->x + s->c.at[0] + i, least(lanes, w->inner - i));
  *out = f->start;
  for (size_t i = 0; i < lanes; i++) *out = f->combine(*out, acc[i]);
}

/* out[0..n) = the folds of the stretch; p [n] the parameter of each. */
static void fold_stretch(double *out, const fold *f, const double *p, stretch *s) {
  const walk *w = &s->w;
  if (reduces_inner(s)) {
    fold_lanes(out, f, p[0], s);
    return;
  }
  const size_t members = walk_count(w, w->kept, w->rank);
  for (size_t i = 0; i < s->n; i++) out[i] = f->start;
  for (size_t m = 0; m < members; m++, walk_next(&s->c, w, w->kept, w->rank))
    f->step(out, p, s->x + s->c.at[0] + s->i, s->n);
}

/* ---- the ops: values of a stretch; and, for gradients, one number per output of their own ---- */

static const double none[WALK_CHUNK]; /* for folds without a parameter */

static void sum_of(double *y, stretch *s) { fold_stretch(y, &sum_fold, none, s); }
static void max_of(double *y, stretch *s) { fold_stretch(y, &max_fold, none, s); }
static void min_of(double *y, stretch *s) { fold_stretch(y, &min_fold, none, s); }

static void prod_of(double *y, stretch *s) { fold_stretch(y, &prod_fold, none, s); }
static void any_of(double *y, stretch *s) { fold_stretch(y, &any_fold, none, s); }
static void all_of(double *y, stretch *s) { fold_stretch(y, &all_fold, none, s); }

static void norm_of(double *y, stretch *s) {
  fold_stretch(y, &square_fold, none, s);
  for (size_t i = 0; i < s->n; i++) y[i] = sqrt(y[i]);
}

static void mean_of(double *y, stretch *s) {
  sum_of(y, s);
  for (size_t i = 0; i < s->n; i++) y[i] /= s->count;
}

static void var_of(double *y, stretch *s) {
  double mean[WALK_CHUNK];
  mean_of(mean, s);
  fold_stretch(y, &square_fold, mean, s);
  for (size_t i = 0; i < s->n; i++) y[i] /= s->freedom;
}

static void std_of(double *y, stretch *s) {
  var_of(y, s);
  for (size_t i = 0; i < s->n; i++) y[i] = sqrt(y[i]);
}

static void logsumexp_of(double *y, stretch *s) {
  double max[WALK_CHUNK];
  max_of(max, s);
  fold_stretch(y, &exp_fold, max, s);
  for (size_t i = 0; i < s->n; i++) y[i] = log(y[i]) + max[i];
}

static void ties_of(double *aux, stretch *s, double *y) { fold_stretch(aux, &equal_fold, y, s); }
static void mean_again(double *aux, stretch *s, double *y) {
  BNN_UNUSED(y);
  mean_of(aux, s);
}

/* The product of all but the zeros, and their number in place of the value. */
static void prod_again(double *aux, stretch *s, double *y) {
  fold_stretch(aux, &others_fold, none, s);
  fold_stretch(y, &zero_fold, none, s);
}

/* dx[i] += the gradient of one member: g is dy, r the result, a the op's own number; `freedom` is
 * the count where there is no ddof. */
#define SLOPE(NAME, FORMULA)                                                                  \
  BNN_KERNEL NAME(bnn_real *restrict dx, const double *restrict dy, const double *restrict y, \
                  const double *restrict aux, const bnn_real *restrict x, double freedom,     \
                  size_t n) {                                                                 \
    BNN_UNUSED(freedom);                                                                      \
    for (size_t i = 0; i < n; i++) {                                                          \
      const double g = dy[i], r = y[i], a = aux[i];                                           \
      const bnn_real v = x[i];                                                                \
      BNN_UNUSED(r), BNN_UNUSED(a), BNN_UNUSED(v);                                            \
      dx[i] += (bnn_real)(FORMULA);                                                           \
    }                                                                                         \
  }

SLOPE(sum_slope, g)
SLOPE(mean_slope, g / freedom)
SLOPE(var_slope, g * 2 * (v - a) / freedom)
SLOPE(std_slope, r == 0 ? 0 : g * (v - a) / (freedom * r)) /* where all are equal: a kink */
SLOPE(prod_slope, r == 0 ? g * a / v : r == 1 && v == 0 ? g * a : 0) /* r is the number of zeros */
SLOPE(norm_slope, r == 0 ? 0 : g * v / r)                            /* where all are 0: a kink */
SLOPE(extreme_slope, v == r || v != v ? g / a : 0)
SLOPE(logsumexp_slope, g *vm_exp(v == r ? 0 : (bnn_real)(v - r)) / a) /* r is the maximum here */

/* The maximum in place of the value, whose rounding would be an error of its own size, and the sum
 * of e^(x - m).  Where every element is -inf there is no gradient. */
static void logsumexp_again(double *aux, stretch *s, double *y) {
  max_of(y, s);
  fold_stretch(aux, &exp_fold, y, s);
  for (size_t i = 0; i < s->n; i++) aux[i] = y[i] > -INFINITY ? aux[i] : NAN;
}

typedef struct reduction {
  void (*value)(double *y, stretch *s);
  void (*aux)(double *aux, stretch *s, double *y); /* or NULL; may change what slope sees as y */
  void (*slope)(bnn_real *restrict dx, const double *dy, const double *y, const double *aux,
                const bnn_real *x, double freedom, size_t n);
} reduction;

/* ---- what they share ---- */

static uint32_t axes_of(const bnn_attr *attr, int rank) {
  return attr->axes ? attr->axes : (1u << rank) - 1;
}

/* y's header with the reduced axes of x kept as 1. */
static void keep_axes(bnn_tensor *kept, const bnn_tensor *y, const bnn_tensor *x,
                      const bnn_attr *attr) {
  const uint32_t axes = axes_of(attr, x->rank);
  size_t dim[BNN_RANK_MAX];
  for (int k = 0; k < x->rank; k++) dim[k] = axes >> k & 1 ? 1 : x->dim[k];
  bnn_tensor_init(kept, y->dtype, x->rank, dim, y->data);
}

/* Stretches of one turn of the outer loops over outputs, and of all. */
static size_t stretches_of_turn(const stretch *s) {
  return reduces_inner(s) ? 1 : (s->w.inner + WALK_CHUNK - 1) / WALK_CHUNK;
}
static size_t stretches(const stretch *s) {
  return walk_count(&s->w, 0, s->w.kept) * stretches_of_turn(s);
}

/* How many outputs the stretch has. */
static size_t width_of(const stretch *s) {
  return reduces_inner(s) ? 1 : least(WALK_CHUNK, s->w.inner - s->i);
}

static void stretch_init(stretch *s, const bnn_tensor *y, const bnn_tensor *x,
                         const bnn_attr *attr) {
  bnn_tensor kept;
  keep_axes(&kept, y, x, attr);
  const bnn_tensor *operand = &kept;
  memset(s, 0, sizeof *s);
  walk_init(&s->w, x, &operand, 1);
  walk_split(&s->w, 1);
  s->x = bnn_tensor_real(x);
  s->count = (double)x->size / (double)y->size;
  s->freedom = s->count > attr->number[0] ? s->count - attr->number[0] : 0;
  s->n = width_of(s);
}

/* Goes from the first stretch to number k. */
static void stretch_seek(stretch *s, size_t k) {
  walk_seek(&s->c, &s->w, 0, s->w.kept, k / stretches_of_turn(s));
  s->i = k % stretches_of_turn(s) * WALK_CHUNK;
  s->n = width_of(s);
}

/* Goes to the next stretch. */
static void stretch_next(stretch *s) {
  s->i += WALK_CHUNK;
  if (reduces_inner(s) || s->i >= s->w.inner) {
    s->i = 0;
    walk_next(&s->c, &s->w, 0, s->w.kept);
  }
  s->n = width_of(s);
}

/* Where the stretch's first output is in y. */
static size_t output_at(const stretch *s) { return s->c.at[1] + (reduces_inner(s) ? 0 : s->i); }

/* Every output is what the fold of nothing gives: 0, -inf for logsumexp, 0/0 for mean and var. */
static void fill_empty(bnn_tensor *y, const reduction *op) {
  stretch s = {.n = 1, .w = {.inner = 0, .still = {false, true}}};
  double value = 0;
  op->value(&value, &s);
  for (size_t i = 0; i < y->size; i++) bnn_tensor_real(y)[i] = (bnn_real)value;
}

/* Goes to the first stretch of a part of n, and gives the number of these. */
static size_t begin_part(stretch *s, size_t part, size_t n) {
  const size_t all = stretches(s), from = all * part / n;
  stretch_seek(s, from);
  return all * (part + 1) / n - from;
}

static void run_part(bnn_tensor *y, const bnn_tensor *x, const bnn_attr *attr, const reduction *op,
                     size_t part, size_t n) {
  stretch s;
  stretch_init(&s, y, x, attr);
  for (size_t left = begin_part(&s, part, n); left > 0; left--, stretch_next(&s)) {
    double value[WALK_CHUNK];
    op->value(value, &s);
    bnn_real *to = bnn_tensor_real(y) + output_at(&s);
    for (size_t i = 0; i < s.n; i++) to[i] = (bnn_real)value[i];
  }
}

/* 0 of integers, and where there is nothing to reduce. */
static size_t parts(const bnn_tensor *const *x, const bnn_attr *attr) {
  if (x[0]->dtype != BNN_REAL || x[0]->size == 0) return 0;
  bnn_tensor y;
  stretch s;
  keep_axes(&y, x[0], x[0], attr);
  stretch_init(&s, &y, x[0], attr);
  return least(stretches(&s), PARTS);
}

static void run(bnn_tensor *y, const bnn_tensor *x, const bnn_attr *attr, const reduction *op) {
  if (y->size == 0) return;
  if (x->size == 0)
    fill_empty(y, op);
  else
    run_part(y, x, attr, op, 0, 1);
}

/* dy, y and aux of a stretch in lanes. */
typedef struct slope_lanes {
  double dy[WALK_CHUNK], y[WALK_CHUNK], aux[WALK_CHUNK];
} slope_lanes;

/* The lanes of the stretch's n outputs; one output is spread over as many lanes as the loop has. */
static void load_lanes(slope_lanes *l, const bnn_tensor *dy, const bnn_tensor *y, stretch *s,
                       const reduction *op) {
  const size_t at = output_at(s), lanes = least(s->w.inner, WALK_CHUNK);
  for (size_t i = 0; i < s->n; i++) {
    l->dy[i] = bnn_tensor_real(dy)[at + i];
    l->y[i] = bnn_tensor_real(y)[at + i];
    l->aux[i] = 0;
  }
  if (op->aux) op->aux(l->aux, s, l->y);
  for (size_t i = 1; reduces_inner(s) && i < lanes; i++)
    l->dy[i] = l->dy[0], l->y[i] = l->y[0], l->aux[i] = l->aux[0];
}

/* The gradient of every member of a stretch. */
static void slope_stretch(bnn_real *dx, const slope_lanes *l, stretch *s, const reduction *op) {
  const walk *w = &s->w;
  const size_t members = walk_count(w, w->kept, w->rank);
  const size_t end = reduces_inner(s) ? w->inner : s->i + s->n;
  for (size_t m = 0; m < members; m++, walk_next(&s->c, w, w->kept, w->rank))
    for (size_t i = s->i; i < end; i += WALK_CHUNK) {
      const size_t at = s->c.at[0] + i;
      op->slope(dx + at, l->dy, l->y, l->aux, s->x + at, s->freedom, least(WALK_CHUNK, end - i));
    }
}

static void run_part_back(bnn_tensor *dx, const bnn_tensor *dy, const bnn_tensor *y,
                          const bnn_tensor *x, const bnn_attr *attr, const reduction *op,
                          size_t part, size_t n) {
  stretch s;
  stretch_init(&s, y, x, attr);
  for (size_t left = begin_part(&s, part, n); left > 0; left--, stretch_next(&s)) {
    slope_lanes l;
    load_lanes(&l, dy, y, &s, op);
    slope_stretch(bnn_tensor_real(dx), &l, &s, op);
  }
}

static void run_back(bnn_tensor *dx, const bnn_tensor *dy, const bnn_tensor *y, const bnn_tensor *x,
                     const bnn_attr *attr, const reduction *op) {
  if (x->size > 0) run_part_back(dx, dy, y, x, attr, op, 0, 1);
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  const uint32_t axes = axes_of(attr, x->rank);
  for (int k = x->rank; k < 32; k++)
    if (axes >> k & 1) return op_check_axis(k, x, err);
  bnn_shape to = {.dtype = x->dtype};
  for (int k = 0; k < x->rank; k++) {
    const bool reduced = axes >> k & 1;
    if (!reduced || attr->keepdims) to.dim[to.rank++] = reduced ? 1 : x->dim[k];
  }
  *y = to;
  return BNN_OK;
}

/* Nothing has no maximum; no outputs is fine. */
static bnn_status infer_extreme(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                                bnn_err *err) {
  bnn_shape to;
  BNN_TRY(infer(&to, x, n, attr, err));
  for (int k = 0; k < x->rank; k++)
    if ((axes_of(attr, x->rank) >> k & 1) && x->dim[k] == 0 && op_span(to.dim, 0, to.rank) > 0)
      return bnn_fail(err, BNN_ESHAPE, "x is %s: nothing to choose from along axis %d",
                      BNN_SHAPE(x), k + 1);
  *y = to;
  return BNN_OK;
}

static bnn_status infer_var(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                            bnn_err *err) {
  if (!(attr->number[0] >= 0))
    return bnn_fail(err, BNN_ERANGE, "ddof: expected 0 or more, got %g", attr->number[0]);
  return infer(y, x, n, attr, err);
}

static bnn_status infer_logical(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                                bnn_err *err) {
  bnn_shape to;
  BNN_TRY(infer(&to, x, n, attr, err));
  to.dtype = BNN_REAL;
  *y = to;
  return BNN_OK;
}

static bnn_status infer_sum(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                            bnn_err *err) {
  bnn_shape to;
  BNN_TRY(infer(&to, x, n, attr, err));
  to.dtype = integers_sum_type(x->dtype);
  *y = to;
  return BNN_OK;
}

static void run_integers(bnn_tensor *y, const bnn_tensor *x, const bnn_attr *attr,
                         integer_fold what) {
  bnn_tensor kept;
  keep_axes(&kept, y, x, attr);
  integers_reduce(&kept, x, what);
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(y);
  if (!has_rows[0]) return BNN_ROWS_NONE;
  return axes_of(attr, x->rank) & 1 ? BNN_ROWS_MIXED : BNN_ROWS_KEPT;
}

#define REDUCTION(NAME, INFER, VALUE, AUX, SLOPE, MORE, DOC, EXAMPLE) \
  REDUCTION_PARTS(NAME, VALUE, AUX, SLOPE)                            \
  REDUCTION_ROW(NAME, INFER, NAME##_forward, MORE, DOC, EXAMPLE, false)

/* Of integers too. */
#define ARITHMETIC(NAME, WHAT, INFER, VALUE, AUX, SLOPE, DOC, EXAMPLE)         \
  REDUCTION_PARTS(NAME, VALUE, AUX, SLOPE)                                     \
  static void NAME##_numbers(bnn_tensor *y, const bnn_tensor *const *x, int n, \
                             const bnn_attr *attr) {                           \
    if (is_integer(x[0]->dtype))                                               \
      run_integers(y, x[0], attr, WHAT);                                       \
    else                                                                       \
      NAME##_forward(y, x, n, attr);                                           \
  }                                                                            \
  REDUCTION_ROW(NAME, INFER, NAME##_numbers, "", DOC, EXAMPLE, true)

/* Of numbers of any type, without a gradient. */
#define LOGICAL(NAME, WHAT, VALUE, DOC, EXAMPLE)                               \
  static const reduction NAME##_op = {VALUE, NULL, NULL};                      \
  static void NAME##_forward(bnn_tensor *y, const bnn_tensor *const *x, int n, \
                             const bnn_attr *attr) {                           \
    BNN_UNUSED(n);                                                             \
    if (is_integer(x[0]->dtype))                                               \
      run_integers(y, x[0], attr, WHAT);                                       \
    else                                                                       \
      run(y, x[0], attr, &NAME##_op);                                          \
  }                                                                            \
  BNN_OP(NAME) = {                                                             \
      .name = #NAME,                                                           \
      .doc = #NAME "(x, axes = all, keepdims = false): " DOC,                  \
      .example = EXAMPLE,                                                      \
      .arity = 1,                                                              \
      .args = "A?k?",                                                          \
      .infer = infer_logical,                                                  \
      .rows = rows,                                                            \
      .arithmetic = true,                                                      \
      .forward = NAME##_forward,                                               \
      .check = {.lo = -2, .hi = 2, .attr = {.axes = 2}},                       \
  };

#define REDUCTION_PARTS(NAME, VALUE, AUX, SLOPE)                                                 \
  static const reduction NAME##_op = {VALUE, AUX, SLOPE};                                        \
  static void NAME##_forward(bnn_tensor *y, const bnn_tensor *const *x, int n,                   \
                             const bnn_attr *attr) {                                             \
    BNN_UNUSED(n);                                                                               \
    run(y, x[0], attr, &NAME##_op);                                                              \
  }                                                                                              \
  static void NAME##_backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,  \
                              const bnn_tensor *const *x, int n, const bnn_attr *attr) {         \
    BNN_UNUSED(n);                                                                               \
    if (dx[0]) run_back(dx[0], dy, y, x[0], attr, &NAME##_op);                                   \
  }                                                                                              \
  static void NAME##_part(bnn_tensor *y, const bnn_tensor *const *x, const bnn_attr *attr,       \
                          size_t part) {                                                         \
    run_part(y, x[0], attr, &NAME##_op, part, parts(x, attr));                                   \
  }                                                                                              \
  static void NAME##_part_back(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y, \
                               const bnn_tensor *const *x, const bnn_attr *attr, size_t part) {  \
    if (dx[0]) run_part_back(dx[0], dy, y, x[0], attr, &NAME##_op, part, parts(x, attr));        \
  }

#define REDUCTION_ROW(NAME, INFER, FORWARD, MORE, DOC, EXAMPLE, INTEGERS) \
  BNN_OP(NAME) = {                                                        \
      .name = #NAME,                                                      \
      .doc = #NAME "(x, axes = all, keepdims = false" MORE "): " DOC,     \
      .example = EXAMPLE,                                                 \
      .arity = 1,                                                         \
      .args = sizeof MORE > 1 ? "A?k?r?" : "A?k?",                        \
      .infer = INFER,                                                     \
      .rows = rows,                                                       \
      .arithmetic = INTEGERS,                                             \
      .forward = FORWARD,                                                 \
      .backward = NAME##_backward,                                        \
      .parts = parts,                                                     \
      .forward_part = NAME##_part,                                        \
      .backward_part = NAME##_part_back,                                  \
      .check = {.lo = -2, .hi = 2, .tol = 1e-8, .attr = {.axes = 2}},     \
  };

/* clang-format off */
ARITHMETIC(sum, INTEGER_SUM, infer_sum, sum_of, NULL, sum_slope,
           "sum over the axes; 0 over no elements; integers are summed exactly, in 64 bits",
           "local x = bnn.tensor{{1, 2}, {3, 4}}\n"
           "x:sum() --> 10\n"
           "x:sum(1) --> {4, 6}\n"
           "x:sum(2, true) --> {{3}, {7}}")
ARITHMETIC(prod, INTEGER_PROD, infer_sum, prod_of, prod_again, prod_slope,
           "product over the axes; 1 over no elements; that of integers has 64 bits and wraps around",
           "bnn.tensor{{1, 2}, {3, 4}}:prod(2) --> {2, 12}")
REDUCTION(mean, infer, mean_of, NULL, mean_slope, "",
          "mean over the axes; NaN over no elements",
          "bnn.tensor{{1, 2}, {3, 4}}:mean(1) --> {2, 3}")
REDUCTION(var, infer_var, var_of, mean_again, var_slope, ", ddof = 0",
          "variance over the axes: the sum of squared deviations divided by n - ddof",
          "bnn.tensor{1, 3}:var() --> 1\n"
          "bnn.tensor{1, 3}:var(1, false, 1) --> 2")
REDUCTION(std, infer_var, std_of, mean_again, std_slope, ", ddof = 0",
          "standard deviation over the axes, the root of var; gradient 0 where it is 0",
          "bnn.tensor{{1, 3}, {5, 5}}:std(2) --> {1, 0}")
REDUCTION(norm, infer, norm_of, NULL, norm_slope, "",
          "root of the sum of squares over the axes, the Euclidean norm; gradient 0 where it is 0",
          "bnn.tensor{{3, 4}, {0, 2}}:norm(2) --> {5, 2}")
ARITHMETIC(max, INTEGER_MAX, infer_extreme, max_of, ties_of, extreme_slope,
           "maximum over the axes; NaN if an element is NaN; ties share the gradient equally",
           "bnn.tensor{{1, 9}, {8, 2}}:max(2) --> {9, 8}")
ARITHMETIC(min, INTEGER_MIN, infer_extreme, min_of, ties_of, extreme_slope,
           "minimum over the axes; NaN if an element is NaN; ties share the gradient equally",
           "bnn.tensor{{1, 9}, {8, 2}}:min(2) --> {1, 2}")
REDUCTION(logsumexp, infer, logsumexp_of, logsumexp_again, logsumexp_slope, "",
          "log of the sum of e^x over the axes, without overflow",
          "bnn.tensor{1000, 1000}:logsumexp() --> 1000.6931")
LOGICAL(any, INTEGER_ANY, any_of, "1 where some element over the axes is not 0, else 0",
        "bnn.tensor{{0, 2}, {0, 0}}:any(2) --> {1, 0}")
LOGICAL(all, INTEGER_ALL, all_of, "1 where no element over the axes is 0, else 0",
        "bnn.tensor{{1, 2}, {0, 3}}:all(2) --> {1, 0}")
/* clang-format on */
