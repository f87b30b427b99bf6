/* cross_entropy: -log softmax(logits)[label] of each example, from logits [n, C] and labels [n], or of
 * each place of an example, [n, ..., C] and [n, ...].
 *
 *   y = log sum_c e^(l_c - m) + (m - l_label),  m = max l
 *   dl_c = dy e^(l_c - m) / s,  dl_label = -dy (s - e^(l_label - m)) / s,  s = sum_c e^(l_c - m)
 *
 * Backward goes by m, not by y, from which s follows too: y may be infinite, and has an error of its
 * own size.  That of the label is the sum of the others, not p - 1: a confident right answer keeps
 * the digits of what is left to learn.  Infinite logits: scores.h.
 *
 * A label equal to ignore_index, of padding for instance, gives 0 and no gradient. */
#include "../scores.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  BNN_TRY(op_check_real(&x[0], "logits", err));
  BNN_TRY(op_check_integer(&x[1], "labels", err));
  const int places = x[0].rank - 1;
  if (places < 1)
    return bnn_fail(err, BNN_ESHAPE, "logits: expected [n, classes], got %s", BNN_SHAPE(&x[0]));
  *y = bnn_shape_make(BNN_REAL, places, x[0].dim);
  if (x[1].rank != places || memcmp(x[1].dim, x[0].dim, (size_t)places * sizeof *x[0].dim) != 0)
    return bnn_fail(err, BNN_ESHAPE, "labels: expected %s for logits %s, got %s", BNN_SHAPE(y),
                    BNN_SHAPE(&x[0]), BNN_SHAPE(&x[1]));
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y);
  return has_rows[0] && has_rows[1] ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

static bool is_ignored(const bnn_tensor *labels, size_t i, const bnn_attr *attr) {
  return attr->has_index && op_integer(labels, i) == attr->index;
}

static size_t classes_of(const bnn_tensor *logits) { return logits->dim[logits->rank - 1]; }

static bnn_status verify(const bnn_tensor *const *x, int n, const bnn_attr *attr, bnn_err *err) {
  BNN_UNUSED(n);
  const int64_t classes = (int64_t)classes_of(x[0]);
  const size_t places = op_span(x[1]->dim, 1, x[1]->rank);
  for (size_t i = 0; i < x[1]->size; i++) {
    const int64_t label = op_integer(x[1], i);
    if ((label < 0 || label >= classes) && !is_ignored(x[1], i, attr))
      return bnn_fail(err, BNN_ERANGE, "label %lld of example %zu is outside 0..%lld",
                      (long long)label, x[1]->row0 + i / places + 1, (long long)classes - 1);
  }
  return BNN_OK;
}

BNN_KERNEL log1p_all(bnn_real *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = vm_log1p(x[i]);
}

/* y of examples [from, from + count), a block of scores.h. */
static void forward_block(bnn_real *y, const bnn_tensor *logits, const bnn_tensor *labels,
                          const bnn_attr *attr, size_t from, size_t count) {
  const size_t classes = classes_of(logits);
  const bnn_real *l = bnn_tensor_real(logits) + from * classes;
  bnn_real max[SCORES_ROWS], log_sum[SCORES_ROWS];
  scores_stats(max, log_sum, l, count, classes);
  log1p_all(log_sum, count);
  for (size_t r = 0; r < count; r++) {
    const bool ignored = is_ignored(labels, from + r, attr);
    const size_t label = ignored ? 0 : (size_t)op_integer(labels, from + r);
    y[from + r] = ignored ? 0 : log_sum[r] - scores_below(l[r * classes + label], max[r]);
  }
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  const size_t block = scores_block(classes_of(x[0]));
  for (size_t from = 0; from < y->size; from += block)
    forward_block(bnn_tensor_real(y), x[0], x[1], attr, from,
                  y->size - from < block ? y->size - from : block);
}

/* A stretch of n classes, from `at`, of `count` rows from row `from` on: as large as the buffer. */
typedef struct patch {
  size_t from, count, at, n, classes;
} patch;

/* What is known of the rows of a patch: their maxima, the term of the label, the sum of the others. */
typedef struct row_sums {
  bnn_real max[SCORES_ROWS];
  double of_label[SCORES_ROWS], others[SCORES_ROWS];
} row_sums;

/* e = the patch of e^(l - max). */
static void exponentials(bnn_real *e, const bnn_real *l, const bnn_real *max, const patch *p) {
  for (size_t r = 0; r < p->count; r++)
    scores_shift(e + r * p->n, l + (p->from + r) * p->classes + p->at, max[r], p->n);
  scores_exp(e, p->count * p->n);
}

/* The label of row r of a patch as a place in it; p->n or more when it lies elsewhere. */
static size_t label_in(const bnn_tensor *labels, const patch *p, size_t r) {
  return (size_t)op_integer(labels, p->from + r) - p->at;
}

/* Leaves e as it is; while the others are added, the label's term is 0 in it. */
static void add_patch(row_sums *sums, bnn_real *e, const bnn_tensor *labels, const patch *p) {
  for (size_t r = 0; r < p->count; r++, e += p->n) {
    const size_t label = label_in(labels, p, r);
    const bnn_real of_label = label < p->n ? e[label] : 0;
    if (label < p->n) e[label] = 0;
    sums->others[r] += scores_row_sum(e, p->n);
    sums->of_label[r] += of_label;
    if (label < p->n) e[label] = of_label;
  }
}

/* The patch of dl += dy (softmax(l) - [c = label]). */
static void add_slopes(bnn_real *dl, const bnn_real *dy, const bnn_real *e, const row_sums *sums,
                       const bnn_tensor *labels, const bnn_attr *attr, const patch *p) {
  for (size_t r = 0; r < p->count; r++, e += p->n) {
    if (is_ignored(labels, p->from + r, attr)) continue;
    bnn_real *row = dl + (p->from + r) * p->classes + p->at;
    const double sum = sums->others[r] + sums->of_label[r];
    const bnn_real g = dy[p->from + r], scale = (bnn_real)(1 / sum);
    const bnn_real of_label = (bnn_real)(-sums->others[r] / sum);
    const size_t label = label_in(labels, p, r);
    const bnn_real at_label = label < p->n ? row[label] + g * of_label : 0;
    for (size_t c = 0; c < p->n; c++) row[c] += g * (e[c] * scale);
    if (label < p->n) row[label] = at_label;
  }
}

/* A block of scores.h.  Only rows that are longer than the buffer have their exponentials twice. */
static void backward_block(bnn_real *dl, const bnn_real *dy, const bnn_tensor *const *x,
                           const bnn_attr *attr, patch p) {
  const bnn_real *l = bnn_tensor_real(x[0]);
  bnn_real e[SCORES_CHUNK];
  row_sums sums;
  for (size_t r = 0; r < p.count; r++) {
    sums.max[r] = scores_row_max(l + (p.from + r) * p.classes, p.classes);
    sums.of_label[r] = sums.others[r] = 0;
  }
  for (p.at = 0; p.at < p.classes; p.at += p.n) {
    p.n = p.classes - p.at < SCORES_CHUNK ? p.classes - p.at : SCORES_CHUNK;
    exponentials(e, l, sums.max, &p);
    add_patch(&sums, e, x[1], &p);
  }
  for (p.at = 0; p.at < p.classes; p.at += p.n) {
    p.n = p.classes - p.at < SCORES_CHUNK ? p.classes - p.at : SCORES_CHUNK;
    if (p.n < p.classes) exponentials(e, l, sums.max, &p);
    add_slopes(dl, dy, e, &sums, x[1], attr, &p);
  }
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  if (!dx[0]) return;
  const size_t block = scores_block(classes_of(x[0])), examples = y->size;
  patch p = {.classes = classes_of(x[0])};
  for (p.from = 0; p.from < examples; p.from += block) {
    p.count = examples - p.from < block ? examples - p.from : block;
    backward_block(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), x, attr, p);
  }
}

BNN_OP(cross_entropy) = {
    .name = "cross_entropy",
    .doc =
        "cross_entropy(logits, labels, ignore_index = none): -log softmax(logits)[label] of each "
        "example, [n], in nats; logits are [n, classes], labels [n] of i32 or i64 in "
        "0..classes-1; or of each place, [n, ...], of logits [n, ..., classes]. A label equal to "
        "ignore_index, of padding for instance, gives 0 and no gradient",
    .example = "bnn.cross_entropy({{2, 0}, {0, 0}}, {0, 1}) --> {0.1269, 0.6931}\n"
               "bnn.cross_entropy({{2, 0}, {0, 0}}, {0, -100}, -100) --> {0.1269, 0}",
    .arity = 2,
    .args = "i?",
    .integers = true,
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .y_unread = true,
    .verify = verify,
    .check =
        {.lo = -3, .hi = 3, .tol = 1e-8, .in = {{2, {5, 4}, 0}, {1, {5}, BNN_I32}}, .classes = 4},
};
