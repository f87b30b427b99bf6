/* test_mixing.c - programs in which rows of the batch meet: most of their ops run over blocks of rows
 * all the same, one after the other.  The bits do not depend on the number of threads, and all is
 * what one block gives but for rounding. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "kernels/rng.h"
#include "support_program.h"

/* So many rows that threads are called for all but the smallest ops. */
enum { BATCH = 304, BLOCK = 64, FLAT_MAX = 1 << 15 };

/* Blocks sum in another order. */
#define CLOSE (256 * (double)BNN_REAL_EPSILON)

typedef struct recording {
  bnn_program *p;
  int x, y, key;
  size_t flat;
} recording;

static int param(recording *r, int rank, const size_t *dim) {
  const int node = record_input(r->p, BNN_INPUT_PARAM, BNN_REAL, rank, dim, r->flat);
  size_t size = 0;
  bnn_shape_size(&size, rank, dim);
  r->flat += size;
  ck_assert_uint_le(r->flat, FLAT_MAX);
  return node;
}

static int op_with(const recording *r, bnn_op_id id, int n, const int *x, bnn_attr attr) {
  return record_op(r->p, id, n, x, &attr);
}

static int batch_norm(recording *r, int x, size_t channels) {
  return OP(r->p, batch_norm, x, param(r, DIMS(channels)), param(r, DIMS(channels)));
}

static int linear(recording *r, int x, size_t in, size_t out) {
  return OP(r->p, linear, x, param(r, DIMS(in, out)), param(r, DIMS(out)));
}

static int cross_entropy(recording *r, int logits) { return OP(r->p, cross_entropy, logits, r->y); }

/* A wide last layer, so that what its weights' gradient needs takes several jobs. */
static int dense(recording *r) {
  r->x = record_input(r->p, BNN_INPUT_ROWS, BNN_REAL, DIMS(BATCH, 6), 0);
  int h = OP(r->p, relu, batch_norm(r, linear(r, r->x, 6, 70), 70));
  h = op_with(r, BNN_OP_dropout, 2, (int[]){h, r->key}, (bnn_attr){.number = {0.3}});
  return cross_entropy(r, linear(r, batch_norm(r, h, 70), 70, 4));
}

static int convolution(recording *r) {
  r->x = record_input(r->p, BNN_INPUT_ROWS, BNN_REAL, DIMS(BATCH, 1, 6, 6), 0);
  const bnn_attr padded = {.pair = {{1, 1}, {1, 1}, {1, 1}}};
  int w = param(r, DIMS(3, 1, 3, 3)), b = param(r, DIMS(3));
  int h = op_with(r, BNN_OP_conv2d, 3, (int[]){r->x, w, b}, padded);
  h = OP(r->p, relu, batch_norm(r, h, 3));
  h = OP(r->p, add, h,
         op_with(r, BNN_OP_conv2d, 3, (int[]){h, param(r, DIMS(3, 3, 3, 3)), param(r, DIMS(3))},
                 padded));
  h = op_with(r, BNN_OP_view, 1, &h, (bnn_attr){.rank = 2, .dim = {BATCH, 108}});
  return cross_entropy(r, linear(r, h, 108, 4));
}

/* What all rows share is an input of ops that keep rows apart, and so is a parameter that is larger than
 * what a block computes, twice. */
static int centred(recording *r) {
  r->x = record_input(r->p, BNN_INPUT_ROWS, BNN_REAL, DIMS(BATCH, 4), 0);
  int h = linear(r, r->x, 4, 60), w = param(r, DIMS(60, 60)), large = param(r, DIMS(BATCH, 60));
  int m = op_with(r, BNN_OP_mean, 1, &h, (bnn_attr){.axes = 1, .keepdims = true});
  h = OP(r->p, sub, OP(r->p, sin, h), OP(r->p, exp, m));
  h = OP(r->p, mm, h, w);
  int keys = op_with(r, BNN_OP_sum, 1, &large, (bnn_attr){.axes = 1, .keepdims = true});
  h = OP(r->p, mul, OP(r->p, mul, OP(r->p, tanh, h), keys), m);
  return cross_entropy(r, linear(r, OP(r->p, mm, h, w), 60, 4));
}

/* One parameter is two inputs of an op, and the batch is two more. */
static int shared(recording *r) {
  r->x = record_input(r->p, BNN_INPUT_ROWS, BNN_REAL, DIMS(BATCH, 70), 0);
  int g = param(r, DIMS(70)), h = OP(r->p, tanh, OP(r->p, mul, r->x, g));
  h = OP(r->p, batch_norm, OP(r->p, mul, h, h), g, g);
  h = OP(r->p, layer_norm, h, g, g);
  return cross_entropy(r, linear(r, h, 70, 4));
}

static int (*const network[])(recording *) = {dense, convolution, centred, shared};
enum { NETWORKS = sizeof network / sizeof *network };

static recording record(int i) {
  recording r = {0};
  int loss;
  ck_succeeds(bnn_program_new(&r.p, &err));
  r.y = record_input(r.p, BNN_INPUT_ROWS, BNN_I32, DIMS(BATCH), 0);
  r.key = record_input(r.p, BNN_INPUT_WHOLE, BNN_U64, SCALAR, 0);
  loss = network[i](&r);
  ck_succeeds(bnn_program_finish(r.p, &loss, 1, true, NULL, 0, &err));
  ck_assert(!bnn_program_has_rows(r.p, NULL));
  return r;
}

/* What a replay gives: the losses, then the gradient. */
typedef struct result {
  bnn_real loss[BATCH], gradient[FLAT_MAX];
} result;

static void feed(bnn_frame *f, const recording *r) {
  const bnn_shape *x = bnn_program_shape(r->p, r->x);
  size_t size = 0;
  bnn_shape_size(&size, x->rank, x->dim);
  bnn_rng_normal(bnn_frame_input_buffer(f, r->x), bnn_key_new(3), 0, size);
  int32_t *label = bnn_frame_input_buffer(f, r->y);
  for (int i = 0; i < BATCH; i++) label[i] = i % 4;
  uint64_t *key = bnn_frame_input_buffer(f, r->key);
  if (key) *key = bnn_key_new(5).bits;
}

/* Two replays in one frame, over n threads, or without a context for 0. */
static void replay(result *out, const recording *r, size_t block, int threads) {
  static bnn_real theta[FLAT_MAX];
  bnn_frame *f = NULL;
  bnn_context *context = NULL;
  if (threads > 0) ck_succeeds(bnn_context_new(&context, threads, &err));
  ck_succeeds(bnn_frame_new(&f, r->p, block, &err));
  bnn_rng_normal(theta, bnn_key_new(4), 0, r->flat);
  for (size_t i = 0; i < r->flat; i++) out->gradient[i] = NAN;
  bnn_frame_bind_params(f, theta, out->gradient);
  feed(f, r);
  for (int again = 0; again < 2; again++) {
    ck_succeeds(bnn_frame_forward_whole(f, context, &err));
    for (size_t j = 0; j < bnn_frame_parameter_jobs(f); j++)
      bnn_frame_run_parameter_job(f, j, NULL, NULL);
    bnn_frame_backward_whole(f, context, (bnn_real)0.5);
  }
  memcpy(out->loss, bnn_frame_output(f, 0)->data, sizeof out->loss);
  bnn_frame_free(f);
  bnn_context_free(context);
}

/* The largest of them is what sums are rounded to. */
static void ck_close(const char *what, const bnn_real *a, const bnn_real *b, size_t n) {
  double most = 1;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)b[i]));
  for (size_t i = 0; i < n; i++)
    ck_assert_msg(fabs((double)(a[i] - b[i])) <= CLOSE * most,
                  "%s: element %zu is %.9g, wanted %.9g", what, i + 1, (double)a[i], (double)b[i]);
}

START_TEST(blocks_give_what_the_whole_gives) {
  const recording r = record(_i);
  static result blocks, whole;
  replay(&whole, &r, 0, 0);
  replay(&blocks, &r, BLOCK, 0);
  ck_close("loss", blocks.loss, whole.loss, BATCH);
  ck_close("gradient", blocks.gradient, whole.gradient, r.flat);
  bnn_program_unref(r.p);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits) {
  const recording r = record(_i);
  static result one, more;
  replay(&one, &r, BLOCK, 0);
  for (int threads = 1; threads <= 4; threads++) {
    replay(&more, &r, BLOCK, threads);
    ck_assert_int_eq(memcmp(more.loss, one.loss, sizeof one.loss), 0);
    ck_assert_int_eq(memcmp(more.gradient, one.gradient, r.flat * sizeof *one.gradient), 0);
  }
  bnn_program_unref(r.p);
}
END_TEST

START_TEST(a_replay_over_threads_allocates_nothing) {
  const recording r = record(_i);
  static bnn_real theta[FLAT_MAX], gradient[FLAT_MAX];
  bnn_frame *f = NULL;
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, 3, &err));
  ck_succeeds(bnn_frame_new(&f, r.p, BLOCK, &err));
  bnn_frame_bind_params(f, theta, gradient);
  feed(f, &r);
  bnn_mem_fail_nth(1);
  ck_succeeds(bnn_frame_forward_whole(f, context, &err));
  bnn_frame_backward_whole(f, context, 1);
  ck_assert_uint_eq(bnn_mem_fail_nth(0), 1);
  bnn_frame_free(f);
  bnn_context_free(context);
  bnn_program_unref(r.p);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, blocks_give_what_the_whole_gives, 0, NETWORKS);
  tcase_add_loop_test(tests, any_number_of_threads_gives_the_same_bits, 0, NETWORKS);
  tcase_add_loop_test(tests, a_replay_over_threads_allocates_nothing, 0, NETWORKS);
}

int main(void) { return run_suite_with_products("mixing", add_tests); }
