/* gru: gated recurrent units (Cho et al. 2014), with the reset gate after the product, as cuDNN and
 * PyTorch have it.
 *
 *   r, z = sigmoid of the parts of p + u state'      q = (u state')_n + b      n = tanh(p_n + r q)
 *   state = (1 - z) n + z state'
 *
 * A row of y: state, r, z, n, q. */
#include "../../vec/vec_math.h"
#include "recurrent.h"

BNN_KERNEL gates(bnn_real *restrict y, const bnn_real *restrict p, const bnn_real *restrict u,
                 size_t n) {
  for (size_t j = 0; j < n; j++) y[j] = vm_sigmoid(p[j] + u[j]);
}

BNN_KERNEL units(bnn_real *restrict state, bnn_real *restrict n, bnn_real *restrict q,
                 const bnn_real *restrict gate, const bnn_real *restrict p,
                 const bnn_real *restrict u, const bnn_real *restrict before,
                 const bnn_real *restrict b, size_t h) {
  for (size_t j = 0; j < h; j++) {
    q[j] = u[j] + b[j];
    n[j] = vm_tanh(p[j] + gate[j] * q[j]);
    state[j] = (1 - gate[h + j]) * n[j] + gate[h + j] * before[j];
  }
}

static void cell_forward(bnn_real *y, const bnn_real *p, const bnn_real *r, const bnn_real *before,
                         const bnn_real *b, size_t h) {
  gates(y + h, p, r, 2 * h);
  units(y, y + 3 * h, y + 4 * h, y + h, p + 2 * h, r + 2 * h, before, b, h);
}

/* d becomes what goes back to the state; rest is r, z, n, q, one after the other, and so are these after
 * the state in dy.  What is written has pointers of its own, as a loop cannot tell that parts of one
 * array do not overlap. */
BNN_KERNEL unit_slopes(bnn_real *restrict dr, bnn_real *restrict dz, bnn_real *restrict dn,
                       bnn_real *restrict dq, bnn_real *restrict d, const bnn_real *restrict dy,
                       const bnn_real *restrict rest, const bnn_real *restrict before, size_t h) {
  for (size_t j = 0; j < h; j++) {
    const bnn_real r = rest[j], z = rest[h + j], n = rest[2 * h + j], q = rest[3 * h + j];
    const bnn_real d_state = d[j] + dy[j];
    dn[j] = (dy[3 * h + j] + d_state * (1 - z)) * (1 - n * n);
    dq[j] = dy[4 * h + j] + dn[j] * r;
    dr[j] = (dy[h + j] + dn[j] * q) * r * (1 - r);
    dz[j] = (dy[2 * h + j] + d_state * (before[j] - n)) * z * (1 - z);
    d[j] = d_state * z;
  }
}

static void cell_backward(bnn_real *dp, bnn_real *dr, bnn_real *d, const bnn_real *dy,
                          const bnn_real *y, const bnn_real *before, size_t h) {
  unit_slopes(dp, dp + h, dp + 2 * h, dr + 2 * h, d, dy, y + h, before, h);
  memcpy(dr, dp, 2 * h * sizeof *dr);
}

static const recurrent_cell cell = {.gates = 3,
                                    .parts = 5,
                                    .carried = 1,
                                    .forward = cell_forward,
                                    .backward = cell_backward,
                                    .has_bias = true};

RECURRENT_FUNCTIONS(cell)

BNN_OP(gru) = {
    .name = "gru",
    .doc = "gru(p, u, b, state = 0, lengths = t, descending = false): a layer of gated recurrent "
           "units over the steps of sequences, for p = x w + b [n, t, 3 h], u [h, 3 h] and b [h], "
           "the bias of the new state's recurrent part; gates in the order reset, update, new; "
           "the result is [n, t, 5 h]: state, these gates, and the recurrent part. state [n, h], "
           "or [1, h] for all sequences, stands before the first step. lengths [n], integers or "
           "real numbers, which are cut to 0 to t, are the steps that each sequence has; rows "
           "after them are 0. descending reads from the end (Cho et al. 2014)",
    .example =
        "local u, b = bnn.zeros(3, 9), bnn.zeros(3)\n"
        "bnn.zeros(2, 5, 9):gru(u, b) --> [2, 5, 15]\n"
        "bnn.zeros(2, 1, 9):gru(u, b, bnn.ones(1, 3)):narrow(3, 1, 1) --> {{{0.5}}, {{0.5}}}",
    .arity = 3,
    RECURRENT_ROW,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{3, {3, 4, 6}, 0}, {2, {2, 6}, 0}, {1, {2}, 0}},
              .classes = 5},
};
