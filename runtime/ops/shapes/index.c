/* index, gather and scatter_add: elements of x, of any type, at positions that a tensor of integers
 * gives.  Positions count from 1, as scripts count.
 *
 *   index   y[..., j..., ...] = x[..., positions[j...], ...]     whole slices along the axis
 *   gather  y[i, j] = x[i, positions[i, j]] for axis 2            one element each, as torch's
 * gather
 *   scatter_add  y = x, y[i, positions[i, j]] += values[i, j]     the way back, as torch's
 *
 * Gradients add up where a position occurs more than once, in the order of the positions. */
#include <stdio.h>

#include "../op_help.h"

/* The place of element i of positions, by axes: "3, 2"; rows count from the batch's first. */
typedef struct place {
  char s[24 * BNN_RANK_MAX];
} place;

static place place_of(const bnn_tensor *positions, size_t i) {
  place text = {""};
  int at = 0;
  for (int k = 0; k < positions->rank; k++) {
    const size_t span = op_span(positions->dim, k + 1, positions->rank);
    const size_t from = k == 0 ? positions->row0 + 1 : 1;
    at += snprintf(text.s + at, sizeof text.s - (size_t)at, "%s%zu", k ? ", " : "[",
                   i / span % positions->dim[k] + from);
  }
  if (at > 0) snprintf(text.s + at, sizeof text.s - (size_t)at, "]");
  return text;
}

static bnn_status verify(const bnn_tensor *const *x, int n, const bnn_attr *attr, bnn_err *err) {
  BNN_UNUSED(n);
  const int64_t size = (int64_t)x[0]->dim[attr->axis];
  for (size_t i = 0; i < x[1]->size; i++) {
    const int64_t position = op_integer(x[1], i);
    if (position < 1 || position > size)
      return bnn_fail(err, BNN_ERANGE, "positions%s is %lld: axis %d of x %s has 1..%lld",
                      place_of(x[1], i).s, (long long)position, attr->axis + 1, BNN_SHAPE(x[0]),
                      (long long)size);
  }
  return BNN_OK;
}

/* Position number i, counted from 0. */
static size_t position_at(const bnn_tensor *positions, size_t i) {
  return (size_t)(op_integer(positions, i) - 1);
}

/* ---- index: x [outer, dim, inner] -> y [outer, positions, inner] ---- */

static bnn_status infer_index(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                              bnn_err *err) {
  BNN_UNUSED(n);
  const bnn_shape *p = &x[1];
  BNN_TRY(op_check_integer(p, "positions", err));
  BNN_TRY(op_check_axis(attr->axis, &x[0], err));
  if (x[0].rank - 1 + p->rank > BNN_RANK_MAX)
    return bnn_fail(err, BNN_ESHAPE, "x is %s, positions is %s: the result has more than %d axes",
                    BNN_SHAPE(&x[0]), BNN_SHAPE(p), BNN_RANK_MAX);
  bnn_shape to = {.dtype = x[0].dtype};
  for (int k = 0; k < attr->axis; k++) to.dim[to.rank++] = x[0].dim[k];
  for (int k = 0; k < p->rank; k++) to.dim[to.rank++] = p->dim[k];
  for (int k = attr->axis + 1; k < x[0].rank; k++) to.dim[to.rank++] = x[0].dim[k];
  *y = to;
  return BNN_OK;
}

/* Rows of x stay when another axis is indexed; rows of positions, when they choose whole rows of an
 * x that all share (an embedding). */
static bnn_rows rows_index(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                           const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(y);
  if (has_rows[0] && has_rows[1]) return BNN_ROWS_MIXED;
  if (has_rows[0]) return attr->axis == 0 ? BNN_ROWS_MIXED : BNN_ROWS_KEPT;
  return attr->axis == 0 ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

typedef struct slices {
  size_t outer, dim, inner, count;
} slices;

static slices slices_of(const bnn_tensor *const *x, const bnn_attr *attr) {
  return (slices){op_span(x[0]->dim, 0, attr->axis), x[0]->dim[attr->axis],
                  op_span(x[0]->dim, attr->axis + 1, x[0]->rank), x[1]->size};
}

static void forward_index(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const slices s = slices_of(x, attr);
  const size_t bytes = s.inner * bnn_dtype_size(y->dtype);
  char *to = y->data;
  for (size_t o = 0; o < s.outer && bytes > 0; o++) {
    const char *from = (const char *)x[0]->data + o * s.dim * bytes;
    for (size_t j = 0; j < s.count; j++, to += bytes)
      memcpy(to, from + position_at(x[1], j) * bytes, bytes);
  }
}

static void backward_index(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                           const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  if (!dx[0]) return;
  const slices s = slices_of(x, attr);
  const bnn_real *g = bnn_tensor_real(dy);
  for (size_t o = 0; o < s.outer; o++) {
    bnn_real *to = bnn_tensor_real(dx[0]) + o * s.dim * s.inner;
    for (size_t j = 0; j < s.count; j++, g += s.inner)
      op_add_blocks(to + position_at(x[1], j) * s.inner, 0, g, 0, s.inner, 1);
  }
}

/* The table of an embedding: each job goes through all positions for the rows that are its own, so
 * that their order, and with it the sum, is the same however many jobs there are. */
static bool can_split_index(int i) { return i == 0; }

/* Axis 0: the slices at positions [from, from + rows of dx). */
static void add_slices(bnn_tensor *dx, size_t from, const bnn_real *g, const bnn_tensor *positions,
                       size_t inner) {
  const size_t rows = dx->dim[0];
  for (size_t j = 0; j < positions->size; j++, g += inner) {
    const size_t at = position_at(positions, j) - from; /* wraps below from: not less than rows */
    if (at < rows) op_add_blocks(bnn_tensor_real(dx) + at * inner, 0, g, 0, inner, 1);
  }
}

static void backward_rows_index(bnn_tensor *dx, int i, size_t from, bool add, const bnn_tensor *dy,
                                const bnn_tensor *const *x, const bnn_attr *attr) {
  BNN_UNUSED(i);
  if (!add) memset(dx->data, 0, dx->size * sizeof(bnn_real));
  if (attr->axis == 0) {
    add_slices(dx, from, bnn_tensor_real(dy), x[1], op_span(x[0]->dim, 1, x[0]->rank));
    return;
  }
  const bnn_tensor *rows[2] = {dx, x[1]}; /* axis 0 is one of the outer ones, of x as of y */
  bnn_tensor part;
  size_t dim[BNN_RANK_MAX];
  memcpy(dim, dy->dim, sizeof dim);
  dim[0] = dx->dim[0];
  bnn_tensor_init(&part, BNN_REAL, dy->rank, dim,
                  bnn_tensor_real(dy) + from * op_span(dy->dim, 1, dy->rank));
  backward_index(&dx, &part, NULL, rows, 2, attr);
}

/* ---- gather: x and positions agree but along the axis, where y has the positions' dims ---- */

static bnn_status infer_gather(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                               bnn_err *err) {
  BNN_UNUSED(n);
  const bnn_shape *p = &x[1];
  BNN_TRY(op_check_integer(p, "positions", err));
  BNN_TRY(op_check_axis(attr->axis, &x[0], err));
  bool agree = p->rank == x[0].rank;
  for (int k = 0; k < x[0].rank && agree; k++) agree = k == attr->axis || p->dim[k] == x[0].dim[k];
  if (!agree)
    return bnn_fail(err, BNN_ESHAPE, "x is %s, positions is %s: they may differ along axis %d only",
                    BNN_SHAPE(&x[0]), BNN_SHAPE(p), attr->axis + 1);
  *y = *p;
  y->dtype = x[0].dtype;
  return BNN_OK;
}

static bnn_rows rows_gather(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                            const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(y);
  if (attr->axis == 0) return has_rows[0] ? BNN_ROWS_MIXED : BNN_ROWS_KEPT;
  return has_rows[0] && has_rows[1] ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

/* The place in x of element i of y. */
static size_t gathered(const slices *s, const bnn_tensor *positions, int axis, size_t i) {
  const size_t inner = i % s->inner, outer = i / s->inner / positions->dim[axis];
  return (outer * s->dim + position_at(positions, i)) * s->inner + inner;
}

static void forward_gather(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const slices s = slices_of(x, attr);
  const size_t bytes = bnn_dtype_size(y->dtype);
  for (size_t i = 0; i < y->size; i++)
    memcpy((char *)y->data + i * bytes,
           (const char *)x[0]->data + gathered(&s, x[1], attr->axis, i) * bytes, bytes);
}

static void backward_gather(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                            const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  if (!dx[0]) return;
  const slices s = slices_of(x, attr);
  for (size_t i = 0; i < y->size; i++)
    bnn_tensor_real(dx[0])[gathered(&s, x[1], attr->axis, i)] += bnn_tensor_real(dy)[i];
}

/* ---- scatter_add: positions and values have the same dims, which are x's but along the axis ---- */

static bnn_status infer_scatter(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                                bnn_err *err) {
  bnn_shape gathered_shape;
  BNN_TRY(op_check_real(&x[0], "x", err));
  BNN_TRY(op_check_real(&x[2], "values", err));
  BNN_TRY(infer_gather(&gathered_shape, x, n, attr, err));
  bool agree = x[1].rank == x[2].rank;
  for (int k = 0; k < x[1].rank && agree; k++) agree = x[1].dim[k] == x[2].dim[k];
  if (!agree)
    return bnn_fail(err, BNN_ESHAPE, "positions is %s, values is %s: they must agree",
                    BNN_SHAPE(&x[1]), BNN_SHAPE(&x[2]));
  *y = x[0];
  return BNN_OK;
}

static bnn_rows rows_scatter(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                             const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(y);
  const bool all = has_rows[0] && has_rows[1] && has_rows[2];
  return attr->axis > 0 && all ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

static void forward_scatter(bnn_tensor *y, const bnn_tensor *const *x, int n,
                            const bnn_attr *attr) {
  BNN_UNUSED(n);
  const slices s = slices_of(x, attr);
  memcpy(y->data, x[0]->data, y->size * sizeof(bnn_real));
  for (size_t i = 0; i < x[1]->size; i++)
    bnn_tensor_real(y)[gathered(&s, x[1], attr->axis, i)] += bnn_tensor_real(x[2])[i];
}

static void backward_scatter(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                             const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  const slices s = slices_of(x, attr);
  const bnn_real *g = bnn_tensor_real(dy);
  if (dx[0]) op_add_blocks(bnn_tensor_real(dx[0]), 0, g, 0, dy->size, 1);
  for (size_t i = 0; dx[2] && i < x[1]->size; i++)
    bnn_tensor_real(dx[2])[i] += g[gathered(&s, x[1], attr->axis, i)];
}

BNN_OP(index) = {
    .name = "index",
    .doc = "index(x, positions, axis = 1): the slices of x at some positions along an "
           "axis; positions is i32 or i64 of any shape, counts from 1, and its axes "
           "replace that axis",
    .example = "local x = bnn.tensor{{1, 2}, {3, 4}, {5, 6}}\n"
               "x:index{3, 1} --> {{5, 6}, {1, 2}}\n"
               "x:index({2}, 2) --> {{2}, {4}, {6}}",
    .arity = 2,
    .args = "a?",
    .integers = true,
    .infer = infer_index,
    .rows = rows_index,
    .forward = forward_index,
    .backward = backward_index,
    .can_split = can_split_index,
    .backward_rows = backward_rows_index,
    .verify = verify,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{2, {3, 4}, 0}, {1, {5}, BNN_I32}},
              .attr = {.axis = 1},
              .first = 1,
              .classes = 4},
};

BNN_OP(gather) = {
    .name = "gather",
    .doc = "gather(x, positions, axis): for each element of positions (i32 or i64, from "
           "1), the element of x at that position along the axis; the other indices are "
           "the same",
    .example = "local x = bnn.tensor{{1, 2}, {3, 4}}\n"
               "x:gather({{2}, {1}}, 2) --> {{2}, {3}}",
    .arity = 2,
    .args = "a",
    .integers = true,
    .infer = infer_gather,
    .rows = rows_gather,
    .forward = forward_gather,
    .backward = backward_gather,
    .verify = verify,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{2, {3, 4}, 0}, {2, {3, 2}, BNN_I64}},
              .attr = {.axis = 1},
              .first = 1,
              .classes = 4},
};

BNN_OP(scatter_add) = {
    .name = "scatter_add",
    .doc = "scatter_add(x, positions, values, axis): x with each value added to the element at its "
           "position (i32 or i64, from 1) along the axis; the other indices are the same",
    .example = "local x = bnn.tensor{{0, 0, 0}, {1, 1, 1}}\n"
               "x:scatter_add({{2, 2}, {1, 3}}, {{5, 6}, {7, 8}}, 2) --> {{0, 11, 0}, {8, 1, 9}}",
    .arity = 3,
    .args = "a",
    .integers = true,
    .infer = infer_scatter,
    .rows = rows_scatter,
    .forward = forward_scatter,
    .backward = backward_scatter,
    .verify = verify,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{2, {3, 4}, 0}, {2, {3, 2}, BNN_I64}, {2, {3, 2}, 0}},
              .attr = {.axis = 1},
              .first = 1,
              .classes = 4},
};
