/* conv_im2col.c - convolution as products with the matrix of patches ("im2col").
 *
 *   per image: y = w patches + b      patches [c kh kw, oh ow]: one column for each position
 *              dw = dy patches^T      dpatches = w^T dy, added to where the patches came from
 *
 * Patches are never there as a whole: a panel of them at a time is laid out on the stack, where it
 * stays in the second-level cache until the product has read it.  A window of one element needs
 * none: the image is its own matrix. */
#include "../../base/stop.h"
#include "../../kernels/blas.h"
#include "conv.h"

/* A panel has at most DEPTH rows of the matrix, and PANEL elements. */
enum { PANEL = 20480, DEPTH = 256 };

/* ---- panels ---- */

/* Rows [from, from + depth) of the matrix of patches, at positions of output rows [row, row + rows)
 * and columns [column, column + columns); several rows only when they are whole. */
typedef struct panel {
  size_t from, depth;
  size_t row, rows, column, columns;
  size_t width, position; /* of the panel's rows; the number of its first position */
} panel;

/* Cuts a panel that starts where p says to its size. */
static void panel_fit(panel *p, const conv *c) {
  const size_t width = PANEL / conv_least(c->depth, DEPTH), *out = c->v.out;
  p->depth = conv_least(DEPTH, c->depth - p->from);
  p->columns = conv_least(width, out[1] - p->column);
  p->rows = p->columns < out[1] ? 1 : conv_least(width / out[1], out[0] - p->row);
  p->width = p->rows * p->columns;
  p->position = p->row * out[1] + p->column;
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
  q.start = (r->channel * v->in[0] + window_pixel(v, 0, q.top, r->at[0])) * v->in[1] +
            window_pixel(v, 1, left, r->at[1]);
  return q;
}

/* One row of a panel, from an image x [c, h, w]. */
static inline void fill_row(bnn_real *to, const bnn_real *x, const conv *c, const panel *p,
                            const patch_row *r) {
  const part q = part_inside(c, p, r);
  const size_t step = c->v.stride[0] * c->v.in[1], stride = c->v.stride[1];
  if (q.n < p->columns || q.bottom - q.top < p->rows) memset(to, 0, p->width * sizeof *to);
  to += (q.top - p->row) * p->columns + q.before;
  conv_gather_rows(to, p->columns, x + q.start, step, stride, q.n, q.bottom - q.top);
}

/* dx += the gradients of one row of a panel. */
static inline void add_row(bnn_real *dx, const bnn_real *from, const conv *c, const panel *p,
                           const patch_row *r) {
  const part q = part_inside(c, p, r);
  const size_t step = c->v.stride[0] * c->v.in[1], stride = c->v.stride[1];
  from += (q.top - p->row) * p->columns + q.before;
  conv_scatter_rows(dx + q.start, step, stride, from, p->columns, q.n, q.bottom - q.top, false);
}

/* The panel of an image, in `scratch` or where the image has it; *ld: from one of its rows to the
 * next. */
static const bnn_real *panel_of_image(size_t *ld, bnn_real *scratch, const bnn_real *x,
                                      const conv *c, const panel *p) {
  *ld = c->pointwise ? c->positions : p->width;
  if (c->pointwise) return x + p->from * c->positions + p->position;
  patch_row r = patch_row_of(c, p->from);
  for (size_t k = 0; k < p->depth; k++, patch_row_next(&r, c))
    fill_row(scratch + k * p->width, x, c, p, &r);
  return scratch;
}

static void panel_to_dx(bnn_real *dx, const bnn_real *scratch, const conv *c, const panel *p) {
  patch_row r = patch_row_of(c, p->from);
  for (size_t k = 0; k < p->depth; k++, patch_row_next(&r, c))
    add_row(dx, scratch + k * p->width, c, p, &r);
}

/* ---- images ---- */

static void forward_image(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                          const conv *c, bool set) {
  bnn_real scratch[PANEL];
  panel p;
  for (size_t o = 0; set && o < c->filters; o++)
    for (size_t j = 0; j < c->positions; j++) y[o * c->positions + j] = b ? b[o] : 0;
  for (bool more = panel_first(&p, c); more; more = panel_next(&p, c)) {
    size_t ld;
    const bnn_real *patches = panel_of_image(&ld, scratch, x, c, &p);
    bnn_blas_mm(y + p.position, c->positions, w + p.from, c->depth, false, patches, ld, false,
                c->filters, p.width, p.depth, true);
  }
}

static void image_to_dw(bnn_real *dw, const bnn_real *dy, const bnn_real *x, const conv *c) {
  bnn_real scratch[PANEL];
  panel p;
  for (bool more = panel_first(&p, c); more; more = panel_next(&p, c)) {
    size_t ld;
    const bnn_real *patches = panel_of_image(&ld, scratch, x, c, &p);
    bnn_blas_mm(dw + p.from, c->depth, dy + p.position, c->positions, false, patches, ld, true,
                c->filters, p.depth, p.width, true);
  }
}

static void image_to_dx(bnn_real *dx, const bnn_real *dy, const bnn_real *w, const conv *c) {
  bnn_real scratch[PANEL];
  panel p;
  for (bool more = panel_first(&p, c); more; more = panel_next(&p, c)) {
    bnn_real *to = c->pointwise ? dx + p.from * c->positions + p.position : scratch;
    bnn_blas_mm(to, c->pointwise ? c->positions : p.width, w + p.from, c->depth, true,
                dy + p.position, c->positions, false, p.depth, p.width, c->filters, c->pointwise);
    if (!c->pointwise) panel_to_dx(dx, scratch, c, &p);
  }
}

/* ---- batches ---- */

void CONV(im2col_forward)(bnn_real *y, const bnn_real *x, const bnn_real *w, const bnn_real *b,
                          const conv *c, bool set) {
  const size_t in = c->x_image / c->groups, out = c->y_image / c->groups;
  for (size_t i = 0; i < c->images && !bnn_stop_asked(); i++)
    for (size_t g = 0; g < c->groups; g++)
      forward_image(y + i * c->y_image + g * out, x + i * c->x_image + g * in,
                    w + g * c->filters * c->depth, b ? b + g * c->filters : NULL, c, set);
}

void CONV(im2col_backward)(bnn_real *dx, bnn_real *dw, const bnn_real *dy, const bnn_real *x,
                           const bnn_real *w, const conv *c, bool set) {
  const size_t in = c->x_image / c->groups, out = c->y_image / c->groups,
               weights = c->filters * c->depth;
  if (dx && set) memset(dx, 0, c->images * c->x_image * sizeof *dx);
  for (size_t i = 0; i < c->images && !bnn_stop_asked(); i++)
    for (size_t g = 0; g < c->groups; g++) {
      const size_t from = i * c->x_image + g * in, to = i * c->y_image + g * out;
      if (dx) image_to_dx(dx + from, dy + to, w + g * weights, c);
      if (dw) image_to_dw(dw + g * weights, dy + to, x + from, c);
    }
}
