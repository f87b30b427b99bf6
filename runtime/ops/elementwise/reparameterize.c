/* reparameterize: y = mean + sqrt(variance) noise, a draw of N(mean, variance) made of noise ~ N(0, 1)
 * (Kingma & Welling 2014; for the outputs of a layer Kingma et al. 2015):
 *
 *   dmean = dy    dvariance = dy noise / (2 sqrt variance)    dnoise = dy sqrt variance
 *
 * The variance is taken as FLOOR at least, so that the slope stays finite where it is 0. */
#include <math.h>

#include "../op_help.h"

#define FLOOR ((bnn_real)1e-16)

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  static const char *const names[] = {"mean", "variance", "noise"};
  BNN_UNUSED(attr);
  for (int i = 1; i < n; i++)
    if (!bnn_shape_equal(&x[i], &x[0]))
      return bnn_fail(err, BNN_ESHAPE, "%s: expected %s as mean, got %s", names[i],
                      BNN_SHAPE(&x[0]), BNN_SHAPE(&x[i]));
  *y = x[0];
  return BNN_OK;
}

/* All three belong to the batch, or none. */
static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(x), BNN_UNUSED(y);
  const bool all = has_rows[0] && has_rows[1] && has_rows[2];
  return all ? BNN_ROWS_KEPT : BNN_ROWS_MIXED;
}

static inline bnn_real deviation(bnn_real variance) {
  return R(sqrt)(variance < FLOOR ? FLOOR : variance);
}

BNN_KERNEL draw(bnn_real *restrict y, const bnn_real *restrict mean,
                const bnn_real *restrict variance, const bnn_real *restrict noise, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = mean[i] + deviation(variance[i]) * noise[i];
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n), BNN_UNUSED(attr);
  draw(bnn_tensor_real(y), bnn_tensor_real(x[0]), bnn_tensor_real(x[1]), bnn_tensor_real(x[2]),
       y->size);
}

BNN_KERNEL add_mean(bnn_real *restrict dmean, const bnn_real *restrict dy, size_t n) {
  for (size_t i = 0; i < n; i++) dmean[i] += dy[i];
}

BNN_KERNEL add_variance(bnn_real *restrict dvariance, const bnn_real *restrict dy,
                        const bnn_real *restrict variance, const bnn_real *restrict noise,
                        size_t n) {
  for (size_t i = 0; i < n; i++) dvariance[i] += dy[i] * noise[i] / (2 * deviation(variance[i]));
}

BNN_KERNEL add_noise(bnn_real *restrict dnoise, const bnn_real *restrict dy,
                     const bnn_real *restrict variance, size_t n) {
  for (size_t i = 0; i < n; i++) dnoise[i] += dy[i] * deviation(variance[i]);
}

static void add_others(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *const *x) {
  const bnn_real *d = bnn_tensor_real(dy), *variance = bnn_tensor_real(x[1]);
  if (dx[1]) add_variance(bnn_tensor_real(dx[1]), d, variance, bnn_tensor_real(x[2]), dy->size);
  if (dx[2]) add_noise(bnn_tensor_real(dx[2]), d, variance, dy->size);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n), BNN_UNUSED(attr);
  if (dx[0]) add_mean(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), dy->size);
  add_others(dx, dy, x);
}

static void backward_set(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                         const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(y), BNN_UNUSED(n), BNN_UNUSED(attr);
  memcpy(bnn_tensor_real(dx[0]), bnn_tensor_real(dy), dy->size * sizeof(bnn_real));
  add_others(dx, dy, x);
}

BNN_OP(reparameterize) = {
    .name = "reparameterize",
    .doc =
        "reparameterize(mean, variance, noise): mean + sqrt(variance) noise, elementwise: a draw "
        "of N(mean, variance) where the noise is standard normal (Kingma & Welling 2014); the "
        "variance is taken as 1e-16 at least",
    .example = "bnn.reparameterize({1, 2}, {4, 9}, {0.5, -1}) --> {2, -1}",
    .arity = 3,
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .backward_set = backward_set,
    .y_unread = true,
    .check = {.lo = -1, .hi = 1, .tol = 1e-8, .range = {{-1, 1}, {0.5, 2}, {-2, 2}}},
};
