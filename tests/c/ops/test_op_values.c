/* test_op_values.c - the values of the ops: against libm in double, against loops written out, and
 * at the edges: NaN, infinities, ties, empty axes, wrong shapes and positions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/isa.h"
#include "kernels/rng.h"
#include "support_ops.h"
#include "tensor/key.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- calling ops on literals ---- */

static bnn_tensor *reals(int rank, const size_t *dim, const double *values) {
  return tensor_of(BNN_REAL, rank, dim, values);
}

/* The op on n inputs, which it gives back. */
static bnn_tensor *call(bnn_op_id id, bnn_attr attr, int n, bnn_tensor **x) {
  bnn_tensor *y = NULL;
  ck_succeeds(bnn_op_run(&y, id, x, n, &attr, &err));
  unref_all(x, n);
  return y;
}
#define CALL(name, attr, ...)                                            \
  call(BNN_OP_##name, attr, (int)COUNT(((bnn_tensor *[]){__VA_ARGS__})), \
       (bnn_tensor *[]){__VA_ARGS__})

static bnn_attr none(void) { return (bnn_attr){.axis = BNN_AXIS_NONE}; }
static bnn_attr along(int axis) { return (bnn_attr){.axis = axis, .axes = 1u << axis}; }

/* The only element of y, which is given back. */
static double scalar(bnn_tensor *y) {
  ck_assert_uint_eq(y->size, 1);
  const double value = bnn_tensor_get(y, 0);
  bnn_tensor_unref(y);
  return value;
}

static void ck_close(double got, double want, double ulps, const char *what, double at) {
  if (got == want || (isnan(got) && isnan(want))) return;
  const double bound = ulps * (double)BNN_REAL_EPSILON * (fabs(want) + (double)FLT_MIN);
  ck_assert_msg(fabs(got - want) <= bound, "%s at %g is %.9g, wanted %.9g", what, at, got, want);
}

/* y holds these values, to within some ULP of 1 + |value|; it is given back. */
static void ck_values(bnn_tensor *y, int rank, const size_t *dim, const double *values) {
  bnn_tensor *want = tensor_of(y->dtype, rank, dim, values);
  ck_assert_str_eq(BNN_SHAPE(y), BNN_SHAPE(want));
  for (size_t i = 0; i < y->size; i++) {
    const double got = bnn_tensor_get(y, i), w = bnn_tensor_get(want, i);
    const bool same = got == w || (isnan(got) && isnan(w));
    ck_assert_msg(same || fabs(got - w) <= 8 * (double)BNN_REAL_EPSILON * (1 + fabs(w)),
                  "element %zu is %.9g, wanted %.9g", i, got, w);
  }
  bnn_tensor_unref(want);
  bnn_tensor_unref(y);
}

/* ---- elementwise, one input ---- */

static double ref_neg(double x) { return -x; }
static double ref_sign(double x) { return isnan(x) ? x : (x > 0) - (x < 0); }
static double ref_square(double x) { return x * x; }
static double ref_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double ref_relu(double x) { return isnan(x) ? x : fmax(x, 0); }
static double ref_leaky(double x) { return x > 0 ? x : 0.1 * x; }
static double ref_gelu(double x) { return x * erfc(-x / sqrt(2)) / 2; }
static double ref_softplus(double x) { return x > 30 ? x + exp(-x) : log1p(exp(x)); }
static double ref_isnan(double x) { return isnan(x); }
static double ref_isinf(double x) { return isinf(x) != 0; }
static double ref_isfinite(double x) { return isfinite(x); }
static double ref_not(double x) { return x == 0; }
static double ref_silu(double x) { return x == -INFINITY ? 0 : x / (1 + exp(-x)); }
static double ref_mish(double x) { return x == -INFINITY ? 0 : x * tanh(ref_softplus(x)); }
static double ref_elu(double x) { return x > 0 ? x : 0.7 * expm1(x); }
static double ref_clamp(double x) { return x < -1 ? -1 : x > 2 ? 2 : x; }

static const struct {
  bnn_op_id id;
  double (*f)(double);
  double ulps;
} unary[] = {
    {BNN_OP_neg, ref_neg, 0},       {BNN_OP_abs, fabs, 0},
    {BNN_OP_sign, ref_sign, 0},     {BNN_OP_sqrt, sqrt, 1},
    {BNN_OP_square, ref_square, 1}, {BNN_OP_exp, exp, 2},
    {BNN_OP_log, log, 2},           {BNN_OP_log1p, log1p, 3},
    {BNN_OP_expm1, expm1, 3},       {BNN_OP_tanh, tanh, 4},
    {BNN_OP_relu, ref_relu, 0},     {BNN_OP_leaky_relu, ref_leaky, 2},
    {BNN_OP_sin, sin, 2},           {BNN_OP_softplus, ref_softplus, 4},
    {BNN_OP_cos, cos, 2},           {BNN_OP_sigmoid, ref_sigmoid, 4},
    {BNN_OP_clamp, ref_clamp, 0},   {BNN_OP_floor, floor, 0},
    {BNN_OP_ceil, ceil, 0},         {BNN_OP_round, rint, 0},
    {BNN_OP_trunc, trunc, 0},       {BNN_OP_isnan, ref_isnan, 0},
    {BNN_OP_isinf, ref_isinf, 0},   {BNN_OP_isfinite, ref_isfinite, 0},
    {BNN_OP_erf, erf, 4},           {BNN_OP_logical_not, ref_not, 0},
    {BNN_OP_lgamma, lgamma, 1},     {BNN_OP_silu, ref_silu, 6},
    {BNN_OP_mish, ref_mish, 8},     {BNN_OP_elu, ref_elu, 4},
};

static const double points[] = {0,   0.5, -0.5, 1,  -1,  1e-4, -1e-4, 2.5,  -2.5,     10,
                                -10, 30,  -30,  80, -80, 87.5, 3e-30, 7,    INFINITY, -INFINITY,
                                NAN, 16,  1.5,  -3, 4,   0.25, 64,    -0.75};

START_TEST(functions_of_one_number_are_libms_to_a_few_ulp) {
  const bnn_op *op = bnn_op_get(unary[_i].id);
  const size_t n = COUNT(points);
  bnn_tensor *x = reals(1, &n, points), *y = NULL;
  ck_succeeds(bnn_op_run(&y, unary[_i].id, &x, 1, &op->check.attr, &err));
  for (size_t i = 0; i < n; i++) {
    const double at = bnn_tensor_get(x, i);
    double want = unary[_i].f(at);
    if (fabs(want) > BNN_REAL_LOWEST * -1.0) want = copysign(INFINITY, want);
    ck_close(bnn_tensor_get(y, i), want, unary[_i].ulps, op->name, at);
  }
  bnn_tensor_unref(x);
  bnn_tensor_unref(y);
}
END_TEST

/* erf's error counts against x: in the left tail 1 + erf cancels. */
START_TEST(gelu_is_x_times_the_normal_cdf) {
  for (double x = -6; x <= 6; x += 0.125)
    ck_assert_double_le(fabs(scalar(CALL(gelu, none(), reals(SCALAR, &x))) - ref_gelu(x)),
                        2 * (double)BNN_REAL_EPSILON * (1 + fabs(x)));
}
END_TEST

/* Of erf's own values, where that still tells numbers apart. */
START_TEST(erfinv_turns_erf_round) {
  for (double y = -3; y <= 3; y += 0.0625) {
    const double x = (double)(bnn_real)erf(y),
                 got = scalar(CALL(erfinv, none(), reals(SCALAR, &x)));
    ck_assert_double_le(fabs(erf(got) - x),
                        4 * (double)BNN_REAL_EPSILON * exp(-got * got) * (1 + fabs(got)) + 1e-16);
  }
  ck_values(CALL(erfinv, none(), reals(DIMS(4), VALUES(1, -1, 1.5, NAN))), DIMS(4),
            VALUES(INFINITY, -INFINITY, NAN, NAN));
}
END_TEST

/* psi(1) = -gamma, psi(x + 1) = psi(x) + 1/x, and pi cot(pi x) = psi(1 - x) - psi(x). */
START_TEST(digamma_is_known_at_some_points) {
  const double gamma = 0.57721566490153286, ln2 = 0.69314718055994531;
  const double at[][2] = {
      {1, -gamma}, {0.5, -gamma - 2 * ln2}, {2, 1 - gamma}, {-0.5, 2 - gamma - 2 * ln2}};
  for (size_t i = 0; i < COUNT(at); i++)
    ck_assert_double_le(fabs(scalar(CALL(digamma, none(), reals(SCALAR, &at[i][0]))) - at[i][1]),
                        1e-12 + 4 * (double)BNN_REAL_EPSILON);
}
END_TEST

START_TEST(softplus_has_no_overflow_in_either_tail) {
  static const struct { double x, y; } row[] = {{-800, 0}, {0, 0.69314718055994531}, {800, 800}};
  for (size_t i = 0; i < COUNT(row); i++)
    ck_close(scalar(CALL(softplus, none(), reals(SCALAR, &row[i].x))), row[i].y, 2, "softplus",
             row[i].x);
}
END_TEST

START_TEST(attributes_left_out_are_the_rows_defaults) {
  bnn_tensor *x = reals(DIMS(2), VALUES(-2, 3)), *y = NULL;
  ck_succeeds(bnn_op_run(&y, BNN_OP_leaky_relu, &x, 1, NULL, &err));
  ck_values(y, DIMS(2), VALUES(-0.02, 3));
  ck_succeeds(bnn_op_run(&y, BNN_OP_sum, &x, 1, NULL, &err));
  ck_values(y, SCALAR, VALUES(1));
  ck_succeeds(bnn_op_run(&y, BNN_OP_argmin, &x, 1, NULL, &err));
  ck_values(y, SCALAR, VALUES(1));
  bnn_tensor_unref(x);
}
END_TEST

/* ---- elementwise, two and three inputs ---- */

static double ref_add(double a, double b) { return a + b; }
static double ref_sub(double a, double b) { return a - b; }
static double ref_mul(double a, double b) { return a * b; }
static double ref_div(double a, double b) { return a / b; }
static double ref_max(double a, double b) { return isnan(a) || isnan(b) ? NAN : fmax(a, b); }
static double ref_min(double a, double b) { return isnan(a) || isnan(b) ? NAN : fmin(a, b); }
static double ref_eq(double a, double b) { return a == b; }
static double ref_ne(double a, double b) { return a != b; }
static double ref_lt(double a, double b) { return a < b; }
static double ref_le(double a, double b) { return a <= b; }
static double ref_gt(double a, double b) { return a > b; }
static double ref_ge(double a, double b) { return a >= b; }

static double ref_remainder(double a, double b) {
  const double r = fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static double ref_floor_divide(double a, double b) { return floor(a / b); }
static double ref_and(double a, double b) { return a != 0 && b != 0; }
static double ref_or(double a, double b) { return a != 0 || b != 0; }
static double ref_xor(double a, double b) { return (a != 0) != (b != 0); }

static const struct {
  bnn_op_id id;
  double (*f)(double, double);
} binary[] = {
    {BNN_OP_fmod, fmod},
    {BNN_OP_remainder, ref_remainder},
    {BNN_OP_floor_divide, ref_floor_divide},
    {BNN_OP_logical_and, ref_and},
    {BNN_OP_logical_or, ref_or},
    {BNN_OP_logical_xor, ref_xor},
    {BNN_OP_add, ref_add},
    {BNN_OP_sub, ref_sub},
    {BNN_OP_mul, ref_mul},
    {BNN_OP_div, ref_div},
    {BNN_OP_pow, pow},
    {BNN_OP_maximum, ref_max},
    {BNN_OP_minimum, ref_min},
    {BNN_OP_eq, ref_eq},
    {BNN_OP_ne, ref_ne},
    {BNN_OP_lt, ref_lt},
    {BNN_OP_le, ref_le},
    {BNN_OP_gt, ref_gt},
    {BNN_OP_ge, ref_ge},
};

/* Every pair of the points as a column against a row, and the other way round. */
START_TEST(functions_of_two_numbers_are_cs_for_all_pairs_of_points) {
  static const double p[] = {0, 0.5, -0.5, 1, -1, 2, -2, 3, 0.25, 10, INFINITY, -INFINITY, NAN, 7};
  enum { N = COUNT(p) };
  bnn_tensor *x[2] = {reals(DIMS(N, 1), p), reals(DIMS(N), p)}, *turned[2] = {x[1], x[0]};
  bnn_tensor *y = NULL, *z = NULL;
  ck_succeeds(bnn_op_run(&y, binary[_i].id, x, 2, NULL, &err));
  ck_succeeds(bnn_op_run(&z, binary[_i].id, turned, 2, NULL, &err));
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      const char *name = bnn_op_get(binary[_i].id)->name;
      ck_close(bnn_tensor_get(y, i * N + j), binary[_i].f(p[i], p[j]), 2, name, p[i]);
      ck_close(bnn_tensor_get(z, j * N + i), binary[_i].f(p[i], p[j]), 2, name, p[j]);
    }
  bnn_tensor_unref(y);
  bnn_tensor_unref(z);
  unref_all(x, 2);
}
END_TEST

/* Element k of a broadcast input, by coordinates. */
static double element(const bnn_tensor *x, const bnn_tensor *y, size_t k) {
  size_t at = 0, step = 1;
  for (int axis = y->rank - 1; axis >= 0; axis--) {
    const size_t i = k % y->dim[axis];
    const int own = axis - (y->rank - x->rank);
    k /= y->dim[axis];
    if (own < 0) continue;
    at += x->dim[own] == 1 ? 0 : i * step;
    step *= x->dim[own];
  }
  return bnn_tensor_get(x, at);
}

START_TEST(broadcasting_is_numpys_in_every_pattern) {
  const op_case *c = case_at((size_t)_i);
  if (c->id != BNN_OP_sub && c->id != BNN_OP_where) return;
  bnn_tensor *x[3];
  case_inputs(x, c);
  if (c->id == BNN_OP_where) bnn_tensor_set(x[0], 0, 0);
  bnn_tensor *y = value_of(c, x);
  for (size_t k = 0; k < y->size; k++) {
    const double first = element(x[0], y, k);
    const double want =
        c->id == BNN_OP_sub ? first - element(x[1], y, k) : element(x[first != 0 ? 1 : 2], y, k);
    ck_assert_msg(fabs(bnn_tensor_get(y, k) - want) <= 4 * (double)BNN_REAL_EPSILON, "%s[%zu]",
                  CASE(c), k);
  }
  bnn_tensor_unref(y);
  unref_all(x, c->n);
}
END_TEST

START_TEST(where_takes_nothing_from_the_branch_not_chosen) {
  ck_values(CALL(where, none(), reals(DIMS(3), VALUES(1, 0, NAN)),
                 reals(DIMS(3), VALUES(5, NAN, 7)), reals(SCALAR, VALUES(9))),
            DIMS(3), VALUES(5, 9, 7));
}
END_TEST

START_TEST(a_gradient_of_a_square_by_pow_is_exact_at_0) {
  bnn_tensor *x[2] = {reals(DIMS(2), VALUES(0, -3)), reals(SCALAR, VALUES(2))}, *dx[2];
  op_case c = case_of_shapes(BNN_OP_pow, 2, (case_shape[]){{1, {2}}, {0, {0}}}, none());
  bnn_tensor *y = value_of(&c, x), *dy = reals(DIMS(2), VALUES(1, 1));
  dx[0] = reals(DIMS(2), VALUES(0, 0)), dx[1] = NULL;
  bnn_op_get(BNN_OP_pow)->backward(dx, dy, y, (const bnn_tensor *const *)x, 2, &c.attr);
  ck_values(dx[0], DIMS(2), VALUES(0, -6));
  unref_all(x, 2);
  bnn_tensor_unref(y);
  bnn_tensor_unref(dy);
}
END_TEST

/* ---- reductions ---- */

static double ref_reduce(bnn_op_id id, const double *v, size_t n) {
  double sum = 0, max = -INFINITY, min = INFINITY, squares = 0, exps = 0, product = 1, length = 0;
  for (size_t i = 0; i < n; i++) sum += v[i], max = fmax(max, v[i]), min = fmin(min, v[i]);
  for (size_t i = 0; i < n; i++) product *= v[i], length = hypot(length, v[i]);
  for (size_t i = 0; i < n; i++) squares += pow(v[i] - sum / (double)n, 2), exps += exp(v[i]);
  return id == BNN_OP_sum    ? sum
         : id == BNN_OP_mean ? sum / (double)n
         : id == BNN_OP_max  ? max
         : id == BNN_OP_min  ? min
         : id == BNN_OP_var  ? squares / (double)n
         : id == BNN_OP_std  ? sqrt(squares / (double)n)
         : id == BNN_OP_prod ? product
         : id == BNN_OP_norm ? length
                             : log(exps);
}

/* The elements of x that make up output o, by coordinates. */
static size_t members(double *v, const bnn_tensor *x, uint32_t axes, size_t o) {
  size_t n = 0;
  for (size_t k = 0; k < x->size; k++) {
    size_t at = 0, step = 1, rest = k;
    for (int axis = x->rank - 1; axis >= 0; axis--) {
      const size_t i = rest % x->dim[axis];
      rest /= x->dim[axis];
      if (axes >> axis & 1) continue;
      at += i * step, step *= x->dim[axis];
    }
    if (at == o) v[n++] = bnn_tensor_get(x, k);
  }
  return n;
}

START_TEST(reductions_are_those_of_written_out_loops) {
  const op_case *c = case_at((size_t)_i);
  if (c->id < BNN_OP_sum || c->id > BNN_OP_logsumexp) return;
  bnn_tensor *x[3];
  double v[1000];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x);
  const uint32_t axes = c->attr.axes ? c->attr.axes : ~0u;
  for (size_t o = 0; o < y->size; o++) {
    const size_t n = members(v, x[0], axes, o);
    const double want = ref_reduce(c->id, v, n), got = bnn_tensor_get(y, o);
    ck_assert_msg(fabs(got - want) <= 4 * (double)BNN_REAL_EPSILON * (1 + fabs(want)),
                  "%s[%zu] is %.9g, wanted %.9g", CASE(c), o, got, want);
  }
  bnn_tensor_unref(y);
  unref_all(x, c->n);
}
END_TEST

START_TEST(reduced_axes_go_or_stay_as_1) {
  const size_t dim[] = {2, 3, 4};
  const bnn_shape x = bnn_shape_make(BNN_REAL, 3, dim);
  static const struct {
    uint32_t axes;
    bool keep;
    const char *want;
  } row[] = {{0, false, "[]"},       {0, true, "[1, 1, 1]"}, {1, false, "[3, 4]"},
             {2, true, "[2, 1, 4]"}, {5, false, "[3]"},      {6, true, "[2, 1, 1]"}};
  for (size_t i = 0; i < COUNT(row); i++) {
    bnn_shape y;
    const bnn_attr attr = {.axes = row[i].axes, .keepdims = row[i].keep};
    ck_succeeds(bnn_op_infer(&y, BNN_OP_sum, &x, 1, &attr, &err));
    ck_assert_str_eq(BNN_SHAPE(&y), row[i].want);
  }
}
END_TEST

/* In float, adding 0.1 a million times one by one ends at 100958. */
START_TEST(a_sum_of_a_million_keeps_its_digits) {
  const size_t n = 1000000;
  bnn_tensor *x = tensor_of(BNN_REAL, 1, &n, NULL);
  for (size_t i = 0; i < n; i++) bnn_tensor_real(x)[i] = (bnn_real)0.1;
  const double want = 1e6 * (double)(bnn_real)0.1;
  ck_assert_double_le(fabs(scalar(CALL(sum, none(), x)) - want),
                      1e-12 * want + want * FLT_EPSILON * (sizeof(bnn_real) == 4));
}
END_TEST

START_TEST(a_variance_far_from_0_keeps_its_digits) {
  ck_values(CALL(var, none(), reals(DIMS(4), VALUES(10000, 10001, 10002, 10003))), SCALAR,
            VALUES(1.25));
}
END_TEST

/* 1, 2, 4: the squared deviations from 7/3 sum to 14/3. */
START_TEST(ddof_is_taken_from_what_var_and_std_divide_by) {
  static const double ddof[] = {0, 1, 2}, want[] = {14.0 / 9, 14.0 / 6, 14.0 / 3};
  for (size_t i = 0; i < COUNT(ddof); i++) {
    const bnn_attr attr = {.number = {ddof[i]}};
    bnn_tensor *x = reals(DIMS(3), VALUES(1, 2, 4)), *same = bnn_tensor_ref(x);
    ck_close(scalar(CALL(var, attr, x)), want[i], 4, "var, ddof", ddof[i]);
    ck_close(scalar(CALL(std, attr, same)), sqrt(want[i]), 4, "std, ddof", ddof[i]);
  }
  const bnn_attr all = {.number = {3}}, below = {.number = {-1}};
  ck_assert(isinf(scalar(CALL(var, all, reals(DIMS(3), VALUES(1, 2, 4))))));
  bnn_tensor *x = reals(DIMS(1), VALUES(1)), *y = NULL;
  ck_refuses(bnn_op_run(&y, BNN_OP_std, &x, 1, &below, &err), BNN_ERANGE,
             "ddof: expected 0 or more, got -1");
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(the_gradient_of_a_std_of_0_is_0) {
  bnn_tensor *x[3] = {reals(DIMS(3), VALUES(2, 2, 2)), NULL, NULL}, *dx[3];
  const op_case c = case_of_shapes(BNN_OP_std, 1, (case_shape[]){{1, {3}}}, none());
  bnn_tensor *y = value_of(&c, x), *dy = reals(SCALAR, VALUES(1));
  gradients_of(dx, &c, y, dy, x, 0);
  ck_values(dx[0], DIMS(3), VALUES(0, 0, 0));
  bnn_tensor_unref(y);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(x[0]);
}
END_TEST

/* Of no zero the product over the element, of one that of the others, of more nothing. */
START_TEST(the_gradient_of_a_product_knows_zeros) {
  bnn_tensor *x[3] = {reals(DIMS(3, 3), VALUES(2, 3, 4, 2, 0, 4, 0, 0, 4)), NULL, NULL}, *dx[3];
  const op_case c = case_of_shapes(BNN_OP_prod, 1, (case_shape[]){{2, {3, 3}}}, along(1));
  bnn_tensor *y = value_of(&c, x), *dy = reals(DIMS(3), VALUES(1, 1, 1));
  gradients_of(dx, &c, y, dy, x, 0);
  ck_values(dx[0], DIMS(3, 3), VALUES(12, 8, 6, 0, 8, 0, 0, 0, 0));
  bnn_tensor_unref(y);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(x[0]);
}
END_TEST

START_TEST(any_and_all_ask_for_what_is_not_0) {
  const bnn_attr last = along(1);
  ck_values(CALL(any, last, reals(DIMS(3, 2), VALUES(0, 0, 0, NAN, 1, 1))), DIMS(3),
            VALUES(0, 1, 1));
  ck_values(CALL(all, last, reals(DIMS(3, 2), VALUES(0, 0, 0, NAN, 1, NAN))), DIMS(3),
            VALUES(0, 0, 1));
}
END_TEST

START_TEST(over_nothing_sum_is_0_and_max_is_refused) {
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(2, 0), NULL), *y = NULL;
  const bnn_attr last = along(1);
  static const struct {
    bnn_op_id id;
    double want;
  } row[] = {{BNN_OP_sum, 0},  {BNN_OP_mean, NAN}, {BNN_OP_var, NAN}, {BNN_OP_logsumexp, -INFINITY},
             {BNN_OP_prod, 1}, {BNN_OP_norm, 0},   {BNN_OP_any, 0},   {BNN_OP_all, 1}};
  for (size_t i = 0; i < COUNT(row); i++) {
    ck_succeeds(bnn_op_run(&y, row[i].id, &x, 1, &last, &err));
    ck_values(y, DIMS(2), VALUES(row[i].want, row[i].want));
  }
  static const bnn_op_id extremes[] = {BNN_OP_max, BNN_OP_min, BNN_OP_argmax, BNN_OP_argmin};
  const bnn_attr first = along(0);
  for (size_t i = 0; i < COUNT(extremes); i++) {
    ck_refuses(bnn_op_run(&y, extremes[i], &x, 1, &last, &err), BNN_ESHAPE, "[2, 0]: nothing");
    ck_succeeds(bnn_op_run(&y, extremes[i], &x, 1, &first, &err)); /* no outputs, so none lacks */
    ck_assert_uint_eq(y->size, 0);
    bnn_tensor_unref(y);
  }
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(logsumexp_neither_overflows_nor_makes_nan_of_infinities) {
  static const struct {
    double a, b, want;
  } row[] = {{1000, 1000, 1000.69314718055995},
             {-1000, -1000, -999.30685281944005},
             {-INFINITY, -INFINITY, -INFINITY},
             {INFINITY, 0, INFINITY},
             {-INFINITY, 3, 3},
             {NAN, 3, NAN}};
  for (size_t i = 0; i < COUNT(row); i++)
    ck_close(scalar(CALL(logsumexp, none(), reals(DIMS(2), VALUES(row[i].a, row[i].b)))),
             row[i].want, 2, "logsumexp", row[i].a);
}
END_TEST

START_TEST(an_extreme_with_a_nan_is_nan_and_at_the_nan) {
  const double v[] = {1, NAN, 5, 2};
  ck_assert(isnan(scalar(CALL(max, none(), reals(DIMS(4), v)))));
  ck_assert(isnan(scalar(CALL(min, none(), reals(DIMS(4), v)))));
  ck_assert(scalar(CALL(argmax, none(), reals(DIMS(4), v))) == 2);
  ck_assert(scalar(CALL(argmin, none(), reals(DIMS(4), v))) == 2);
}
END_TEST

START_TEST(argmax_is_the_first_position_from_1) {
  const double v[] = {3, 7, 7, 9, 1, 9};
  ck_values(CALL(argmax, along(1), reals(DIMS(2, 3), v)), DIMS(2), VALUES(2, 1));
  ck_values(CALL(argmax, along(0), reals(DIMS(2, 3), v)), DIMS(3), VALUES(2, 1, 2));
  ck_values(CALL(argmin, along(1), reals(DIMS(2, 3), v)), DIMS(2), VALUES(1, 2));
  ck_values(CALL(argmax, none(), reals(DIMS(2, 3), v)), SCALAR, VALUES(4));
  bnn_attr keep = along(1);
  keep.keepdims = true;
  ck_values(CALL(argmax, keep, reals(DIMS(2, 3), v)), DIMS(2, 1), VALUES(2, 1));
  ck_assert_int_eq(bnn_op_get(BNN_OP_argmax)->backward == NULL, 1);
}
END_TEST

/* Gradient 1 of the output; the input's gradient is given back. */
static bnn_tensor *gradient_of_one(bnn_op_id id, bnn_attr attr, bnn_tensor **x, int n, int i) {
  bnn_tensor *dx[3] = {NULL, NULL, NULL}, *y = NULL;
  ck_succeeds(bnn_op_run(&y, id, x, n, &attr, &err));
  bnn_tensor *dy = tensor_of(BNN_REAL, y->rank, y->dim, NULL);
  for (size_t k = 0; k < dy->size; k++) bnn_tensor_set(dy, k, 1);
  ck_succeeds(bnn_tensor_new(&dx[i], BNN_REAL, x[i]->rank, x[i]->dim, &err));
  bnn_op_get(id)->backward(dx, dy, y, (const bnn_tensor *const *)x, n, &attr);
  bnn_tensor_unref(y);
  bnn_tensor_unref(dy);
  return dx[i];
}

START_TEST(equal_extremes_share_the_gradient) {
  bnn_tensor *x[2] = {reals(DIMS(2, 4), VALUES(5, 1, 5, 0, 0, 2, 1, 0)),
                      reals(DIMS(2, 4), VALUES(5, 2, 0, 0, 9, 2, 1, 0))};
  ck_values(gradient_of_one(BNN_OP_max, along(1), x, 1, 0), DIMS(2, 4),
            VALUES(0.5, 0, 0.5, 0, 0, 1, 0, 0));
  ck_values(gradient_of_one(BNN_OP_min, along(1), x, 1, 0), DIMS(2, 4),
            VALUES(0, 0, 0, 1, 0.5, 0, 0, 0.5));
  ck_values(gradient_of_one(BNN_OP_maximum, none(), x, 2, 0), DIMS(2, 4),
            VALUES(0.5, 0, 1, 0.5, 0, 0.5, 0.5, 0.5));
  ck_values(gradient_of_one(BNN_OP_minimum, none(), x, 2, 1), DIMS(2, 4),
            VALUES(0.5, 0, 1, 0.5, 0, 0.5, 0.5, 0.5));
  unref_all(x, 2);
}
END_TEST

START_TEST(kinks_have_the_gradients_that_their_docs_say) {
  bnn_tensor *x = reals(DIMS(4), VALUES(-1, 0, 2, 3));
  ck_values(gradient_of_one(BNN_OP_relu, none(), &x, 1, 0), DIMS(4), VALUES(0, 0, 1, 1));
  ck_values(gradient_of_one(BNN_OP_abs, none(), &x, 1, 0), DIMS(4), VALUES(-1, 0, 1, 1));
  ck_values(gradient_of_one(BNN_OP_sign, none(), &x, 1, 0), DIMS(4), VALUES(0, 0, 0, 0));
  ck_values(gradient_of_one(BNN_OP_clamp, (bnn_attr){.number = {-1, 2}}, &x, 1, 0), DIMS(4),
            VALUES(1, 1, 1, 0));
  bnn_tensor_unref(x);
}
END_TEST

/* ---- shapes ---- */

START_TEST(a_view_shares_memory_and_a_view_of_a_view_turned_round_is_a_copy) {
  bnn_tensor *x = reals(DIMS(2, 3), NULL), *y = NULL, *turned = NULL;
  const bnn_attr attr = {.rank = 1, .dim = {6}};
  ck_succeeds(bnn_op_run(&y, BNN_OP_view, &x, 1, &attr, &err));
  ck_assert_ptr_eq(y->data, x->data);
  bnn_tensor_unref(y);
  ck_succeeds(bnn_tensor_permute(&turned, x, (const int[]){1, 0}, &err));
  ck_succeeds(bnn_op_run(&y, BNN_OP_view, &turned, 1, &attr, &err));
  ck_values(y, DIMS(6), VALUES(0, 3, 1, 4, 2, 5));
  bnn_tensor_unref(turned);
  bnn_tensor_unref(x);
}
END_TEST

static bnn_tensor *counting(bnn_dtype dtype) { return tensor_of(dtype, DIMS(2, 3), NULL); }

static bnn_tensor *positions(int rank, const size_t *dim, const double *values) {
  return tensor_of(BNN_I32, rank, dim, values);
}

START_TEST(shape_ops_move_elements_of_every_type) {
  static const bnn_dtype type[] = {BNN_U8, BNN_I32, BNN_I64, BNN_U64, BNN_F32, BNN_F64};
  const bnn_dtype t = type[_i];
  ck_values(CALL(view, ((bnn_attr){.rank = 2, .dim = {3, 2}}), counting(t)), DIMS(3, 2),
            VALUES(0, 1, 2, 3, 4, 5));
  ck_values(CALL(permute, ((bnn_attr){.rank = 2, .order = {1, 0}}), counting(t)), DIMS(3, 2),
            VALUES(0, 3, 1, 4, 2, 5));
  ck_values(CALL(narrow, ((bnn_attr){.axis = 1, .from = 1, .count = 2}), counting(t)), DIMS(2, 2),
            VALUES(1, 2, 4, 5));
  ck_values(CALL(concat, along(0), counting(t), counting(t)), DIMS(4, 3),
            VALUES(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5));
  ck_values(CALL(concat, along(1), counting(t), counting(t)), DIMS(2, 6),
            VALUES(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5));
  ck_values(CALL(stack, along(1), counting(t), counting(t)), DIMS(2, 2, 3),
            VALUES(0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5));
  ck_values(CALL(index, along(1), counting(t), positions(DIMS(4), VALUES(3, 1, 1, 2))), DIMS(2, 4),
            VALUES(2, 0, 0, 1, 5, 3, 3, 4));
  ck_values(CALL(index, along(0), counting(t), positions(DIMS(1, 2), VALUES(2, 2))), DIMS(1, 2, 3),
            VALUES(3, 4, 5, 3, 4, 5));
  ck_values(CALL(index, along(0), counting(t), positions(SCALAR, VALUES(2))), DIMS(3),
            VALUES(3, 4, 5));
  ck_values(CALL(gather, along(1), counting(t), positions(DIMS(2, 1), VALUES(3, 1))), DIMS(2, 1),
            VALUES(2, 3));
  ck_values(CALL(gather, along(0), counting(t), positions(DIMS(1, 3), VALUES(2, 1, 2))), DIMS(1, 3),
            VALUES(3, 1, 5));
}
END_TEST

START_TEST(broadcast_repeats) {
  ck_values(
      CALL(broadcast, ((bnn_attr){.rank = 3, .dim = {2, 2, 3}}), reals(DIMS(2, 1), VALUES(1, 2))),
      DIMS(2, 2, 3), VALUES(1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2));
}
END_TEST

START_TEST(gradients_of_repeated_positions_add_up) {
  bnn_tensor *x[2] = {reals(DIMS(3), NULL), positions(DIMS(4), VALUES(3, 1, 3, 3))};
  ck_values(gradient_of_one(BNN_OP_index, along(0), x, 2, 0), DIMS(3), VALUES(1, 0, 3));
  ck_values(gradient_of_one(BNN_OP_gather, along(0), x, 2, 0), DIMS(3), VALUES(1, 0, 3));
  unref_all(x, 2);
}
END_TEST

START_TEST(positions_outside_are_refused_by_number) {
  static const double bad[][3] = {{1, 2, 0}, {1, 4, 1}, {-1, 1, 1}};
  static const char *const words[] = {"positions[3] is 0: axis 1 of x [3] has 1..3",
                                      "positions[2] is 4: axis 1 of x [3] has 1..3",
                                      "positions[1] is -1: axis 1 of x [3] has 1..3"};
  const bnn_attr first = along(0);
  for (size_t i = 0; i < COUNT(bad); i++) {
    bnn_tensor *x[2] = {reals(DIMS(3), NULL), positions(DIMS(3), bad[i])}, *y = NULL;
    ck_refuses(bnn_op_run(&y, BNN_OP_index, x, 2, &first, &err), BNN_ERANGE, words[i]);
    ck_refuses(bnn_op_run(&y, BNN_OP_gather, x, 2, &first, &err), BNN_ERANGE, words[i]);
    unref_all(x, 2);
  }
}
END_TEST

/* ---- products ---- */

START_TEST(products_are_the_sums_of_the_definition) {
  ck_values(CALL(mm, none(), reals(DIMS(2, 3), NULL), reals(DIMS(3, 2), NULL)), DIMS(2, 2),
            VALUES(10, 13, 28, 40));
  ck_values(CALL(bmm, none(), reals(DIMS(2, 1, 2), NULL), reals(DIMS(2, 2, 1), NULL)),
            DIMS(2, 1, 1), VALUES(1, 13));
  ck_values(CALL(linear, none(), reals(DIMS(2, 3), NULL), reals(DIMS(3, 2), NULL),
                 reals(DIMS(2), VALUES(100, 200))),
            DIMS(2, 2), VALUES(110, 213, 128, 240));
  ck_values(CALL(linear, none(), reals(DIMS(3), NULL), reals(DIMS(3, 2), NULL),
                 reals(DIMS(2), VALUES(100, 200))),
            DIMS(2), VALUES(110, 213));
}
END_TEST

START_TEST(a_product_over_nothing_is_0) {
  ck_values(CALL(mm, none(), reals(DIMS(2, 0), NULL), reals(DIMS(0, 2), NULL)), DIMS(2, 2),
            VALUES(0, 0, 0, 0));
  ck_values(CALL(linear, none(), reals(DIMS(2, 0), NULL), reals(DIMS(0, 2), NULL),
                 reals(DIMS(2), VALUES(3, 4))),
            DIMS(2, 2), VALUES(3, 4, 3, 4));
}
END_TEST

/* ---- scores and likelihoods ---- */

START_TEST(softmax_of_large_scores_is_that_of_their_differences) {
  const double shifted[] = {1000, 1001, 1002, -1000, -1000, -1000};
  const double want[] = {
      0.090030573170380462, 0.24472847105479767, 0.66524095577482183, 1. / 3, 1. / 3, 1. / 3};
  double logs[6];
  for (int i = 0; i < 6; i++) logs[i] = log(want[i]);
  ck_values(CALL(softmax, none(), reals(DIMS(2, 3), shifted)), DIMS(2, 3), want);
  ck_values(CALL(log_softmax, none(), reals(DIMS(2, 3), shifted)), DIMS(2, 3), logs);
  ck_values(CALL(softmax, along(1), reals(DIMS(2, 3, 1), shifted)), DIMS(2, 3, 1), want);
}
END_TEST

START_TEST(softmax_along_another_axis_is_softmax_of_the_turned_tensor) {
  static const size_t dim[] = {3, 5, 4};
  const bnn_attr turn = {.rank = 3, .order = {0, 2, 1}};
  static const bnn_op_id op[] = {BNN_OP_softmax, BNN_OP_log_softmax};
  for (size_t i = 0; i < COUNT(op); i++) {
    op_case c = case_of_shapes(op[i], 1, &(case_shape){3, {3, 5, 4}}, along(1));
    bnn_tensor *x[3];
    case_inputs(x, &c);
    bnn_tensor *direct = value_of(&c, x);
    bnn_tensor *turned = call(BNN_OP_permute, turn, 1, x);
    turned = call(op[i], none(), 1, &turned);
    turned = call(BNN_OP_permute, turn, 1, &turned);
    ck_assert_str_eq(BNN_SHAPE(direct), bnn_shape_print(3, dim).s);
    ck_assert_double_le(distance(direct, turned), 4 * (double)BNN_REAL_EPSILON);
    bnn_tensor_unref(direct);
    bnn_tensor_unref(turned);
  }
}
END_TEST

START_TEST(a_nan_score_makes_its_row_nan_and_no_other) {
  ck_values(CALL(softmax, none(), reals(DIMS(2, 2), VALUES(NAN, 1, 0, 0))), DIMS(2, 2),
            VALUES(NAN, NAN, 0.5, 0.5));
  ck_values(CALL(softmax, none(), reals(DIMS(2, 2), VALUES(1, NAN, 0, 0))), DIMS(2, 2),
            VALUES(NAN, NAN, 0.5, 0.5));
  ck_values(CALL(cross_entropy, none(), reals(DIMS(2, 2), VALUES(1, NAN, 0, 0)),
                 positions(DIMS(2), VALUES(0, 0))),
            DIMS(2), VALUES(NAN, log(2)));
}
END_TEST

/* A right answer by a margin of 14 costs e^-14, of which a float near log-sum-exp = 20 holds
 * nothing. */
START_TEST(cross_entropy_keeps_the_digits_of_a_small_loss) {
  bnn_tensor *y = CALL(cross_entropy, none(), reals(DIMS(3, 2), VALUES(20, 6, 6, 20, 500, -500)),
                       positions(DIMS(3), VALUES(0, 0, 1)));
  ck_close(bnn_tensor_get(y, 0), log1p(exp(-14)), sizeof(bnn_real) == 4 ? 4 : 1e7, "loss", 14);
  ck_close(bnn_tensor_get(y, 1), 14 + log1p(exp(-14)), 2, "loss", -14);
  ck_close(bnn_tensor_get(y, 2), 1000, 2, "loss", -1000);
  bnn_tensor_unref(y);
}
END_TEST

/* Whatever its logits are, and whether it is a class or not. */
START_TEST(a_label_that_is_ignored_costs_nothing_and_has_no_gradient) {
  for (int ignored = -100; ignored <= 1; ignored += 101) {
    const bnn_attr attr = {.has_index = true, .index = ignored};
    bnn_tensor *x[2] = {reals(DIMS(3, 2), VALUES(1, 2, NAN, 0, 0, 0)),
                        positions(DIMS(3), VALUES(0, ignored, 0))};
    ck_values(gradient_of_one(BNN_OP_cross_entropy, attr, x, 2, 0), DIMS(3, 2),
              VALUES(-1 / (1 + exp(-1)), 1 / (1 + exp(-1)), 0, 0, -0.5, 0.5));
    ck_values(CALL(cross_entropy, attr, x[0], x[1]), DIMS(3), VALUES(log1p(exp(1)), 0, log(2)));
  }
}
END_TEST

START_TEST(a_label_outside_its_classes_is_refused_by_number) {
  bnn_tensor *x[2] = {reals(DIMS(3, 10), NULL), positions(DIMS(3), VALUES(0, 9, 12))}, *y = NULL;
  ck_refuses(bnn_op_run(&y, BNN_OP_cross_entropy, x, 2, NULL, &err), BNN_ERANGE,
             "cross_entropy: label 12 of example 3 is outside 0..9");
  bnn_tensor_set(x[1], 2, -1);
  ck_refuses(bnn_op_run(&y, BNN_OP_cross_entropy, x, 2, NULL, &err), BNN_ERANGE,
             "label -1 of example 3 is outside 0..9");
  unref_all(x, 2);
}
END_TEST

START_TEST(bernoulli_log_prob_has_no_overflow_and_is_sharp_when_sure) {
  const struct {
    double logit, target, want;
  } row[] = {{0, 1, -0.69314718055994531},
             {800, 1, 0},
             {-800, 0, 0},
             {800, 0, -800},
             {-800, 1, -800},
             {2, 0.25, 0.5 - log1p(exp(2))},
             {15, 1, -log1p(exp(-15))},
             {-15, 0, -log1p(exp(-15))}};
  for (size_t i = 0; i < COUNT(row); i++)
    ck_close(scalar(CALL(bernoulli_log_prob, none(), reals(SCALAR, &row[i].logit),
                         reals(SCALAR, &row[i].target))),
             row[i].want, 4, "log prob at logit", row[i].logit);
}
END_TEST

START_TEST(gaussian_log_prob_is_the_log_of_the_density) {
  bnn_tensor *y = CALL(gaussian_log_prob, none(), reals(DIMS(3), VALUES(1, 0, 7)),
                       reals(SCALAR, VALUES(1)), reals(SCALAR, VALUES(2)));
  for (size_t i = 0; i < 3; i++) {
    const double z = (VALUES(1, 0, 7)[i] - 1) / 2;
    ck_close(bnn_tensor_get(y, i), log(exp(-z * z / 2) / (2 * sqrt(2 * acos(-1)))), 4, "density",
             z);
  }
  bnn_tensor_unref(y);
}
END_TEST

/* ---- at infinity, and where little is left ---- */

/* For every instruction set that this processor has. */
#define EACH_ISA        \
  for (size_t isa_ = 0; \
       bnn_isa_available(isa_) && bnn_isa_set(bnn_isa_available(isa_), NULL) == BNN_OK; isa_++)

/* dx[0] of an op on one tensor along its last axis, for the gradient dy of the output. */
static bnn_tensor *slope_along(bnn_op_id id, bnn_tensor *x, bnn_tensor *dy) {
  const bnn_attr attr = along(x->rank - 1);
  bnn_tensor *y = NULL, *dx = NULL;
  ck_succeeds(bnn_op_run(&y, id, &x, 1, &attr, &err));
  ck_succeeds(bnn_tensor_new(&dx, BNN_REAL, x->rank, x->dim, &err));
  bnn_op_get(id)->backward(&dx, dy, y, (const bnn_tensor *[]){x}, 1, &attr);
  bnn_tensor_unref(y);
  bnn_tensor_unref(x);
  bnn_tensor_unref(dy);
  return dx;
}

#define INF INFINITY
static const struct {
  double logits[3], softmax[3], log_softmax[3], logsumexp;
} infinite[] = {
    {{0, -INF, 0}, {0.5, 0, 0.5}, {-M_LN2, -INF, -M_LN2}, M_LN2},
    {{-INF, 5, -INF}, {0, 1, 0}, {-INF, 0, -INF}, 5},
    {{INF, 3, -INF}, {1, 0, 0}, {0, -INF, -INF}, INF},
    {{INF, NAN, 0}, {NAN, NAN, NAN}, {NAN, NAN, NAN}, NAN},
    {{INF, 1, INF}, {0.5, 0, 0.5}, {-M_LN2, -INF, -M_LN2}, INF},
    {{-INF, -INF, -INF}, {NAN, NAN, NAN}, {NAN, NAN, NAN}, -INF},
    {{1e38, -1e38, -3e38}, {1, 0, 0}, {0, -2e38, -INF}, 1e38},
};

static void masked_classes_have_no_probability_and_infinite_ones_all_here(int _i) {
  const double *l = infinite[_i].logits;
  double logs[3];
  for (int c = 0; c < 3; c++) logs[c] = infinite[_i].log_softmax[c];
  if (sizeof(bnn_real) == 8 && l[0] == 1e38) logs[2] = -4e38;
  ck_values(CALL(softmax, none(), reals(DIMS(1, 3), l)), DIMS(1, 3), infinite[_i].softmax);
  ck_values(CALL(softmax, along(1), reals(DIMS(1, 3, 1), l)), DIMS(1, 3, 1), infinite[_i].softmax);
  ck_values(CALL(log_softmax, none(), reals(DIMS(1, 3), l)), DIMS(1, 3), logs);
  ck_values(CALL(log_softmax, along(1), reals(DIMS(1, 3, 1), l)), DIMS(1, 3, 1), logs);
  ck_values(CALL(logsumexp, along(1), reals(DIMS(1, 3), l)), DIMS(1),
            VALUES(infinite[_i].logsumexp));
}

START_TEST(masked_classes_have_no_probability_and_infinite_ones_all) {
  EACH_ISA masked_classes_have_no_probability_and_infinite_ones_all_here(_i);
}
END_TEST

static void gelu_has_its_limits_here(int _i) {
  BNN_UNUSED(_i);
  const double x[] = {INFINITY, -INFINITY, 3e38, -3e38, 1e20, -1e20, NAN};
  bnn_tensor *in = reals(DIMS(7), x);
  ck_values(CALL(gelu, none(), reals(DIMS(7), x)), DIMS(7),
            VALUES(INFINITY, -0.0, 3e38, -0.0, 1e20, -0.0, NAN));
  ck_values(gradient_of_one(BNN_OP_gelu, none(), &in, 1, 0), DIMS(7),
            VALUES(1, 0, 1, 0, 1, 0, NAN));
  bnn_tensor_unref(in);
}

START_TEST(gelu_has_its_limits_at_infinities) { EACH_ISA gelu_has_its_limits_here(_i); }
END_TEST

/* The gradient of a cross-entropy is softmax - [label], that of logsumexp softmax, whatever the
 * loss. */
static void gradients_of_infinite_scores_are_those_of_their_softmax_here(int _i) {
  const double *p = infinite[_i].softmax, *l = infinite[_i].logits;
  for (int label = 0; label < 3; label++) {
    double want[3];
    for (int c = 0; c < 3; c++) want[c] = p[c] - (c == label);
    bnn_tensor *x[2] = {reals(DIMS(1, 3), l), positions(DIMS(1), VALUES(label))};
    ck_values(gradient_of_one(BNN_OP_cross_entropy, none(), x, 2, 0), DIMS(1, 3), want);
    unref_all(x, 2);
  }
  bnn_tensor *dx = slope_along(BNN_OP_logsumexp, reals(DIMS(1, 3), l), reals(DIMS(1), VALUES(1)));
  ck_values(dx, DIMS(1, 3), p);
}

START_TEST(gradients_of_infinite_scores_are_those_of_their_softmax) {
  EACH_ISA gradients_of_infinite_scores_are_those_of_their_softmax_here(_i);
}
END_TEST

static void
a_cross_entropy_over_more_classes_than_a_buffer_holds_has_the_same_gradient_here(int _i) {
  BNN_UNUSED(_i);
  enum { C = 1300 };
  static double logits[C];
  double sum = 0;
  for (size_t c = 0; c < C; c++) logits[c] = c % 7 ? -(double)(c % 80) : -INF;
  for (size_t c = 0; c < C; c++) sum += exp(logits[c]);
  for (int label = 0; label < C; label += 433) {
    bnn_tensor *x[2] = {reals(DIMS(1, C), logits), positions(DIMS(1), VALUES(label))};
    bnn_tensor *dx = gradient_of_one(BNN_OP_cross_entropy, none(), x, 2, 0);
    for (size_t c = 0; c < C; c++)
      ck_close(bnn_tensor_get(dx, c), exp(logits[c]) / sum - (c == (size_t)label), 16, "slope",
               (double)c);
    bnn_tensor_unref(dx);
    unref_all(x, 2);
  }
}

START_TEST(a_cross_entropy_over_more_classes_than_a_buffer_holds_has_the_same_gradient) {
  EACH_ISA a_cross_entropy_over_more_classes_than_a_buffer_holds_has_the_same_gradient_here(_i);
}
END_TEST

/* Each element of a gradient has the digits of its own size: of a margin m, e^-m either way, at
 * any offset and loss. */
static void gradients_of_scores_keep_the_digits_of_each_element_here(int _i) {
  BNN_UNUSED(_i);
  static const double margin[] = {1, 12, 20, 35, 60, 80}, offset[] = {0, 64, -4096, 65536};
  for (size_t k = 0; k < COUNT(margin); k++)
    for (size_t o = 0; o < COUNT(offset); o++) {
      const double m = margin[k], tail = exp(-m) / (1 + exp(-m)), l = offset[o];
      bnn_tensor *x[2] = {reals(DIMS(2, 2), VALUES(l, l - m, l, l - m)),
                          positions(DIMS(2), VALUES(0, 1))};
      const double want[] = {-tail, tail, 1 - tail, tail - 1};
      bnn_tensor *dx[3] = {gradient_of_one(BNN_OP_cross_entropy, none(), x, 2, 0),
                           slope_along(BNN_OP_log_softmax,
                                       reals(DIMS(2, 2), VALUES(l, l - m, l, l - m)),
                                       reals(DIMS(2, 2), VALUES(-1, 0, 0, -1))),
                           slope_along(BNN_OP_logsumexp, reals(DIMS(1, 2), VALUES(l, l - m)),
                                       reals(DIMS(1), VALUES(1)))};
      for (size_t i = 0; i < 4; i++) {
        ck_close(bnn_tensor_get(dx[0], i), want[i], 16, "slope of a cross-entropy", m);
        /* e^y of a rounded y: its error is y's */
        ck_close(bnn_tensor_get(dx[1], i), want[i], 16 + m, "slope of log_softmax", m);
      }
      ck_close(bnn_tensor_get(dx[2], 0), 1 - tail, 16, "slope of logsumexp", m);
      ck_close(bnn_tensor_get(dx[2], 1), tail, 16 + m, "slope of logsumexp", m);
      unref_all(dx, 3);
      unref_all(x, 2);
    }
}

START_TEST(gradients_of_scores_keep_the_digits_of_each_element) {
  EACH_ISA gradients_of_scores_keep_the_digits_of_each_element_here(_i);
}
END_TEST

/* value, and slope in the first input, of log probabilities at the edges of their parameters */
static const struct {
  bnn_op_id id;
  double a, b, c, value, slope;
  int n, wrt;
} edge[] = {
    {BNN_OP_bernoulli_log_prob, INF, 1, 0, 0, 0, 2, 0},
    {BNN_OP_bernoulli_log_prob, -INF, 0, 0, 0, 0, 2, 0},
    {BNN_OP_bernoulli_log_prob, INF, 0, 0, -INF, -1, 2, 0},
    {BNN_OP_bernoulli_log_prob, -INF, 1, 0, -INF, 1, 2, 0},
    {BNN_OP_bernoulli_log_prob, INF, 0.5, 0, -INF, -0.5, 2, 0},
    {BNN_OP_bernoulli_log_prob, NAN, 1, 0, NAN, NAN, 2, 0},
    {BNN_OP_bernoulli_log_prob, 40, 1, 0, -4.2483542552915889e-18, 4.2483542552915889e-18, 2, 0},
    {BNN_OP_poisson_log_prob, 0, -INF, 0, 0, 0, 2, 1},
    {BNN_OP_poisson_log_prob, 2, -INF, 0, -INF, 2, 2, 1},
    {BNN_OP_poisson_log_prob, 0, INF, 0, -INF, -INF, 2, 1},
    {BNN_OP_poisson_log_prob, 0, NAN, 0, NAN, NAN, 2, 1},
    {BNN_OP_xlogy, 0, 0, 0, 0, 0, 2, 1},
    {BNN_OP_xlogy, 0, INF, 0, 0, 0, 2, 1},
    {BNN_OP_xlogy, 0, NAN, 0, NAN, NAN, 2, 1},
    {BNN_OP_xlogy, 2, 0, 0, -INF, INF, 2, 1},
    {BNN_OP_xlogy, 0, 0, 0, 0, 0, 2, 0},
    {BNN_OP_xlogy, 0, -1, 0, 0, 0, 2, 0},
    {BNN_OP_xlogy, 0, 1, 0, 0, 0, 2, 0},
    {BNN_OP_xlogy, 0, NAN, 0, NAN, NAN, 2, 0},
    {BNN_OP_xlogy, 2, 0, 0, -INF, -INF, 2, 0},
    {BNN_OP_digamma, -3, 0, 0, NAN, INF, 1, 0},
    {BNN_OP_digamma, -INF, 0, 0, NAN, NAN, 1, 0},
    {BNN_OP_digamma, 0, 0, 0, -INF, INF, 1, 0},
    {BNN_OP_lgamma, -3, 0, 0, INF, NAN, 1, 0},
    {BNN_OP_logaddexp, 3, 3, 0, 3.6931471805599453, 0.5, 2, 0},
    {BNN_OP_logaddexp, -400, 0, 0, 0, 0, 2, 0},
    {BNN_OP_logaddexp, 1000, 990, 0, 1000.0000453988992, 4.5397868702434395e-05, 2, 1},
    {BNN_OP_logaddexp, -INF, 2, 0, 2, 0, 2, 0},
    {BNN_OP_logaddexp, -INF, -INF, 0, -INF, 0.5, 2, 0},
    {BNN_OP_logaddexp, INF, 2, 0, INF, 1, 2, 0},
    {BNN_OP_logaddexp, NAN, 2, 0, NAN, NAN, 2, 1},
    {BNN_OP_gaussian_log_prob_of_log, 2, 2, 100, -100.91893853320467, -1, 3, 2},
    {BNN_OP_gaussian_log_prob_of_log, 2, 2, -200, 199.08106146679533, -1, 3, 2},
    {BNN_OP_gaussian_log_prob_of_log, 2, 2, -200, 199.08106146679533, 0, 3, 1},
    {BNN_OP_gaussian_log_prob_of_log, 2, 1, 100, -100.91893853320467, -1, 3, 2},
    {BNN_OP_gaussian_log_prob_of_log, 1e-30, 0, -69, 67.652899085671215, -0.1436752377517751, 3, 2},
    {BNN_OP_gaussian_log_prob_of_log, 1e30, 0, 69, -70.502829157466527, 0.16778124852370857, 3, 2},
    {BNN_OP_gaussian_log_prob_of_log, 1e38, 0, 44, -INF, INF, 3, 2},
    {BNN_OP_gaussian_log_prob_of_log, NAN, 0, 1, NAN, NAN, 3, 2},
    {BNN_OP_gaussian_kl, 0, 1e-4, 0, 2.5000833354167e-9, 0, 2, 0},
    {BNN_OP_gaussian_kl, 0, 1e-4, 0, 2.5000833354167e-9, 5.00025000833e-5, 2, 1},
    {BNN_OP_gaussian_kl, 1e-6, -1e-6, 0, 7.4999991666667e-13, -4.9999975e-7, 2, 1},
    {BNN_OP_gaussian_kl, 0, -INF, 0, INF, -0.5, 2, 1},
    {BNN_OP_gaussian_kl, 1, NAN, 0, NAN, NAN, 2, 1},
};

static void log_probabilities_are_right_at_the_edges_here(int _i) {
  bnn_tensor *x[3] = {reals(SCALAR, &edge[_i].a), reals(SCALAR, &edge[_i].b),
                      reals(SCALAR, &edge[_i].c)};
  bnn_tensor *y = NULL;
  const int n = edge[_i].n;
  /* in double 1e38 is no large number */
  if (sizeof(bnn_real) == 8 && isinf(edge[_i].value) && isfinite(edge[_i].a) && edge[_i].a > 1e30) {
    unref_all(x, 3);
    return;
  }
  const double loss_of_input = 1e6; /* literals are rounded to float on their way in */
  ck_succeeds(bnn_op_run(&y, edge[_i].id, x, n, NULL, &err));
  const char *name = bnn_op_get(edge[_i].id)->name;
  const double ulps = sizeof(bnn_real) == 8 ? loss_of_input : 32;
  ck_close(scalar(y), edge[_i].value, ulps, name, edge[_i].a);
  ck_close(scalar(gradient_of_one(edge[_i].id, none(), x, n, edge[_i].wrt)), edge[_i].slope, ulps,
           name, edge[_i].b);
  unref_all(x, 3);
}

START_TEST(log_probabilities_are_right_at_the_edges) {
  EACH_ISA log_probabilities_are_right_at_the_edges_here(_i);
}
END_TEST
#undef INF

/* As PyTorch has them: where the value is NaN the gradient need not be, but is not one of a bound. */
static void gradients_at_nan_are_those_of_their_formulas_here(int _i) {
  BNN_UNUSED(_i);
  static const struct {
    bnn_op_id id;
    double want;
  } row[] = {{BNN_OP_clamp, 0},     {BNN_OP_relu, 1},  {BNN_OP_leaky_relu, 0.01},
             {BNN_OP_abs, NAN},     {BNN_OP_exp, NAN}, {BNN_OP_square, NAN},
             {BNN_OP_sigmoid, NAN}, {BNN_OP_gelu, NAN}};
  for (size_t i = 0; i < COUNT(row); i++) {
    bnn_tensor *x = reals(SCALAR, VALUES(NAN));
    bnn_attr attr = bnn_op_get(row[i].id)->defaults;
    if (row[i].id == BNN_OP_clamp) attr.number[0] = -1, attr.number[1] = 1;
    ck_close(scalar(gradient_of_one(row[i].id, attr, &x, 1, 0)), row[i].want, 1,
             bnn_op_get(row[i].id)->name, NAN);
    bnn_tensor_unref(x);
  }
}

START_TEST(gradients_at_nan_are_those_of_their_formulas) {
  EACH_ISA gradients_at_nan_are_those_of_their_formulas_here(_i);
}
END_TEST

/* A subnormal result takes a processor up to a hundred times as long: there are none of arguments
 * that are no such numbers themselves. */
static void no_result_is_subnormal_here(int _i) {
  BNN_UNUSED(_i);
  static const bnn_op_id id[] = {BNN_OP_exp,  BNN_OP_sigmoid, BNN_OP_softplus, BNN_OP_gelu,
                                 BNN_OP_tanh, BNN_OP_expm1,   BNN_OP_softmax};
  if (sizeof(bnn_real) == 8) return; /* libm's have them */
  for (size_t i = 0; i < COUNT(id); i++)
    for (double v = -200; v < 0; v += 0.125) {
      bnn_tensor *x = reals(DIMS(3), VALUES(v, 0, 0)), *y = NULL;
      bnn_attr attr = bnn_op_get(id[i])->defaults;
      ck_succeeds(bnn_op_run(&y, id[i], &x, 1, &attr, &err));
      const double got = fabs(bnn_tensor_get(y, 0));
      ck_assert_msg(got == 0 || got >= (double)FLT_MIN, "%s(%g) is %g", bnn_op_get(id[i])->name, v,
                    got);
      bnn_tensor_unref(x);
      bnn_tensor_unref(y);
    }
}

START_TEST(no_result_is_subnormal) { EACH_ISA no_result_is_subnormal_here(_i); }
END_TEST

/* ---- windows of images ---- */

/* A case's sizes, and x at a position of a plane that may lie outside it. */
typedef struct image_case {
  size_t n, c, h, w, kh, kw, oh, ow;
  size_t groups;
  const size_t *stride, *padding, *dilation;
} image_case;

static size_t groups_of(const op_case *c) { return c->attr.count ? c->attr.count : 1; }

static image_case image_case_of(const bnn_tensor *x, const bnn_tensor *y, const size_t *size,
                                size_t groups, const size_t *const *pairs) {
  return (image_case){x->dim[0], x->dim[1], x->dim[2], x->dim[3], size[0],  size[1],
                      y->dim[2], y->dim[3], groups,    pairs[0],  pairs[1], pairs[2]};
}

/* The element of x that offset (k, l) of the window at (i, j) meets; -1 for padding. */
static ptrdiff_t met(const image_case *v, size_t plane, size_t i, size_t j, size_t k, size_t l) {
  const size_t r = i * v->stride[0] + k * v->dilation[0], c = j * v->stride[1] + l * v->dilation[1];
  if (r < v->padding[0] || r - v->padding[0] >= v->h) return -1;
  if (c < v->padding[1] || c - v->padding[1] >= v->w) return -1;
  return (ptrdiff_t)((plane * v->h + r - v->padding[0]) * v->w + c - v->padding[1]);
}

/* y - b, and the gradients of sum(dy y), by the definition. */
static void plain_conv(double *y, double *const *dx, const image_case *v, size_t filters,
                       bnn_tensor *const *x, const bnn_tensor *dy) {
  const size_t channels = v->c / v->groups, depth = channels * v->kh * v->kw;
  size_t at = 0;
  for (size_t n = 0; n < v->n; n++)
    for (size_t o = 0; o < filters; o++)
      for (size_t i = 0; i < v->oh; i++)
        for (size_t j = 0; j < v->ow; j++, at++) {
          const double g = bnn_tensor_get(dy, at);
          y[at] = bnn_tensor_get(x[2], o);
          dx[2][o] += g;
          for (size_t e = 0; e < depth; e++) {
            const size_t c = o / (filters / v->groups) * channels + e / (v->kh * v->kw),
                         k = e / v->kw % v->kh, l = e % v->kw, weight = o * depth + e;
            const ptrdiff_t from = met(v, n * v->c + c, i, j, k, l);
            if (from < 0) continue;
            y[at] += bnn_tensor_get(x[0], (size_t)from) * bnn_tensor_get(x[1], weight);
            dx[0][from] += g * bnn_tensor_get(x[1], weight);
            dx[1][weight] += g * bnn_tensor_get(x[0], (size_t)from);
          }
        }
}

static void ck_near(const op_case *c, const bnn_tensor *got, const double *want, const char *what) {
  const double tolerance = 100 * (double)BNN_REAL_EPSILON + order_tolerance(c, c->in[0].dim[0]);
  for (size_t i = 0; i < got->size; i++)
    ck_assert_msg(fabs(bnn_tensor_get(got, i) - want[i]) <= tolerance * (1 + fabs(want[i])),
                  "%s: %s, element %zu is %.9g, wanted %.9g", CASE(c), what, i,
                  bnn_tensor_get(got, i), want[i]);
}

/* Whether NaN is where it is wanted, and nowhere else if `just`. */
static void ck_nans(const op_case *c, const bnn_tensor *got, const double *want, bool just,
                    const char *what) {
  for (size_t i = 0; i < got->size; i++) {
    const bool is = isnan(bnn_tensor_get(got, i)), wanted = isnan(want[i]);
    if (wanted ? !is : is && just)
      ck_abort_msg("%s: %s, element %zu %s NaN", CASE(c), what, i, is ? "is" : "is not");
  }
}

static void put_nan(bnn_tensor *x) {
  if (x->size > 0) bnn_tensor_set(x, x->size * 3 / 5, NAN);
}

typedef enum conv_check { ALL_FINITE, NAN_IN_X, NAN_IN_DY } conv_check;

/* Compares with the written-out loops.  With a NaN in x or in dy: that it shows in all that meets
 * it, and elsewhere in dw alone, which sums over what lies beside the image, too (0 times NaN). */
static void compare_conv(const op_case *c, conv_check check) {
  static const char *const names[] = {"dx", "dw", "db"};
  bnn_tensor *x[3], *dx[3];
  double *plain[3];
  case_inputs(x, c);
  if (check == NAN_IN_X) put_nan(x[0]);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  if (check == NAN_IN_DY) put_nan(dy);
  gradients_of(dx, c, y, dy, x, 0);
  for (int i = 0; i < 3; i++) plain[i] = calloc(x[i]->size + 1, sizeof **plain);
  double *want = calloc(y->size + 1, sizeof *want);
  const image_case v =
      image_case_of(x[0], y, x[1]->dim + 2, groups_of(c),
                    (const size_t *const[]){c->attr.pair[0], c->attr.pair[1], c->attr.pair[2]});
  plain_conv(want, plain, &v, x[1]->dim[0], x, dy);
  check ? ck_nans(c, y, want, true, "y") : ck_near(c, y, want, "y");
  for (int i = 0; i < 3; i++) {
    check ? ck_nans(c, dx[i], plain[i], i != 1, names[i]) : ck_near(c, dx[i], plain[i], names[i]);
    free(plain[i]);
  }
  free(want);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(dx, 3);
  unref_all(x, 3);
}

static void check_conv(const op_case *c) { compare_conv(c, ALL_FINITE); }

static void check_conv_nan(const op_case *c) {
  compare_conv(c, NAN_IN_X);
  compare_conv(c, NAN_IN_DY);
}

/* The pooled value, or NaN when the window has one, and what it hands on. */
static void plain_pool(double *y, double *dx, const image_case *v, bool is_max, const bnn_tensor *x,
                       const bnn_tensor *dy) {
  size_t at = 0;
  for (size_t plane = 0; plane < v->n * v->c; plane++)
    for (size_t i = 0; i < v->oh; i++)
      for (size_t j = 0; j < v->ow; j++, at++) {
        double max = -INFINITY, sum = 0, g = bnn_tensor_get(dy, at);
        ptrdiff_t best = -1;
        for (size_t e = 0; e < v->kh * v->kw; e++) {
          const ptrdiff_t from = met(v, plane, i, j, e / v->kw, e % v->kw);
          const double value = from < 0 ? 0 : bnn_tensor_get(x, (size_t)from);
          if (from >= 0 && (best < 0 || value > max)) max = value, best = from;
          if (from >= 0 && !is_max) dx[from] += g / (double)(v->kh * v->kw);
          sum += value;
        }
        if (is_max) dx[best] += g;
        y[at] = is_max ? max : sum / (double)(v->kh * v->kw);
      }
}

static void check_pool(const op_case *c) {
  bnn_tensor *x[3], *dx[3];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  gradients_of(dx, c, y, dy, x, 0);
  double *want = calloc(y->size + 1, sizeof *want), *plain = calloc(x[0]->size + 1, sizeof *plain);
  const size_t *size = c->attr.pair[0], *stride = c->attr.pair[1];
  const image_case v = image_case_of(
      x[0], y, size, 1,
      (const size_t *const[]){stride[0] ? stride : size, c->attr.pair[2], (const size_t[]){1, 1}});
  plain_pool(want, plain, &v, c->id == BNN_OP_max_pool2d, x[0], dy);
  ck_near(c, y, want, "y");
  ck_near(c, dx[0], plain, "dx");
  free(want);
  free(plain);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(dx, 1);
  unref_all(x, 1);
}

START_TEST(convolution_and_pooling_are_those_of_written_out_loops) {
  const op_case *c = case_at((size_t)_i);
  if (c->id == BNN_OP_conv2d) for_every_isa(check_conv, c);
  if (c->id == BNN_OP_max_pool2d || c->id == BNN_OP_avg_pool2d) for_every_isa(check_pool, c);
}
END_TEST

START_TEST(a_nan_goes_through_a_convolution_to_all_that_it_meets) {
  const op_case *c = case_at((size_t)_i);
  if (c->id == BNN_OP_conv2d) for_every_isa(check_conv_nan, c);
}
END_TEST

/* y - b, and the gradients of sum(dy y), by the definition: y is the image that conv2d's window
 * slides over. */
static void plain_transpose(double *y, double *const *dx, const image_case *v, size_t channels,
                            bnn_tensor *const *x, const bnn_tensor *dy) {
  const size_t out = v->c / v->groups, size = out * v->kh * v->kw;
  size_t at = 0;
  for (size_t i = 0; i < dy->size; i++) {
    const size_t o = i / (v->h * v->w) % v->c;
    y[i] = bnn_tensor_get(x[2], o);
    dx[2][o] += bnn_tensor_get(dy, i);
  }
  for (size_t n = 0; n < v->n; n++)
    for (size_t c = 0; c < channels; c++)
      for (size_t i = 0; i < v->oh; i++)
        for (size_t j = 0; j < v->ow; j++, at++)
          for (size_t e = 0; e < size; e++) {
            const size_t o = c / (channels / v->groups) * out + e / (v->kh * v->kw),
                         k = e / v->kw % v->kh, l = e % v->kw;
            const ptrdiff_t to = met(v, n * v->c + o, i, j, k, l);
            if (to < 0) continue;
            const double value = bnn_tensor_get(x[0], at), g = bnn_tensor_get(dy, (size_t)to);
            const double weight = bnn_tensor_get(x[1], c * size + e);
            y[to] += value * weight;
            dx[0][at] += g * weight;
            dx[1][c * size + e] += g * value;
          }
}

static void check_transpose(const op_case *c) {
  static const char *const names[] = {"dx", "dw", "db"};
  bnn_tensor *x[3], *dx[3];
  double *plain[3];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  gradients_of(dx, c, y, dy, x, 0);
  for (int i = 0; i < 3; i++) plain[i] = calloc(x[i]->size + 1, sizeof **plain);
  double *want = calloc(y->size + 1, sizeof *want);
  const image_case v =
      image_case_of(y, x[0], x[1]->dim + 2, groups_of(c),
                    (const size_t *const[]){c->attr.pair[0], c->attr.pair[1], c->attr.pair[3]});
  plain_transpose(want, plain, &v, x[0]->dim[1], x, dy);
  ck_near(c, y, want, "y");
  for (int i = 0; i < 3; i++) {
    ck_near(c, dx[i], plain[i], names[i]);
    free(plain[i]);
  }
  free(want);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(dx, 3);
  unref_all(x, 3);
}

START_TEST(a_transposed_convolution_is_that_of_written_out_loops) {
  const op_case *c = case_at((size_t)_i);
  if (c->id == BNN_OP_conv_transpose2d) for_every_isa(check_transpose, c);
}
END_TEST

static bnn_attr pairs(size_t a, size_t b, size_t c) {
  return (bnn_attr){.pair = {{a, a}, {b, b}, {c, c}}};
}

START_TEST(a_convolution_worked_by_hand) {
  ck_values(CALL(conv2d, pairs(1, 0, 1), reals(DIMS(1, 1, 3, 3), NULL),
                 reals(DIMS(1, 1, 2, 2), VALUES(1, 2, 3, 4)), reals(DIMS(1), VALUES(10))),
            DIMS(1, 1, 2, 2), VALUES(37, 47, 67, 77));
  ck_values(CALL(conv2d, pairs(2, 1, 1), reals(DIMS(1, 1, 3, 3), NULL),
                 reals(DIMS(1, 1, 2, 2), VALUES(1, 2, 3, 4)), reals(DIMS(1), VALUES(10))),
            DIMS(1, 1, 2, 2), VALUES(10, 21, 40, 77));
  ck_values(CALL(conv2d, pairs(1, 0, 1), reals(DIMS(1, 2, 1, 2), VALUES(1, 2, 3, 4)),
                 reals(DIMS(2, 2, 1, 1), VALUES(1, 10, -1, 1)), reals(DIMS(2), VALUES(0, 5))),
            DIMS(1, 2, 1, 2), VALUES(31, 42, 7, 7));
  bnn_attr groups = pairs(1, 0, 1);
  groups.count = 2;
  ck_values(CALL(conv2d, groups, reals(DIMS(1, 2, 1, 2), VALUES(1, 2, 3, 4)),
                 reals(DIMS(4, 1, 1, 1), VALUES(1, 10, -1, 2)), reals(DIMS(4), VALUES(0, 0, 0, 5))),
            DIMS(1, 4, 1, 2), VALUES(1, 2, 10, 20, -3, -4, 11, 13));
}
END_TEST

START_TEST(a_transposed_convolution_worked_by_hand) {
  const bnn_attr plain = {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}},
                 apart = {.pair = {{2, 2}, {1, 1}, {1, 0}, {1, 1}}};
  ck_values(CALL(conv_transpose2d, plain, reals(DIMS(1, 1, 1, 2), VALUES(1, 2)),
                 reals(DIMS(1, 1, 2, 2), VALUES(1, 2, 3, 4)), reals(DIMS(1), VALUES(10))),
            DIMS(1, 1, 2, 3), VALUES(11, 14, 14, 13, 20, 18));
  ck_values(CALL(conv_transpose2d, apart, reals(DIMS(1, 1, 1, 2), VALUES(1, 2)),
                 reals(DIMS(1, 1, 2, 2), VALUES(1, 2, 3, 4)), reals(DIMS(1), VALUES(10))),
            DIMS(1, 1, 1, 2), VALUES(14, 16));
  bnn_attr groups = plain;
  groups.count = 2;
  ck_values(CALL(conv_transpose2d, groups, reals(DIMS(1, 2, 1, 1), VALUES(1, 2)),
                 reals(DIMS(2, 2, 1, 1), VALUES(1, 10, -1, 2)), reals(DIMS(4), VALUES(0, 0, 0, 5))),
            DIMS(1, 4, 1, 1), VALUES(1, 10, -2, 9));
}
END_TEST

START_TEST(pools_worked_by_hand) {
  const double x[] = {1, 5, 2, 0, -3, 4, 9, -1, -7};
  ck_values(CALL(max_pool2d, pairs(2, 1, 0), reals(DIMS(1, 1, 3, 3), x)), DIMS(1, 1, 2, 2),
            VALUES(5, 5, 9, 4));
  ck_values(CALL(max_pool2d, pairs(2, 0, 1), reals(DIMS(1, 1, 3, 3), x)), DIMS(1, 1, 2, 2),
            VALUES(1, 5, 9, 4));
  ck_values(CALL(avg_pool2d, pairs(2, 0, 1), reals(DIMS(1, 1, 3, 3), x)), DIMS(1, 1, 2, 2),
            VALUES(0.25, 1.75, 2.25, -1.75));
  ck_values(CALL(avg_pool2d, pairs(3, 0, 0), reals(DIMS(1, 1, 3, 3), x)), DIMS(1, 1, 1, 1),
            VALUES(10. / 9));
}
END_TEST

/* By the loops for windows of 2 x 2 and by those for any. */
START_TEST(a_window_with_a_nan_is_nan_and_no_other) {
  for (size_t at = 0; at < 4; at++) {
    double x[] = {1, 2, 9, 1, 3, 4, 1, 1};
    x[(size_t[]){0, 1, 4, 5}[at]] = NAN;
    ck_values(CALL(max_pool2d, pairs(2, 0, 0), reals(DIMS(1, 1, 2, 4), x)), DIMS(1, 1, 1, 2),
              VALUES(NAN, 9));
    ck_values(CALL(max_pool2d, pairs(2, 1, 0), reals(DIMS(1, 1, 2, 4), x)), DIMS(1, 1, 1, 3),
              VALUES(NAN, at % 2 ? NAN : 9, 9));
    ck_values(CALL(avg_pool2d, pairs(2, 0, 0), reals(DIMS(1, 1, 2, 4), x)), DIMS(1, 1, 1, 2),
              VALUES(NAN, 3));
    bnn_tensor *in = reals(DIMS(1, 1, 2, 2), VALUES(1, 2, 3, 4));
    bnn_tensor_set(in, at, NAN);
    double want[4] = {0};
    want[at] = 1;
    const bnn_attr general = {.pair = {{2, 2}, {1, 1}}};
    ck_values(gradient_of_one(BNN_OP_max_pool2d, pairs(2, 0, 0), &in, 1, 0), DIMS(1, 1, 2, 2),
              want);
    ck_values(gradient_of_one(BNN_OP_max_pool2d, general, &in, 1, 0), DIMS(1, 1, 2, 2), want);
    bnn_tensor_unref(in);
  }
}
END_TEST

START_TEST(of_equal_maxima_the_first_takes_the_gradient) {
  bnn_tensor *x = reals(DIMS(1, 1, 2, 2), VALUES(0, 7, 7, 7));
  ck_values(gradient_of_one(BNN_OP_max_pool2d, pairs(2, 0, 0), &x, 1, 0), DIMS(1, 1, 2, 2),
            VALUES(0, 1, 0, 0));
  ck_values(gradient_of_one(BNN_OP_max_pool2d, pairs(2, 1, 0), &x, 1, 0), DIMS(1, 1, 2, 2),
            VALUES(0, 1, 0, 0));
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(a_maximum_of_infinities_is_no_padding) {
  const double x[] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  ck_values(CALL(max_pool2d, pairs(2, 0, 1), reals(DIMS(1, 1, 2, 2), x)), DIMS(1, 1, 2, 2), x);
}
END_TEST

/* ---- rows of features ---- */

START_TEST(layer_norm_gives_mean_0_and_variance_1_before_gain_and_bias) {
  const double x[] = {1, 2, 3, 4, 1001, 1002, 1003, 1004}, u[] = {-3, -1, 1, 3};
  double want[8];
  for (int i = 0; i < 8; i++) want[i] = u[i % 4] / sqrt(5) * (i % 4 + 1) + 10;
  ck_values(CALL(layer_norm, ((bnn_attr){.number = {0}}), reals(DIMS(2, 4), x),
                 reals(DIMS(4), VALUES(1, 2, 3, 4)), reals(DIMS(4), VALUES(10, 10, 10, 10))),
            DIMS(2, 4), want);
  for (int i = 0; i < 8; i++) want[i] = u[i % 4] / 2 / sqrt(1.25 + 0.75);
  ck_values(CALL(layer_norm, ((bnn_attr){.number = {0.75}}), reals(DIMS(2, 4), x),
                 reals(DIMS(4), VALUES(1, 1, 1, 1)), reals(DIMS(4), VALUES(0, 0, 0, 0))),
            DIMS(2, 4), want);
  ck_values(CALL(layer_norm, ((bnn_attr){.number = {1e-5}}), reals(DIMS(3), VALUES(7, 7, 7)),
                 reals(DIMS(3), VALUES(1, 2, 3)), reals(DIMS(3), VALUES(4, 5, 6))),
            DIMS(3), VALUES(4, 5, 6));
}
END_TEST

START_TEST(batch_norm_gives_channels_mean_0_and_variance_1) {
  const double x[] = {1, 2, 100, 100, 3, 4, 100, 100}, u[] = {-3, -1, 0, 0, 1, 3, 0, 0};
  double want[8];
  for (int i = 0; i < 8; i++) want[i] = i % 4 < 2 ? u[i] / 2 / sqrt(1.25 + 0.75) * 3 + 10 : 20;
  ck_values(CALL(batch_norm, ((bnn_attr){.number = {0.75}}), reals(DIMS(2, 2, 2), x),
                 reals(DIMS(2), VALUES(3, 5)), reals(DIMS(2), VALUES(10, 20))),
            DIMS(2, 2, 2), want);
  ck_values(CALL(batch_norm, ((bnn_attr){.number = {0}}),
                 reals(DIMS(2, 3), VALUES(1, 1, 5, 3, -1, 9)), reals(DIMS(3), VALUES(1, 2, 3)),
                 reals(DIMS(3), VALUES(0, 0, 1))),
            DIMS(2, 3), VALUES(-1, 2, -2, 1, -2, 4));
}
END_TEST

START_TEST(poisson_log_prob_is_the_log_of_the_probability) {
  const struct {
    double y, log_rate, want;
  } row[] = {{0, 0, -1},
             {3, log(2), 3 * log(2) - 2 - log(6)},
             {1, -80, -80},
             {1000, log(1000), -4.3728995060262968},
             {2.5, 1, 2.5 - exp(1) - 1.2009736023470742},
             {-1, 0, -INFINITY},
             {-0.5, 0, -1 - 0.57236494292470009},
             {0, 200, sizeof(bnn_real) == 4 ? -INFINITY : -exp(200)},
             {NAN, 0, NAN},
             {0, NAN, NAN}};
  for (size_t i = 0; i < COUNT(row); i++)
    ck_close(scalar(CALL(poisson_log_prob, none(), reals(SCALAR, &row[i].y),
                         reals(SCALAR, &row[i].log_rate))),
             row[i].want, sizeof(bnn_real) == 4 ? 300 : 2000, "log prob at y", row[i].y);
}
END_TEST

/* psi(1), psi(1/2), psi(-1/2), psi(11) from tables. */
START_TEST(the_slope_of_log_factorial_is_digamma) {
  const double y[] = {0, -0.5, -1.5, 10}, want[] = {-0.57721566490153286, -1.9635100260214235,
                                                    0.036489973978576520, 2.3517525890667211};
  for (size_t i = 0; i < COUNT(y); i++) {
    bnn_tensor *x[2] = {reals(SCALAR, &y[i]), reals(SCALAR, VALUES(0))};
    bnn_tensor *dy = gradient_of_one(BNN_OP_poisson_log_prob, none(), x, 2, 0);
    ck_assert_double_le(fabs(scalar(dy) + want[i]), sizeof(bnn_real) == 4 ? 1e-6 : 1e-12);
    unref_all(x, 2);
  }
}
END_TEST

/* ---- random ---- */

static bnn_tensor *key_tensor(uint64_t bits) {
  bnn_tensor *key = NULL;
  ck_succeeds(bnn_tensor_new(&key, BNN_U64, 0, NULL, &err));
  *(uint64_t *)key->data = bits;
  return key;
}

/* Kept are those whose uniform is p or more, of which 0.7 n are expected; 4 sigma of a binomial. */
START_TEST(dropout_keeps_by_the_keys_uniforms_and_divides_by_what_it_keeps) {
  enum { N = 20000 };
  const size_t n = N;
  const bnn_key key = bnn_key_new(5);
  static bnn_real u[N];
  bnn_tensor *x = tensor_of(BNN_REAL, 1, &n, NULL);
  for (size_t i = 0; i < n; i++) bnn_tensor_real(x)[i] = 1;
  bnn_tensor *y = CALL(dropout, ((bnn_attr){.number = {0.3}}), x, key_tensor(key.bits));
  bnn_rng_uniform(u, key, 0, n);
  double kept = 0;
  for (size_t i = 0; i < n; i++) {
    const bnn_real want = u[i] < (bnn_real)0.3 ? 0 : (bnn_real)(1 / 0.7);
    ck_assert(bnn_tensor_real(y)[i] == want);
    kept += want > 0;
  }
  ck_assert_double_le(fabs(kept - 0.7 * N), 4 * sqrt(N * 0.3 * 0.7));
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(dropout_of_0_changes_nothing_and_of_1_is_refused) {
  static const double bad[] = {1, -0.1, 2, NAN};
  ck_values(
      CALL(dropout, ((bnn_attr){.number = {0}}), reals(DIMS(3), VALUES(1, -2, 3)), key_tensor(1)),
      DIMS(3), VALUES(1, -2, 3));
  bnn_tensor *x[2] = {reals(DIMS(3), NULL), key_tensor(1)}, *y = NULL;
  for (size_t i = 0; i < COUNT(bad); i++) {
    const bnn_attr attr = {.number = {bad[i]}};
    ck_refuses(bnn_op_run(&y, BNN_OP_dropout, x, 2, &attr, &err), BNN_ERANGE,
               "p: expected 0 <= p < 1, got ");
  }
  ck_refuses(bnn_op_run(&y, BNN_OP_dropout, (bnn_tensor *[]){x[0], x[0]}, 2, NULL, &err), BNN_ETYPE,
             "key: expected u64 [], got ");
  unref_all(x, 2);
}
END_TEST

/* Element [i, k, j, l] of [n, outer, c, inner] has bit i c + j of the key's 64-bit numbers as its sign,
 * whatever block of rows it is in. */
static void ck_flips(int rank, const size_t *dim, int axis) {
  enum { WORDS = 200 };
  const bnn_key key = bnn_key_new(6);
  uint64_t word[WORDS];
  size_t size = 1, inner = 1;
  for (int k = 0; k < rank; k++) size *= dim[k];
  for (int k = axis + 1; k < rank; k++) inner *= dim[k];
  bnn_rng_bits(word, key, 0, WORDS);
  bnn_tensor *x[2] = {tensor_of(BNN_REAL, rank, dim, NULL), key_tensor(key.bits)}, *y = NULL;
  for (size_t i = 0; i < size; i++) bnn_tensor_real(x[0])[i] = (bnn_real)i + 1;
  const bnn_attr attr = {.axis = axis};
  ck_succeeds(bnn_op_run(&y, BNN_OP_flip_signs, x, 2, &attr, &err));
  const bnn_real *found = bnn_tensor_real(y);
  for (size_t i = 0; i < size; i++) {
    const size_t row = i / (size / dim[0]), j = i / inner % dim[axis], at = row * dim[axis] + j;
    ck_assert_uint_lt(at / 64, WORDS);
    const bnn_real sign = word[at / 64] >> at % 64 & 1 ? 1 : -1;
    ck_assert(found[i] == sign * ((bnn_real)i + 1));
  }
  bnn_tensor block, out;
  size_t rest[4], row = size / dim[0];
  memcpy(rest, dim, (size_t)rank * sizeof *dim);
  rest[0] = dim[0] - 1;
  bnn_real *rows = calloc(size, sizeof *rows);
  bnn_tensor_init(&block, BNN_REAL, rank, rest, bnn_tensor_real(x[0]) + row);
  bnn_tensor_init(&out, BNN_REAL, rank, rest, rows);
  block.row0 = 1;
  bnn_op_get(BNN_OP_flip_signs)->forward(&out, (const bnn_tensor *[]){&block, x[1]}, 2, &attr);
  ck_assert_mem_eq(rows, found + row, (size - row) * sizeof *rows);
  free(rows);
  bnn_tensor_unref(y);
  unref_all(x, 2);
}

START_TEST(signs_are_the_bits_of_the_key) {
  ck_flips(DIMS(5, 3), 1);
  ck_flips(DIMS(7, 300), 1); /* one long row, over more than a chunk */
  ck_flips(DIMS(3, 2, 5), 2);
  ck_flips(DIMS(3, 4, 2, 3), 1);
  ck_flips(DIMS(2, 1500, 2), 1);
}
END_TEST

START_TEST(signs_need_rows_and_another_axis) {
  bnn_tensor *x[2] = {reals(DIMS(3), NULL), key_tensor(1)}, *y = NULL;
  bnn_tensor *rows[2] = {reals(DIMS(3, 2), NULL), x[1]};
  ck_refuses(bnn_op_run(&y, BNN_OP_flip_signs, x, 2, NULL, &err), BNN_ESHAPE,
             "x: expected rows, [n, ...], got [3]");
  ck_refuses(bnn_op_run(&y, BNN_OP_flip_signs, rows, 2, &(bnn_attr){.axis = 0}, &err), BNN_ERANGE,
             "axis: expected one after the rows, got 1");
  ck_refuses(bnn_op_run(&y, BNN_OP_flip_signs, (bnn_tensor *[]){rows[0], x[0]}, 2, NULL, &err),
             BNN_ETYPE, "key: expected u64 [], got ");
  bnn_tensor_unref(rows[0]);
  unref_all(x, 2);
}
END_TEST

/* Its root and its slope are those of 1e-16 below that. */
START_TEST(a_variance_of_0_has_a_finite_slope) {
  const bnn_attr attr = none();
  bnn_tensor *x[3] = {reals(DIMS(3), VALUES(1, 2, 3)), reals(DIMS(3), VALUES(0, -1, 4)),
                      reals(DIMS(3), VALUES(1e8, 2e8, -2))};
  bnn_tensor *y = NULL, *dy = reals(DIMS(3), VALUES(1, 1, 1));
  ck_succeeds(bnn_op_run(&y, BNN_OP_reparameterize, x, 3, &attr, &err));
  const double want[] = {2, 4, -1}, slope[] = {1e8 / 2e-8, 2e8 / 2e-8, -2 / 4.};
  bnn_real dvariance[3] = {0};
  bnn_tensor d;
  bnn_tensor_init(&d, BNN_REAL, DIMS(3), dvariance);
  bnn_op_get(BNN_OP_reparameterize)
      ->backward((bnn_tensor *[]){NULL, &d, NULL}, dy, y, (const bnn_tensor *const *)x, 3, &attr);
  for (int i = 0; i < 3; i++) {
    ck_assert_double_eq_tol((double)bnn_tensor_real(y)[i], want[i], 1e-6);
    ck_assert_double_eq_tol((double)dvariance[i], slope[i], 1e-6 * fabs(slope[i]));
  }
  unref_all(x, 3);
  bnn_tensor_unref(y);
  bnn_tensor_unref(dy);
}
END_TEST

/* A block of rows [3, 5) of [5, 4] begins at element 12 of the key's sequence. */
START_TEST(draws_in_the_shape_of_a_tensor_are_the_keys_sequence) {
  static const bnn_op_id ops[] = {BNN_OP_randn_like, BNN_OP_rand_like};
  const bnn_key key = bnn_key_new(6);
  for (size_t i = 0; i < COUNT(ops); i++) {
    bnn_tensor *x[2] = {reals(DIMS(5, 4), NULL), key_tensor(key.bits)}, *y = NULL, block, out;
    bnn_real want[20], rows[8];
    (i == 0 ? bnn_rng_normal : bnn_rng_uniform)(want, key, 0, 20);
    ck_succeeds(bnn_op_run(&y, ops[i], x, 2, NULL, &err));
    ck_assert_mem_eq(y->data, want, sizeof want);
    bnn_tensor_init(&block, BNN_REAL, DIMS(2, 4), (bnn_real *)x[0]->data + 12);
    bnn_tensor_init(&out, BNN_REAL, DIMS(2, 4), rows);
    block.row0 = 3;
    bnn_op_get(ops[i])->forward(&out, (const bnn_tensor *[]){&block, x[1]}, 2, &(bnn_attr){0});
    ck_assert_mem_eq(rows, want + 12, sizeof rows);
    bnn_tensor_unref(y);
    y = NULL;
    ck_refuses(bnn_op_run(&y, ops[i], (bnn_tensor *[]){x[0], x[0]}, 2, NULL, &err), BNN_ETYPE,
               "key: expected u64 [], got ");
    ck_refuses(bnn_op_run(&y, ops[i], (bnn_tensor *[]){x[1], x[1]}, 2, NULL, &err), BNN_ETYPE,
               "x: expected f");
    unref_all(x, 2);
  }
}
END_TEST

START_TEST(key_fold_mixes_the_key_with_value_and_domain) {
  bnn_tensor *y = CALL(key_fold, ((bnn_attr){.fold = 9, .domain = 2}), key_tensor(77));
  ck_assert_uint_eq(*(uint64_t *)y->data, bnn_key_mix((bnn_key){77}, 9, 2).bits);
  bnn_tensor_unref(y);
}
END_TEST

/* ---- refused shapes ---- */

/* Calls whose shapes or attributes do not fit, and words of what is said. */
static const struct {
  bnn_op_id id;
  int n;
  case_shape in[3];
  bnn_attr attr;
  bnn_status status;
  const char *words;
} misfit[] = {
    {BNN_OP_add, 2, {{2, {3, 4}}, {1, {3}}}, {0}, BNN_ESHAPE, "add: [3, 4] and [3]"},
    {BNN_OP_where, 3, {{1, {2}}, {1, {2}}, {1, {3}}}, {0}, BNN_ESHAPE, "where: [2] and [3]"},
    {BNN_OP_linear,
     3,
     {{2, {128, 784}}, {2, {400, 64}}, {1, {64}}},
     {0},
     BNN_ESHAPE,
     "linear: w: expected [784, *] for x [128, 784], got [400, 64]"},
    {BNN_OP_linear,
     3,
     {{2, {8, 4}}, {2, {4, 6}}, {1, {5}}},
     {0},
     BNN_ESHAPE,
     "b: expected [6] for w [4, 6], got [5]"},
    {BNN_OP_linear, 3, {{0, {0}}, {2, {4, 6}}, {1, {6}}}, {0}, BNN_ESHAPE, "got []"},
    {BNN_OP_mm,
     2,
     {{2, {2, 3}}, {2, {4, 5}}},
     {0},
     BNN_ESHAPE,
     "mm: b: expected [3, *] for a [2, 3], got [4, 5]"},
    {BNN_OP_mm,
     2,
     {{1, {2}}, {2, {2, 5}}},
     {0},
     BNN_ESHAPE,
     "expected tensors of rank 2, got a [2], b [2, 5]"},
    {BNN_OP_bmm, 2, {{3, {2, 3, 4}}, {3, {5, 4, 3}}}, {0}, BNN_ESHAPE, "b: expected [2, 4, *]"},
    {BNN_OP_sum, 1, {{2, {2, 3}}}, {.axes = 8}, BNN_ERANGE, "x is [2, 3]: it has no axis 4"},
    {BNN_OP_argmax, 1, {{2, {2, 3}}}, {.axis = 2}, BNN_ERANGE, "[2, 3]: it has no axis 3"},
    {BNN_OP_softmax, 1, {{0, {0}}}, {.axis = BNN_AXIS_NONE}, BNN_ERANGE, "x is []"},
    {BNN_OP_view,
     1,
     {{2, {3, 4}}},
     {.rank = 2, .dim = {5, 2}},
     BNN_ESHAPE,
     "x is [3, 4]: 12 elements do not make [5, 2]"},
    {BNN_OP_permute, 1, {{2, {3, 4}}}, {.rank = 1, .order = {0}}, BNN_ESHAPE, "expected 2 axes"},
    {BNN_OP_permute, 1, {{2, {3, 4}}}, {.rank = 2, .order = {1, 1}}, BNN_ERANGE, "axis 2 is twice"},
    {BNN_OP_permute, 1, {{2, {3, 4}}}, {.rank = 2, .order = {0, 2}}, BNN_ERANGE, "no axis 3"},
    {BNN_OP_narrow,
     1,
     {{2, {3, 4}}},
     {.axis = 1, .from = 3, .count = 2},
     BNN_ERANGE,
     "x is [3, 4]: no 2 positions from 4 on along axis 2"},
    {BNN_OP_narrow, 1, {{2, {3, 4}}}, {.axis = 1, .from = SIZE_MAX, .count = 2}, BNN_ERANGE, "no"},
    {BNN_OP_concat,
     2,
     {{2, {3, 4}}, {2, {2, 4}}},
     {.axis = 1},
     BNN_ESHAPE,
     "tensor 1 is [3, 4], tensor 2 is [2, 4]"},
    {BNN_OP_stack, 2, {{2, {3, 4}}, {1, {4}}}, {.axis = 0}, BNN_ESHAPE, "tensor 2 is [4]"},
    {BNN_OP_stack, 2, {{2, {3, 4}}, {2, {3, 4}}}, {.axis = 3}, BNN_ERANGE, "new axis 4"},
    {BNN_OP_gather,
     2,
     {{2, {3, 4}}, {2, {2, 4}}},
     {.axis = 1},
     BNN_ESHAPE,
     "x is [3, 4], positions is [2, 4]"},
    {BNN_OP_broadcast,
     1,
     {{2, {3, 4}}},
     {.rank = 2, .dim = {3, 5}},
     BNN_ESHAPE,
     "x is [3, 4]: it does not repeat to [3, 5]"},
    {BNN_OP_broadcast, 1, {{2, {3, 4}}}, {.rank = 1, .dim = {4}}, BNN_ESHAPE, "to [4]"},
    {BNN_OP_cross_entropy,
     2,
     {{2, {128, 10}}, {1, {100}}},
     {0},
     BNN_ESHAPE,
     "labels: expected [128] for logits [128, 10], got [100]"},
    {BNN_OP_cross_entropy, 2, {{0, {0}}, {1, {10}}}, {0}, BNN_ESHAPE, "logits: expected [n,"},
    {BNN_OP_cross_entropy,
     2,
     {{3, {8, 5, 10}}, {1, {8}}},
     {0},
     BNN_ESHAPE,
     "labels: expected [8, 5] for logits [8, 5, 10], got [8]"},
    {BNN_OP_attention,
     3,
     {{3, {2, 3, 4}}, {3, {2, 5, 4}}, {3, {2, 3, 4}}},
     {.count = 2},
     BNN_ESHAPE,
     "v: expected [2, 5, *] for k [2, 5, 4], got [2, 3, 4]"},
    {BNN_OP_attention,
     3,
     {{3, {2, 3, 4}}, {3, {2, 5, 4}}, {3, {2, 5, 4}}},
     {.count = 3},
     BNN_ESHAPE,
     "heads: expected a divisor of 4, the features of q, got 3"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 3, 28, 28}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "conv2d: expected x [n, channels, h, w], w [out, channels, kh, kw], got x [8, 3, "},
    {BNN_OP_conv2d,
     3,
     {{3, {8, 28, 28}}, {4, {6, 28, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "got x [8, 28, 28], w [6, 28, 5, 5]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 9}}, {4, {6, 1, 5, 5}}, {1, {5}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "b: expected [6] for w [6, 1, 5, 5], got [5]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 2}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 1}, {1, 1}}},
     BNN_ESHAPE,
     "x is [8, 1, 9, 2], the kernel is [5, 5]: larger than the images with padding [0, 1]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 9}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 0}, {0, 0}, {1, 1}}},
     BNN_ERANGE,
     "and stride: expected 1 or more, got "},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 9}}, {4, {6, 1, 0, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}},
     BNN_ERANGE,
     "the kernel and stride: expected 1 or more, got [0, 5] and [1, 1]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 9}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {SIZE_MAX / 2, 0}, {1, 1}}},
     BNN_ERANGE,
     "too large"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 9}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {1 << 29, 1 << 29}, {1, 1}}},
     BNN_ESHAPE,
     "too large for a product"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 9}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {1, 0}}},
     BNN_ERANGE,
     "dilation: expected 1 or more, got [1, 0]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 1, 9, 9}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {3, 2}}},
     BNN_ESHAPE,
     "the kernel is [5, 5] with dilation [3, 2]: larger than the images with padding [0, 0]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 4, 9, 9}}, {4, {6, 1, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}, .count = 3},
     BNN_ESHAPE,
     "x: expected channels that groups = 3 divides, got [8, 4, 9, 9]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 4, 9, 9}}, {4, {5, 2, 5, 5}}, {1, {5}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}, .count = 2},
     BNN_ESHAPE,
     "w: expected kernels that groups = 2 divides, got [5, 2, 5, 5]"},
    {BNN_OP_conv2d,
     3,
     {{4, {8, 4, 9, 9}}, {4, {6, 4, 5, 5}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}, .count = 2},
     BNN_ESHAPE,
     "w [out, channels / groups, kh, kw], got x [8, 4, 9, 9], w [6, 4, 5, 5]"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {8, 4, 9, 9}}, {4, {4, 3, 5, 5}}, {1, {9}}},
     {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}, .count = 3},
     BNN_ESHAPE,
     "x: expected channels that groups = 3 divides, got [8, 4, 9, 9]"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {8, 4, 9, 9}}, {4, {4, 3, 5, 5}}, {1, {3}}},
     {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}, .count = 2},
     BNN_ESHAPE,
     "b: expected [6] for w [4, 3, 5, 5], got [3]"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {8, 3, 9, 9}}, {4, {2, 3, 5, 5}}, {1, {3}}},
     {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "expected x [n, channels, h, w], w [channels, out, kh, kw], got x [8, 3, 9, 9], w [2, 3,"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {8, 2, 9, 9}}, {4, {2, 3, 5, 5}}, {1, {2}}},
     {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "b: expected [3] for w [2, 3, 5, 5], got [2]"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {8, 2, 9, 9}}, {4, {2, 3, 5, 5}}, {1, {3}}},
     {.pair = {{2, 2}, {0, 0}, {0, 2}, {1, 1}}},
     BNN_ERANGE,
     "output_padding: expected less than stride or dilation, got [0, 2]"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {8, 2, 1, 1}}, {4, {2, 3, 2, 2}}, {1, {3}}},
     {.pair = {{1, 1}, {1, 0}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "x is [8, 2, 1, 1], the kernel is [2, 2]: padding [1, 0] leaves nothing"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {8, 2, 0, 1}}, {4, {2, 3, 2, 2}}, {1, {3}}},
     {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "images without pixels"},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {1, 1, 1 << 20, 1 << 20}}, {4, {1, 1, 2, 2}}, {1, {1}}},
     {.pair = {{1 << 20, 1}, {0, 0}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "too large for a product"},
    {BNN_OP_max_pool2d,
     1,
     {{3, {8, 9, 9}}},
     {.pair = {{2, 2}}},
     BNN_ESHAPE,
     "max_pool2d: x: expected [n, channels, h, w], got [8, 9, 9]"},
    {BNN_OP_max_pool2d,
     1,
     {{4, {8, 1, 9, 1}}},
     {.pair = {{2, 2}}},
     BNN_ESHAPE,
     "x is [8, 1, 9, 1], size is [2, 2]: larger than the images with padding [0, 0]"},
    {BNN_OP_avg_pool2d,
     1,
     {{4, {8, 1, 9, 9}}},
     {.pair = {{2, 2}, {0, 0}, {2, 1}}},
     BNN_ERANGE,
     "padding: expected half the size [2, 2] at most, got [2, 1]"},
    {BNN_OP_avg_pool2d,
     1,
     {{4, {8, 1, 9, 9}}},
     {.pair = {{0, 2}}},
     BNN_ERANGE,
     "expected 1 or more, got [0, 2]"},
    {BNN_OP_avg_pool2d,
     1,
     {{4, {8, 1, 9, 0}}},
     {.pair = {{2, 2}, {0, 0}, {1, 1}}},
     BNN_ESHAPE,
     "images without pixels"},
    {BNN_OP_layer_norm,
     3,
     {{2, {8, 4}}, {1, {4}}, {1, {5}}},
     {0},
     BNN_ESHAPE,
     "layer_norm: bias: expected [4] for x [8, 4], got [5]"},
    {BNN_OP_batch_norm,
     3,
     {{3, {8, 4, 2}}, {1, {2}}, {1, {4}}},
     {0},
     BNN_ESHAPE,
     "batch_norm: gain: expected [4] for x [8, 4, 2], got [2]"},
    {BNN_OP_batch_norm,
     3,
     {{1, {4}}, {1, {4}}, {1, {4}}},
     {0},
     BNN_ESHAPE,
     "x: expected [n, channels, ...], got [4]"},
    {BNN_OP_batch_norm,
     3,
     {{2, {4, 1}}, {1, {1}}, {1, {1}}},
     {.number = {-1}},
     BNN_ERANGE,
     "eps: expected a number of 0 or more, got -1"},
    {BNN_OP_layer_norm, 3, {{0, {0}}, {1, {1}}, {1, {1}}}, {0}, BNN_ESHAPE, "got []"},
    {BNN_OP_layer_norm,
     3,
     {{1, {4}}, {1, {4}}, {1, {4}}},
     {.number = {NAN}},
     BNN_ERANGE,
     "eps: expected a number of 0 or more, got nan"},
    {BNN_OP_clamp,
     1,
     {{1, {3}}},
     {.number = {2, 1}},
     BNN_ERANGE,
     "clamp: expected lo <= hi, got lo 2, hi 1"},
    {BNN_OP_clamp, 1, {{1, {3}}}, {.number = {NAN, 1}}, BNN_ERANGE, "expected lo <= hi"},
    {BNN_OP_scatter_add,
     3,
     {{2, {3, 4}}, {2, {3, 2}}, {2, {3, 3}}},
     {.axis = 1},
     BNN_ESHAPE,
     "scatter_add: positions is [3, 2], values is [3, 3]: they must agree"},
    {BNN_OP_scatter_add,
     3,
     {{2, {3, 4}}, {2, {2, 2}}, {2, {2, 2}}},
     {.axis = 1},
     BNN_ESHAPE,
     "they may differ along axis 2 only"},
    {BNN_OP_cumsum, 1, {{2, {3, 4}}}, {.axis = 2}, BNN_ERANGE, "x is [3, 4]: it has no axis 3"},
    {BNN_OP_argsort, 1, {{0, {0}}}, {.axis = BNN_AXIS_NONE}, BNN_ERANGE, "x is []: it has no axis"},
};

START_TEST(shapes_that_do_not_fit_are_refused_with_both_in_the_text) {
  for (size_t i = 0; i < COUNT(misfit); i++) {
    const op_case c = case_of_shapes(misfit[i].id, misfit[i].n, misfit[i].in, misfit[i].attr);
    bnn_shape y;
    ck_refuses(bnn_op_infer(&y, c.id, c.in, c.n, &c.attr, &err), misfit[i].status, misfit[i].words);
  }
}
END_TEST

START_TEST(types_that_do_not_fit_are_refused) {
  bnn_tensor *x = reals(DIMS(2, 2), NULL), *labels = positions(DIMS(2), VALUES(0, 1));
  bnn_tensor *row = reals(DIMS(2), NULL), *y = NULL;
  const bnn_attr first = along(0);
  ck_refuses(bnn_op_run(&y, BNN_OP_cross_entropy, (bnn_tensor *[]){x, row}, 2, NULL, &err),
             BNN_ETYPE, "labels: expected i32 or i64, got ");
  ck_refuses(bnn_op_run(&y, BNN_OP_index, (bnn_tensor *[]){x, row}, 2, &first, &err), BNN_ETYPE,
             "positions: expected i32 or i64, got ");
  ck_refuses(bnn_op_run(&y, BNN_OP_concat, (bnn_tensor *[]){row, labels}, 2, &first, &err),
             BNN_ETYPE, "tensor 2 is i32");
  ck_refuses(bnn_op_run(&y, BNN_OP_linear, (bnn_tensor *[]){x, labels, row}, 3, NULL, &err),
             BNN_ETYPE, "linear: w: expected f");
  unref_all((bnn_tensor *[]){x, labels, row}, 3);
}
END_TEST

/* ---- integers as real numbers ---- */

START_TEST(integers_become_the_nearest_real_numbers) {
  static const bnn_dtype types[] = {BNN_U8, BNN_I32, BNN_I64};
  static const double small[] = {0, 1, 7, 254, 255, 3};
  for (size_t t = 0; t < COUNT(types); t++) {
    bnn_tensor *y = CALL(real, none(), tensor_of(types[t], DIMS(2, 3), small));
    ck_assert_int_eq(y->dtype, BNN_REAL);
    ck_values(y, DIMS(2, 3), small);
  }
  const int64_t large[] = {INT64_MIN, -16777217, 16777217, INT64_MAX};
  bnn_tensor *x = tensor_of(BNN_I64, DIMS(4), (const double[4]){0});
  memcpy(x->data, large, sizeof large);
  bnn_tensor *y = CALL(real, none(), x);
  for (size_t i = 0; i < COUNT(large); i++)
    ck_assert_double_eq((double)bnn_tensor_real(y)[i], (double)(bnn_real)large[i]);
  bnn_tensor_unref(y);
}
END_TEST

START_TEST(only_integers_become_real_numbers) {
  static const bnn_dtype types[] = {BNN_F32, BNN_F64};
  for (size_t t = 0; t < COUNT(types); t++) {
    bnn_tensor *y = NULL, *x = tensor_of(types[t], DIMS(1), (const double[]){1});
    ck_refuses(bnn_op_run(&y, BNN_OP_real, &x, 1, NULL, &err), BNN_ETYPE,
               "x: expected an integer type, got ");
    bnn_tensor_unref(x);
  }
}
END_TEST

static void add_tests_of_elements(TCase *tests) {
  tcase_add_loop_test(tests, functions_of_one_number_are_libms_to_a_few_ulp, 0, COUNT(unary));
  tcase_add_test(tests, gelu_is_x_times_the_normal_cdf);
  tcase_add_test(tests, gelu_has_its_limits_at_infinities);
  tcase_add_test(tests, erfinv_turns_erf_round);
  tcase_add_test(tests, digamma_is_known_at_some_points);
  tcase_add_test(tests, softplus_has_no_overflow_in_either_tail);
  tcase_add_test(tests, attributes_left_out_are_the_rows_defaults);
  tcase_add_loop_test(tests, functions_of_two_numbers_are_cs_for_all_pairs_of_points, 0,
                      COUNT(binary));
  tcase_add_loop_test(tests, broadcasting_is_numpys_in_every_pattern, 0, (int)case_count());
  tcase_add_test(tests, where_takes_nothing_from_the_branch_not_chosen);
  tcase_add_test(tests, a_gradient_of_a_square_by_pow_is_exact_at_0);
  tcase_add_loop_test(tests, reductions_are_those_of_written_out_loops, 0, (int)case_count());
  tcase_add_test(tests, reduced_axes_go_or_stay_as_1);
  tcase_add_test(tests, a_sum_of_a_million_keeps_its_digits);
  tcase_add_test(tests, a_variance_far_from_0_keeps_its_digits);
  tcase_add_test(tests, ddof_is_taken_from_what_var_and_std_divide_by);
  tcase_add_test(tests, the_gradient_of_a_std_of_0_is_0);
  tcase_add_test(tests, the_gradient_of_a_product_knows_zeros);
  tcase_add_test(tests, any_and_all_ask_for_what_is_not_0);
  tcase_add_test(tests, over_nothing_sum_is_0_and_max_is_refused);
  tcase_add_test(tests, logsumexp_neither_overflows_nor_makes_nan_of_infinities);
  tcase_add_test(tests, an_extreme_with_a_nan_is_nan_and_at_the_nan);
  tcase_add_test(tests, argmax_is_the_first_position_from_1);
  tcase_add_test(tests, equal_extremes_share_the_gradient);
  tcase_add_test(tests, kinks_have_the_gradients_that_their_docs_say);
}

static void add_tests_of_moves_products_and_scores(TCase *tests) {
  tcase_add_test(tests, a_view_shares_memory_and_a_view_of_a_view_turned_round_is_a_copy);
  tcase_add_loop_test(tests, shape_ops_move_elements_of_every_type, 0, 6);
  tcase_add_test(tests, broadcast_repeats);
  tcase_add_test(tests, gradients_of_repeated_positions_add_up);
  tcase_add_test(tests, positions_outside_are_refused_by_number);
  tcase_add_test(tests, products_are_the_sums_of_the_definition);
  tcase_add_test(tests, a_product_over_nothing_is_0);
  tcase_add_test(tests, softmax_of_large_scores_is_that_of_their_differences);
  tcase_add_test(tests, softmax_along_another_axis_is_softmax_of_the_turned_tensor);
  tcase_add_test(tests, a_nan_score_makes_its_row_nan_and_no_other);
  tcase_add_test(tests, cross_entropy_keeps_the_digits_of_a_small_loss);
  tcase_add_test(tests, a_label_that_is_ignored_costs_nothing_and_has_no_gradient);
  tcase_add_test(tests, a_label_outside_its_classes_is_refused_by_number);
  tcase_add_test(tests, bernoulli_log_prob_has_no_overflow_and_is_sharp_when_sure);
  const int infinities = COUNT(infinite), edges = COUNT(edge);
  tcase_add_loop_test(tests, masked_classes_have_no_probability_and_infinite_ones_all, 0,
                      infinities);
  tcase_add_loop_test(tests, gradients_of_infinite_scores_are_those_of_their_softmax, 0,
                      infinities);
  tcase_add_test(tests,
                 a_cross_entropy_over_more_classes_than_a_buffer_holds_has_the_same_gradient);
  tcase_add_test(tests, gradients_of_scores_keep_the_digits_of_each_element);
  tcase_add_loop_test(tests, log_probabilities_are_right_at_the_edges, 0, edges);
  tcase_add_test(tests, gradients_at_nan_are_those_of_their_formulas);
  tcase_add_test(tests, no_result_is_subnormal);
  tcase_add_test(tests, gaussian_log_prob_is_the_log_of_the_density);
  tcase_add_test(tests, poisson_log_prob_is_the_log_of_the_probability);
  tcase_add_test(tests, the_slope_of_log_factorial_is_digamma);
}

static void add_tests_of_windows_noise_and_refusals(TCase *tests) {
  tcase_add_loop_test(tests, convolution_and_pooling_are_those_of_written_out_loops, 0,
                      (int)case_count());
  tcase_add_loop_test(tests, a_nan_goes_through_a_convolution_to_all_that_it_meets, 0,
                      (int)case_count());
  tcase_add_loop_test(tests, a_transposed_convolution_is_that_of_written_out_loops, 0,
                      (int)case_count());
  tcase_add_test(tests, a_convolution_worked_by_hand);
  tcase_add_test(tests, a_transposed_convolution_worked_by_hand);
  tcase_add_test(tests, pools_worked_by_hand);
  tcase_add_test(tests, a_window_with_a_nan_is_nan_and_no_other);
  tcase_add_test(tests, of_equal_maxima_the_first_takes_the_gradient);
  tcase_add_test(tests, a_maximum_of_infinities_is_no_padding);
  tcase_add_test(tests, layer_norm_gives_mean_0_and_variance_1_before_gain_and_bias);
  tcase_add_test(tests, batch_norm_gives_channels_mean_0_and_variance_1);
  tcase_add_test(tests, dropout_keeps_by_the_keys_uniforms_and_divides_by_what_it_keeps);
  tcase_add_test(tests, draws_in_the_shape_of_a_tensor_are_the_keys_sequence);
  tcase_add_test(tests, signs_are_the_bits_of_the_key);
  tcase_add_test(tests, signs_need_rows_and_another_axis);
  tcase_add_test(tests, a_variance_of_0_has_a_finite_slope);
  tcase_add_test(tests, dropout_of_0_changes_nothing_and_of_1_is_refused);
  tcase_add_test(tests, key_fold_mixes_the_key_with_value_and_domain);
  tcase_add_test(tests, shapes_that_do_not_fit_are_refused_with_both_in_the_text);
  tcase_add_test(tests, types_that_do_not_fit_are_refused);
  tcase_add_test(tests, integers_become_the_nearest_real_numbers);
  tcase_add_test(tests, only_integers_become_real_numbers);
}

static void add_tests(TCase *tests) {
  add_tests_of_elements(tests);
  add_tests_of_moves_products_and_scores(tests);
  add_tests_of_windows_noise_and_refusals(tests);
}

int main(void) { return run_suite_with_products("op_values", add_tests); }
