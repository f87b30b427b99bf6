/* logistic: log p(x) = -|z| - 2 log(1 + e^-|z|) - log scale, z = (x - loc) / scale.
 *
 *   dx = -tanh(z/2) / scale = -dloc     dscale = (z tanh(z/2) - 1) / scale */
#include "density_row.h"

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real size = R(fabs)((x - a) / b);
  return -size - 2 * vm_log1p(vm_exp(-size)) - vm_log(b);
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return vm_tanh((x - a) / b / 2) / b;
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return -slope_a(x, a, b, c);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = (x - a) / b;
  return (z * vm_tanh(z / 2) - 1) / b;
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  *mean = param[0];
  *variance = param[1] * param[1] * M_PI * M_PI / 3;
}

static const bnn_density density = {
    .name = "logistic",
    .doc = "logistic distribution: its distribution function is a sigmoid",
    .param = {LOC_PARAM, SCALE_PARAM("scale")},
    DENSITY_OF_REALS,
    DENSITY_KERNELS,
};

DENSITY_OP(logistic, 2, "loc, scale", "-z - 2 log(1 + e^-z) - log scale with z = (x - loc) / scale",
           "({0, 1}, 0, 1) --> {-1.3863, -1.6265}", .lo = 0.5, .hi = 2, .tol = 1e-8)
