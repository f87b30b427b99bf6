/* recurrent.c - see recurrent.h.  Examples go through all steps in panels of some rows, so that what is
 * multiplied with u at a step is a matrix, and what a step works on stays in a cache. */
#include "recurrent.h"

#include "../../kernels/product.h"

/* Reals of scratch hold one row at least: backward needs 6 h of an LSTM, 7 h of a GRU, 2 h of a
 * plain cell, whose gates are 4 h, 3 h and h. */
enum { ROWS_MOST = 64, SCRATCH_MOST = 1 << 16, GATES_MOST = 1 << 14, WIDTH_MOST = 1 << 15 };

typedef struct sizes {
  size_t n, t, h, gates, width; /* of a row of p, and of y */
  bool from_end;
  const recurrent_cell *cell;
} sizes;

static sizes sizes_of(const bnn_tensor *const *x, const bnn_attr *attr,
                      const recurrent_cell *cell) {
  const size_t h = x[1]->dim[0];
  return (sizes){.n = x[0]->dim[0],
                 .t = x[0]->dim[1],
                 .h = h,
                 .gates = cell->gates * h,
                 .width = cell->parts * h,
                 .from_end = attr->descending,
                 .cell = cell};
}

bnn_status RECURRENT(infer)(bnn_shape *y, const bnn_shape *x, int n, const recurrent_cell *cell,
                            bnn_err *err) {
  const bnn_shape *u = &x[1];
  if (x[0].rank != 3 || u->rank != 2 || u->dim[1] != cell->gates * u->dim[0] ||
      x[0].dim[2] != u->dim[1])
    return bnn_fail(err, BNN_ESHAPE, "expected p [n, t, %zu h], u [h, %zu h], got p %s, u %s",
                    cell->gates, cell->gates, BNN_SHAPE(&x[0]), BNN_SHAPE(u));
  if (n > 2 && (x[2].rank != 1 || x[2].dim[0] != u->dim[0]))
    return bnn_fail(err, BNN_ESHAPE, "b: expected [%zu] for u %s, got %s", u->dim[0], BNN_SHAPE(u),
                    BNN_SHAPE(&x[2]));
  if (u->dim[1] > GATES_MOST)
    return bnn_fail(err, BNN_ESHAPE, "u is %s: expected at most %d columns", BNN_SHAPE(u),
                    (int)GATES_MOST);
  BNN_TRY(bnn_blas_load(err));
  *y = x[0];
  y->dim[2] = cell->parts * u->dim[0];
  return BNN_OK;
}

/* Rows of a panel for `each` reals of scratch a row. */
static size_t panel_rows(const sizes *z, size_t each) {
  const size_t fit = each ? SCRATCH_MOST / each : ROWS_MOST;
  const size_t rows_ = fit < 1 ? 1 : fit < ROWS_MOST ? fit : ROWS_MOST;
  return rows_ < z->n ? rows_ : z->n;
}

/* The place of step s in a sequence. */
static size_t place_of(const sizes *z, size_t s) { return z->from_end ? z->t - 1 - s : s; }

static const bnn_real zeros[WIDTH_MOST]; /* the row of y before the first */

/* Where row i of an array [n, t, width] has step s. */
#define STEP(base, i, s, width) ((base) + ((i)*z->t + place_of(z, s)) * (width))

void RECURRENT(forward)(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr,
                        const recurrent_cell *cell) {
  const sizes sized = sizes_of(x, attr, cell), *z = &sized;
  bnn_real *to = bnn_tensor_real(y);
  const bnn_real *p = bnn_tensor_real(x[0]), *u = bnn_tensor_real(x[1]);
  const bnn_real *b = n > 2 ? bnn_tensor_real(x[2]) : NULL;
  const size_t most = panel_rows(z, z->gates);
  if (y->size == 0) return;
  bnn_real r[SCRATCH_MOST];
  for (size_t from = 0; from < z->n; from += most) {
    const size_t rows_ = z->n - from < most ? z->n - from : most;
    for (size_t s = 0; s < z->t; s++) {
      if (s > 0)
        bnn_product(r, z->gates, STEP(to, from, s - 1, z->width), z->t * z->width, false, u,
                    z->gates, false, rows_, z->gates, z->h, false);
      else
        memset(r, 0, rows_ * z->gates * sizeof *r);
      for (size_t i = from; i < from + rows_; i++)
        cell->forward(STEP(to, i, s, z->width), STEP(p, i, s, z->gates), r + (i - from) * z->gates,
                      s > 0 ? STEP(to, i, s - 1, z->width) : zeros, b, z->h);
    }
  }
}

/* ---- backward ---- */

/* What backward works on: slopes of a panel at a step, rows of dp `step` apart, and the gradients that go
 * from step to step.  dp lies in the gradient of p where that is only set, else in scratch. */
typedef struct slopes {
  bnn_real *dp, *dr, *d; /* [rows, gates], [rows, gates], [rows, carried] */
  size_t from, rows, step, dr_step, carried;
  bool in_place;
  const bnn_real *ut; /* u transposed, or NULL */
} slopes;

/* out [n, m] = the transpose of x [m, n], square after square, so that both stay in a cache. */
static void transpose(bnn_real *restrict out, const bnn_real *restrict x, size_t m, size_t n) {
  enum { SQUARE = 16 };
  for (size_t i = 0; i < m; i += SQUARE)
    for (size_t j = 0; j < n; j += SQUARE)
      for (size_t k = j; k < n && k < j + SQUARE; k++)
        for (size_t l = i; l < m && l < i + SQUARE; l++) out[k * m + l] = x[l * n + k];
}

BNN_KERNEL add_row(bnn_real *restrict to, const bnn_real *restrict from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] += from[i];
}

/* The cells of a panel at step s. */
static void cells_backward(const slopes *k, const bnn_real *dy, const bnn_real *y, size_t s,
                           const sizes *z) {
  for (size_t i = 0; i < k->rows; i++)
    z->cell->backward(k->dp + i * k->step, k->dr + i * k->dr_step, k->d + i * k->carried,
                      STEP(dy, k->from + i, s, z->width), STEP(y, k->from + i, s, z->width),
                      s > 0 ? STEP(y, k->from + i, s - 1, z->width) : zeros, z->h);
}

static void add_to_inputs(bnn_real *dx, const slopes *k, size_t s, const sizes *z) {
  for (size_t i = 0; i < k->rows; i++)
    add_row(STEP(dx, k->from + i, s, z->gates), k->dp + i * k->step, z->gates);
}

static void add_to_bias(bnn_real *db, const slopes *k, const sizes *z) {
  for (size_t i = 0; i < k->rows; i++) add_row(db, k->dr + i * k->dr_step + z->gates - z->h, z->h);
}

/* dr of step s to u, and through u to the states before. */
static void products_backward(bnn_real *du, const slopes *k, const bnn_real *y, const bnn_real *u,
                              size_t s, const sizes *z) {
  if (du)
    bnn_product(du, z->gates, STEP(y, k->from, s - 1, z->width), z->t * z->width, true, k->dr,
                k->dr_step, false, z->h, z->gates, k->rows, true);
  bnn_product(k->d, k->carried, k->dr, k->dr_step, false, k->ut ? k->ut : u,
              k->ut ? z->h : z->gates, !k->ut, k->rows, z->h, z->gates, true);
}

/* A panel through all steps from the last. */
static void panel_backward(bnn_tensor *const *dx, slopes *k, const bnn_tensor *dy,
                           const bnn_tensor *y, const bnn_real *u, bool has_bias, const sizes *z) {
  bnn_real *to = dx[0] ? bnn_tensor_real(dx[0]) : NULL;
  memset(k->d, 0, k->rows * k->carried * sizeof *k->d);
  for (size_t s = z->t; s-- > 0;) {
    if (k->in_place) k->dp = STEP(to, k->from, s, z->gates);
    if (z->cell->has_one_slope) k->dr = k->dp;
    cells_backward(k, bnn_tensor_real(dy), bnn_tensor_real(y), s, z);
    if (to && !k->in_place) add_to_inputs(to, k, s, z);
    if (has_bias && dx[2]) add_to_bias(bnn_tensor_real(dx[2]), k, z);
    if (s > 0)
      products_backward(dx[1] ? bnn_tensor_real(dx[1]) : NULL, k, bnn_tensor_real(y), u, s, z);
  }
}

void RECURRENT(backward)(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr,
                         const recurrent_cell *cell, bool set) {
  const sizes sized = sizes_of(x, attr, cell), *z = &sized;
  if (y->size == 0) return;
  slopes k = {.in_place = set && dx[0], .carried = cell->carried * z->h};
  const size_t own = k.in_place ? 0 : z->gates, apart = cell->has_one_slope ? 0 : z->gates;
  const size_t most = panel_rows(z, own + apart + k.carried);
  bnn_real scratch[SCRATCH_MOST], turned[SCRATCH_MOST];
  if (z->h * z->gates <= SCRATCH_MOST) {
    transpose(turned, bnn_tensor_real(x[1]), z->h, z->gates);
    k.ut = turned;
  }
  k.dp = scratch, k.dr = k.dp + most * own, k.d = k.dr + most * apart;
  k.step = k.in_place ? z->t * z->gates : z->gates;
  k.dr_step = cell->has_one_slope ? k.step : z->gates;
  for (; k.from < z->n; k.from += most) {
    k.rows = z->n - k.from < most ? z->n - k.from : most;
    panel_backward(dx, &k, dy, y, bnn_tensor_real(x[1]), n > 2, z);
  }
}
