/* bad_gradient.h - the first tensor whose gradient is not finite, whichever job finds one first. */
#ifndef BNN_BAD_GRADIENT_H
#define BNN_BAD_GRADIENT_H

#include <stdatomic.h>
#include <stdint.h>

#include "../base/status.h"

/* A tensor, from 0, or BNN_NONE_BAD. */
typedef atomic_size_t bnn_bad;
#define BNN_NONE_BAD SIZE_MAX

static inline void bnn_bad_note(bnn_bad *bad, size_t tensor) {
  size_t seen = atomic_load(bad);
  while (tensor < seen && !atomic_compare_exchange_weak(bad, &seen, tensor)) continue;
}

/* ENAN "the gradient of tensor T is not finite", T from 1. */
static inline bnn_status bnn_bad_check(const bnn_bad *bad, bnn_err *err) {
  const size_t first = atomic_load(bad);
  if (first == BNN_NONE_BAD) return BNN_OK;
  return bnn_fail(err, BNN_ENAN, "the gradient of tensor %zu is not finite", first + 1);
}

#endif
