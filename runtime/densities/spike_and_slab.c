/* spike_and_slab: p(x) = pi Laplace(x; 0, slab) + (1 - pi) Laplace(x; 0, spike), the spike-and-slab
 * lasso of Rockova & George, "The spike-and-slab lasso", JASA 2018.
 *
 * A spike that is a point mass (Mitchell & Beauchamp 1988) has no density and so no gradient; one
 * that is Gaussian (George & McCulloch 1993) is scale_mixture.  That of a Laplace distribution
 * pulls a small weight towards 0 by nearly 1/spike however small it is, and a large one by
 * 1/slab. */
#define LOG_F LOG_2
#include "mixture.h"

static inline bnn_real q(bnn_real size) { return size; }
static inline bnn_real q_slope(bnn_real z) { return sign_of(z); }

DENSITY_3(slope_a, slope_b, slope_c)

static void moments(double *mean, double *variance, const double *param) {
  *mean = 0;
  *variance = 2 * (param[0] * param[1] * param[1] + (1 - param[0]) * param[2] * param[2]);
}

static const bnn_density density = {
    .name = "spike_and_slab",
    .doc = "mixture of a wide and a narrow Laplace distribution (Rockova & George 2018)",
    .param = {{"pi", "weight of the slab", 0.5, 0, 1},
              {"slab", "scale of the wide one", 1, 0, HUGE_VAL},
              {"spike", "scale of the narrow one", 0.05, 0, HUGE_VAL}},
    DENSITY_OF_REALS,
    MIXTURE_KERNELS,
};

DENSITY_OP(spike_and_slab, 3, "pi, slab, spike",
           "log(pi Laplace(x; 0, slab) + (1 - pi) Laplace(x; 0, spike))",
           "({0, 1}, 0.5, 1, 0.01) --> {3.2288, -2.3863}", .tol = 1e-8,
           .in = {{2, {3, 4}, 0}, {2, {3, 1}, 0}, {1, {4}, 0}, {2, {3, 4}, 0}},
           .range = {{0.25, 2}, {0.25, 0.75}, {1, 2}, {0.25, 0.5}})
