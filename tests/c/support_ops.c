/* support_ops.c - example calls of ops; see support_ops.h. */
#include "support_ops.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/isa.h"
#include "kernels/rng.h"

enum { LIST_LENGTH = 3, RANDOM_IMAGES = 32 };

/* ---- cases ---- */

op_case case_of_row(bnn_op_id id) {
  const bnn_op *op = bnn_op_get(id);
  const bnn_op_check *check = &op->check;
  op_case c = {id, op->arity < 0 ? LIST_LENGTH : op->arity, {{0}}, check->attr, 0, 0};
  c.first = check->first, c.classes = check->classes;
  for (int i = 0; i < c.n; i++) {
    const bool given = check->in[i].rank > 0 || check->in[i].dim[0] > 0;
    const bnn_dtype dtype = check->in[i].dtype ? check->in[i].dtype : BNN_REAL;
    c.in[i] = given ? bnn_shape_make(dtype, check->in[i].rank, check->in[i].dim)
                    : bnn_shape_make(dtype, 2, (const size_t[]){3, 4});
  }
  return c;
}

op_case case_of_shapes(bnn_op_id id, int n, const case_shape *in, bnn_attr attr) {
  op_case c = case_of_row(id);
  c.n = n, c.attr = attr;
  for (int i = 0; i < n; i++) c.in[i] = bnn_shape_make(c.in[i].dtype, in[i].rank, in[i].dim);
  return c;
}

/* Shapes that broadcast, for ops of two inputs: repeated on either side, along the inner loop or
 * the outer ones, longer than the buffer of walk.c. */
static const case_shape pairs[][2] = {
    {{2, {3, 4}}, {1, {4}}},          {{1, {4}}, {2, {3, 4}}},
    {{2, {3, 1}}, {2, {1, 4}}},       {{0, {0}}, {2, {3, 4}}},
    {{2, {3, 4}}, {0, {0}}},          {{3, {2, 3, 4}}, {2, {3, 1}}},
    {{3, {2, 1, 4}}, {3, {2, 3, 1}}}, {{2, {3, 300}}, {1, {300}}},
    {{2, {3, 1}}, {2, {3, 300}}},     {{4, {2, 3, 1, 2}}, {3, {1, 5, 1}}},
    {{2, {1, 1}}, {1, {1}}},          {{0, {0}}, {0, {0}}},
};

static const bnn_op_id binary[] = {BNN_OP_add,
                                   BNN_OP_sub,
                                   BNN_OP_mul,
                                   BNN_OP_div,
                                   BNN_OP_pow,
                                   BNN_OP_maximum,
                                   BNN_OP_minimum,
                                   BNN_OP_lt,
                                   BNN_OP_logical_xor,
                                   BNN_OP_bernoulli_log_prob,
                                   BNN_OP_poisson_log_prob};

static const case_shape triples[][3] = {
    {{2, {3, 4}}, {1, {4}}, {0, {0}}},
    {{0, {0}}, {2, {3, 1}}, {1, {4}}},
    {{2, {1, 300}}, {2, {3, 1}}, {0, {0}}},
    {{3, {2, 1, 1}}, {2, {3, 1}}, {1, {4}}},
};

static const bnn_op_id reductions[] = {BNN_OP_sum, BNN_OP_mean, BNN_OP_max,       BNN_OP_min,
                                       BNN_OP_var, BNN_OP_std,  BNN_OP_logsumexp, BNN_OP_norm,
                                       BNN_OP_any, BNN_OP_all};

static const case_shape reduced[] = {{3, {2, 3, 4}}, {2, {3, 300}}, {1, {5}}, {3, {2, 1, 270}}};

/* One-off cases: an op, its input shapes and attributes. */
static const struct {
  bnn_op_id id;
  int n;
  case_shape in[3];
  bnn_attr attr;
} single[] = {
    {BNN_OP_relu, 1, {{2, {5, 101}}}, {0}},
    {BNN_OP_gelu, 1, {{2, {5, 101}}}, {0}},
    {BNN_OP_exp, 1, {{0, {0}}}, {0}},
    {BNN_OP_leaky_relu, 1, {{1, {7}}}, {.number = {0.01}}},
    {BNN_OP_sum, 1, {{0, {0}}}, {0}},
    {BNN_OP_prod, 1, {{3, {2, 3, 4}}}, {.axes = 2}},
    {BNN_OP_prod, 1, {{3, {2, 3, 4}}}, {.axes = 5, .keepdims = true}},
    {BNN_OP_prod, 1, {{0, {0}}}, {0}},
    {BNN_OP_var, 1, {{2, {1, 1}}}, {.keepdims = true}},
    {BNN_OP_argmax, 1, {{2, {3, 4}}}, {.axis = BNN_AXIS_NONE}},
    {BNN_OP_argmax, 1, {{3, {2, 3, 4}}}, {.axis = 1, .keepdims = true}},
    {BNN_OP_argmin, 1, {{3, {2, 3, 4}}}, {.axis = 0}},
    {BNN_OP_softmax, 1, {{3, {3, 4, 5}}}, {.axis = 1}},
    {BNN_OP_softmax, 1, {{2, {3, 200}}}, {.axis = 0}},
    {BNN_OP_softmax, 1, {{2, {2, 600}}}, {.axis = BNN_AXIS_NONE}},
    {BNN_OP_log_softmax, 1, {{3, {3, 4, 5}}}, {.axis = 1}},
    {BNN_OP_log_softmax, 1, {{2, {3, 200}}}, {.axis = 0}},
    {BNN_OP_log_softmax, 1, {{2, {2, 600}}}, {.axis = BNN_AXIS_NONE}},
    {BNN_OP_cross_entropy, 2, {{2, {2, 600}}, {1, {2}}}, {0}},
    {BNN_OP_cross_entropy, 2, {{2, {70, 4}}, {1, {70}}}, {0}},
    {BNN_OP_permute, 1, {{3, {2, 3, 4}}}, {.rank = 3, .order = {0, 2, 1}}},
    {BNN_OP_permute, 1, {{2, {3, 4}}}, {.rank = 2, .order = {1, 0}}},
    {BNN_OP_permute, 1, {{0, {0}}}, {.rank = 0}},
    {BNN_OP_narrow, 1, {{3, {2, 3, 4}}}, {.axis = 0, .from = 1, .count = 1}},
    {BNN_OP_narrow, 1, {{3, {2, 3, 4}}}, {.axis = 1, .from = 0, .count = 0}},
    {BNN_OP_broadcast, 1, {{2, {3, 1}}}, {.rank = 2, .dim = {3, 4}}},
    {BNN_OP_broadcast, 1, {{0, {0}}}, {.rank = 2, .dim = {3, 4}}},
    {BNN_OP_concat, 3, {{2, {1, 4}}, {2, {2, 4}}, {2, {3, 4}}}, {.axis = 0}},
    {BNN_OP_concat, 1, {{2, {1, 4}}}, {.axis = 0}},
    {BNN_OP_stack, 2, {{2, {3, 4}}, {2, {3, 4}}}, {.axis = 0}},
    {BNN_OP_stack, 2, {{2, {3, 4}}, {2, {3, 4}}}, {.axis = 2}},
    {BNN_OP_index, 2, {{2, {4, 3}}, {2, {5, 2}}}, {.axis = 0}},
    {BNN_OP_index, 2, {{3, {2, 4, 3}}, {0, {0}}}, {.axis = 1}},
    {BNN_OP_gather, 2, {{2, {4, 3}}, {2, {5, 3}}}, {.axis = 0}},
    {BNN_OP_gather, 2, {{3, {2, 4, 3}}, {3, {2, 1, 3}}}, {.axis = 1}},
    {BNN_OP_linear, 3, {{3, {2, 3, 4}}, {2, {4, 2}}, {1, {2}}}, {0}},
    {BNN_OP_linear, 3, {{1, {4}}, {2, {4, 2}}, {1, {2}}}, {0}},
    {BNN_OP_linear, 3, {{2, {3, 4}}, {2, {4, 150}}, {1, {150}}}, {0}},
    {BNN_OP_dropout, 2, {{2, {3, 400}}, {0, {0}}}, {.number = {0.3}}},
    /* strides; padding that all of a window may lie in; no window beyond one element; patches that
     * are cut into panels by columns, by rows and by depth */
    {BNN_OP_conv2d,
     3,
     {{4, {2, 2, 7, 6}}, {4, {3, 2, 3, 2}}, {1, {3}}},
     {.pair = {{2, 3}, {1, 0}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 1, 3, 2}}, {4, {2, 1, 2, 2}}, {1, {2}}},
     {.pair = {{1, 2}, {3, 2}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 1, 12, 13}}, {4, {2, 1, 5, 5}}, {1, {2}}},
     {.pair = {{1, 1}, {2, 2}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {3, 5, 3, 3}}, {4, {4, 5, 1, 1}}, {1, {4}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 30, 12, 9}}, {4, {2, 30, 3, 3}}, {1, {2}}},
     {.pair = {{1, 1}, {1, 1}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {1, 64, 4, 70}}, {4, {1, 64, 2, 2}}, {1, {1}}},
     {.pair = {{1, 1}, {0, 1}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {1, 300, 9, 9}}, {4, {2, 300, 1, 1}}, {1, {2}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 0, 3, 3}}, {4, {2, 0, 2, 2}}, {1, {2}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}}},
    /* views of images: many filters and channels, more images than are laid out at a time, padding
     * wider than the window, sums of more terms than a block, too large to be laid out */
    {BNN_OP_conv2d,
     3,
     {{4, {19, 3, 8, 10}}, {4, {17, 3, 5, 3}}, {1, {17}}},
     {.pair = {{1, 1}, {2, 1}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 14, 5, 4}}, {4, {7, 14, 4, 3}}, {1, {7}}},
     {.pair = {{1, 1}, {0, 2}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {3, 2, 3, 4}}, {4, {2, 2, 2, 1}}, {1, {2}}},
     {.pair = {{1, 1}, {3, 2}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {1, 64, 44, 45}}, {4, {12, 64, 2, 2}}, {1, {12}}},
     {.pair = {{1, 1}, {1, 1}, {1, 1}}}},
    /* phases of views: fewer than strides, as elements of the window are apart; elements of the image
     * that no window meets; columns that are moved in pairs, wide and narrow; many channels */
    {BNN_OP_conv2d,
     3,
     {{4, {3, 2, 9, 41}}, {4, {3, 2, 3, 3}}, {1, {3}}},
     {.pair = {{2, 2}, {1, 1}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 20, 8, 7}}, {4, {19, 20, 2, 2}}, {1, {19}}},
     {.pair = {{4, 2}, {0, 1}, {2, 3}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 3, 11, 10}}, {4, {2, 3, 1, 1}}, {1, {2}}},
     {.pair = {{2, 2}, {0, 0}, {1, 1}}}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 3, 11, 10}}, {4, {2, 3, 2, 3}}, {1, {2}}},
     {.pair = {{5, 4}, {1, 2}, {1, 1}}}},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {2, 3, 4, 5}}, {4, {3, 2, 3, 4}}, {1, {2}}},
     {.pair = {{2, 3}, {1, 2}, {1, 2}, {1, 1}}}},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {2, 3, 4, 5}}, {4, {3, 2, 2, 2}}, {1, {2}}},
     {.pair = {{1, 1}, {0, 0}, {2, 1}, {3, 2}}}},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {1, 3, 1, 2}}, {4, {3, 20, 1, 1}}, {1, {20}}},
     {.pair = {{3, 2}, {0, 0}, {2, 0}, {1, 1}}}},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {1, 60, 28, 32}}, {4, {60, 32, 2, 2}}, {1, {32}}},
     {.pair = {{2, 2}, {1, 1}, {1, 1}, {1, 1}}}},
    /* parts of channels and filters, the last ones smaller */
    {BNN_OP_conv2d,
     3,
     {{4, {1, 19, 70, 69}}, {4, {17, 19, 2, 2}}, {1, {17}}},
     {.pair = {{1, 1}, {0, 1}, {50, 1}}}},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {1, 17, 20, 70}}, {4, {17, 19, 2, 2}}, {1, {19}}},
     {.pair = {{1, 1}, {0, 1}, {0, 0}, {50, 1}}}},
    /* groups: of one channel each, of several, more filters than channels, no channels, too large
     * to be laid out, a window of one element */
    {BNN_OP_conv2d,
     3,
     {{4, {3, 5, 7, 6}}, {4, {5, 1, 3, 3}}, {1, {5}}},
     {.pair = {{1, 1}, {1, 1}, {1, 1}}, .count = 5}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 6, 9, 20}}, {4, {12, 2, 3, 2}}, {1, {12}}},
     {.pair = {{2, 2}, {1, 0}, {1, 1}}, .count = 3}},
    {BNN_OP_conv2d,
     3,
     {{4, {2, 0, 3, 3}}, {4, {4, 0, 2, 2}}, {1, {4}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}, .count = 2}},
    {BNN_OP_conv2d,
     3,
     {{4, {1, 2, 3, 9}}, {4, {2, 1, 2, 2}}, {1, {2}}},
     {.pair = {{1, 1}, {1, 4200}, {1, 1}}, .count = 2}},
    {BNN_OP_conv2d,
     3,
     {{4, {3, 4, 4, 5}}, {4, {6, 2, 1, 1}}, {1, {6}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}, .count = 2}},
    {BNN_OP_conv_transpose2d,
     3,
     {{4, {2, 4, 3, 4}}, {4, {4, 3, 3, 2}}, {1, {6}}},
     {.pair = {{2, 1}, {1, 0}, {1, 0}, {1, 2}}, .count = 2}},
    {BNN_OP_max_pool2d, 1, {{4, {2, 2, 6, 5}}}, {.pair = {{2, 2}}}},
    {BNN_OP_max_pool2d, 1, {{4, {3, 2, 8, 44}}}, {.pair = {{2, 2}}}},
    {BNN_OP_max_pool2d, 1, {{4, {2, 1, 4, 68}}}, {.pair = {{2, 2}}}},
    {BNN_OP_max_pool2d, 1, {{4, {2, 1, 4, 140}}}, {.pair = {{3, 3}, {1, 2}, {1, 1}}}},
    {BNN_OP_avg_pool2d, 1, {{4, {2, 2, 6, 5}}}, {.pair = {{2, 2}}}},
    {BNN_OP_avg_pool2d, 1, {{4, {2, 1, 4, 140}}}, {.pair = {{3, 3}, {1, 2}, {1, 1}}}},
    {BNN_OP_layer_norm, 3, {{3, {2, 3, 4}}, {1, {4}}, {1, {4}}}, {.number = {0.5}}},
    {BNN_OP_layer_norm, 3, {{2, {70, 150}}, {1, {150}}, {1, {150}}}, {.number = {1e-5}}},
    {BNN_OP_batch_norm, 3, {{4, {3, 2, 4, 5}}, {1, {2}}, {1, {2}}}, {.number = {0.5}}},
    {BNN_OP_batch_norm, 3, {{3, {2, 3, 70}}, {1, {3}}, {1, {3}}}, {.number = {1e-5}}},
    {BNN_OP_batch_norm, 3, {{2, {7, 130}}, {1, {130}}, {1, {130}}}, {.number = {1e-5}}},
    {BNN_OP_batch_norm, 3, {{3, {0, 2, 3}}, {1, {2}}, {1, {2}}}, {.number = {1e-5}}},
    {BNN_OP_batch_norm, 3, {{3, {3, 2, 0}}, {1, {2}}, {1, {2}}}, {.number = {1e-5}}},
    {BNN_OP_layer_norm, 3, {{2, {3, 0}}, {1, {0}}, {1, {0}}}, {.number = {1e-5}}},
    {BNN_OP_cross_entropy, 2, {{3, {2, 3, 4}}, {2, {2, 3}}}, {0}},
    {BNN_OP_cross_entropy, 2, {{3, {2, 0, 4}}, {2, {2, 0}}}, {0}},
    {BNN_OP_cross_entropy, 2, {{3, {2, 3, 4}}, {2, {2, 3}}}, {.has_index = true, .index = 2}},
    {BNN_OP_cross_entropy, 2, {{2, {70, 600}}, {1, {70}}}, {.has_index = true, .index = 3}},
    /* one position, one panel of keys, several of them, as many queries, no keys, no features */
    {BNN_OP_attention,
     3,
     {{3, {2, 1, 2}}, {3, {2, 1, 2}}, {3, {2, 1, 2}}},
     {.count = 1, .number = {NAN}}},
    {BNN_OP_attention,
     3,
     {{3, {2, 5, 6}}, {3, {2, 4, 6}}, {3, {2, 4, 3}}},
     {.count = 3, .number = {0.7}}},
    {BNN_OP_attention,
     3,
     {{3, {1, 70, 2}}, {3, {1, 300, 2}}, {3, {1, 300, 2}}},
     {.count = 1, .number = {NAN}}},
    {BNN_OP_attention,
     3,
     {{3, {1, 150, 4}}, {3, {1, 140, 4}}, {3, {1, 140, 4}}},
     {.count = 2, .flag = true, .number = {NAN}}},
    {BNN_OP_attention,
     3,
     {{3, {1, 2, 2}}, {3, {1, 0, 2}}, {3, {1, 0, 2}}},
     {.count = 1, .number = {NAN}}},
    {BNN_OP_attention,
     3,
     {{3, {1, 2, 0}}, {3, {1, 3, 0}}, {3, {1, 3, 2}}},
     {.count = 1, .number = {NAN}}},
};

/* Inputs that may be left out, after those of the op's row: rank, dims and type. */
static const struct {
  bnn_op_id id;
  bnn_shape in[2];
  bnn_attr attr;
} optional[] = {
#define REALS(...)                                                                                \
  {                                                                                               \
    .dtype = BNN_REAL, .rank = sizeof((int[]){__VA_ARGS__}) / sizeof(int), .dim = { __VA_ARGS__ } \
  }
#define LENGTHS(n)                            \
  {                                           \
    .dtype = BNN_I32, .rank = 1, .dim = { n } \
  }
    {BNN_OP_rnn, {REALS(3, 2)}, {0}},
    {BNN_OP_rnn, {REALS(1, 2)}, {.descending = true}},
    {BNN_OP_rnn, {LENGTHS(3)}, {0}},
    {BNN_OP_rnn, {LENGTHS(3)}, {.descending = true}},
    {BNN_OP_rnn, {REALS(3, 2), LENGTHS(3)}, {.descending = true}},
    {BNN_OP_gru, {REALS(3, 2), LENGTHS(3)}, {0}},
    {BNN_OP_gru, {REALS(1, 2), LENGTHS(3)}, {.descending = true}},
    {BNN_OP_lstm, {REALS(3, 4), LENGTHS(3)}, {0}},
    {BNN_OP_lstm, {REALS(3, 4), LENGTHS(3)}, {.descending = true}},
    {BNN_OP_lstm, {REALS(1, 4)}, {0}},
    {BNN_OP_attention, {LENGTHS(3)}, {.count = 2, .number = {NAN}}},
    {BNN_OP_attention, {LENGTHS(3), REALS(4, 5)}, {.count = 2, .flag = true, .number = {0.4}}},
    {BNN_OP_attention, {REALS(1, 5)}, {.count = 1, .number = {NAN}}},
    {BNN_OP_attention, {REALS(3, 1, 5)}, {.count = 2, .number = {NAN}}},
    {BNN_OP_attention, {REALS(1, 4, 5)}, {.count = 2, .number = {NAN}}},
    {BNN_OP_attention, {LENGTHS(3), REALS(3, 2, 4, 5)}, {.count = 2, .number = {0.7}}},
    {BNN_OP_attention, {REALS(1, 2, 1, 5)}, {.count = 2, .flag = true, .number = {NAN}}},
};

/* The op's own case with such inputs. */
static op_case case_of_optional(bnn_op_id id, const bnn_shape *in, bnn_attr attr) {
  op_case c = case_of_row(id);
  c.attr = attr;
  for (int i = 0; i < 2 && in[i].rank > 0; i++) c.in[c.n++] = in[i];
  return c;
}

enum { CASES_MAX = 900 };
static op_case cases[CASES_MAX];
static size_t cases_n;

static void add_case(op_case c) {
  assert(cases_n < CASES_MAX); /* before any test runs, where ck_assert does not work */
  cases[cases_n++] = c;
}

#define EACH(i, array) for (size_t i = 0; i < sizeof(array) / sizeof *(array); i++)

static void add_reductions(bnn_op_id id, const case_shape *in) {
  for (uint32_t axes = 0; axes < 1u << in->rank; axes++)
    add_case(case_of_shapes(id, 1, in, (bnn_attr){.axes = axes, .keepdims = axes & 1}));
}

/* A number in 0..n-1 that another case i, or another `what`, has otherwise. */
static size_t choose(int64_t i, int64_t what, uint64_t n) {
  return (size_t)bnn_rng_below(bnn_key_fold(bnn_key_fold(bnn_key_new(11), i), what), n);
}

/* Of case i, mostly one. */
static size_t groups_of(int64_t i, int64_t what) {
  return choose(i, what, 3) ? 1 : 2 + choose(i, what + 1, 2);
}

/* Convolution or pooling i of images of any size, odd or even, narrower and wider than vectors.
 * Half of the convolutions have windows at every place, half of the pools windows of 2 x 2. */
static op_case random_images(int64_t i, bnn_op_id id) {
  const bool is_conv = id == BNN_OP_conv2d, plain = choose(i, 0, 2);
  size_t size[2], stride[2], padding[2], dilation[2], in[2];
  for (int k = 0; k < 2; k++) {
    size[k] = plain && !is_conv ? 2 : 1 + choose(i, 10 + k, 5);
    stride[k] = plain ? (is_conv ? 1 : 2) : 1 + choose(i, 20 + k, 3);
    dilation[k] = is_conv && choose(i, 70, 2) ? 1 + choose(i, 71 + k, 4) : 1;
    padding[k] = is_conv ? choose(i, 30 + k, size[k] + 2) : plain ? 0 : choose(i, 30 + k, 2);
    if (padding[k] > size[k] / 2 && !is_conv) padding[k] = 0;
    in[k] = dilation[k] * (size[k] - 1) + 1 + choose(i, 40 + k, choose(i, 50 + k, 4) ? 8 : 40);
  }
  const size_t images = 1 + choose(i, 60, 4), groups = is_conv ? groups_of(i, 63) : 1,
               channels = 1 + choose(i, 61, 4) / groups,
               filters = groups * (1 + choose(i, 62, 8) / groups);
  const case_shape shapes[] = {{4, {images, groups * channels, in[0], in[1]}},
                               {4, {filters, channels, size[0], size[1]}},
                               {1, {filters}}};
  if (is_conv)
    return case_of_shapes(
        id, 3, shapes,
        (bnn_attr){
            .pair = {{stride[0], stride[1]}, {padding[0], padding[1]}, {dilation[0], dilation[1]}},
            .count = groups});
  return case_of_shapes(
      id, 1, shapes,
      (bnn_attr){.pair = {{size[0], size[1]}, {stride[0], stride[1]}, {padding[0], padding[1]}}});
}

/* Transposed convolution i: what remains beyond the last window is less than a stride or dilation. */
static op_case random_transpose(int64_t i) {
  size_t size[2], stride[2], padding[2], dilation[2], beyond[2], in[2];
  for (int k = 0; k < 2; k++) {
    size[k] = 1 + choose(i, 110 + k, 5);
    stride[k] = 1 + choose(i, 120 + k, 3);
    dilation[k] = choose(i, 170, 2) ? 1 + choose(i, 171 + k, 3) : 1;
    beyond[k] = choose(i, 180 + k, stride[k] > dilation[k] ? stride[k] : dilation[k]);
    in[k] = 1 + choose(i, 140 + k, choose(i, 150 + k, 4) ? 6 : 30);
    const size_t full = (in[k] - 1) * stride[k] + dilation[k] * (size[k] - 1) + 1 + beyond[k];
    padding[k] = choose(i, 130 + k, (full - 1) / 2 + 1);
  }
  const size_t groups = groups_of(i, 163), channels = groups * (1 + choose(i, 161, 4) / groups),
               out = 1 + choose(i, 162, 6) / groups;
  const case_shape shapes[] = {{4, {1 + choose(i, 160, 4), channels, in[0], in[1]}},
                               {4, {channels, out, size[0], size[1]}},
                               {1, {groups * out}}};
  return case_of_shapes(BNN_OP_conv_transpose2d, 3, shapes,
                        (bnn_attr){.pair = {{stride[0], stride[1]},
                                            {padding[0], padding[1]},
                                            {beyond[0], beyond[1]},
                                            {dilation[0], dilation[1]}},
                                   .count = groups});
}

static void make_cases(void) {
  for (int id = 0; id < BNN_OP_COUNT; id++) add_case(case_of_row((bnn_op_id)id));
  EACH(o, binary) EACH(p, pairs) add_case(case_of_shapes(binary[o], 2, pairs[p], (bnn_attr){0}));
  EACH(t, triples) {
    add_case(case_of_shapes(BNN_OP_where, 3, triples[t], (bnn_attr){0}));
    add_case(case_of_shapes(BNN_OP_gaussian_log_prob, 3, triples[t], (bnn_attr){0}));
  }
  EACH(r, reductions) EACH(s, reduced) add_reductions(reductions[r], &reduced[s]);
  EACH(s, single)
  add_case(case_of_shapes(single[s].id, single[s].n, single[s].in, single[s].attr));
  EACH(s, optional) add_case(case_of_optional(optional[s].id, optional[s].in, optional[s].attr));
  for (int i = 0; i < RANDOM_IMAGES; i++) {
    add_case(random_images(i, BNN_OP_conv2d));
    if (i % 2) add_case(random_transpose(i));
    add_case(random_images(i, i % 4 ? BNN_OP_max_pool2d : BNN_OP_avg_pool2d));
  }
}

size_t case_count(void) {
  if (cases_n == 0) make_cases();
  return cases_n;
}

const op_case *case_at(size_t i) { return i < case_count() ? &cases[i] : NULL; }

case_text case_print(const op_case *c) {
  case_text text;
  int at = snprintf(text.s, sizeof text.s, "%s(", bnn_op_get(c->id)->name);
  for (int i = 0; i < c->n; i++)
    at += snprintf(text.s + at, sizeof text.s - (size_t)at, "%s%s", i ? ", " : "",
                   BNN_SHAPE(&c->in[i]));
  at += snprintf(text.s + at, sizeof text.s - (size_t)at, ") axes %x on %s", c->attr.axes,
                 bnn_isa_get()->name);
  for (int k = 0; k < 3; k++)
    at += snprintf(text.s + at, sizeof text.s - (size_t)at, ", %zu %zu", c->attr.pair[k][0],
                   c->attr.pair[k][1]);
  return text;
}

/* ---- their values ---- */

static double example_value(const op_case *c, int input, size_t i) {
  const bnn_op_check *check = &bnn_op_get(c->id)->check;
  if (c->in[input].dtype != BNN_REAL) return (double)(c->first + (c->classes ? i % c->classes : i));
  double golden = 0.61803398874989485 * (double)(i + 1) + 0.37 * input;
  const bool own = input < 4 && check->range[input].hi > check->range[input].lo;
  const double lo = own ? check->range[input].lo : check->lo;
  const double hi = own ? check->range[input].hi : check->hi;
  return lo + (hi - lo) * (golden - floor(golden));
}

void case_inputs(bnn_tensor **x, const op_case *c) {
  for (int i = 0; i < c->n; i++) {
    ck_succeeds(bnn_tensor_new(&x[i], c->in[i].dtype, c->in[i].rank, c->in[i].dim, &err));
    for (size_t k = 0; k < x[i]->size; k++) bnn_tensor_set(x[i], k, example_value(c, i, k));
  }
}

void unref_all(bnn_tensor **x, int n) {
  for (int i = 0; i < n; i++) bnn_tensor_unref(x[i]);
}

void block_of_rows(bnn_tensor *block, const bnn_tensor *x, size_t from, size_t count) {
  size_t dim[BNN_RANK_MAX], row = 1;
  memcpy(dim, x->dim, sizeof dim);
  for (int k = 1; k < x->rank; k++) row *= dim[k];
  dim[0] = count;
  bnn_tensor_init(block, x->dtype, x->rank, dim,
                  (char *)x->data + from * row * bnn_dtype_size(x->dtype));
  block->row0 = from;
}

bool takes_gradient(const op_case *c, int i) {
  const bnn_op *op = bnn_op_get(c->id);
  return c->in[i].dtype == BNN_REAL && (op->alias || op->backward);
}

bnn_tensor *value_of(const op_case *c, bnn_tensor *const *x) {
  bnn_tensor *y = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_op_run(&y, c->id, x, c->n, &c->attr, &err);
  ck_assert_msg(status == BNN_OK, "%s: %s", CASE(c), err.text);
  return y;
}

bnn_tensor *weights_for(const bnn_tensor *y) {
  bnn_tensor *dy = NULL;
  ck_succeeds(bnn_tensor_new(&dy, BNN_REAL, y->rank, y->dim, &err));
  for (size_t i = 0; i < dy->size; i++) bnn_tensor_set(dy, i, 1 + 0.25 * (double)(i % 11));
  return dy;
}

/* A view passes dy on element by element. */
static void view_gradient(bnn_tensor *dx, const bnn_tensor *dy) {
  for (size_t i = 0; i < dx->size; i++) bnn_tensor_real(dx)[i] += bnn_tensor_real(dy)[i];
}

void gradients_of(bnn_tensor **dx, const op_case *c, const bnn_tensor *y, const bnn_tensor *dy,
                  bnn_tensor *const *x, double start) {
  const bnn_op *op = bnn_op_get(c->id);
  for (int i = 0; i < c->n; i++) {
    dx[i] = NULL;
    if (!takes_gradient(c, i)) continue;
    ck_succeeds(bnn_tensor_new(&dx[i], BNN_REAL, x[i]->rank, x[i]->dim, &err));
    for (size_t k = 0; k < dx[i]->size; k++) bnn_tensor_set(dx[i], k, start);
  }
  if (op->alias)
    view_gradient(dx[0], dy);
  else if (op->backward)
    op->backward(dx, dy, y, (const bnn_tensor *const *)x, c->n, &c->attr);
}

double distance(const bnn_tensor *a, const bnn_tensor *b) {
  double most = 0;
  ck_assert_uint_eq(a->size, b->size);
  for (size_t i = 0; i < a->size; i++) {
    const double u = bnn_tensor_get(a, i), v = bnn_tensor_get(b, i);
    if (u == v || (isnan(u) && isnan(v))) continue;
    const double miss = fabs(u - v) / (1 + fabs(v));
    most = miss <= most ? most : miss; /* a NaN on one side only stays */
  }
  return most;
}

double order_tolerance(const op_case *c, size_t images) {
  if (c->id != BNN_OP_conv2d && c->id != BNN_OP_conv_transpose2d) return 0;
  const size_t depth = c->in[1].dim[1] * c->in[1].dim[2] * c->in[1].dim[3],
               positions = c->in[0].dim[2] * c->in[0].dim[3];
  const size_t terms = depth > images * positions ? depth : images * positions;
  return 8 * sqrt((double)terms) * BNN_REAL_EPSILON;
}

void for_every_isa(void (*test)(const op_case *c), const op_case *c) {
  for (size_t i = 0; bnn_isa_available(i); i++) {
    ck_succeeds(bnn_isa_set(bnn_isa_available(i), &err));
    test(c);
  }
  ck_succeeds(bnn_isa_set(NULL, &err));
}
