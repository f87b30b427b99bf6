/* test_ops.c - what holds for every op of the table, on every instruction set: gradients against
 * central differences, blocks of rows, strided and empty inputs, refused types, failing memory.
 *
 * The cases are each row's own example and those of support_ops.c. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernels/isa.h"
#include "support_ops.h"

#ifdef BNN_REAL_DOUBLE
static const double STEP = 1e-5;
static double tolerance(const op_case *c) { return bnn_op_get(c->id)->check.tol; }
#else
/* In float a difference of 2 STEP holds some five digits; of inputs longer than 100, where
 * neighbours are closer than that and ties and kinks lie between, the double build takes care. */
static const double STEP = 1e-2;
static double tolerance(const op_case *c) {
  BNN_UNUSED(c);
  return 1e-2;
}
#endif

static const op_case *the_case(int i) {
  ck_assert_ptr_nonnull(case_at((size_t)i));
  return case_at((size_t)i);
}

/* ---- the table ---- */

START_TEST(every_row_is_found_by_its_name_and_its_doc_begins_with_it) {
  const bnn_op *op = bnn_op_get((bnn_op_id)_i);
  bnn_op_id id;
  ck_assert(bnn_op_find(&id, op->name));
  ck_assert_int_eq(id, _i);
  ck_assert_msg(strncmp(op->doc, op->name, strlen(op->name)) == 0 &&
                    op->doc[strlen(op->name)] == '(' && strstr(op->doc, "): "),
                "doc of %s: %s", op->name, op->doc);
  ck_assert_msg(op->alias || op->forward, "%s has no forward", op->name);
  ck_assert_msg(op->internal || (op->example && strstr(op->example, "--> ")),
                "%s has no example with its result", op->name);
}
END_TEST

START_TEST(no_row_has_another_name) {
  bnn_op_id id;
  ck_assert(!bnn_op_find(&id, "adds"));
  ck_assert(!bnn_op_find(&id, ""));
}
END_TEST

/* ---- gradients ---- */

/* The value, in memory of its own: a view would change with x. */
static bnn_tensor *value_now(const op_case *c, bnn_tensor *const *x) {
  bnn_tensor *y = value_of(c, x), *now = NULL;
  ck_succeeds(bnn_tensor_clone(&now, y, &err));
  bnn_tensor_unref(y);
  return now;
}

/* The slope of the weighted sum of outputs along element k of input i; differences are taken before
 * they are summed, which keeps their digits. */
static double difference(const op_case *c, bnn_tensor *const *x, int i, size_t k,
                         const bnn_tensor *dy) {
  bnn_real *at = bnn_tensor_real(x[i]) + k;
  const bnn_real was = *at, above = was + (bnn_real)STEP, below = was - (bnn_real)STEP;
  *at = above;
  bnn_tensor *up = value_now(c, x);
  *at = below;
  bnn_tensor *down = value_now(c, x);
  *at = was;
  double sum = 0;
  for (size_t o = 0; o < up->size; o++)
    sum += (bnn_tensor_get(up, o) - bnn_tensor_get(down, o)) * bnn_tensor_get(dy, o);
  bnn_tensor_unref(up);
  bnn_tensor_unref(down);
  return sum / ((double)above - (double)below);
}

static bool too_long_for_float(const op_case *c) {
  bool any = false;
  for (int i = 0; i < c->n; i++) {
    size_t size = 0;
    any |= bnn_shape_size(&size, c->in[i].rank, c->in[i].dim) && size > 100;
  }
  return any && sizeof(bnn_real) == sizeof(float);
}

/* From one element that is looked at to the next: of a large input a hundred or so. */
static size_t stride_of(size_t n) { return n / 100 < 2 ? 1 : n / 100 | 1; }

/* backward adds: the gradients start at 1.  Of a large input a hundred elements or so are
 * tried. */
static void check_gradients(const op_case *c) {
  if (too_long_for_float(c)) return;
  bnn_tensor *x[CASE_INPUTS], *dx[CASE_INPUTS];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  gradients_of(dx, c, y, dy, x, 1);
  for (int i = 0; i < c->n; i++)
    for (size_t k = 0; dx[i] && k < x[i]->size; k += stride_of(x[i]->size)) {
      const double got = bnn_tensor_get(dx[i], k) - 1, want = difference(c, x, i, k, dy);
      ck_assert_msg(fabs(got - want) <= tolerance(c) * (1 + fabs(want)),
                    "%s: d/dx%d[%zu] = %.9g, differences say %.9g", CASE(c), i, k, got, want);
    }
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(dx, c->n);
  unref_all(x, c->n);
}

START_TEST(every_gradient_matches_central_differences) {
  for_every_isa(check_gradients, the_case(_i));
}
END_TEST

/* With all but one gradient not wanted, that one is the same. */
START_TEST(a_gradient_does_not_depend_on_which_others_are_wanted) {
  const op_case *c = the_case(_i);
  const bnn_op *op = bnn_op_get(c->id);
  bnn_tensor *x[CASE_INPUTS], *dx[CASE_INPUTS];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  gradients_of(dx, c, y, dy, x, 0);
  for (int i = 0; op->backward && i < c->n; i++) {
    if (!dx[i]) continue;
    bnn_tensor *alone[CASE_INPUTS] = {NULL};
    ck_succeeds(bnn_tensor_new(&alone[i], BNN_REAL, x[i]->rank, x[i]->dim, &err));
    op->backward(alone, dy, y, (const bnn_tensor *const *)x, c->n, &c->attr);
    ck_assert_msg(distance(alone[i], dx[i]) == 0, "%s: input %d", CASE(c), i);
    bnn_tensor_unref(alone[i]);
  }
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(dx, c->n);
  unref_all(x, c->n);
}
END_TEST

/* ---- rows of a batch ---- */

/* The case with another number of rows in the inputs of the set `rows`. */
static op_case with_rows(const op_case *c, unsigned rows, size_t n) {
  op_case other = *c;
  for (int i = 0; i < c->n; i++)
    if (rows >> i & 1) other.in[i].dim[0] = n;
  if (strchr(bnn_op_get(c->id)->args ? bnn_op_get(c->id)->args : "", 's')) other.attr.dim[0] = n;
  return other;
}

/* What the op says of its rows when the inputs of the set have rows of the batch. */
static bnn_rows rows_said(const op_case *c, unsigned rows) {
  const bnn_op *op = bnn_op_get(c->id);
  bnn_shape y;
  bool has[CASE_INPUTS];
  for (int i = 0; i < c->n; i++) {
    has[i] = rows >> i & 1;
    if (has[i] && c->in[i].rank == 0) return BNN_ROWS_MIXED;
  }
  if (!op->rows || bnn_op_infer(&y, c->id, c->in, c->n, &c->attr, NULL) != BNN_OK)
    return BNN_ROWS_MIXED;
  return op->rows(has, c->in, c->n, &c->attr, &y);
}

/* Products of blocks may be summed in another order; all else has the same bits. */
static double rows_tolerance(const op_case *c) {
  switch (c->id) {
  case BNN_OP_mm:
  case BNN_OP_bmm:
  case BNN_OP_linear:
  case BNN_OP_rnn:
  case BNN_OP_gru:
  case BNN_OP_lstm: return 16 * BNN_REAL_EPSILON;
  default: return 0;
  }
}

/* Runs forward and backward on one block; gradients of inputs without rows add up over blocks. */
static void run_block(bnn_tensor *y, bnn_tensor **dx, const op_case *c, unsigned rows,
                      bnn_tensor *const *x, const bnn_tensor *dy, size_t from, size_t count) {
  const bnn_op *op = bnn_op_get(c->id);
  bnn_tensor xb[CASE_INPUTS], dxb[CASE_INPUTS], yb, dyb, *dxp[CASE_INPUTS] = {NULL};
  const bnn_tensor *xp[CASE_INPUTS];
  block_of_rows(&yb, y, from, count);
  for (int i = 0; i < c->n; i++) {
    const bool has = rows >> i & 1;
    if (has) block_of_rows(&xb[i], x[i], from, count);
    if (has && dx[i]) block_of_rows(&dxb[i], dx[i], from, count);
    xp[i] = has ? &xb[i] : x[i];
    if (dx[i]) dxp[i] = has ? &dxb[i] : dx[i];
  }
  op->forward(&yb, xp, c->n, &c->attr);
  if (!op->backward) return;
  block_of_rows(&dyb, dy, from, count);
  op->backward(dxp, &dyb, &yb, xp, c->n, &c->attr);
}

static void zero(bnn_tensor **x, int n) {
  for (int i = 0; i < n; i++)
    if (x[i]) memset(x[i]->data, 0, x[i]->size * sizeof(bnn_real));
}

static void check_blocks(const op_case *c, unsigned rows) {
  enum { ROWS = 37 };
  const op_case many = with_rows(c, rows, ROWS);
  bnn_tensor *x[CASE_INPUTS], *whole_dx[CASE_INPUTS], *dx[CASE_INPUTS];
  case_inputs(x, &many);
  bnn_tensor *whole = value_of(&many, x), *dy = weights_for(whole), *y;
  gradients_of(whole_dx, &many, whole, dy, x, 0);
  ck_assert_msg(whole->rank > 0 && whole->dim[0] == ROWS, "%s keeps its rows", CASE(&many));
  y = value_of(&many, x);
  memset(y->data, 0, y->size * bnn_dtype_size(y->dtype));
  gradients_of(dx, &many, whole, dy, x, 0);
  zero(dx, many.n);
  for (size_t from = 0, count; from < ROWS; from += count) {
    count = from == 0 ? 1 : ROWS - from < 16 ? ROWS - from : 16;
    run_block(y, dx, &many, rows, x, dy, from, count);
  }
  ck_assert_msg(distance(y, whole) <= rows_tolerance(c), "%s, rows %x: %g", CASE(&many), rows,
                distance(y, whole));
  for (int i = 0; i < many.n; i++)
    if (dx[i])
      ck_assert_msg(distance(dx[i], whole_dx[i]) <=
                        (rows >> i & 1 ? rows_tolerance(c)
                                       : 64 * BNN_REAL_EPSILON + order_tolerance(c, ROWS)),
                    "%s, rows %x: gradient %d, %g", CASE(&many), rows, i,
                    distance(dx[i], whole_dx[i]));
  bnn_tensor_unref(y);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(whole);
  unref_all(dx, many.n);
  unref_all(whole_dx, many.n);
  unref_all(x, many.n);
}

/* Asked about the batch of 37 rows: whether rows are mixed may depend on sizes of 1. */
static void check_rows(const op_case *c) {
  if (bnn_op_get(c->id)->alias) return;
  for (unsigned rows = 1; rows < 1u << c->n; rows++) {
    const op_case many = with_rows(c, rows, 37);
    if (rows_said(&many, rows) == BNN_ROWS_KEPT) check_blocks(c, rows);
  }
}

START_TEST(blocks_of_kept_rows_give_what_the_whole_batch_gives) {
  for_every_isa(check_rows, the_case(_i));
}
END_TEST

START_TEST(an_empty_batch_gives_an_empty_result) {
  const op_case *c = the_case(_i);
  for (unsigned rows = 1; rows < 1u << c->n; rows++) {
    if (rows_said(c, rows) != BNN_ROWS_KEPT) continue;
    const op_case empty = with_rows(c, rows, 0);
    bnn_tensor *x[CASE_INPUTS], *dx[CASE_INPUTS];
    case_inputs(x, &empty);
    bnn_tensor *y = value_of(&empty, x), *dy = weights_for(y);
    gradients_of(dx, &empty, y, dy, x, 3);
    ck_assert_msg(y->size == 0, "%s", CASE(&empty));
    for (int i = 0; i < c->n; i++)
      for (size_t k = 0; dx[i] && k < dx[i]->size; k++)
        ck_assert(bnn_tensor_get(dx[i], k) == 3); /* nothing is added */
    bnn_tensor_unref(dy);
    bnn_tensor_unref(y);
    unref_all(dx, c->n);
    unref_all(x, c->n);
  }
}
END_TEST

/* Which inputs may have rows without mixing them. */
typedef struct said_case {
  bnn_op_id id;
  case_shape in[3];
  bnn_attr attr;
  unsigned rows;
  bnn_rows want;
} said_case;

static const said_case said_of_shapes[] = {
    {BNN_OP_add, {{2, {8, 4}}, {1, {4}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_add, {{2, {8, 4}}, {2, {8, 4}}}, {0}, 3, BNN_ROWS_KEPT},
    {BNN_OP_add, {{2, {8, 4}}, {2, {8, 4}}}, {0}, 1, BNN_ROWS_MIXED},
    {BNN_OP_add, {{2, {8, 4}}, {2, {1, 4}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_add, {{2, {8, 8}}, {1, {8}}}, {0}, 3, BNN_ROWS_MIXED},
    {BNN_OP_add, {{2, {8, 8}}, {1, {8}}}, {0}, 2, BNN_ROWS_MIXED},
    {BNN_OP_add, {{2, {8, 8}}, {2, {1, 8}}}, {0}, 2, BNN_ROWS_MIXED},
    {BNN_OP_relu, {{2, {8, 4}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_sum, {{2, {8, 4}}}, {.axes = 2}, 1, BNN_ROWS_KEPT},
    {BNN_OP_sum, {{2, {8, 4}}}, {.axes = 1}, 1, BNN_ROWS_MIXED},
    {BNN_OP_sum, {{2, {8, 4}}}, {0}, 1, BNN_ROWS_MIXED},
    {BNN_OP_argmax, {{2, {8, 4}}}, {.axis = BNN_AXIS_NONE}, 1, BNN_ROWS_MIXED},
    {BNN_OP_argmax, {{2, {8, 4}}}, {.axis = 1}, 1, BNN_ROWS_KEPT},
    {BNN_OP_softmax, {{2, {8, 4}}}, {.axis = BNN_AXIS_NONE}, 1, BNN_ROWS_KEPT},
    {BNN_OP_softmax, {{1, {8}}}, {.axis = BNN_AXIS_NONE}, 1, BNN_ROWS_MIXED},
    {BNN_OP_view, {{2, {8, 4}}}, {.rank = 3, .dim = {8, 2, 2}}, 1, BNN_ROWS_KEPT},
    {BNN_OP_view, {{2, {8, 4}}}, {.rank = 1, .dim = {32}}, 1, BNN_ROWS_MIXED},
    {BNN_OP_permute, {{2, {8, 4}}}, {.rank = 2, .order = {1, 0}}, 1, BNN_ROWS_MIXED},
    {BNN_OP_narrow, {{2, {8, 4}}}, {.axis = 0, .count = 8}, 1, BNN_ROWS_MIXED},
    {BNN_OP_index, {{2, {4, 8}}, {1, {8}}}, {.axis = 0}, 2, BNN_ROWS_KEPT},
    {BNN_OP_index, {{2, {8, 4}}, {1, {8}}}, {.axis = 0}, 1, BNN_ROWS_MIXED},
    {BNN_OP_concat, {{2, {8, 4}}, {2, {8, 4}}}, {.axis = 1}, 3, BNN_ROWS_KEPT},
    {BNN_OP_concat, {{2, {8, 4}}, {2, {8, 4}}}, {.axis = 1}, 1, BNN_ROWS_MIXED},
};

static const said_case said_of_products[] = {
    {BNN_OP_mm, {{2, {8, 4}}, {2, {4, 3}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_mm, {{2, {8, 4}}, {2, {4, 3}}}, {0}, 2, BNN_ROWS_MIXED},
    {BNN_OP_linear, {{2, {8, 4}}, {2, {4, 3}}, {1, {3}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_linear, {{1, {4}}, {2, {4, 3}}, {1, {3}}}, {0}, 1, BNN_ROWS_MIXED},
    {BNN_OP_cross_entropy, {{2, {8, 4}}, {1, {8}}}, {0}, 3, BNN_ROWS_KEPT},
    {BNN_OP_cross_entropy, {{2, {8, 4}}, {1, {8}}}, {0}, 1, BNN_ROWS_MIXED},
    {BNN_OP_dropout, {{2, {8, 4}}, {0, {0}}}, {.number = {0.5}}, 1, BNN_ROWS_KEPT},
    {BNN_OP_randn_like, {{2, {8, 4}}, {0, {0}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_rand_like, {{2, {8, 4}}, {0, {0}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_conv2d,
     {{4, {8, 1, 3, 3}}, {4, {8, 1, 2, 2}}, {1, {8}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}},
     1,
     BNN_ROWS_KEPT},
    {BNN_OP_conv2d,
     {{4, {8, 1, 3, 3}}, {4, {8, 1, 2, 2}}, {1, {8}}},
     {.pair = {{1, 1}, {0, 0}, {1, 1}}},
     3,
     BNN_ROWS_MIXED},
    {BNN_OP_conv_transpose2d,
     {{4, {8, 1, 3, 3}}, {4, {1, 8, 2, 2}}, {1, {8}}},
     {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}},
     1,
     BNN_ROWS_KEPT},
    {BNN_OP_conv_transpose2d,
     {{4, {8, 8, 3, 3}}, {4, {8, 8, 2, 2}}, {1, {8}}},
     {.pair = {{1, 1}, {0, 0}, {0, 0}, {1, 1}}},
     3,
     BNN_ROWS_MIXED},
    {BNN_OP_rnn, {{3, {8, 4, 2}}, {2, {2, 2}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_rnn, {{3, {2, 4, 2}}, {2, {2, 2}}}, {0}, 3, BNN_ROWS_MIXED},
    {BNN_OP_max_pool2d, {{4, {8, 1, 3, 3}}}, {.pair = {{2, 2}}}, 1, BNN_ROWS_KEPT},
    {BNN_OP_layer_norm, {{2, {8, 4}}, {1, {4}}, {1, {4}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_batch_norm, {{2, {8, 4}}, {1, {4}}, {1, {4}}}, {0}, 1, BNN_ROWS_MIXED},
    {BNN_OP_stop_gradient, {{2, {8, 4}}}, {0}, 1, BNN_ROWS_KEPT},
    {BNN_OP_layer_norm, {{1, {8}}, {1, {8}}, {1, {8}}}, {0}, 1, BNN_ROWS_MIXED},
};

static void check_said(const said_case *row, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const int arity = bnn_op_get(row[i].id)->arity;
    op_case c = case_of_shapes(row[i].id, arity < 0 ? 2 : arity, row[i].in, row[i].attr);
    ck_assert_msg(rows_said(&c, row[i].rows) == row[i].want, "row %zu: %s", i, CASE(&c));
  }
}

START_TEST(rows_are_kept_where_each_row_stands_alone) {
  check_said(said_of_shapes, sizeof said_of_shapes / sizeof *said_of_shapes);
  check_said(said_of_products, sizeof said_of_products / sizeof *said_of_products);
}
END_TEST

/* ---- gradients that are set ---- */

static void check_set(const op_case *c) {
  const bnn_op *op = bnn_op_get(c->id);
  if (!op->backward_set) return;
  bnn_tensor *x[CASE_INPUTS], *added[CASE_INPUTS], *set[CASE_INPUTS];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  gradients_of(added, c, y, dy, x, 0);
  gradients_of(set, c, y, dy, x, 0);
  zero(set, c->n);
  for (size_t k = 0; k < set[0]->size; k++) bnn_tensor_real(set[0])[k] = NAN; /* not read */
  op->backward_set(set, dy, y, (const bnn_tensor *const *)x, c->n, &c->attr);
  for (int i = 0; i < c->n; i++)
    if (set[i]) ck_assert_msg(distance(set[i], added[i]) == 0, "%s: gradient %d", CASE(c), i);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(set, c->n);
  unref_all(added, c->n);
  unref_all(x, c->n);
}

START_TEST(a_gradient_that_is_set_is_the_one_that_is_added_to_zeros) {
  for_every_isa(check_set, the_case(_i));
}
END_TEST

/* ---- memory beside a tensor ---- */

/* Places for tensors that end where a page begins that cannot be touched.  Made once, as to ask
 * for them takes longer than the ops. */
enum { OF_Y = CASE_INPUTS, OF_DY, OF_SLOPES, PLACES = OF_SLOPES + CASE_INPUTS };
enum { PLACE = 1 << 20, BEFORE = 4096, MARK = 0x5a };

static unsigned char *place_end(int i) {
  static unsigned char *first;
  const size_t step = PLACE + (size_t)sysconf(_SC_PAGESIZE);
  if (!first) {
    first = mmap(NULL, PLACES * step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(first != MAP_FAILED); /* before any test runs, where ck_assert does not work */
    for (size_t k = 0; k < PLACES; k++)
      if (mprotect(first + k * step + PLACE, step - PLACE, PROT_NONE) != 0) abort();
  }
  return first + (size_t)i * step + PLACE;
}

/* Copies x to place i, with MARK in the BEFORE bytes that lie before it. */
static bnn_tensor guarded(int i, const bnn_tensor *x) {
  const size_t bytes = x->size * bnn_dtype_size(x->dtype);
  bnn_tensor t;
  ck_assert_uint_le(bytes + BEFORE, PLACE);
  bnn_tensor_init(&t, x->dtype, x->rank, x->dim, place_end(i) - bytes);
  memcpy(t.data, x->data, bytes);
  memset((unsigned char *)t.data - BEFORE, MARK, BEFORE);
  return t;
}

static void check_marks(const op_case *c, const bnn_tensor *t) {
  const unsigned char *before = (const unsigned char *)t->data - BEFORE;
  size_t changed = 0;
  for (size_t i = 0; i < BEFORE; i++) changed += before[i] != MARK;
  ck_assert_msg(changed == 0, "%s: wrote before a tensor", CASE(c));
}

/* backward, or backward_set, on guarded tensors: gradients as wanted. */
static void check_slopes(const op_case *c, bool set, const bnn_tensor *const *x,
                         const bnn_tensor *dy, const bnn_tensor *y, bnn_tensor *const *want) {
  const bnn_op *op = bnn_op_get(c->id);
  bnn_tensor dx[CASE_INPUTS], *to[CASE_INPUTS] = {NULL};
  for (int i = 0; i < c->n; i++) {
    if (!want[i]) continue;
    dx[i] = guarded(OF_SLOPES + i, x[i]);
    if (i > 0 || !set) memset(dx[i].data, 0, dx[i].size * sizeof(bnn_real));
    to[i] = &dx[i];
  }
  (set ? op->backward_set : op->backward)(to, dy, y, x, c->n, &c->attr);
  for (int i = 0; i < c->n; i++) {
    if (!to[i]) continue;
    ck_assert_msg(distance(to[i], want[i]) == 0, "%s: gradient %d", CASE(c), i);
    check_marks(c, to[i]);
  }
}

static void check_bounds(const op_case *c) {
  const bnn_op *op = bnn_op_get(c->id);
  if (op->alias) return;
  bnn_tensor *x[CASE_INPUTS], *want[CASE_INPUTS], in[CASE_INPUTS];
  const bnn_tensor *from[CASE_INPUTS];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  gradients_of(want, c, y, dy, x, 0);
  for (int i = 0; i < c->n; i++) in[i] = guarded(i, x[i]), from[i] = &in[i];
  bnn_tensor value = guarded(OF_Y, y), slope = guarded(OF_DY, dy);
  op->forward(&value, from, c->n, &c->attr);
  ck_assert_msg(distance(&value, y) == 0, "%s", CASE(c));
  check_marks(c, &value);
  if (op->backward) check_slopes(c, false, from, &slope, &value, want);
  if (op->backward_set) check_slopes(c, true, from, &slope, &value, want);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(want, c->n);
  unref_all(x, c->n);
}

START_TEST(nothing_is_touched_beside_the_tensors) { for_every_isa(check_bounds, the_case(_i)); }
END_TEST

/* ---- blocks of a parameter's gradient ---- */

static void check_split(const op_case *c) {
  const bnn_op *op = bnn_op_get(c->id);
  bnn_tensor *x[CASE_INPUTS], *dx[CASE_INPUTS];
  case_inputs(x, c);
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  gradients_of(dx, c, y, dy, x, 0);
  for (int i = 0; i < c->n; i++) {
    if (!op->can_split(i)) continue;
    bnn_tensor *split = tensor_of(BNN_REAL, x[i]->rank, x[i]->dim, NULL);
    const size_t rows = x[i]->dim[0], half = rows / 2;
    const bnn_tensor *const *in = (const bnn_tensor *const *)x;
    bnn_tensor part;
    block_of_rows(&part, split, half, rows - half);
    op->backward_rows(&part, i, half, false, dy, in, &c->attr);
    block_of_rows(&part, split, 0, half);
    op->backward_rows(&part, i, 0, false, dy, in, &c->attr);
    ck_assert_msg(distance(split, dx[i]) <= 16 * BNN_REAL_EPSILON, "%s", CASE(c));
    op->backward_rows(split, i, 0, true, dy, in, &c->attr);
    for (size_t k = 0; k < split->size; k++) bnn_tensor_real(dx[i])[k] *= 2;
    ck_assert_msg(distance(split, dx[i]) <= 32 * BNN_REAL_EPSILON, "%s, added", CASE(c));
    bnn_tensor_unref(split);
  }
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(dx, c->n);
  unref_all(x, c->n);
}

START_TEST(a_gradient_in_blocks_of_rows_is_the_whole_gradient) {
  const op_case *c = the_case(_i);
  if (bnn_op_get(c->id)->can_split) for_every_isa(check_split, c);
}
END_TEST

/* ---- parts of an op that mixes rows ---- */

/* The parts from the last to the first. */
static void check_parts(const op_case *c) {
  const bnn_op *op = bnn_op_get(c->id);
  bnn_tensor *x[4], *want[4], *dx[4];
  case_inputs(x, c);
  const bnn_tensor *const *in = (const bnn_tensor *const *)x;
  bnn_tensor *y = value_of(c, x), *dy = weights_for(y);
  bnn_tensor *parted = tensor_of(BNN_REAL, y->rank, y->dim, NULL);
  gradients_of(want, c, y, dy, x, 0);
  for (int i = 0; i < c->n; i++)
    ck_succeeds(bnn_tensor_new(&dx[i], BNN_REAL, x[i]->rank, x[i]->dim, &err));
  for (size_t part = op->parts(in, &c->attr); part-- > 0;) {
    op->forward_part(parted, in, &c->attr, part);
    op->backward_part(dx, dy, y, in, &c->attr, part);
  }
  ck_assert_msg(distance(parted, y) == 0, "%s", CASE(c));
  for (int i = 0; i < c->n; i++) ck_assert_msg(distance(dx[i], want[i]) == 0, "%s", CASE(c));
  bnn_tensor_unref(parted);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(y);
  unref_all(dx, c->n);
  unref_all(want, c->n);
  unref_all(x, c->n);
}

START_TEST(parts_in_any_order_give_the_bits_of_the_whole) {
  const op_case *c = the_case(_i);
  if (bnn_op_get(c->id)->parts) for_every_isa(check_parts, c);
}
END_TEST

/* ---- other inputs ---- */

/* The same values with other numbers between them in memory. */
static bnn_tensor *spread_out(bnn_tensor *x) {
  size_t dim[BNN_RANK_MAX];
  memcpy(dim, x->dim, sizeof dim);
  dim[x->rank] = 2;
  bnn_tensor *wide = tensor_of(x->dtype, x->rank + 1, dim, NULL), *view = NULL;
  ck_succeeds(bnn_tensor_select(&view, wide, x->rank, 1, &err));
  ck_succeeds(bnn_tensor_copy(view, x, &err));
  bnn_tensor_unref(wide);
  return view;
}

START_TEST(strided_inputs_give_what_contiguous_ones_give) {
  const op_case *c = the_case(_i);
  bnn_tensor *x[CASE_INPUTS], *strided[CASE_INPUTS];
  case_inputs(x, c);
  for (int i = 0; i < c->n; i++) strided[i] = spread_out(x[i]);
  bnn_tensor *y = value_of(c, x), *z = value_of(c, strided);
  ck_assert_msg(bnn_tensor_same_shape(y, z) && distance(y, z) == 0, "%s", CASE(c));
  bnn_tensor_unref(y);
  bnn_tensor_unref(z);
  unref_all(x, c->n);
  unref_all(strided, c->n);
}
END_TEST

typedef struct call {
  const op_case *c;
  bnn_tensor **x;
} call;

static bnn_status run_once(void *arg, bnn_err *err) {
  const call *k = arg;
  bnn_tensor *y;
  BNN_TRY(bnn_op_run(&y, k->c->id, k->x, k->c->n, &k->c->attr, err));
  bnn_tensor_unref(y);
  return BNN_OK;
}

START_TEST(each_allocation_may_fail_without_a_leak) {
  const op_case *c = the_case(_i);
  bnn_tensor *x[CASE_INPUTS], *strided[CASE_INPUTS];
  case_inputs(x, c);
  for (int i = 0; i < c->n; i++) strided[i] = spread_out(x[i]);
  ck_survives_failing_allocations(run_once, &(call){c, strided});
  unref_all(x, c->n);
  unref_all(strided, c->n);
}
END_TEST

/* NaN everywhere in: NaN somewhere out.  Comparisons, positions and branches of `where` excepted.
 */
START_TEST(nan_is_seen) {
  const op_case c = case_of_row((bnn_op_id)_i);
  const bnn_op *op = bnn_op_get(c.id);
  bnn_tensor *x[CASE_INPUTS];
  bool any = false, reals = false;
  case_inputs(x, &c);
  for (int i = 0; i < c.n; i++)
    for (size_t k = 0; c.in[i].dtype == BNN_REAL && k < x[i]->size; k++)
      bnn_tensor_set(x[i], k, NAN), reals = true;
  bnn_tensor *y = value_of(&c, x);
  for (size_t k = 0; y->dtype == BNN_REAL && k < y->size; k++) any |= isnan(bnn_tensor_get(y, k));
  ck_assert_msg(any || !reals || !(op->backward || op->alias), "%s", op->name);
  bnn_tensor_unref(y);
  unref_all(x, c.n);
}
END_TEST

/* ---- instruction sets ---- */

START_TEST(every_instruction_set_holds_the_same_ops) {
  ck_succeeds(bnn_isa_set("baseline", &err));
  const char *name[BNN_OP_COUNT];
  for (int op = 0; op < BNN_OP_COUNT; op++) name[op] = bnn_op_get(op)->name;
  for (size_t i = 0; bnn_isa_available(i); i++) {
    ck_succeeds(bnn_isa_set(bnn_isa_available(i), &err));
    for (int op = 0; op < BNN_OP_COUNT; op++) ck_assert_str_eq(bnn_op_get(op)->name, name[op]);
  }
  ck_succeeds(bnn_isa_set(NULL, &err));
}
END_TEST

static void check_against_baseline(const op_case *c) {
  const char *isa = bnn_isa_get()->name;
  bnn_tensor *x[CASE_INPUTS], *dx[CASE_INPUTS], *plain_dx[CASE_INPUTS];
  case_inputs(x, c);
  ck_succeeds(bnn_isa_set("baseline", &err));
  bnn_tensor *plain = value_of(c, x), *dy = weights_for(plain);
  gradients_of(plain_dx, c, plain, dy, x, 0);
  ck_succeeds(bnn_isa_set(isa, &err));
  bnn_tensor *y = value_of(c, x);
  gradients_of(dx, c, plain, dy, x, 0);
  const double order = order_tolerance(c, c->in[0].dim[0]);
  ck_assert_msg(distance(y, plain) <= 8 * BNN_REAL_EPSILON + order, "%s: %g", CASE(c),
                distance(y, plain));
  for (int i = 0; i < c->n; i++)
    if (dx[i])
      ck_assert_msg(distance(dx[i], plain_dx[i]) <= 32 * BNN_REAL_EPSILON + order,
                    "%s: gradient %d, %g", CASE(c), i, distance(dx[i], plain_dx[i]));
  bnn_tensor_unref(y);
  bnn_tensor_unref(dy);
  bnn_tensor_unref(plain);
  unref_all(dx, c->n);
  unref_all(plain_dx, c->n);
  unref_all(x, c->n);
}

START_TEST(instruction_sets_agree) { for_every_isa(check_against_baseline, the_case(_i)); }
END_TEST

/* ---- refused calls ---- */

/* ---- types ---- */

/* Every input of the case that is real, as another type. */
static op_case as_type(const op_case *c, bnn_dtype dtype) {
  op_case other = *c;
  for (int i = 0; i < c->n; i++)
    if (c->in[i].dtype == BNN_REAL) other.in[i].dtype = dtype;
  return other;
}

/* An op that does not take a type says so in one way, which names the input and what converts it. */
static void check_refusal(const op_case *c, bnn_dtype dtype, bnn_status status,
                          const bnn_err *err) {
  const char *name = bnn_op_get(c->id)->name;
  char type[32];
  snprintf(type, sizeof type, " got %s: ", bnn_dtype_name(dtype));
  ck_assert_msg(status == BNN_ETYPE, "%s of %s: status %d", name, bnn_dtype_name(dtype), status);
  ck_assert_msg(strncmp(err->text, name, strlen(name)) == 0, "%s", err->text);
  ck_assert_msg(strstr(err->text, type) && strstr(err->text, "() converts"), "%s", err->text);
}

/* One input alone of another type: refused, or compared or moved with the rest. */
START_TEST(a_type_is_taken_or_refused_in_one_wording) {
  for (int dtype = 0; dtype < BNN_DTYPE_COUNT; dtype++) {
    const op_case row = case_of_row((bnn_op_id)_i);
    for (int i = 0; i < row.n && dtype != (int)BNN_REAL; i++) {
      op_case c = row;
      if (c.in[i].dtype != BNN_REAL) continue;
      c.in[i].dtype = (bnn_dtype)dtype;
      bnn_err err;
      bnn_shape y;
      const bnn_op *op = bnn_op_get(c.id);
      const bnn_status status = bnn_op_infer(&y, c.id, c.in, c.n, &c.attr, &err);
      if (status == BNN_OK)
        ck_assert_msg(op->any_numbers || op->integers || (op->arithmetic && c.n == 1), "%s",
                      op->name);
      else if (op->arity >= 0) /* lists of tensors say which two differ */
        check_refusal(&c, (bnn_dtype)dtype, status, &err);
    }
  }
}
END_TEST

/* Small whole numbers, 1..6, in any type. */
static void whole_inputs(bnn_tensor **x, const op_case *c, const op_case *reals) {
  for (int i = 0; i < c->n; i++) {
    ck_succeeds(bnn_tensor_new(&x[i], c->in[i].dtype, c->in[i].rank, c->in[i].dim, &err));
    for (size_t k = 0; k < x[i]->size; k++)
      bnn_tensor_set(x[i], k,
                     reals->in[i].dtype == BNN_REAL
                         ? (double)((k * 7 + (size_t)i * 3) % 6 + 1)
                         : (double)(reals->first + (reals->classes ? k % reals->classes : k)));
  }
}

static bool any_below_zero(const bnn_tensor *y) {
  for (size_t i = 0; i < y->size; i++)
    if (bnn_tensor_get(y, i) < 0) return true;
  return false;
}

/* What an op makes of small whole numbers is the same whatever type they are stored as. */
static void check_integers(const op_case *c) {
  const bool draws = c->id == BNN_OP_randn_like || c->id == BNN_OP_rand_like;
  for (int dtype = 0; dtype < BNN_DTYPE_COUNT && !draws; dtype++) {
    const op_case other = as_type(c, (bnn_dtype)dtype);
    bnn_shape shape;
    bnn_tensor *x[CASE_INPUTS], *as_real[CASE_INPUTS];
    if (bnn_op_infer(&shape, c->id, other.in, c->n, &c->attr, NULL) != BNN_OK) continue;
    whole_inputs(as_real, c, c);
    bnn_tensor *want = value_of(c, as_real);
    const bool is_unsigned = dtype == BNN_U8 || dtype == BNN_U64;
    if (!is_unsigned || !any_below_zero(want)) {
      whole_inputs(x, &other, c);
      bnn_tensor *y = value_of(&other, x);
      ck_assert_msg(bnn_tensor_same_shape(y, want) && distance(y, want) == 0, "%s of %s", CASE(c),
                    bnn_dtype_name((bnn_dtype)dtype));
      bnn_tensor_unref(y);
      unref_all(x, c->n);
    }
    bnn_tensor_unref(want);
    unref_all(as_real, c->n);
  }
}

START_TEST(whole_numbers_give_the_same_in_every_type) {
  const op_case *c = the_case(_i);
  for_every_isa(check_integers, c);
}
END_TEST

START_TEST(another_number_of_inputs_is_refused) {
  const op_case c = case_of_row((bnn_op_id)_i);
  const bnn_op *op = bnn_op_get(c.id);
  bnn_shape y, in[BNN_ARITY_MAX + 1];
  for (int i = 0; i <= BNN_ARITY_MAX; i++) in[i] = c.in[0];
  const int wrong = op->arity < 0 ? BNN_ARITY_MAX + 1 : op->arity + op->optional + 1;
  ck_refuses(bnn_op_infer(&y, c.id, in, wrong, &c.attr, &err), BNN_ERANGE, op->name);
  ck_refuses(bnn_op_infer(&y, c.id, in, 0, &c.attr, &err), BNN_ERANGE, op->name);
}
END_TEST

static void add_tests(TCase *tests) {
  const int cases = (int)case_count();
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, every_row_is_found_by_its_name_and_its_doc_begins_with_it, 0,
                      BNN_OP_COUNT);
  tcase_add_test(tests, no_row_has_another_name);
  tcase_add_test(tests, every_instruction_set_holds_the_same_ops);
  tcase_add_loop_test(tests, every_gradient_matches_central_differences, 0, cases);
  tcase_add_loop_test(tests, a_gradient_does_not_depend_on_which_others_are_wanted, 0, cases);
  tcase_add_loop_test(tests, blocks_of_kept_rows_give_what_the_whole_batch_gives, 0, cases);
  tcase_add_loop_test(tests, an_empty_batch_gives_an_empty_result, 0, cases);
  tcase_add_test(tests, rows_are_kept_where_each_row_stands_alone);
  tcase_add_loop_test(tests, a_gradient_in_blocks_of_rows_is_the_whole_gradient, 0, cases);
  tcase_add_loop_test(tests, parts_in_any_order_give_the_bits_of_the_whole, 0, cases);
  tcase_add_loop_test(tests, strided_inputs_give_what_contiguous_ones_give, 0, cases);
  tcase_add_loop_test(tests, each_allocation_may_fail_without_a_leak, 0, cases);
  tcase_add_loop_test(tests, nan_is_seen, 0, BNN_OP_COUNT);
  tcase_add_loop_test(tests, instruction_sets_agree, 0, cases);
  tcase_add_loop_test(tests, a_gradient_that_is_set_is_the_one_that_is_added_to_zeros, 0, cases);
  place_end(0); /* before the tests fork */
  tcase_add_loop_test(tests, nothing_is_touched_beside_the_tensors, 0, cases);
  tcase_add_loop_test(tests, a_type_is_taken_or_refused_in_one_wording, 0, BNN_OP_COUNT);
  tcase_add_loop_test(tests, whole_numbers_give_the_same_in_every_type, 0, cases);
  tcase_add_loop_test(tests, another_number_of_inputs_is_refused, 0, BNN_OP_COUNT);
}

int main(void) { return run_suite_with_products("ops", add_tests); }
