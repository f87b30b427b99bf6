/* cross_entropy: -log softmax(logits)[label] of each example, from logits [n, C] and labels [n].
 *
 *   y = log sum_c e^(l_c - m) + (m - l_label),  m = max l      dl_c = dy (softmax(l)_c - [c =
 * label])
 *
 * Backward has softmax(l)_c = e^(l_c - l_label - y), so it needs no second pass for m and the sum.
 */
#include "scores.h"

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  BNN_TRY(op_check_real(&x[0], "logits", err));
  BNN_TRY(op_check_integer(&x[1], "labels", err));
  if (x[0].rank != 2)
    return bnn_fail(err, BNN_ESHAPE, "logits is %s, labels is %s: wanted logits [n, classes]",
                    BNN_SHAPE(&x[0]), BNN_SHAPE(&x[1]));
  if (x[1].rank != 1 || x[1].dim[0] != x[0].dim[0])
    return bnn_fail(err, BNN_ESHAPE, "logits is %s, labels is %s: wanted labels [%zu]",
                    BNN_SHAPE(&x[0]), BNN_SHAPE(&x[1]), x[0].dim[0]);
  *y = bnn_shape_make(BNN_REAL, 1, x[0].dim);
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y);
  return has_rows[0] && has_rows[1] ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

static bnn_status verify(const bnn_tensor *const *x, int n, const bnn_attr *attr, bnn_err *err) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  const int64_t classes = (int64_t)x[0]->dim[1];
  for (size_t i = 0; i < x[1]->size; i++) {
    const int64_t label = op_integer(x[1], i);
    if (label < 0 || label >= classes)
      return bnn_fail(err, BNN_ERANGE, "label %lld of example %zu is outside 0..%lld",
                      (long long)label, x[1]->row0 + i + 1, (long long)classes - 1);
  }
  return BNN_OK;
}

BNN_KERNEL log1p_all(bnn_real *restrict x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = vm_log1p(x[i]);
}

/* y of examples [from, from + count), a block of scores.h. */
static void forward_block(bnn_real *y, const bnn_tensor *logits, const bnn_tensor *labels,
                          size_t from, size_t count) {
  const size_t classes = logits->dim[1];
  const bnn_real *l = bnn_tensor_real(logits) + from * classes;
  bnn_real max[SCORES_ROWS], log_sum[SCORES_ROWS];
  scores_stats(max, log_sum, l, count, classes);
  log1p_all(log_sum, count);
  for (size_t r = 0; r < count; r++)
    y[from + r] = log_sum[r] + (max[r] - l[r * classes + (size_t)op_integer(labels, from + r)]);
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  const size_t block = scores_block(x[0]->dim[1]);
  for (size_t from = 0; from < y->size; from += block)
    forward_block(bnn_tensor_real(y), x[0], x[1], from,
                  y->size - from < block ? y->size - from : block);
}

/* A stretch of n classes, from `at`, of `count` rows: as large as the buffer. */
typedef struct patch {
  size_t from, count, at, n, classes;
} patch;

/* e = the patch of softmax(l) - [c = label]. */
static void residual(bnn_real *e, const bnn_real *l, const bnn_real *y, const bnn_tensor *labels,
                     const patch *p) {
  for (size_t r = 0; r < p->count; r++) {
    const bnn_real *row = l + (p->from + r) * p->classes;
    const bnn_real of_label = row[op_integer(labels, p->from + r)], loss = y[p->from + r];
    for (size_t c = 0; c < p->n; c++) e[r * p->n + c] = (row[p->at + c] - of_label) - loss;
  }
  scores_exp(e, p->count * p->n);
  for (size_t r = 0; r < p->count; r++) {
    const size_t label = (size_t)op_integer(labels, p->from + r);
    if (label >= p->at && label - p->at < p->n) e[r * p->n + label - p->at] -= 1;
  }
}

static void backward_patch(bnn_real *dl, const bnn_real *dy, const bnn_real *y,
                           const bnn_tensor *const *x, const patch *p) {
  bnn_real e[SCORES_CHUNK];
  residual(e, bnn_tensor_real(x[0]), y, x[1], p);
  for (size_t r = 0; r < p->count; r++) {
    bnn_real *row = dl + (p->from + r) * p->classes + p->at;
    const bnn_real g = dy[p->from + r];
    for (size_t c = 0; c < p->n; c++) row[c] += g * e[r * p->n + c];
  }
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  if (!dx[0]) return;
  patch p = {.classes = x[0]->dim[1]};
  const size_t block = scores_block(p.classes), examples = y->size;
  for (p.from = 0; p.from < examples; p.from += block) {
    p.count = examples - p.from < block ? examples - p.from : block;
    for (p.at = 0; p.at < p.classes; p.at += p.n) {
      p.n = p.classes - p.at < SCORES_CHUNK ? p.classes - p.at : SCORES_CHUNK;
      backward_patch(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), bnn_tensor_real(y), x, &p);
    }
  }
}

BNN_OP(cross_entropy) = {
    .name = "cross_entropy",
    .doc = "cross_entropy(logits, labels): -log softmax(logits)[label] of each example, [n], for "
           "logits [n, classes] and labels [n] of i32 or i64 in 0..classes-1",
    .arity = 2,
    .integers = true,
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .verify = verify,
    .check =
        {.lo = -3, .hi = 3, .tol = 1e-8, .in = {{2, {5, 4}, 0}, {1, {5}, BNN_I32}}, .classes = 4},
};
