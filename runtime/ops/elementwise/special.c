/* Special functions of one input, elementwise, and the activations made of them.
 *
 * lgamma, digamma and erfinv are computed in double, one number at a time: 20 to 100 times the cost
 * of exp. */
#include "../../vec/vec_gamma.h"
#include "../../vec/vec_math.h"
#include "unary_rows.h"

static const double TWO_OVER_ROOT_PI = 1.12837916709551257390;

/* y with erf(y) = x: a start that is good to 3 digits or so (Winitzki 2008), then steps of Halley's, each
 * of which triples the digits.  Beyond |x| = 1/2 they are of 1 - |x|, which keeps its digits near 1. */
static double inverse_erf(double x) {
  const double size = fabs(x), rest = 1 - size;
  if (!(size < 1)) return size == 1 ? copysign(INFINITY, x) : NAN;
  const double a = 0.147, l = log1p(-x * x), b = 2 / (M_PI * a) + l / 2;
  double y = sqrt(sqrt(b * b - l / a) - b);
  for (int i = 0; i < 3; i++) {
    const double miss = size < 0.5 ? erf(y) - size : rest - erfc(y);
    const double step = miss / (TWO_OVER_ROOT_PI * exp(-y * y));
    y -= step / (1 + y * step);
  }
  return copysign(y, x);
}

/* The slope of erfinv at r = erfinv(x): 1 over that of erf there. */
static inline double inverse_erf_slope(double r) { return exp(r * r) / TWO_OVER_ROOT_PI; }

/* v, no further out than where the gates are 0 or 1: an infinite v times 0 would be NaN. */
static inline bnn_real not_below(bnn_real v) { return v < -200 ? -200 : v; }
static inline bnn_real within(bnn_real v) { return v > 200 ? 200 : not_below(v); }

/* x sigmoid(x), and its slope. */
static inline bnn_real silu_of(bnn_real v) { return not_below(v) * vm_sigmoid(v); }
static inline bnn_real silu_slope(bnn_real v) {
  const bnn_real s = vm_sigmoid(v);
  return s + within(v) * s * (1 - s);
}

/* x tanh(softplus(x)), and its slope. */
static inline bnn_real mish_gate(bnn_real v) { return vm_tanh(vm_softplus(v)); }
static inline bnn_real mish_of(bnn_real v) { return not_below(v) * mish_gate(v); }
static inline bnn_real mish_slope(bnn_real v) {
  const bnn_real t = mish_gate(v);
  return t + within(v) * (1 - t * t) * vm_sigmoid(v);
}

/* clang-format off */
UNARY(erf, "(x)", "the error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x",
      "bnn.tensor{0, 1}:erf() --> {0, 0.8427}",
      vm_erf(v), g * (bnn_real)TWO_OVER_ROOT_PI * vm_exp(-v * v), PLAIN(-2, 2))
UNARY(erfinv, "(x)", "the inverse of erf on [-1, 1]; NaN outside",
      "bnn.tensor{0, 0.8427}:erfinv() --> {0, 1.0000}",
      (bnn_real)inverse_erf((double)v), g * (bnn_real)inverse_erf_slope((double)r),
      PLAIN(-0.8, 0.8))
UNARY(lgamma, "(x)", "log |Gamma(x)|",
      "bnn.tensor{1, 5}:lgamma() --> {0, 3.1781}",
      (bnn_real)vec_lgamma((double)v), g * (bnn_real)vec_digamma((double)v), PLAIN(0.5, 4))
UNARY(digamma, "(x)", "the slope of lgamma",
      "bnn.tensor{1, 5}:digamma() --> {-0.5772, 1.5061}",
      (bnn_real)vec_digamma((double)v), g * (bnn_real)vec_trigamma((double)v), PLAIN(0.5, 4))
UNARY(silu, "(x)", "x sigmoid(x) (Elfwing et al. 2018), also known as swish",
      "bnn.tensor{-1, 0, 1}:silu() --> {-0.2689, 0, 0.7311}",
      silu_of(v), g * silu_slope(v), PLAIN(-4, 4))
UNARY(mish, "(x)", "x tanh(softplus(x)) (Misra 2020)",
      "bnn.tensor{-1, 0, 1}:mish() --> {-0.3034, 0, 0.8651}",
      mish_of(v), g * mish_slope(v), PLAIN(-4, 4))
UNARY(elu, "(x, alpha = 1)", "x where x > 0, else alpha (e^x - 1) (Clevert et al. 2016)",
      "bnn.tensor{-1, 2}:elu() --> {-0.6321, 2}",
      v > 0 ? v : p * vm_expm1(v), v > 0 ? g : g * p * vm_exp(v),
      .infer = op_infer_same, .args = "r?", .defaults = {.number = {1}},
      .check = {.lo = -3, .hi = 3, .tol = 1e-7, .attr = {.number = {0.7}}})
/* clang-format on */
