/* conv2d: a convolution layer, as products with the matrix of patches ("im2col").
 *
 *   y  [n, o, i, j] = b [o] + sum over c, k, l of w [o, c, k, l] x [n, c, i s + k - p, j s + l - p]
 *   per image: y = w patches + b      patches [c kh kw, oh ow]: one column for each place
 *              dw = dy patches^T      dpatches = w^T dy, added to where the patches came from
 *
 * Patches are never there as a whole: a panel of them at a time is laid out on the stack, where it
 * stays in the second-level cache until the product has read it.  A window of one element needs
 * none: the image is its own matrix.  Rows of y depend on one image each, bit by bit. */
#include "blas.h"
#include "window.h"

/* A panel has at most DEPTH rows of the matrix, and PANEL elements. */
enum { PANEL = 20480, DEPTH = 256 };

typedef struct conv {
  window v;
  size_t images, channels, filters;
  size_t depth, places; /* rows and columns of the matrix of patches */
  bool padded, direct;  /* direct: x is that matrix */
} conv;

static conv conv_of(const bnn_tensor *x, const bnn_tensor *w, const bnn_attr *attr) {
  conv c = {.images = x->dim[0], .channels = x->dim[1], .filters = w->dim[0]};
  c.v = window_over(x->dim, w->dim + 2, attr->pair[0], attr->pair[1]);
  c.depth = op_span(w->dim, 1, 4);
  c.places = c.v.out[0] * c.v.out[1];
  c.padded = c.v.padding[0] + c.v.padding[1] > 0;
  c.direct = op_span(c.v.size, 0, 2) == 1 && op_span(c.v.stride, 0, 2) == 1 && !c.padded;
  return c;
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  const bnn_shape *w = &x[1], *b = &x[2];
  const size_t *stride = attr->pair[0], *padding = attr->pair[1];
  if (x[0].rank != 4 || w->rank != 4 || w->dim[1] != x[0].dim[1])
    return bnn_fail(err, BNN_ESHAPE,
                    "x is %s, w is %s: wanted x [n, channels, h, w], w [out, channels, kh, kw]",
                    BNN_SHAPE(&x[0]), BNN_SHAPE(w));
  if (b->rank != 1 || b->dim[0] != w->dim[0])
    return bnn_fail(err, BNN_ESHAPE, "w is %s, b is %s: wanted b [%zu]", BNN_SHAPE(w), BNN_SHAPE(b),
                    w->dim[0]);
  BNN_TRY(window_check(&x[0], "the kernel", w->dim + 2, stride, padding, err));
  const window v = window_over(x[0].dim, w->dim + 2, stride, padding);
  const size_t dim[] = {x[0].dim[0], w->dim[0], v.out[0], v.out[1]};
  size_t size;
  if (!bnn_shape_size(&size, 4, dim) || size > SIZE_MAX / sizeof(double) ||
      !bnn_blas_fits(w->dim[0], v.out[0] * v.out[1], op_span(w->dim, 1, 4)) ||
      !bnn_blas_fits(v.in[0] * v.in[1], 0, 0))
    return bnn_fail(err, BNN_ESHAPE, "x is %s, w is %s: too large for a product", BNN_SHAPE(&x[0]),
                    BNN_SHAPE(w));
  *y = bnn_shape_make(BNN_REAL, 4, dim);
  return BNN_OK;
}

/* A kernel that belongs to the batch mixes. */
static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y), BNN_UNUSED(x);
  if (has_rows[1] || has_rows[2]) return BNN_ROWS_MIXED;
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

/* ---- panels ---- */

/* Rows [from, from + depth) of the matrix of patches, at places of output rows [row, row + rows)
 * and columns [column, column + columns); several rows only when they are whole. */
typedef struct panel {
  size_t from, depth;
  size_t row, rows, column, columns;
  size_t width, place; /* of the panel's rows; the number of its first place */
} panel;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Cuts a panel that starts where p says to its size. */
static void panel_fit(panel *p, const conv *c) {
  const size_t width = PANEL / least(c->depth, DEPTH), *out = c->v.out;
  p->depth = least(DEPTH, c->depth - p->from);
  p->columns = least(width, out[1] - p->column);
  p->rows = p->columns < out[1] ? 1 : least(width / out[1], out[0] - p->row);
  p->width = p->rows * p->columns;
  p->place = p->row * out[1] + p->column;
}

/* The first panel of an image; false when there is none. */
static bool panel_first(panel *p, const conv *c) {
  *p = (panel){0};
  if (c->depth == 0 || c->filters == 0) return false;
  panel_fit(p, c);
  return true;
}

/* The next one: down the rows of the matrix first; false after the last. */
static bool panel_next(panel *p, const conv *c) {
  p->from += p->depth;
  if (p->from >= c->depth) {
    p->from = 0;
    p->column += p->columns;
    if (p->column >= c->v.out[1]) {
      p->column = 0;
      p->row += p->rows;
    }
    if (p->row >= c->v.out[0]) return false;
  }
  panel_fit(p, c);
  return true;
}

/* A row of the matrix: the channel and the offset in the window that it is made of. */
typedef struct patch_row {
  size_t channel, at[2];
} patch_row;

static patch_row patch_row_of(const conv *c, size_t row) {
  const size_t *size = c->v.size, kernel = size[0] * size[1];
  return (patch_row){row / kernel, {row % kernel / size[1], row % size[1]}};
}

static void patch_row_next(patch_row *r, const conv *c) {
  if (++r->at[1] < c->v.size[1]) return;
  r->at[1] = 0;
  if (++r->at[0] < c->v.size[0]) return;
  r->at[0] = 0;
  r->channel++;
}

/* The part of a panel's row that meets the image: output rows [top, bottom), n columns from the
 * panel's column `before` on; and where in the image its first element is. */
typedef struct part {
  size_t top, bottom, before, n, start;
} part;

static inline part part_inside(const conv *c, const panel *p, const patch_row *r) {
  const window *v = &c->v;
  part q = {.top = p->row, .bottom = p->row + p->rows, .n = p->columns};
  size_t left = p->column, right = p->column + p->columns, from[2], to[2];
  if (c->padded) {
    for (int k = 0; k < 2; k++) window_inside(&from[k], &to[k], v, k, r->at[k]);
    if (q.top < from[0]) q.top = from[0];
    if (q.bottom > to[0]) q.bottom = to[0];
    if (left < from[1]) left = from[1];
    if (right > to[1]) right = to[1];
    if (q.top >= q.bottom || left >= right) return (part){.top = p->row, .bottom = p->row};
    q.before = left - p->column;
    q.n = right - left;
  }
  q.start = (r->channel * v->in[0] + window_position(v, 0, q.top, r->at[0])) * v->in[1] +
            window_position(v, 1, left, r->at[1]);
  return q;
}

/* Rows of patches are short, some ten elements: a call of memcpy would take longer than the copy.
 * Moves of a fixed size are instructions. */
static inline void copy_short(bnn_real *restrict to, const bnn_real *restrict from, size_t n) {
  if (n & 16) memcpy(to, from, 16 * sizeof *to), to += 16, from += 16;
  if (n & 8) memcpy(to, from, 8 * sizeof *to), to += 8, from += 8;
  if (n & 4) memcpy(to, from, 4 * sizeof *to), to += 4, from += 4;
  if (n & 2) memcpy(to, from, 2 * sizeof *to), to += 2, from += 2;
  if (n & 1) *to = *from;
}

BNN_KERNEL copy_rows(bnn_real *restrict to, size_t to_step, const bnn_real *restrict from,
                     size_t from_step, size_t n, size_t rows_) {
  if (n < 32)
    for (size_t i = 0; i < rows_; i++) copy_short(to + i * to_step, from + i * from_step, n);
  else
    op_copy_blocks(to, to_step * sizeof *to, from, from_step * sizeof *to, n * sizeof *to, rows_);
}

typedef bnn_real eight
    __attribute__((vector_size(8 * sizeof(bnn_real)), aligned(sizeof(bnn_real))));

BNN_KERNEL add_rows(bnn_real *restrict to, size_t to_step, const bnn_real *restrict from,
                    size_t from_step, size_t n, size_t rows_) {
  for (size_t i = 0; i < rows_; i++, to += to_step, from += from_step) {
    size_t j = 0;
    for (; j + 8 <= n; j += 8) *(eight *)(to + j) += *(const eight *)(from + j);
    for (; j < n; j++) to[j] += from[j];
  }
}

static void copy_spread(bnn_real *restrict to, const bnn_real *restrict from, size_t stride,
                        size_t n) {
  for (size_t j = 0; j < n; j++) to[j] = from[j * stride];
}

static void add_spread(bnn_real *restrict to, size_t stride, const bnn_real *restrict from,
                       size_t n) {
  for (size_t j = 0; j < n; j++) to[j * stride] += from[j];
}

/* One row of a panel, from an image x [c, h, w]. */
static inline void fill_row(bnn_real *to, const bnn_real *x, const conv *c, const panel *p,
                            const patch_row *r) {
  const part q = part_inside(c, p, r);
  const size_t step = c->v.stride[0] * c->v.in[1], stride = c->v.stride[1];
  if (q.n < p->columns || q.bottom - q.top < p->rows) memset(to, 0, p->width * sizeof *to);
  to += (q.top - p->row) * p->columns + q.before;
  if (stride == 1)
    copy_rows(to, p->columns, x + q.start, step, q.n, q.bottom - q.top);
  else
    for (size_t i = 0; i < q.bottom - q.top; i++)
      copy_spread(to + i * p->columns, x + q.start + i * step, stride, q.n);
}

/* dx += the gradients of one row of a panel. */
static inline void add_row(bnn_real *dx, const bnn_real *from, const conv *c, const panel *p,
                           const patch_row *r) {
  const part q = part_inside(c, p, r);
  const size_t step = c->v.stride[0] * c->v.in[1], stride = c->v.stride[1];
  from += (q.top - p->row) * p->columns + q.before;
  if (stride == 1)
    add_rows(dx + q.start, step, from, p->columns, q.n, q.bottom - q.top);
  else
    for (size_t i = 0; i < q.bottom - q.top; i++)
      add_spread(dx + q.start + i * step, stride, from + i * p->columns, q.n);
}

/* The panel of an image, in `room` or where the image has it; *ld: from one of its rows to the
 * next. */
static const bnn_real *panel_of_image(size_t *ld, bnn_real *room, const bnn_real *x, const conv *c,
                                      const panel *p) {
  *ld = c->direct ? c->places : p->width;
  if (c->direct) return x + p->from * c->places + p->place;
  patch_row r = patch_row_of(c, p->from);
  for (size_t k = 0; k < p->depth; k++, patch_row_next(&r, c))
    fill_row(room + k * p->width, x, c, p, &r);
  return room;
}

static void panel_to_dx(bnn_real *dx, const bnn_real *room, const conv *c, const panel *p) {
  patch_row r = patch_row_of(c, p->from);
  for (size_t k = 0; k < p->depth; k++, patch_row_next(&r, c))
    add_row(dx, room + k * p->width, c, p, &r);
}

/* ---- images ---- */

static void forward_image(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                          const conv *c) {
  bnn_real room[PANEL];
  panel p;
  for (size_t o = 0; o < c->filters; o++)
    for (size_t j = 0; j < c->places; j++) y[o * c->places + j] = b[o];
  for (bool more = panel_first(&p, c); more; more = panel_next(&p, c)) {
    size_t ld;
    const bnn_real *patches = panel_of_image(&ld, room, x, c, &p);
    bnn_blas_mm(y + p.place, c->places, w + p.from, c->depth, false, patches, ld, false, c->filters,
                p.width, p.depth, true);
  }
}

static void image_to_dw(bnn_real *dw, const bnn_real *dy, const bnn_real *x, const conv *c) {
  bnn_real room[PANEL];
  panel p;
  for (bool more = panel_first(&p, c); more; more = panel_next(&p, c)) {
    size_t ld;
    const bnn_real *patches = panel_of_image(&ld, room, x, c, &p);
    bnn_blas_mm(dw + p.from, c->depth, dy + p.place, c->places, false, patches, ld, true,
                c->filters, p.depth, p.width, true);
  }
}

static void image_to_dx(bnn_real *dx, const bnn_real *dy, const bnn_real *w, const conv *c) {
  bnn_real room[PANEL];
  panel p;
  for (bool more = panel_first(&p, c); more; more = panel_next(&p, c)) {
    bnn_real *to = c->direct ? dx + p.from * c->places + p.place : room;
    bnn_blas_mm(to, c->direct ? c->places : p.width, w + p.from, c->depth, true, dy + p.place,
                c->places, false, p.depth, p.width, c->filters, c->direct);
    if (!c->direct) panel_to_dx(dx, room, c, &p);
  }
}

/* ---- batches ---- */

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const conv c = conv_of(x[0], x[1], attr);
  const size_t in = op_span(x[0]->dim, 1, 4), out = c.filters * c.places;
  for (size_t i = 0; i < c.images; i++)
    forward_image(bnn_tensor_real(y) + i * out, bnn_tensor_real(x[0]) + i * in,
                  bnn_tensor_real(x[1]), bnn_tensor_real(x[2]), &c);
}

/* Eight sums side by side, which a vector adds at once. */
static double sum_of(const bnn_real *x, size_t n) {
  double lane[8] = {0}, sum = 0;
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (size_t k = 0; k < 8; k++) lane[k] += x[i + k];
  for (; i < n; i++) lane[0] += x[i];
  for (size_t k = 0; k < 8; k++) sum += lane[k];
  return sum;
}

static void add_to_bias(bnn_real *db, const bnn_real *dy, const conv *c) {
  for (size_t o = 0; o < c->filters; o++) {
    double sum = 0;
    for (size_t i = 0; i < c->images; i++)
      sum += sum_of(dy + (i * c->filters + o) * c->places, c->places);
    db[o] += (bnn_real)sum;
  }
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  const conv c = conv_of(x[0], x[1], attr);
  const size_t in = op_span(x[0]->dim, 1, 4), out = c.filters * c.places;
  const bnn_real *g = bnn_tensor_real(dy);
  for (size_t i = 0; i < c.images; i++, g += out) {
    if (dx[0]) image_to_dx(bnn_tensor_real(dx[0]) + i * in, g, bnn_tensor_real(x[1]), &c);
    if (dx[1]) image_to_dw(bnn_tensor_real(dx[1]), g, bnn_tensor_real(x[0]) + i * in, &c);
  }
  if (dx[2]) add_to_bias(bnn_tensor_real(dx[2]), bnn_tensor_real(dy), &c);
}

BNN_OP(conv2d) = {
    .name = "conv2d",
    .doc = "conv2d(x, w, b, stride = 1, padding = 0): convolution (no kernel is turned) of images "
           "x [n, channels, h, w] with kernels w [out, channels, kh, kw], plus b [out]; stride and "
           "padding are a number or {rows, columns}; the result is [n, out, ...]",
    .arity = 3,
    .args = "p?p?",
    .defaults = {.pair = {{1, 1}, {0, 0}}},
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{4, {3, 2, 5, 4}, 0}, {4, {3, 2, 3, 2}, 0}, {1, {3}, 0}},
              .attr = {.pair = {{1, 1}, {0, 0}}}},
};
