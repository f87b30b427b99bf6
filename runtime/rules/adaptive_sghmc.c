/* adaptive_sghmc: SGHMC whose step for each weight is scaled by the size of its gradients, found in
 * the first burn_in steps and held then:
 *   m <- m + (g - m) / (tau + 1),  V <- V + (g^2 - V) / (tau + 1),  tau <- 1 + tau (1 - m^2 / V),
 *   v <- (1 - alpha) v - lr q g + sqrt(lr max(0, 2 alpha q noise / N - lr)) eps,  w <- w + v,
 *   q = 1 / (lambda + sqrt(V)),
 * from the gradient g of the mean loss of N examples and -log prior / N.  Springenberg et al., "Bayesian
 * optimization with robust Bayesian neural networks", NIPS 2016, section 3, with their epsilon^2 = lr
 * and V in the units of g.  The windows are tau + 1 long, as in their program: with tau the first would
 * be 1, and stay so.  lr^2 is the noise that the gradients of a batch bring along. */
#include <math.h>

#include "noisy_steps.h"
#include "tiny.h"

enum { LR, ALPHA, LAMBDA, BURN_IN };
enum { VELOCITY, TAU, MEAN, SQUARE };

BNN_KERNEL adapt(bnn_real *restrict tau, bnn_real *restrict m, bnn_real *restrict v,
                 const bnn_real *restrict g, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real share = 1 / (tau[i] + 1);
    m[i] = drop_tiny(m[i] + share * (g[i] - m[i]), TINY_MOMENT);
    v[i] = drop_tiny(v[i] + share * (g[i] * g[i] - v[i]), TINY_SQUARE);
    const bnn_real ratio = m[i] / root_of(v[i]), rest = 1 - ratio * ratio;
    tau[i] = 1 + tau[i] * (rest > 0 ? rest : 0); /* below 0 by rounding alone */
  }
}

/* The noise's variance is lr (share q - lr), or 0. */
typedef struct scales {
  bnn_real kept, lr, share, lambda;
} scales;

BNN_KERNEL step(bnn_real *restrict w, bnn_real *restrict velocity, const bnn_real *restrict v,
                const bnn_real *restrict g, const bnn_real *restrict eps, scales a, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real q = 1 / (a.lambda + root_of(v[i])), excess = a.share * q - a.lr;
    const bnn_real sigma = R(sqrt)(a.lr * (excess > 0 ? excess : 0));
    velocity[i] = drop_tiny(a.kept * velocity[i] - a.lr * (q * g[i]) + sigma * eps[i], TINY_MOMENT);
    w[i] += velocity[i];
  }
}

static void part(const bnn_step_info *info, const bnn_update_span *s, const bnn_real *eps) {
  const double *o = info->option;
  const scales a = {(bnn_real)(1 - o[ALPHA]), (bnn_real)info->lr,
                    (bnn_real)(2 * o[ALPHA] * info->noise / info->data_size), (bnn_real)o[LAMBDA]};
  step(s->w, s->slot[VELOCITY], s->slot[SQUARE], s->g, eps, a, s->n);
}

static void update(const bnn_step_info *info, const bnn_update_span *s) {
  if ((double)info->t <= info->option[BURN_IN])
    adapt(s->slot[TAU], s->slot[MEAN], s->slot[SQUARE], s->g, s->n);
  noisy_steps(part, info, s);
}

BNN_RULE(adaptive_sghmc) = {
    .name = "adaptive_sghmc",
    .doc =
        "adaptive_sghmc{lr=1e-4, alpha=0.05, lambda=1e-5, burn_in=1000}: SGHMC with the step of each weight "
        "scaled by its gradients' size (Springenberg et al. 2016). "
        "For layers whose gradients differ in size, and small regressions: the scale is found in "
        "burn_in, and lr fits more networks",
    .slot = {{"velocity", 0}, {"tau", 1}, {"m", 1}, {"v", 1}},
    .option =
        {
            {"lr", "the paper's epsilon^2; the noise is right below 2 alpha / (N sqrt(V))", 1e-4, 0,
             HUGE_VAL, .open = true},
            {"alpha", "friction: the share of the velocity that a step loses", 0.05, 0, 1,
             .open = false},
            {"lambda", "added to the root of the mean of squared gradients", 1e-5, 0, HUGE_VAL,
             .open = true},
            {"burn_in", "steps in which the scale adapts; collectors begin after them", 1000, 0,
             HUGE_VAL, .open = true, .whole = true},
        },
    .needs_data_size = true,
    .draws_noise = true,
    .update = update,
};
