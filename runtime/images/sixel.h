/* sixel.h - images as sixels, the graphics of DEC's VT240 (1983) that terminals such as xterm,
 * foot, WezTerm and mlterm draw. */
#ifndef BNN_SIXEL_H
#define BNN_SIXEL_H

#include "../base/status.h"
#include "../files/bytes.h"
#include "../tensor/tensor.h"

/* Adds the escape sequence, from ESC P to ESC \, that draws x, u8 [h, w] grey or [h, w, 3] RGB, a
 * pixel for each of its own.  Sixels count a colour's parts in percent: grey has all 101 levels
 * of that; of RGB the 256 colours that a median cut (Heckbert 1982) makes of 32 levels of each
 * part, exact where those are told apart.  The same bytes on every processor. ETYPE, ESHAPE: x is
 * no such tensor, is empty or has a side above 2^15.  ENOMEM. */
bnn_status bnn_sixel_encode(bnn_bytes *out, const bnn_tensor *x, bnn_err *err);

#endif
