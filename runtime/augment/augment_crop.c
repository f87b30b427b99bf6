/* augment_crop.c - a window of the image's own size, at a random place of the image with a border of
 * `amount` pixels around it.  What the border holds is the list's edge (augment.h). */
#include "augmentation.h"

static bnn_affine move(double padding, bnn_key key) {
  bnn_affine from = BNN_AFFINE_IDENTITY;
  from.ty = bnn_augment_whole(key, "y", padding);
  from.tx = bnn_augment_whole(key, "x", padding);
  return from;
}

const bnn_augmentation bnn_augmentation_crop = {.name = "crop",
                                                .amount = "padding",
                                                .most = 10000,
                                                .whole = true,
                                                .stage = BNN_AUGMENT_MOVE,
                                                .move = move};
