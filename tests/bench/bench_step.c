/* bench_step - training steps and predictions against their bare matrix products, in one process,
 * taking turns.
 *
 *     bench_step [steps [H ...]]   784-H-H-10, batch 128, for H = 64, 400, 1200, on 1 and 2 threads
 *     BNNLUA_ISA=avx2 OPENBLAS_CORETYPE=Haswell bench_step    as on a processor without AVX-512
 *
 * "products" are whole OpenBLAS calls on one thread: of a step eight (three forward, three weight
 * gradients, two input gradients), of a prediction three for each chunk of rows.  The ratio of the
 * medians over the rounds is what to quote, as machines differ and are shared; beside it the ratio
 * of the fastest rounds, which says more where other work disturbs.  "check first" is a step on one
 * thread by the plain stages, which looks at all gradients before any update, as a ratio to the step
 * as it is (objective.h).  "shards" is a step over a batch in 4, 8 and 16 shards (for H up to 400), as
 * a ratio to one.  "priors" is a step with each density as the prior of the weights
 * (densities/density.h), and with a Gaussian whose scale is fitted, as a ratio to one with N(0, 1).
 * Last, where a step on one thread goes: each part alone, over and over. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "inference/objective.h"
#include "inference/predict.h"
#include "kernels/blas.h"
#include "kernels/isa.h"
#include "kernels/product.h"
#include "kernels/rng.h"

enum { BATCH = 128, BLOCK = 32, INPUT = 784, OUTPUT = 10, LAYERS = 3, ROUNDS = 15, IMAGES = 4096 };
enum { CHUNK = 240, TEST_IMAGES = 4000, SAMPLES = 8 }; /* of predictions, as bnn.predict has them */

typedef struct bench {
  size_t width[LAYERS + 1];
  bnn_layout layout;
  bnn_program *program;
  bnn_objective *objective;
  bnn_group group; /* the posterior: mean-field over all, of mu and logvar */
  bnn_posterior posterior;
  bnn_rule_state state;
  bnn_tensor *mu, *logvar, *x, *y, *rows;
  bnn_tensor *gradients; /* of mu and logvar, when they are checked before they are used */
  bnn_tensor *act[LAYERS + 1], *delta[LAYERS + 1], *grad; /* for the bare products */
} bench;

/* Ends the benchmark when something of its set-up fails. */
static void must(bnn_status status, const bnn_err *err) {
  if (status == BNN_OK) return;
  fprintf(stderr, "bench_step: %s: %s\n", bnn_status_text(status), err->text);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Records an MLP: linear, relu, ...; then the loss of each example by cross-entropy, with its
 * gradient, or the probabilities. */
static void record(const bench *b, bnn_program **out, size_t batch, bool loss) {
  bnn_err err;
  int x, y, h;
  size_t in[] = {batch, INPUT}, labels[] = {batch}, offset = 0;
  bnn_program *p;
  bnn_shape shape = bnn_shape_make(BNN_REAL, 2, in);
  must(bnn_program_new(&p, &err), &err);
  must(bnn_program_input(p, &x, BNN_INPUT_ROWS, &shape, 0, &err), &err);
  shape = bnn_shape_make(BNN_I32, 1, labels);
  must(bnn_program_input(p, &y, BNN_INPUT_ROWS, &shape, 0, &err), &err);
  h = x;
  for (int l = 0; l < LAYERS; l++) {
    size_t w_dim[] = {b->width[l], b->width[l + 1]};
    int in_nodes[3] = {h};
    shape = bnn_shape_make(BNN_REAL, 2, w_dim);
    must(bnn_program_input(p, &in_nodes[1], BNN_INPUT_PARAM, &shape, offset, &err), &err);
    offset += w_dim[0] * w_dim[1];
    shape = bnn_shape_make(BNN_REAL, 1, w_dim + 1);
    must(bnn_program_input(p, &in_nodes[2], BNN_INPUT_PARAM, &shape, offset, &err), &err);
    offset += w_dim[1];
    must(bnn_program_op(p, &h, BNN_OP_linear, in_nodes, 3, NULL, &err), &err);
    if (l + 1 < LAYERS) must(bnn_program_op(p, &h, BNN_OP_relu, &h, 1, NULL, &err), &err);
  }
  int pair[] = {h, y};
  if (loss)
    must(bnn_program_op(p, &h, BNN_OP_cross_entropy, pair, 2, NULL, &err), &err);
  else
    must(bnn_program_op(p, &h, BNN_OP_softmax, &h, 1, NULL, &err), &err);
  must(bnn_program_finish(p, &h, 1, loss, NULL, 0, &err), &err);
  *out = p;
}

static void new_tensor(bnn_tensor **t, bnn_dtype dtype, size_t rows, size_t columns) {
  bnn_err err;
  size_t dim[] = {rows, columns};
  must(bnn_tensor_new(t, dtype, columns ? 2 : 1, dim, &err), &err);
}

/* Random bytes of which 19% are not zero, as MNIST's pixels; labels 0..9; a permutation. */
static void fill_data(bench *b) {
  bnn_key key = bnn_key_new(1);
  bnn_err err;
  new_tensor(&b->x, BNN_U8, IMAGES, INPUT);
  new_tensor(&b->y, BNN_I32, IMAGES, 0);
  new_tensor(&b->rows, BNN_I32, IMAGES, 0);
  uint64_t *bits = bnn_mem_alloc(IMAGES * INPUT, sizeof *bits);
  if (!bits) exit(1);
  bnn_rng_bits(bits, key, 0, IMAGES * INPUT);
  for (size_t i = 0; i < IMAGES * INPUT; i++)
    ((uint8_t *)b->x->data)[i] = bits[i] % 100 < 19 ? (uint8_t)(bits[i] >> 32) : 0;
  must(bnn_rng_permutation(b->rows->data, key, IMAGES, &err), &err);
  for (size_t i = 0; i < IMAGES; i++) {
    ((int32_t *)b->rows->data)[i]++; /* positions count from 1 */
    ((int32_t *)b->y->data)[i] = (int32_t)(i % OUTPUT);
  }
  bnn_mem_free(bits);
}

/* The training step over a batch in shards, with the same prior of every tensor. */
static bnn_objective *new_objective(const bench *b, int shards, bnn_regularizer prior) {
  bnn_err err;
  bnn_regularizer regularizers[2 * LAYERS];
  for (int t = 0; t < 2 * LAYERS; t++) regularizers[t] = prior;
  bnn_objective_spec spec = {.program = b->program,
                             .feeds = bnn_feeds_of(0, 1, -1),
                             .key_node = -1,
                             .kl_weight_node = -1,
                             .posterior = &b->posterior,
                             .regularizers = regularizers,
                             .samples = 1,
                             .shards = shards};
  bnn_objective *o;
  must(bnn_objective_new(&o, &spec, &err), &err);
  return o;
}

static bnn_objective *objective_in_shards(const bench *b, int shards) {
  return new_objective(b, shards, (bnn_regularizer){.kl = 1, .precision = 1});
}

static void make(bench *b, size_t hidden) {
  bnn_err err;
  size_t size[2 * LAYERS];
  const size_t width[] = {INPUT, hidden, hidden, OUTPUT};
  for (int l = 0; l <= LAYERS; l++) {
    b->width[l] = width[l];
    new_tensor(&b->act[l], BNN_REAL, BATCH, width[l]);
    new_tensor(&b->delta[l], BNN_REAL, BATCH, width[l]);
  }
  for (int l = 0; l < LAYERS; l++) {
    size[2 * l] = width[l] * width[l + 1];
    size[2 * l + 1] = width[l + 1];
  }
  must(bnn_layout_init(&b->layout, 2 * LAYERS, size, &err), &err);
  record(b, &b->program, BATCH, true);
  new_tensor(&b->mu, BNN_REAL, b->layout.size, 0);
  new_tensor(&b->logvar, BNN_REAL, b->layout.size, 0);
  new_tensor(&b->grad, BNN_REAL, b->layout.size, 0);
  new_tensor(&b->gradients, BNN_REAL, 2 * b->layout.size, 0);
  b->group = (bnn_group){.family = bnn_family_find("meanfield"),
                         .layout = &b->layout,
                         .end = b->layout.size,
                         .buffer = {bnn_tensor_real(b->mu), bnn_tensor_real(b->logvar)}};
  b->posterior = (bnn_posterior){.layout = &b->layout, .n_groups = 1, .group = &b->group};
  b->objective = objective_in_shards(b, 1);
  must(bnn_rule_state_init(&b->state, bnn_rule_find("adam"), NULL, 2 * b->layout.size, &err), &err);
  bnn_rng_truncated(bnn_tensor_real(b->mu), bnn_key_new(2), 0, b->layout.size);
  for (size_t i = 0; i < b->layout.size; i++) {
    bnn_tensor_real(b->mu)[i] *= (bnn_real)0.04;
    bnn_tensor_real(b->logvar)[i] = -7;
  }
  bnn_rng_uniform(bnn_tensor_real(b->act[0]), bnn_key_new(3), 0, b->act[0]->size);
  fill_data(b);
}

static void unmake(bench *b) {
  bnn_objective_free(b->objective);
  bnn_program_unref(b->program);
  bnn_layout_fini(&b->layout);
  bnn_rule_state_fini(&b->state);
  bnn_tensor *const all[] = {b->mu, b->logvar, b->x, b->y, b->rows, b->grad, b->gradients};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) bnn_tensor_unref(all[i]);
  for (int l = 0; l <= LAYERS; l++) {
    bnn_tensor_unref(b->act[l]);
    bnn_tensor_unref(b->delta[l]);
  }
}

/* Batch and arguments of a step. */
static bnn_batch batch_of(const bench *b, uint64_t step) {
  return (bnn_batch){.data = bnn_sources_of(b->x, b->y, NULL),
                     .rows = b->rows->data,
                     .from = step % (IMAGES / BATCH) * BATCH,
                     .count = BATCH};
}

static bnn_step_args args_of(uint64_t step) {
  return (bnn_step_args){
      .key = bnn_key_fold(bnn_key_new(4), (int64_t)step), .beta = 1e-3, .lr = 1e-3};
}

static void run_step_of(bench *b, bnn_objective *o, bnn_context *context, uint64_t step) {
  bnn_err err;
  bnn_updater updater = bnn_updater_of(&b->state);
  bnn_train_state train = {&b->posterior, &updater};
  bnn_batch batch = batch_of(b, step);
  bnn_step_args s = args_of(step);
  double loss;
  must(bnn_objective_step(o, context, &train, &batch, &s, &loss, &err), &err);
}

static void run_step(bench *b, bnn_context *context, uint64_t step) {
  run_step_of(b, b->objective, context, step);
}

/* The same step by the plain stages, whose gradients are all there and checked before any is used. */
static void run_checked_step(bench *b, bnn_context *context, uint64_t step) {
  bnn_err err = {.text = "a gradient is not finite"};
  bnn_batch batch = batch_of(b, step);
  bnn_step_args s = args_of(step);
  bnn_real *d = bnn_tensor_real(b->gradients);
  const size_t n = b->layout.size;
  double loss;
  must(bnn_objective_gradient(b->objective, context, &b->posterior, &batch, &s, d, &loss, &err),
       &err);
  if (!bnn_isa_get()->vec->finite(d, 2 * n)) must(BNN_ENAN, &err);
  const bnn_step_info info = bnn_rule_step(&b->state, s.lr, 0, 1, s.key);
  for (int k = 0; k < 2; k++) {
    const size_t at = (size_t)k * n; /* bnn_posterior_place */
    const bnn_update_span span = {
        .w = b->group.buffer[k],
        .g = d + at,
        .slot = {bnn_tensor_real(b->state.slot[0]) + at, bnn_tensor_real(b->state.slot[1]) + at},
        .n = n,
        .buffer = k,
        .decayed = b->group.family->buffer[k].decayed};
    b->state.rule->update(&info, &span);
  }
  b->state.t++;
}

/* The eight products, as whole OpenBLAS calls on this thread. */
static void run_products(bench *b) {
  const bnn_real *w = bnn_tensor_real(b->mu);
  bnn_real *dw = bnn_tensor_real(b->grad);
  const bnn_real *layer_w[LAYERS];
  bnn_real *layer_dw[LAYERS];
  size_t at = 0;
  for (int l = 0; l < LAYERS; l++) {
    size_t n = b->width[l], m = b->width[l + 1];
    layer_w[l] = w + at;
    layer_dw[l] = dw + at;
    at += n * m + m;
    bnn_blas_mm(bnn_tensor_real(b->act[l + 1]), m, bnn_tensor_real(b->act[l]), n, false, layer_w[l],
                m, false, BATCH, m, n, false);
  }
  for (int l = LAYERS - 1; l >= 0; l--) {
    size_t n = b->width[l], m = b->width[l + 1];
    bnn_blas_mm(layer_dw[l], m, bnn_tensor_real(b->act[l]), n, true,
                bnn_tensor_real(b->delta[l + 1]), m, false, n, m, BATCH, false);
    if (l > 0)
      bnn_blas_mm(bnn_tensor_real(b->delta[l]), n, bnn_tensor_real(b->delta[l + 1]), m, false,
                  layer_w[l], m, true, BATCH, n, m, false);
  }
}

/* The products of predicting TEST_IMAGES rows by one network. */
static void run_forward_products(bench *b, bnn_real *const *act) {
  for (size_t from = 0; from < TEST_IMAGES; from += CHUNK) {
    const bnn_real *w = bnn_tensor_real(b->mu);
    for (int l = 0; l < LAYERS; l++) {
      size_t n = b->width[l], m = b->width[l + 1];
      bnn_blas_mm(act[l + 1], m, act[l], n, false, w, m, false, CHUNK, m, n, false);
      w += n * m + m;
    }
  }
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Two things that take turns: how long each takes, by the median round and by the fastest. */
typedef struct timing {
  double own[ROUNDS], products[ROUNDS];
} timing;

static void print_row(const char *what, size_t h, int threads, timing *t) {
  char name[32];
  qsort(t->own, ROUNDS, sizeof *t->own, by_value);
  qsort(t->products, ROUNDS, sizeof *t->products, by_value);
  const double own = t->own[ROUNDS / 2], products = t->products[ROUNDS / 2];
  snprintf(name, sizeof name, "784-%zu-%zu-10", h, h);
  printf("%-8s %-17s %7d %11.3f %13.3f %7.2f %8.2f\n", what, name, threads, 1e3 * own,
         1e3 * products, own / products, t->own[0] / t->products[0]);
  fflush(stdout);
}

static void measure_steps(bench *b, int threads, size_t steps) {
  bnn_err err;
  bnn_context *context;
  timing t;
  uint64_t done = 0;
  must(bnn_context_new(&context, threads, &err), &err);
  for (int r = 0; r < ROUNDS; r++) {
    double t0 = now();
    for (size_t i = 0; i < steps; i++) run_step(b, context, done++);
    double t1 = now();
    for (size_t i = 0; i < steps; i++) run_products(b);
    t.own[r] = (t1 - t0) / (double)steps;
    t.products[r] = (now() - t1) / (double)steps;
  }
  print_row("step", b->width[1], threads, &t);
  bnn_context_free(context);
}

/* How many times as long a step on one thread takes when its gradients are checked first (objective.h);
 * the two take turns. */
static double ratio_of_checked_steps(bench *b, size_t steps) {
  bnn_err err;
  bnn_context *context;
  double fused[ROUNDS], checked[ROUNDS];
  uint64_t done = 0;
  must(bnn_context_new(&context, 1, &err), &err);
  for (int r = 0; r < ROUNDS; r++) {
    double t0 = now();
    for (size_t i = 0; i < steps; i++) run_step(b, context, done++);
    double t1 = now();
    for (size_t i = 0; i < steps; i++) run_checked_step(b, context, done++);
    fused[r] = t1 - t0;
    checked[r] = now() - t1;
  }
  bnn_context_free(context);
  qsort(fused, ROUNDS, sizeof *fused, by_value);
  qsort(checked, ROUNDS, sizeof *checked, by_value);
  return checked[ROUNDS / 2] / fused[ROUNDS / 2];
}

enum { SHARD_COUNTS = 4 };
static const int shard_counts[SHARD_COUNTS] = {1, 4, 8, 16};

/* What a step in shards takes, as a ratio to the step in one: the median of rounds in which they take
 * turns. */
static void measure_shards(bench *b, int threads, size_t steps) {
  bnn_err err;
  bnn_context *context;
  bnn_objective *o[SHARD_COUNTS];
  double ratio[SHARD_COUNTS][ROUNDS];
  uint64_t done = 0;
  must(bnn_context_new(&context, threads, &err), &err);
  for (int k = 0; k < SHARD_COUNTS; k++) o[k] = objective_in_shards(b, shard_counts[k]);
  for (int r = 0; r < ROUNDS; r++)
    for (int k = 0; k < SHARD_COUNTS; k++) {
      const double t0 = now();
      for (size_t i = 0; i < steps; i++) run_step_of(b, o[k], context, done++);
      ratio[k][r] = (now() - t0) / (k ? ratio[0][r] : 1);
    }
  printf("shards: H = %zu, %d thread%s:", b->width[1], threads, threads > 1 ? "s" : "");
  for (int k = 1; k < SHARD_COUNTS; k++) {
    qsort(ratio[k], ROUNDS, sizeof *ratio[k], by_value);
    printf("%s %.2f (%d)", k > 1 ? "," : "", ratio[k][ROUNDS / 2], shard_counts[k]);
  }
  printf(" times a step in one\n");
  fflush(stdout);
  for (int k = 0; k < SHARD_COUNTS; k++) bnn_objective_free(o[k]);
  bnn_context_free(context);
}

/* Prior k: N(0, 1), that of a fitted scale, then the densities with their default parameters; NULL
 * past the end. */
static const char *prior_at(bnn_regularizer *out, size_t k) {
  bnn_err err;
  double param[BNN_DENSITY_PARAMS_MAX];
  *out = (bnn_regularizer){.kl = 1, .precision = k == 0 ? 1 : 0, .is_fitted = k == 1};
  if (k < 2) return k == 0 ? "N(0, 1)" : "fitted";
  const bnn_density *row = bnn_density_row(k - 2, NULL);
  if (!row) return NULL;
  for (int i = 0; i < bnn_density_params(row); i++) param[i] = row->param[i].value;
  must(bnn_prior_init(&out->prior, row, param, &err), &err);
  return row->name;
}

enum { PRIORS_MAX = 32 };

/* What a step with each prior takes, as a ratio to that with N(0, 1): the median of rounds in which
 * they take turns. */
static void measure_priors(bench *b, int threads, size_t steps) {
  bnn_err err;
  bnn_context *context;
  bnn_objective *o[PRIORS_MAX];
  const char *name[PRIORS_MAX];
  bnn_regularizer prior;
  double ratio[PRIORS_MAX][ROUNDS];
  size_t n = 0;
  uint64_t done = 0;
  must(bnn_context_new(&context, threads, &err), &err);
  for (; n < PRIORS_MAX && (name[n] = prior_at(&prior, n)); n++) o[n] = new_objective(b, 1, prior);
  for (int r = 0; r < ROUNDS; r++)
    for (size_t k = 0; k < n; k++) {
      const double t0 = now();
      for (size_t i = 0; i < steps; i++) run_step_of(b, o[k], context, done++);
      ratio[k][r] = (now() - t0) / (k ? ratio[0][r] : 1);
    }
  printf("priors: H = %zu, %d thread%s:", b->width[1], threads, threads > 1 ? "s" : "");
  for (size_t k = 1; k < n; k++) {
    qsort(ratio[k], ROUNDS, sizeof *ratio[k], by_value);
    printf("%s %.2f (%s)", k > 1 ? "," : "", ratio[k][ROUNDS / 2], name[k]);
  }
  printf(" times a step with N(0, 1)\n");
  fflush(stdout);
  for (size_t k = 0; k < n; k++) bnn_objective_free(o[k]);
  bnn_context_free(context);
}

/* Times are for one network over TEST_IMAGES rows. */
static void measure_predictions(bench *b, int threads) {
  bnn_err err;
  bnn_context *context;
  bnn_program *program;
  bnn_tensor *x, *mean, *std, *act[LAYERS + 1];
  bnn_real *act_data[LAYERS + 1];
  timing t;
  must(bnn_context_new(&context, threads, &err), &err);
  must(bnn_tensor_narrow(&x, b->x, 0, 0, TEST_IMAGES, &err), &err);
  new_tensor(&mean, BNN_REAL, TEST_IMAGES, OUTPUT);
  new_tensor(&std, BNN_REAL, TEST_IMAGES, OUTPUT);
  record(b, &program, CHUNK, false);
  for (int l = 0; l <= LAYERS; l++) {
    new_tensor(&act[l], BNN_REAL, CHUNK, b->width[l]);
    act_data[l] = bnn_tensor_real(act[l]);
  }
  bnn_rng_uniform(act_data[0], bnn_key_new(3), 0, act[0]->size);
  const bnn_predict_spec spec = {.program = program,
                                 .feeds = bnn_feeds_of(0, -1, -1),
                                 .key_node = -1,
                                 .posterior = &b->posterior,
                                 .samples = SAMPLES,
                                 .key = bnn_key_new(5),
                                 .first_sample = 1};
  const bnn_sources data = bnn_sources_of(x, NULL, NULL);
  for (int r = 0; r < ROUNDS; r++) {
    double t0 = now();
    must(bnn_predict(context, &spec, &data, mean, std, &err), &err);
    double t1 = now();
    for (int s = 0; s < SAMPLES; s++) run_forward_products(b, act_data);
    t.own[r] = (t1 - t0) / SAMPLES;
    t.products[r] = (now() - t1) / SAMPLES;
  }
  print_row("predict", b->width[1], threads, &t);
  for (int l = 0; l <= LAYERS; l++) bnn_tensor_unref(act[l]);
  bnn_tensor_unref(mean);
  bnn_tensor_unref(std);
  bnn_tensor_unref(x);
  bnn_program_unref(program);
  bnn_context_free(context);
}

/* ---- where a step goes ---- */

/* The parts of a step, each over a whole batch on the calling thread. */
typedef struct parts {
  bench *b;
  bnn_context *context;
  bnn_frame *frame;
  bnn_real *theta;
} parts;

static void gather_part(parts *p) {
  const bench *b = p->b;
  const bnn_batch batch = {
      .data = bnn_sources_of(b->x, b->y, NULL), .rows = b->rows->data, .count = BATCH};
  bnn_real *buffer = bnn_frame_input_buffer(p->frame, 0);
  for (size_t from = 0; from < BATCH; from += BLOCK)
    bnn_batch_gather(buffer + from * INPUT, BNN_REAL, &batch, 0, from, BLOCK);
}

static void sampling_part(parts *p) {
  const bench *b = p->b;
  bnn_posterior_sample(&b->posterior, p->context, p->theta, bnn_key_new(1), 1);
}

static void forward_part(parts *p) {
  for (size_t i = 0; i < bnn_frame_blocks(p->frame); i++) bnn_frame_forward_block(p->frame, i);
}

static void backward_part(parts *p) {
  for (size_t i = 0; i < bnn_frame_blocks(p->frame); i++) bnn_frame_backward_block(p->frame, i, 1);
}

static void gradients_part(parts *p) {
  for (size_t j = 0; j < bnn_frame_parameter_jobs(p->frame); j++)
    bnn_frame_run_parameter_job(p->frame, j, NULL, NULL);
}

/* The products in the pieces in which a step has them. */
static void products_part(parts *p) {
  const bench *b = p->b;
  bnn_real *w[LAYERS], *dw[LAYERS];
  size_t at = 0;
  for (int l = 0; l < LAYERS; l++) {
    w[l] = p->theta + at;
    dw[l] = bnn_tensor_real(b->grad) + at;
    at += b->width[l] * b->width[l + 1] + b->width[l + 1];
  }
  for (size_t from = 0; from < BATCH; from += BLOCK) {
    for (int l = 0; l < LAYERS; l++) {
      size_t n = b->width[l], m = b->width[l + 1];
      bnn_product_bias(bnn_tensor_real(b->act[l + 1]) + from * m,
                       bnn_tensor_real(b->act[l]) + from * n, w[l], w[l] + n * m, BLOCK, m, n);
      if (l > 0)
        bnn_product(bnn_tensor_real(b->delta[l]) + from * n, n,
                    bnn_tensor_real(b->delta[l + 1]) + from * m, m, false, w[l], m, true, BLOCK, n,
                    m, true);
    }
  }
  for (size_t j = 0; j < bnn_frame_parameter_jobs(p->frame); j++) {
    const bnn_parameter_job *job = bnn_frame_parameter_job(p->frame, j);
    for (int l = 0; l < LAYERS; l++) {
      const size_t first = (size_t)(dw[l] - bnn_tensor_real(b->grad)), n = b->width[l],
                   m = b->width[l + 1];
      if (job->first < first || job->first >= first + n * m) continue;
      bnn_product(bnn_tensor_real(b->grad) + job->first, m, bnn_tensor_real(b->act[l]) + job->from,
                  n, true, bnn_tensor_real(b->delta[l + 1]), m, false, job->count, m, BATCH, false);
    }
  }
}

static double seconds_of(void (*part)(parts *), parts *p, size_t times) {
  double t[ROUNDS];
  for (int r = 0; r < ROUNDS; r++) {
    double t0 = now();
    for (size_t i = 0; i < times; i++) part(p);
    t[r] = (now() - t0) / (double)times;
  }
  qsort(t, ROUNDS, sizeof *t, by_value);
  return t[ROUNDS / 2];
}

static uint64_t steps_done;

static void whole_step(parts *p) { run_step(p->b, p->context, steps_done++); }

/* One line: the parts, and as "update" what is left of the whole step. */
static void measure_parts(bench *b, size_t times) {
  bnn_err err;
  parts p = {.b = b, .theta = bnn_mem_zalloc(b->layout.size, sizeof *p.theta)};
  if (!p.theta) exit(1);
  must(bnn_context_new(&p.context, 1, &err), &err);
  must(bnn_frame_new(&p.frame, b->program, BLOCK, &err), &err);
  bnn_frame_bind_params(p.frame, p.theta, bnn_tensor_real(b->grad));
  memset(bnn_frame_input_buffer(p.frame, 1), 0, BATCH * sizeof(int32_t));
  const double step = seconds_of(whole_step, &p, times);
  const double gather = seconds_of(gather_part, &p, times);
  const double sampling = seconds_of(sampling_part, &p, times);
  const double forward = seconds_of(forward_part, &p, times);
  const double backward = seconds_of(backward_part, &p, times);
  const double gradients = seconds_of(gradients_part, &p, times);
  const double products = seconds_of(products_part, &p, times);
  const double update = step - gather - sampling - forward - backward - gradients;
  printf("%5zu %8.1f %8.1f %8.1f %8.1f %8.1f %10.1f %8.1f %8.1f\n", b->width[1], 1e6 * step,
         1e6 * gather, 1e6 * sampling, 1e6 * forward, 1e6 * backward, 1e6 * gradients, 1e6 * update,
         1e6 * products);
  fflush(stdout);
  bnn_frame_free(p.frame);
  bnn_context_free(p.context);
  bnn_mem_free(p.theta);
}

int main(int argc, char **argv) {
  static const size_t usual[] = {64, 400, 1200};
  const size_t base = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 100;
  const size_t n = argc > 2 ? (size_t)argc - 2 : sizeof usual / sizeof *usual;
  bnn_err err;
  must(bnn_isa_set(getenv("BNNLUA_ISA"), &err), &err);
  bench *b = bnn_mem_zalloc(n, sizeof *b);
  if (!b) return 1;
  for (size_t i = 0; i < n; i++) make(&b[i], argc > 2 ? strtoul(argv[2 + i], NULL, 10) : usual[i]);
  printf("OpenBLAS core %s, our kernels %s, %s\n", bnn_blas_core() ? bnn_blas_core() : "none",
         bnn_isa_get()->name, BNN_REAL_NAME);
  printf("%-8s %-17s %7s %11s %13s %7s %8s\n", "what", "network", "threads", "time, ms",
         "products, ms", "ratio", "fastest");
  for (size_t i = 0; i < n; i++)
    for (int threads = 1; threads <= 2; threads++)
      measure_steps(&b[i], threads, base * 64 / b[i].width[1] + 1);
  for (int threads = 1; threads <= 2; threads++) measure_predictions(&b[0], threads);
  printf("check first: a step takes");
  for (size_t i = 0; i < n; i++)
    printf("%s %.2f (H = %zu)", i ? "," : "",
           ratio_of_checked_steps(&b[i], base * 64 / b[i].width[1] + 1), b[i].width[1]);
  printf(" times as long\n");
  for (size_t i = 0; i < n; i++)
    for (int threads = 1; threads <= 2 && b[i].width[1] <= 400; threads++)
      measure_shards(&b[i], threads, base * 64 / b[i].width[1] / 2 + 1);
  for (size_t i = 0; i < n; i++)
    for (int threads = 1; threads <= 2 && b[i].width[1] <= 400; threads++)
      measure_priors(&b[i], threads, base * 64 / b[i].width[1] / 4 + 1);
  printf(
      "\nA step on one thread, us; products: all of them, in its pieces\n%5s %8s %8s %8s %8s %8s "
      "%10s %8s %8s\n",
      "H", "step", "gather", "sampling", "forward", "backward", "dw and db", "update", "products");
  for (size_t i = 0; i < n; i++) measure_parts(&b[i], base * 64 / b[i].width[1] / 4 + 1);
  for (size_t i = 0; i < n; i++) unmake(&b[i]);
  bnn_mem_free(b);
  return 0;
}
