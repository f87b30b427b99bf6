/* log_prob_kernels.h - what elementwise log densities share: a kernel for the value, one for the
 * gradient with respect to each input in order, and forward and backward from these. */
#ifndef BNN_OPS_LOG_PROB_KERNELS_H
#define BNN_OPS_LOG_PROB_KERNELS_H

#include "../../vec/vec_math.h"
#include "../op_help.h"
#include "../walk.h"

#define HALF_LOG_2PI ((bnn_real)0.91893853320467274178)

/* Defines forward and backward: DENSITY(value, slope of input 0, slope of input 1, ...). */
#define DENSITY(VALUE, ...)                                                                     \
  static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) { \
    BNN_UNUSED(attr);                                                                           \
    walk_map(y, x, n, VALUE);                                                                   \
  }                                                                                             \
                                                                                                \
  static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,        \
                       const bnn_tensor *const *x, int n, const bnn_attr *attr) {               \
    static walk_slope *const slopes[] = {__VA_ARGS__};                                          \
    BNN_UNUSED(attr);                                                                           \
    for (int k = 0; k < n; k++)                                                                 \
      if (dx[k]) walk_grad(dx[k], k, dy, y, x, n, slopes[k]);                                   \
  }

#endif
