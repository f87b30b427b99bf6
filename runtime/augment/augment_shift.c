/* augment_shift.c - an image moved by whole pixels, from -amount to amount along either axis. */
#include "augmentation.h"

const bnn_augmentation bnn_augmentation_shift = {.name = "shift",
                                                 .amount = "pixels",
                                                 .most = 10000,
                                                 .whole = true,
                                                 .stage = BNN_AUGMENT_MOVE,
                                                 .move = bnn_augment_whole_move};
