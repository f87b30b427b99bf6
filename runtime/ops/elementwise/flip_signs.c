/* flip_signs: x times random signs +-1, one for each row of the batch and each position along an axis,
 * which all other axes share: the signs of flipout (Wen et al., "Flipout", ICLR 2018).
 *
 * The sign of row i and position j of c is bit i c + j of the key's sequence of 64-bit numbers, i
 * counted in the whole batch.  So a block of rows gets what the whole batch would, and backward
 * makes the signs again instead of keeping them. */
#include "../../vec/vec_rows.h"
#include "../op_help.h"

enum { CHUNK = 1024, BITS = 32 };

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  BNN_TRY(op_check_real(&x[0], "x", err));
  BNN_TRY(op_check_key(&x[1], err));
  if (x[0].rank < 2)
    return bnn_fail(err, BNN_ESHAPE, "x: expected rows, [n, ...], got %s", BNN_SHAPE(&x[0]));
  const int axis = op_axis(attr, x[0].rank);
  BNN_TRY(op_check_axis(axis, &x[0], err));
  if (axis == 0) return bnn_fail(err, BNN_ERANGE, "axis: expected one after the rows, got 1");
  *y = x[0];
  return BNN_OK;
}

/* Bits of words, from the lowest, as signs. */
BNN_KERNEL signs_of(bnn_real *restrict sign, const uint32_t *restrict word, size_t words) {
  for (size_t i = 0; i < words; i++)
    for (uint32_t b = 0; b < BITS; b++)
      sign[i * BITS + b] = (bnn_real)((int32_t)(word[i] >> b & 1) * 2 - 1);
}

/* Signs [n] from `from` of the sequence on, within the memory of `room`; n is CHUNK at most. */
static const bnn_real *draw(bnn_real *room, bnn_key key, uint64_t from, size_t n) {
  uint64_t bits[CHUNK / 64 + 1];
  uint32_t word[2 * (CHUNK / 64 + 1)];
  const size_t before = from % 64, count = (before + n + 63) / 64;
  VEC(bits)(bits, key, from / 64, count);
  for (size_t i = 0; i < count; i++) {
    word[2 * i] = (uint32_t)bits[i];
    word[2 * i + 1] = (uint32_t)(bits[i] >> 32);
  }
  signs_of(room, word, 2 * count);
  return room + before;
}

BNN_KERNEL scale(bnn_real *restrict y, const bnn_real *restrict x, const bnn_real *restrict sign,
                 size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = x[i] * sign[i];
}

BNN_KERNEL scale_add(bnn_real *restrict y, const bnn_real *restrict x,
                     const bnn_real *restrict sign, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i] * sign[i];
}

/* The same with a sign for `inner` elements each. */
BNN_KERNEL scale_runs(bnn_real *restrict y, const bnn_real *restrict x,
                      const bnn_real *restrict sign, size_t n, size_t inner) {
  for (size_t j = 0; j < n; j++)
    for (size_t k = 0; k < inner; k++) y[j * inner + k] = x[j * inner + k] * sign[j];
}

BNN_KERNEL scale_add_runs(bnn_real *restrict y, const bnn_real *restrict x,
                          const bnn_real *restrict sign, size_t n, size_t inner) {
  for (size_t j = 0; j < n; j++)
    for (size_t k = 0; k < inner; k++) y[j * inner + k] += x[j * inner + k] * sign[j];
}

static void flip(bnn_real *y, const bnn_real *x, const bnn_real *sign, size_t n, size_t inner,
                 bool add) {
  if (inner > 1)
    (add ? scale_add_runs : scale_runs)(y, x, sign, n, inner);
  else
    (add ? scale_add : scale)(y, x, sign, n);
}

/* A tensor as rows [outer, signs, inner]. */
typedef struct axes {
  size_t rows, outer, signs, inner;
} axes;

/* Where the axis is the only one after the rows, these are one long row. */
static axes axes_of(const bnn_tensor *x, const bnn_attr *attr) {
  const int axis = op_axis(attr, x->rank);
  axes a = {x->dim[0], op_span(x->dim, 1, axis), x->dim[axis], op_span(x->dim, axis + 1, x->rank)};
  if (a.outer == 1 && a.inner == 1) {
    a.signs *= a.rows;
    a.rows = 1;
  }
  return a;
}

/* to = or += from, with its signs; `of` has the rows and the place in the batch. */
static void run(bnn_real *to, const bnn_real *from, const bnn_tensor *of, const bnn_tensor *key,
                const bnn_attr *attr, bool add) {
  const axes a = axes_of(of, attr);
  const bnn_key bits = {*(const uint64_t *)key->data};
  const uint64_t first = of->row0 * of->dim[op_axis(attr, of->rank)];
  for (size_t i = 0; i < a.rows; i++)
    for (size_t j = 0; j < a.signs; j += CHUNK) {
      bnn_real room[CHUNK + 128];
      const size_t n = a.signs - j < CHUNK ? a.signs - j : CHUNK;
      const bnn_real *sign = draw(room, bits, first + i * a.signs + j, n);
      for (size_t k = 0; k < a.outer; k++) {
        const size_t at = ((i * a.outer + k) * a.signs + j) * a.inner;
        flip(to + at, from + at, sign, n, a.inner, add);
      }
    }
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  run(bnn_tensor_real(y), bnn_tensor_real(x[0]), x[0], x[1], attr, false);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  if (dx[0]) run(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), x[0], x[1], attr, true);
}

static void backward_set(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n);
  run(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), x[0], x[1], attr, false);
}

BNN_OP(flip_signs) = {
    .name = "flip_signs",
    .doc =
        "flip_signs(x, key [, axis]): x times random signs, one for each row and each position "
        "along the axis (the last), which the other axes share: the signs of flipout (Wen et al. "
        "2018)",
    .example = "bnn.ones(2, 3):flip_signs(bnn.key(1)) --> [2, 3], each 1 or -1",
    .arity = 2,
    .args = "a?",
    .integers = true,
    .infer = infer,
    .rows = op_rows_noise,
    .forward = forward,
    .backward = backward,
    .backward_set = backward_set,
    .y_unread = true,
    .defaults = {.axis = BNN_AXIS_NONE},
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{3, {4, 3, 2}, 0}, {0, {1}, BNN_U64}},
              .attr = {.axis = 1},
              .first = 7,
              .classes = 1},
};
