/* fuzz.h - what the fuzzers share: a demand that ends the program, a tensor that is well formed. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tensor/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static inline void demand(int holds) {
  if (!holds) abort();
}

/* Reads each element, so that a sanitizer sees it. */
static inline void demand_tensor(const bnn_tensor *x) {
  volatile double last;
  size_t size = 1;
  demand(x->rank >= 0 && x->rank <= BNN_RANK_MAX && bnn_tensor_is_contiguous(x));
  for (int k = 0; k < x->rank; k++) size *= x->dim[k];
  demand(size == x->size);
  for (size_t i = 0; i < size; i++) last = bnn_tensor_get(x, i);
  (void)last;
}

#endif
