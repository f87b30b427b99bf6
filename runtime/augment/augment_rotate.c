/* augment_rotate.c - an image turned about its middle by an angle that is uniform from -amount to
 * amount, in degrees counterclockwise. */
#include <math.h>

#include "augmentation.h"

static const double degree = 0.017453292519943295; /* pi / 180 */

static bnn_affine move(double degrees, bnn_key key) {
  double angle = (2 * bnn_augment_uniform(key, 0) - 1) * degrees * degree;
  double sine = sin(angle), cosine = cos(angle);
  return (bnn_affine){.yy = cosine, .yx = sine, .xy = -sine, .xx = cosine};
}

const bnn_augmentation bnn_augmentation_rotate = {
    .name = "rotate", .amount = "degrees", .most = 180, .stage = BNN_AUGMENT_MOVE, .move = move};
