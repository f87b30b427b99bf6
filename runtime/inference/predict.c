/* predict.c - see predict.h.  Each worker has a frame of its own and takes chunks in order. */
#include "predict.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "../base/mem.h"
#include "../kernels/isa.h"
#include "../tensor/fingerprint.h"

enum { GROUP_MAX = 8, GROUP_ELEMENTS = 4 << 20 };

struct bnn_prediction {
  size_t rows, width, extra; /* elements a row of outputs[0] and outputs[1] */
  bool classes;
  int samples;
  double *mean, *m2; /* [rows, width]; where the one block of all sums begins */
  double *extra_sum; /* [rows, extra] */
  double *entropy;   /* [rows] of classes: the mean over samples */
  uint32_t *votes;   /* [rows, width] of classes */
  bnn_shape x_shape; /* from here on: what the samples so far were made of */
  uint64_t x_words, parameters;
  bnn_key key;
  int first_sample;
};

typedef struct work {
  const bnn_predict_spec *spec;
  const bnn_context *context;
  const bnn_tensor *x, *y;
  bnn_prediction *sums;
  size_t n, chunk;    /* rows in all and of a chunk */
  size_t group, done; /* networks in this group, samples before it */
  size_t n_workers;
  bnn_frame **frame;  /* [n_workers] */
  bnn_status *status; /* [n_workers] */
  bnn_err *err;       /* [n_workers] */
  bnn_real *theta;    /* [GROUP_MAX, size] or NULL */
  atomic_size_t next; /* chunk that no worker has taken */
} work;

/* Weights of a network. */
static size_t size_of(const bnn_predict_spec *spec) { return spec->posterior->layout->size; }

/* Networks that are held at once: a bound on memory. */
static size_t group_size(const bnn_predict_spec *spec) {
  size_t most = GROUP_ELEMENTS / (size_of(spec) + 1);
  return most < 1 ? 1 : most > GROUP_MAX ? GROUP_MAX : most;
}

/* The number of sample s of all, from 0: what its keys are folded with. */
static int64_t sample_number(const bnn_predict_spec *spec, size_t s) {
  return (int64_t)s + spec->first_sample;
}

/* Weights of sample s. */
static bnn_key weights_key(const bnn_predict_spec *spec, size_t s) {
  return bnn_key_fold(spec->key, sample_number(spec, s));
}

/* Noise of the program in sample s: folded as in a step. */
static bnn_key noise_key(const bnn_predict_spec *spec, size_t s) {
  return bnn_key_fold(bnn_key_fold_name(spec->key, "noise", 5), sample_number(spec, s));
}

/* Reads n rows of one input into its buffer, repeated until the chunk is full, as an op may check the
 * values of all rows that its frame holds. */
static void gather(const work *w, bnn_frame *f, int node, const bnn_tensor *source, size_t from,
                   size_t n) {
  char *buffer = node >= 0 ? bnn_frame_input_buffer(f, node) : NULL;
  if (!buffer) return;
  const bnn_shape *s = bnn_program_shape(w->spec->program, node);
  size_t row = bnn_dtype_size(s->dtype);
  for (int k = 1; k < s->rank; k++) row *= s->dim[k];
  bnn_batch batch = {.x = source, .from = from, .count = n};
  for (size_t at = 0; at < w->chunk; at += n)
    bnn_batch_gather(buffer + at * row, s->dtype, source, &batch, 0,
                     w->chunk - at < n ? w->chunk - at : n);
}

/* The stop flag is up at network g of the group. */
static bnn_status stopped_at(const work *w, size_t g, bnn_err *err) {
  return bnn_fail(err, BNN_ESTOP, "after %zu of %d samples", w->done + g,
                  w->sums->samples + w->spec->samples);
}

/* Runs network g of the group on the rows that a frame holds, unless the stop flag is up. */
static bnn_status run_network(const work *w, bnn_frame *f, size_t g, bnn_err *err) {
  const bnn_predict_spec *spec = w->spec;
  bnn_real *theta = w->theta ? w->theta + g * size_of(spec) : NULL;
  if (bnn_context_stopped(w->context)) return stopped_at(w, g, err);
  /* a program's parameters are read only: a point's are those in its buffer */
  const bnn_real *point = bnn_posterior_point(spec->posterior);
  bnn_frame_bind_params(f, theta ? theta : (bnn_real *)(uintptr_t)point, NULL);
  uint64_t *key = spec->key_node >= 0 ? bnn_frame_input_buffer(f, spec->key_node) : NULL;
  if (key) *key = noise_key(spec, w->done + g).bits;
  const bnn_stop before = bnn_context_watch(w->context);
  const bnn_status status = bnn_frame_forward_whole(f, NULL, err);
  if (status == BNN_OK && bnn_program_has_rows(spec->program, NULL)) bnn_frame_forward_block(f, 0);
  const bnn_status ended = bnn_stop_end(before, status, err);
  return ended == BNN_ESTOP ? stopped_at(w, g, err) : ended;
}

/* Adds sample number k of rows [from, from + n), which a frame holds. */
static void add_chunk(bnn_prediction *p, const bnn_frame *f, size_t from, size_t n, double k) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  const bnn_real *value = bnn_tensor_real(bnn_frame_output(f, 0));
  const size_t at = from * p->width;
  vec->welford(p->mean + at, p->m2 + at, value, k, n * p->width);
  if (p->extra > 0)
    vec->add_to(p->extra_sum + from * p->extra, bnn_tensor_real(bnn_frame_output(f, 1)),
                n * p->extra);
  if (!p->classes) return;
  vec->class_sums(p->entropy + from, p->votes + at, value, k, n, p->width);
}

/* One chunk of rows through the networks of the group, in order. */
static bnn_status run_chunk(const work *w, bnn_frame *f, size_t c, bnn_err *err) {
  size_t from = c * w->chunk, n = w->n - from < w->chunk ? w->n - from : w->chunk;
  gather(w, f, w->spec->x_node, w->x, from, n);
  gather(w, f, w->spec->y_node, w->y, from, n);
  bnn_frame_set_row_offset(f, from);
  BNN_TRY(bnn_frame_verify(f, NULL, err));
  for (size_t g = 0; g < w->group; g++) {
    BNN_TRY(run_network(w, f, g, err));
    add_chunk(w->sums, f, from, n, (double)(w->done + g + 1));
  }
  return BNN_OK;
}

static void worker_job(void *data, size_t i) {
  work *w = data;
  size_t chunks = (w->n + w->chunk - 1) / w->chunk, c;
  while (w->status[i] == BNN_OK && (c = atomic_fetch_add(&w->next, 1)) < chunks)
    w->status[i] = run_chunk(w, w->frame[i], c, &w->err[i]);
}

/* Samples the group's weights, then runs the workers. */
static bnn_status run_group(work *w, bnn_context *context, bnn_err *err) {
  const bnn_predict_spec *spec = w->spec;
  for (size_t g = 0; w->theta && g < w->group; g++)
    bnn_posterior_sample(spec->posterior, context, w->theta + g * size_of(spec),
                         weights_key(spec, w->done + g), sample_number(spec, w->done + g));
  atomic_store(&w->next, 0);
  bnn_context_run(context, worker_job, w, w->n_workers);
  for (size_t i = 0; i < w->n_workers; i++) {
    if (w->status[i] == BNN_OK) continue;
    if (err) *err = w->err[i];
    return w->status[i];
  }
  return BNN_OK;
}

static bnn_status run_groups(work *w, bnn_context *context, bnn_err *err) {
  const size_t first = (size_t)w->sums->samples, end = first + (size_t)w->spec->samples;
  const size_t most = group_size(w->spec);
  for (w->done = first; w->done < end; w->done += w->group) {
    w->group = end - w->done < most ? end - w->done : most;
    BNN_TRY(run_group(w, context, err));
  }
  return BNN_OK;
}

static bnn_status work_init(work *w, bnn_context *context, bnn_err *err) {
  const bnn_predict_spec *spec = w->spec;
  size_t chunks = (w->n + w->chunk - 1) / w->chunk;
  w->n_workers = (size_t)bnn_context_threads(context);
  if (w->n_workers > chunks) w->n_workers = chunks;
  size_t group = group_size(spec);
  w->frame = bnn_mem_zalloc(w->n_workers, sizeof *w->frame);
  w->status = bnn_mem_zalloc(w->n_workers, sizeof *w->status);
  w->err = bnn_mem_zalloc(w->n_workers, sizeof *w->err);
  const bool drawn = !bnn_posterior_point(spec->posterior);
  w->theta = drawn ? bnn_mem_alloc(group * size_of(spec), sizeof *w->theta) : NULL;
  if (!w->frame || !w->status || !w->err || (drawn && !w->theta))
    return bnn_fail(err, BNN_ENOMEM, "predictions of %zu rows", w->n);
  for (size_t i = 0; i < w->n_workers; i++)
    BNN_TRY(bnn_frame_new(&w->frame[i], spec->program, 0, err));
  return BNN_OK;
}

static void work_fini(work *w) {
  for (size_t i = 0; w->frame && i < w->n_workers; i++) bnn_frame_free(w->frame[i]);
  bnn_mem_free(w->frame);
  bnn_mem_free(w->status);
  bnn_mem_free(w->err);
  bnn_mem_free(w->theta);
}

/* ---- outputs ---- */

/* Elements a row of outputs[i]; 0: not real, or not a row for each row of the batch. */
static size_t output_width(const bnn_program *program, int i) {
  const bnn_shape *out = bnn_program_output_shape(program, i);
  if (out->rank < 1 || out->dtype != BNN_REAL || out->dim[0] != bnn_program_batch(program))
    return 0;
  size_t width = 1;
  for (int k = 1; k < out->rank; k++) width *= out->dim[k];
  return width;
}

size_t bnn_predict_width(const bnn_program *program) { return output_width(program, 0); }

static bnn_status check_outputs(const bnn_program *program, bnn_err *err) {
  for (int i = 0; i < 2 && i < bnn_program_outputs(program); i++)
    if (output_width(program, i) == 0)
      return bnn_fail(err, BNN_ESHAPE,
                      "the output: expected real numbers for each of %zu rows, got %s",
                      bnn_program_batch(program), BNN_SHAPE(bnn_program_output_shape(program, i)));
  return BNN_OK;
}

/* Checks the sources against the program's inputs. */
static bnn_status check_call(const bnn_predict_spec *spec, const bnn_tensor *x, const bnn_tensor *y,
                             bnn_err *err) {
  size_t batch = bnn_program_batch(spec->program);
  if (spec->samples < 1)
    return bnn_fail(err, BNN_ERANGE, "samples: expected 1 or more, got %d", spec->samples);
  if (x->rank < 1) return bnn_fail(err, BNN_ESHAPE, "x: expected rows, got a scalar");
  if (bnn_program_flat_size(spec->program) > size_of(spec))
    return bnn_fail(err, BNN_ESHAPE, "the program has %zu parameters, the posterior %zu",
                    bnn_program_flat_size(spec->program), size_of(spec));
  BNN_TRY(bnn_program_check_feeds(spec->program, spec->x_node, spec->y_node, spec->key_node, err));
  if (spec->x_node >= 0)
    BNN_TRY(bnn_batch_check(x, bnn_program_shape(spec->program, spec->x_node), "x", err));
  if (spec->y_node >= 0) {
    if (!y || y->rank < 1 || y->dim[0] != x->dim[0])
      return bnn_fail(err, BNN_ESHAPE, "x has %zu rows, y is %s", x->dim[0],
                      y ? BNN_SHAPE(y) : "missing");
    BNN_TRY(bnn_batch_check(y, bnn_program_shape(spec->program, spec->y_node), "y", err));
  }
  if ((!bnn_program_has_rows(spec->program, NULL) || batch == 0) && batch != x->dim[0])
    return bnn_fail(err, BNN_ESHAPE, "the program runs on %zu rows at once, x has %zu", batch,
                    x->dim[0]);
  return check_outputs(spec->program, err);
}

/* ---- running sums ---- */

/* The size of the one block of all sums; votes are the end of it. */
static size_t block_doubles(const bnn_prediction *p) {
  const size_t n = p->rows * p->width;
  return 2 * n + p->rows * p->extra + (p->classes ? p->rows + (n + 1) / 2 : 0);
}

static void lay_out(bnn_prediction *p, double *block) {
  p->mean = block;
  p->m2 = p->mean + p->rows * p->width;
  p->extra_sum = p->m2 + p->rows * p->width;
  if (!p->classes) return;
  p->entropy = p->extra_sum + p->rows * p->extra;
  p->votes = (uint32_t *)(p->entropy + p->rows);
}

bnn_status bnn_prediction_new(bnn_prediction **out, const bnn_program *program, size_t rows,
                              bool classes, bnn_err *err) {
  BNN_TRY(check_outputs(program, err));
  bnn_prediction *p = bnn_mem_zalloc(1, sizeof *p);
  if (!p) return bnn_fail(err, BNN_ENOMEM, "predictions of %zu rows", rows);
  *p = (bnn_prediction){.rows = rows, .width = output_width(program, 0), .classes = classes};
  p->extra = bnn_program_outputs(program) > 1 ? output_width(program, 1) : 0;
  double *block = bnn_mem_zalloc(block_doubles(p), sizeof *block);
  if (!block) {
    bnn_mem_free(p);
    return bnn_fail(err, BNN_ENOMEM, "predictions of %zu rows", rows);
  }
  lay_out(p, block);
  *out = p;
  return BNN_OK;
}

bnn_status bnn_prediction_clone(bnn_prediction **out, const bnn_prediction *p, bnn_err *err) {
  bnn_prediction *copy = bnn_mem_alloc(1, sizeof *copy);
  double *block = bnn_mem_alloc(block_doubles(p), sizeof *block);
  if (!copy || !block) {
    bnn_mem_free(copy);
    bnn_mem_free(block);
    return bnn_fail(err, BNN_ENOMEM, "predictions of %zu rows", p->rows);
  }
  *copy = *p;
  memcpy(block, p->mean, block_doubles(p) * sizeof *block);
  lay_out(copy, block);
  *out = copy;
  return BNN_OK;
}

void bnn_prediction_free(bnn_prediction *p) {
  if (p) bnn_mem_free(p->mean);
  bnn_mem_free(p);
}

size_t bnn_prediction_bytes(const bnn_prediction *p) {
  return sizeof *p + block_doubles(p) * sizeof(double);
}

int bnn_prediction_samples(const bnn_prediction *p) { return p->samples; }
size_t bnn_prediction_width(const bnn_prediction *p) { return p->width; }
size_t bnn_prediction_extra(const bnn_prediction *p) { return p->extra; }
bool bnn_prediction_has_classes(const bnn_prediction *p) { return p->classes; }

/* ---- what samples were made of ---- */

static uint64_t fingerprint_of_x(const bnn_tensor *x) {
  if (!bnn_tensor_is_contiguous(x)) return 0; /* no program reads it */
  return bnn_fingerprint_block(BNN_FINGERPRINT_START, x->data, x->size * bnn_dtype_size(x->dtype));
}

static uint64_t fingerprint_of_parameters(const bnn_predict_spec *spec) {
  return bnn_posterior_fingerprint(BNN_FINGERPRINT_START, spec->posterior);
}

static bool same_shape(const bnn_shape *a, const bnn_shape *b) {
  bool same = a->dtype == b->dtype && a->rank == b->rank;
  for (int k = 0; same && k < a->rank; k++) same = a->dim[k] == b->dim[k];
  return same;
}

bnn_status bnn_prediction_check(const bnn_prediction *p, const bnn_predict_spec *spec,
                                const bnn_tensor *x, bnn_err *err) {
  if (p->samples == 0) return BNN_OK;
  const bnn_shape shape = bnn_shape_of(x);
  if (!same_shape(&shape, &p->x_shape))
    return bnn_fail(err, BNN_EDATA, "x is %s %s, the %d samples so far are of %s %s",
                    bnn_dtype_name(shape.dtype), BNN_SHAPE(&shape), p->samples,
                    bnn_dtype_name(p->x_shape.dtype), BNN_SHAPE(&p->x_shape));
  if (spec->key.bits != p->key.bits)
    return bnn_fail(err, BNN_EDATA, "key is another than that of the %d samples so far",
                    p->samples);
  if (spec->first_sample != p->first_sample)
    return bnn_fail(err, BNN_EDATA, "first is %d, the %d samples so far began with %d",
                    spec->first_sample, p->samples, p->first_sample);
  if (fingerprint_of_parameters(spec) != p->parameters)
    return bnn_fail(err, BNN_EDATA, "the parameters are not those of the %d samples so far",
                    p->samples);
  if (fingerprint_of_x(x) != p->x_words)
    return bnn_fail(err, BNN_EDATA, "x holds other values than for the %d samples so far",
                    p->samples);
  return BNN_OK;
}

/* ---- adding samples ---- */

/* That p is of this program and these rows, and has room for the samples. */
static bnn_status check_sums(const bnn_prediction *p, const bnn_predict_spec *spec,
                             const bnn_tensor *x, bnn_err *err) {
  const size_t width = output_width(spec->program, 0);
  const size_t extra = bnn_program_outputs(spec->program) > 1 ? output_width(spec->program, 1) : 0;
  BNN_TRY(bnn_prediction_check(p, spec, x, err));
  if (p->rows != x->dim[0])
    return bnn_fail(err, BNN_ESHAPE, "x has %zu rows, the prediction %zu", x->dim[0], p->rows);
  if (p->width != width || p->extra != extra)
    return bnn_fail(err, BNN_ESHAPE,
                    "the program gives %zu and %zu numbers a row, the prediction has %zu and %zu",
                    width, extra, p->width, p->extra);
  if (spec->samples > INT_MAX - p->samples)
    return bnn_fail(err, BNN_ERANGE, "%d samples more than %d are too many", spec->samples,
                    p->samples);
  return BNN_OK;
}

static bnn_status run(bnn_prediction *p, bnn_context *context, const bnn_predict_spec *spec,
                      const bnn_tensor *x, const bnn_tensor *y, bnn_err *err) {
  work w = {.spec = spec, .context = context, .x = x, .y = y, .n = p->rows, .sums = p};
  w.chunk = bnn_program_batch(spec->program);
  bnn_status status = work_init(&w, context, err);
  if (status == BNN_OK) status = run_groups(&w, context, err);
  work_fini(&w);
  return status;
}

bnn_status bnn_prediction_add(bnn_prediction *p, bnn_context *context, const bnn_predict_spec *spec,
                              const bnn_tensor *x, const bnn_tensor *y, bnn_err *err) {
  BNN_TRY(check_call(spec, x, y, err));
  BNN_TRY(check_sums(p, spec, x, err));
  if (p->samples == 0) {
    p->x_shape = bnn_shape_of(x);
    p->x_words = fingerprint_of_x(x);
    p->parameters = fingerprint_of_parameters(spec);
    p->key = spec->key;
    p->first_sample = spec->first_sample;
  }
  if (p->rows > 0) BNN_TRY(run(p, context, spec, x, y, err));
  p->samples += spec->samples;
  return BNN_OK;
}

/* ---- what the sums say ---- */

double bnn_prediction_standard_error(const bnn_prediction *p) {
  double most = 0;
  for (size_t i = 0; i < p->rows * p->width; i++) {
    if (isnan(p->m2[i])) return NAN;
    if (p->m2[i] > most) most = p->m2[i];
  }
  if (p->samples < 2) return p->rows > 0 ? INFINITY : 0;
  return sqrt(most / ((double)p->samples * (p->samples - 1)));
}

void bnn_prediction_moments(const bnn_prediction *p, bnn_real *mean, bnn_real *std) {
  for (size_t i = 0; i < p->rows * p->width; i++) {
    mean[i] = (bnn_real)p->mean[i];
    if (std) std[i] = (bnn_real)sqrt(p->m2[i] / p->samples);
  }
}

void bnn_prediction_extra_mean(const bnn_prediction *p, bnn_real *mean) {
  for (size_t i = 0; i < p->rows * p->extra; i++)
    mean[i] = (bnn_real)(p->extra_sum[i] / p->samples);
}

/* -log sum e^z of z = sum / samples, shifted by the largest unless that is infinite. */
static double energy_of(const double *sum, size_t n, int samples) {
  double most = -INFINITY, total = 0;
  for (size_t c = 0; c < n; c++) most = sum[c] > most ? sum[c] : most;
  const double shift = isinf(most) ? 0 : most / samples;
  for (size_t c = 0; c < n; c++) total += exp(sum[c] / samples - shift);
  return -(shift + log(total));
}

/* h - e of one row; below 0 (the entropy is concave) by rounding alone, which 8 units in the last
 * place of each term bound. */
static double information(double h, double e) {
  const double rest = h - e;
  return rest < 0 && rest > -8 * (double)BNN_REAL_EPSILON * (1 + h) ? 0 : rest;
}

/* The scores of one row, h the entropy of its mean. */
static void row_scores(const bnn_prediction *p, const bnn_class_scores *out, size_t i, double h) {
  const double e = p->entropy[i];
  const uint32_t *votes = p->votes + i * p->width;
  uint32_t most = 0;
  for (size_t c = 0; c < p->width; c++) most = votes[c] > most ? votes[c] : most;
  out->entropy[i] = (bnn_real)h;
  out->expected_entropy[i] = (bnn_real)e;
  out->mutual_information[i] = (bnn_real)information(h, e);
  out->variation_ratio[i] = (bnn_real)(isnan(e) ? NAN : 1 - (double)most / p->samples);
  if (out->energy)
    out->energy[i] = (bnn_real)energy_of(p->extra_sum + i * p->extra, p->extra, p->samples);
}

/* The entropy of the mean is that of the numbers which moments gives, by the kernel of the samples'
 * entropies: of networks that agree both are the same number. */
bnn_status bnn_prediction_scores(const bnn_prediction *p, const bnn_class_scores *out,
                                 bnn_err *err) {
  enum { ROWS = 48 };
  bnn_real *mean = bnn_mem_alloc(ROWS * p->width, sizeof *mean);
  if (!mean) return bnn_fail(err, BNN_ENOMEM, "rows of %zu classes", p->width);
  for (size_t i = 0; i < p->rows; i += ROWS) {
    const size_t n = p->rows - i < ROWS ? p->rows - i : ROWS;
    double h[ROWS] = {0};
    for (size_t c = 0; c < n * p->width; c++) mean[c] = (bnn_real)p->mean[i * p->width + c];
    bnn_isa_get()->vec->class_sums(h, NULL, mean, 1, n, p->width);
    for (size_t r = 0; r < n; r++) row_scores(p, out, i + r, h[r]);
  }
  bnn_mem_free(mean);
  return BNN_OK;
}

/* ---- all at once ---- */

static bnn_status check_results(const bnn_predict_spec *spec, const bnn_tensor *x,
                                const bnn_tensor *mean, const bnn_tensor *std, bnn_err *err) {
  const size_t width = bnn_predict_width(spec->program);
  if (mean->size != x->dim[0] * width)
    return bnn_fail(err, BNN_ESHAPE, "mean: expected [%zu, %zu], got %s", x->dim[0], width,
                    BNN_SHAPE(mean));
  if (std && std->size != mean->size)
    return bnn_fail(err, BNN_ESHAPE, "std: expected %s, got %s", BNN_SHAPE(mean), BNN_SHAPE(std));
  return BNN_OK;
}

bnn_status bnn_predict(bnn_context *context, const bnn_predict_spec *spec, const bnn_tensor *x,
                       const bnn_tensor *y, bnn_tensor *mean, bnn_tensor *std, bnn_err *err) {
  bnn_prediction *p;
  BNN_TRY(check_call(spec, x, y, err));
  BNN_TRY(check_results(spec, x, mean, std, err));
  BNN_TRY(bnn_prediction_new(&p, spec->program, x->dim[0], false, err));
  bnn_status status = bnn_prediction_add(p, context, spec, x, y, err);
  if (status == BNN_OK)
    bnn_prediction_moments(p, bnn_tensor_real(mean), std ? bnn_tensor_real(std) : NULL);
  bnn_prediction_free(p);
  return status;
}
