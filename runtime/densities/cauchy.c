/* cauchy: log p(x) = -log pi - log scale - log(1 + z^2), z = (x - loc) / scale.
 *
 *   dx = -2 / (1/z + z) / scale = -dloc     dscale = (1 - 2 / (1 + z^2)) / scale */
#include "density_row.h"

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  return -LOG_PI - vm_log(b) - log1p_square((x - a) / b);
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = (x - a) / b;
  return 2 / (1 / z + z) / b;
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  return -slope_a(x, a, b, c);
}

static inline bnn_real slope_b(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(c);
  const bnn_real z = (x - a) / b;
  return (1 - 2 / (1 + z * z)) / b;
}

DENSITY_2(slope_a, slope_b)

static void moments(double *mean, double *variance, const double *param) {
  BNN_UNUSED(param);
  *mean = *variance = NAN;
}

static const bnn_density density = {
    .name = "cauchy",
    .doc = "Cauchy distribution: tails so heavy that it has no mean",
    .param = {LOC_PARAM, SCALE_PARAM("scale")},
    DENSITY_OF_REALS,
    DENSITY_KERNELS,
};

DENSITY_OP(cauchy, 2, "loc, scale", "-log(pi scale (1 + z^2)) with z = (x - loc) / scale",
           "({0, 1}, 0, 1) --> {-1.1447, -1.8379}", .lo = 0.5, .hi = 2, .tol = 1e-8)
