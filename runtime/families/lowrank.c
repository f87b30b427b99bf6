/* lowrank: the Gaussian N(mu, D + L L^T) over all weights of a group together, D = diag(exp(logvar)) and
 * L [weights, rank]:
 *   theta = mu + exp(logvar / 2) eps + L z,   eps [weights] and z [rank] ~ N(0, 1).
 * What couples the weights in its KL is the matrix A = I + L^T D^-1 L [rank, rank]:
 *   log det(D + L L^T) = sum of logvar + log det A,   (D + L L^T)^-1 L = D^-1 L A^-1.
 * Ong, Nott & Smith, "Gaussian variational approximation with a factor covariance structure", JCGS
 * 2018; Tomczak, Swaroop & Turner, "Efficient low rank Gaussian variational inference for neural
 * networks", NeurIPS 2020.
 *
 * By the chain rule the entropy of a tensor given those before it has log det A over the elements up to
 * its end, less that up to its beginning: these are what entropy and kl give, and their sums are those of
 * the whole. */
#include "../gp/cholesky.h"
#include "diagonal_gaussian.h"
#include "low_rank_noise.h"

enum { FACTOR = LOGVAR + 1 };

/* Elements that are handled together, and sums of them in a fixed order, whatever the threads. */
enum { PIECE = 256, LANES = 16, SUMS = 32 };

static size_t size_of(const bnn_group *q) { return q->end - q->first; }

static const bnn_real *row_of(const bnn_group *q, size_t k, size_t at) {
  return q->buffer[FACTOR] + k * size_of(q) + at;
}

/* ---- samples ---- */

static void chunk(const bnn_group *q, bnn_real *theta, bnn_draw draw, size_t from, size_t n) {
  const size_t at = from - q->first;
  shift_and_scale(theta + from, q->buffer[MU] + at, q->buffer[LOGVAR] + at, n);
  add_rows(q, q->buffer[FACTOR], theta + from, draw, 1, at, n);
}

NORMAL_SAMPLES(sample, chunk)

/* dmu += g,  dlogvar += g sigma eps / 2,  dL_k += g z_k.  sigma eps is what z leaves of theta - mu. */
static void backward(const bnn_group *q, bnn_span span, bnn_draw draw, const bnn_real *g,
                     const bnn_real *theta, bnn_real *const *d) {
  bnn_real z[BNN_ROWS_MAX], rest[PIECE];
  draw_row_numbers(z, draw, 0, q->rows);
  for (size_t from = 0, n; from < span.count; from += n) {
    const size_t at = span.first - q->first + from;
    n = span.count - from < PIECE ? span.count - from : PIECE;
    memcpy(rest, theta + from, n * sizeof *rest);
    for (size_t k = 0; k < q->rows; k++) {
      add_row(rest, row_of(q, k, at), -z[k], n);
      add_row(d[FACTOR + k] + from, g + from, z[k], n);
    }
    add_gradient(d[MU] + from, d[LOGVAR] + from, g + from, rest, q->buffer[MU] + at, n);
  }
}

/* ---- A ---- */

/* e^(c logvar), for n <= PIECE. */
BNN_KERNEL power_of_variance(bnn_real *restrict out, const bnn_real *restrict logvar, bnn_real c,
                             size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = vm_exp(c * logvar[i]);
}

BNN_KERNEL multiply(bnn_real *restrict out, const bnn_real *restrict x, const bnn_real *restrict y,
                    size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = x[i] * y[i];
}

BNN_KERNEL add_products(bnn_real *restrict lane, const bnn_real *restrict x,
                        const bnn_real *restrict y, size_t n) {
  for (size_t i = 0; i < n; i += LANES)
    for (size_t l = 0; l < LANES; l++) lane[l] += x[i + l] * y[i + l];
}

static double dot(const bnn_real *x, const bnn_real *y, size_t n) {
  bnn_real lane[LANES] = {0};
  double sum = 0;
  add_products(lane, x, y, n);
  for (size_t l = 0; l < LANES; l++) sum += (double)lane[l];
  return sum;
}

/* The upper triangle of a [rank, rank] += L^T D^-1 L over elements [at, at + n) of the group, n <= PIECE. */
static void add_piece(double *a, const bnn_group *q, size_t at, size_t n) {
  bnn_real scaled[BNN_ROWS_MAX][PIECE], inverse[PIECE];
  const size_t whole = (n + LANES - 1) / LANES * LANES, rank = q->rows;
  power_of_variance(inverse, q->buffer[LOGVAR] + at, (bnn_real)-0.5, n);
  for (size_t k = 0; k < rank; k++) {
    multiply(scaled[k], row_of(q, k, at), inverse, n);
    for (size_t i = n; i < whole; i++) scaled[k][i] = 0;
  }
  for (size_t j = 0; j < rank; j++)
    for (size_t k = j; k < rank; k++) a[j * rank + k] += dot(scaled[j], scaled[k], whole);
}

/* The same over elements [from, end), which may be many, on this thread. */
static void add_pieces(double *a, const bnn_group *q, size_t from, size_t end) {
  for (size_t at = from; at < end; at += PIECE)
    add_piece(a, q, at, end - at < PIECE ? end - at : PIECE);
}

static void begin(double *a, size_t rank) {
  memset(a, 0, rank * rank * sizeof *a);
  for (size_t k = 0; k < rank; k++) a[k * rank + k] = 1;
}

/* log det of A; NaN if an element is not finite. */
static double log_det(const double *a, size_t rank) {
  double u[BNN_ROWS_MAX * BNN_ROWS_MAX], sum = 0;
  memcpy(u, a, rank * rank * sizeof *u);
  if (!bnn_cholesky(u, rank)) return NAN;
  for (size_t k = 0; k < rank; k++) sum += log(u[k * rank + k]);
  return 2 * sum;
}

/* What a tensor adds to log det A. */
static double added_log_det(const bnn_group *q, size_t tensor) {
  double a[BNN_ROWS_MAX * BNN_ROWS_MAX];
  const bnn_param *p = &q->layout->param[tensor];
  const size_t from = p->offset - q->first;
  if (p->size == 0) return 0;
  begin(a, q->rows);
  add_pieces(a, q, 0, from);
  const double before = log_det(a, q->rows);
  add_pieces(a, q, from, from + p->size);
  return log_det(a, q->rows) - before;
}

/* ---- A^-1, once a step ---- */

/* A^-1, then room for its making, then sums of pieces. */
static size_t scratch(const bnn_group *q) { return (SUMS + 2) * q->rows * q->rows; }

static double *sums_of(const bnn_group *q) { return q->scratch + 2 * q->rows * q->rows; }

/* Every SUMS-th piece from i. */
static void sums_job(void *data, size_t i) {
  const bnn_group *q = data;
  double *a = sums_of(q) + i * q->rows * q->rows;
  memset(a, 0, q->rows * q->rows * sizeof *a);
  for (size_t at = i * PIECE; at < size_of(q); at += SUMS * PIECE)
    add_piece(a, q, at, size_of(q) - at < PIECE ? size_of(q) - at : PIECE);
}

static void prepare(const bnn_group *q, bnn_context *context) {
  const size_t rank = q->rows, square = rank * rank;
  double *inverse = q->scratch, *lower = inverse + square, *a = sums_of(q);
  bnn_group lent = *q;
  bnn_context_run(context, sums_job, &lent, SUMS);
  for (size_t s = 1; s < SUMS; s++)
    for (size_t i = 0; i < square; i++) a[i] += a[s * square + i];
  for (size_t k = 0; k < rank; k++) a[k * rank + k] += 1;
  if (bnn_cholesky(a, rank))
    bnn_cholesky_inverse(inverse, lower, a, rank);
  else
    for (size_t i = 0; i < square; i++) inverse[i] = NAN;
  for (size_t j = 0; j < rank; j++)
    for (size_t k = 0; k < j; k++) inverse[j * rank + k] = inverse[k * rank + j];
}

/* ---- KL and entropy ---- */

/* u [n] = row k of A^-1 L^T. */
BNN_KERNEL multiply_rows(bnn_real *restrict u, const bnn_real *restrict rows, size_t stride,
                         const double *restrict a, size_t rank, size_t n) {
  size_t j = 0;
  for (size_t i = 0; i < n; i++) u[i] = 0;
  for (; j + 4 <= rank; j += 4) { /* four at once: u is read and written a quarter as often */
    const bnn_real *r = rows + j * stride;
    const bnn_real a0 = (bnn_real)a[j], a1 = (bnn_real)a[j + 1], a2 = (bnn_real)a[j + 2],
                   a3 = (bnn_real)a[j + 3];
    for (size_t i = 0; i < n; i++)
      u[i] += a0 * r[i] + a1 * r[i + stride] + (a2 * r[i + 2 * stride] + a3 * r[i + 3 * stride]);
  }
  for (; j < rank; j++) {
    const bnn_real *r = rows + j * stride, b = (bnn_real)a[j];
    for (size_t i = 0; i < n; i++) u[i] += b * r[i];
  }
}

/* d += pull L_k - weight u / D,  lever += u L_k / D; inverse is 1 / D. */
BNN_KERNEL add_row_gradient(bnn_real *restrict d, bnn_real *restrict lever,
                            const bnn_real *restrict row, const bnn_real *restrict u,
                            const bnn_real *restrict inverse, bnn_real pull, bnn_real weight,
                            size_t n) {
  for (size_t i = 0; i < n; i++) {
    const bnn_real share = u[i] * inverse[i];
    d[i] += pull * row[i] - weight * share;
    lever[i] += share * row[i];
  }
}

/* What L adds: the gradient of weight times -log det A / 2, and pull L. */
static void add_coupling(const bnn_group *q, bnn_span span, bnn_real weight, bnn_real pull,
                         bnn_real *const *d) {
  const size_t rank = q->rows;
  bnn_real u[PIECE], lever[PIECE], inverse[PIECE];
  for (size_t from = 0, n; from < span.count; from += n) {
    const size_t at = span.first - q->first + from;
    n = span.count - from < PIECE ? span.count - from : PIECE;
    memset(lever, 0, n * sizeof *lever);
    power_of_variance(inverse, q->buffer[LOGVAR] + at, -1, n);
    for (size_t k = 0; k < rank; k++) {
      multiply_rows(u, row_of(q, 0, at), size_of(q), q->scratch + k * rank, rank, n);
      add_row_gradient(d[FACTOR + k] + from, lever, row_of(q, k, at), u, inverse, pull, weight, n);
    }
    add_row(d[LOGVAR] + from, lever, weight / 2, n);
  }
}

/* The sum of L^2 over a tensor. */
static double squares(const bnn_group *q, size_t tensor) {
  const bnn_param *p = &q->layout->param[tensor];
  double sum = 0;
  for (size_t k = 0; k < q->rows; k++) {
    const bnn_real *row = row_of(q, k, p->offset - q->first);
    for (size_t i = 0; i < p->size; i++) sum += (double)row[i] * (double)row[i];
  }
  return sum;
}

static double kl(const bnn_group *q, size_t tensor, double prior_std) {
  const double spread = squares(q, tensor) / (prior_std * prior_std);
  return diagonal_kl(q, tensor, prior_std) + (spread - added_log_det(q, tensor)) / 2;
}

static void kl_backward(const bnn_group *q, bnn_span span, bnn_real weight, bnn_real precision,
                        bnn_real *const *d) {
  diagonal_kl_backward(q, span, weight, precision, d);
  add_coupling(q, span, weight, weight * precision, d);
}

static double entropy(const bnn_group *q, size_t tensor) {
  return diagonal_entropy(q, tensor) + added_log_det(q, tensor) / 2;
}

static void entropy_backward(const bnn_group *q, bnn_span span, bnn_real weight,
                             bnn_real *const *d) {
  location_scale_entropy_backward(q, span, weight, d);
  add_coupling(q, span, -weight, 0, d);
}

/* ---- moments ---- */

static double second_moment(const bnn_group *q, size_t tensor) {
  return location_scale_second_moment(q, tensor, 1) + squares(q, tensor);
}

static void std(const bnn_group *q, bnn_real *sigma) {
  bnn_real *out = sigma + q->first;
  scaled_sigma(out, q->buffer[LOGVAR], 1, size_of(q));
  for (size_t i = 0; i < size_of(q); i++) {
    double sum = (double)out[i] * (double)out[i];
    for (size_t k = 0; k < q->rows; k++) {
      const double x = (double)*row_of(q, k, i);
      sum += x * x;
    }
    out[i] = (bnn_real)sqrt(sum);
  }
}

BNN_FAMILY(lowrank) = {
    .name = "lowrank",
    .doc = "lowrank: a Gaussian over all weights together, of a diagonal and a matrix of low rank "
           "(Ong et al. 2018)",
    .n_buffers = 3,
    .buffer = {{"mu", "the mean", .decayed = true},
               {"logvar", "the log-variance of each weight by itself", .decayed = false},
               {"factor", "a row for each direction along which weights vary together",
                .has_rows = true}},
    .sample = sample,
    .backward = backward,
    .scratch = scratch,
    .prepare = prepare,
    .kl = kl,
    .kl_backward = kl_backward,
    .entropy = entropy,
    .entropy_backward = entropy_backward,
    .second_moment = second_moment,
    .std = std,
};
