/* radial: w = mu + sigma r eps / |eps| for each tensor by itself, eps ~ N(0, 1) over its elements and
 * r ~ N(0, 1) one number: directions are spread evenly, and distances from the mean are those of one
 * Gaussian, where a mean-field Gaussian of n weights keeps sqrt(n) away from its mean.  Farquhar, Osborne
 * & Gal, "Radial Bayesian neural networks", AISTATS 2020, equation 3. */
#include <math.h>

#include "../vec/vec_math.h"
#include "location_scale.h"
#include "normal_chunks.h"

enum { LANES = 16 };

/* ---- samples ---- */

static void noise_piece(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from, size_t n) {
  BNN_UNUSED(q);
  draw_normals(theta + from, draw, from, n);
}

BNN_KERNEL add_squares(double *restrict lane, const bnn_real *restrict x, size_t rows) {
  for (size_t i = 0; i < rows * LANES; i += LANES)
    for (size_t l = 0; l < LANES; l++) lane[l] += (double)x[i + l] * (double)x[i + l];
}

/* One running sum per lane, so that the order of summation is fixed and the loop vectorises. */
static double norm(const bnn_real *x, size_t n) {
  double lane[LANES] = {0}, sum = 0;
  add_squares(lane, x, n / LANES);
  for (size_t i = n - n % LANES; i < n; i++) sum += (double)x[i] * (double)x[i];
  for (size_t l = 0; l < LANES; l++) sum += lane[l];
  return sqrt(sum);
}

/* theta holds eps when it comes in. */
BNN_KERNEL shift_and_scale(bnn_real *restrict theta, const bnn_real *restrict mu,
                           const bnn_real *restrict logvar, bnn_real scale, size_t n) {
  for (size_t i = 0; i < n; i++) theta[i] = mu[i] + vm_exp(logvar[i] / 2) * (scale * theta[i]);
}

typedef struct radii {
  const bnn_group *q;
  bnn_real *theta;
  bnn_key key;
  size_t first; /* tensor of the group */
} radii;

/* r of tensor t is normal 0 of key:fold(t), t counted from 1 over the layout; eps alone is mirrored. */
static void place_tensor(void *data, size_t i) {
  const radii *w = data;
  const size_t t = w->first + i;
  const bnn_param *p = &w->q->layout->param[t];
  if (p->size == 0) return;
  const size_t at = p->offset - w->q->first;
  bnn_real r, *theta = w->theta + p->offset;
  VEC(normal)(&r, bnn_key_fold(w->key, (int64_t)t + 1), 0, 1);
  const double length = norm(theta, p->size);
  const bnn_real scale = length > 0 ? (bnn_real)((double)r / length) : 0;
  shift_and_scale(theta, w->q->buffer[MU] + at, w->q->buffer[LOGVAR] + at, scale, p->size);
}

static void sample(const bnn_group *q, bnn_context *context, bnn_real *theta, bnn_draw draw,
                   int64_t s) {
  BNN_UNUSED(s);
  const bnn_layout *layout = q->layout;
  radii w = {.q = q, .theta = theta, .key = draw.key};
  size_t end;
  while (w.first < layout->n_params && layout->param[w.first].offset < q->first) w.first++;
  for (end = w.first; end < layout->n_params; end++)
    if (layout->param[end].offset + layout->param[end].size > q->end) break;
  bnn_family_sample_pieces(q, context, noise_piece, theta, draw);
  bnn_context_run(context, place_tensor, &w, end - w.first);
}

/* ---- deviations, for estimators ---- */

BNN_KERNEL subtract(bnn_real *restrict x, const bnn_real *restrict mu, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] -= mu[i];
}

static void deviations_piece(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from,
                             size_t n) {
  BNN_UNUSED(draw);
  subtract(theta + from, q->buffer[MU] + (from - q->first), n);
}

/* A direction is as likely with any signs. */
static void deviations(const bnn_group *q, bnn_context *context, bnn_real *deviation,
                       bnn_draw draw) {
  sample(q, context, deviation, draw, 1);
  bnn_family_sample_pieces(q, context, deviations_piece, deviation, draw);
}

/* ---- entropy ---- */

/* sum of log sigma, and the entropy of r eps / |eps| over n elements: that of |r|, (n - 1) E log |r|,
 * and the logarithm of the surface of the unit sphere in n dimensions.  Of n = 1 that is a Gaussian's. */
static double entropy(const bnn_group *q, size_t tensor) {
  static const double euler = 0.57721566490153286, log_2 = 0.69314718055994531;
  const double n = (double)q->layout->param[tensor].size;
  if (n == 0) return 0;
  const double radius = log(M_PI * M_E / 2) / 2, log_r = -(euler + log_2) / 2;
  const double surface = log_2 + n / 2 * log(M_PI) - lgamma(n / 2);
  return location_scale_log_sigma(q, tensor) + radius + (n - 1) * log_r + surface;
}

/* E (r eps_i / |eps|)^2 is 1/n for each of n elements. */
static double second_moment(const bnn_group *q, size_t tensor) {
  const size_t n = q->layout->param[tensor].size;
  return n == 0 ? 0 : location_scale_second_moment(q, tensor, 1 / (double)n);
}

/* sigma / sqrt n: the noise has mean 0. */
static void std(const bnn_group *q, bnn_real *sigma) {
  const bnn_layout *layout = q->layout;
  for (size_t t = 0; t < layout->n_params; t++) {
    const bnn_param *p = &layout->param[t];
    if (p->size == 0 || p->offset < q->first || p->offset >= q->end) continue;
    const bnn_real scale = (bnn_real)(1 / sqrt((double)p->size));
    scaled_sigma(sigma + p->offset, q->buffer[LOGVAR] + (p->offset - q->first), scale, p->size);
  }
}

BNN_FAMILY(radial) = {
    .name = "radial",
    .doc =
        "radial: even directions and one Gaussian distance for each tensor (Farquhar et al. 2020)",
    .n_buffers = 2,
    .buffer = LOCATION_SCALE_BUFFERS,
    .sample = sample,
    .backward = location_scale_backward,
    .deviations = LOCATION_SCALE_DEVIATIONS(deviations),
    .entropy = entropy,
    .entropy_backward = location_scale_entropy_backward,
    .second_moment = second_moment,
    .std = std,
};
