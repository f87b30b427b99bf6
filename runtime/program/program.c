/* program.c - recording: nodes are appended, then `finish` decides what a replay must run: which
 * nodes an output needs, which have rows of the batch, and which need a gradient. */
#include "program.h"

#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "program_nodes.h"

bnn_status bnn_program_new(bnn_program **out, bnn_err *err) {
  bnn_program *p = bnn_mem_zalloc(1, sizeof *p);
  if (!p) return bnn_fail(err, BNN_ENOMEM, "a program");
  atomic_init(&p->refs, 1);
  *out = p;
  return BNN_OK;
}

static void free_lists(bnn_program *p) {
  bnn_mem_free(p->outputs);
  bnn_mem_free(p->wrt);
  bnn_mem_free(p->view_at);
  bnn_mem_free(p->reader_at);
  bnn_mem_free(p->views);
  bnn_mem_free(p->readers);
  p->outputs = p->wrt = p->views = NULL;
  p->view_at = p->reader_at = NULL;
  p->readers = NULL;
  p->n_outputs = p->n_wrt = 0;
}

bnn_program *bnn_program_ref(bnn_program *p) {
  atomic_fetch_add(&p->refs, 1);
  return p;
}

void bnn_program_unref(bnn_program *p) {
  if (!p || atomic_fetch_sub(&p->refs, 1) != 1) return;
  for (size_t i = 0; i < p->n_nodes; i++) bnn_tensor_unref(p->nodes[i].constant);
  bnn_mem_free(p->nodes);
  bnn_mem_free(p->edges);
  free_lists(p);
  bnn_mem_free(p);
}

/* Makes room for `more` elements after the n that an array of `size` byte elements has. */
static bnn_status grow(void **array, size_t *capacity, size_t n, size_t more, size_t size,
                       bnn_err *err) {
  if (n + more <= *capacity) return BNN_OK;
  size_t want = 2 * (n + more) + 14;
  void *bigger = bnn_mem_zalloc(want, size);
  if (!bigger) return bnn_fail(err, BNN_ENOMEM, "a program of %zu nodes", want);
  if (n) memcpy(bigger, *array, n * size);
  bnn_mem_free(*array);
  *array = bigger;
  *capacity = want;
  return BNN_OK;
}

/* A cleared node at the end of the list, not yet counted: the caller fills it and then publishes
 * it. */
static bnn_status next_node(bnn_program *p, node **v, size_t edges, bnn_err *err) {
  if (p->finished) return bnn_fail(err, BNN_ERANGE, "the program is finished");
  void *nodes = p->nodes, *list = p->edges;
  bnn_status status = grow(&nodes, &p->nodes_capacity, p->n_nodes, 1, sizeof *p->nodes, err);
  p->nodes = nodes;
  if (status == BNN_OK)
    status = grow(&list, &p->edges_capacity, p->n_edges, edges, sizeof *p->edges, err);
  p->edges = list;
  if (status != BNN_OK) return status;
  *v = &p->nodes[p->n_nodes];
  memset(*v, 0, sizeof **v);
  (*v)->root = (int)p->n_nodes;
  (*v)->first_edge = p->n_edges;
  return BNN_OK;
}

/* A parameter must not overlap another: the parameter phase sets its gradient there.  Those of a
 * layout come one after the other, which the bounds of all so far show at once. */
static bnn_status check_place(const bnn_program *p, const bnn_shape *shape, size_t offset,
                              bnn_err *err) {
  size_t size, other;
  if (!bnn_shape_size(&size, shape->rank, shape->dim) || offset > SIZE_MAX - size)
    return bnn_fail(err, BNN_ESHAPE, "a parameter %s at %zu", BNN_SHAPE(shape), offset);
  if (offset >= p->params_to || offset + size <= p->params_from) return BNN_OK;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (v->what != NODE_INPUT || v->kind != BNN_INPUT_PARAM) continue;
    bnn_shape_size(&other, v->shape.rank, v->shape.dim);
    if (offset < v->offset + other && v->offset < offset + size)
      return bnn_fail(err, BNN_ERANGE, "parameters overlap: %s at %zu and %s at %zu",
                      BNN_SHAPE(&v->shape), v->offset, BNN_SHAPE(shape), offset);
  }
  return BNN_OK;
}

static void widen_params(bnn_program *p, const bnn_shape *shape, size_t offset) {
  size_t size = 0;
  bnn_shape_size(&size, shape->rank, shape->dim);
  const bool first = p->params_to == 0;
  if (first || offset < p->params_from) p->params_from = offset;
  if (offset + size > p->params_to) p->params_to = offset + size;
}

bnn_status bnn_program_input(bnn_program *p, int *out, bnn_input_kind kind, const bnn_shape *shape,
                             size_t offset, bnn_err *err) {
  if (kind == BNN_INPUT_ROWS) {
    if (shape->rank == 0) return bnn_fail(err, BNN_ESHAPE, "a batch input needs an axis of rows");
    if (p->has_batch && p->batch != shape->dim[0])
      return bnn_fail(err, BNN_ESHAPE, "a batch input has %zu rows, another has %zu", shape->dim[0],
                      p->batch);
  }
  if (kind == BNN_INPUT_PARAM) BNN_TRY(check_place(p, shape, offset, err));
  node *v = NULL;
  BNN_TRY(next_node(p, &v, 0, err));
  v->what = NODE_INPUT;
  v->kind = kind;
  v->shape = *shape;
  v->offset = offset;
  if (kind == BNN_INPUT_ROWS) p->batch = shape->dim[0], p->has_batch = true;
  if (kind == BNN_INPUT_PARAM) widen_params(p, shape, offset);
  *out = (int)p->n_nodes++;
  return BNN_OK;
}

bnn_status bnn_program_constant(bnn_program *p, int *out, bnn_tensor *x, bnn_err *err) {
  node *v = NULL;
  BNN_TRY(next_node(p, &v, 0, err));
  BNN_TRY(bnn_tensor_contiguous(&v->constant, x, err));
  v->what = NODE_CONSTANT;
  v->shape = bnn_shape_of(x);
  *out = (int)p->n_nodes++;
  return BNN_OK;
}

bnn_status bnn_program_op(bnn_program *p, int *out, bnn_op_id id, const int *x, int n,
                          const bnn_attr *attr, bnn_err *err) {
  bnn_shape in[BNN_ARITY_MAX], y;
  if (n < 0 || n > BNN_ARITY_MAX)
    return bnn_fail(err, BNN_ERANGE, "%d tensors, at most %d are taken", n, BNN_ARITY_MAX);
  for (int i = 0; i < n; i++) in[i] = p->nodes[x[i]].shape;
  BNN_TRY(bnn_op_infer(&y, id, in, n, attr, err));
  node *v = NULL;
  BNN_TRY(next_node(p, &v, (size_t)n, err));
  v->what = NODE_OP;
  v->shape = y;
  v->id = id;
  v->op = bnn_op_get(id);
  v->attr = attr ? *attr : v->op->defaults;
  v->n_in = n;
  if (v->op->alias) v->root = p->nodes[x[0]].root;
  memcpy(p->edges + p->n_edges, x, (size_t)n * sizeof *x);
  p->n_edges += (size_t)n;
  *out = (int)p->n_nodes++;
  return BNN_OK;
}

const bnn_shape *bnn_program_shape(const bnn_program *p, int i) { return &p->nodes[i].shape; }

/* ---- finish ---- */

/* Marks outputs, and backwards from them everything that they need. */
static void mark_live(bnn_program *p) {
  for (int i = 0; i < p->n_outputs; i++) p->nodes[p->outputs[i]].live = true;
  for (size_t i = p->n_nodes; i-- > 0;) {
    const node *v = &p->nodes[i];
    for (int k = 0; v->live && k < v->n_in; k++) p->nodes[node_inputs(p, v)[k]].live = true;
  }
}

/* True when an op checks positions that are computed by the program itself: they are only known in
 * the middle of a replay, where blocks can no longer fail. */
static bool reads_computed_positions(const bnn_program *p, const node *v) {
  if (!v->op->verify) return false;
  for (int k = 0; k < v->n_in; k++) {
    const node *u = &p->nodes[node_inputs(p, v)[k]];
    if (u->shape.dtype != BNN_REAL && u->what == NODE_OP && p->nodes[u->root].what == NODE_OP)
      return true;
  }
  return false;
}

/* What an op does to the rows of its inputs; rows[i] says whether node i has them. */
static bnn_rows node_rows(const bnn_program *p, const node *v, const bool *rows) {
  bnn_shape shape[BNN_ARITY_MAX];
  bool has[BNN_ARITY_MAX], any = false;
  for (int k = 0; k < v->n_in; k++) {
    const int u = node_inputs(p, v)[k];
    shape[k] = p->nodes[u].shape;
    has[k] = rows[u];
    any = any || rows[u];
  }
  if (!any) return BNN_ROWS_NONE;
  if (!v->op->rows || reads_computed_positions(p, v)) return BNN_ROWS_MIXED;
  return v->op->rows(has, shape, v->n_in, &v->attr, &v->shape);
}

/* Carries rows from the inputs that have them forward, to the first op that mixes them, which it
 * gives; NULL when rows stay apart. */
static const node *carry_rows(const bnn_program *p, bool *rows) {
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    if (!v->live || v->what != NODE_OP) continue;
    bnn_rows what = node_rows(p, v, rows);
    if (what == BNN_ROWS_MIXED) return v;
    rows[i] = what == BNN_ROWS_KEPT;
  }
  return NULL;
}

static void begin_rows(const bnn_program *p, bool *rows) {
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    rows[i] = v->live && v->what == NODE_INPUT && v->kind == BNN_INPUT_ROWS;
  }
}

/* Which nodes can be cut into blocks of rows, whatever happens to rows elsewhere.  What an op that mixes
 * rows gives can be cut again if it is as long as the batch: an op that keeps rows apart does so for
 * any tensors. */
static void mark_batched(bnn_program *p, bool *batched) {
  begin_rows(p, batched);
  for (size_t i = 0; i < p->n_nodes; i++) {
    node *v = &p->nodes[i];
    if (v->live && v->what == NODE_OP) {
      const bnn_rows what = node_rows(p, v, batched);
      const bool is_long = v->shape.rank > 0 && v->shape.dim[0] == p->batch;
      v->by_rows = what == BNN_ROWS_KEPT;
      batched[i] = v->by_rows || (what == BNN_ROWS_MIXED && is_long);
    }
    v->batched = batched[i];
  }
}

/* One op that mixes rows makes every node whole.  rows [n_nodes]: scratch. */
static void mark_rows(bnn_program *p, bool *rows) {
  begin_rows(p, rows);
  const node *mixing = carry_rows(p, rows);
  p->mixed = mixing ? mixing->op->name : NULL;
  for (size_t i = 0; i < p->n_nodes; i++) {
    p->nodes[i].rows = rows[i] && !mixing;
    p->has_rows = p->has_rows || p->nodes[i].rows;
  }
  mark_batched(p, rows);
}

/* A gradient is computed for nodes that depend on wrt and that outputs[0] depends on. */
static void mark_gradients(bnn_program *p, bool *above) {
  for (int i = 0; i < p->n_wrt; i++) p->nodes[p->wrt[i]].grad = true;
  for (size_t i = 0; i < p->n_nodes; i++) {
    node *v = &p->nodes[i];
    bool passes = v->what == NODE_OP && (v->op->alias || v->op->backward);
    for (int k = 0; passes && k < v->n_in; k++)
      v->grad = v->grad || p->nodes[node_inputs(p, v)[k]].grad;
    if (v->shape.dtype != BNN_REAL) v->grad = false;
  }
  above[p->outputs[0]] = true;
  for (size_t i = p->n_nodes; i-- > 0;) {
    node *v = &p->nodes[i];
    for (int k = 0; above[i] && v->grad && k < v->n_in; k++) above[node_inputs(p, v)[k]] = true;
    if (v->what != NODE_INPUT) v->grad = v->grad && above[i];
  }
}

/* Copies the list of outputs, and of what the gradient is taken with respect to. */
static bnn_status copy_lists(bnn_program *p, const int *outputs, int n_outputs, bool gradient,
                             const int *wrt, int n_wrt, bnn_err *err) {
  int *out = bnn_mem_alloc((size_t)n_outputs, sizeof *out);
  int *in = bnn_mem_alloc(wrt ? (size_t)n_wrt : p->n_nodes, sizeof *in);
  if (!out || !in) {
    bnn_mem_free(out);
    bnn_mem_free(in);
    return bnn_fail(err, BNN_ENOMEM, "the outputs of a program");
  }
  memcpy(out, outputs, (size_t)n_outputs * sizeof *out);
  if (wrt) memcpy(in, wrt, (size_t)n_wrt * sizeof *in);
  for (size_t i = 0; !wrt && gradient && i < p->n_nodes; i++)
    if (p->nodes[i].what == NODE_INPUT && p->nodes[i].kind == BNN_INPUT_PARAM)
      in[p->n_wrt++] = (int)i;
  if (wrt && gradient) p->n_wrt = n_wrt;
  p->outputs = out;
  p->n_outputs = n_outputs;
  p->wrt = in;
  return BNN_OK;
}

/* Only a real number has a gradient, and only with respect to real numbers. */
static bnn_status check_gradient(const bnn_program *p, int output, const int *wrt, int n_wrt,
                                 bnn_err *err) {
  bnn_dtype dtype = p->nodes[output].shape.dtype;
  if (dtype != BNN_REAL)
    return bnn_fail(err, BNN_ETYPE, "the gradient: expected a value of type %s, got %s",
                    bnn_dtype_name(BNN_REAL), bnn_dtype_name(dtype));
  for (int i = 0; wrt && i < n_wrt; i++) {
    dtype = p->nodes[wrt[i]].shape.dtype;
    if (dtype != BNN_REAL)
      return bnn_fail(err, BNN_ETYPE, "the gradient: expected inputs of type %s, got %s",
                      bnn_dtype_name(BNN_REAL), bnn_dtype_name(dtype));
  }
  return BNN_OK;
}

/* ---- the nodes that share a node's memory, and its readers ---- */

/* Turns counts, at[i + 1] of node i, into places. */
static void sum_up(size_t *at, size_t n) {
  for (size_t i = 0; i < n; i++) at[i + 1] += at[i];
}

/* The root of v's input k. */
static size_t root_of_input(const bnn_program *p, const node *v, int k) {
  return (size_t)p->nodes[node_inputs(p, v)[k]].root;
}

static bool passes_gradient(const node *v) { return v->grad && node_computes(v); }

/* view_at and views; fill [n_nodes]: scratch. */
static void list_views(bnn_program *p, size_t *fill) {
  const size_t n = p->n_nodes;
  for (size_t i = 0; i < n; i++) p->view_at[p->nodes[i].root + 1]++;
  sum_up(p->view_at, n);
  memcpy(fill, p->view_at, n * sizeof *fill);
  for (size_t i = 0; i < n; i++) p->views[fill[p->nodes[i].root]++] = (int)i;
}

/* reader_at and readers. */
static void list_readers(bnn_program *p, size_t *fill) {
  const size_t n = p->n_nodes;
  for (size_t i = 0; i < n; i++) {
    const node *v = &p->nodes[i];
    for (int k = 0; passes_gradient(v) && k < v->n_in; k++)
      p->reader_at[root_of_input(p, v, k) + 1]++;
  }
  sum_up(p->reader_at, n);
  memcpy(fill, p->reader_at, n * sizeof *fill);
  for (size_t i = 0; i < n; i++) {
    const node *v = &p->nodes[i];
    for (int k = 0; passes_gradient(v) && k < v->n_in; k++)
      p->readers[fill[root_of_input(p, v, k)]++] = (reader){(int)i, k};
  }
}

static bnn_status make_lists(bnn_program *p, bnn_err *err) {
  const size_t n = p->n_nodes;
  p->view_at = bnn_mem_zalloc(n + 1, sizeof *p->view_at);
  p->reader_at = bnn_mem_zalloc(n + 1, sizeof *p->reader_at);
  p->views = bnn_mem_alloc(n, sizeof *p->views);
  p->readers = bnn_mem_alloc(p->n_edges, sizeof *p->readers);
  if (p->view_at && p->reader_at && p->views && p->readers) return BNN_OK;
  return bnn_fail(err, BNN_ENOMEM, "a program of %zu nodes", n);
}

/* What a replay must run.  fill, flags [n_nodes]: scratch. */
static void decide(bnn_program *p, bool with_gradient, size_t *fill, bool *flags) {
  memset(flags, 0, p->n_nodes * sizeof *flags);
  mark_live(p);
  mark_rows(p, flags);
  p->gradient = with_gradient;
  memset(flags, 0, p->n_nodes * sizeof *flags);
  if (with_gradient) mark_gradients(p, flags);
  list_views(p, fill);
  list_readers(p, fill);
  p->finished = true;
}

bnn_status bnn_program_finish(bnn_program *p, const int *outputs, int n_outputs, bool with_gradient,
                              const int *wrt, int n_wrt, bnn_err *err) {
  if (p->finished) return bnn_fail(err, BNN_ERANGE, "the program is finished already");
  if (n_outputs < 1) return bnn_fail(err, BNN_ERANGE, "a program needs an output");
  if (with_gradient) BNN_TRY(check_gradient(p, outputs[0], wrt, n_wrt, err));
  size_t *fill = bnn_mem_alloc(p->n_nodes, sizeof *fill);
  bool *flags = bnn_mem_alloc(p->n_nodes, sizeof *flags);
  bnn_status status =
      fill && flags ? BNN_OK : bnn_fail(err, BNN_ENOMEM, "a program of %zu nodes", p->n_nodes);
  if (status == BNN_OK) status = copy_lists(p, outputs, n_outputs, with_gradient, wrt, n_wrt, err);
  if (status == BNN_OK) status = make_lists(p, err);
  if (status == BNN_OK)
    decide(p, with_gradient, fill, flags);
  else
    free_lists(p);
  bnn_mem_free(fill);
  bnn_mem_free(flags);
  return status;
}

/* ---- reports ---- */

bool bnn_program_has_rows(const bnn_program *p, const char **mixed) {
  if (mixed) *mixed = p->mixed;
  return p->has_rows;
}

/* "mean over axis 1", "sum over all axes"; the name alone where no axis is given. */
static void describe(bnn_batch_mixing_op *out, const node *v) {
  const char *args = v->op->args ? v->op->args : "";
  int at = snprintf(out->text, sizeof out->text, "%s", v->op->name);
  char *end = out->text + at;
  const size_t left = sizeof out->text - (size_t)at;
  if (strchr(args, 'a') && v->attr.axis != BNN_AXIS_NONE)
    snprintf(end, left, " over axis %d", v->attr.axis + 1);
  if (!strchr(args, 'A')) return;
  if (v->attr.axes == 0) snprintf(end, left, " over all axes");
  const char *before = __builtin_popcount(v->attr.axes) > 1 ? " over axes " : " over axis ";
  for (int k = 0; k < BNN_RANK_MAX; k++) {
    if (!(v->attr.axes >> k & 1)) continue;
    at += snprintf(out->text + at, sizeof out->text - (size_t)at, "%s%d", before, k + 1);
    before = ", ";
  }
}

bnn_status bnn_program_find_batch_mixing_op(bnn_batch_mixing_op *out, const bnn_program *p,
                                            const int *inputs, int n, bnn_err *err) {
  for (int i = 0; i < n; i++)
    if (inputs[i] < 0 || (size_t)inputs[i] >= p->n_nodes ||
        p->nodes[inputs[i]].what != NODE_INPUT || p->nodes[inputs[i]].shape.rank == 0)
      return bnn_fail(err, BNN_ERANGE, "node %d is not an input with an axis", inputs[i]);
  bool *rows = bnn_mem_zalloc(p->n_nodes, sizeof *rows);
  if (!rows) return bnn_fail(err, BNN_ENOMEM, "the rows of %zu nodes", p->n_nodes);
  for (int i = 0; i < n; i++) rows[inputs[i]] = true;
  const node *mixing = carry_rows(p, rows);
  bnn_mem_free(rows);
  out->text[0] = '\0';
  if (mixing) describe(out, mixing);
  return BNN_OK;
}

bool bnn_program_uses(const bnn_program *p, int i) { return p->nodes[i].live; }

bool bnn_program_has_gradient(const bnn_program *p) { return p->gradient; }

int bnn_program_outputs(const bnn_program *p) { return p->n_outputs; }

const bnn_shape *bnn_program_output_shape(const bnn_program *p, int i) {
  return &p->nodes[p->outputs[i]].shape;
}

size_t bnn_program_flat_size(const bnn_program *p) {
  size_t end = 0;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    size_t size;
    if (v->what != NODE_INPUT || v->kind != BNN_INPUT_PARAM) continue;
    bnn_shape_size(&size, v->shape.rank, v->shape.dim);
    if (v->offset + size > end) end = v->offset + size;
  }
  return end;
}

/* Whether `i` is an input of this kind. */
static bool is_input(const bnn_program *p, int i, bnn_input_kind kind) {
  return i >= 0 && (size_t)i < p->n_nodes && p->nodes[i].what == NODE_INPUT &&
         p->nodes[i].kind == kind;
}

bnn_status bnn_program_check_rows(const bnn_program *p, int i, const char *name, bnn_err *err) {
  if (i == -1 || is_input(p, i, BNN_INPUT_ROWS)) return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "%s: node %d is not a batch input", name, i);
}

bnn_status bnn_program_check_key(const bnn_program *p, int i, bnn_err *err) {
  if (i == -1) return BNN_OK;
  if (is_input(p, i, BNN_INPUT_WHOLE) && p->nodes[i].shape.dtype == BNN_U64 &&
      p->nodes[i].shape.rank == 0)
    return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "key: node %d is not a u64 scalar input", i);
}

bnn_status bnn_program_check_row_weights(const bnn_program *p, int i, bnn_err *err) {
  if (i == -1) return BNN_OK;
  if (is_input(p, i, BNN_INPUT_ROWS) && p->nodes[i].shape.dtype == BNN_REAL &&
      p->nodes[i].shape.rank == 1)
    return BNN_OK;
  return bnn_fail(err, BNN_ERANGE, "weight: node %d is not a real batch input [n]", i);
}

bnn_status bnn_program_check_weights(const bnn_program *p, int i, size_t n, bnn_err *err) {
  if (i == -1 && n == 0) return BNN_OK;
  if (is_input(p, i, BNN_INPUT_WHOLE)) {
    const bnn_shape *s = &p->nodes[i].shape;
    if (s->dtype == BNN_REAL && s->rank == 1 && s->dim[0] == n) return BNN_OK;
  }
  return bnn_fail(err, BNN_ERANGE, "weights: node %d is not a whole real input [%zu]", i, n);
}

size_t bnn_program_batch(const bnn_program *p) { return p->batch; }

size_t bnn_program_ops(const bnn_program *p) {
  size_t n = 0;
  for (size_t i = 0; i < p->n_nodes; i++) n += p->nodes[i].live && node_computes(&p->nodes[i]);
  return n;
}

size_t bnn_program_row_size(const bnn_program *p) {
  size_t size = 0;
  for (size_t i = 0; i < p->n_nodes; i++) {
    const node *v = &p->nodes[i];
    size_t row = 1;
    if (!v->live || !v->batched || !node_computes(v)) continue;
    for (int k = 1; k < v->shape.rank; k++) row *= v->shape.dim[k];
    size += row;
  }
  return size;
}

static double node_flops(const bnn_program *p, const node *v) {
  if ((p->finished && !v->live) || v->what != NODE_OP) return 0;
  if (!v->op->multiply_adds) return 0;
  bnn_shape x[BNN_ARITY_MAX];
  for (int i = 0; i < v->n_in; i++) x[i] = p->nodes[node_inputs(p, v)[i]].shape;
  return v->op->multiply_adds(&v->shape, x);
}

double bnn_program_flops(const bnn_program *p) {
  double sum = 0;
  for (size_t i = 0; i < p->n_nodes; i++) sum += node_flops(p, &p->nodes[i]);
  return sum;
}
