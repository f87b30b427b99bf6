/* predict.c - see predict.h.  A lane is one worker's frame and its way through the chunks. */
#include "predict.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "isa.h"
#include "mem.h"

enum { GROUP_MAX = 8, GROUP_ELEMENTS = 4 << 20 };

typedef struct work {
  const bnn_predict_spec *spec;
  const bnn_context *context;
  const bnn_tensor *x, *y;
  size_t n, chunk, width; /* rows in all and of a chunk, outputs a row */
  size_t group, done;     /* networks in this group, samples before it */
  size_t n_lanes;
  bnn_frame **lane;   /* [n_lanes] */
  bnn_status *status; /* [n_lanes] */
  bnn_err *err;       /* [n_lanes] */
  bnn_real *theta;    /* [GROUP_MAX, size] or NULL */
  double *mean, *m2;  /* [n, width] */
  atomic_size_t next; /* chunk that no lane has taken */
} work;

/* Networks that are held at once: a bound on memory. */
static size_t group_size(const bnn_predict_spec *spec) {
  size_t most = GROUP_ELEMENTS / (spec->size + 1);
  return most < 1 ? 1 : most > GROUP_MAX ? GROUP_MAX : most;
}

/* The key of sample number s of this call, from 0. */
static bnn_key sample_key(const bnn_predict_spec *spec, size_t s) {
  return bnn_key_fold(spec->key, (int64_t)s + spec->first_sample);
}

/* Reads n rows of one input into its home, again and again until the chunk is full: an op may check
 * the values of all rows that its frame holds. */
static void gather(const work *w, bnn_frame *f, int node, const bnn_tensor *source, size_t from,
                   size_t n) {
  char *home = node >= 0 ? bnn_frame_home(f, node) : NULL;
  if (!home) return;
  const bnn_shape *s = bnn_program_shape(w->spec->program, node);
  size_t row = bnn_dtype_size(s->dtype);
  for (int k = 1; k < s->rank; k++) row *= s->dim[k];
  bnn_batch batch = {.x = source, .from = from, .count = n};
  for (size_t at = 0; at < w->chunk; at += n)
    bnn_batch_gather(home + at * row, s->dtype, source, &batch, 0,
                     w->chunk - at < n ? w->chunk - at : n);
}

/* Runs network g of the group on the rows that a frame holds.  The stop flag is read here: what runs
 * between two looks is one network on one chunk. */
static bnn_status run_network(const work *w, bnn_frame *f, size_t g, bnn_err *err) {
  const bnn_predict_spec *spec = w->spec;
  bnn_real *theta = w->theta ? w->theta + g * spec->size : NULL;
  if (bnn_context_stopped(w->context))
    return bnn_fail(err, BNN_ESTOP, "after %zu of %d samples", w->done + g, spec->samples);
  /* a program's parameters are read only: without logvar they are mu itself */
  bnn_frame_bind_params(f, theta ? theta : (bnn_real *)(uintptr_t)spec->mu, NULL);
  uint64_t *key = spec->key_node >= 0 ? bnn_frame_home(f, spec->key_node) : NULL;
  if (key) *key = bnn_key_fold_name(sample_key(spec, w->done + g), "noise", 5).bits;
  BNN_TRY(bnn_frame_forward_whole(f, err));
  if (bnn_program_has_rows(spec->program, NULL)) bnn_frame_forward_block(f, 0);
  return BNN_OK;
}

/* One chunk of rows through the networks of the group, in order. */
static bnn_status run_chunk(const work *w, bnn_frame *f, size_t c, bnn_err *err) {
  size_t from = c * w->chunk, n = w->n - from < w->chunk ? w->n - from : w->chunk;
  gather(w, f, w->spec->x_node, w->x, from, n);
  gather(w, f, w->spec->y_node, w->y, from, n);
  bnn_frame_place(f, from);
  BNN_TRY(bnn_frame_verify(f, err));
  for (size_t g = 0; g < w->group; g++) {
    BNN_TRY(run_network(w, f, g, err));
    bnn_isa_get()->vec->welford(w->mean + from * w->width, w->m2 + from * w->width,
                                bnn_tensor_real(bnn_frame_output(f, 0)), (double)(w->done + g + 1),
                                n * w->width);
  }
  return BNN_OK;
}

static void lane_job(void *data, size_t i) {
  work *w = data;
  size_t chunks = (w->n + w->chunk - 1) / w->chunk, c;
  while (w->status[i] == BNN_OK && (c = atomic_fetch_add(&w->next, 1)) < chunks)
    w->status[i] = run_chunk(w, w->lane[i], c, &w->err[i]);
}

/* Samples the group's weights, then runs the lanes. */
static bnn_status run_group(work *w, bnn_context *context, bnn_err *err) {
  const bnn_predict_spec *spec = w->spec;
  for (size_t g = 0; w->theta && g < w->group; g++)
    bnn_posterior_sample(context, w->theta + g * spec->size, spec->mu, spec->logvar,
                         sample_key(spec, w->done + g), spec->random, spec->size);
  atomic_store(&w->next, 0);
  bnn_context_run(context, lane_job, w, w->n_lanes);
  for (size_t i = 0; i < w->n_lanes; i++) {
    if (w->status[i] == BNN_OK) continue;
    if (err) *err = w->err[i];
    return w->status[i];
  }
  return BNN_OK;
}

static bnn_status run_groups(work *w, bnn_context *context, bnn_err *err) {
  size_t samples = (size_t)w->spec->samples, most = group_size(w->spec);
  for (w->done = 0; w->done < samples; w->done += w->group) {
    w->group = samples - w->done < most ? samples - w->done : most;
    BNN_TRY(run_group(w, context, err));
  }
  return BNN_OK;
}

static bnn_status work_init(work *w, bnn_context *context, bnn_err *err) {
  const bnn_predict_spec *spec = w->spec;
  size_t chunks = (w->n + w->chunk - 1) / w->chunk;
  w->n_lanes = (size_t)bnn_context_threads(context);
  if (w->n_lanes > chunks) w->n_lanes = chunks;
  size_t group = group_size(spec);
  w->lane = bnn_mem_zalloc(w->n_lanes, sizeof *w->lane);
  w->status = bnn_mem_zalloc(w->n_lanes, sizeof *w->status);
  w->err = bnn_mem_zalloc(w->n_lanes, sizeof *w->err);
  w->mean = bnn_mem_zalloc(w->n * w->width, sizeof *w->mean);
  w->m2 = bnn_mem_zalloc(w->n * w->width, sizeof *w->m2);
  w->theta = spec->logvar ? bnn_mem_alloc(group * spec->size, sizeof *w->theta) : NULL;
  if (!w->lane || !w->status || !w->err || !w->mean || !w->m2 || (spec->logvar && !w->theta))
    return bnn_fail(err, BNN_ENOMEM, "predictions of %zu rows", w->n);
  for (size_t i = 0; i < w->n_lanes; i++)
    BNN_TRY(bnn_frame_new(&w->lane[i], spec->program, 0, err));
  return BNN_OK;
}

static void work_fini(work *w) {
  for (size_t i = 0; w->lane && i < w->n_lanes; i++) bnn_frame_free(w->lane[i]);
  bnn_mem_free(w->lane);
  bnn_mem_free(w->status);
  bnn_mem_free(w->err);
  bnn_mem_free(w->mean);
  bnn_mem_free(w->m2);
  bnn_mem_free(w->theta);
}

static void publish(const work *w, bnn_tensor *mean, bnn_tensor *std) {
  for (size_t i = 0; i < w->n * w->width; i++) {
    bnn_tensor_real(mean)[i] = (bnn_real)w->mean[i];
    if (std) bnn_tensor_real(std)[i] = (bnn_real)sqrt(w->m2[i] / w->spec->samples);
  }
}

size_t bnn_predict_width(const bnn_program *program) {
  const bnn_shape *out = bnn_program_output_shape(program, 0);
  if (out->rank < 1 || out->dtype != BNN_REAL || out->dim[0] != bnn_program_batch(program))
    return 0;
  size_t width = 1;
  for (int k = 1; k < out->rank; k++) width *= out->dim[k];
  return width;
}

/* Checks the sources against the program's inputs, and the outputs' sizes. */
static bnn_status check(const bnn_predict_spec *spec, const bnn_tensor *x, const bnn_tensor *y,
                        const bnn_tensor *mean, const bnn_tensor *std, bnn_err *err) {
  size_t batch = bnn_program_batch(spec->program);
  if (spec->samples < 1)
    return bnn_fail(err, BNN_ERANGE, "samples is %d, wanted 1 or more", spec->samples);
  if (x->rank < 1) return bnn_fail(err, BNN_ESHAPE, "x is a scalar, wanted rows");
  if (bnn_program_flat_size(spec->program) > spec->size)
    return bnn_fail(err, BNN_ESHAPE, "the program has %zu parameters, mu has %zu",
                    bnn_program_flat_size(spec->program), spec->size);
  BNN_TRY(bnn_program_check_feeds(spec->program, spec->x_node, spec->y_node, spec->key_node, err));
  if (spec->x_node >= 0)
    BNN_TRY(bnn_batch_check(x, bnn_program_shape(spec->program, spec->x_node), "x", err));
  if (spec->y_node >= 0) {
    if (!y || y->rank < 1 || y->dim[0] != x->dim[0])
      return bnn_fail(err, BNN_ESHAPE, "x has %zu rows, y is %s", x->dim[0],
                      y ? BNN_SHAPE(y) : "missing");
    BNN_TRY(bnn_batch_check(y, bnn_program_shape(spec->program, spec->y_node), "y", err));
  }
  size_t width = bnn_predict_width(spec->program);
  if (width == 0)
    return bnn_fail(err, BNN_ESHAPE,
                    "the output is %s, wanted some real numbers for each of %zu rows",
                    BNN_SHAPE(bnn_program_output_shape(spec->program, 0)), batch);
  if (mean->size != x->dim[0] * width)
    return bnn_fail(err, BNN_ESHAPE, "mean is %s, wanted [%zu, %zu]", BNN_SHAPE(mean), x->dim[0],
                    width);
  if (std && std->size != mean->size)
    return bnn_fail(err, BNN_ESHAPE, "std is %s, wanted %s", BNN_SHAPE(std), BNN_SHAPE(mean));
  if ((!bnn_program_has_rows(spec->program, NULL) || batch == 0) && batch != x->dim[0])
    return bnn_fail(err, BNN_ESHAPE, "the program runs on %zu rows at once, x has %zu", batch,
                    x->dim[0]);
  return BNN_OK;
}

bnn_status bnn_predict(bnn_context *context, const bnn_predict_spec *spec, const bnn_tensor *x,
                       const bnn_tensor *y, bnn_tensor *mean, bnn_tensor *std, bnn_err *err) {
  BNN_TRY(check(spec, x, y, mean, std, err));
  size_t n = x->dim[0];
  if (n == 0) return BNN_OK;
  work w = {.spec = spec, .context = context, .x = x, .y = y, .n = n, .width = mean->size / n};
  w.chunk = bnn_program_batch(spec->program);
  bnn_status status = work_init(&w, context, err);
  if (status == BNN_OK) status = run_groups(&w, context, err);
  if (status == BNN_OK) publish(&w, mean, std);
  work_fini(&w);
  return status;
}
