/* ivon: the natural-gradient step on a mean-field Gaussian, N(mu, 1 / (N (h + delta))) by weight, with
 * momentum for mu and the Hessian h of the mean loss estimated by reparameterisation ("price"). Shen et
 * al., "Variational learning is effective for large deep networks", ICML 2024, algorithm 1.
 *
 * What they keep as h is the log-variance here: h + delta = 1 / (N sigma^2) = d.  The gradient of the
 * loss for it, E (w - mu) g / 2 + KL / N, is (hhat - h) sigma^2 / 2, prior and all, so with u =
 * (1 - b2) (hhat - h) / d = 2 (1 - b2) N dlogvar their d + (1 - b2) (hhat - h) + ((1 - b2) (hhat -
 * h))^2 / (2 d) is d (1 + u + u^2 / 2), at least d / 2:
 *   logvar <- logvar - log(1 + u + u^2 / 2)
 *   m <- b1 m + (1 - b1) dmu,   mu <- mu - lr h0 clip(N sigma^2 m / (1 - b1^t), -clip, clip)
 * with the new sigma^2.  Their delta mu is in dmu, and so in m: any prior and weight of the KL will do,
 * as the gradients are those of the objective.  lr h0 is their alpha with rescale_lr.  At a temperature T
 * N is N / T, their lambda: one over the weight of the KL.
 *
 * Their second estimate, hhat = lambda E g^2 of the batch's mean gradient ("gradsq"), is about N / B times
 * the mean square of one example's gradient where that has mean 0, and so no Hessian: the posterior is
 * much colder.  It takes the place of the first in what a sample adds to the gradient for logvar,
 * hhat sigma^2 / 2. */
#include <math.h>

#include "ivon_step.h"

enum { LR, B1, B2, H0, CLIP, HESSIAN };
enum { MU, LOGVAR };
enum { PRICE, GRADSQ };

BNN_KERNEL ivon(bnn_real *restrict mu, bnn_real *restrict logvar, bnn_real *restrict m,
                const bnn_real *restrict dmu, const bnn_real *restrict dlogvar, ivon_scalars a,
                size_t n) {
  for (size_t i = 0; i < n; i++) {
    const ivon_weight x = {mu[i], logvar[i], m[i]};
    const ivon_weight next = ivon_step(x, dmu[i], dlogvar[i], vm_exp(logvar[i]), a);
    mu[i] = next.mu;
    logvar[i] = next.logvar;
    m[i] = next.m;
  }
}

static double lambda_of(const bnn_step_info *info) {
  return info->kl_weight > 0 ? 1 / info->kl_weight : info->data_size;
}

/* dmu += g,  dlogvar += scale g^2 e^logvar. */
BNN_KERNEL add_squares(bnn_real *restrict dmu, bnn_real *restrict dlogvar,
                       const bnn_real *restrict g, const bnn_real *restrict logvar, bnn_real scale,
                       size_t n) {
  for (size_t i = 0; i < n; i++) {
    dmu[i] += g[i];
    dlogvar[i] += scale * g[i] * g[i] * vm_exp(logvar[i]);
  }
}

/* Of K samples g is a K-th of each gradient, and a K-th of its square K times g^2. */
static void gradsq(const bnn_step_info *info, const bnn_sample_span *s) {
  const bnn_real scale = (bnn_real)(lambda_of(info) * s->samples / 2);
  add_squares(s->d[MU], s->d[LOGVAR], s->g, s->w[LOGVAR], scale, s->n);
}

static void derive(bnn_step_info *info) {
  const double b1 = (bnn_real)info->option[B1]; /* as it is stored */
  info->derived[0] = 2 * (1 - info->option[B2]);
  info->derived[1] = 1 / (1 - pow(b1, (double)info->t));
  info->backward = info->option[HESSIAN] == GRADSQ ? gradsq : NULL;
}

ivon_scalars BNN_ISA_NAME(ivon_scalars_of)(const bnn_step_info *info) {
  const double *o = info->option, N = lambda_of(info);
  return (ivon_scalars){.b1 = (bnn_real)o[B1],
                        .gain = (bnn_real)(N * info->derived[0]),
                        .unbias = (bnn_real)(N * info->derived[1]),
                        .rate = (bnn_real)(info->lr * o[H0]),
                        .clip = o[CLIP] > 0 ? (bnn_real)o[CLIP] : -BNN_REAL_LOWEST};
}

static void update_together(const bnn_step_info *info, const bnn_update_span *s) {
  const ivon_scalars a = BNN_ISA_NAME(ivon_scalars_of)(info);
  ivon(s[MU].w, s[LOGVAR].w, s[MU].slot[0], s[MU].g, s[LOGVAR].g, a, s[MU].n);
}

BNN_RULE(ivon) = {
    .name = "ivon",
    .doc =
        "ivon{lr=0.2, b1=0.9, b2=0.9995, h0=0.1, clip=0, hessian=\"price\"}: natural gradients on "
        "a mean-field posterior at the cost of Adam on its mean (Shen et al. 2024). For the accuracy and "
        "calibration of an ensemble from one training: with a rate that falls to 0, and clip = 0.03 "
        "where it diverges, as on small tables",
    .slot = {{.name = "m"}},
    .option =
        {
            {"lr", "learning rate, that of gradient descent where h is h0", 0.2, 0, HUGE_VAL,
             .open = true},
            {"b1", "decay of the mean of gradients", 0.9, 0, 1, .open = true},
            {"b2", "decay of the Hessian; the paper's 0.99999 is for 1e5 steps and more", 0.9995, 0,
             1, .open = true},
            {"h0",
             "the Hessian that lr is for: what the posterior starts from, logvar = "
             "-log(N h0 + 1/s^2) for a prior N(0, s^2), or N / T",
             0.1, 0, HUGE_VAL, .open = true},
            {"clip", "the largest step of an element of mu, beside lr h0; 0: none", 0, 0, HUGE_VAL,
             .open = true},
            {"hessian",
             "its estimate, by reparameterisation; or, for comparison, in its place the squared "
             "gradient of a batch times N, about N / batch size times that of an example: no Hessian "
             "but a much colder posterior",
             BNN_CHOICES(2, "price", "gradsq")},
        },
    .needs_data_size = true,
    .derive = derive,
    .family = "meanfield",
    .update_together = update_together,
};
