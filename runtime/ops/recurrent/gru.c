/* gru: gated recurrent units (Cho et al. 2014), with the reset gate after the product, as cuDNN and
 * PyTorch have it.
 *
 *   r, z = sigmoid of the parts of p + u state'      q = (u state')_n + b      n = tanh(p_n + r q)
 *   state = (1 - z) n + z state'
 *
 * A row of y: state, r, z, n, q. */
#include "../../vec/vec_math.h"
#include "recurrent.h"

BNN_KERNEL units(bnn_real *restrict y, const bnn_real *restrict p, const bnn_real *restrict u,
                 const bnn_real *restrict before, const bnn_real *restrict b, size_t h) {
  for (size_t j = 0; j < h; j++) {
    const bnn_real r = vm_sigmoid(p[j] + u[j]), z = vm_sigmoid(p[h + j] + u[h + j]);
    const bnn_real q = u[2 * h + j] + b[j], n = vm_tanh(p[2 * h + j] + r * q);
    y[j] = (1 - z) * n + z * before[j];
    y[h + j] = r, y[2 * h + j] = z, y[3 * h + j] = n, y[4 * h + j] = q;
  }
}

static void cell_forward(bnn_real *y, const bnn_real *p, const bnn_real *r, const bnn_real *before,
                         const bnn_real *b, size_t h) {
  units(y, p, r, before, b, h);
}

/* d: of state, r, z, n, q; what goes back is z d to the state, and nothing to the rest. */
BNN_KERNEL unit_slopes(bnn_real *restrict dp, bnn_real *restrict du, bnn_real *restrict d,
                       const bnn_real *restrict y, const bnn_real *restrict before, size_t h) {
  for (size_t j = 0; j < h; j++) {
    const bnn_real r = y[h + j], z = y[2 * h + j], n = y[3 * h + j], q = y[4 * h + j];
    const bnn_real dn = (d[3 * h + j] + d[j] * (1 - z)) * (1 - n * n);
    const bnn_real dq = d[4 * h + j] + dn * r;
    const bnn_real dr = (d[h + j] + dn * q) * r * (1 - r);
    const bnn_real dz = (d[2 * h + j] + d[j] * (before[j] - n)) * z * (1 - z);
    dp[j] = du[j] = dr;
    dp[h + j] = du[h + j] = dz;
    dp[2 * h + j] = dn;
    du[2 * h + j] = dq;
    d[j] *= z;
  }
  for (size_t j = h; j < 5 * h; j++) d[j] = 0;
}

static void cell_backward(bnn_real *dp, bnn_real *dr, bnn_real *d, const bnn_real *y,
                          const bnn_real *before, size_t h) {
  unit_slopes(dp, dr, d, y, before, h);
}

static const recurrent_cell cell = {
    .gates = 3, .parts = 5, .forward = cell_forward, .backward = cell_backward};

RECURRENT_FUNCTIONS(cell)

BNN_OP(gru) = {
    .name = "gru",
    .doc =
        "gru(p, u, b, descending = false): a layer of gated recurrent units over the steps of "
        "sequences, for p = x w + b [n, t, 3 h], u [h, 3 h] and b [h], the bias of the new state's "
        "recurrent part; gates in the order reset, update, new; the result is [n, t, 5 h]: "
        "state, these gates, and the recurrent part; descending reads from the end (Cho et al. "
        "2014)",
    .example = "bnn.zeros(2, 5, 9):gru(bnn.zeros(3, 9), bnn.zeros(3)) --> [2, 5, 15]",
    .arity = 3,
    RECURRENT_ROW,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-8,
              .in = {{3, {3, 4, 6}, 0}, {2, {2, 6}, 0}, {1, {2}, 0}}},
};
