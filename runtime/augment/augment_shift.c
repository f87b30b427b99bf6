/* augment_shift.c - an image moved by whole pixels, from -amount to amount along either axis. */
#include "augmentation.h"

static bnn_affine move(double pixels, bnn_key key) {
  bnn_affine from = BNN_AFFINE_IDENTITY;
  from.ty = bnn_augment_whole(key, "y", pixels);
  from.tx = bnn_augment_whole(key, "x", pixels);
  return from;
}

const bnn_augmentation bnn_augmentation_shift = {.name = "shift",
                                                 .amount = "pixels",
                                                 .most = 10000,
                                                 .whole = true,
                                                 .stage = BNN_AUGMENT_MOVE,
                                                 .move = move};
