/* levels.c - see levels.h. */
#include "levels.h"

#include <math.h>
#include <stdint.h>

bool bnn_image_span(const bnn_tensor *x, double *lo, double *hi) {
  double least = INFINITY, most = -INFINITY;
  for (size_t i = 0; i < x->size; i++) {
    double v = bnn_tensor_get(x, i);
    if (!isfinite(v)) continue;
    least = v < least ? v : least;
    most = v > most ? v : most;
  }
  if (least > most) return false;
  *lo = least;
  *hi = most;
  return true;
}

static uint8_t level(double v, double lo, double hi) {
  if (isnan(v)) return BNN_LEVELS_NAN;
  double share = (v - lo) / (hi - lo);
  return share <= 0 ? 0 : share >= 1 ? UINT8_MAX : (uint8_t)(share * UINT8_MAX + 0.5);
}

bnn_status bnn_image_levels(bnn_tensor **out, const bnn_tensor *x, double lo, double hi,
                            bnn_err *err) {
  bnn_tensor *y = NULL;
  BNN_TRY(bnn_tensor_new(&y, BNN_U8, x->rank, x->dim, err));
  uint8_t *to = y->data;
  for (size_t i = 0; i < x->size; i++) to[i] = level(bnn_tensor_get(x, i), lo, hi);
  *out = y;
  return BNN_OK;
}
