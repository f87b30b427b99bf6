/* lstm: long short-term memory (Hochreiter & Schmidhuber 1997; with forget gates, Gers et al. 2000).
 *
 *   i, f, o = sigmoid, g = tanh of the parts of p + r, in the order i, f, g, o
 *   c = f c' + i g        state = o tanh c
 *
 * A row of y: state, c, i, f, g, o. */
#include "../../vec/vec_math.h"
#include "recurrent.h"

BNN_KERNEL gates(bnn_real *restrict y, const bnn_real *restrict p, const bnn_real *restrict r,
                 size_t h) {
  for (size_t j = 0; j < 2 * h; j++) y[j] = vm_sigmoid(p[j] + r[j]);
  for (size_t j = 2 * h; j < 3 * h; j++) y[j] = vm_tanh(p[j] + r[j]);
  for (size_t j = 3 * h; j < 4 * h; j++) y[j] = vm_sigmoid(p[j] + r[j]);
}

BNN_KERNEL memory(bnn_real *restrict state, bnn_real *restrict c, const bnn_real *restrict gate,
                  const bnn_real *restrict c_before, size_t h) {
  const bnn_real *i = gate, *f = gate + h, *g = gate + 2 * h, *o = gate + 3 * h;
  for (size_t j = 0; j < h; j++) {
    c[j] = f[j] * c_before[j] + i[j] * g[j];
    state[j] = o[j] * vm_tanh(c[j]);
  }
}

static void cell_forward(bnn_real *y, const bnn_real *p, const bnn_real *r, const bnn_real *before,
                         const bnn_real *b, size_t h) {
  BNN_UNUSED(b);
  gates(y + 2 * h, p, r, h);
  memory(y, y + h, y + 2 * h, before + h, h);
}

/* d: of state, c, i, f, g, o; what goes back is f dc to c, and nothing to the rest. */
BNN_KERNEL memory_slopes(bnn_real *restrict dp, bnn_real *restrict d, const bnn_real *restrict y,
                         const bnn_real *restrict c_before, size_t h) {
  const bnn_real *c = y + h, *i = y + 2 * h, *f = y + 3 * h, *g = y + 4 * h, *o = y + 5 * h;
  for (size_t j = 0; j < h; j++) {
    const bnn_real tanh_c = vm_tanh(c[j]);
    const bnn_real dc = d[h + j] + d[j] * o[j] * (1 - tanh_c * tanh_c);
    dp[j] = (d[2 * h + j] + dc * g[j]) * i[j] * (1 - i[j]);
    dp[h + j] = (d[3 * h + j] + dc * c_before[j]) * f[j] * (1 - f[j]);
    dp[2 * h + j] = (d[4 * h + j] + dc * i[j]) * (1 - g[j] * g[j]);
    dp[3 * h + j] = (d[5 * h + j] + d[j] * tanh_c) * o[j] * (1 - o[j]);
    d[h + j] = dc * f[j];
  }
  for (size_t j = 0; j < h; j++) d[j] = 0;
  for (size_t j = 2 * h; j < 6 * h; j++) d[j] = 0;
}

static void cell_backward(bnn_real *dp, bnn_real *dr, bnn_real *d, const bnn_real *y,
                          const bnn_real *before, size_t h) {
  BNN_UNUSED(dr);
  memory_slopes(dp, d, y, before + h, h);
}

static const recurrent_cell cell = {.gates = 4,
                                    .parts = 6,
                                    .forward = cell_forward,
                                    .backward = cell_backward,
                                    .has_one_slope = true};

RECURRENT_FUNCTIONS(cell)

BNN_OP(lstm) = {
    .name = "lstm",
    .doc =
        "lstm(p, u, descending = false): a layer of LSTM cells over the steps of sequences, for p "
        "= x w + b [n, t, 4 h] and u [h, 4 h], gates in the order input, forget, cell, output; "
        "the result is [n, t, 6 h]: state, cell, and these gates; descending reads from the end "
        "(Hochreiter and Schmidhuber 1997, Gers et al. 2000)",
    .example = "bnn.zeros(2, 5, 12):lstm(bnn.zeros(3, 12)) --> [2, 5, 18]",
    .arity = 2,
    RECURRENT_ROW,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .in = {{3, {3, 4, 8}, 0}, {2, {2, 8}, 0}}},
};
