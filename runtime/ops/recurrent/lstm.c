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

/* dc becomes what goes back to c; the gates are i, f, g, o, one after the other, and follow
 * state and c in dy.  What is written has pointers of its own, as a loop cannot tell that parts of one
 * array do not overlap. */
BNN_KERNEL memory_slopes(bnn_real *restrict di, bnn_real *restrict df, bnn_real *restrict dg,
                         bnn_real *restrict dout, bnn_real *restrict dc,
                         const bnn_real *restrict d_state, const bnn_real *restrict dy,
                         const bnn_real *restrict c, const bnn_real *restrict gate,
                         const bnn_real *restrict c_before, size_t h) {
  for (size_t j = 0; j < h; j++) {
    const bnn_real i = gate[j], f = gate[h + j], g = gate[2 * h + j], o = gate[3 * h + j];
    const bnn_real tanh_c = vm_tanh(c[j]);
    const bnn_real ds = d_state[j] + dy[j];
    const bnn_real slope = dc[j] + dy[h + j] + ds * o * (1 - tanh_c * tanh_c);
    di[j] = (dy[2 * h + j] + slope * g) * i * (1 - i);
    df[j] = (dy[3 * h + j] + slope * c_before[j]) * f * (1 - f);
    dg[j] = (dy[4 * h + j] + slope * i) * (1 - g * g);
    dout[j] = (dy[5 * h + j] + ds * tanh_c) * o * (1 - o);
    dc[j] = slope * f;
  }
}

/* d: of state and c; what goes back is f dc to c, and nothing to the state. */
static void cell_backward(bnn_real *dp, bnn_real *dr, bnn_real *d, const bnn_real *dy,
                          const bnn_real *y, const bnn_real *before, size_t h) {
  BNN_UNUSED(dr);
  memory_slopes(dp, dp + h, dp + 2 * h, dp + 3 * h, d + h, d, dy, y + h, y + 2 * h, before + h, h);
  memset(d, 0, h * sizeof *d);
}

static const recurrent_cell cell = {.gates = 4,
                                    .parts = 6,
                                    .carried = 2,
                                    .forward = cell_forward,
                                    .backward = cell_backward,
                                    .has_one_slope = true};

RECURRENT_FUNCTIONS(cell)

BNN_OP(lstm) = {
    .name = "lstm",
    .doc = "lstm(p, u, state = 0, lengths = t, descending = false): a layer of LSTM cells over "
           "the steps of sequences, for p = x w + b [n, t, 4 h] and u [h, 4 h], gates in the "
           "order input, forget, cell, output; the result is [n, t, 6 h]: state, cell, and these "
           "gates. state [n, 2 h], or [1, 2 h] for all sequences, is the state and the cell "
           "before the first step. lengths [n], integers or real numbers, which are cut to 0 to "
           "t, are the steps that each sequence has; rows after them are 0. descending reads from "
           "the end (Hochreiter and Schmidhuber 1997, Gers et al. 2000)",
    .example = "local p, u = bnn.zeros(2, 5, 12), bnn.zeros(3, 12)\n"
               "p:lstm(u) --> [2, 5, 18]\n"
               "p:lstm(u, bnn.zeros(2, 6), bnn.tensor({5, 3}, \"i32\")) --> [2, 5, 18]",
    .arity = 2,
    RECURRENT_ROW,
    .check =
        {.lo = -1, .hi = 1, .tol = 1e-8, .in = {{3, {3, 4, 8}, 0}, {2, {2, 8}, 0}}, .classes = 5},
};
