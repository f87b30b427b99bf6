/* recurrent.c - see recurrent.h.  Examples go through all steps in panels of some rows, so that what is
 * multiplied with u at a step is a matrix, and what a step works on stays in a cache. */
#include "recurrent.h"

#include "../../kernels/product.h"

/* Reals of scratch hold one row at least: backward needs 7 h of an LSTM, 8 h of a GRU, 3 h of a
 * plain cell, whose gates are 4 h, 3 h and h. */
enum { ROWS_MOST = 64, SCRATCH_MOST = 1 << 16, GATES_MOST = 1 << 14, WIDTH_MOST = 1 << 15 };

typedef struct sizes {
  size_t n, t, h, gates, width; /* of a row of p, and of y */
  bool from_end;
  const recurrent_cell *cell;
  const bnn_real *state; /* before the first step, rows `state_step` apart; or NULL */
  size_t state_step;
  const bnn_tensor *lengths; /* or NULL */
} sizes;

/* Inputs that are always there: p, u, and b. */
static int inputs_of(const recurrent_cell *cell) { return cell->has_bias ? 3 : 2; }

/* The number of the input that has states, or lengths; -1 where there is none. */
static int find_input(const bnn_tensor *const *x, int n, const recurrent_cell *cell,
                      bool is_of_lengths) {
  for (int i = inputs_of(cell); i < n; i++)
    if ((x[i]->rank == 1) == is_of_lengths) return i;
  return -1;
}

static sizes sizes_of(const bnn_tensor *const *x, int n, const bnn_attr *attr,
                      const recurrent_cell *cell) {
  const size_t h = x[1]->dim[0];
  const int state = find_input(x, n, cell, false), lengths = find_input(x, n, cell, true);
  return (sizes){.n = x[0]->dim[0],
                 .t = x[0]->dim[1],
                 .h = h,
                 .gates = cell->gates * h,
                 .width = cell->parts * h,
                 .from_end = attr->descending,
                 .cell = cell,
                 .state = state < 0 ? NULL : bnn_tensor_real(x[state]),
                 .state_step = state < 0 || x[state]->dim[0] == 1 ? 0 : cell->carried * h,
                 .lengths = lengths < 0 ? NULL : x[lengths]};
}

/* ---- checks ---- */

static bnn_status check_weights(const bnn_shape *x, const recurrent_cell *cell, bnn_err *err) {
  const bnn_shape *u = &x[1];
  BNN_TRY(op_check_real(&x[0], "p", err));
  BNN_TRY(op_check_real(u, "u", err));
  if (x[0].rank != 3 || u->rank != 2 || u->dim[1] != cell->gates * u->dim[0] ||
      x[0].dim[2] != u->dim[1])
    return bnn_fail(err, BNN_ESHAPE, "expected p [n, t, %zu h], u [h, %zu h], got p %s, u %s",
                    cell->gates, cell->gates, BNN_SHAPE(&x[0]), BNN_SHAPE(u));
  if (u->dim[1] > GATES_MOST)
    return bnn_fail(err, BNN_ESHAPE, "u is %s: expected at most %d columns", BNN_SHAPE(u),
                    (int)GATES_MOST);
  if (!cell->has_bias) return BNN_OK;
  BNN_TRY(op_check_real(&x[2], "b", err));
  if (x[2].rank != 1 || x[2].dim[0] != u->dim[0])
    return bnn_fail(err, BNN_ESHAPE, "b: expected [%zu] for u %s, got %s", u->dim[0], BNN_SHAPE(u),
                    BNN_SHAPE(&x[2]));
  return BNN_OK;
}

static bnn_status check_state(const bnn_shape *state, const bnn_shape *x,
                              const recurrent_cell *cell, bnn_err *err) {
  const size_t n = x[0].dim[0], width = cell->carried * x[1].dim[0];
  BNN_TRY(op_check_real(state, "state", err));
  if (state->rank == 2 && (state->dim[0] == n || state->dim[0] == 1) && state->dim[1] == width)
    return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "state: expected [%zu, %zu] or [1, %zu] for p %s, got %s", n,
                  width, width, BNN_SHAPE(&x[0]), BNN_SHAPE(state));
}

bnn_status RECURRENT(infer)(bnn_shape *y, const bnn_shape *x, int n, const recurrent_cell *cell,
                            bnn_err *err) {
  const int first = inputs_of(cell);
  BNN_TRY(check_weights(x, cell, err));
  for (int i = first; i < n; i++) {
    if (i > first && (x[i].rank == 1) == (x[first].rank == 1))
      return bnn_fail(err, BNN_ESHAPE, "expected state [n, *] and lengths [n], got %s and %s",
                      BNN_SHAPE(&x[first]), BNN_SHAPE(&x[i]));
    if (x[i].rank == 1)
      BNN_TRY(op_check_lengths(&x[i], &x[0], "p", err));
    else
      BNN_TRY(check_state(&x[i], x, cell, err));
  }
  BNN_TRY(bnn_blas_load(err));
  *y = x[0];
  y->dim[2] = cell->parts * x[1].dim[0];
  return BNN_OK;
}

bnn_rows RECURRENT(rows)(const bool *has_rows, const bnn_shape *x, int n,
                         const recurrent_cell *cell) {
  const int first = inputs_of(cell);
  for (int i = 1; i < first; i++)
    if (has_rows[i]) return BNN_ROWS_MIXED;
  for (int i = first; i < n; i++) {
    const bool is_shared = x[i].rank == 2 && x[i].dim[0] == 1 && !has_rows[i];
    if (has_rows[i] != has_rows[0] && !is_shared) return BNN_ROWS_MIXED;
  }
  return has_rows[0] ? BNN_ROWS_KEPT : BNN_ROWS_NONE;
}

bnn_status RECURRENT(verify)(const bnn_tensor *const *x, int n, const recurrent_cell *cell,
                             bnn_err *err) {
  const int at = find_input(x, n, cell, true);
  return at < 0 ? BNN_OK : op_verify_lengths(x[at], x[0]->dim[1], err);
}

/* ---- forward ---- */

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

/* The first step of sequence i, and the step after its last. */
static size_t begin_of(const sizes *z, size_t i) {
  return z->lengths && z->from_end ? z->t - op_length(z->lengths, i, z->t) : 0;
}

static size_t end_of(const sizes *z, size_t i) {
  return z->lengths && !z->from_end ? op_length(z->lengths, i, z->t) : z->t;
}

static bool has_step(const sizes *z, size_t i, size_t s) {
  return begin_of(z, i) <= s && s < end_of(z, i);
}

static bool any_has_step(const sizes *z, size_t from, size_t rows_, size_t s) {
  for (size_t i = from; i < from + rows_; i++)
    if (has_step(z, i, s)) return true;
  return false;
}

/* What stands before step s of sequence i: a row of y, or its state. */
static const bnn_real *before_step(const sizes *z, const bnn_real *y, size_t i, size_t s) {
  if (s > begin_of(z, i)) return STEP(y, i, s - 1, z->width);
  return s == begin_of(z, i) && z->state ? z->state + i * z->state_step : zeros;
}

/* Rows [from, from + rows) of y. */
typedef struct panel {
  size_t from, rows;
} panel;

/* The states before step s, rows *apart: those of y, or with ones that were given, in `room` [rows, h].
 * NULL where all are 0. */
static const bnn_real *states_before(bnn_real *room, size_t *apart, const bnn_real *y,
                                     const panel *p, size_t s, const sizes *z) {
  const bool any_begins = s == 0 || (z->lengths && z->from_end);
  if (z->state && any_begins) {
    for (size_t i = 0; i < p->rows; i++)
      memcpy(room + i * z->h, before_step(z, y, p->from + i, s), z->h * sizeof *room);
    *apart = z->h;
    return room;
  }
  *apart = z->t * z->width;
  return s > 0 ? STEP(y, p->from, s - 1, z->width) : NULL;
}

/* Elements of scratch that states_before needs for a row. */
static size_t room_of(const sizes *z) { return z->state ? z->h : 0; }

/* A panel at step s; r [rows, gates], and room, are scratch. */
static void step_forward(bnn_real *y, const bnn_real *p, const bnn_real *u, const bnn_real *b,
                         bnn_real *r, bnn_real *room, const panel *k, size_t s, const sizes *z) {
  size_t apart;
  const bnn_real *states = states_before(room, &apart, y, k, s, z);
  if (!any_has_step(z, k->from, k->rows, s))
    ; /* padding alone */
  else if (states)
    bnn_product(r, z->gates, states, apart, false, u, z->gates, false, k->rows, z->gates, z->h,
                false);
  else
    memset(r, 0, k->rows * z->gates * sizeof *r);
  for (size_t i = k->from; i < k->from + k->rows; i++)
    if (has_step(z, i, s))
      z->cell->forward(STEP(y, i, s, z->width), STEP(p, i, s, z->gates),
                       r + (i - k->from) * z->gates, before_step(z, y, i, s), b, z->h);
    else
      memset(STEP(y, i, s, z->width), 0, z->width * sizeof *y);
}

void RECURRENT(forward)(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr,
                        const recurrent_cell *cell) {
  const sizes sized = sizes_of(x, n, attr, cell), *z = &sized;
  const bnn_real *b = cell->has_bias ? bnn_tensor_real(x[2]) : NULL;
  const size_t most = panel_rows(z, z->gates + room_of(z));
  if (y->size == 0) return;
  bnn_real r[SCRATCH_MOST];
  for (panel k = {0}; k.from < z->n; k.from += most) {
    k.rows = z->n - k.from < most ? z->n - k.from : most;
    for (size_t s = 0; s < z->t; s++)
      step_forward(bnn_tensor_real(y), bnn_tensor_real(x[0]), bnn_tensor_real(x[1]), b, r,
                   r + most * z->gates, &k, s, z);
  }
}

/* ---- backward ---- */

/* What backward works on: slopes of a panel at a step, rows of dp `step` apart, and the gradients that go
 * from step to step.  dp lies in the gradient of p where that is only set, else in scratch. */
typedef struct slopes {
  bnn_real *dp, *dr, *d,
      *room; /* [rows, gates], [rows, gates], [rows, carried]; of states_before */
  panel at;
  size_t step, dr_step, carried;
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

/* A row that step s of sequence i does not reach: d waits for the step after, which does. */
static void clear_slopes(const slopes *k, size_t row, const sizes *z) {
  memset(k->dp + row * k->step, 0, z->gates * sizeof *k->dp);
  memset(k->dr + row * k->dr_step, 0, z->gates * sizeof *k->dr);
}

/* The cells of a panel at step s. */
static void cells_backward(const slopes *k, const bnn_real *dy, const bnn_real *y, size_t s,
                           const sizes *z) {
  for (size_t row = 0; row < k->at.rows; row++) {
    const size_t i = k->at.from + row;
    if (has_step(z, i, s))
      z->cell->backward(k->dp + row * k->step, k->dr + row * k->dr_step, k->d + row * k->carried,
                        STEP(dy, i, s, z->width), STEP(y, i, s, z->width), before_step(z, y, i, s),
                        z->h);
    else
      clear_slopes(k, row, z);
  }
}

static void add_to_inputs(bnn_real *dx, const slopes *k, size_t s, const sizes *z) {
  for (size_t i = 0; i < k->at.rows; i++)
    add_row(STEP(dx, k->at.from + i, s, z->gates), k->dp + i * k->step, z->gates);
}

static void add_to_bias(bnn_real *db, const slopes *k, const sizes *z) {
  for (size_t i = 0; i < k->at.rows; i++)
    add_row(db, k->dr + i * k->dr_step + z->gates - z->h, z->h);
}

/* What has come to the states before the first steps. */
static void add_to_state(bnn_real *d_state, const slopes *k, const sizes *z) {
  for (size_t i = 0; i < k->at.rows; i++)
    add_row(d_state + (k->at.from + i) * z->state_step, k->d + i * k->carried, k->carried);
}

/* dr of step s to u, and through u to the states before. */
static void products_backward(bnn_real *du, const slopes *k, const bnn_real *y, const bnn_real *u,
                              size_t s, const sizes *z) {
  size_t apart;
  const bnn_real *states = states_before(k->room, &apart, y, &k->at, s, z);
  if (!states) return;
  if (du)
    bnn_product(du, z->gates, states, apart, true, k->dr, k->dr_step, false, z->h, z->gates,
                k->at.rows, true);
  bnn_product(k->d, k->carried, k->dr, k->dr_step, false, k->ut ? k->ut : u,
              k->ut ? z->h : z->gates, !k->ut, k->at.rows, z->h, z->gates, true);
}

/* The gradients that a call of backward adds to; NULL where they are not wanted. */
typedef struct targets {
  bnn_real *dp, *du, *db, *d_state;
} targets;

/* A panel through all steps from the last. */
static void panel_backward(const targets *to, slopes *k, const bnn_real *dy, const bnn_real *y,
                           const bnn_real *u, const sizes *z) {
  memset(k->d, 0, k->at.rows * k->carried * sizeof *k->d);
  for (size_t s = z->t; s-- > 0;) {
    if (k->in_place) k->dp = STEP(to->dp, k->at.from, s, z->gates);
    if (z->cell->has_one_slope) k->dr = k->dp;
    cells_backward(k, dy, y, s, z);
    if (to->dp && !k->in_place) add_to_inputs(to->dp, k, s, z);
    if (to->db) add_to_bias(to->db, k, z);
    if (any_has_step(z, k->at.from, k->at.rows, s)) products_backward(to->du, k, y, u, s, z);
  }
  if (to->d_state) add_to_state(to->d_state, k, z);
}

static bnn_real *real_of(bnn_tensor *x) { return x ? bnn_tensor_real(x) : NULL; }

static targets targets_of(bnn_tensor *const *dx, const bnn_tensor *const *x, int n,
                          const recurrent_cell *cell) {
  const int state = find_input(x, n, cell, false);
  return (targets){.dp = real_of(dx[0]),
                   .du = real_of(dx[1]),
                   .db = cell->has_bias ? real_of(dx[2]) : NULL,
                   .d_state = state < 0 ? NULL : real_of(dx[state])};
}

void RECURRENT(backward)(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr,
                         const recurrent_cell *cell, bool set) {
  const sizes sized = sizes_of(x, n, attr, cell), *z = &sized;
  const targets to = targets_of(dx, x, n, cell);
  if (y->size == 0) return;
  slopes k = {.in_place = set && dx[0], .carried = cell->carried * z->h};
  const size_t own = k.in_place ? 0 : z->gates, apart = cell->has_one_slope ? 0 : z->gates;
  const size_t most = panel_rows(z, own + apart + k.carried + room_of(z));
  bnn_real scratch[SCRATCH_MOST], turned[SCRATCH_MOST];
  if (z->h * z->gates <= SCRATCH_MOST) {
    transpose(turned, bnn_tensor_real(x[1]), z->h, z->gates);
    k.ut = turned;
  }
  k.dp = scratch, k.dr = k.dp + most * own, k.d = k.dr + most * apart;
  k.room = k.d + most * k.carried;
  k.step = k.in_place ? z->t * z->gates : z->gates;
  k.dr_step = cell->has_one_slope ? k.step : z->gates;
  for (; k.at.from < z->n; k.at.from += most) {
    k.at.rows = z->n - k.at.from < most ? z->n - k.at.from : most;
    panel_backward(&to, &k, bnn_tensor_real(dy), bnn_tensor_real(y), bnn_tensor_real(x[1]), z);
  }
}
