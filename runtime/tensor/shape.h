/* shape.h - arithmetic on shapes: sizes, broadcasting, and how a shape is printed. */
#ifndef BNN_SHAPE_H
#define BNN_SHAPE_H

#include <stdbool.h>

#include "../base/status.h"
#include "tensor.h"

typedef struct bnn_shape {
  bnn_dtype dtype;
  int rank;
  size_t dim[BNN_RANK_MAX];
} bnn_shape;

/* The shape of a tensor. */
bnn_shape bnn_shape_of(const bnn_tensor *x);

/* A shape from its parts; rank <= BNN_RANK_MAX. */
bnn_shape bnn_shape_make(bnn_dtype dtype, int rank, const size_t *dim);

/* Product of the dims, 1 for a scalar; false if the product of the dims other than 0
 * overflows size_t. */
bool bnn_shape_size(size_t *out, int rank, const size_t *dim);

/* Same rank and dims, whatever the dtypes. */
bool bnn_shape_equal(const bnn_shape *a, const bnn_shape *b);

/* NumPy's broadcasting: shapes are aligned at their last dim; dims agree if they are equal or one
 * of them is 1.  The result has the dtype of a.  ESHAPE names both shapes. */
bnn_status bnn_shape_broadcast(bnn_shape *out, const bnn_shape *a, const bnn_shape *b,
                               bnn_err *err);

/* "[128, 784]", "[]" for a scalar; a static-size value, so that it can be used inside a call. */
typedef struct bnn_shape_text {
  char s[BNN_RANK_MAX * 22 + 4];
} bnn_shape_text;
bnn_shape_text bnn_shape_print(int rank, const size_t *dim);
#define BNN_SHAPE(x) (bnn_shape_print((x)->rank, (x)->dim).s)

#endif
