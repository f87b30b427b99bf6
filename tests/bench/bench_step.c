/* bench_step - a training step against its bare matrix products, in one process, interleaved.
 *
 *     bench_step [steps]        784-H-H-10, batch 128, for H = 64, 400, 1200, on 1 and 2 threads
 *
 * "products": the eight OpenBLAS calls of a step (three forward, three weight gradients, two input
 * gradients) on one thread.  Medians of rounds in which the two take turns; the ratio is what to
 * quote, as machines differ and are shared. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "blas.h"
#include "isa.h"
#include "mem.h"
#include "objective.h"

enum { BATCH = 128, INPUT = 784, OUTPUT = 10, LAYERS = 3, ROUNDS = 15, IMAGES = 4096 };

typedef struct bench {
  size_t width[LAYERS + 1];
  bnn_layout layout;
  bnn_program *program;
  bnn_objective *objective;
  bnn_optimizer_state state;
  bnn_tensor *mu, *logvar, *x, *y, *rows;
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

/* Records the loss of each example of an MLP: linear, relu, ..., cross-entropy. */
static void record(bench *b) {
  bnn_err err;
  int x, y, h;
  size_t in[] = {BATCH, INPUT}, labels[] = {BATCH}, offset = 0;
  bnn_shape shape = bnn_shape_make(BNN_REAL, 2, in);
  must(bnn_program_new(&b->program, &err), &err);
  must(bnn_program_input(b->program, &x, BNN_INPUT_ROWS, &shape, 0, &err), &err);
  shape = bnn_shape_make(BNN_I32, 1, labels);
  must(bnn_program_input(b->program, &y, BNN_INPUT_ROWS, &shape, 0, &err), &err);
  h = x;
  for (int l = 0; l < LAYERS; l++) {
    size_t w_dim[] = {b->width[l], b->width[l + 1]};
    int in_nodes[3] = {h};
    shape = bnn_shape_make(BNN_REAL, 2, w_dim);
    must(bnn_program_input(b->program, &in_nodes[1], BNN_INPUT_PARAM, &shape, offset, &err), &err);
    offset += w_dim[0] * w_dim[1];
    shape = bnn_shape_make(BNN_REAL, 1, w_dim + 1);
    must(bnn_program_input(b->program, &in_nodes[2], BNN_INPUT_PARAM, &shape, offset, &err), &err);
    offset += w_dim[1];
    must(bnn_program_op(b->program, &h, BNN_OP_linear, in_nodes, 3, NULL, &err), &err);
    if (l + 1 < LAYERS) must(bnn_program_op(b->program, &h, BNN_OP_relu, &h, 1, NULL, &err), &err);
  }
  int pair[] = {h, y};
  must(bnn_program_op(b->program, &h, BNN_OP_cross_entropy, pair, 2, NULL, &err), &err);
  must(bnn_program_finish(b->program, &h, 1, true, NULL, 0, &err), &err);
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
  record(b);
  bnn_term terms[2 * LAYERS];
  for (int t = 0; t < 2 * LAYERS; t++) terms[t] = (bnn_term){.kl = 1, .precision = 1};
  bnn_objective_spec spec = {.program = b->program,
                             .x_node = 0,
                             .y_node = 1,
                             .key_node = -1,
                             .weights_node = -1,
                             .layout = &b->layout,
                             .terms = terms,
                             .random = b->layout.size,
                             .samples = 1};
  must(bnn_objective_new(&b->objective, &spec, &err), &err);
  must(bnn_optimizer_state_init(&b->state, bnn_optimizer_find("adam"), NULL, 2 * b->layout.size,
                                &err),
       &err);
  new_tensor(&b->mu, BNN_REAL, b->layout.size, 0);
  new_tensor(&b->logvar, BNN_REAL, b->layout.size, 0);
  new_tensor(&b->grad, BNN_REAL, b->layout.size, 0);
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
  bnn_optimizer_state_fini(&b->state);
  bnn_tensor *const all[] = {b->mu, b->logvar, b->x, b->y, b->rows, b->grad};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) bnn_tensor_unref(all[i]);
  for (int l = 0; l <= LAYERS; l++) {
    bnn_tensor_unref(b->act[l]);
    bnn_tensor_unref(b->delta[l]);
  }
}

static void run_step(bench *b, bnn_context *context, uint64_t step) {
  bnn_err err;
  bnn_target target = {bnn_tensor_real(b->mu), bnn_tensor_real(b->logvar), &b->state};
  bnn_batch batch = {b->x, b->y, b->rows->data, step % (IMAGES / BATCH) * BATCH, BATCH};
  bnn_step s = {bnn_key_fold(bnn_key_new(4), (int64_t)step), 1e-3, 1e-3, NULL};
  double loss;
  must(bnn_objective_step(b->objective, context, &target, &batch, &s, &loss, &err), &err);
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

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x, size_t n) {
  qsort(x, n, sizeof *x, by_value);
  return x[n / 2];
}

/* Seconds a step and seconds of its products: medians over rounds that take turns. */
static void measure(bench *b, bnn_context *context, size_t steps, double *step, double *products) {
  double s[ROUNDS], p[ROUNDS];
  uint64_t done = 0;
  for (int r = 0; r < ROUNDS; r++) {
    double t0 = now();
    for (size_t i = 0; i < steps; i++) run_step(b, context, done++);
    double t1 = now();
    for (size_t i = 0; i < steps; i++) run_products(b);
    s[r] = (t1 - t0) / (double)steps;
    p[r] = (now() - t1) / (double)steps;
  }
  *step = median(s, ROUNDS);
  *products = median(p, ROUNDS);
}

int main(int argc, char **argv) {
  size_t base = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 100;
  static const size_t hidden[] = {64, 400, 1200};
  bnn_err err;
  printf("OpenBLAS core %s, our kernels %s, %s\n", bnn_blas_core(), bnn_isa_get()->name,
         BNN_REAL_NAME);
  printf("%-16s %8s %12s %14s %7s\n", "network", "threads", "step, ms", "products, ms", "ratio");
  for (size_t h = 0; h < sizeof hidden / sizeof *hidden; h++) {
    bench b = {.program = NULL};
    make(&b, hidden[h]);
    size_t steps = base * 64 / hidden[h] + 1;
    for (int threads = 1; threads <= 2; threads++) {
      bnn_context *context;
      double step, products;
      must(bnn_context_new(&context, threads, &err), &err);
      measure(&b, context, steps, &step, &products);
      printf("784-%zu-%zu-10%*s %8d %12.3f %14.3f %7.2f\n", hidden[h], hidden[h],
             hidden[h] > 999 ? 0 : 2, "", threads, 1e3 * step, 1e3 * products, step / products);
      bnn_context_free(context);
    }
    unmake(&b);
  }
  return 0;
}
