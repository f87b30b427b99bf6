/* image.h - a photographed or drawn character turned into what a network for MNIST knows.
 *
 * As MNIST was made: ink is 255 on 0, the ink's box is scaled to fit 20 x 20 with its aspect kept,
 * and its centre of mass stands in the middle of 28 x 28. */
#ifndef BNN_IMAGE_H
#define BNN_IMAGE_H

#include "../base/status.h"
#include "../tensor/tensor.h"

enum { BNN_IMAGE_SIDE = 28, BNN_IMAGE_BOX = 20 };

typedef enum bnn_ink {
  BNN_INK_AUTO, /* whichever differs more from the image's border */
  BNN_INK_DARK, /* pencil on paper */
  BNN_INK_LIGHT /* chalk on a board; MNIST itself */
} bnn_ink;

/* *out: u8 [28, 28] from grey, u8 [h, w] of any size.  An even slope of brightness over the image
 * and small specks are taken away.  EDATA: there is no ink to be seen.  ESHAPE, ETYPE, ENOMEM. */
bnn_status bnn_image_character(bnn_tensor **out, const bnn_tensor *grey, bnn_ink ink, bnn_err *err);

#endif
