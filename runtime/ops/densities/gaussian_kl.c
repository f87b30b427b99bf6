/* gaussian_kl: KL(N(mu, e^v) || N(0, 1)) = (e^v - 1 - v + mu^2) / 2 of each element, from mu and the
 * log-variance v, as variational autoencoders need it (Kingma & Welling 2014, appendix B).
 *
 *   dmu = mu     dv = (e^v - 1) / 2
 *
 * Both parts are 0 or more, and the first keeps its digits near the prior (vec_math.h): no KL is
 * below 0. */
#include "../../vec/vec_math.h"
#include "../op_help.h"
#include "../walk.h"

BNN_KERNEL divergence(bnn_real *restrict y, const bnn_real *restrict mu, const bnn_real *restrict v,
                      const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) y[i] = (bnn_real)((vm_exp_rest(v[i]) + (double)mu[i] * mu[i]) / 2);
}

BNN_KERNEL slope_mu(bnn_real *restrict d, const bnn_real *restrict dy, const bnn_real *restrict y,
                    const bnn_real *restrict mu, const bnn_real *restrict v,
                    const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(y), BNN_UNUSED(v), BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) d[i] += dy[i] * mu[i];
}

BNN_KERNEL slope_logvar(bnn_real *restrict d, const bnn_real *restrict dy,
                        const bnn_real *restrict y, const bnn_real *restrict mu,
                        const bnn_real *restrict v, const bnn_real *restrict none, size_t n) {
  BNN_UNUSED(y), BNN_UNUSED(mu), BNN_UNUSED(none);
  for (size_t i = 0; i < n; i++) d[i] += dy[i] * (vm_expm1(v[i]) / 2);
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  walk_map(y, x, n, divergence);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  if (dx[0]) walk_grad(dx[0], 0, dy, y, x, n, slope_mu);
  if (dx[1]) walk_grad(dx[1], 1, dy, y, x, n, slope_logvar);
}

BNN_OP(gaussian_kl) = {
    .name = "gaussian_kl",
    .doc =
        "gaussian_kl(mu, logvar): KL(N(mu, e^logvar) || N(0, 1)) in nats (Kingma & Welling 2014), "
        "elementwise with broadcasting; accurate near 0 and never negative",
    .example = "bnn.gaussian_kl({0, 1}, 0) --> {0, 0.5}",
    .arity = 2,
    .infer = op_infer_broadcast,
    .rows = op_rows_broadcast,
    .forward = forward,
    .backward = backward,
    .check = {.lo = -2, .hi = 2, .tol = 1e-8},
};
