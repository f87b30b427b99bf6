/* augment_crop.c - a window of the image's own size, at a random place of the image with a border of
 * `amount` pixels around it.  What the border holds is the list's edge (augment.h). */
#include "augmentation.h"

const bnn_augmentation bnn_augmentation_crop = {.name = "crop",
                                                .amount = "padding",
                                                .most = 10000,
                                                .whole = true,
                                                .stage = BNN_AUGMENT_MOVE,
                                                .move = bnn_augment_whole_move};
