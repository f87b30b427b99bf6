/* test_program.c - recording, planning and replaying.
 *
 * A tape records a graph and, beside it, runs each op at once: what a replay must give.  Graphs are
 * functions that record onto a tape, so that one test holds for all of them, for any number of rows
 * and any blocks; random graphs look for mistakes of the planner that nobody thought of. */
#include <math.h>
#include <string.h>

#include "kernels/rng.h"
#include "program/program.h"
#include "support.h"

enum { NODES_MAX = 64, FLAT_MAX = 1024, INPUTS_MAX = 16 };

/* Products sum in an order that may depend on the number of rows, so blocks may differ from the
 * whole in the last digits. */
#define CLOSE (64 * (double)BNN_REAL_EPSILON)

#define NODES(...) \
  (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)), (const int[]) { __VA_ARGS__ }

/* ---- tapes ---- */

typedef struct tape {
  bnn_program *p;
  size_t rows;               /* of the batch */
  bnn_key key;               /* where values, and random graphs, come from */
  int n;                     /* nodes */
  bnn_tensor *at[NODES_MAX]; /* what the op gives at once */
  int input[INPUTS_MAX], n_inputs;
  bnn_input_kind kind[INPUTS_MAX];
  size_t offset[INPUTS_MAX], flat;
  bnn_real theta[FLAT_MAX], gradient[FLAT_MAX];
} tape;

typedef int graph(tape *t); /* records, and gives the node of its output */

static tape *tape_new(size_t rows) {
  tape *t = calloc(1, sizeof *t);
  t->rows = rows;
  t->key = bnn_key_new(7);
  ck_succeeds(bnn_program_new(&t->p, &err));
  return t;
}

static void tape_free(tape *t) {
  for (int i = 0; i < t->n; i++) bnn_tensor_unref(t->at[i]);
  bnn_program_unref(t->p);
  free(t);
}

static int tape_add(tape *t, int node, bnn_tensor *value) {
  ck_assert_int_eq(node, t->n);
  ck_assert_int_lt(node, NODES_MAX);
  ck_assert_str_eq(BNN_SHAPE(bnn_program_shape(t->p, node)), BNN_SHAPE(value));
  t->at[t->n++] = value;
  return node;
}

/* A tensor of normals, or of the integers 0, 1, .. below `classes`. */
static bnn_tensor *some_values(const tape *t, bnn_dtype dtype, int rank, const size_t *dim,
                               size_t classes) {
  bnn_tensor *x = tensor_of(dtype, rank, dim, NULL);
  if (dtype == BNN_REAL)
    bnn_rng_normal(bnn_tensor_real(x), bnn_key_fold(t->key, t->n), 0, x->size);
  else
    for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, (double)((3 * i + 1) % classes));
  return x;
}

static int tape_input(tape *t, bnn_input_kind kind, bnn_tensor *value) {
  const bnn_shape shape = bnn_shape_of(value);
  const int i = t->n_inputs++;
  int node = -1;
  ck_assert_int_lt(i, INPUTS_MAX);
  ck_succeeds(bnn_program_input(t->p, &node, kind, &shape, t->flat, &err));
  t->input[i] = node, t->kind[i] = kind, t->offset[i] = t->flat;
  if (kind == BNN_INPUT_PARAM) {
    ck_assert_uint_le(t->flat + value->size, FLAT_MAX);
    memcpy(t->theta + t->flat, value->data, value->size * sizeof *t->theta);
    t->flat += value->size;
  }
  return tape_add(t, node, value);
}

static int param(tape *t, int rank, const size_t *dim) {
  return tape_input(t, BNN_INPUT_PARAM, some_values(t, BNN_REAL, rank, dim, 0));
}
static int whole(tape *t, int rank, const size_t *dim) {
  return tape_input(t, BNN_INPUT_WHOLE, some_values(t, BNN_REAL, rank, dim, 0));
}
static int rows(tape *t, size_t width) {
  return tape_input(t, BNN_INPUT_ROWS, some_values(t, BNN_REAL, DIMS(t->rows, width), 0));
}
static int labels(tape *t, size_t classes) {
  return tape_input(t, BNN_INPUT_ROWS, some_values(t, BNN_I32, DIMS(t->rows), classes));
}
static int key_input(tape *t) {
  return tape_input(t, BNN_INPUT_WHOLE, some_values(t, BNN_U64, SCALAR, 5));
}

static int constant(tape *t, bnn_tensor *value) {
  int node = -1;
  ck_succeeds(bnn_program_constant(t->p, &node, value, &err));
  return tape_add(t, node, value);
}

static int op(tape *t, bnn_op_id id, int n, const int *x, const bnn_attr *attr) {
  bnn_tensor *in[BNN_ARITY_MAX], *value = NULL;
  int node = -1;
  for (int i = 0; i < n; i++) in[i] = t->at[x[i]];
  ck_succeeds(bnn_program_op(t->p, &node, id, x, n, attr, &err));
  ck_succeeds(bnn_op_run(&value, id, in, n, attr, &err));
  return tape_add(t, node, value);
}

static int op1(tape *t, bnn_op_id id, int a) { return op(t, id, NODES(a), NULL); }
static int op2(tape *t, bnn_op_id id, int a, int b) { return op(t, id, NODES(a, b), NULL); }
static int op3(tape *t, bnn_op_id id, int a, int b, int c) {
  return op(t, id, NODES(a, b, c), NULL);
}

static int view(tape *t, int x, int rank, const size_t *dim) {
  bnn_attr attr = {.rank = rank};
  memcpy(attr.dim, dim, (size_t)rank * sizeof *dim);
  return op(t, BNN_OP_view, NODES(x), &attr);
}

static int dropout(tape *t, int x, int key) {
  return op(t, BNN_OP_dropout, NODES(x, key), &(bnn_attr){.number = {0.5}});
}

static int sum_axis(tape *t, int x, int axis) {
  return op(t, BNN_OP_sum, NODES(x), &(bnn_attr){.axes = 1u << axis});
}

static void finish(tape *t, int n, const int *outputs, bool gradient) {
  ck_succeeds(bnn_program_finish(t->p, outputs, n, gradient, NULL, 0, &err));
}

/* Finishes with the gradient of the first output with respect to every real input. */
static void finish_wrt_all(tape *t, int n, const int *outputs) {
  int wrt[INPUTS_MAX], n_wrt = 0;
  for (int i = 0; i < t->n_inputs; i++)
    if (t->at[t->input[i]]->dtype == BNN_REAL) wrt[n_wrt++] = t->input[i];
  ck_succeeds(bnn_program_finish(t->p, outputs, n, true, wrt, n_wrt, &err));
}

/* A frame fed with the tape's inputs. */
static bnn_frame *frame_of(tape *t, size_t block) {
  bnn_frame *f = NULL;
  ck_succeeds(bnn_frame_new(&f, t->p, block, &err));
  bnn_frame_bind_params(f, t->theta, t->gradient);
  for (int i = 0; i < t->n_inputs; i++) {
    const bnn_tensor *x = t->at[t->input[i]];
    void *buffer = t->kind[i] == BNN_INPUT_PARAM ? NULL : bnn_frame_input_buffer(f, t->input[i]);
    if (buffer) memcpy(buffer, x->data, x->size * bnn_dtype_size(x->dtype));
  }
  return f;
}

static void ck_same_bits(const char *what, const bnn_tensor *a, const bnn_tensor *b) {
  ck_assert_str_eq(BNN_SHAPE(a), BNN_SHAPE(b));
  for (size_t i = 0; i < a->size; i++) {
    double u = bnn_tensor_get(a, i), v = bnn_tensor_get(b, i);
    ck_assert_msg(memcmp(&u, &v, sizeof u) == 0, "%s: element %zu is %.17g, at once %.17g", what,
                  i + 1, u, v);
  }
}

static void ck_close(const char *what, const bnn_real *a, const bnn_real *b, size_t n, double tol) {
  for (size_t i = 0; i < n; i++) {
    double u = (double)a[i], v = (double)b[i];
    ck_assert_msg(fabs(u - v) <= tol * (1 + fabs(v)), "%s: element %zu is %.9g, wanted %.9g", what,
                  i + 1, u, v);
  }
}

/* ---- graphs ---- */

static int network(tape *t) {
  int x = rows(t, 6), y = labels(t, 4);
  int w1 = param(t, DIMS(6, 5)), b1 = param(t, DIMS(5));
  int w2 = param(t, DIMS(5, 4)), b2 = param(t, DIMS(4));
  int h = op1(t, BNN_OP_relu, op3(t, BNN_OP_linear, x, w1, b1));
  return op2(t, BNN_OP_cross_entropy, op3(t, BNN_OP_linear, h, w2, b2), y);
}

/* One matrix as the weights of two layers, and of a product. */
static int tied_weights(tape *t) {
  int x = rows(t, 4), w = param(t, DIMS(4, 4)), b = param(t, DIMS(4));
  int h = op1(t, BNN_OP_tanh, op3(t, BNN_OP_linear, x, w, b));
  h = op1(t, BNN_OP_tanh, op3(t, BNN_OP_linear, h, w, b));
  return op2(t, BNN_OP_mm, h, w);
}

static int parameters_through_views(tape *t) {
  int x = rows(t, 4), flat = param(t, DIMS(12)), b = param(t, DIMS(1, 3));
  int w = view(t, flat, DIMS(4, 3)), again = view(t, w, DIMS(3, 4));
  int h = op3(t, BNN_OP_linear, x, w, view(t, b, DIMS(3)));
  return op2(t, BNN_OP_mm, op1(t, BNN_OP_tanh, h), again);
}

static int parameters_through_whole_ops(tape *t) {
  int x = rows(t, 4), w = param(t, DIMS(4, 3)), b = param(t, DIMS(3));
  int h = op3(t, BNN_OP_linear, x, op1(t, BNN_OP_exp, w), op1(t, BNN_OP_sin, b));
  return op2(t, BNN_OP_mul, h, op1(t, BNN_OP_exp, b));
}

/* w is used as it is, by nodes with rows, and by whole ops. */
static int parameters_used_both_ways(tape *t) {
  int x = rows(t, 4), w = param(t, DIMS(4, 3)), b = sum_axis(t, w, 0);
  int h = op1(t, BNN_OP_tanh, op3(t, BNN_OP_linear, x, w, b));
  return op2(t, BNN_OP_mul, h, b);
}

static int whole_inputs(tape *t) {
  int x = rows(t, 4), w = whole(t, DIMS(4, 3)), scale = whole(t, SCALAR);
  return op2(t, BNN_OP_mul, op2(t, BNN_OP_mm, x, w), op1(t, BNN_OP_cos, scale));
}

static int two_batch_inputs(tape *t) {
  int x = rows(t, 3), y = rows(t, 1), w = param(t, DIMS(3, 3));
  return op2(t, BNN_OP_mul, op1(t, BNN_OP_sin, op2(t, BNN_OP_mul, x, y)), op2(t, BNN_OP_mm, x, w));
}

static int unused_inputs(tape *t) {
  int x = rows(t, 3), w = param(t, DIMS(3, 2));
  param(t, DIMS(5));
  whole(t, DIMS(2, 2));
  rows(t, 7);
  return op2(t, BNN_OP_mm, x, w);
}

/* A diamond, where both modes meet again, and an input read twice by one op. */
static int diamond(tape *t) {
  int x = rows(t, 3), a = op1(t, BNN_OP_sigmoid, x), left = op1(t, BNN_OP_sin, a);
  int right = op2(t, BNN_OP_mul, a, a), square = op2(t, BNN_OP_mul, left, right);
  return op2(t, BNN_OP_sub, op2(t, BNN_OP_add, square, a), op2(t, BNN_OP_mul, x, square));
}

/* Whole ops that are recorded behind nodes with rows, which read whole nodes recorded before. */
static int whole_ops_between_rows(tape *t) {
  int x = rows(t, 3), u = param(t, DIMS(3)), v = param(t, DIMS(3));
  int h = op2(t, BNN_OP_mul, x, op1(t, BNN_OP_sin, u));
  h = op2(t, BNN_OP_mul, h, op1(t, BNN_OP_cos, v));
  h = op2(t, BNN_OP_add, h, op1(t, BNN_OP_tanh, op1(t, BNN_OP_sigmoid, u)));
  return op2(t, BNN_OP_mul, h, op1(t, BNN_OP_sigmoid, v));
}

/* Inputs that are recorded behind ops. */
static int late_inputs(tape *t) {
  int h = op1(t, BNN_OP_sin, op1(t, BNN_OP_sigmoid, rows(t, 3)));
  h = op2(t, BNN_OP_mul, op1(t, BNN_OP_tanh, h), rows(t, 3));
  return op2(t, BNN_OP_add, op1(t, BNN_OP_tanh, h), whole(t, DIMS(3)));
}

static int views_of_rows(tape *t) {
  int x = rows(t, 6), cube = view(t, x, DIMS(t->rows, 3, 2));
  int h = op1(t, BNN_OP_sin, cube), flat = view(t, h, DIMS(t->rows, 6));
  return op2(t, BNN_OP_mul, flat, view(t, view(t, cube, DIMS(t->rows, 2, 3)), DIMS(t->rows, 6)));
}

static int constants(tape *t) {
  bnn_tensor *c = some_values(t, BNN_REAL, DIMS(2, 3), 0), *strided = NULL;
  ck_succeeds(bnn_tensor_permute(&strided, c, (const int[]){1, 0}, &err));
  bnn_tensor_unref(c);
  int x = rows(t, 3), w = constant(t, strided), b = param(t, DIMS(2));
  return op3(t, BNN_OP_linear, x, w, b);
}

static int dropped(tape *t) {
  int x = rows(t, 3), key = key_input(t);
  int other = op(t, BNN_OP_key_fold, NODES(key), &(bnn_attr){.fold = 3, .domain = BNN_KEY_NUMBER});
  int h = dropout(t, op1(t, BNN_OP_sin, x), key);
  return dropout(t, op2(t, BNN_OP_add, h, x), other);
}

/* Rows meet, so everything is whole. */
static int mean_loss(tape *t) { return op1(t, BNN_OP_mean, network(t)); }
static int centred(tape *t) {
  int x = rows(t, 3), w = param(t, DIMS(3, 3));
  bnn_attr attr = {.axes = 1, .keepdims = true};
  int m = op(t, BNN_OP_sum, NODES(x), &attr);
  return op2(t, BNN_OP_mm, op2(t, BNN_OP_sub, op1(t, BNN_OP_sin, x), m), w);
}

/* No batch at all; a constant number of rows; an output that is an input, or a view of one. */
static int penalty(tape *t) {
  int w = param(t, DIMS(4, 3)), b = param(t, DIMS(3));
  return op1(t, BNN_OP_sum, op2(t, BNN_OP_mul, op1(t, BNN_OP_square, w), b));
}
static int a_parameter(tape *t) { return param(t, DIMS(4, 3)); }
static int a_view_of_a_parameter(tape *t) { return view(t, param(t, DIMS(4, 3)), DIMS(12)); }
static int a_batch_input(tape *t) { return rows(t, 3); }

/* The gradient goes round what has none: comparisons, positions. */
static int comparison_on_the_way(tape *t) {
  int x = rows(t, 3), w = param(t, DIMS(3)), h = op2(t, BNN_OP_mul, x, w);
  return op2(t, BNN_OP_mul, h, op2(t, BNN_OP_gt, h, x));
}

/* Positions count from 1, and some occur twice. */
static int embedding(tape *t) {
  int table = param(t, DIMS(5, 3)), at = labels(t, 4);
  for (size_t i = 0; i < t->rows; i++) bnn_tensor_set(t->at[at], i, (double)(3 * i % 5 + 1));
  int h = op(t, BNN_OP_index, NODES(table, at), &(bnn_attr){.axis = 0});
  return op1(t, BNN_OP_sin, h);
}

/* A batch of images of 1 channel, 5 x 5. */
static int images(tape *t) { return view(t, rows(t, 25), DIMS(t->rows, 1, 5, 5)); }

static int flat(tape *t, int x) {
  size_t width = 1;
  for (int k = 1; k < t->at[x]->rank; k++) width *= t->at[x]->dim[k];
  return view(t, x, DIMS(t->rows, width));
}

static bnn_attr pairs(size_t a, size_t b) { return (bnn_attr){.pair = {{a, a}, {b, b}, {1, 1}}}; }

/* Kernels whose gradients the blocks sum: parameters, one of them used twice and one through a
 * view, and what a whole op makes of one; a linear layer behind. */
static int convolution(tape *t) {
  const bnn_attr plain = pairs(1, 0), same = pairs(1, 1);
  int x = images(t), w1 = param(t, DIMS(2, 1, 2, 2)), b = param(t, DIMS(2)),
      w2 = param(t, DIMS(36));
  int deep = view(t, w2, DIMS(2, 2, 3, 3)), s = op1(t, BNN_OP_sin, w1);
  int h = op(t, BNN_OP_conv2d, NODES(x, w1, b), &plain);
  h = op2(t, BNN_OP_add, op1(t, BNN_OP_tanh, h), op(t, BNN_OP_conv2d, NODES(x, s, b), &plain));
  h = op(t, BNN_OP_conv2d, NODES(h, deep, b), &same);
  h = flat(t, op(t, BNN_OP_max_pool2d, NODES(h), &(bnn_attr){.pair = {{2, 2}}}));
  return op3(t, BNN_OP_linear, h, param(t, DIMS(8, 3)), param(t, DIMS(3)));
}

/* layer_norm with a gain that is read elsewhere, and a mean of windows. */
static int normalised(tape *t) {
  int x = images(t), gain = param(t, DIMS(25)), bias = param(t, DIMS(25));
  int h = op3(t, BNN_OP_layer_norm, flat(t, x), gain, bias);
  h = op2(t, BNN_OP_mul, h, gain);
  h = view(t, h, DIMS(t->rows, 1, 5, 5));
  return op(t, BNN_OP_avg_pool2d, NODES(h), &(bnn_attr){.pair = {{2, 3}, {1, 2}}});
}

static int layer(tape *t, int x, size_t from, size_t to) {
  return op3(t, BNN_OP_linear, x, param(t, DIMS(from, to)), param(t, DIMS(to)));
}

/* Activations that may be written over what they are given, one behind the other. */
static int activations(tape *t) {
  int h = op1(t, BNN_OP_relu, layer(t, rows(t, 3), 3, 4));
  h = op1(t, BNN_OP_tanh, layer(t, view(t, h, DIMS(t->rows, 4)), 4, 6));
  return op1(t, BNN_OP_sigmoid, layer(t, h, 6, 3));
}

/* And some that may not: what they are given is read again, or was written by an op that looks at it,
 * or is there only in part. */
static int kept_activations(tape *t) {
  int x = rows(t, 3), z = layer(t, x, 3, 4), u = layer(t, x, 3, 4), v = layer(t, x, 3, 4);
  int h = op2(t, BNN_OP_mul, op1(t, BNN_OP_relu, z), z);
  h = op2(t, BNN_OP_add, h, op1(t, BNN_OP_tanh, op1(t, BNN_OP_sigmoid, u)));
  int seen = view(t, v, DIMS(t->rows, 2, 2));
  h = op2(t, BNN_OP_add, view(t, h, DIMS(t->rows, 2, 2)), op1(t, BNN_OP_relu, seen));
  return op2(t, BNN_OP_mul, h, seen);
}

static const struct {
  graph *record;
  const char *name;
  bool elementwise; /* so any block size gives the same bits */
} graphs[] = {
    {network, "network", false},
    {tied_weights, "tied weights", false},
    {parameters_through_views, "parameters through views", false},
    {parameters_through_whole_ops, "parameters through whole ops", false},
    {parameters_used_both_ways, "parameters used both modes", false},
    {whole_inputs, "whole inputs", false},
    {two_batch_inputs, "two batch inputs", false},
    {unused_inputs, "unused inputs", false},
    {diamond, "diamond", true},
    {whole_ops_between_rows, "whole ops between rows", true},
    {late_inputs, "late inputs", true},
    {views_of_rows, "views of rows", true},
    {constants, "constants", false},
    {dropped, "dropout", true},
    {mean_loss, "mean loss", false},
    {centred, "centred", false},
    {penalty, "penalty", true},
    {a_parameter, "a parameter", true},
    {a_view_of_a_parameter, "a view of a parameter", true},
    {a_batch_input, "a batch input", true},
    {comparison_on_the_way, "comparison on the way", true},
    {embedding, "embedding", true},
    {convolution, "convolution", false},
    {normalised, "layer norm", true},
    {activations, "activations", false},
    {kept_activations, "kept activations", false},
};
enum { GRAPHS = sizeof graphs / sizeof *graphs, BATCH = 7 };
/* Behind them come random graphs, first elementwise ones, then layers. */
enum { LAYERS = GRAPHS + 300, ALL_GRAPHS = LAYERS + 150 };

static const size_t block_size[] = {0, 1, 2, 3, 5, 7, 100};
enum { BLOCK_SIZES = sizeof block_size / sizeof *block_size };

static uint64_t choose(const tape *t, int64_t what, uint64_t n) {
  return bnn_rng_below(bnn_key_fold(bnn_key_fold(t->key, t->n), 100 + what), n);
}

/* A random node among those so far. */
static int any_node(const tape *t, int64_t what) { return (int)choose(t, what, (uint64_t)t->n); }

/* Inputs of all kinds and smooth elementwise ops and views, of [rows, 3] and [3], in any order. */
static int random_graph(tape *t) {
  static const bnn_op_id unary[] = {BNN_OP_sin, BNN_OP_cos, BNN_OP_tanh, BNN_OP_sigmoid,
                                    BNN_OP_neg};
  static const bnn_op_id binary[] = {BNN_OP_add, BNN_OP_mul, BNN_OP_sub};
  int length = 8 + (int)choose(t, 0, 25), last = rows(t, 3);
  while (t->n < length) {
    uint64_t kind = choose(t, 1, 12);
    if (kind < 3 && t->n_inputs < 6)
      last = kind == 0 ? rows(t, 3) : kind == 1 ? param(t, DIMS(3)) : whole(t, DIMS(3));
    else if (kind < 6)
      last = op1(t, unary[choose(t, 2, 5)], any_node(t, 3));
    else if (kind == 6) {
      int x = any_node(t, 3);
      last = view(t, x, t->at[x]->rank, t->at[x]->dim);
    } else
      last = op2(t, binary[choose(t, 2, 3)], any_node(t, 3), any_node(t, 4));
  }
  return last;
}

/* A parameter of half the size, so that layers behind each other keep theirs. */
static int small_param(tape *t, int rank, const size_t *dim) {
  bnn_tensor *x = some_values(t, BNN_REAL, rank, dim, 0);
  for (size_t i = 0; i < x->size; i++) bnn_tensor_real(x)[i] /= 2;
  return tape_input(t, BNN_INPUT_PARAM, x);
}

/* Layers of 4, some with the parameters of the first, activations, products, comparisons and views,
 * mostly of the last node: what is read once and what is read again, in any order. */
static int random_layers(tape *t) {
  static const bnn_op_id activation[] = {BNN_OP_relu, BNN_OP_tanh, BNN_OP_sigmoid};
  const int w = small_param(t, DIMS(4, 4)), b = small_param(t, DIMS(4));
  const int length = 10 + (int)choose(t, 0, 25);
  int h[NODES_MAX] = {rows(t, 4)}, n = 1; /* those of [rows, 4] */
  while (t->n < length) {
    const uint64_t kind = choose(t, 1, 13);
    const int x = h[choose(t, 2, 3) ? n - 1 : (int)choose(t, 3, (uint64_t)n)];
    const bnn_op_id f = activation[choose(t, 4, 3)];
    if (kind < 4)
      h[n] = op1(t, f, x);
    else if (kind < 7 && t->n_inputs + 2 < INPUTS_MAX) {
      const int own = small_param(t, DIMS(4, 4));
      h[n] = op3(t, BNN_OP_linear, x, own, small_param(t, DIMS(4)));
    } else if (kind < 9)
      h[n] = kind == 7 ? op2(t, BNN_OP_mm, x, w) : op3(t, BNN_OP_linear, x, w, b);
    else if (kind == 9) {
      const int square = view(t, x, DIMS(t->rows, 2, 2));
      h[n] = view(t, choose(t, 5, 2) ? op1(t, f, square) : square, DIMS(t->rows, 4));
    } else {
      const int other = h[choose(t, 5, (uint64_t)n)];
      if (kind < 12)
        h[n] = op2(t, kind == 10 ? BNN_OP_add : BNN_OP_sub, x, other);
      else /* read where no gradient comes from */
        h[n] = op2(t, BNN_OP_mul, other, op2(t, BNN_OP_lt, other, x));
    }
    n++;
  }
  return h[n - 1];
}

/* Graph i of the table, or a random one, with `rows` rows. */
static tape *tape_of(int i, size_t n, int *output) {
  tape *t = tape_new(n);
  if (i >= GRAPHS) t->key = bnn_key_fold(t->key, i);
  *output = i < GRAPHS ? graphs[i].record(t) : i < LAYERS ? random_graph(t) : random_layers(t);
  return t;
}

static const char *graph_name(int i) {
  return i < GRAPHS ? graphs[i].name : i < LAYERS ? "random graph" : "random layers";
}
static bool is_elementwise(int i) { return i < GRAPHS ? graphs[i].elementwise : i < LAYERS; }

/* y = conv2d(x, w, b) over a batch of images, ready to be finished. */
typedef struct conv_tape {
  tape *t;
  int x, w, b, y;
} conv_tape;

static conv_tape conv_tape_new(size_t n, size_t channels, size_t filters) {
  const bnn_attr plain = pairs(1, 0);
  conv_tape c = {.t = tape_new(n)};
  const int flat_x = rows(c.t, channels * 36);
  c.x = view(c.t, flat_x, DIMS(n, channels, 6, 6));
  c.w = param(c.t, DIMS(filters, channels, 3, 3));
  c.b = param(c.t, DIMS(filters));
  c.y = op(c.t, BNN_OP_conv2d, NODES(c.x, c.w, c.b), &plain);
  return c;
}

/* ---- recording ---- */

START_TEST(nodes_are_numbered_in_order_and_know_their_shapes) {
  tape *t = tape_new(3);
  network(t); /* every call checks its node's number and shape */
  ck_assert_int_eq(t->n, 10);
  ck_assert_str_eq(BNN_SHAPE(bnn_program_shape(t->p, 7)), "[3, 5]");
  ck_assert_uint_eq(bnn_program_batch(t->p), 3);
  ck_assert_uint_eq(bnn_program_flat_size(t->p), 30 + 5 + 20 + 4);
  tape_free(t);
}
END_TEST

START_TEST(flat_size_is_the_end_of_the_last_parameter) {
  bnn_program *p = NULL;
  int node;
  bnn_shape shape = bnn_shape_make(BNN_REAL, DIMS(2, 3));
  ck_succeeds(bnn_program_new(&p, &err));
  ck_assert_uint_eq(bnn_program_flat_size(p), 0);
  ck_succeeds(bnn_program_input(p, &node, BNN_INPUT_PARAM, &shape, 100, &err));
  ck_succeeds(bnn_program_input(p, &node, BNN_INPUT_PARAM, &shape, 10, &err));
  ck_assert_uint_eq(bnn_program_flat_size(p), 106);
  bnn_program_unref(p);
}
END_TEST

START_TEST(recording_refuses_what_does_not_agree) {
  tape *t = tape_new(3);
  int x = rows(t, 4), w = param(t, DIMS(5, 2)), n = t->n, node = -1;
  bnn_shape four = bnn_shape_make(BNN_REAL, DIMS(4, 4)), scalar = bnn_shape_make(BNN_REAL, SCALAR);
  ck_refuses(bnn_program_input(t->p, &node, BNN_INPUT_ROWS, &four, 0, &err), BNN_ESHAPE,
             "a batch input has 4 rows, another has 3");
  ck_refuses(bnn_program_input(t->p, &node, BNN_INPUT_ROWS, &scalar, 0, &err), BNN_ESHAPE,
             "a batch input needs an axis of rows");
  ck_refuses(bnn_program_input(t->p, &node, BNN_INPUT_PARAM, &scalar, 9, &err), BNN_ERANGE,
             "parameters overlap: [5, 2] at 0 and [] at 9");
  ck_refuses(bnn_program_op(t->p, &node, BNN_OP_mm, (const int[]){x, w}, 2, NULL, &err), BNN_ESHAPE,
             "mm: b: expected [4, *] for a [3, 4], got [5, 2]");
  ck_refuses(bnn_program_op(t->p, &node, BNN_OP_mm, &x, 1, NULL, &err), BNN_ERANGE,
             "mm: expected 2 inputs, got 1");
  ck_refuses(bnn_program_op(t->p, &node, BNN_OP_concat, &x, BNN_ARITY_MAX + 1, NULL, &err),
             BNN_ERANGE, "33 tensors, at most 32");
  ck_refuses(bnn_program_op(t->p, &node, BNN_OP_concat, &x, -1, NULL, &err), BNN_ERANGE,
             "-1 tensors");
  ck_assert_int_eq(node, -1); /* and none of them left a node behind */
  ck_assert_int_eq(op1(t, BNN_OP_relu, x), n);
  tape_free(t);
}
END_TEST

START_TEST(finishing_refuses_what_can_not_be) {
  tape *t = tape_new(3);
  int x = rows(t, 4), k = op1(t, BNN_OP_argmax, x), y = labels(t, 3);
  bnn_frame *f = NULL;
  ck_refuses(bnn_frame_new(&f, t->p, 0, &err), BNN_ERANGE, "not finished");
  ck_refuses(bnn_program_finish(t->p, &x, 0, false, NULL, 0, &err), BNN_ERANGE, "needs an output");
  ck_refuses(bnn_program_finish(t->p, &k, 1, true, NULL, 0, &err), BNN_ETYPE,
             "the gradient: expected a value of type ");
  ck_refuses(bnn_program_finish(t->p, &x, 1, true, &y, 1, &err), BNN_ETYPE,
             "the gradient: expected inputs of type ");
  ck_succeeds(bnn_program_finish(t->p, &k, 1, false, NULL, 0, &err));
  ck_refuses(bnn_program_finish(t->p, &k, 1, false, NULL, 0, &err), BNN_ERANGE, "finished already");
  tape_free(t);
}
END_TEST

START_TEST(a_finished_program_takes_no_more_nodes) {
  tape *t = tape_new(3);
  int x = rows(t, 4), node;
  bnn_shape shape = bnn_shape_make(BNN_REAL, DIMS(2));
  finish(t, NODES(x), false);
  ck_refuses(bnn_program_input(t->p, &node, BNN_INPUT_WHOLE, &shape, 0, &err), BNN_ERANGE,
             "the program is finished");
  ck_refuses(bnn_program_op(t->p, &node, BNN_OP_relu, &x, 1, NULL, &err), BNN_ERANGE, "finished");
  ck_refuses(bnn_program_constant(t->p, &node, t->at[x], &err), BNN_ERANGE, "finished");
  tape_free(t);
}
END_TEST

START_TEST(products_and_convolutions_count_their_multiply_adds) {
  conv_tape c = conv_tape_new(5, 2, 3);
  int h = op2(c.t, BNN_OP_mm, flat(c.t, c.y), whole(c.t, DIMS(48, 7)));
  finish(c.t, NODES(h), false);
  ck_assert_double_eq(bnn_program_flops(c.t->p), 5 * (3 * 16 * (2 * 9) + 48 * 7));
  tape_free(c.t);
}
END_TEST

START_TEST(nodes_that_no_output_needs_are_dropped) {
  tape *t = tape_new(4);
  int x = rows(t, 3), unused = whole(t, DIMS(2)), w = param(t, DIMS(3, 2)), other = rows(t, 9);
  int h = op2(t, BNN_OP_mm, x, w);
  op2(t, BNN_OP_mm, x, w);
  op1(t, BNN_OP_sum, other); /* it would mix the rows */
  finish(t, NODES(op1(t, BNN_OP_relu, h)), false);
  ck_assert_uint_eq(bnn_program_ops(t->p), 2);
  ck_assert_double_eq(bnn_program_flops(t->p), 4 * 3 * 2);
  ck_assert(bnn_program_has_rows(t->p, NULL));
  bnn_frame *f = frame_of(t, 0);
  ck_assert_ptr_nonnull(bnn_frame_input_buffer(f, x));
  ck_assert_ptr_null(bnn_frame_input_buffer(f, unused));
  ck_assert_ptr_null(bnn_frame_input_buffer(f, other));
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* ---- rows ---- */

static int mixes_by_sum(tape *t) { return sum_axis(t, rows(t, 3), 0); }
static int keeps_by_sum(tape *t) { return sum_axis(t, rows(t, 3), 1); }
static int mixes_by_view(tape *t) { return view(t, rows(t, 3), DIMS(3 * t->rows)); }
static int mixes_by_product(tape *t) {
  return op2(t, BNN_OP_mm, param(t, DIMS(2, t->rows)), rows(t, 3));
}
static int mixes_by_a_value_for_each_row(tape *t) {
  return op2(t, BNN_OP_add, rows(t, 3), param(t, DIMS(t->rows, 3)));
}
static int mixes_by_computed_positions(tape *t) {
  int x = rows(t, 3);
  int best = op(t, BNN_OP_argmax, NODES(x), &(bnn_attr){.axis = 1, .keepdims = true});
  return op(t, BNN_OP_gather, NODES(op1(t, BNN_OP_sin, x), best), &(bnn_attr){.axis = 1});
}
static int mixes_and_goes_on(tape *t) {
  int x = rows(t, 3), m = op1(t, BNN_OP_mean, x);
  return op2(t, BNN_OP_sub, op1(t, BNN_OP_relu, x), m);
}

START_TEST(rows_are_kept_or_all_meet) {
  static const struct {
    graph *record;
    bool has_rows;
    const char *mixed;
  } row[] = {
      {network, true, NULL},
      {parameters_through_whole_ops, true, NULL},
      {views_of_rows, true, NULL},
      {dropped, true, NULL},
      {keeps_by_sum, true, NULL},
      {embedding, true, NULL},
      {a_batch_input, true, NULL},
      {penalty, false, NULL},
      {mean_loss, false, "mean"},
      {centred, false, "sum"},
      {mixes_by_sum, false, "sum"},
      {mixes_by_view, false, "view"},
      {mixes_by_product, false, "mm"},
      {mixes_by_a_value_for_each_row, false, "add"},
      {mixes_by_computed_positions, false, "gather"},
      {mixes_and_goes_on, false, "mean"},
  };
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    tape *t = tape_new(BATCH);
    finish(t, NODES(row[i].record(t)), false);
    const char *mixed = "?";
    ck_assert_int_eq(bnn_program_has_rows(t->p, &mixed), row[i].has_rows);
    ck_assert_pstr_eq(mixed, row[i].mixed);
    bnn_frame *f = frame_of(t, 2);
    ck_assert_uint_eq(bnn_frame_blocks(f), mixed || row[i].has_rows ? (BATCH + 1) / 2 : 1);
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

/* Inputs that the whole program reads: what would happen if some of them were the batch. */
START_TEST(the_op_that_would_mix_rows_is_found_and_described) {
  tape *t = tape_new(BATCH);
  int x = whole(t, DIMS(BATCH, 4)), y = whole(t, DIMS(BATCH, 4)), w = whole(t, DIMS(4, 3));
  int number = whole(t, SCALAR);
  int h = op2(t, BNN_OP_mm, op2(t, BNN_OP_mul, op2(t, BNN_OP_sub, x, y), number), w);
  int soft = op(t, BNN_OP_softmax, NODES(h), &(bnn_attr){.axis = 1});
  int across = op(t, BNN_OP_softmax, NODES(w), &(bnn_attr){.axis = 0});
  int both = op(t, BNN_OP_sum, NODES(op1(t, BNN_OP_sin, y)), &(bnn_attr){.axes = 3});
  finish(t, NODES(soft, across, both), false);
  const struct {
    int n, input[2];
    const char *want;
  } row[] = {{2, {x, y}, "sum over axes 1, 2"}, {1, {x}, "sub"}, {1, {w}, "mm"}, {0, {0}, ""}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    bnn_batch_mixing_op mixing;
    ck_succeeds(bnn_program_find_batch_mixing_op(&mixing, t->p, row[i].input, row[i].n, &err));
    ck_assert_str_eq(mixing.text, row[i].want);
  }
  bnn_batch_mixing_op mixing;
  ck_refuses(bnn_program_find_batch_mixing_op(&mixing, t->p, &number, 1, &err), BNN_ERANGE,
             "node 3");
  ck_refuses(bnn_program_find_batch_mixing_op(&mixing, t->p, &h, 1, &err), BNN_ERANGE,
             "not an input");
  tape_free(t);

  t = tape_new(BATCH);
  x = whole(t, DIMS(BATCH, 4));
  soft = op(t, BNN_OP_softmax, NODES(op1(t, BNN_OP_exp, x)), &(bnn_attr){.axis = 0});
  finish(t, NODES(soft), false);
  ck_succeeds(bnn_program_find_batch_mixing_op(&mixing, t->p, &x, 1, &err));
  ck_assert_str_eq(mixing.text, "softmax over axis 1");
  tape_free(t);

  t = tape_new(BATCH);
  x = whole(t, DIMS(BATCH, 4));
  finish(t, NODES(op1(t, BNN_OP_mean, op1(t, BNN_OP_exp, x))), false);
  ck_succeeds(bnn_program_find_batch_mixing_op(&mixing, t->p, &x, 1, &err));
  ck_assert_str_eq(mixing.text, "mean over all axes");
  tape_free(t);
}
END_TEST

/* Values of x, sin and sum, and with the gradient as many for these; the view has none. */
START_TEST(buffers_are_counted_once_for_each_value_and_gradient) {
  for (int gradient = 0; gradient < 2; gradient++) {
    tape *t = tape_new(1);
    int x = whole(t, DIMS(2, 3)), y = op1(t, BNN_OP_sin, x);
    int v = op(t, BNN_OP_view, NODES(y), &(bnn_attr){.rank = 1, .dim = {6}});
    int sum = op1(t, BNN_OP_sum, v);
    ck_succeeds(bnn_program_finish(t->p, &sum, 1, gradient, &x, 1, &err));
    bnn_frame *f = frame_of(t, 0);
    ck_assert_uint_eq(bnn_frame_buffers(f), gradient ? 6 : 3);
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

START_TEST(feeds_are_inputs_of_the_right_kind) {
  tape *t = tape_new(3);
  int x = rows(t, 4), y = labels(t, 3), key = key_input(t), w = whole(t, SCALAR);
  int h = op1(t, BNN_OP_relu, x);
  finish(t, NODES(h), false);
  ck_succeeds(bnn_program_check_rows(t->p, x, "x", &err));
  ck_succeeds(bnn_program_check_rows(t->p, y, "y", &err));
  ck_succeeds(bnn_program_check_rows(t->p, -1, "x", &err));
  ck_succeeds(bnn_program_check_key(t->p, key, &err));
  ck_succeeds(bnn_program_check_key(t->p, -1, &err));
  const struct {
    int node;
    const char *name, *words;
  } row[] = {{key, "x", "x: node 2 is not a batch input"},
             {h, "x", "x: node 4"},
             {99, "x", "x: node 99"},
             {-2, "x", "x: node -2"},
             {w, "y.age", "y.age: node 3 is not a batch input"},
             {w, NULL, "key: node 3 is not a u64"},
             {x, NULL, "key: node 0"},
             {5, NULL, "key: node 5"}};
  for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
    if (row[i].name)
      ck_refuses(bnn_program_check_rows(t->p, row[i].node, row[i].name, &err), BNN_ERANGE,
                 row[i].words);
    else
      ck_refuses(bnn_program_check_key(t->p, row[i].node, &err), BNN_ERANGE, row[i].words);
  }
  tape_free(t);
}
END_TEST

/* ---- forward ---- */

START_TEST(a_replay_gives_the_bits_of_the_ops_at_once) {
  int output;
  tape *t = tape_of(_i, BATCH, &output);
  finish(t, NODES(output), false);
  bnn_frame *f = frame_of(t, 0);
  for (int again = 0; again < 2; again++) { /* what a replay left behind does not matter */
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    ck_same_bits(graph_name(_i), bnn_frame_output(f, 0), t->at[output]);
  }
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* Every node an output: nothing may be dropped, nothing overwritten. */
START_TEST(all_nodes_of_a_replay_are_right) {
  int output, all[NODES_MAX];
  tape *t = tape_of(_i, BATCH, &output);
  for (int i = 0; i < t->n; i++) all[i] = i;
  finish(t, t->n, all, false);
  bnn_frame *f = frame_of(t, 0);
  ck_succeeds(bnn_frame_replay(f, 1, &err));
  for (int i = 0; i < t->n; i++) ck_same_bits(graph_name(_i), bnn_frame_output(f, i), t->at[i]);
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* With a gradient, too, and whatever the blocks. */
START_TEST(blocks_give_what_the_whole_gives) {
  int output;
  tape *t = tape_of(_i, BATCH, &output);
  finish_wrt_all(t, NODES(output));
  for (int k = 0; k < BLOCK_SIZES; k++) {
    bnn_frame *f = frame_of(t, block_size[k]);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    const bnn_tensor *y = bnn_frame_output(f, 0);
    if (is_elementwise(_i))
      ck_same_bits(graph_name(_i), y, t->at[output]);
    else
      ck_close(graph_name(_i), bnn_tensor_real(y), bnn_tensor_real(t->at[output]), y->size, CLOSE);
    bnn_frame_free(f);
  }
  tape_free(t);
}
END_TEST

START_TEST(an_op_without_attributes_takes_its_defaults) {
  static const bnn_op_id id[] = {BNN_OP_softmax, BNN_OP_log_softmax, BNN_OP_leaky_relu,
                                 BNN_OP_sum,     BNN_OP_argmax,      BNN_OP_logsumexp};
  for (size_t i = 0; i < sizeof id / sizeof *id; i++) {
    tape *t = tape_new(3);
    int y = op1(t, id[i], rows(t, 4));
    finish(t, NODES(y), false);
    bnn_frame *f = frame_of(t, 0);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    ck_same_bits(bnn_op_get(id[i])->name, bnn_frame_output(f, 0), t->at[y]);
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

/* A chain of whole or of row ops needs two buffers and its input, not one for each op. */
START_TEST(a_forward_frame_uses_its_buffers_again) {
  for (int k = 0; k < 2; k++) {
    tape *t = tape_new(64);
    int h = k ? rows(t, 16) : whole(t, DIMS(64, 16));
    for (int i = 0; i < 20; i++) h = op1(t, BNN_OP_tanh, h);
    finish(t, NODES(h), false);
    bnn_frame *f = frame_of(t, 0);
    ck_assert_uint_le(bnn_frame_bytes(f), 3 * 64 * 16 * sizeof(bnn_real));
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

START_TEST(integer_inputs_are_verified_before_anything_runs) {
  static graph *const record[] = {network, mean_loss};
  for (int k = 0; k < 2; k++)
    for (int bad = -1; bad <= 4; bad += 5) {
      tape *t = tape_new(3);
      int output = record[k](t), y = 1;
      finish(t, NODES(output), false);
      bnn_frame *f = frame_of(t, 2);
      ck_succeeds(bnn_frame_replay(f, 1, &err));
      ((int32_t *)bnn_frame_input_buffer(f, y))[2] = bad;
      ck_refuses(bnn_frame_replay(f, 1, &err), BNN_ERANGE,
                 bad < 0 ? "label -1 of example 3 is outside 0..3" : "label 4 of example 3");
      bnn_frame_free(f);
      tape_free(t);
    }
}
END_TEST

START_TEST(an_input_may_be_read_from_the_callers_memory) {
  tape *t = tape_new(3);
  int x = rows(t, 2), y = op1(t, BNN_OP_neg, x);
  finish(t, NODES(y), false);
  bnn_frame *f = frame_of(t, 1);
  bnn_real mine[] = {1, 2, 3, 4, 5, 6};
  bnn_frame_bind(f, x, mine);
  for (int k = 0; k < 2; k++, mine[5] = 9) {
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    ck_tensor(bnn_frame_output(f, 0), BNN_REAL, DIMS(3, 2),
              VALUES(-1, -2, -3, -4, -5, k ? -9 : -6));
  }
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* Rows [from, ..) of the batch in a smaller frame that is placed there, the last one ragged. */
START_TEST(a_placed_frame_drops_what_the_whole_batch_drops) {
  enum { N = 8, CHUNK = 3, WIDTH = 3 };
  tape *all = tape_new(N), *part = tape_new(CHUNK);
  int y = dropped(all), z = dropped(part);
  finish(all, NODES(y), false);
  finish(part, NODES(z), false);
  bnn_frame *f = frame_of(part, 2);
  for (size_t from = 0; from < N; from += CHUNK) {
    size_t n = N - from < CHUNK ? N - from : CHUNK;
    memcpy(bnn_frame_input_buffer(f, 0), bnn_tensor_real(all->at[0]) + from * WIDTH,
           n * WIDTH * sizeof(bnn_real));
    bnn_frame_set_row_offset(f, from);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    ck_assert_uint_eq(bnn_frame_output(f, 0)->row0, from);
    ck_close("a placed frame", bnn_tensor_real(bnn_frame_output(f, 0)),
             bnn_tensor_real(all->at[y]) + from * WIDTH, n * WIDTH, 0);
  }
  bnn_frame_free(f);
  tape_free(all);
  tape_free(part);
}
END_TEST

START_TEST(a_frame_keeps_its_program) {
  tape *t = tape_new(2);
  int y = network(t);
  finish(t, NODES(y), false);
  bnn_frame *f = frame_of(t, 0);
  bnn_program_unref(bnn_program_ref(t->p));
  bnn_program_unref(t->p);
  t->p = NULL;
  ck_succeeds(bnn_frame_replay(f, 1, &err));
  ck_same_bits("network", bnn_frame_output(f, 0), t->at[y]);
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* ---- backward ---- */

/* Copies the gradient with respect to input i of the tape out of a frame. */
static size_t gradient_of(bnn_real *out, const bnn_frame *f, const tape *t, int i) {
  const bnn_tensor *g = bnn_frame_gradient(f, t->input[i]);
  ck_assert_str_eq(BNN_SHAPE(g), BNN_SHAPE(t->at[t->input[i]]));
  if (t->kind[i] == BNN_INPUT_PARAM) ck_assert_ptr_eq(g->data, t->gradient + t->offset[i]);
  memcpy(out, g->data, g->size * sizeof *out);
  return g->size;
}

/* The sum over row blocks, in order, against one block.  A replay leaves nothing in the gradient,
 * and takes nothing from it: it starts as NaN. */
START_TEST(gradients_of_blocks_add_up_to_that_of_the_whole) {
  int output;
  tape *t = tape_of(_i, BATCH, &output);
  finish_wrt_all(t, NODES(output));
  bnn_frame *one = frame_of(t, 0);
  ck_succeeds(bnn_frame_replay(one, (bnn_real)0.5, &err));
  for (int i = 0; i < t->n_inputs; i++) {
    if (t->at[t->input[i]]->dtype != BNN_REAL) continue;
    bnn_real want[FLAT_MAX], got[FLAT_MAX];
    ck_succeeds(bnn_frame_replay(one, (bnn_real)0.5, &err));
    size_t n = gradient_of(want, one, t, i);
    for (int k = 0; k < BLOCK_SIZES; k++) {
      bnn_frame *f = frame_of(t, block_size[k]);
      for (int j = 0; j < FLAT_MAX; j++) t->gradient[j] = NAN;
      for (int again = 0; again < 2; again++) ck_succeeds(bnn_frame_replay(f, (bnn_real)0.5, &err));
      gradient_of(got, f, t, i);
      ck_close(graph_name(_i), got, want, n, CLOSE);
      bnn_frame_free(f);
    }
  }
  bnn_frame_free(one);
  tape_free(t);
}
END_TEST

START_TEST(inputs_that_nothing_uses_get_a_gradient_of_zero) {
  tape *t = tape_new(3);
  int y = unused_inputs(t);
  finish_wrt_all(t, NODES(y));
  bnn_frame *f = frame_of(t, 2);
  for (int j = 0; j < FLAT_MAX; j++) t->gradient[j] = NAN;
  for (int again = 0; again < 2; again++) ck_succeeds(bnn_frame_replay(f, 1, &err));
  for (int i = 2; i < 5; i++) {
    static const size_t size[] = {0, 0, 5, 4, 21};
    bnn_real g[FLAT_MAX];
    size_t n = gradient_of(g, f, t, i);
    ck_assert_uint_eq(n, size[i]);
    for (size_t j = 0; j < n; j++) ck_assert(g[j] == 0);
  }
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* Only what is listed: the other parameters' places in the flat buffer are left alone. */
START_TEST(the_gradient_is_taken_with_respect_to_what_is_listed) {
  tape *t = tape_new(3);
  int y = network(t), w2 = 4;
  ck_succeeds(bnn_program_finish(t->p, &y, 1, true, &w2, 1, &err));
  bnn_frame *f = frame_of(t, 0);
  for (int j = 0; j < FLAT_MAX; j++) t->gradient[j] = 7;
  ck_succeeds(bnn_frame_replay(f, 1, &err));
  for (int j = 0; j < FLAT_MAX; j++) ck_assert((t->gradient[j] == 7) == (j < 35 || j >= 55));
  ck_assert_uint_eq(bnn_frame_parameter_jobs(f), 1);
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* Each parameter's elements are in exactly one job; final where no whole op adds to them. */
START_TEST(parameter_jobs_share_out_every_parameter) {
  tape *t = tape_new(BATCH);
  int x = rows(t, 30), w = param(t, DIMS(30, 25)), b = param(t, DIMS(25)), c = param(t, DIMS(25));
  int h = op3(t, BNN_OP_linear, x, w, op2(t, BNN_OP_mul, b, c));
  finish(t, NODES(op2(t, BNN_OP_mul, h, c)), true);
  bnn_frame *f = frame_of(t, 2);
  int seen[FLAT_MAX] = {0};
  for (size_t j = 0; j < bnn_frame_parameter_jobs(f); j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(f, j);
    for (size_t i = 0; i < job->size; i++) seen[job->first + i]++;
    ck_assert_int_eq(job->final, job->node == w);
    ck_assert_int_eq(job->mode, job->node == w   ? BNN_GRADIENT_SPLIT
                                : job->node == c ? BNN_GRADIENT_SUMMED
                                                 : BNN_GRADIENT_WHOLE);
  }
  for (size_t i = 0; i < FLAT_MAX; i++) ck_assert_int_eq(seen[i], i < t->flat);
  ck_assert(bnn_frame_has_backward_whole(f));
  bnn_frame_free(f);
  tape_free(t);
}
END_TEST

/* The last phase adds the seed where a parameter is the output, and nothing where rows are. */
START_TEST(an_output_that_is_a_parameter_gets_its_seed_last) {
  static const struct {
    graph *record;
    bool final;
  } row[] = {{a_parameter, false}, {a_view_of_a_parameter, false}, {network, true}};
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    tape *t = tape_new(BATCH);
    finish(t, NODES(row[k].record(t)), true);
    bnn_frame *f = frame_of(t, 2);
    ck_assert_int_eq(bnn_frame_has_backward_whole(f), !row[k].final);
    ck_assert_uint_gt(bnn_frame_parameter_jobs(f), 0);
    for (size_t j = 0; j < bnn_frame_parameter_jobs(f); j++)
      ck_assert_int_eq(bnn_frame_parameter_job(f, j)->final, row[k].final);
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

/* The rows of a large matrix go to several jobs, whose gradient is that of one product. */
START_TEST(a_large_matrix_is_split_into_jobs) {
  enum { IN = 500, OUT = 64, N = 5 };
  bnn_program *p = NULL;
  bnn_frame *f = NULL;
  int x, w, y;
  const bnn_shape shape = bnn_shape_make(BNN_REAL, DIMS(N, IN));
  const bnn_shape matrix = bnn_shape_make(BNN_REAL, DIMS(IN, OUT));
  ck_succeeds(bnn_program_new(&p, &err));
  ck_succeeds(bnn_program_input(p, &x, BNN_INPUT_ROWS, &shape, 0, &err));
  ck_succeeds(bnn_program_input(p, &w, BNN_INPUT_PARAM, &matrix, 0, &err));
  ck_succeeds(bnn_program_op(p, &y, BNN_OP_mm, (const int[]){x, w}, 2, NULL, &err));
  ck_succeeds(bnn_program_finish(p, &y, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_frame_new(&f, p, 2, &err));
  bnn_real *theta = calloc(2 * IN * OUT, sizeof *theta), *g = theta + IN * OUT, *in;
  bnn_frame_bind_params(f, theta, g);
  in = bnn_frame_input_buffer(f, x);
  for (int i = 0; i < N * IN; i++) in[i] = (bnn_real)(i % 11 - 5);
  ck_succeeds(bnn_frame_replay(f, 2, &err));
  ck_assert_uint_gt(bnn_frame_parameter_jobs(f), 2);
  for (int i = 0; i < IN; i++) {
    double want = 0; /* d/dw[i, o] of 2 sum x w: twice the sum of column i of x, exact in float */
    for (int n = 0; n < N; n++) want += 2 * (double)in[n * IN + i];
    for (int o = 0; o < OUT; o++) ck_assert_double_eq((double)g[i * OUT + o], want);
  }
  free(theta);
  bnn_frame_free(f);
  bnn_program_unref(p);
}
END_TEST

/* Two parameters, and a third that nothing reads: those from element 2 on are read elsewhere, and the
 * gradients stay in their place. */
START_TEST(parameters_of_a_part_are_read_elsewhere) {
  bnn_program *p = NULL;
  bnn_frame *f = NULL;
  int a, b, unused, y;
  const bnn_shape shape = bnn_shape_make(BNN_REAL, DIMS(2));
  ck_succeeds(bnn_program_new(&p, &err));
  ck_succeeds(bnn_program_input(p, &a, BNN_INPUT_PARAM, &shape, 0, &err));
  ck_succeeds(bnn_program_input(p, &b, BNN_INPUT_PARAM, &shape, 2, &err));
  ck_succeeds(bnn_program_input(p, &unused, BNN_INPUT_PARAM, &shape, 4, &err));
  ck_succeeds(bnn_program_op(p, &y, BNN_OP_mul, (const int[]){a, b}, 2, NULL, &err));
  ck_succeeds(bnn_program_finish(p, &y, 1, true, NULL, 0, &err));
  ck_assert(bnn_program_uses(p, a) && bnn_program_uses(p, b) && bnn_program_uses(p, y));
  ck_assert(!bnn_program_uses(p, unused));
  ck_succeeds(bnn_frame_new(&f, p, 0, &err));
  bnn_real theta[6] = {2, 3, 5, 7, 0, 0}, other[2] = {11, 13}, g[6];
  bnn_frame_bind_params(f, theta, g);
  for (int moved = 0; moved < 2; moved++) {
    if (moved) bnn_frame_bind_part(f, 2, 4, other);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    const bnn_real *with = moved ? other : theta + 2,
                   *out = bnn_tensor_real(bnn_frame_output(f, 0));
    for (int i = 0; i < 2; i++) {
      ck_assert(out[i] == theta[i] * with[i]);
      ck_assert(g[i] == with[i] && g[2 + i] == theta[i]);
    }
  }
  bnn_frame_free(f);
  bnn_program_unref(p);
}
END_TEST

/* ---- activations ---- */

/* Buffers of a frame: x; each layer, its activation and their two gradients, which make two buffers
 * where the activation is written over the layer. */
START_TEST(activations_are_written_over_what_nobody_else_reads) {
  static graph *const record[] = {activations, kept_activations};
  size_t buffers[2];
  for (int i = 0; i < 2; i++) {
    tape *t = tape_new(BATCH);
    bnn_frame *f = NULL;
    finish(t, NODES(record[i](t)), true);
    ck_succeeds(bnn_frame_new(&f, t->p, 0, &err));
    buffers[i] = bnn_frame_buffers(f);
    bnn_frame_free(f);
    tape_free(t);
  }
  ck_assert_uint_eq(buffers[0], 1 + 3 * 2);
  /* 3 layers, 4 activations, 2 sums and 2 products; only sigmoid is written over its layer */
  ck_assert_uint_eq(buffers[1], 1 + 2 * (3 + 4 + 4) - 2);
}
END_TEST

static void ck_same_gradients(const bnn_frame *f, const bnn_frame *other, const tape *t) {
  for (int i = 0; i < t->n_inputs; i++)
    if (t->at[t->input[i]]->dtype == BNN_REAL)
      ck_same_bits("gradient", bnn_frame_gradient(f, t->input[i]),
                   bnn_frame_gradient(other, t->input[i]));
}

/* Beside the same with every node an output, where nothing is written over; some are here, too. */
START_TEST(what_is_written_over_changes_neither_outputs_nor_gradients) {
  int output, some[NODES_MAX + 1], all[NODES_MAX + 1], n = 1;
  tape *t = tape_of(_i, BATCH, &output), *plain = tape_of(_i, BATCH, &output);
  some[0] = all[0] = output;
  for (int i = 0; i < t->n; i++) {
    all[i + 1] = i;
    if (_i % 2 && choose(t, 200 + i, 4) == 0) some[n++] = i;
  }
  finish_wrt_all(t, n, some);
  finish_wrt_all(plain, plain->n + 1, all);
  for (size_t block = 0; block < 5; block += 2) {
    bnn_frame *f = frame_of(t, block), *other = frame_of(plain, block);
    for (int again = 0; again < 2; again++) ck_succeeds(bnn_frame_replay(f, (bnn_real)0.5, &err));
    ck_succeeds(bnn_frame_replay(other, (bnn_real)0.5, &err));
    for (int i = 0; i < n; i++)
      ck_same_bits(graph_name(_i), bnn_frame_output(f, i), bnn_frame_output(other, some[i] + 1));
    ck_same_gradients(f, other, t);
    bnn_frame_free(f);
    bnn_frame_free(other);
  }
  tape_free(t);
  tape_free(plain);
}
END_TEST

/* ---- gradients that blocks sum ---- */

static bnn_tensor *zeros_like(const bnn_tensor *x) {
  bnn_tensor *zeros = NULL;
  ck_succeeds(bnn_tensor_new(&zeros, x->dtype, x->rank, x->dim, &err));
  return zeros;
}

/* Adds what rows [from, from + count) give to dw and db. */
static void add_block_at_once(bnn_tensor *dw, bnn_tensor *db, const conv_tape *c, size_t from,
                              size_t count) {
  const bnn_tensor *const *at = (const bnn_tensor *const *)c->t->at;
  const bnn_attr plain = pairs(1, 0);
  const size_t dim[] = {count, at[c->y]->dim[1], at[c->y]->dim[2], at[c->y]->dim[3]};
  bnn_tensor x, *dy = tensor_of(BNN_REAL, 4, dim, NULL);
  bnn_tensor_init(&x, BNN_REAL, 4, (size_t[]){count, 1, 6, 6},
                  bnn_tensor_real(at[c->x]) + from * 36);
  for (size_t i = 0; i < dy->size; i++) bnn_tensor_real(dy)[i] = (bnn_real)0.3;
  bnn_tensor *g[3] = {NULL, zeros_like(dw), zeros_like(db)};
  const bnn_tensor *in[] = {&x, at[c->w], at[c->b]};
  bnn_op_get(BNN_OP_conv2d)->backward(g, dy, NULL, in, 3, &plain);
  for (size_t i = 0; i < dw->size; i++) bnn_tensor_real(dw)[i] += bnn_tensor_real(g[1])[i];
  for (size_t i = 0; i < db->size; i++) bnn_tensor_real(db)[i] += bnn_tensor_real(g[2])[i];
  bnn_tensor_unref(g[1]);
  bnn_tensor_unref(g[2]);
  bnn_tensor_unref(dy);
}

START_TEST(a_summed_gradient_has_the_bits_of_its_blocks_at_once_in_order) {
  for (int k = 0; k < BLOCK_SIZES; k++) {
    const size_t block = block_size[k] && block_size[k] < BATCH ? block_size[k] : BATCH;
    conv_tape c = conv_tape_new(BATCH, 1, 3);
    finish(c.t, NODES(c.y), true);
    bnn_frame *f = frame_of(c.t, block_size[k]);
    bnn_tensor *dw = zeros_like(c.t->at[c.w]), *db = zeros_like(c.t->at[c.b]);
    for (size_t from = 0; from < BATCH; from += block)
      add_block_at_once(dw, db, &c, from, BATCH - from < block ? BATCH - from : block);
    for (int again = 0; again < 2; again++) ck_succeeds(bnn_frame_replay(f, (bnn_real)0.3, &err));
    ck_same_bits("dw", bnn_frame_gradient(f, c.w), dw);
    ck_same_bits("db", bnn_frame_gradient(f, c.b), db);
    bnn_tensor_unref(dw);
    bnn_tensor_unref(db);
    bnn_frame_free(f);
    tape_free(c.t);
  }
}
END_TEST

/* In one block there is nothing to add; linear's parameters go by jobs over the whole batch. */
START_TEST(gradients_are_summed_where_there_are_blocks_and_no_better_way) {
  for (size_t block = 2; block <= BATCH; block += BATCH - 2) {
    tape *t = tape_new(BATCH);
    finish(t, NODES(convolution(t)), true);
    bnn_frame *f = frame_of(t, block);
    int modes[3] = {0};
    for (size_t j = 0; j < bnn_frame_parameter_jobs(f); j++)
      modes[bnn_frame_parameter_job(f, j)->mode]++;
    ck_assert_int_eq(modes[BNN_GRADIENT_SUMMED], block < BATCH ? 4 : 0); /* w1, b, w2, sin w1 */
    ck_assert_int_eq(modes[BNN_GRADIENT_SPLIT], 1);
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

/* The mode of the gradient dw with these sizes, and how many jobs it makes of them. */
static bnn_gradient_mode mode_of(size_t n, size_t size, size_t filters, size_t *jobs) {
  bnn_program *p = NULL;
  bnn_frame *f = NULL;
  int in[3], y;
  const bnn_attr same = pairs(1, 1);
  const bnn_shape x = bnn_shape_make(BNN_REAL, DIMS(n, 32, size, size));
  const bnn_shape w = bnn_shape_make(BNN_REAL, DIMS(filters, 32, 3, 3));
  const bnn_shape b = bnn_shape_make(BNN_REAL, DIMS(filters));
  ck_succeeds(bnn_program_new(&p, &err));
  ck_succeeds(bnn_program_input(p, &in[0], BNN_INPUT_ROWS, &x, 0, &err));
  ck_succeeds(bnn_program_input(p, &in[1], BNN_INPUT_PARAM, &w, 0, &err));
  ck_succeeds(bnn_program_input(p, &in[2], BNN_INPUT_PARAM, &b, filters * 32 * 9, &err));
  ck_succeeds(bnn_program_op(p, &y, BNN_OP_conv2d, in, 3, &same, &err));
  ck_succeeds(bnn_program_finish(p, &y, 1, true, NULL, 0, &err));
  ck_succeeds(bnn_frame_new(&f, p, 1, &err));
  bnn_gradient_mode mode = bnn_frame_parameter_job(f, 0)->mode;
  *jobs = bnn_frame_parameter_jobs(f) - 1; /* one for b */
  bnn_frame_free(f);
  bnn_program_unref(p);
  return mode;
}

START_TEST(gradients_are_summed_while_that_is_cheap_in_memory_and_time) {
  size_t jobs;
  ck_assert_int_eq(mode_of(3, 24, 64, &jobs), BNN_GRADIENT_SUMMED);
  ck_assert_uint_eq(jobs, 2); /* 64 rows of 288 elements: 8,192 or more in a job */
  ck_assert_int_eq(mode_of(3, 8, 64, &jobs), BNN_GRADIENT_WHOLE); /* dw 18,432, a block's y 4,096 */
  ck_assert_int_eq(mode_of(58, 17, 256, &jobs),                   /* 57 blocks of 256 x 32 x 9 */
                   BNN_GRADIENT_WHOLE);
}
END_TEST

/* ---- sizes ---- */

START_TEST(a_batch_of_one_and_of_none_is_replayed) {
  for (size_t n = 0; n < 2; n++)
    for (int k = 0; k < BLOCK_SIZES; k++) {
      int output;
      tape *t = tape_of(_i, n, &output);
      finish_wrt_all(t, NODES(output));
      bnn_frame *f = frame_of(t, block_size[k]);
      for (int j = 0; j < FLAT_MAX; j++) t->gradient[j] = NAN;
      ck_succeeds(bnn_frame_replay(f, 1, &err));
      if (n > 0) /* the mean of nothing is NaN */
        ck_close(graph_name(_i), bnn_tensor_real(bnn_frame_output(f, 0)),
                 bnn_tensor_real(t->at[output]), t->at[output]->size, CLOSE);
      bnn_real g[FLAT_MAX];
      for (int i = 0; i < t->n_inputs; i++) {
        if (t->at[t->input[i]]->dtype != BNN_REAL) continue;
        size_t size = gradient_of(g, f, t, i);
        for (size_t j = 0; j < size; j++)
          ck_assert(n == 0 && bnn_program_has_rows(t->p, NULL) ? g[j] == 0 : isfinite(g[j]));
      }
      bnn_frame_free(f);
      tape_free(t);
    }
}
END_TEST

/* ---- against central differences, in double ---- */

#ifdef BNN_REAL_DOUBLE
static double loss_of(bnn_frame *f, double seed) {
  double sum = 0;
  ck_succeeds(bnn_frame_replay(f, (bnn_real)seed, &err));
  const bnn_tensor *y = bnn_frame_output(f, 0);
  for (size_t i = 0; i < y->size; i++) sum += seed * bnn_tensor_get(y, i);
  return sum;
}

/* The truncation error of a central difference is h^2/6 of the third derivative, 1e-11 here, its
 * rounding error 1e-16/h, also 1e-11; 1e-8 leaves room for derivatives of a thousand. */
START_TEST(gradients_are_central_differences) {
  const double h = 1e-5, tol = 1e-8, seed = 0.75;
  int output;
  tape *t = tape_of(_i, BATCH, &output);
  finish_wrt_all(t, NODES(output));
  for (int k = 0; k < BLOCK_SIZES; k += 3) {
    bnn_frame *f = frame_of(t, block_size[k]);
    for (int i = 0; i < t->n_inputs; i++) {
      const bnn_tensor *x = t->at[t->input[i]];
      if (x->dtype != BNN_REAL) continue;
      bnn_real got[FLAT_MAX], *at = t->kind[i] == BNN_INPUT_PARAM
                                        ? t->theta + t->offset[i]
                                        : bnn_frame_input_buffer(f, t->input[i]);
      loss_of(f, seed);
      size_t n = gradient_of(got, f, t, i);
      for (size_t j = 0; j < n; j++) {
        double want = 0;
        if (at) { /* an input that nothing uses has no buffer */
          bnn_real was = at[j];
          at[j] = was + h;
          want = loss_of(f, seed);
          at[j] = was - h;
          want = (want - loss_of(f, seed)) / (2 * h);
          at[j] = was;
        }
        ck_assert_msg(fabs(got[j] - want) <= tol * (1 + fabs(want)),
                      "%s: d/d input %d[%zu] is %.12g, differences say %.12g", graph_name(_i), i,
                      j + 1, got[j], want);
      }
    }
    bnn_frame_free(f);
  }
  tape_free(t);
}
END_TEST
#endif

/* ---- allocations ---- */

static bnn_status record_and_replay(bnn_program *p, bnn_err *err) {
  const bnn_shape in = bnn_shape_make(BNN_REAL, DIMS(3, 4));
  const bnn_shape matrix = bnn_shape_make(BNN_REAL, DIMS(4, 2));
  bnn_frame *f = NULL;
  int x, w, y;
  bnn_real theta[8] = {0}, gradient[8];
  BNN_TRY(bnn_program_input(p, &x, BNN_INPUT_ROWS, &in, 0, err));
  BNN_TRY(bnn_program_input(p, &w, BNN_INPUT_PARAM, &matrix, 0, err));
  BNN_TRY(bnn_program_op(p, &y, BNN_OP_mm, (const int[]){x, w}, 2, NULL, err));
  for (int i = 0; i < 40; i++) BNN_TRY(bnn_program_op(p, &y, BNN_OP_tanh, &y, 1, NULL, err));
  BNN_TRY(bnn_program_finish(p, &y, 1, true, NULL, 0, err));
  BNN_TRY(bnn_frame_new(&f, p, 2, err));
  bnn_frame_bind_params(f, theta, gradient);
  bnn_status status = bnn_frame_replay(f, 1, err);
  bnn_frame_free(f);
  return status;
}

static bnn_status with_a_constant(bnn_program *p, bnn_err *err) {
  bnn_tensor *x = NULL, *turned = NULL;
  int node;
  BNN_TRY(bnn_tensor_new(&x, BNN_REAL, DIMS(3, 4), err));
  bnn_status status = bnn_tensor_permute(&turned, x, (const int[]){1, 0}, err);
  if (status == BNN_OK) status = bnn_program_constant(p, &node, turned, err); /* copied */
  bnn_tensor_unref(turned);
  bnn_tensor_unref(x);
  return status;
}

static bnn_status make_a_program(void *arg, bnn_err *err) {
  bnn_program *p = NULL;
  BNN_UNUSED(arg);
  BNN_TRY(bnn_program_new(&p, err));
  bnn_status status = with_a_constant(p, err);
  if (status == BNN_OK) status = record_and_replay(p, err);
  bnn_program_unref(p);
  return status;
}

START_TEST(every_allocation_may_fail) { ck_survives_failing_allocations(make_a_program, NULL); }
END_TEST

START_TEST(a_program_that_could_not_be_finished_can_be_finished_later) {
  for (size_t n = 1; n <= 3; n++) {
    tape *t = tape_new(3);
    int y = network(t);
    bnn_mem_fail_nth(n);
    ck_refuses(bnn_program_finish(t->p, &y, 1, true, NULL, 0, &err), BNN_ENOMEM, "");
    finish(t, NODES(y), true);
    bnn_frame *f = frame_of(t, 0);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    ck_same_bits("network", bnn_frame_output(f, 0), t->at[y]);
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

START_TEST(a_replay_allocates_nothing) {
  static graph *const record[] = {network, convolution};
  for (int k = 0; k < 2; k++) {
    tape *t = tape_new(BATCH);
    finish(t, NODES(record[k](t)), true);
    bnn_frame *f = frame_of(t, 2);
    bnn_mem_fail_nth(1);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    ck_assert_uint_eq(bnn_mem_fail_nth(0), 1);
    bnn_frame_free(f);
    tape_free(t);
  }
}
END_TEST

static void add_tests(TCase *tests) {
  const int all = ALL_GRAPHS;
  tcase_add_test(tests, nodes_are_numbered_in_order_and_know_their_shapes);
  tcase_add_test(tests, flat_size_is_the_end_of_the_last_parameter);
  tcase_add_test(tests, recording_refuses_what_does_not_agree);
  tcase_add_test(tests, finishing_refuses_what_can_not_be);
  tcase_add_test(tests, a_finished_program_takes_no_more_nodes);
  tcase_add_test(tests, products_and_convolutions_count_their_multiply_adds);
  tcase_add_test(tests, parameters_of_a_part_are_read_elsewhere);
  tcase_add_test(tests, activations_are_written_over_what_nobody_else_reads);
  tcase_add_loop_test(tests, what_is_written_over_changes_neither_outputs_nor_gradients, 0, all);
  tcase_add_test(tests, nodes_that_no_output_needs_are_dropped);
  tcase_add_test(tests, rows_are_kept_or_all_meet);
  tcase_add_test(tests, the_op_that_would_mix_rows_is_found_and_described);
  tcase_add_test(tests, buffers_are_counted_once_for_each_value_and_gradient);
  tcase_add_test(tests, feeds_are_inputs_of_the_right_kind);
  tcase_add_loop_test(tests, a_replay_gives_the_bits_of_the_ops_at_once, 0, all);
  tcase_add_loop_test(tests, all_nodes_of_a_replay_are_right, 0, all);
  tcase_add_loop_test(tests, blocks_give_what_the_whole_gives, 0, all);
  tcase_add_test(tests, an_op_without_attributes_takes_its_defaults);
  tcase_add_test(tests, a_forward_frame_uses_its_buffers_again);
  tcase_add_test(tests, integer_inputs_are_verified_before_anything_runs);
  tcase_add_test(tests, an_input_may_be_read_from_the_callers_memory);
  tcase_add_test(tests, a_placed_frame_drops_what_the_whole_batch_drops);
  tcase_add_test(tests, a_frame_keeps_its_program);
  tcase_add_loop_test(tests, gradients_of_blocks_add_up_to_that_of_the_whole, 0, all);
  tcase_add_test(tests, inputs_that_nothing_uses_get_a_gradient_of_zero);
  tcase_add_test(tests, the_gradient_is_taken_with_respect_to_what_is_listed);
  tcase_add_test(tests, parameter_jobs_share_out_every_parameter);
  tcase_add_test(tests, an_output_that_is_a_parameter_gets_its_seed_last);
  tcase_add_test(tests, a_large_matrix_is_split_into_jobs);
  tcase_add_test(tests, a_summed_gradient_has_the_bits_of_its_blocks_at_once_in_order);
  tcase_add_test(tests, gradients_are_summed_where_there_are_blocks_and_no_better_way);
  tcase_add_test(tests, gradients_are_summed_while_that_is_cheap_in_memory_and_time);
  tcase_add_loop_test(tests, a_batch_of_one_and_of_none_is_replayed, 0, GRAPHS);
#ifdef BNN_REAL_DOUBLE
  tcase_add_loop_test(tests, gradients_are_central_differences, 0, GRAPHS + 30);
  tcase_add_loop_test(tests, gradients_are_central_differences, LAYERS, LAYERS + 30);
#endif
  tcase_add_test(tests, every_allocation_may_fail);
  tcase_add_test(tests, a_program_that_could_not_be_finished_can_be_finished_later);
  tcase_add_test(tests, a_replay_allocates_nothing);
}

int main(void) { return run_suite_with_products("program", add_tests); }
