/* resize.h - an image at another size. */
#ifndef BNN_RESIZE_H
#define BNN_RESIZE_H

#include "../base/status.h"
#include "../tensor/tensor.h"

enum { BNN_RESIZE_SIDE_MAX = 1 << 20 };

/* *out: u8 [h, w] or [h, w, c] as x, u8 [*, *] or [*, *, c].  Each pixel is the mean of the area
 * of x that it covers, to the nearest: enlarging by a whole factor repeats pixels, shrinking by
 * one takes the means of squares.  Images of one size that lie below each other stay apart: x [n
 * * rows, w] to [n * h, w].  ETYPE: x is not u8.  ESHAPE: its rank is another, one of the sizes
 * is 0 or above BNN_RESIZE_SIDE_MAX.  ENOMEM. */
bnn_status bnn_image_resize(bnn_tensor **out, const bnn_tensor *x, size_t h, size_t w,
                            bnn_err *err);

#endif
