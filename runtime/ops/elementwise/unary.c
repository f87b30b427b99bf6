/* Elementwise ops of one input: the formulas of value and gradient (unary_rows.h).  Transcendental
 * functions and their error bounds are in vec/vec_math.h.
 *
 * Selections are written so that a NaN falls through them: relu(NaN) and clamp(NaN) are NaN.  Their
 * gradients at NaN are those of PyTorch: 1 of relu, and 0 of clamp, as NaN is not within bounds. */
#include "../../vec/vec_math.h"
#include "unary_rows.h"

/* -1, 0 or 1; NaN stays. */
static inline bnn_real sign_of(bnn_real v) { return v > 0 ? 1 : v < 0 ? -1 : v; }

/* P(Z <= v) for Z ~ N(0, 1), and the density of Z at v.  (Not (1 + erf) / 2: where a product is
 * added to a half of something, the compiler may fuse either one, and loop and tail would differ.)
 */
static inline bnn_real normal_cdf(bnn_real v) {
  return vm_erf(v * (bnn_real)0.70710678118654752440) / 2 + (bnn_real)0.5;
}
static inline bnn_real normal_pdf(bnn_real v) {
  return vm_exp(-v * v / 2) * (bnn_real)0.39894228040143267794;
}

/* v, no further out than where normal_cdf is 0 or 1 and normal_pdf is 0 in double too: their
 * products with an infinite v would be NaN. */
static inline bnn_real within_tails(bnn_real v) { return v < -40 ? -40 : v > 40 ? 40 : v; }
static inline bnn_real gelu(bnn_real v) { return (v < 0 ? within_tails(v) : v) * normal_cdf(v); }
static inline bnn_real gelu_slope(bnn_real v) {
  const bnn_real t = within_tails(v);
  return normal_cdf(t) + t * normal_pdf(t);
}

static const double EXACT = 9007199254740992.0; /* 2^53: every whole number up to it is a double */

static bnn_status infer_clamp(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                              bnn_err *err) {
  if (!(attr->number[0] <= attr->number[1]))
    return bnn_fail(err, BNN_ERANGE, "expected lo <= hi, got lo %g, hi %g", attr->number[0],
                    attr->number[1]);
  if (is_integer(x->dtype))
    for (int k = 0; k < 2; k++) {
      const double bound = attr->number[k];
      if (isinf(bound) || (floor(bound) == bound && fabs(bound) <= EXACT)) continue;
      return bnn_fail(err, BNN_ERANGE,
                      "%s: expected a whole number within +-2^53 or infinity, got %g: x is %s "
                      "(x:real() converts)",
                      k ? "hi" : "lo", bound, bnn_dtype_name(x->dtype));
    }
  return op_infer_same(y, x, n, attr, err);
}

/* clang-format off */
ARITHMETIC(neg, MAPPED(NEG), "(x)", "-x",
           "bnn.tensor{1, -2}:neg() --> {-1, 2}", -v, -g, PLAIN(-3, 3))
ARITHMETIC(abs, MAPPED(ABS), "(x)", "|x|; gradient 0 at 0",
           "bnn.tensor{-1.5, 0, 2}:abs() --> {1.5, 0, 2}", R(fabs)(v), g * sign_of(v), PLAIN(-3, 3))
ARITHMETIC(sign, MAPPED(SIGN), "(x)", "-1, 0 or 1; gradient 0",
           "bnn.tensor{-1.5, 0, 2}:sign() --> {-1, 0, 1}", sign_of(v), 0 * g, PLAIN(-3, 3))
UNARY(sqrt, "(x)", "square root of x",
      "bnn.tensor{4, 2}:sqrt() --> {2, 1.4142}", R(sqrt)(v), g / (2 * r), PLAIN(0.5, 4))
ARITHMETIC(square, MAPPED(SQUARE), "(x)", "x * x",
           "bnn.tensor{-3, 2}:square() --> {9, 4}", v * v, g * 2 * v, PLAIN(-3, 3))
UNARY(exp, "(x)", "e^x",
      "bnn.tensor{0, 1}:exp() --> {1, 2.7183}", vm_exp(v), g * r, PLAIN(-3, 3))
UNARY(log, "(x)", "natural logarithm of x; -inf at 0, NaN below",
      "bnn.tensor{1, 10}:log() --> {0, 2.3026}", vm_log(v), g / v, PLAIN(0.5, 4))
UNARY(log1p, "(x)", "log(1 + x), accurate near 0",
      "bnn.tensor{0, 1}:log1p() --> {0, 0.6931}", vm_log1p(v), g / (1 + v), PLAIN(-0.5, 4))
UNARY(expm1, "(x)", "e^x - 1, accurate near 0",
      "bnn.tensor{0, 1}:expm1() --> {0, 1.7183}", vm_expm1(v), g * (r + 1), PLAIN(-3, 3))
ACTIVATION(tanh, "(x)", "hyperbolic tangent",
           "bnn.tensor{0, 1}:tanh() --> {0, 0.7616}", vm_tanh(v), g * (1 - r * r), PLAIN(-3, 3))
ACTIVATION(sigmoid, "(x)", "1 / (1 + e^-x)",
           "bnn.tensor{0, 2}:sigmoid() --> {0.5, 0.8808}", vm_sigmoid(v), g * r * (1 - r),
           PLAIN(-6, 6))
ACTIVATION(relu, "(x)", "max(x, 0); gradient 0 at 0",
           "bnn.tensor{-1, 0, 2}:relu() --> {0, 0, 2}", v < 0 ? 0 : v, r <= 0 ? 0 : g, PLAIN(-3, 3))
UNARY(leaky_relu, "(x, slope = 0.01)", "x where x > 0, else slope * x",
      "bnn.tensor{-1, 2}:leaky_relu(0.1) --> {-0.1, 2}",
      v > 0 ? v : p * v, v > 0 ? g : p * g,
      .infer = op_infer_same, .args = "r?", .defaults = {.number = {0.01}},
      .check = {.lo = -3, .hi = 3, .tol = 1e-7, .attr = {.number = {0.1}}})
UNARY(gelu, "(x)", "x * P(Z <= x) for Z ~ N(0, 1) (Hendrycks & Gimpel 2016, exact form)",
      "bnn.tensor{-1, 0, 1}:gelu() --> {-0.1587, 0, 0.8413}",
      gelu(v), g * gelu_slope(v), PLAIN(-4, 4))
UNARY(softplus, "(x)", "log(1 + e^x)",
      "bnn.tensor{0, 1}:softplus() --> {0.6931, 1.3133}", vm_softplus(v), g * vm_sigmoid(v),
      PLAIN(-6, 6))
UNARY(sin, "(x)", "sine of x in radians",
      "bnn.tensor{0, math.pi / 2}:sin() --> {0, 1}", vm_sin(v), g * vm_cos(v), PLAIN(-3, 3))
UNARY(cos, "(x)", "cosine of x in radians",
      "bnn.tensor{0, math.pi}:cos() --> {1, -1}", vm_cos(v), -g * vm_sin(v), PLAIN(-3, 3))
ARITHMETIC(clamp, integers_clamp(y, x[0], attr->number[0], attr->number[1]), "(x, lo, hi)",
           "x limited to [lo, hi]; gradient 1 within the bounds (inclusive), else 0",
           "bnn.tensor{-2, 0.5, 3}:clamp(-1, 1) --> {-1, 0.5, 1}",
           v < p ? p : v > q ? q : v, v >= p && v <= q ? g : 0,
           .infer = infer_clamp, .args = "rr",
           .check = {.lo = -3, .hi = 3, .tol = 1e-7, .attr = {.number = {-1, 2}}})
/* clang-format on */
