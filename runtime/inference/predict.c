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

/* Running sums of a head, in the prediction's one block. */
typedef struct head_sums {
  bnn_head of;
  size_t width, extra; /* elements a row of its outputs */
  double *mean, *m2;   /* [rows, width] */
  double *extra_sum;   /* [rows, extra] */
  double *entropy;     /* [rows] of classes: the mean over samples */
  uint32_t *votes;     /* [rows, width] of classes */
} head_sums;

/* What the samples so far were made of, of an input. */
typedef struct known_input {
  bnn_shape shape;
  uint64_t words;
} known_input;

struct bnn_prediction {
  size_t rows, n_heads;
  head_sums head[BNN_FEEDS_MAX];
  double *block;
  int samples;
  known_input input[BNN_FEEDS_MAX]; /* from here on: what the samples so far were made of */
  uint64_t parameters;
  bnn_key key;
  int first_sample;
};

typedef struct work {
  const bnn_predict_spec *spec;
  const bnn_context *context;
  const bnn_sources *data;
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

/* Reads n rows of source i into its input, repeated until the chunk is full, as an op may check the
 * values of all rows that its frame holds. */
static void gather(const work *w, bnn_frame *f, size_t i, size_t from, size_t n) {
  const int node = w->spec->feeds.feed[i].node;
  char *buffer = node >= 0 ? bnn_frame_input_buffer(f, node) : NULL;
  if (!buffer) return;
  const bnn_shape *s = bnn_program_shape(w->spec->program, node);
  size_t row = bnn_dtype_size(s->dtype);
  for (int k = 1; k < s->rank; k++) row *= s->dim[k];
  const bnn_batch batch = {.data = *w->data, .from = from, .count = n};
  for (size_t at = 0; at < w->chunk; at += n)
    bnn_batch_gather(buffer + at * row, s->dtype, &batch, i, 0,
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

/* Adds sample number k of rows [from, from + n), which a frame holds, to the sums of a head. */
static void add_chunk(head_sums *h, const bnn_frame *f, size_t from, size_t n, double k) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  const bnn_real *value = bnn_tensor_real(bnn_frame_output(f, h->of.output));
  const size_t at = from * h->width;
  vec->welford(h->mean + at, h->m2 + at, value, k, n * h->width);
  if (h->extra > 0)
    vec->add_to(h->extra_sum + from * h->extra, bnn_tensor_real(bnn_frame_output(f, h->of.extra)),
                n * h->extra);
  if (!h->of.classes) return;
  vec->class_sums(h->entropy + from, h->votes + at, value, k, n, h->width);
}

/* One chunk of rows through the networks of the group, in order. */
static bnn_status run_chunk(const work *w, bnn_frame *f, size_t c, bnn_err *err) {
  size_t from = c * w->chunk, n = w->n - from < w->chunk ? w->n - from : w->chunk;
  for (size_t i = 0; i < w->spec->feeds.n; i++) gather(w, f, i, from, n);
  bnn_frame_set_row_offset(f, from);
  BNN_TRY(bnn_frame_verify(f, NULL, err));
  for (size_t g = 0; g < w->group; g++) {
    BNN_TRY(run_network(w, f, g, err));
    for (size_t h = 0; h < w->sums->n_heads; h++)
      add_chunk(&w->sums->head[h], f, from, n, (double)(w->done + g + 1));
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

static bnn_status check_output(const bnn_program *program, int i, bnn_err *err) {
  if (i < 0 || i >= bnn_program_outputs(program))
    return bnn_fail(err, BNN_ERANGE, "output %d of %d", i + 1, bnn_program_outputs(program));
  if (output_width(program, i) > 0) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE, "the output: expected real numbers for each of %zu rows, got %s",
                  bnn_program_batch(program), BNN_SHAPE(bnn_program_output_shape(program, i)));
}

static bnn_status check_source(const bnn_predict_spec *spec, const bnn_sources *data, size_t i,
                               bnn_err *err) {
  const bnn_feed *feed = &spec->feeds.feed[i];
  const bnn_tensor *source = bnn_source_at(data, i);
  if (feed->node < 0) return BNN_OK;
  if (!source)
    return bnn_fail(err, BNN_ESHAPE, "%s has %zu rows, %s is missing", spec->feeds.feed[0].name,
                    data->tensor[0]->dim[0], feed->name);
  return bnn_batch_check(source, bnn_program_shape(spec->program, feed->node), feed->name, err);
}

/* Checks the sources against the program's inputs. */
static bnn_status check_call(const bnn_predict_spec *spec, const bnn_sources *data, bnn_err *err) {
  const bnn_tensor *x = data->tensor[0];
  const char *name = spec->feeds.feed[0].name;
  size_t batch = bnn_program_batch(spec->program);
  if (spec->samples < 1)
    return bnn_fail(err, BNN_ERANGE, "samples: expected 1 or more, got %d", spec->samples);
  if (x->rank < 1) return bnn_fail(err, BNN_ESHAPE, "%s: expected rows, got a scalar", name);
  if (bnn_program_flat_size(spec->program) > size_of(spec))
    return bnn_fail(err, BNN_ESHAPE, "the program has %zu parameters, the posterior %zu",
                    bnn_program_flat_size(spec->program), size_of(spec));
  BNN_TRY(bnn_feeds_check(&spec->feeds, spec->program, err));
  BNN_TRY(bnn_program_check_key(spec->program, spec->key_node, err));
  BNN_TRY(bnn_feeds_check_rows(&spec->feeds, data, err));
  for (size_t i = 0; i < spec->feeds.n; i++) BNN_TRY(check_source(spec, data, i, err));
  if ((!bnn_program_has_rows(spec->program, NULL) || batch == 0) && batch != x->dim[0])
    return bnn_fail(err, BNN_ESHAPE, "the program runs on %zu rows at once, %s has %zu", batch,
                    name, x->dim[0]);
  return BNN_OK;
}

/* ---- running sums ---- */

/* Doubles of a head's sums; votes are the end of them. */
static size_t head_doubles(const head_sums *h, size_t rows) {
  const size_t n = rows * h->width;
  return 2 * n + rows * h->extra + (h->of.classes ? rows + (n + 1) / 2 : 0);
}

/* The size of the one block of all sums. */
static size_t block_doubles(const bnn_prediction *p) {
  size_t n = 0;
  for (size_t h = 0; h < p->n_heads; h++) n += head_doubles(&p->head[h], p->rows);
  return n;
}

static void lay_out_head(head_sums *h, size_t rows, double *block) {
  h->mean = block;
  h->m2 = h->mean + rows * h->width;
  h->extra_sum = h->m2 + rows * h->width;
  if (!h->of.classes) return;
  h->entropy = h->extra_sum + rows * h->extra;
  h->votes = (uint32_t *)(h->entropy + rows);
}

static void lay_out(bnn_prediction *p, double *block) {
  p->block = block;
  for (size_t h = 0; h < p->n_heads; h++) {
    lay_out_head(&p->head[h], p->rows, block);
    block += head_doubles(&p->head[h], p->rows);
  }
}

static bnn_status check_heads(const bnn_program *program, const bnn_head *heads, size_t n,
                              bnn_err *err) {
  if (n < 1 || n > BNN_FEEDS_MAX)
    return bnn_fail(err, BNN_ERANGE, "expected 1 to %d targets, got %zu", BNN_FEEDS_MAX, n);
  for (size_t h = 0; h < n; h++) {
    BNN_TRY(check_output(program, heads[h].output, err));
    if (heads[h].extra >= 0) BNN_TRY(check_output(program, heads[h].extra, err));
  }
  return BNN_OK;
}

bnn_status bnn_prediction_new(bnn_prediction **out, const bnn_program *program, size_t rows,
                              const bnn_head *heads, size_t n_heads, bnn_err *err) {
  BNN_TRY(check_heads(program, heads, n_heads, err));
  bnn_prediction *p = bnn_mem_zalloc(1, sizeof *p);
  if (!p) return bnn_fail(err, BNN_ENOMEM, "predictions of %zu rows", rows);
  p->rows = rows;
  p->n_heads = n_heads;
  for (size_t h = 0; h < n_heads; h++)
    p->head[h] = (head_sums){
        .of = heads[h],
        .width = output_width(program, heads[h].output),
        .extra = heads[h].extra >= 0 ? output_width(program, heads[h].extra) : 0,
    };
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
  memcpy(block, p->block, block_doubles(p) * sizeof *block);
  lay_out(copy, block);
  *out = copy;
  return BNN_OK;
}

void bnn_prediction_free(bnn_prediction *p) {
  if (p) bnn_mem_free(p->block);
  bnn_mem_free(p);
}

size_t bnn_prediction_bytes(const bnn_prediction *p) {
  return sizeof *p + block_doubles(p) * sizeof(double);
}

int bnn_prediction_samples(const bnn_prediction *p) { return p->samples; }
size_t bnn_prediction_heads(const bnn_prediction *p) { return p->n_heads; }
size_t bnn_prediction_width(const bnn_prediction *p, size_t h) { return p->head[h].width; }
size_t bnn_prediction_extra(const bnn_prediction *p, size_t h) { return p->head[h].extra; }
bool bnn_prediction_has_classes(const bnn_prediction *p, size_t h) { return p->head[h].of.classes; }

/* ---- what samples were made of ---- */

static uint64_t fingerprint_of_input(const bnn_tensor *x) {
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

/* Input i of the data; NULL if the feed is none. */
static const bnn_tensor *input_at(const bnn_predict_spec *spec, const bnn_sources *data, size_t i) {
  return spec->feeds.feed[i].role == BNN_FEED_X ? bnn_source_at(data, i) : NULL;
}

static bnn_status check_shapes(const bnn_prediction *p, const bnn_predict_spec *spec,
                               const bnn_sources *data, bnn_err *err) {
  for (size_t i = 0; i < spec->feeds.n; i++) {
    const bnn_tensor *x = input_at(spec, data, i);
    if (!x) continue;
    const bnn_shape shape = bnn_shape_of(x), *known = &p->input[i].shape;
    if (!same_shape(&shape, known))
      return bnn_fail(err, BNN_EDATA, "%s is %s %s, the %d samples so far are of %s %s",
                      spec->feeds.feed[i].name, bnn_dtype_name(shape.dtype), BNN_SHAPE(&shape),
                      p->samples, bnn_dtype_name(known->dtype), BNN_SHAPE(known));
  }
  return BNN_OK;
}

static bnn_status check_values(const bnn_prediction *p, const bnn_predict_spec *spec,
                               const bnn_sources *data, bnn_err *err) {
  for (size_t i = 0; i < spec->feeds.n; i++) {
    const bnn_tensor *x = input_at(spec, data, i);
    if (x && fingerprint_of_input(x) != p->input[i].words)
      return bnn_fail(err, BNN_EDATA, "%s holds other values than for the %d samples so far",
                      spec->feeds.feed[i].name, p->samples);
  }
  return BNN_OK;
}

bnn_status bnn_prediction_check(const bnn_prediction *p, const bnn_predict_spec *spec,
                                const bnn_sources *data, bnn_err *err) {
  if (p->samples == 0) return BNN_OK;
  BNN_TRY(check_shapes(p, spec, data, err));
  if (spec->key.bits != p->key.bits)
    return bnn_fail(err, BNN_EDATA, "key is another than that of the %d samples so far",
                    p->samples);
  if (spec->first_sample != p->first_sample)
    return bnn_fail(err, BNN_EDATA, "first is %d, the %d samples so far began with %d",
                    spec->first_sample, p->samples, p->first_sample);
  if (fingerprint_of_parameters(spec) != p->parameters)
    return bnn_fail(err, BNN_EDATA, "the parameters are not those of the %d samples so far",
                    p->samples);
  return check_values(p, spec, data, err);
}

/* ---- adding samples ---- */

/* That a head's sums are of the program's outputs. */
static bnn_status check_widths(const head_sums *h, const bnn_program *program, bnn_err *err) {
  BNN_TRY(check_output(program, h->of.output, err));
  if (h->of.extra >= 0) BNN_TRY(check_output(program, h->of.extra, err));
  const size_t width = output_width(program, h->of.output);
  const size_t extra = h->of.extra >= 0 ? output_width(program, h->of.extra) : 0;
  if (h->width == width && h->extra == extra) return BNN_OK;
  return bnn_fail(err, BNN_ESHAPE,
                  "the program gives %zu and %zu numbers a row, the prediction has %zu and %zu",
                  width, extra, h->width, h->extra);
}

/* That p is of this program and these rows, and has room for the samples. */
static bnn_status check_sums(const bnn_prediction *p, const bnn_predict_spec *spec,
                             const bnn_sources *data, bnn_err *err) {
  const size_t rows = data->tensor[0]->dim[0];
  BNN_TRY(bnn_prediction_check(p, spec, data, err));
  if (p->rows != rows)
    return bnn_fail(err, BNN_ESHAPE, "%s has %zu rows, the prediction %zu",
                    spec->feeds.feed[0].name, rows, p->rows);
  for (size_t h = 0; h < p->n_heads; h++) BNN_TRY(check_widths(&p->head[h], spec->program, err));
  if (spec->samples > INT_MAX - p->samples)
    return bnn_fail(err, BNN_ERANGE, "%d samples more than %d are too many", spec->samples,
                    p->samples);
  return BNN_OK;
}

/* Notes what samples are made of. */
static void note(bnn_prediction *p, const bnn_predict_spec *spec, const bnn_sources *data) {
  for (size_t i = 0; i < spec->feeds.n; i++) {
    const bnn_tensor *x = input_at(spec, data, i);
    if (x) p->input[i] = (known_input){bnn_shape_of(x), fingerprint_of_input(x)};
  }
  p->parameters = fingerprint_of_parameters(spec);
  p->key = spec->key;
  p->first_sample = spec->first_sample;
}

static bnn_status run(bnn_prediction *p, bnn_context *context, const bnn_predict_spec *spec,
                      const bnn_sources *data, bnn_err *err) {
  work w = {.spec = spec, .context = context, .data = data, .n = p->rows, .sums = p};
  w.chunk = bnn_program_batch(spec->program);
  bnn_status status = work_init(&w, context, err);
  if (status == BNN_OK) status = run_groups(&w, context, err);
  work_fini(&w);
  return status;
}

bnn_status bnn_prediction_add(bnn_prediction *p, bnn_context *context, const bnn_predict_spec *spec,
                              const bnn_sources *data, bnn_err *err) {
  BNN_TRY(check_call(spec, data, err));
  BNN_TRY(check_sums(p, spec, data, err));
  if (p->samples == 0) note(p, spec, data);
  if (p->rows > 0) BNN_TRY(run(p, context, spec, data, err));
  p->samples += spec->samples;
  return BNN_OK;
}

/* ---- what the sums say ---- */

double bnn_prediction_standard_error(const bnn_prediction *p, size_t h) {
  const head_sums *of = &p->head[h];
  double most = 0;
  for (size_t i = 0; i < p->rows * of->width; i++) {
    if (isnan(of->m2[i])) return NAN;
    if (of->m2[i] > most) most = of->m2[i];
  }
  if (p->samples < 2) return p->rows > 0 ? INFINITY : 0;
  return sqrt(most / ((double)p->samples * (p->samples - 1)));
}

void bnn_prediction_moments(const bnn_prediction *p, size_t h, bnn_real *mean, bnn_real *std) {
  const head_sums *of = &p->head[h];
  for (size_t i = 0; i < p->rows * of->width; i++) {
    mean[i] = (bnn_real)of->mean[i];
    if (std) std[i] = (bnn_real)sqrt(of->m2[i] / p->samples);
  }
}

void bnn_prediction_extra_mean(const bnn_prediction *p, size_t h, bnn_real *mean) {
  const head_sums *of = &p->head[h];
  for (size_t i = 0; i < p->rows * of->extra; i++)
    mean[i] = (bnn_real)(of->extra_sum[i] / p->samples);
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
static void row_scores(const head_sums *of, int samples, const bnn_class_scores *out, size_t i,
                       double h) {
  const double e = of->entropy[i];
  const uint32_t *votes = of->votes + i * of->width;
  uint32_t most = 0;
  for (size_t c = 0; c < of->width; c++) most = votes[c] > most ? votes[c] : most;
  out->entropy[i] = (bnn_real)h;
  out->expected_entropy[i] = (bnn_real)e;
  out->mutual_information[i] = (bnn_real)information(h, e);
  out->variation_ratio[i] = (bnn_real)(isnan(e) ? NAN : 1 - (double)most / samples);
  if (out->energy)
    out->energy[i] = (bnn_real)energy_of(of->extra_sum + i * of->extra, of->extra, samples);
}

/* The entropy of the mean is that of the numbers which moments gives, by the kernel of the samples'
 * entropies: of networks that agree both are the same number. */
bnn_status bnn_prediction_scores(const bnn_prediction *p, size_t head, const bnn_class_scores *out,
                                 bnn_err *err) {
  enum { ROWS = 48 };
  const head_sums *of = &p->head[head];
  const size_t width = of->width;
  bnn_real *mean = bnn_mem_alloc(ROWS * width, sizeof *mean);
  if (!mean) return bnn_fail(err, BNN_ENOMEM, "rows of %zu classes", width);
  for (size_t i = 0; i < p->rows; i += ROWS) {
    const size_t n = p->rows - i < ROWS ? p->rows - i : ROWS;
    double h[ROWS] = {0};
    for (size_t c = 0; c < n * width; c++) mean[c] = (bnn_real)of->mean[i * width + c];
    bnn_isa_get()->vec->class_sums(h, NULL, mean, 1, n, width);
    for (size_t r = 0; r < n; r++) row_scores(of, p->samples, out, i + r, h[r]);
  }
  bnn_mem_free(mean);
  return BNN_OK;
}

/* ---- all at once ---- */

static bnn_status check_results(const bnn_predict_spec *spec, size_t n, const bnn_tensor *mean,
                                const bnn_tensor *std, bnn_err *err) {
  BNN_TRY(check_output(spec->program, 0, err));
  const size_t width = bnn_predict_width(spec->program);
  if (mean->size != n * width)
    return bnn_fail(err, BNN_ESHAPE, "mean: expected [%zu, %zu], got %s", n, width,
                    BNN_SHAPE(mean));
  if (std && std->size != mean->size)
    return bnn_fail(err, BNN_ESHAPE, "std: expected %s, got %s", BNN_SHAPE(mean), BNN_SHAPE(std));
  return BNN_OK;
}

bnn_status bnn_predict(bnn_context *context, const bnn_predict_spec *spec, const bnn_sources *data,
                       bnn_tensor *mean, bnn_tensor *std, bnn_err *err) {
  const bnn_head first = {.output = 0, .extra = -1};
  bnn_prediction *p;
  BNN_TRY(check_call(spec, data, err));
  const size_t n = data->tensor[0]->dim[0];
  BNN_TRY(check_results(spec, n, mean, std, err));
  BNN_TRY(bnn_prediction_new(&p, spec->program, n, &first, 1, err));
  bnn_status status = bnn_prediction_add(p, context, spec, data, err);
  if (status == BNN_OK)
    bnn_prediction_moments(p, 0, bnn_tensor_real(mean), std ? bnn_tensor_real(std) : NULL);
  bnn_prediction_free(p);
  return status;
}
