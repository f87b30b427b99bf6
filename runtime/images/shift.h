/* shift.h - images as they come when the world has moved away from the training set: turned, moved,
 * noisy, blurred, pale, partly hidden.
 *
 * Images are u8, or real from 0 (the background) to 1, and come out in the same type; what is
 * computed is clipped to 0..1 and rounded to the nearest.  A NaN comes out wherever its pixel has a
 * part in the result, and is never hidden; one that is moved out of the picture goes with it.
 *
 * What is drawn for image i is a function of the key and of i alone: the same bits on any number of
 * threads, whatever else is in the set; its channels share it, but for the noise. */
#ifndef BNN_SHIFT_H
#define BNN_SHIFT_H

#include "../base/context.h"
#include "../base/status.h"
#include "../tensor/key.h"
#include "../tensor/tensor.h"

/* X(tag, name, amount, least, most): what it is called, what its amount is called, and the range of
 * that.  In pixels, where no other unit is said; nothing happens at 0, of contrast at 1.
 *   rotate     about the middle, degrees counterclockwise; with a key each image to either side
 *   translate  to the right; with a key each image into a direction of its own
 *   noise      std of normal noise, 1 being the whole range
 *   blur       sigma of a Gaussian that is cut off at ceil(3 sigma); beyond the edge lies the edge
 *   contrast   the factor that distances from the channel's mean are multiplied by
 *   occlude    the side of a square, to whole pixels, that is set to 0 at a place within the image
 * The first two interpolate bilinearly, and what comes from outside is 0. */
#define BNN_SHIFT_ROWS(X)                        \
  X(ROTATE, "rotate", "degrees", -1e6, 1e6)      \
  X(TRANSLATE, "translate", "pixels", -1e6, 1e6) \
  X(NOISE, "noise", "std", 0, 1e3)               \
  X(BLUR, "blur", "sigma", 0, 1e3)               \
  X(CONTRAST, "contrast", "factor", 0, 1)        \
  X(OCCLUDE, "occlude", "side", 0, 1e6)

typedef enum bnn_shift_kind {
#define X(tag, name, amount, least, most) BNN_SHIFT_##tag,
  BNN_SHIFT_ROWS(X)
#undef X
      BNN_SHIFT_COUNT
} bnn_shift_kind;

/* The name of a kind such as "rotate"; NULL outside. */
const char *bnn_shift_name(bnn_shift_kind kind);

/* x, contiguous [n, h, w] or [n, channels, h, w], shifted by an amount.  key: NULL where all images
 * are to go one way; noise and occlude want one.  *out: owned by the caller.  Works on all threads
 * of the context.
 * ETYPE, ESHAPE: x is no such tensor.  ERANGE: the amount, or a value of x, is out of range; there
 * is no key for a shift that draws.  ESTOP: the context was stopped.  ENOMEM. */
bnn_status bnn_shift(bnn_tensor **out, bnn_context *context, const bnn_tensor *x,
                     bnn_shift_kind kind, double amount, const bnn_key *key, bnn_err *err);

#endif
