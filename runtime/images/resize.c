/* resize.c - see resize.h: means over areas, in whole numbers, so that all processors agree.
 *
 * One axis at a time, columns first.  Along an axis of n pixels made m, count in units of 1/m of
 * a pixel of x: pixel i covers [i n, (i + 1) n), pixel k of x [k m, (k + 1) m), and the weights
 * within pixel i sum to n.  The rows in between keep their sums, 255 n at most, so nothing
 * is rounded twice. */
#include "resize.h"

#include <stdint.h>

#include "../base/mem.h"
#include "../tensor/shape.h"

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* What pixel i of m covers of pixel k of n, at least 1. */
static size_t weight(size_t i, size_t k, size_t n, size_t m) {
  size_t from = i * n > k * m ? i * n : k * m;
  return least((i + 1) * n, (k + 1) * m) - from;
}

/* y [m, c] = sums of x [n, c], with weights that sum to n. */
static void resize_row(uint32_t *restrict y, const uint8_t *restrict x, size_t n, size_t m,
                       size_t c) {
  for (size_t i = 0; i < m; i++)
    for (size_t channel = 0; channel < c; channel++) {
      uint32_t sum = 0;
      for (size_t k = i * n / m; k * m < (i + 1) * n; k++)
        sum += (uint32_t)weight(i, k, n, m) * x[k * c + channel];
      y[i * c + channel] = sum;
    }
}

/* Row i of h from the sums of rows [rows, width], each of weight `columns` already. */
static void resize_columns(uint8_t *restrict y, const uint32_t *restrict sums,
                           uint64_t *restrict total, size_t i, size_t h, size_t rows,
                           size_t columns, size_t width) {
  for (size_t j = 0; j < width; j++) total[j] = 0;
  for (size_t k = i * rows / h; k * h < (i + 1) * rows; k++) {
    const uint64_t part = weight(i, k, rows, h);
    for (size_t j = 0; j < width; j++) total[j] += part * sums[k * width + j];
  }
  const uint64_t whole = (uint64_t)rows * columns;
  for (size_t j = 0; j < width; j++) y[j] = (uint8_t)((total[j] + whole / 2) / whole);
}

static bnn_status resize(bnn_tensor *y, const bnn_tensor *x, size_t c, bnn_err *err) {
  const size_t rows = x->dim[0], columns = x->dim[1], h = y->dim[0], w = y->dim[1], width = w * c;
  uint32_t *sums = bnn_mem_alloc(rows * width, sizeof *sums);
  uint64_t *total = bnn_mem_alloc(width, sizeof *total);
  bnn_status status = BNN_OK;
  if (!sums || !total) {
    status = bnn_fail(err, BNN_ENOMEM, "no memory for an image of %zu x %zu", h, w);
  } else {
    const uint8_t *from = x->data;
    uint8_t *to = y->data;
    for (size_t k = 0; k < rows; k++)
      resize_row(sums + k * width, from + k * columns * c, columns, w, c);
    for (size_t i = 0; i < h; i++)
      resize_columns(to + i * width, sums, total, i, h, rows, columns, width);
  }
  bnn_mem_free(total);
  bnn_mem_free(sums);
  return status;
}

static bool is_side(size_t n) { return n > 0 && n <= BNN_RESIZE_SIDE_MAX; }

static bnn_status check(const bnn_tensor *x, size_t h, size_t w, bnn_err *err) {
  if (x->dtype != BNN_U8)
    return bnn_fail(err, BNN_ETYPE, "expected an image of u8, got %s", bnn_dtype_name(x->dtype));
  bool fits =
      (x->rank == 2 || x->rank == 3) && x->size > 0 && is_side(x->dim[0]) && is_side(x->dim[1]);
  if (!fits)
    return bnn_fail(err, BNN_ESHAPE, "expected an image [h, w] or [h, w, c], got %s", BNN_SHAPE(x));
  if (!is_side(h) || !is_side(w))
    return bnn_fail(err, BNN_ESHAPE, "expected sides of 1 to %d, got %zu x %zu",
                    BNN_RESIZE_SIDE_MAX, h, w);
  return BNN_OK;
}

bnn_status bnn_image_resize(bnn_tensor **out, const bnn_tensor *x, size_t h, size_t w,
                            bnn_err *err) {
  BNN_TRY(check(x, h, w, err));
  const size_t dim[] = {h, w, x->rank == 3 ? x->dim[2] : 1};
  bnn_tensor *y = NULL, *whole = NULL;
  bnn_status status = BNN_OK;
  if (!bnn_tensor_is_contiguous(x)) status = bnn_tensor_clone(&whole, x, err);
  if (status == BNN_OK) status = bnn_tensor_new(&y, BNN_U8, x->rank, dim, err);
  if (status == BNN_OK) status = resize(y, whole ? whole : x, dim[2], err);
  bnn_tensor_unref(whole);
  if (status == BNN_OK)
    *out = y;
  else
    bnn_tensor_unref(y);
  return status;
}
