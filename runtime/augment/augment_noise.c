/* augment_noise.c - normal noise of a standard deviation on every element. */
#include "../kernels/rng.h"
#include "augmentation.h"

enum { CHUNK = 256 };

static void add(bnn_real *x, size_t first, size_t n, double std, bnn_key key) {
  bnn_real z[CHUNK];
  for (size_t i = 0; i < n; i += CHUNK) {
    size_t count = n - i < CHUNK ? n - i : CHUNK;
    bnn_rng_normal(z, key, first + i, count);
    for (size_t k = 0; k < count; k++) x[i + k] += (bnn_real)std * z[k];
  }
}

const bnn_augmentation bnn_augmentation_noise = {
    .name = "noise", .amount = "std", .most = 1000, .stage = BNN_AUGMENT_ADD, .add = add};
