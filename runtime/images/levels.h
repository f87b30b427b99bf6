/* levels.h - numbers as the bytes of an image. */
#ifndef BNN_LEVELS_H
#define BNN_LEVELS_H

#include "../base/status.h"
#include "../tensor/tensor.h"

enum { BNN_LEVELS_NAN = 128 }; /* the grey of what is not a number */

/* The least and the greatest finite element of x, of any type; false if there is none, and then
 * nothing is written. */
bool bnn_image_span(const bnn_tensor *x, double *lo, double *hi);

/* *out: u8 of x's shape: lo becomes 0 and hi 255, what lies between the nearest byte, what lies
 * beyond the nearer of the two, and NaN BNN_LEVELS_NAN.  lo differs from hi, both are finite, and
 * so is their difference.  ENOMEM. */
bnn_status bnn_image_levels(bnn_tensor **out, const bnn_tensor *x, double lo, double hi,
                            bnn_err *err);

#endif
