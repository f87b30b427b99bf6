/* layout.h - where each named tensor of a network lies in one flat buffer: weights, their samples,
 * gradients and most buffers of posteriors share it. */
#ifndef BNN_LAYOUT_H
#define BNN_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/status.h"

/* One tensor of a layout: elements [offset, offset + size). */
typedef struct bnn_param {
  size_t offset, size;
} bnn_param;

typedef struct bnn_layout {
  size_t n_params, size;
  bnn_param *param; /* [n_params], owned; in order, without gaps or overlaps */
} bnn_layout;

/* Elements [first, first + count) of a layout, all of tensor `tensor`. */
typedef struct bnn_span {
  size_t tensor, first, count;
} bnn_span;

/* A layout of tensors of these sizes, in order.  ENOMEM. */
bnn_status bnn_layout_init(bnn_layout *out, size_t n_params, const size_t *size, bnn_err *err);
void bnn_layout_fini(bnn_layout *layout);

/* The tensor in which element `at` lies, the last one that begins there or before. */
size_t bnn_layout_tensor_at(const bnn_layout *layout, size_t at);

/* Whether element `at` begins a tensor, or is the end of the layout, or 0. */
bool bnn_layout_is_boundary(const bnn_layout *layout, size_t at);

#endif
