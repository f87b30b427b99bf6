/* horseshoe: the horseshoe-like density of Bhadra, Datta, Polson & Willard, "The horseshoe-like
 * regularization for feature subset selection", Sankhya B 2021, with its pole rounded off.  With
 * u = x / scale and e = 2^-10,
 *
 *   p(x) = log(1 + 1/(u^2 + e^2)) / (2 pi scale (sqrt(1 + e^2) - e))
 *
 * The horseshoe itself (Carvalho, Polson & Scott 2010), N(0, lambda^2 scale^2) with lambda
 * half-Cauchy, has no closed form: it is e^z E1(z) with z = u^2/2.  This one is, has the same two
 * properties - a pole at 0, where it grows like log(1/|u|), and tails that fall like 1/u^2 - and
 * stands in for it.  A pole has no finite gradient; e^2 beside u^2 makes it smooth within about |u|
 * < 0.001 and, as the integral of log((u^2 + s^2)/(u^2 + t^2)) is 2 pi (s - t), leaves the norm in
 * closed form.  With v = u^2 + e^2 and L = log(1 + 1/v):
 *
 *   d log p / du = -2 u / (v (v + 1) L) = h     dx = h / scale     dscale = -(u h + 1) / scale
 *
 * |h| is at most 78.  From |u| = 1e6 on, (v + 1) L is 1 to the last digit: log p = -2 log |u|, h =
 * -2/u. */
#include "density_row.h"

#define CORE ((bnn_real)0x1p-10)
#define FAR ((bnn_real)1e6)
#define MOST ((bnn_real)1e18)
#define LOG_NORM 1.8369005040645658 /* log(2 pi (sqrt(1 + e^2) - e)) */

static inline bnn_real value(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(b), BNN_UNUSED(c);
  const bnn_real size = R(fabs)(x / a), near = size > FAR ? FAR : size;
  const bnn_real close = vm_log(vm_log1p(1 / (near * near + CORE * CORE)));
  return (size > FAR ? -2 * vm_log(size) : close) - vm_log(a) - (bnn_real)LOG_NORM;
}

static inline bnn_real slope_u(bnn_real u) {
  const bnn_real t = u > MOST ? MOST : u < -MOST ? -MOST : u; /* whose square does not overflow */
  const bnn_real v = t * t + CORE * CORE, w = 1 / v, product = (v + 1) * vm_log1p(w);
  return -2 * t * w / (R(fabs)(t) > FAR ? 1 : product);
}

static inline bnn_real slope_x(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(b), BNN_UNUSED(c);
  return slope_u(x / a) / a;
}

static inline bnn_real slope_a(bnn_real x, bnn_real a, bnn_real b, bnn_real c) {
  BNN_UNUSED(b), BNN_UNUSED(c);
  const bnn_real u = x / a, rest = R(fabs)(u) > FAR ? 1 : -(u * slope_u(u) + 1);
  return rest / a;
}

DENSITY_1(slope_a)

static void moments(double *mean, double *variance, const double *param) {
  BNN_UNUSED(param);
  *mean = *variance = NAN;
}

static const bnn_density density = {
    .name = "horseshoe",
    .doc =
        "horseshoe-like distribution: a peak at 0 and tails like a Cauchy's (Bhadra et al. 2021)",
    .param = {SCALE_PARAM("scale")},
    DENSITY_OF_REALS,
    DENSITY_KERNELS,
};

DENSITY_OP(horseshoe, 1, "scale",
           "log(log(1 + 1/(u^2 + 2^-20))) with u = x / scale, less the log of its norm",
           "({0.1, 1}, 1) --> {-0.3076, -2.2034}", .lo = 0.5, .hi = 2, .tol = 1e-8)
