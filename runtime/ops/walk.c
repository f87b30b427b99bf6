/* walk.c - see walk.h. */
#include "walk.h"

#include <string.h>

/* Elements from one position to the next along each axis of full: 0 where x is repeated. */
static void operand_strides(size_t *stride, const bnn_tensor *full, const bnn_tensor *x) {
  size_t step = 1;
  for (int k = full->rank - 1; k >= 0; k--) {
    int own = k - (full->rank - x->rank);
    bool repeated = own < 0 || x->dim[own] == 1;
    stride[k] = repeated ? 0 : step;
    if (!repeated) step *= x->dim[own];
  }
}

/* Appends an axis, as part of the last one where every operand walks through both alike. */
static void append_axis(walk *w, size_t dim, const size_t *stride) {
  int last = w->rank - 1;
  bool merges = last >= 0;
  for (int o = 0; o < w->operands && merges; o++) merges = w->stride[o][last] == stride[o] * dim;
  if (merges)
    w->dim[last] *= dim;
  else
    w->dim[last = w->rank++] = dim;
  for (int o = 0; o < w->operands; o++) w->stride[o][last] = stride[o];
}

/* Takes the last axis out as the inner loop. */
static void take_inner(walk *w) {
  w->inner = 1;
  if (w->rank == 0) return;
  int last = --w->rank;
  w->inner = w->dim[last];
  for (int o = 0; o < w->operands; o++) w->still[o] = w->stride[o][last] == 0;
}

void walk_init(walk *w, const bnn_tensor *full, const bnn_tensor *const *x, int n) {
  size_t stride[1 + WALK_INPUTS][BNN_RANK_MAX];
  *w = (walk){.operands = 1 + n};
  operand_strides(stride[0], full, full);
  for (int i = 0; i < n; i++) operand_strides(stride[1 + i], full, x[i]);
  for (int k = 0; k < full->rank; k++) {
    if (full->dim[k] == 1) continue;
    size_t at[1 + WALK_INPUTS];
    for (int o = 0; o < w->operands; o++) at[o] = stride[o][k];
    append_axis(w, full->dim[k], at);
  }
  take_inner(w);
}

/* Puts axis k at place `to`, those between one place further. */
static void move_axis(walk *w, int k, int to) {
  for (; k > to; k--) {
    size_t dim = w->dim[k];
    w->dim[k] = w->dim[k - 1], w->dim[k - 1] = dim;
    for (int o = 0; o < w->operands; o++) {
      size_t stride = w->stride[o][k];
      w->stride[o][k] = w->stride[o][k - 1], w->stride[o][k - 1] = stride;
    }
  }
}

void walk_split(walk *w, int operand) {
  w->kept = 0;
  for (int k = 0; k < w->rank; k++)
    if (w->stride[operand][k] != 0) move_axis(w, k, w->kept++);
}

size_t walk_count(const walk *w, int from, int to) {
  size_t count = 1;
  for (int k = from; k < to; k++) count *= w->dim[k];
  return count;
}

void walk_next(walk_cursor *c, const walk *w, int from, int to) {
  for (int k = to - 1; k >= from; k--) {
    for (int o = 0; o < w->operands; o++) c->at[o] += w->stride[o][k];
    if (++c->index[k] < w->dim[k]) return;
    for (int o = 0; o < w->operands; o++) c->at[o] -= w->stride[o][k] * w->dim[k];
    c->index[k] = 0;
  }
}

void walk_seek(walk_cursor *c, const walk *w, int from, int to, size_t steps) {
  for (int k = to - 1; k >= from; k--) {
    c->index[k] = steps % w->dim[k];
    steps /= w->dim[k];
    for (int o = 0; o < w->operands; o++) c->at[o] += w->stride[o][k] * c->index[k];
  }
}

/* The inputs of a kernel for a stretch of the inner loop. */
typedef struct lanes {
  const bnn_real *in[WALK_INPUTS];
  bnn_real spread[WALK_INPUTS][WALK_CHUNK];
} lanes;

static bool any_still(const walk *w) {
  bool any = false;
  for (int o = 0; o < w->operands; o++) any |= w->still[o];
  return any;
}

/* Spreads the inputs that stand still over a stretch of up to n elements. */
static void lanes_spread(lanes *l, const walk *w, const walk_cursor *c, const bnn_tensor *const *x,
                         size_t n) {
  for (int k = 0; k + 1 < w->operands; k++) {
    if (!w->still[k + 1]) continue;
    const bnn_real value = bnn_tensor_real(x[k])[c->at[k + 1]];
    for (size_t i = 0; i < n; i++) l->spread[k][i] = value;
    l->in[k] = l->spread[k];
  }
}

/* Points the other inputs at element i of the inner loop. */
static void lanes_point(lanes *l, const walk *w, const walk_cursor *c, const bnn_tensor *const *x,
                        size_t i) {
  for (int k = 0; k + 1 < w->operands; k++)
    if (!w->still[k + 1]) l->in[k] = bnn_tensor_real(x[k]) + c->at[k + 1] + i;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* One of the two. */
static void map(bnn_tensor *y, const bnn_tensor *const *x, int n, walk_value *f, walk_value4 *f4) {
  if (y->size == 0) return;
  walk w;
  walk_init(&w, y, x, n);
  const size_t rows = walk_count(&w, 0, w.rank);
  const size_t step = any_still(&w) ? WALK_CHUNK : w.inner;
  walk_cursor c = {0};
  lanes l;
  memset(l.in, 0, sizeof l.in);
  for (size_t r = 0; r < rows; r++, walk_next(&c, &w, 0, w.rank)) {
    lanes_spread(&l, &w, &c, x, least(step, w.inner));
    for (size_t i = 0; i < w.inner; i += step) {
      lanes_point(&l, &w, &c, x, i);
      bnn_real *at = bnn_tensor_real(y) + c.at[0] + i;
      const size_t count = least(step, w.inner - i);
      if (f)
        f(at, l.in[0], l.in[1], l.in[2], count);
      else
        f4(at, l.in[0], l.in[1], l.in[2], l.in[3], count);
    }
  }
}

void walk_map(bnn_tensor *y, const bnn_tensor *const *x, int n, walk_value *f) {
  map(y, x, n, f, NULL);
}

void walk_map4(bnn_tensor *y, const bnn_tensor *const *x, int n, walk_value4 *f) {
  map(y, x, n, NULL, f);
}

/* What a gradient is made from. */
typedef struct slope_call {
  walk w;
  walk_cursor c;
  lanes l;
  const bnn_real *dy, *y;
  const bnn_tensor *const *x;
  walk_slope *f; /* or */
  walk_slope4 *f4;
} slope_call;

/* d[0..n) += the gradient at element i of the inner loop; the spreads are in place. */
static void slope_add(bnn_real *d, slope_call *s, size_t i, size_t n) {
  lanes_point(&s->l, &s->w, &s->c, s->x, i);
  const size_t at = s->c.at[0] + i;
  const bnn_real *const *in = s->l.in;
  if (s->f)
    s->f(d, s->dy + at, s->y + at, in[0], in[1], in[2], n);
  else
    s->f4(d, s->dy + at, in[0], in[1], in[2], in[3], n);
}

/* The operand is not repeated: straight into dx. */
static void grad_direct(bnn_real *dx, int k, slope_call *s) {
  const walk *w = &s->w;
  const size_t rows = walk_count(w, 0, w->rank), step = any_still(w) ? WALK_CHUNK : w->inner;
  for (size_t r = 0; r < rows; r++, walk_next(&s->c, w, 0, w->rank)) {
    lanes_spread(&s->l, w, &s->c, s->x, least(step, w->inner));
    for (size_t i = 0; i < w->inner; i += step)
      slope_add(dx + s->c.at[k + 1] + i, s, i, least(step, w->inner - i));
  }
}

BNN_KERNEL add_to_sums(double *restrict sum, const bnn_real *restrict d, size_t n) {
  for (size_t i = 0; i < n; i++) sum[i] += d[i];
}

/* sum[0..n) += the gradient at elements [i, i + n), over all outer axes along which the operand is
 * repeated. */
static void sum_members(double *sum, slope_call *s, size_t i, size_t n) {
  const walk *w = &s->w;
  const size_t members = walk_count(w, w->kept, w->rank);
  bnn_real d[WALK_CHUNK];
  for (size_t m = 0; m < members; m++, walk_next(&s->c, w, w->kept, w->rank)) {
    memset(d, 0, n * sizeof *d);
    lanes_spread(&s->l, w, &s->c, s->x, n);
    slope_add(d, s, i, n);
    add_to_sums(sum, d, n);
  }
}

/* Adds the sums of a stretch to n elements of dx and clears them. */
static void flush_sums(bnn_real *dx, double *sum, size_t n) {
  for (size_t i = 0; i < n; i++) dx[i] += (bnn_real)sum[i], sum[i] = 0;
}

static double total(const double *sum) {
  double all = 0;
  for (size_t i = 0; i < WALK_CHUNK; i++) all += sum[i];
  return all;
}

/* The operand is repeated: every element of dx, or stretch of them, takes a sum. */
static void grad_summed(bnn_real *dx, int k, slope_call *s) {
  const walk *w = &s->w;
  const size_t groups = walk_count(w, 0, w->kept);
  const bool still = w->still[k + 1];
  double sum[WALK_CHUNK] = {0};
  for (size_t g = 0; g < groups; g++, walk_next(&s->c, w, 0, w->kept)) {
    bnn_real *d = dx + s->c.at[k + 1];
    for (size_t i = 0; i < w->inner; i += WALK_CHUNK) {
      const size_t n = least(WALK_CHUNK, w->inner - i);
      sum_members(sum, s, i, n);
      if (!still) flush_sums(d + i, sum, n);
    }
    if (!still) continue;
    d[0] += (bnn_real)total(sum);
    memset(sum, 0, least(WALK_CHUNK, w->inner) * sizeof *sum);
  }
}

/* With f and f4 filled in. */
static void grad(bnn_tensor *dx, int k, const bnn_tensor *dy, const bnn_tensor *y,
                 const bnn_tensor *const *x, int n, slope_call *s) {
  if (y->size == 0) return;
  s->dy = bnn_tensor_real(dy), s->y = bnn_tensor_real(y), s->x = x;
  walk_init(&s->w, y, x, n);
  if (x[k]->size == y->size) {
    grad_direct(bnn_tensor_real(dx), k, s);
    return;
  }
  walk_split(&s->w, k + 1);
  grad_summed(bnn_tensor_real(dx), k, s);
}

void walk_grad(bnn_tensor *dx, int k, const bnn_tensor *dy, const bnn_tensor *y,
               const bnn_tensor *const *x, int n, walk_slope *f) {
  slope_call s = {.f = f};
  grad(dx, k, dy, y, x, n, &s);
}

void walk_grad4(bnn_tensor *dx, int k, const bnn_tensor *dy, const bnn_tensor *y,
                const bnn_tensor *const *x, int n, walk_slope4 *f) {
  slope_call s = {.f4 = f};
  grad(dx, k, dy, y, x, n, &s);
}
