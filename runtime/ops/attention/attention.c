/* attention: scaled dot-product attention of several heads (Vaswani et al. 2017).
 *
 *   per example and head: S = scale q k^T + bias     P = softmax of the rows of S     y = P v
 *   dv = P^T dy    dP = dy v^T    dS = P (dP - D), D = row sums of dy y    dq = scale dS k
 *   dk = scale dS^T q    dbias = dS, summed where it is shared
 *
 * Heads lie side by side in the features.  S is made in panels of QUERIES rows and KEYS columns on
 * the stack, with a running maximum and sum for each row, as in Dao et al. 2022 (arXiv:2205.14135);
 * backward makes them again instead of keeping them.  Causal: query i sees keys 0..i; panels that
 * nobody sees are left out, and so are keys after an example's length.
 *
 * Two inputs may be left out: lengths [n] (op_help.h), how many keys each example has, and bias, [t, s],
 * [n, t, s] or [n, heads, t, s], in which n, heads and t may be 1 where it is shared. */
#include "../../kernels/product.h"
#include "../scores.h"

enum { QUERIES = 64, KEYS = 128, PANEL = QUERIES * KEYS };

/* The sizes of a call: dims of q [n, t, d], k [n, s, d] and v [n, s, e], and a head's share. */
typedef struct sizes {
  size_t n, t, s, d, e, heads, head_d, head_e;
  size_t keys;                     /* of the example at hand: s or less */
  size_t bias_n, bias_h, bias_row; /* from one example, head and query to the next; 0 if shared */
  bnn_real scale;
  bool causal;
} sizes;

/* The number of the input that has lengths, or the bias; -1 where there is none. */
static int find_input(const bnn_tensor *const *x, int n, bool is_of_lengths) {
  for (int i = 3; i < n; i++)
    if ((x[i]->rank == 1) == is_of_lengths) return i;
  return -1;
}

static void read_bias(sizes *z, const bnn_tensor *bias) {
  const size_t *dim = bias->dim, t = dim[bias->rank - 2], s = dim[bias->rank - 1];
  if (t > 1) z->bias_row = s;
  if (bias->rank == 4 && dim[1] > 1) z->bias_h = t * s;
  if (bias->rank > 2 && dim[0] > 1) z->bias_n = op_span(dim, 1, bias->rank);
}

static sizes sizes_of(const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  sizes z = {.n = x[0]->dim[0],
             .t = x[0]->dim[1],
             .s = x[1]->dim[1],
             .d = x[0]->dim[2],
             .e = x[2]->dim[2],
             .heads = attr->count,
             .causal = attr->flag};
  z.head_d = z.d / z.heads;
  z.head_e = z.e / z.heads;
  z.keys = z.s;
  const int bias = find_input(x, n, false);
  if (bias >= 0) read_bias(&z, x[bias]);
  const double given = attr->number[0];
  z.scale = (bnn_real)(isnan(given) ? 1 / sqrt(z.head_d > 0 ? (double)z.head_d : 1) : given);
  return z;
}

static bnn_status check_shapes(const bnn_shape *x, bnn_err *err) {
  static const char *const name[] = {"q", "k", "v"};
  for (int i = 0; i < 3; i++) BNN_TRY(op_check_real(&x[i], name[i], err));
  for (int i = 0; i < 3; i++)
    if (x[i].rank != 3)
      return bnn_fail(err, BNN_ESHAPE, "%s: expected [n, positions, features], got %s", name[i],
                      BNN_SHAPE(&x[i]));
  const size_t *q = x[0].dim, *k = x[1].dim, *v = x[2].dim;
  if (k[0] != q[0] || k[2] != q[2])
    return bnn_fail(err, BNN_ESHAPE, "k: expected [%zu, *, %zu] for q %s, got %s", q[0], q[2],
                    BNN_SHAPE(&x[0]), BNN_SHAPE(&x[1]));
  if (v[0] != k[0] || v[1] != k[1])
    return bnn_fail(err, BNN_ESHAPE, "v: expected [%zu, %zu, *] for k %s, got %s", k[0], k[1],
                    BNN_SHAPE(&x[1]), BNN_SHAPE(&x[2]));
  return BNN_OK;
}

/* [t, s], [n, t, s] or [n, heads, t, s]; all but s may be 1. */
static bnn_status check_bias(const bnn_shape *bias, const bnn_shape *x, size_t heads,
                             bnn_err *err) {
  const size_t n = x[0].dim[0], t = x[0].dim[1], s = x[1].dim[1];
  const size_t *dim = bias->dim;
  const int rank = bias->rank;
  BNN_TRY(op_check_real(bias, "bias", err));
  bool fits = rank >= 2 && rank <= 4;
  fits = fits && dim[rank - 1] == s && (dim[rank - 2] == t || dim[rank - 2] == 1);
  fits = fits && (rank < 3 || dim[0] == n || dim[0] == 1);
  if (fits && (rank < 4 || dim[1] == heads || dim[1] == 1)) return BNN_OK;
  return bnn_fail(
      err, BNN_ESHAPE,
      "bias: expected [%zu, %zu], [%zu, %zu, %zu] or [%zu, %zu, %zu, %zu], or 1 for all "
      "but the last, got %s",
      t, s, n, t, s, n, heads, t, s, BNN_SHAPE(bias));
}

static bnn_status check_optional(const bnn_shape *x, int n, size_t heads, bnn_err *err) {
  if (n == 5 && (x[3].rank == 1) == (x[4].rank == 1))
    return bnn_fail(err, BNN_ESHAPE, "expected lengths [n] and bias [t, s], got %s and %s",
                    BNN_SHAPE(&x[3]), BNN_SHAPE(&x[4]));
  for (int i = 3; i < n; i++)
    if (x[i].rank == 1)
      BNN_TRY(op_check_lengths(&x[i], &x[1], "k", err));
    else
      BNN_TRY(check_bias(&x[i], x, heads, err));
  return BNN_OK;
}

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_TRY(check_shapes(x, err));
  const size_t d = x[0].dim[2], e = x[2].dim[2], heads = attr->count;
  if (d % heads != 0 || e % heads != 0)
    return bnn_fail(err, BNN_ESHAPE,
                    "heads: expected a divisor of %zu, the features of %s, got %zu",
                    d % heads ? d : e, d % heads ? "q" : "v", heads);
  BNN_TRY(check_optional(x, n, heads, err));
  if (isinf(attr->number[0]))
    return bnn_fail(err, BNN_ERANGE, "scale: expected a finite number, got %g", attr->number[0]);
  if (!bnn_blas_fits(x[0].dim[1], x[1].dim[1], d) || !bnn_blas_fits(e, 0, 0))
    return bnn_fail(err, BNN_ESHAPE, "q is %s, v is %s: too large for a product", BNN_SHAPE(&x[0]),
                    BNN_SHAPE(&x[2]));
  BNN_TRY(bnn_blas_load(err));
  *y = x[0];
  y->dim[2] = e;
  return BNN_OK;
}

/* Every example attends to itself alone; one that meets keys of a whole batch mixes. */
static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(attr), BNN_UNUSED(y);
  for (int i = 0; i < n; i++) {
    const bool is_shared = i >= 3 && (x[i].rank == 2 || (x[i].rank > 2 && x[i].dim[0] == 1));
    const bool may_have_rows = x[i].rank != 2;
    if (has_rows[i] ? !may_have_rows : !is_shared) return BNN_ROWS_MIXED;
  }
  return BNN_ROWS_KEPT;
}

static bnn_status verify(const bnn_tensor *const *x, int n, const bnn_attr *attr, bnn_err *err) {
  BNN_UNUSED(attr);
  const int at = find_input(x, n, true);
  return at < 0 ? BNN_OK : op_verify_lengths(x[at], x[1]->dim[1], err);
}

/* ---- panels ---- */

/* Queries [row, row + rows) beside keys [column, column + columns) of one head of one example. */
typedef struct panel {
  size_t row, rows, column, columns;
} panel;

/* The head's keys, or fewer: those that any query of the panel's rows sees. */
static size_t keys_of(const sizes *z, const panel *p) {
  const size_t seen = p->row + p->rows;
  return z->causal && seen < z->keys ? seen : z->keys;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The columns of the panel's row i that its query sees. */
static size_t seen_by(const sizes *z, const panel *p, size_t i) {
  if (!z->causal || p->row + i >= p->column + p->columns) return p->columns;
  return p->row + i < p->column ? 0 : p->row + i - p->column + 1;
}

BNN_KERNEL scale_all(bnn_real *restrict x, bnn_real by, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] *= by;
}

BNN_KERNEL add_all(bnn_real *restrict x, const bnn_real *restrict by, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] += by[i];
}

/* The tensors of one head of one example; gradients that are not wanted are NULL, and so is a bias
 * that is not given. */
typedef struct head {
  const bnn_real *q, *k, *v, *bias, *y, *dy;
  bnn_real *dq, *dk, *dv, *dbias;
} head;

/* Where query i of the panel has its bias, of an array like the bias. */
#define BIAS_ROW(base, i) ((base) + (p->row + (i)) * z->bias_row + p->column)

/* score [rows, columns] = scale q k^T + bias, -inf where a key is not seen. */
static void panel_scores(bnn_real *score, const head *g, const sizes *z, const panel *p) {
  bnn_product(score, p->columns, g->q + p->row * z->d, z->d, false, g->k + p->column * z->d, z->d,
              true, p->rows, p->columns, z->head_d, false);
  scale_all(score, z->scale, p->rows * p->columns);
  for (size_t i = 0; g->bias && i < p->rows; i++)
    add_all(score + i * p->columns, BIAS_ROW(g->bias, i), p->columns);
  for (size_t i = 0; z->causal && i < p->rows; i++)
    for (size_t j = seen_by(z, p, i); j < p->columns; j++) score[i * p->columns + j] = -INFINITY;
}

/* What is known of a panel's rows over the keys so far: the largest score, the sum of e^(score - max).
 */
typedef struct row_sums {
  bnn_real max[QUERIES];
  double sum[QUERIES];
} row_sums;

/* score - max of a row: scores.h says what of infinite ones.  A row that sees nothing yet stays as it
 * is, -inf, of which e^ is 0. */
static void below_max(bnn_real *row, bnn_real max, size_t n) {
  if (max == -INFINITY) return;
  if (max < INFINITY)
    for (size_t j = 0; j < n; j++) row[j] -= max;
  else
    for (size_t j = 0; j < n; j++) row[j] = scores_below(row[j], max);
}

/* e [rows, columns] = e^(score - max) with maxima that take the panel in; `fade` is what sums made
 * with the maxima before are to be multiplied by. */
static void exponentials(bnn_real *e, row_sums *sums, bnn_real *fade, const panel *p) {
  for (size_t i = 0; i < p->rows; i++) {
    bnn_real *row = e + i * p->columns, max = sums->max[i];
    for (size_t j = 0; j < p->columns; j++) max = row[j] > max ? row[j] : max;
    fade[i] = sums->max[i] == max ? 1 : vm_exp(sums->max[i] - max);
    sums->max[i] = max;
    below_max(row, max, p->columns);
  }
  scores_exp(e, p->rows * p->columns);
  for (size_t i = 0; i < p->rows; i++)
    sums->sum[i] = sums->sum[i] * fade[i] + scores_row_sum(e + i * p->columns, p->columns);
}

static void sums_clear(row_sums *sums, size_t rows_) {
  for (size_t i = 0; i < rows_; i++) sums->max[i] = -INFINITY, sums->sum[i] = 0;
}

static void scale_rows(bnn_real *x, size_t ld, const bnn_real *by, size_t rows_, size_t columns) {
  for (size_t i = 0; i < rows_; i++) scale_all(x + i * ld, by[i], columns);
}

/* What each row's exponentials are to be divided by, as factors; 0 where no key is seen. */
static void shares(bnn_real *share, const row_sums *sums, size_t rows_) {
  for (size_t i = 0; i < rows_; i++)
    share[i] = sums->sum[i] == 0 ? 0 : (bnn_real)(1 / sums->sum[i]);
}

/* ---- forward ---- */

/* y of the rows of one panel after the other of a head. */
static void forward_rows(bnn_real *y, const head *g, const sizes *z, panel p) {
  bnn_real e[PANEL], factor[QUERIES];
  bnn_real *to = y + p.row * z->e;
  row_sums sums;
  sums_clear(&sums, p.rows);
  for (size_t i = 0; i < p.rows; i++) memset(to + i * z->e, 0, z->head_e * sizeof *to);
  for (const size_t keys = keys_of(z, &p); p.column < keys; p.column += p.columns) {
    p.columns = least(KEYS, keys - p.column);
    panel_scores(e, g, z, &p);
    exponentials(e, &sums, factor, &p);
    if (p.column > 0) scale_rows(to, z->e, factor, p.rows, z->head_e);
    bnn_product(to, z->e, e, p.columns, false, g->v + p.column * z->e, z->e, false, p.rows,
                z->head_e, p.columns, p.column > 0);
  }
  shares(factor, &sums, p.rows);
  scale_rows(to, z->e, factor, p.rows, z->head_e);
}

static const bnn_real *part_of(const bnn_tensor *x, size_t at) {
  return x ? bnn_tensor_real(x) + at : NULL;
}

/* Head h of example i, whose y and gradients are left to the caller; z->keys becomes the example's. */
static head head_of(sizes *z, const bnn_tensor *const *x, int n, size_t i, size_t h) {
  const int lengths = find_input(x, n, true), bias = find_input(x, n, false);
  if (lengths >= 0) z->keys = op_length(x[lengths], i, z->s);
  return (head){.q = part_of(x[0], i * z->t * z->d + h * z->head_d),
                .k = part_of(x[1], i * z->s * z->d + h * z->head_d),
                .v = part_of(x[2], i * z->s * z->e + h * z->head_e),
                .bias = part_of(bias < 0 ? NULL : x[bias], i * z->bias_n + h * z->bias_h)};
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  sizes z = sizes_of(x, n, attr);
  for (size_t i = 0; i < z.n; i++)
    for (size_t h = 0; h < z.heads; h++) {
      const head g = head_of(&z, x, n, i, h);
      for (size_t row = 0; row < z.t; row += QUERIES)
        forward_rows(bnn_tensor_real(y) + i * z.t * z.e + h * z.head_e, &g, &z,
                     (panel){.row = row, .rows = least(QUERIES, z.t - row)});
    }
}

/* ---- backward ---- */

/* P, of which e has the scores: e^(score - max) / sum. */
static void probabilities(bnn_real *e, const row_sums *sums, const panel *p) {
  bnn_real share[QUERIES];
  for (size_t i = 0; i < p->rows; i++) {
    bnn_real *row = e + i * p->columns;
    below_max(row, sums->max[i], p->columns);
  }
  scores_exp(e, p->rows * p->columns);
  shares(share, sums, p->rows);
  scale_rows(e, p->columns, share, p->rows, p->columns);
}

static void row_dots(bnn_real *dot, const head *g, const sizes *z, const panel *p) {
  for (size_t i = 0; i < p->rows; i++) {
    const size_t at = (p->row + i) * z->e;
    double sum = 0;
    for (size_t j = 0; j < z->head_e; j++) sum += g->dy[at + j] * g->y[at + j];
    dot[i] = (bnn_real)sum;
  }
}

/* ds = p (ds - dot) by */
BNN_KERNEL slope_row(bnn_real *restrict ds, const bnn_real *restrict p, bnn_real dot, bnn_real by,
                     size_t n) {
  for (size_t j = 0; j < n; j++) ds[j] = p[j] * (ds[j] - dot) * by;
}

/* ds to the bias; and then scaled, as it goes on to q and k. */
static void bias_slopes(const head *g, bnn_real *ds, const sizes *z, const panel *p) {
  for (size_t i = 0; i < p->rows; i++)
    add_all(BIAS_ROW(g->dbias, i), ds + i * p->columns, p->columns);
  scale_all(ds, z->scale, p->rows * p->columns);
}

/* What a panel with probabilities e adds to the gradients. */
static void panel_slopes(const head *g, const bnn_real *e, const bnn_real *dot, const sizes *z,
                         const panel *p) {
  bnn_real ds[PANEL];
  const bnn_real *dy = g->dy + p->row * z->e;
  if (g->dv)
    bnn_product(g->dv + p->column * z->e, z->e, e, p->columns, true, dy, z->e, false, p->columns,
                z->head_e, p->rows, true);
  if (!g->dq && !g->dk && !g->dbias) return;
  bnn_product(ds, p->columns, dy, z->e, false, g->v + p->column * z->e, z->e, true, p->rows,
              p->columns, z->head_e, false);
  for (size_t i = 0; i < p->rows; i++)
    slope_row(ds + i * p->columns, e + i * p->columns, dot[i], g->dbias ? 1 : z->scale, p->columns);
  if (g->dbias) bias_slopes(g, ds, z, p);
  if (g->dq)
    bnn_product(g->dq + p->row * z->d, z->d, ds, p->columns, false, g->k + p->column * z->d, z->d,
                false, p->rows, z->head_d, p->columns, true);
  if (g->dk)
    bnn_product(g->dk + p->column * z->d, z->d, ds, p->columns, true, g->q + p->row * z->d, z->d,
                false, p->columns, z->head_d, p->rows, true);
}

/* All that the rows of one panel after the other of a head add to the gradients. */
static void backward_rows_of(const head *g, const sizes *z, panel p) {
  bnn_real e[PANEL], factor[QUERIES], dot[QUERIES];
  const size_t keys = keys_of(z, &p);
  row_sums sums;
  sums_clear(&sums, p.rows);
  row_dots(dot, g, z, &p);
  for (; p.column < keys; p.column += p.columns) {
    p.columns = least(KEYS, keys - p.column);
    panel_scores(e, g, z, &p);
    exponentials(e, &sums, factor, &p);
  }
  for (p.column = 0; p.column < keys; p.column += p.columns) {
    p.columns = least(KEYS, keys - p.column);
    if (p.columns < keys) { /* of several panels the last one alone is still there */
      panel_scores(e, g, z, &p);
      probabilities(e, &sums, &p);
    } else {
      shares(factor, &sums, p.rows);
      scale_rows(e, p.columns, factor, p.rows, p.columns);
    }
    panel_slopes(g, e, dot, z, &p);
  }
}

static bnn_real *slope_of(bnn_tensor *dx, size_t at) {
  return dx ? bnn_tensor_real(dx) + at : NULL;
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  sizes z = sizes_of(x, n, attr);
  const int bias = find_input(x, n, false);
  for (size_t i = 0; i < z.n; i++)
    for (size_t h = 0; h < z.heads; h++) {
      head g = head_of(&z, x, n, i, h);
      const size_t out = i * z.t * z.e + h * z.head_e;
      g.y = part_of(y, out), g.dy = part_of(dy, out);
      g.dq = slope_of(dx[0], i * z.t * z.d + h * z.head_d);
      g.dk = slope_of(dx[1], i * z.s * z.d + h * z.head_d);
      g.dv = slope_of(dx[2], i * z.s * z.e + h * z.head_e);
      g.dbias = slope_of(bias < 0 ? NULL : dx[bias], i * z.bias_n + h * z.bias_h);
      for (size_t row = 0; row < z.t; row += QUERIES)
        backward_rows_of(&g, &z, (panel){.row = row, .rows = least(QUERIES, z.t - row)});
    }
}

/* Scores of d sums for every query and key, and the sums of e values for every query. */
static double multiply_adds(const bnn_shape *y, const bnn_shape *x) {
  return (op_elements(x) + op_elements(y)) * (double)x[1].dim[1];
}

BNN_OP(attention) = {
    .name = "attention",
    .doc = "attention(q, k, v, lengths = s, bias = 0, heads = 1, causal = false, scale = (d / "
           "heads)^-0.5): for q [n, t, d], k [n, s, d] and v [n, s, e], softmax(scale q k^T + "
           "bias) v of each head, a run of features of each of them; the result is [n, t, e]. "
           "lengths [n], integers or real numbers, which are cut to 0 to s, are how many keys "
           "each example has. bias is [t, s], [n, t, s] or [n, heads, t, s], with 1 for n, heads "
           "and t where it is shared; -inf hides a key. causal: position i of t sees positions 1 "
           "to i of s. A position that sees no key gives 0 (Vaswani et al. 2017)",
    .example =
        "local q = bnn.zeros(1, 2, 1)\n"
        "bnn.attention(q, q, bnn.tensor{{{1}, {3}}}) --> {{{2}, {2}}}\n"
        "bnn.attention(q, q, bnn.tensor{{{1}, {3}}}, 1, true) --> {{{1}, {2}}}\n"
        "bnn.attention(q, q, bnn.tensor{{{1}, {3}}}, bnn.tensor{1}) --> {{{1}, {1}}}\n"
        "bnn.attention(q, q, bnn.tensor{{{1}, {3}}}, bnn.tensor{{-math.huge, 0}}) --> {{{3}, "
        "{3}}}",
    .arity = 3,
    .optional = 2,
    .integers = true,
    .args = "c?f?r?",
    .defaults = {.count = 1, .number = {NAN}},
    .infer = infer,
    .rows = rows,
    .verify = verify,
    .forward = forward,
    .backward = backward,
    .multiply_adds = multiply_adds,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-7,
              .in = {{3, {3, 4, 4}, 0}, {3, {3, 5, 4}, 0}, {3, {3, 5, 6}, 0}},
              .attr = {.count = 2, .flag = true, .number = {NAN}},
              .classes = 4},
};
