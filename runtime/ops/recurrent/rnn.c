/* rnn: a plain recurrent layer (Elman 1990), state = tanh(p + r). */
#include "../../vec/vec_math.h"
#include "recurrent.h"

BNN_KERNEL units(bnn_real *restrict y, const bnn_real *restrict p, const bnn_real *restrict r,
                 size_t h) {
  for (size_t j = 0; j < h; j++) y[j] = vm_tanh(p[j] + r[j]);
}

static void cell_forward(bnn_real *y, const bnn_real *p, const bnn_real *r, const bnn_real *before,
                         const bnn_real *b, size_t h) {
  BNN_UNUSED(before), BNN_UNUSED(b);
  units(y, p, r, h);
}

BNN_KERNEL unit_slopes(bnn_real *restrict dp, bnn_real *restrict d, const bnn_real *restrict dy,
                       const bnn_real *restrict y, size_t h) {
  for (size_t j = 0; j < h; j++) {
    dp[j] = (d[j] + dy[j]) * (1 - y[j] * y[j]);
    d[j] = 0;
  }
}

static void cell_backward(bnn_real *dp, bnn_real *dr, bnn_real *d, const bnn_real *dy,
                          const bnn_real *y, const bnn_real *before, size_t h) {
  BNN_UNUSED(dr), BNN_UNUSED(before);
  unit_slopes(dp, d, dy, y, h);
}

static const recurrent_cell cell = {.gates = 1,
                                    .parts = 1,
                                    .carried = 1,
                                    .forward = cell_forward,
                                    .backward = cell_backward,
                                    .has_one_slope = true};

RECURRENT_FUNCTIONS(cell)

BNN_OP(rnn) = {
    .name = "rnn",
    .doc = "rnn(p, u, state = 0, lengths = t, descending = false): a plain recurrent layer over "
           "the steps of sequences, for p = x w + b [n, t, h] and u [h, h]: state = tanh(p + "
           "state of the step before times u), [n, t, h]. state [n, h], or [1, h] for all "
           "sequences, stands before the first step. lengths [n], integers or real numbers, which "
           "are cut to 0 to t, are the steps that each sequence has; rows after them are 0. "
           "descending reads from the end (Elman 1990)",
    .example = "local p, u = bnn.zeros(2, 5, 3), bnn.zeros(3, 3)\n"
               "p:rnn(u, bnn.ones(1, 3), bnn.tensor({5, 3}, \"i32\")) --> [2, 5, 3]",
    .arity = 2,
    RECURRENT_ROW,
    .check =
        {.lo = -1, .hi = 1, .tol = 1e-8, .in = {{3, {3, 4, 2}, 0}, {2, {2, 2}, 0}}, .classes = 5},
};
