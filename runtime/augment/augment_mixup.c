/* augment_mixup.c - mixup (Zhang et al. 2018): an example becomes lambda x + (1 - lambda) x', with
 * another example x' of its batch and lambda ~ Beta(alpha, alpha), which is
 *
 *     lambda = G / (G + G'),  G, G' ~ Gamma(alpha)
 *
 * by the method of Marsaglia and Tsang (2000).  A small alpha draws G = Gamma(alpha + 1) U^(1 / alpha),
 * which can be below the smallest number: hence logarithms. */
#include <math.h>

#include "../kernels/rng.h"
#include "augmentation.h"

/* 1 - u is never 0, as u is below 1. */
static double log_uniform(bnn_key key, uint64_t i) { return log(1 - bnn_augment_uniform(key, i)); }

/* log G, G ~ Gamma(alpha).  Each try is accepted with probability above 0.95. */
static double log_gamma_draw(double alpha, bnn_key key) {
  const double d = alpha + 1 - 1.0 / 3, c = 1 / sqrt(9 * d);
  const bnn_key normals = bnn_key_fold(key, 1), uniforms = bnn_key_fold(key, 2);
  for (uint64_t i = 1;; i++) {
    bnn_real z;
    bnn_rng_normal(&z, normals, i, 1);
    const double x = (double)z, t = 1 + c * x, v = t * t * t;
    if (t > 0 && log_uniform(uniforms, i) < x * x / 2 + d - d * v + d * log(v))
      return log(d * v) + log_uniform(uniforms, 0) / alpha;
  }
}

static double share(double alpha, bnn_key key) {
  double own = log_gamma_draw(alpha, bnn_key_split(key, 0)),
         other = log_gamma_draw(alpha, bnn_key_split(key, 1));
  return 1 / (1 + exp(other - own));
}

const bnn_augmentation bnn_augmentation_mixup = {.name = "mixup",
                                                 .amount = "alpha",
                                                 .least = 0.001,
                                                 .most = 1000,
                                                 .stage = BNN_AUGMENT_MIX,
                                                 .share = share};
