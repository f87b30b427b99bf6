/* test_predict.c - what sampled networks say together, against a plain loop over the samples; chunks,
 * groups, threads, samples in parts, memory. */
#include "inference/predict.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "kernels/rng.h"
#include "support_posterior.h"
#include "support_program.h"

enum { IN = 5, OUT = 3, ROWS = 11, WEIGHTS = IN * OUT + OUT };

/* ---- programs of a chunk of rows ---- */

typedef struct model {
  bnn_program *program;
  int x, y, key;
  bnn_tensor *data, *target;
  bnn_real mu[WEIGHTS], logvar[WEIGHTS];
  bnn_layout layout;
  split_posterior posterior; /* points to mu and logvar: a model stays where it is */
} model;

typedef int graph(model *m, size_t chunk); /* gives the node of the output */

static int scores(model *m, size_t chunk) {
  bnn_program *p = m->program;
  m->x = record_input(p, BNN_INPUT_ROWS, BNN_REAL, DIMS(chunk, IN), 0);
  int w = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, OUT), 0);
  int b = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(OUT), IN * OUT);
  return OP(p, linear, m->x, w, b);
}

static int probabilities(model *m, size_t chunk) {
  int h = scores(m, chunk);
  return OP(m->program, softmax, h);
}

/* One number for each row, from x and y. */
static int log_likelihood(model *m, size_t chunk) {
  int h = scores(m, chunk);
  m->y = record_input(m->program, BNN_INPUT_ROWS, BNN_I32, DIMS(chunk), 0);
  return OP(m->program, cross_entropy, h, m->y);
}

/* Noise of the program's own, a row's by its place in the data. */
static int with_dropout(model *m, size_t chunk) {
  int h = scores(m, chunk);
  m->key = record_input(m->program, BNN_INPUT_WHOLE, BNN_U64, SCALAR, 0);
  return record_op(m->program, BNN_OP_dropout, 2, (const int[]){h, m->key},
                   &(bnn_attr){.number = {0.5}});
}

/* Whole ops behind nodes with rows, and an output of rank 3. */
static int whole_ops(model *m, size_t chunk) {
  bnn_program *p = m->program;
  m->x = record_input(p, BNN_INPUT_ROWS, BNN_REAL, DIMS(chunk, IN), 0);
  int w = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(IN, OUT), 0);
  int b = record_input(p, BNN_INPUT_PARAM, BNN_REAL, DIMS(OUT), IN * OUT);
  int h = OP(p, mm, m->x, OP(p, sin, w));
  h = OP(p, mul, h, OP(p, exp, b));
  h = OP(p, add, h, OP(p, tanh, b));
  return record_op(p, BNN_OP_view, 1, &h, &(bnn_attr){.rank = 3, .dim = {chunk, OUT, 1}});
}

/* Rows of a table at positions, which count from 1: no row may stand for 0. */
static int embedding(model *m, size_t chunk) {
  m->y = record_input(m->program, BNN_INPUT_ROWS, BNN_I32, DIMS(chunk), 0);
  int table = record_input(m->program, BNN_INPUT_PARAM, BNN_REAL, DIMS(4, OUT), 0);
  return record_op(m->program, BNN_OP_index, 2, (const int[]){table, m->y}, &(bnn_attr){.axis = 0});
}

/* Rows meet: the program must see all of them at once. */
static int centred(model *m, size_t chunk) {
  int h = scores(m, chunk);
  int mean = record_op(m->program, BNN_OP_mean, 1, &h, &(bnn_attr){.axes = 1, .keepdims = true});
  return OP(m->program, sub, h, mean);
}

static const struct {
  graph *record;
  const char *name;
} graphs[] = {
    {scores, "scores"},        {probabilities, "probabilities"}, {log_likelihood, "log-likelihood"},
    {with_dropout, "dropout"}, {whole_ops, "whole ops"},         {embedding, "embedding"},
    {centred, "centred"},
};
enum { GRAPHS = sizeof graphs / sizeof *graphs, CENTRED = GRAPHS - 1 };

/* The first n weights mean-field, the others points. */
static void split_at(model *m, size_t n) {
  split_posterior_init(&m->posterior, &m->layout, m->mu, m->logvar, n);
}

/* A layout of the weights, with the ends that tests split it at; all are mean-field. */
static void posterior_init(model *m) {
  static const size_t size[] = {1, WEIGHTS / 3 - 1, WEIGHTS - WEIGHTS / 3 - 1, 1};
  ck_succeeds(bnn_layout_init(&m->layout, 4, size, &err));
  split_at(m, WEIGHTS);
}

/* Finishes what was recorded, with these outputs, and draws its data. */
static void model_finish(model *m, const int *output, int n) {
  ck_succeeds(bnn_program_finish(m->program, output, n, false, NULL, 0, &err));
  m->data = tensor_of(BNN_REAL, DIMS(ROWS, IN), NULL);
  m->target = tensor_of(BNN_I32, DIMS(ROWS), VALUES(1, 2, 1, 2, 2, 1, 1, 2, 1, 2, 1));
  bnn_rng_normal(bnn_tensor_real(m->data), bnn_key_new(21), 0, m->data->size);
  bnn_rng_normal(m->mu, bnn_key_new(22), 0, WEIGHTS);
  bnn_rng_normal(m->logvar, bnn_key_new(23), 0, WEIGHTS);
  posterior_init(m);
}

/* Records graph i for chunks of `chunk` rows: of all, when it mixes them. */
static void model_init(model *m, int i, size_t chunk) {
  *m = (model){.x = -1, .y = -1, .key = -1};
  ck_succeeds(bnn_program_new(&m->program, &err));
  int output = graphs[i].record(m, i == CENTRED ? ROWS : chunk);
  model_finish(m, &output, 1);
}

/* Probabilities and, second, the logits that they are of. */
static void classes_init(model *m, size_t chunk) {
  *m = (model){.x = -1, .y = -1, .key = -1};
  ck_succeeds(bnn_program_new(&m->program, &err));
  int logits = scores(m, chunk);
  model_finish(m, (const int[]){OP(m->program, softmax, logits), logits}, 2);
}

static void model_fini(model *m) {
  bnn_layout_fini(&m->layout);
  bnn_program_unref(m->program);
  bnn_tensor_unref(m->data);
  bnn_tensor_unref(m->target);
}

static bnn_predict_spec spec_of(const model *m, int samples) {
  return (bnn_predict_spec){
      .program = m->program,
      .feeds = bnn_feeds_of(m->x, m->y, -1),
      .key_node = m->key,
      .posterior = &m->posterior.q,
      .samples = samples,
      .key = bnn_key_new(77),
      .first_sample = 1,
  };
}

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

static bnn_status predict_on(bnn_context *context, const bnn_predict_spec *spec,
                             const bnn_tensor *x, const bnn_tensor *y, bnn_tensor *mean,
                             bnn_tensor *std, bnn_err *e) {
  const bnn_sources data = bnn_sources_of(x, y, NULL);
  return bnn_predict(context, spec, &data, mean, std, e);
}

/* Mean and std of a call; [ROWS, width] each. */
typedef struct prediction {
  bnn_tensor *mean, *std;
} prediction;

static prediction prediction_new(const model *m) {
  size_t width = bnn_predict_width(m->program);
  return (prediction){tensor_of(BNN_REAL, DIMS(ROWS, width), NULL),
                      tensor_of(BNN_REAL, DIMS(ROWS, width), NULL)};
}

static void prediction_free(prediction y) {
  bnn_tensor_unref(y.mean);
  bnn_tensor_unref(y.std);
}

static prediction predict(const model *m, const bnn_predict_spec *spec, int threads) {
  bnn_context *context = context_of(threads);
  prediction y = prediction_new(m);
  ck_succeeds(predict_on(context, spec, m->data, m->target, y.mean, y.std, &err));
  bnn_context_free(context);
  return y;
}

/* ---- the plain loop ---- */

/* Output of sample number s for row i: the program in a frame of its own, a row after the other,
 * each alone at the start of a chunk (the others are zeros, or position 1). */
static void sample_of_rows(double *out, const model *m, const bnn_predict_spec *spec, int s) {
  bnn_context *context = context_of(1);
  bnn_frame *f = NULL;
  bnn_real theta[WEIGHTS];
  size_t batch = bnn_program_batch(m->program), width = bnn_predict_width(m->program);
  bnn_key key = bnn_key_fold(spec->key, s);
  bnn_key noise = bnn_key_fold(bnn_key_fold_name(spec->key, "noise", 5), s);
  bnn_posterior_sample(spec->posterior, context, theta, key, 1);
  ck_succeeds(bnn_frame_new(&f, m->program, 0, &err));
  bnn_frame_bind_params(f, theta, NULL);
  if (m->key >= 0) *(uint64_t *)bnn_frame_input_buffer(f, m->key) = noise.bits;
  for (size_t i = 0; i < ROWS; i += batch == ROWS ? ROWS : 1) {
    size_t n = batch == ROWS ? ROWS : 1;
    int32_t *y = m->y >= 0 ? bnn_frame_input_buffer(f, m->y) : NULL;
    for (size_t j = 0; y && j < batch; j++) y[j] = 1;
    if (y) memcpy(y, (int32_t *)m->target->data + i, n * sizeof *y);
    if (m->x >= 0)
      memcpy(bnn_frame_input_buffer(f, m->x), bnn_tensor_real(m->data) + i * IN,
             n * IN * sizeof *theta);
    bnn_frame_set_row_offset(f, i);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    for (size_t j = 0; j < n * width; j++)
      out[i * width + j] = bnn_tensor_get(bnn_frame_output(f, 0), j);
  }
  bnn_frame_free(f);
  bnn_context_free(context);
}

enum { SAMPLES_MAX = 20, OUTPUTS_MAX = ROWS * OUT };

/* Two passes over all samples, in double. */
static void ck_plain_loop(int i, const model *m, const bnn_predict_spec *spec, prediction y) {
  static double out[SAMPLES_MAX][OUTPUTS_MAX];
  for (int s = 0; s < spec->samples; s++) sample_of_rows(out[s], m, spec, spec->first_sample + s);
  for (size_t j = 0; j < y.mean->size; j++) {
    double mean = 0, var = 0;
    for (int s = 0; s < spec->samples; s++) mean += out[s][j] / spec->samples;
    for (int s = 0; s < spec->samples; s++)
      var += (out[s][j] - mean) * (out[s][j] - mean) / spec->samples;
    /* products of another number of rows may differ in their last digits */
    const double tol = 32 * (double)BNN_REAL_EPSILON;
    ck_assert_msg(fabs(bnn_tensor_get(y.mean, j) - mean) <= tol * (1 + fabs(mean)),
                  "%s: mean[%zu] is %.9g, wanted %.9g", graphs[i].name, j,
                  bnn_tensor_get(y.mean, j), mean);
    ck_assert_msg(fabs(bnn_tensor_get(y.std, j) - sqrt(var)) <= tol * (1 + fabs(mean)),
                  "%s: std[%zu] is %.9g, wanted %.9g", graphs[i].name, j, bnn_tensor_get(y.std, j),
                  sqrt(var));
  }
}

/* Around the size of a group, 8; chunks that divide the rows, that do not, and that hold more. */
START_TEST(predictions_are_those_of_a_plain_loop) {
  static const int samples[] = {1, 2, 7, 8, 9, 20};
  static const size_t chunk[] = {1, 4, 11, 16};
  for (size_t c = 0; c < 4; c++) {
    model m;
    model_init(&m, _i, chunk[c]);
    for (size_t k = 0; k < 6; k++) {
      bnn_predict_spec spec = spec_of(&m, samples[k]);
      spec.first_sample = k == 2 ? 5 : 1;
      split_at(&m, k == 4 ? WEIGHTS / 3 : WEIGHTS);
      prediction y = predict(&m, &spec, 2);
      ck_plain_loop(_i, &m, &spec, y);
      prediction_free(y);
    }
    model_fini(&m);
  }
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits) {
  model m;
  model_init(&m, _i, 2);
  bnn_predict_spec spec = spec_of(&m, 20);
  prediction one = predict(&m, &spec, 1);
  for (int threads = 2; threads <= 4; threads++) {
    prediction y = predict(&m, &spec, threads);
    ck_assert_mem_eq(y.mean->data, one.mean->data, one.mean->size * sizeof(bnn_real));
    ck_assert_mem_eq(y.std->data, one.std->data, one.std->size * sizeof(bnn_real));
    prediction_free(y);
  }
  prediction_free(one);
  model_fini(&m);
}
END_TEST

/* The std of one sample is exactly 0, and so is that of networks that are all alike. */
START_TEST(without_spread_the_std_is_zero) {
  for (int k = 0; k < 2; k++) {
    model m;
    model_init(&m, 1, 4);
    bnn_predict_spec spec = spec_of(&m, k ? 20 : 1);
    if (k) split_at(&m, 0);
    prediction y = predict(&m, &spec, 2);
    for (size_t i = 0; i < y.std->size; i++) ck_assert(bnn_tensor_get(y.std, i) == 0);
    ck_assert(bnn_tensor_get(y.mean, 0) > 0);
    prediction_free(y);
    model_fini(&m);
  }
}
END_TEST

/* Two samples u and v: the population's std is |u - v|/2 (ddof 1 would give |u - v|/sqrt 2). */
START_TEST(the_std_is_the_populations) {
  model m;
  model_init(&m, 0, 4);
  bnn_predict_spec spec = spec_of(&m, 2);
  double u[OUTPUTS_MAX], v[OUTPUTS_MAX];
  prediction y = predict(&m, &spec, 1);
  sample_of_rows(u, &m, &spec, 1);
  sample_of_rows(v, &m, &spec, 2);
  for (size_t i = 0; i < y.std->size; i++)
    ck_assert_double_eq_tol(bnn_tensor_get(y.std, i), fabs(u[i] - v[i]) / 2,
                            32 * (double)BNN_REAL_EPSILON);
  prediction_free(y);
  model_fini(&m);
}
END_TEST

/* 1 + 7 + 12 samples in three calls, put together, are 20 in one. */
START_TEST(samples_may_be_predicted_in_parts) {
  static const int part[] = {1, 7, 12};
  model m;
  model_init(&m, 0, 4);
  bnn_predict_spec spec = spec_of(&m, 20);
  prediction all = predict(&m, &spec, 2);
  double mean[OUTPUTS_MAX] = {0}, square[OUTPUTS_MAX] = {0};
  for (int k = 0; k < 3; k++) {
    spec.samples = part[k];
    prediction y = predict(&m, &spec, 2);
    for (size_t i = 0; i < y.mean->size; i++) {
      double u = bnn_tensor_get(y.mean, i), s = bnn_tensor_get(y.std, i);
      mean[i] += part[k] * u / 20;
      square[i] += part[k] * (s * s + u * u) / 20;
    }
    prediction_free(y);
    spec.first_sample += part[k];
  }
  for (size_t i = 0; i < all.mean->size; i++) {
    double s = bnn_tensor_get(all.std, i);
    ck_assert_double_eq_tol(bnn_tensor_get(all.mean, i), mean[i], 16 * (double)BNN_REAL_EPSILON);
    ck_assert_double_eq_tol(s * s, square[i] - mean[i] * mean[i], 256 * (double)BNN_REAL_EPSILON);
  }
  prediction_free(all);
  model_fini(&m);
}
END_TEST

/* A point estimate with dropout: the networks differ by their noise alone. */
START_TEST(a_point_estimate_varies_by_its_noise_only) {
  model m;
  model_init(&m, 3, 4);
  bnn_predict_spec spec = spec_of(&m, 20);
  split_at(&m, 0);
  prediction y = predict(&m, &spec, 2);
  for (size_t i = 0; i < y.std->size; i++) ck_assert(bnn_tensor_get(y.std, i) > 0);
  prediction_free(y);
  model_fini(&m);
}
END_TEST

START_TEST(images_of_bytes_are_predicted_as_their_255th_parts) {
  model m;
  model_init(&m, 0, 4);
  bnn_predict_spec spec = spec_of(&m, 3);
  bnn_tensor *bytes = tensor_of(BNN_U8, DIMS(ROWS, 1, IN), NULL);
  for (size_t i = 0; i < bytes->size; i++) {
    bnn_tensor_set(bytes, i, (double)(i * 41 % 256));
    bnn_tensor_set(m.data, i, (double)(bnn_real)((double)(i * 41 % 256) / 255));
  }
  bnn_context *context = context_of(2);
  prediction want = predict(&m, &spec, 1), y = prediction_new(&m);
  ck_succeeds(predict_on(context, &spec, bytes, NULL, y.mean, y.std, &err));
  ck_assert_mem_eq(y.mean->data, want.mean->data, want.mean->size * sizeof(bnn_real));
  ck_succeeds(predict_on(context, &spec, bytes, NULL, y.mean, NULL, &err)); /* std is optional */
  ck_assert_mem_eq(y.mean->data, want.mean->data, want.mean->size * sizeof(bnn_real));
  bnn_context_free(context);
  bnn_tensor_unref(bytes);
  prediction_free(y);
  prediction_free(want);
  model_fini(&m);
}
END_TEST

START_TEST(no_rows_give_no_predictions) {
  model m;
  model_init(&m, 0, 4);
  bnn_predict_spec spec = spec_of(&m, 3);
  bnn_context *context = context_of(2);
  bnn_tensor *x = tensor_of(BNN_REAL, DIMS(0, IN), NULL),
             *mean = tensor_of(BNN_REAL, DIMS(0, OUT), NULL);
  ck_succeeds(predict_on(context, &spec, x, NULL, mean, mean, &err));
  bnn_tensor_unref(x);
  bnn_tensor_unref(mean);
  bnn_context_free(context);
  model_fini(&m);
}
END_TEST

/* ---- memory and stopping ---- */

/* More samples than a group, and then twenty times as many. */
START_TEST(memory_does_not_grow_with_the_number_of_samples) {
  model m;
  model_init(&m, 0, 4);
  size_t peak[2];
  for (int k = 0; k < 2; k++) {
    bnn_predict_spec spec = spec_of(&m, k ? 400 : 20);
    prediction_free(predict(&m, &spec, 2));
    peak[k] = bnn_mem_peak();
  }
  ck_assert_uint_eq(peak[1], peak[0]);
  model_fini(&m);
}
END_TEST

START_TEST(a_stopped_context_predicts_nothing) {
  model m;
  model_init(&m, 0, 4);
  bnn_predict_spec spec = spec_of(&m, 3);
  bnn_context *context = context_of(2);
  prediction y = prediction_new(&m);
  bnn_context_stop(context);
  ck_refuses(predict_on(context, &spec, m.data, NULL, y.mean, y.std, &err), BNN_ESTOP,
             "after 0 of 3 samples");
  bnn_context_resume(context);
  ck_succeeds(predict_on(context, &spec, m.data, NULL, y.mean, y.std, &err));
  bnn_context_free(context);
  prediction_free(y);
  model_fini(&m);
}
END_TEST

static void *stop_soon(void *context) {
  nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
  bnn_context_stop(context);
  return NULL;
}

/* This many samples would take hours. */
START_TEST(a_long_prediction_can_be_stopped) {
  model m;
  model_init(&m, 0, 4);
  bnn_predict_spec spec = spec_of(&m, INT32_MAX);
  bnn_context *context = context_of(2);
  prediction y = prediction_new(&m);
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, context), 0);
  ck_refuses(predict_on(context, &spec, m.data, NULL, y.mean, y.std, &err), BNN_ESTOP,
             "of 2147483647 samples");
  pthread_join(thread, NULL);
  bnn_context_free(context);
  prediction_free(y);
  model_fini(&m);
}
END_TEST

/* ---- refusals ---- */

START_TEST(the_width_of_an_output_is_what_a_row_has) {
  static const size_t width[] = {OUT, OUT, 1, OUT, OUT, OUT, OUT};
  for (int i = 0; i < GRAPHS; i++) {
    model m;
    model_init(&m, i, 4);
    ck_assert_uint_eq(bnn_predict_width(m.program), width[i]);
    model_fini(&m);
  }
}
END_TEST

static int best_class(model *m, size_t chunk) { /* integers */
  int h = scores(m, chunk);
  return record_op(m->program, BNN_OP_argmax, 1, &h, &(bnn_attr){.axis = 1});
}
static int total(model *m, size_t chunk) { /* one number in all */
  int h = scores(m, chunk);
  return OP(m->program, sum, h);
}

START_TEST(outputs_without_a_row_for_each_row_are_refused) {
  static graph *const record[] = {best_class, total};
  for (int k = 0; k < 2; k++) {
    model m = {.x = -1, .y = -1, .key = -1};
    ck_succeeds(bnn_program_new(&m.program, &err));
    int output = record[k](&m, ROWS);
    ck_succeeds(bnn_program_finish(m.program, &output, 1, false, NULL, 0, &err));
    ck_assert_uint_eq(bnn_predict_width(m.program), 0);
    posterior_init(&m);
    bnn_predict_spec spec = spec_of(&m, 2);
    bnn_tensor *x = tensor_of(BNN_REAL, DIMS(ROWS, IN), NULL);
    bnn_tensor *mean = tensor_of(BNN_REAL, DIMS(ROWS), NULL);
    bnn_context *context = context_of(1);
    ck_refuses(predict_on(context, &spec, x, NULL, mean, NULL, &err), BNN_ESHAPE,
               "expected real numbers for each of 11 rows");
    bnn_context_free(context);
    bnn_tensor_unref(x);
    bnn_tensor_unref(mean);
    bnn_layout_fini(&m.layout);
    bnn_program_unref(m.program);
  }
}
END_TEST

/* Positions in this table stand for tensors that the test makes. */
enum { GOOD_X, SCALAR_X, NARROW_X, INTEGER_X, FEW_X };
enum { GOOD_Y, NO_Y, SHORT_Y, REAL_Y };

START_TEST(what_can_not_be_predicted_is_refused) {
  static const struct {
    int graph, x, y, samples;
    bool small_mean, small_std, few_weights, bad_node;
    bnn_status status;
    const char *words;
  } row[] = {
      {2, GOOD_X, GOOD_Y, 0, 0, 0, 0, 0, BNN_ERANGE, "samples: expected 1 or more, got 0"},
      {2, GOOD_X, GOOD_Y, -1, 0, 0, 0, 0, BNN_ERANGE, "samples: expected 1 or more, got -1"},
      {2, SCALAR_X, GOOD_Y, 1, 0, 0, 0, 0, BNN_ESHAPE, "x: expected rows, got a scalar"},
      {2, NARROW_X, GOOD_Y, 1, 0, 0, 0, 0, BNN_ESHAPE,
       "x: expected rows as in [4, 5], got [11, 4]"},
      {2, INTEGER_X, GOOD_Y, 1, 0, 0, 0, 0, BNN_ETYPE, "x: expected f"},
      {2, GOOD_X, NO_Y, 1, 0, 0, 0, 0, BNN_ESHAPE, "x has 11 rows, y is missing"},
      {2, GOOD_X, SHORT_Y, 1, 0, 0, 0, 0, BNN_ESHAPE, "x has 11 rows, y is [10]"},
      {2, GOOD_X, REAL_Y, 1, 0, 0, 0, 0, BNN_ETYPE, "y: expected i32, got f"},
      {2, GOOD_X, GOOD_Y, 1, 1, 0, 0, 0, BNN_ESHAPE, "mean: expected ["},
      {2, GOOD_X, GOOD_Y, 1, 0, 1, 0, 0, BNN_ESHAPE, "std: expected [11], got [10]"},
      {2, GOOD_X, GOOD_Y, 1, 0, 0, 1, 0, BNN_ESHAPE,
       "the program has 18 parameters, the posterior 17"},
      {2, GOOD_X, GOOD_Y, 1, 0, 0, 0, 1, BNN_ERANGE, "y: node 1 is not a batch input"},
      {CENTRED, FEW_X, NO_Y, 1, 0, 0, 0, 0, BNN_ESHAPE, "runs on 11 rows at once, x has 5"},
  };
  bnn_tensor *x[] = {
      NULL, tensor_of(BNN_REAL, SCALAR, NULL), tensor_of(BNN_REAL, DIMS(ROWS, 4), NULL),
      tensor_of(BNN_I32, DIMS(ROWS, IN), NULL), tensor_of(BNN_REAL, DIMS(5, IN), NULL)};
  bnn_tensor *y[] = {NULL, NULL, tensor_of(BNN_I32, DIMS(ROWS - 1), NULL),
                     tensor_of(BNN_REAL, DIMS(ROWS), NULL)};
  bnn_context *context = context_of(2);
  const size_t one_less = WEIGHTS - 1;
  bnn_layout layout;
  bnn_real mu[WEIGHTS], logvar[WEIGHTS];
  split_posterior few;
  ck_succeeds(bnn_layout_init(&layout, 1, &one_less, &err));
  split_posterior_init(&few, &layout, mu, logvar, one_less);
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    model m;
    model_init(&m, row[k].graph, 4);
    x[GOOD_X] = m.data, y[GOOD_Y] = m.target;
    size_t width = bnn_predict_width(m.program), n = row[k].x == FEW_X ? 5 : ROWS;
    bnn_tensor *mean = tensor_of(BNN_REAL, DIMS(n * width - row[k].small_mean), NULL);
    bnn_tensor *std = tensor_of(BNN_REAL, DIMS(n * width - row[k].small_std), NULL);
    bnn_predict_spec spec = spec_of(&m, row[k].samples);
    if (row[k].few_weights) spec.posterior = &few.q;
    if (row[k].bad_node) spec.feeds.feed[1].node = 1;
    ck_refuses(predict_on(context, &spec, x[row[k].x], y[row[k].y], mean, std, &err), row[k].status,
               row[k].words);
    for (size_t i = 0; i < mean->size; i++) ck_assert(bnn_tensor_get(mean, i) == (double)i);
    bnn_tensor_unref(mean);
    bnn_tensor_unref(std);
    model_fini(&m);
  }
  bnn_context_free(context);
  bnn_layout_fini(&layout);
  for (int k = 1; k < 5; k++) bnn_tensor_unref(x[k]);
  for (int k = 2; k < 4; k++) bnn_tensor_unref(y[k]);
}
END_TEST

START_TEST(a_program_of_no_rows_predicts_none) {
  model m;
  model_init(&m, 0, 0);
  bnn_predict_spec spec = spec_of(&m, 2);
  bnn_context *context = context_of(1);
  prediction y = prediction_new(&m);
  ck_refuses(predict_on(context, &spec, m.data, NULL, y.mean, y.std, &err), BNN_ESHAPE,
             "runs on 0 rows at once, x has 11");
  prediction_free(y);
  bnn_context_free(context);
  model_fini(&m);
}
END_TEST

/* In the last, ragged chunk, on any number of threads. */
START_TEST(a_label_out_of_range_is_refused) {
  for (int threads = 1; threads <= 3; threads++) {
    model m;
    model_init(&m, 2, 4);
    bnn_predict_spec spec = spec_of(&m, 3);
    bnn_context *context = context_of(threads);
    prediction y = prediction_new(&m);
    bnn_tensor_set(m.target, ROWS - 1, OUT);
    ck_refuses(predict_on(context, &spec, m.data, m.target, y.mean, y.std, &err), BNN_ERANGE,
               "label 3 of example");
    ck_assert(bnn_tensor_get(y.mean, 3) == 3); /* untouched */
    prediction_free(y);
    bnn_context_free(context);
    model_fini(&m);
  }
}
END_TEST

/* A NaN goes in and comes out, in its own row only. */
START_TEST(a_nan_in_x_is_a_nan_in_its_prediction) {
  model m;
  model_init(&m, 1, 4);
  bnn_predict_spec spec = spec_of(&m, 9);
  bnn_tensor_set(m.data, 6 * IN + 2, NAN);
  prediction y = predict(&m, &spec, 2);
  for (size_t i = 0; i < y.mean->size; i++) {
    ck_assert_int_eq(isnan(bnn_tensor_get(y.mean, i)), i / OUT == 6);
    ck_assert_int_eq(isnan(bnn_tensor_get(y.std, i)), i / OUT == 6);
  }
  prediction_free(y);
  model_fini(&m);
}
END_TEST

typedef struct attempt {
  const model *m;
  bnn_context *context;
  prediction y;
} attempt;

static bnn_status predict_once(void *arg, bnn_err *err) {
  const attempt *a = arg;
  bnn_predict_spec spec = spec_of(a->m, 9);
  return predict_on(a->context, &spec, a->m->data, a->m->target, a->y.mean, a->y.std, err);
}

START_TEST(every_allocation_may_fail) {
  model m;
  model_init(&m, _i, 4);
  attempt a = {&m, context_of(3), prediction_new(&m)};
  ck_survives_failing_allocations(predict_once, &a);
  prediction_free(a.y);
  bnn_context_free(a.context);
  model_fini(&m);
}
END_TEST

/* ---- running sums ---- */

/* Of the first output, and of the second, if there is one, the mean. */
static bnn_prediction *sums_of_rows(const model *m, size_t rows, bool classes) {
  const bnn_head head = {0, bnn_program_outputs(m->program) > 1 ? 1 : -1, classes};
  bnn_prediction *p = NULL;
  ck_succeeds(bnn_prediction_new(&p, m->program, rows, &head, 1, &err));
  return p;
}

static bnn_prediction *sums_of(const model *m, bool classes) {
  return sums_of_rows(m, ROWS, classes);
}

static bnn_status add_on(bnn_prediction *p, bnn_context *context, const bnn_predict_spec *spec,
                         const bnn_tensor *x, const bnn_tensor *y, bnn_err *e) {
  const bnn_sources data = bnn_sources_of(x, y, NULL);
  return bnn_prediction_add(p, context, spec, &data, e);
}

static bnn_status check_on(const bnn_prediction *p, const bnn_predict_spec *spec,
                           const bnn_tensor *x, bnn_err *e) {
  const bnn_sources data = bnn_sources_of(x, NULL, NULL);
  return bnn_prediction_check(p, spec, &data, e);
}

static void add(bnn_prediction *p, const model *m, bnn_predict_spec spec, int samples,
                int threads) {
  bnn_context *context = context_of(threads);
  spec.samples = samples;
  ck_succeeds(add_on(p, context, &spec, m->data, m->target, &err));
  bnn_context_free(context);
}

/* All that is said of ROWS rows of OUT classes. */
typedef struct said {
  bnn_real mean[OUTPUTS_MAX], std[OUTPUTS_MAX], extra[OUTPUTS_MAX];
  bnn_real entropy[ROWS], expected[ROWS], information[ROWS], variation[ROWS], energy[ROWS];
} said;

static said say(const bnn_prediction *p) {
  said y;
  memset(&y, 0, sizeof y);
  bnn_prediction_moments(p, 0, y.mean, y.std);
  bnn_prediction_extra_mean(p, 0, y.extra);
  const bnn_class_scores scores = {y.entropy, y.expected, y.information, y.variation,
                                   bnn_prediction_extra(p, 0) > 0 ? y.energy : NULL};
  if (bnn_prediction_has_classes(p, 0)) ck_succeeds(bnn_prediction_scores(p, 0, &scores, &err));
  return y;
}

/* 20 samples in calls of 1, 7 and 12, on other numbers of threads, are 20 in one call. */
START_TEST(samples_in_parts_leave_the_bits_of_one_call) {
  static const int part[] = {1, 7, 12};
  for (int classes = 0; classes < 2; classes++) {
    model m;
    if (classes)
      classes_init(&m, 4);
    else
      model_init(&m, _i, 4);
    bnn_predict_spec spec = spec_of(&m, 0);
    spec.first_sample = 3;
    bnn_prediction *all = sums_of(&m, classes), *parts = sums_of(&m, classes);
    add(all, &m, spec, 20, 2);
    for (int k = 0; k < 3; k++) add(parts, &m, spec, part[k], k + 1);
    ck_assert_int_eq(bnn_prediction_samples(parts), 20);
    const said a = say(all), b = say(parts);
    ck_assert_mem_eq(&a, &b, sizeof a);
    bnn_prediction_free(all);
    bnn_prediction_free(parts);
    model_fini(&m);
  }
}
END_TEST

START_TEST(a_copy_goes_on_by_itself) {
  model m;
  classes_init(&m, 4);
  bnn_predict_spec spec = spec_of(&m, 0);
  bnn_prediction *p = sums_of(&m, true), *copy = NULL;
  add(p, &m, spec, 5, 1);
  const said before = say(p);
  ck_succeeds(bnn_prediction_clone(&copy, p, &err));
  ck_assert_uint_eq(bnn_prediction_bytes(copy), bnn_prediction_bytes(p));
  const said copied = say(copy);
  ck_assert_mem_eq(&copied, &before, sizeof before);
  add(copy, &m, spec, 5, 1);
  const said after = say(p), more = say(copy);
  ck_assert_mem_eq(&after, &before, sizeof before);
  ck_assert_mem_ne(more.mean, before.mean, sizeof before.mean);
  ck_assert_int_eq(bnn_prediction_samples(p), 5);
  bnn_prediction_free(p);
  bnn_prediction_free(copy);
  bnn_prediction_free(NULL);
  model_fini(&m);
}
END_TEST

/* Entropies, mutual information, variation ratio and energy over all samples at once, in double. */
static void ck_scores_of_row(const said *y, const double *p, const double *z, int samples,
                             size_t row) {
  double mean[OUT] = {0}, logits[OUT] = {0}, expected = 0, total = 0, sum = 0;
  int votes[OUT] = {0}, most = 0;
  for (int s = 0; s < samples; s++, p += OUTPUTS_MAX, z += OUTPUTS_MAX) {
    size_t best = 0;
    for (size_t c = 0; c < OUT; c++) {
      mean[c] += p[c] / samples;
      logits[c] += z[c] / samples;
      expected -= p[c] * log(p[c]) / samples;
      if (p[c] > p[best]) best = c;
    }
    votes[best]++;
  }
  for (size_t c = 0; c < OUT; c++) {
    total -= mean[c] * log(mean[c]);
    sum += exp(logits[c]);
    most = votes[c] > most ? votes[c] : most;
  }
  const double tol = 32 * (double)BNN_REAL_EPSILON;
  ck_assert_double_eq_tol((double)y->entropy[row], total, tol);
  ck_assert_double_eq_tol((double)y->expected[row], expected, tol);
  ck_assert_double_eq_tol((double)y->information[row], total - expected, 2 * tol);
  ck_assert_double_eq_tol((double)y->variation[row], 1 - (double)most / samples, tol);
  ck_assert_double_eq_tol((double)y->energy[row], -log(sum), tol * (1 + fabs(log(sum))));
  for (size_t c = 0; c < OUT; c++)
    ck_assert_double_eq_tol((double)y->extra[row * OUT + c], logits[c],
                            tol * (1 + fabs(logits[c])));
}

START_TEST(scores_of_classes_are_those_of_a_plain_loop) {
  static const int samples[] = {1, 2, 9, 20};
  static double p[SAMPLES_MAX][OUTPUTS_MAX], z[SAMPLES_MAX][OUTPUTS_MAX];
  model of_p, of_z, m;
  model_init(&of_p, 1, 4);
  model_init(&of_z, 0, 4);
  classes_init(&m, 4);
  for (size_t k = 0; k < 4; k++) {
    bnn_predict_spec spec = spec_of(&m, samples[k]), spec_p = spec_of(&of_p, 1);
    bnn_predict_spec spec_z = spec_of(&of_z, 1);
    for (int s = 0; s < samples[k]; s++) {
      sample_of_rows(p[s], &of_p, &spec_p, s + 1);
      sample_of_rows(z[s], &of_z, &spec_z, s + 1);
    }
    bnn_prediction *sums = sums_of(&m, true);
    add(sums, &m, spec, samples[k], 2);
    const said y = say(sums);
    for (size_t i = 0; i < ROWS; i++)
      ck_scores_of_row(&y, p[0] + i * OUT, z[0] + i * OUT, samples[k], i);
    bnn_prediction_free(sums);
  }
  model_fini(&of_p);
  model_fini(&of_z);
  model_fini(&m);
}
END_TEST

/* One network, or 20 that are all alike, know nothing of each other; exactly. */
START_TEST(without_spread_there_is_no_information) {
  for (int k = 0; k < 2; k++) {
    model m;
    classes_init(&m, 4);
    bnn_predict_spec spec = spec_of(&m, 0);
    if (k) split_at(&m, 0);
    bnn_prediction *p = sums_of(&m, true);
    add(p, &m, spec, k ? 20 : 1, 2);
    const said y = say(p);
    for (size_t i = 0; i < ROWS; i++) {
      ck_assert(y.information[i] == 0 && y.variation[i] == 0);
      ck_assert(y.entropy[i] > 0 && y.entropy[i] == y.expected[i]);
    }
    bnn_prediction_free(p);
    model_fini(&m);
  }
}
END_TEST

/* ---- information that rounding takes below 0 ---- */

#ifdef BNN_REAL_DOUBLE
#define UNIT 0x1p-53
#else
#define UNIT 0x1p-24
#endif
enum { CERTAIN_SAMPLES = 9 };

/* A table of probabilities; in its first row p = (1 - 2^-10, 2^-11, 2^-11), whose first element
 * alone is random, by about two units in its last place. */
static void certain_init(model *m) {
  *m = (model){.x = -1, .y = -1, .key = -1};
  ck_succeeds(bnn_program_new(&m->program, &err));
  int p = embedding(m, 4);
  model_finish(m, (const int[]){p, OP(m->program, log, p)}, 2);
  for (size_t i = 0; i < WEIGHTS; i++) m->mu[i] = (bnn_real)(i % OUT ? 0x1p-11 : 1 - 0x1p-10);
  m->logvar[0] = (bnn_real)(2 * log(2 * UNIT));
}

/* How far rounding to a real takes the mean of the random element, in units of its last place. */
static double mean_goes_up_by(const bnn_predict_spec *spec) {
  bnn_context *context = context_of(1);
  bnn_real theta[WEIGHTS];
  double mean = 0;
  for (int s = 0; s < CERTAIN_SAMPLES; s++) {
    bnn_posterior_sample(spec->posterior, context, theta, bnn_key_fold(spec->key, s + 1), 1);
    mean += (double)theta[0] / CERTAIN_SAMPLES;
  }
  bnn_context_free(context);
  return ((double)(bnn_real)mean - mean) / UNIT;
}

/* The entropy of a mean that is rounded up by d is less by d (1 + log p), which is nearly d; what
 * the samples' spread gives, some UNIT^2, is nothing beside a quarter of a unit, and so is the
 * rounding of an entropy of 0.008, below UNIT / 64.  So the sign of the difference is that of -d
 * on every processor.  Keys are gone through until both signs were seen.  In double the mean is
 * rounded at every sample, by a unit at most, so d says nothing and the bound alone is left. */
START_TEST(information_is_not_below_0_by_rounding) {
  model m;
  certain_init(&m);
  bnn_predict_spec spec = spec_of(&m, 0);
  split_at(&m, 1);
  size_t up = 0, down = 0;
  for (uint64_t seed = 1; seed <= 100 && (up == 0 || down == 0); seed++) {
    spec.key = bnn_key_new(seed);
    bnn_prediction *p = sums_of(&m, true);
    add(p, &m, spec, CERTAIN_SAMPLES, 2);
    const said y = say(p);
    for (size_t i = 0; i < ROWS; i++)
      ck_assert(y.information[i] >= 0 && y.information[i] < (bnn_real)(CERTAIN_SAMPLES * UNIT));
    const double d = mean_goes_up_by(&spec);
#ifndef BNN_REAL_DOUBLE
    if (d > 0.25) ck_assert(y.entropy[0] < y.expected[0] && y.information[0] == 0);
    if (d < -0.25) ck_assert(y.entropy[0] > y.expected[0] && y.information[0] > 0);
#endif
    up += d > 0.25;
    down += d < -0.25;
    bnn_prediction_free(p);
  }
#ifndef BNN_REAL_DOUBLE
  ck_assert(up > 0 && down > 0);
#endif
  model_fini(&m);
}
END_TEST

/* Logits of +-2000: p = (1, 0), entropy 0, energy -2000.  Infinite logits have an infinite energy. */
START_TEST(scores_keep_their_limits) {
  static const struct {
    double logit, energy;
  } row[] = {{2000, -2000},
             {-2000, 2000 - 1.0986122886681098},
             {INFINITY, -INFINITY},
             {-INFINITY, INFINITY}};
  for (size_t k = 0; k < 4; k++) {
    model m;
    classes_init(&m, 4);
    bnn_predict_spec spec = spec_of(&m, 0);
    split_at(&m, 0);
    for (size_t i = 0; i < WEIGHTS; i++) m.mu[i] = 0;
    for (size_t c = 0; c < OUT; c++)
      m.mu[IN * OUT + c] = (bnn_real)(k % 2 || c == 1 ? row[k].logit : 0);
    bnn_prediction *p = sums_of(&m, true);
    add(p, &m, spec, 3, 1);
    const said y = say(p);
    if (k == 0) ck_assert(y.entropy[3] == 0 && y.expected[3] == 0 && y.mean[3 * OUT + 1] == 1);
    if (isinf(row[k].energy))
      ck_assert(y.energy[3] == (bnn_real)row[k].energy);
    else
      ck_assert_double_eq_tol((double)y.energy[3], row[k].energy, 1e-3);
    bnn_prediction_free(p);
    model_fini(&m);
  }
}
END_TEST

START_TEST(a_nan_shows_in_every_score_of_its_row) {
  model m;
  classes_init(&m, 4);
  bnn_tensor_set(m.data, 6 * IN + 2, NAN);
  bnn_prediction *p = sums_of(&m, true);
  add(p, &m, spec_of(&m, 0), 9, 2);
  const said y = say(p);
  for (size_t i = 0; i < ROWS; i++) {
    ck_assert_int_eq(isnan(y.entropy[i]) && isnan(y.expected[i]), i == 6);
    ck_assert_int_eq(isnan(y.information[i]) && isnan(y.variation[i]), i == 6);
    ck_assert_int_eq(isnan(y.energy[i]), i == 6);
  }
  ck_assert(isnan(bnn_prediction_standard_error(p, 0)));
  bnn_prediction_free(p);
  model_fini(&m);
}
END_TEST

/* Of u and v the deviation is |u - v| / sqrt 2 (ddof 1), and of their mean |u - v| / 2. */
START_TEST(the_standard_error_is_the_largest_of_a_mean) {
  model m;
  model_init(&m, 0, 4);
  bnn_predict_spec spec = spec_of(&m, 0);
  double u[OUTPUTS_MAX], v[OUTPUTS_MAX], most = 0;
  bnn_prediction *p = sums_of(&m, false), *none = NULL;
  sample_of_rows(u, &m, &spec, 1);
  sample_of_rows(v, &m, &spec, 2);
  for (size_t i = 0; i < OUTPUTS_MAX; i++) most = fmax(most, fabs(u[i] - v[i]) / 2);
  add(p, &m, spec, 1, 1);
  ck_assert(bnn_prediction_standard_error(p, 0) == INFINITY);
  add(p, &m, spec, 1, 1);
  ck_assert_double_eq_tol(bnn_prediction_standard_error(p, 0), most, 32 * (double)BNN_REAL_EPSILON);
  none = sums_of_rows(&m, 0, false);
  ck_assert(bnn_prediction_standard_error(none, 0) == 0);
  bnn_prediction_free(none);
  bnn_prediction_free(p);
  model_fini(&m);
}
END_TEST

enum {
  OTHER_KEY = 1,
  OTHER_FIRST,
  OTHER_MU,
  OTHER_LOGVAR,
  NO_LOGVAR,
  OTHER_X,
  OTHER_SHAPE,
  FEW_ROWS,
  OTHER_TYPE,
  TOO_MANY
};

START_TEST(samples_of_something_else_are_refused_by_name) {
  static const struct {
    int other;
    bnn_status status;
    const char *words;
  } row[] = {
      {0, BNN_OK, ""},
      {OTHER_KEY, BNN_EDATA, "key is another than that of the 3 samples so far"},
      {OTHER_FIRST, BNN_EDATA, "first is 2, the 3 samples so far began with 1"},
      {OTHER_MU, BNN_EDATA, "the parameters are not those of the 3 samples so far"},
      {OTHER_LOGVAR, BNN_EDATA, "the parameters are not those of"},
      {NO_LOGVAR, BNN_EDATA, "the parameters are not those of"},
      {OTHER_X, BNN_EDATA, "x holds other values than for the 3 samples so far"},
      {OTHER_SHAPE, BNN_EDATA, "[11, 1, 5], the 3 samples so far are of"},
      {FEW_ROWS, BNN_EDATA, "[10, 5], the 3 samples so far are of"},
      {OTHER_TYPE, BNN_EDATA, "x is u8 [11, 5], the 3 samples so far are of f"},
      {TOO_MANY, BNN_ERANGE, "2147483647 samples more than 3 are too many"},
  };
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    const int other = row[k].other;
    model m;
    model_init(&m, 0, 4);
    bnn_predict_spec spec = spec_of(&m, 3);
    bnn_prediction *p = sums_of(&m, false);
    bnn_context *context = context_of(1);
    bnn_tensor *shaped = tensor_of(BNN_REAL, DIMS(ROWS, 1, IN), NULL);
    bnn_tensor *few = tensor_of(BNN_REAL, DIMS(ROWS - 1, IN), NULL);
    bnn_tensor *bytes = tensor_of(BNN_U8, DIMS(ROWS, IN), NULL);
    add(p, &m, spec, 3, 1);
    if (other == OTHER_KEY) spec.key = bnn_key_new(78);
    if (other == OTHER_FIRST) spec.first_sample = 2;
    if (other == OTHER_MU) m.mu[WEIGHTS - 1] += 1;
    if (other == OTHER_LOGVAR) m.logvar[0] += 1;
    if (other == NO_LOGVAR) split_at(&m, 0);
    if (other == OTHER_X) bnn_tensor_set(m.data, ROWS * IN - 1, 7);
    if (other == TOO_MANY) spec.samples = INT32_MAX;
    const bnn_tensor *x = other == OTHER_SHAPE  ? shaped
                          : other == FEW_ROWS   ? few
                          : other == OTHER_TYPE ? bytes
                                                : m.data;
    bnn_err found = {.text = ""};
    ck_status("add", add_on(p, context, &spec, x, NULL, &found), &found, row[k].status,
              row[k].words);
    ck_assert_int_eq(bnn_prediction_samples(p), row[k].status == BNN_OK ? 6 : 3);
    if (row[k].status == BNN_EDATA)
      ck_refuses(check_on(p, &spec, x, &err), BNN_EDATA, row[k].words);
    bnn_tensor_unref(bytes);
    bnn_tensor_unref(few);
    bnn_tensor_unref(shaped);
    bnn_context_free(context);
    bnn_prediction_free(p);
    model_fini(&m);
  }
}
END_TEST

/* The logits beside the probabilities, and as a head of their own, in one pass. */
START_TEST(heads_are_summed_side_by_side) {
  model m;
  classes_init(&m, 4);
  const bnn_head heads[] = {{0, 1, true}, {1, -1, false}};
  bnn_predict_spec spec = spec_of(&m, 0);
  bnn_prediction *both = NULL, *alone = sums_of(&m, true);
  ck_succeeds(bnn_prediction_new(&both, m.program, ROWS, heads, 2, &err));
  add(both, &m, spec, 9, 2);
  add(alone, &m, spec, 9, 1);
  const said want = say(alone), got = say(both);
  ck_assert_mem_eq(&got, &want, sizeof want);
  ck_assert_uint_eq(bnn_prediction_heads(both), 2);
  ck_assert_uint_eq(bnn_prediction_width(both, 1), OUT);
  ck_assert(!bnn_prediction_has_classes(both, 1));
  bnn_real mean[OUTPUTS_MAX], std[OUTPUTS_MAX];
  bnn_prediction_moments(both, 1, mean, std);
  for (int i = 0; i < OUTPUTS_MAX; i++) {
    ck_assert_double_eq_tol(mean[i], want.extra[i],
                            8 * (double)BNN_REAL_EPSILON * (1 + fabs((double)mean[i])));
    ck_assert(std[i] > 0);
  }
  ck_assert(bnn_prediction_standard_error(both, 1) > bnn_prediction_standard_error(both, 0));
  bnn_prediction_free(both);
  bnn_prediction_free(alone);
  model_fini(&m);
}
END_TEST

START_TEST(heads_that_a_program_has_not_are_refused) {
  static const bnn_head none = {2, -1, false}, no_extra = {0, 2, true}, good = {0, 1, true};
  model m;
  classes_init(&m, 4);
  bnn_prediction *p = NULL;
  ck_refuses(bnn_prediction_new(&p, m.program, ROWS, &none, 1, &err), BNN_ERANGE, "output 3 of 2");
  ck_refuses(bnn_prediction_new(&p, m.program, ROWS, &no_extra, 1, &err), BNN_ERANGE,
             "output 3 of 2");
  ck_refuses(bnn_prediction_new(&p, m.program, ROWS, &good, 0, &err), BNN_ERANGE,
             "expected 1 to 16 targets, got 0");
  ck_refuses(bnn_prediction_new(&p, m.program, ROWS, &good, 17, &err), BNN_ERANGE, "got 17");
  ck_assert_ptr_null(p);
  model_fini(&m);
}
END_TEST

START_TEST(sums_of_another_program_are_refused) {
  model one, two;
  model_init(&one, 2, 4); /* a number for each row */
  classes_init(&two, 4);
  bnn_prediction *p = sums_of(&one, false), *q = NULL;
  bnn_context *context = context_of(1);
  bnn_predict_spec spec = spec_of(&two, 1);
  ck_refuses(add_on(p, context, &spec, two.data, NULL, &err), BNN_ESHAPE,
             "gives 3 and 0 numbers a row, the prediction has 1 and 0");
  q = sums_of_rows(&two, ROWS + 1, true);
  ck_refuses(add_on(q, context, &spec, two.data, NULL, &err), BNN_ESHAPE,
             "x has 11 rows, the prediction 12");
  bnn_prediction_free(q);
  bnn_prediction_free(p);
  bnn_context_free(context);
  model_fini(&one);
  model_fini(&two);
}
END_TEST

static bnn_status clone_and_say(void *arg, bnn_err *err) {
  bnn_prediction *copy = NULL;
  said y;
  const bnn_class_scores scores = {y.entropy, y.expected, y.information, y.variation, y.energy};
  BNN_TRY(bnn_prediction_clone(&copy, arg, err));
  bnn_status status = bnn_prediction_scores(copy, 0, &scores, err);
  bnn_prediction_free(copy);
  return status;
}

START_TEST(copies_and_scores_survive_failing_allocations) {
  model m;
  classes_init(&m, 4);
  bnn_prediction *p = sums_of(&m, true);
  add(p, &m, spec_of(&m, 0), 2, 1);
  ck_survives_failing_allocations(clone_and_say, p);
  bnn_prediction_free(p);
  model_fini(&m);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, predictions_are_those_of_a_plain_loop, 0, GRAPHS);
  tcase_add_loop_test(tests, any_number_of_threads_gives_the_same_bits, 0, GRAPHS);
  tcase_add_test(tests, without_spread_the_std_is_zero);
  tcase_add_test(tests, the_std_is_the_populations);
  tcase_add_test(tests, samples_may_be_predicted_in_parts);
  tcase_add_test(tests, a_point_estimate_varies_by_its_noise_only);
  tcase_add_test(tests, images_of_bytes_are_predicted_as_their_255th_parts);
  tcase_add_test(tests, no_rows_give_no_predictions);
  tcase_add_test(tests, memory_does_not_grow_with_the_number_of_samples);
  tcase_add_test(tests, a_stopped_context_predicts_nothing);
  tcase_add_test(tests, a_long_prediction_can_be_stopped);
  tcase_add_test(tests, the_width_of_an_output_is_what_a_row_has);
  tcase_add_test(tests, outputs_without_a_row_for_each_row_are_refused);
  tcase_add_test(tests, what_can_not_be_predicted_is_refused);
  tcase_add_test(tests, a_program_of_no_rows_predicts_none);
  tcase_add_test(tests, a_label_out_of_range_is_refused);
  tcase_add_test(tests, a_nan_in_x_is_a_nan_in_its_prediction);
  tcase_add_loop_test(tests, every_allocation_may_fail, 0, GRAPHS);
  tcase_add_loop_test(tests, samples_in_parts_leave_the_bits_of_one_call, 0, GRAPHS);
  tcase_add_test(tests, a_copy_goes_on_by_itself);
  tcase_add_test(tests, scores_of_classes_are_those_of_a_plain_loop);
  tcase_add_test(tests, without_spread_there_is_no_information);
  tcase_add_test(tests, information_is_not_below_0_by_rounding);
  tcase_add_test(tests, scores_keep_their_limits);
  tcase_add_test(tests, a_nan_shows_in_every_score_of_its_row);
  tcase_add_test(tests, the_standard_error_is_the_largest_of_a_mean);
  tcase_add_test(tests, samples_of_something_else_are_refused_by_name);
  tcase_add_test(tests, heads_are_summed_side_by_side);
  tcase_add_test(tests, heads_that_a_program_has_not_are_refused);
  tcase_add_test(tests, sums_of_another_program_are_refused);
  tcase_add_test(tests, copies_and_scores_survive_failing_allocations);
}

int main(void) { return run_suite_with_products("predict", add_tests); }
