/* scale_mixture: p(x) = pi N(x; 0, sigma1^2) + (1 - pi) N(x; 0, sigma2^2), the prior of Blundell et
 * al., "Weight uncertainty in neural networks", ICML 2015, equation 7; their sigma1 are 1, e^-1 or
 * e^-2, their sigma2 e^-6 to e^-8. */
#define LOG_F HALF_LOG_2PI
#include "mixture.h"

static inline bnn_real q(bnn_real size) { return size * size / 2; }
static inline bnn_real q_slope(bnn_real z) { return z; }

DENSITY_3(slope_a, slope_b, slope_c)

static void moments(double *mean, double *variance, const double *param) {
  *mean = 0;
  *variance = param[0] * param[1] * param[1] + (1 - param[0]) * param[2] * param[2];
}

static const bnn_density density = {
    .name = "scale_mixture",
    .doc = "mixture of two Gaussians at 0 (Blundell et al. 2015)",
    .param = {{"pi", "weight of the first Gaussian", 0.5, 0, 1},
              {"sigma1", "its standard deviation", 1, 0, HUGE_VAL},
              {"sigma2", "that of the second, e^-6", 0.0024787521766663585, 0, HUGE_VAL}},
    DENSITY_OF_REALS,
    MIXTURE_KERNELS,
};

DENSITY_OP(scale_mixture, 3, "pi, sigma1, sigma2",
           "log(pi N(x; 0, sigma1^2) + (1 - pi) N(x; 0, sigma2^2))",
           "({0, 1}, 0.5, 1, 0.01) --> {3.0030, -2.1121}", .tol = 1e-8,
           .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}, {2, {3, 4}, 0}},
           .range = {{0.25, 2}, {0.25, 0.75}, {1, 2}, {0.25, 0.5}})
