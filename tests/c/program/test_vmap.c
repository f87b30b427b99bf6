/* test_vmap.c - a program for every slice of its inputs, against replays one after the other. */
#include "program/vmap.h"

#include <string.h>

#include "base/mem.h"
#include "kernels/rng.h"
#include "support_program.h"

enum { SLICES = 23, ROWS = 5, IN = 4, OUT = 3 };

/* y = tanh(x w + b) * dropout noise, and the sum of y; x and the key are shared or mapped. */
typedef struct model {
  bnn_program *program;
  int node[4]; /* x, w, b, key */
  bnn_real x[SLICES * ROWS * IN], w[SLICES * IN * OUT], b[SLICES * OUT];
  uint64_t key[SLICES];
} model;

static const size_t SLICE[4] = {ROWS * IN * sizeof(bnn_real), IN *OUT * sizeof(bnn_real),
                                OUT * sizeof(bnn_real), sizeof(uint64_t)};

static int input(bnn_program *p, bnn_dtype dtype, int rank, const size_t *dim) {
  return record_input(p, BNN_INPUT_WHOLE, dtype, rank, dim, 0);
}

static model *model_new(bool gradient) {
  model *m = calloc(1, sizeof *m);
  ck_succeeds(bnn_program_new(&m->program, &err));
  bnn_program *p = m->program;
  m->node[0] = input(p, BNN_REAL, DIMS(ROWS, IN));
  m->node[1] = input(p, BNN_REAL, DIMS(IN, OUT));
  m->node[2] = input(p, BNN_REAL, DIMS(OUT));
  m->node[3] = input(p, BNN_U64, SCALAR);
  int h = record_op(p, BNN_OP_linear, 3, m->node, NULL);
  h = record_op(p, BNN_OP_tanh, 1, &h, NULL);
  int y =
      record_op(p, BNN_OP_dropout, 2, (const int[]){h, m->node[3]}, &(bnn_attr){.number = {0.3}});
  int sum = record_op(p, BNN_OP_sum, 1, &y, NULL);
  ck_succeeds(bnn_program_finish(p, (const int[]){sum, y}, 2, gradient, m->node + 1, 2, &err));
  bnn_rng_normal(m->x, bnn_key_new(1), 0, sizeof m->x / sizeof *m->x);
  bnn_rng_normal(m->w, bnn_key_new(2), 0, sizeof m->w / sizeof *m->w);
  bnn_rng_normal(m->b, bnn_key_new(3), 0, sizeof m->b / sizeof *m->b);
  bnn_rng_bits(m->key, bnn_key_new(4), 0, SLICES);
  return m;
}

static void model_free(model *m) {
  bnn_program_unref(m->program);
  free(m);
}

/* The model's inputs, those of the set `mapped` (bits) with a slice each. */
static void fill_inputs(bnn_vmap_input *in, const model *m, unsigned mapped) {
  const void *data[] = {m->x, m->w, m->b, m->key};
  for (int i = 0; i < 4; i++)
    in[i] = (bnn_vmap_input){m->node[i], data[i], mapped >> i & 1 ? SLICE[i] : 0};
}

typedef struct results {
  bnn_tensor *output[2], *gradient[2];
} results;

static void results_init(results *r, size_t n) {
  r->output[0] = tensor_of(BNN_REAL, DIMS(n), NULL);
  r->output[1] = tensor_of(BNN_REAL, DIMS(n, ROWS, OUT), NULL);
  r->gradient[0] = tensor_of(BNN_REAL, DIMS(n, IN, OUT), NULL);
  r->gradient[1] = tensor_of(BNN_REAL, DIMS(n, OUT), NULL);
}

static void results_fini(results *r) {
  for (int i = 0; i < 2; i++) bnn_tensor_unref(r->output[i]), bnn_tensor_unref(r->gradient[i]);
}

static bnn_status map(results *r, const model *m, unsigned mapped, size_t n, bnn_context *context,
                      bnn_err *error) {
  bnn_vmap_input in[4];
  fill_inputs(in, m, mapped);
  const bnn_vmap_spec spec = {.program = m->program,
                              .inputs = in,
                              .n_inputs = 4,
                              .n = n,
                              .n_outputs = 2,
                              .wrt = m->node + 1,
                              .n_wrt = 2};
  bool gradient = bnn_program_has_gradient(m->program);
  return bnn_vmap(context, &spec, r->output, gradient ? r->gradient : NULL, error);
}

static void copy_slice(bnn_tensor *to, size_t i, const bnn_tensor *x) {
  memcpy(bnn_tensor_real(to) + i * x->size, x->data, x->size * sizeof(bnn_real));
}

/* The same by one frame, slice after slice. */
static void loop(results *r, const model *m, unsigned mapped, size_t n) {
  bnn_vmap_input in[4];
  bnn_frame *f = NULL;
  fill_inputs(in, m, mapped);
  ck_succeeds(bnn_frame_new(&f, m->program, 0, &err));
  for (size_t i = 0; i < n; i++) {
    for (int k = 0; k < 4; k++)
      bnn_frame_bind(f, in[k].node, (char *)(uintptr_t)in[k].data + i * in[k].step);
    ck_succeeds(bnn_frame_replay(f, 1, &err));
    for (int k = 0; k < 2; k++) {
      copy_slice(r->output[k], i, bnn_frame_output(f, k));
      if (bnn_program_has_gradient(m->program))
        copy_slice(r->gradient[k], i, bnn_frame_gradient(f, m->node[1 + k]));
    }
  }
  bnn_frame_free(f);
}

static void ck_same(const bnn_tensor *a, const bnn_tensor *b) {
  ck_assert_mem_eq(a->data, b->data, a->size * sizeof(bnn_real));
}

static bnn_context *context_of(int threads) {
  bnn_context *context = NULL;
  ck_succeeds(bnn_context_new(&context, threads, &err));
  return context;
}

START_TEST(slices_have_the_bits_of_single_replays_on_any_number_of_threads) {
  static const int threads[] = {1, 2, 3, 7};
  static const unsigned sets[] = {2 | 4, 1, 8, 1 | 2 | 4 | 8};
  for (int gradient = 0; gradient < 2; gradient++) {
    model *m = model_new(gradient);
    results want, got;
    results_init(&want, SLICES), results_init(&got, SLICES);
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
      loop(&want, m, sets[s], SLICES);
      bnn_context *context = context_of(threads[_i]);
      ck_succeeds(map(&got, m, sets[s], SLICES, context, &err));
      bnn_context_free(context);
      for (int k = 0; k < 2; k++) {
        ck_same(got.output[k], want.output[k]);
        ck_same(got.gradient[k], want.gradient[k]);
      }
    }
    results_fini(&want), results_fini(&got);
    model_free(m);
  }
  ck_assert_uint_eq(bnn_mem_live(), 0);
}
END_TEST

START_TEST(no_slices_and_one_are_fine) {
  model *m = model_new(true);
  bnn_context *context = context_of(3);
  for (size_t n = 0; n < 2; n++) {
    results want, got;
    results_init(&want, n), results_init(&got, n);
    loop(&want, m, 15, n);
    ck_succeeds(map(&got, m, 15, n, context, &err));
    for (int k = 0; k < 2; k++) ck_same(got.output[k], want.output[k]);
    results_fini(&want), results_fini(&got);
  }
  bnn_context_free(context);
  model_free(m);
}
END_TEST

/* x:index(positions) for positions of which slices 6 and 9 are out of range: 6 is said to be. */
START_TEST(the_first_slice_that_fails_is_named_on_any_number_of_threads) {
  bnn_program *p = NULL;
  ck_succeeds(bnn_program_new(&p, &err));
  int in[] = {input(p, BNN_REAL, DIMS(4)), input(p, BNN_I32, DIMS(2))};
  int y = record_op(p, BNN_OP_index, 2, in, &(bnn_attr){.axis = 0});
  ck_succeeds(bnn_program_finish(p, &y, 1, false, NULL, 0, &err));
  static const bnn_real x[4];
  int32_t at[SLICES * 2];
  for (int i = 0; i < SLICES * 2; i++) at[i] = 1 + i % 4;
  at[2 * 5] = 77, at[2 * 8] = 88;
  const bnn_vmap_input inputs[] = {{in[0], x, 0}, {in[1], at, 2 * sizeof *at}};
  const bnn_vmap_spec spec = {
      .program = p, .inputs = inputs, .n_inputs = 2, .n = SLICES, .n_outputs = 1};
  bnn_tensor *out = tensor_of(BNN_REAL, DIMS(SLICES, 2), NULL);
  for (int threads = 1; threads < 8; threads++) {
    bnn_context *context = context_of(threads);
    ck_refuses(bnn_vmap(context, &spec, &out, NULL, &err), BNN_ERANGE, "slice 6");
    ck_refuses(bnn_vmap(context, &spec, &out, NULL, &err), BNN_ERANGE, "77");
    bnn_context_free(context);
  }
  bnn_tensor_unref(out);
  bnn_program_unref(p);
}
END_TEST

START_TEST(a_stopped_context_and_parameters_are_refused) {
  model *m = model_new(false);
  results r;
  results_init(&r, SLICES);
  bnn_context *context = context_of(2);
  bnn_context_stop(context);
  ck_refuses(map(&r, m, 15, SLICES, context, &err), BNN_ESTOP, "slices");
  bnn_context_resume(context);
  ck_succeeds(map(&r, m, 15, SLICES, context, &err));
  bnn_program *p = NULL;
  int w = -1;
  const bnn_shape shape = bnn_shape_make(BNN_REAL, DIMS(3));
  ck_succeeds(bnn_program_new(&p, &err));
  ck_succeeds(bnn_program_input(p, &w, BNN_INPUT_PARAM, &shape, 0, &err));
  ck_succeeds(bnn_program_finish(p, &w, 1, false, NULL, 0, &err));
  const bnn_vmap_spec spec = {.program = p, .n = 1, .n_outputs = 1};
  ck_refuses(bnn_vmap(context, &spec, r.output, NULL, &err), BNN_ERANGE, "parameters");
  bnn_program_unref(p);
  bnn_context_free(context);
  results_fini(&r);
  model_free(m);
}
END_TEST

typedef struct attempt {
  model *m;
  results r;
  bnn_context *context;
} attempt;

static bnn_status map_once(void *arg, bnn_err *error) {
  attempt *a = arg;
  return map(&a->r, a->m, 15, SLICES, a->context, error);
}

START_TEST(each_allocation_may_fail) {
  attempt a = {.m = model_new(true), .context = context_of(3)};
  results_init(&a.r, SLICES);
  ck_succeeds(map_once(&a, &err)); /* the threads are started */
  ck_survives_failing_allocations(map_once, &a);
  results_fini(&a.r);
  bnn_context_free(a.context);
  model_free(a.m);
  ck_assert_uint_eq(bnn_mem_live(), 0);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_set_timeout(tests, 60);
  tcase_add_loop_test(tests, slices_have_the_bits_of_single_replays_on_any_number_of_threads, 0, 4);
  tcase_add_test(tests, no_slices_and_one_are_fine);
  tcase_add_test(tests, the_first_slice_that_fails_is_named_on_any_number_of_threads);
  tcase_add_test(tests, a_stopped_context_and_parameters_are_refused);
  tcase_add_test(tests, each_allocation_may_fail);
}

int main(void) { return run_suite_with_products("vmap", add_tests); }
