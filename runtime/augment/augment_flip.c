/* augment_flip.c - left and right exchanged, with a probability. */
#include "augmentation.h"

static bnn_affine move(double probability, bnn_key key) {
  bnn_affine from = BNN_AFFINE_IDENTITY;
  if (bnn_augment_uniform(key, 0) < probability) from.xx = -1;
  return from;
}

const bnn_augmentation bnn_augmentation_flip = {
    .name = "flip", .amount = "probability", .most = 1, .stage = BNN_AUGMENT_MOVE, .move = move};
