/* batch_norm (Ioffe and Szegedy 2015): each channel of a batch to mean 0 and variance 1, then a gain
 * and a bias for each channel.
 *
 *   u = (x - mean) r,  r = 1 / sqrt(var + eps)      y = gain u + bias       over all axes but the second
 *   dgain = sum of dy u    dbias = sum of dy        dx = gain r (dy - dbias / m - u dgain / m)
 *
 * with m the elements of a channel.  mean and var (the population's) are sums in double; backward finds
 * them again instead of keeping them.
 *
 * x is [n, c, inner]; a stretch of channels is taken at a time: LANES of them where inner is 1, so that
 * neighbours in memory are folded side by side, each channel in its own lane; else one, whose
 * neighbours fill the lanes, which are added at the end. */
#include "norm.h"

enum { LANES = 64 };

static bnn_status infer(bnn_shape *y, const bnn_shape *x, int n, const bnn_attr *attr,
                        bnn_err *err) {
  BNN_UNUSED(n);
  if (x[0].rank < 2)
    return bnn_fail(err, BNN_ESHAPE, "x: expected [n, channels, ...], got %s", BNN_SHAPE(&x[0]));
  BNN_TRY(norm_check(x, x[0].dim[1], attr, err));
  *y = x[0];
  return BNN_OK;
}

static bnn_rows rows(const bool *has_rows, const bnn_shape *x, int n, const bnn_attr *attr,
                     const bnn_shape *y) {
  BNN_UNUSED(x), BNN_UNUSED(n), BNN_UNUSED(attr), BNN_UNUSED(y);
  return has_rows[0] || has_rows[1] || has_rows[2] ? BNN_ROWS_MIXED : BNN_ROWS_NONE;
}

/* Channels [from, from + channels) of all examples: of each a run of neighbours, `step` elements after
 * that of the example before. */
typedef struct stretch {
  size_t n, from, channels, run, step, at;
  bool is_one; /* all lanes belong to one channel */
  double count;
} stretch;

/* How many stretches x [n, c, ...] has; none if it is empty. */
static size_t parts(const bnn_tensor *const *x, const bnn_attr *attr) {
  BNN_UNUSED(attr);
  const size_t n = x[0]->dim[0], c = x[0]->dim[1];
  if (x[0]->size == 0) return 0;
  return x[0]->size > n * c ? c : (c + LANES - 1) / LANES;
}

/* Stretch number `part`. */
static stretch stretch_of(const bnn_tensor *x, size_t part) {
  const size_t n = x->dim[0], c = x->dim[1], inner = x->size / (n * c);
  const size_t from = inner > 1 ? part : part * LANES, left = c - from;
  const size_t channels = inner > 1 ? 1 : left < LANES ? left : LANES;
  return (stretch){.n = n,
                   .from = from,
                   .channels = channels,
                   .run = channels * inner,
                   .step = c * inner,
                   .at = from * inner,
                   .is_one = inner > 1,
                   .count = (double)(n * inner)};
}

/* One of these for each lane, whatever channel it belongs to. */
typedef struct lanes {
  double of[LANES];
} lanes;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

BNN_KERNEL add_values(double *restrict sum, const bnn_real *restrict x, size_t n) {
  for (size_t k = 0; k < n; k++) sum[k] += x[k];
}

BNN_KERNEL add_squares(double *restrict sum, const bnn_real *restrict x,
                       const double *restrict mean, size_t n) {
  for (size_t k = 0; k < n; k++) sum[k] += (x[k] - mean[k]) * (x[k] - mean[k]);
}

BNN_KERNEL add_products(double *restrict sum, const bnn_real *restrict dy,
                        const bnn_real *restrict x, const double *restrict mean,
                        const double *restrict r, size_t n) {
  for (size_t k = 0; k < n; k++) sum[k] += dy[k] * ((x[k] - mean[k]) * r[k]);
}

BNN_KERNEL normalise(bnn_real *restrict y, const bnn_real *restrict x, const double *restrict mean,
                     const double *restrict r, const double *restrict gain,
                     const double *restrict bias, size_t n) {
  for (size_t k = 0; k < n; k++) y[k] = (bnn_real)((x[k] - mean[k]) * r[k] * gain[k] + bias[k]);
}

BNN_KERNEL add_slope(bnn_real *restrict dx, const bnn_real *restrict dy, const bnn_real *restrict x,
                     const double *restrict mean, const double *restrict r,
                     const double *restrict gain, const double *restrict dgain,
                     const double *restrict dbias, size_t n) {
  for (size_t k = 0; k < n; k++) {
    const double u = (x[k] - mean[k]) * r[k];
    dx[k] += (bnn_real)(gain[k] * r[k] * (dy[k] - dbias[k] - u * dgain[k]));
  }
}

/* Runs `call` for each LANES elements of the stretch: `at`, their place, and `width`. */
#define OVER(S, CALL)                                  \
  for (size_t i = 0; i < (S)->n; i++)                  \
    for (size_t j = 0; j < (S)->run; j += LANES) {     \
      const size_t at = (S)->at + i * (S)->step + j;   \
      const size_t width = least(LANES, (S)->run - j); \
      CALL;                                            \
    }

/* Sums of lanes as sums of channels. */
static void settle(lanes *sum, const stretch *s) {
  if (!s->is_one) return;
  double all = 0;
  for (int k = 0; k < LANES; k++) all += sum->of[k];
  for (int k = 0; k < LANES; k++) sum->of[k] = all;
}

static void moments(lanes *mean, lanes *r, const bnn_real *x, const stretch *s, double eps) {
  lanes square = {{0}};
  *mean = square;
  OVER(s, add_values(mean->of, x + at, width))
  settle(mean, s);
  for (int k = 0; k < LANES; k++) mean->of[k] /= s->count;
  OVER(s, add_squares(square.of, x + at, mean->of, width))
  settle(&square, s);
  for (int k = 0; k < LANES; k++) r->of[k] = 1 / sqrt(square.of[k] / s->count + eps);
}

/* The stretch's part of a tensor [c], a number for each lane. */
static void read_channels(lanes *out, const bnn_tensor *of, const stretch *s) {
  const bnn_real *from = bnn_tensor_real(of) + s->from;
  for (size_t k = 0; k < LANES; k++) out->of[k] = from[s->is_one ? 0 : least(k, s->channels - 1)];
}

static void add_to_channels(bnn_tensor *to, const lanes *sum, const stretch *s) {
  for (size_t k = 0; to && k < s->channels; k++)
    bnn_tensor_real(to)[s->from + k] += (bnn_real)sum->of[k];
}

static void forward_part(bnn_tensor *y, const bnn_tensor *const *x, const bnn_attr *attr,
                         size_t part) {
  const bnn_real *in = bnn_tensor_real(x[0]);
  bnn_real *out = bnn_tensor_real(y);
  const stretch s = stretch_of(x[0], part);
  lanes mean, r, gain, bias;
  moments(&mean, &r, in, &s, attr->number[0]);
  read_channels(&gain, x[1], &s);
  read_channels(&bias, x[2], &s);
  OVER(&s, normalise(out + at, in + at, mean.of, r.of, gain.of, bias.of, width))
}

static void forward(bnn_tensor *y, const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  for (size_t part = 0; part < parts(x, attr); part++) forward_part(y, x, attr, part);
}

/* The gradients of a stretch. */
static void add_stretch(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *const *x,
                        const stretch *s, double eps) {
  const bnn_real *in = bnn_tensor_real(x[0]), *g = bnn_tensor_real(dy);
  lanes mean, r, gain, dgain = {{0}}, dbias = {{0}};
  moments(&mean, &r, in, s, eps);
  OVER(s, add_values(dbias.of, g + at, width))
  OVER(s, add_products(dgain.of, g + at, in + at, mean.of, r.of, width))
  settle(&dbias, s);
  settle(&dgain, s);
  add_to_channels(dx[1], &dgain, s);
  add_to_channels(dx[2], &dbias, s);
  if (!dx[0]) return;
  bnn_real *out = bnn_tensor_real(dx[0]);
  read_channels(&gain, x[1], s);
  for (int k = 0; k < LANES; k++) dgain.of[k] /= s->count, dbias.of[k] /= s->count;
  OVER(s, add_slope(out + at, g + at, in + at, mean.of, r.of, gain.of, dgain.of, dbias.of, width))
}

static void backward_part(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                          const bnn_tensor *const *x, const bnn_attr *attr, size_t part) {
  BNN_UNUSED(y);
  const stretch s = stretch_of(x[0], part);
  add_stretch(dx, dy, x, &s, attr->number[0]);
}

static void backward(bnn_tensor *const *dx, const bnn_tensor *dy, const bnn_tensor *y,
                     const bnn_tensor *const *x, int n, const bnn_attr *attr) {
  BNN_UNUSED(n);
  for (size_t part = 0; part < parts(x, attr); part++) backward_part(dx, dy, y, x, attr, part);
}

BNN_OP(batch_norm) = {
    .name = "batch_norm",
    .doc = "batch_norm(x, gain, bias, eps = 1e-5): scales each channel of x [n, channels, ...] to "
           "mean 0 and variance 1 over all examples and places (eps is added to the variance), "
           "then multiplies by gain [channels] and adds bias [channels]",
    .example = "bnn.batch_norm({{1, 5}, {3, 5}}, {1, 1}, {0, 2}) --> {{-1, 2}, {1, 2}}",
    .arity = 3,
    .args = "r?",
    .defaults = {.number = {1e-5}},
    .infer = infer,
    .rows = rows,
    .forward = forward,
    .backward = backward,
    .y_unread = true,
    .parts = parts,
    .forward_part = forward_part,
    .backward_part = backward_part,
    .check = {.lo = -1,
              .hi = 1,
              .tol = 1e-6,
              .in = {{2, {5, 6}, 0}, {1, {6}, 0}, {1, {6}, 0}},
              .attr = {.number = {1e-5}}},
};
