/* test_large_programs.c - programs of 60,000 ops: whatever their form, recording, planning and a
 * replay take time that grows as they do.  At n^2 none of these ends within Check's limit. */
#include <stdlib.h>

#include "program/program.h"
#include "support.h"

enum { OPS = 60000 };

static bnn_shape vector_of(size_t n) { return bnn_shape_make(BNN_REAL, 1, &n); }

static int input(bnn_program *p, bnn_input_kind kind, size_t n, size_t offset) {
  const bnn_shape shape = vector_of(n);
  int node = -1;
  ck_succeeds(bnn_program_input(p, &node, kind, &shape, offset, &err));
  return node;
}

static int op(bnn_program *p, bnn_op_id id, int n, const int *x) {
  int node = -1;
  ck_succeeds(bnn_program_op(p, &node, id, x, n, NULL, &err));
  return node;
}

static int add(bnn_program *p, int a, int b) { return op(p, BNN_OP_add, 2, (int[]){a, b}); }
static int neg(bnn_program *p, int a) { return op(p, BNN_OP_neg, 1, &a); }

/* Ends the program with that output and replays it: values and, with wrt, its gradients by 1. */
static bnn_frame *replayed(bnn_program *p, int output, int wrt, size_t block, bnn_real *theta,
                           bnn_real *gradient) {
  bnn_frame *f = NULL;
  ck_succeeds(bnn_program_finish(p, &output, 1, true, wrt < 0 ? NULL : &wrt, 1, &err));
  ck_succeeds(bnn_frame_new(&f, p, block, &err));
  if (theta) bnn_frame_bind_params(f, theta, gradient);
  ck_succeeds(bnn_frame_replay(f, 1, &err));
  return f;
}

static void set_input(const bnn_frame *f, int node, size_t n, bnn_real value) {
  bnn_real *buffer = bnn_frame_input_buffer((bnn_frame *)f, node);
  for (size_t i = 0; i < n; i++) buffer[i] = value;
}

START_TEST(a_long_chain) {
  bnn_program *p;
  ck_succeeds(bnn_program_new(&p, &err));
  const int x = input(p, _i ? BNN_INPUT_ROWS : BNN_INPUT_WHOLE, 4, 0);
  int y = x;
  for (int i = 0; i < OPS; i++) y = neg(p, y);
  bnn_frame *f = replayed(p, y, x, 2, NULL, NULL);
  set_input(f, x, 4, 3);
  ck_succeeds(bnn_frame_replay(f, 1, &err));
  ck_assert(bnn_tensor_real(bnn_frame_output(f, 0))[3] == 3);
  ck_assert(bnn_tensor_real(bnn_frame_gradient(f, x))[3] == 1);
  bnn_frame_free(f);
  bnn_program_unref(p);
}
END_TEST

/* Without a gradient memory is used again: three buffers for them all. */
START_TEST(a_long_chain_forward) {
  bnn_program *p;
  bnn_frame *f;
  ck_succeeds(bnn_program_new(&p, &err));
  int y = input(p, BNN_INPUT_WHOLE, 16, 0);
  for (int i = 0; i < OPS; i++) y = neg(p, y);
  ck_succeeds(bnn_program_finish(p, &y, 1, false, NULL, 0, &err));
  ck_succeeds(bnn_frame_new(&f, p, 0, &err));
  ck_succeeds(bnn_frame_replay(f, 1, &err));
  ck_assert_uint_le(bnn_frame_bytes(f), 3 * 16 * 8);
  bnn_frame_free(f);
  bnn_program_unref(p);
}
END_TEST

/* One value that all ops read, whole or with rows. */
START_TEST(one_node_with_many_readers) {
  bnn_program *p;
  ck_succeeds(bnn_program_new(&p, &err));
  const int w = input(p, BNN_INPUT_PARAM, 1, 0);
  const int x = input(p, _i ? BNN_INPUT_ROWS : BNN_INPUT_WHOLE, 4, 0);
  int y = x;
  for (int i = 0; i < OPS; i++) y = add(p, y, w);
  bnn_real theta[1] = {0}, gradient[1] = {-1};
  bnn_frame *f = replayed(p, y, w, 0, theta, gradient);
  ck_assert(gradient[0] == 4 * OPS);
  bnn_frame_free(f);
  bnn_program_unref(p);
}
END_TEST

START_TEST(many_parameters) {
  bnn_program *p;
  ck_succeeds(bnn_program_new(&p, &err));
  bnn_real *theta = calloc(OPS, sizeof *theta), *gradient = calloc(OPS, sizeof *gradient);
  int y = input(p, BNN_INPUT_ROWS, 4, 0);
  for (size_t i = 0; i < OPS; i++) y = add(p, y, input(p, BNN_INPUT_PARAM, 1, i));
  bnn_frame *f = replayed(p, y, -1, 2, theta, gradient);
  ck_assert_uint_eq(bnn_frame_parameter_jobs(f), OPS);
  for (size_t i = 0; i < OPS; i++) ck_assert(gradient[i] == 4);
  bnn_frame_free(f);
  bnn_program_unref(p);
  free(theta);
  free(gradient);
}
END_TEST

START_TEST(many_views_of_one_node) {
  bnn_program *p;
  bnn_attr attr = {.rank = 1, .dim = {4}};
  ck_succeeds(bnn_program_new(&p, &err));
  const int x = input(p, BNN_INPUT_WHOLE, 4, 0);
  int y = x, view = x;
  for (int i = 0; i < OPS / 2; i++) {
    ck_succeeds(bnn_program_op(p, &view, BNN_OP_view, &view, 1, &attr, &err));
    y = add(p, y, view);
  }
  bnn_frame *f = replayed(p, y, x, 0, NULL, NULL);
  ck_assert(bnn_tensor_real(bnn_frame_gradient(f, x))[0] == 1 + OPS / 2);
  bnn_frame_free(f);
  bnn_program_unref(p);
}
END_TEST

/* Values of many sizes that live for long: what a plan has to look through. */
START_TEST(buffers_of_many_sizes) {
  enum { KEPT = 4096 };
  static int kept[KEPT];
  bnn_program *p;
  bnn_frame *f;
  ck_succeeds(bnn_program_new(&p, &err));
  for (size_t i = 0; i < KEPT; i++)
    kept[i] = neg(p, input(p, BNN_INPUT_WHOLE, 1 + 16 * (i * 2654435761u % 61), 0));
  int y = op(p, BNN_OP_sum, 1, &kept[0]);
  for (int i = 0; i < OPS / 3; i++) {
    int *one = &kept[(unsigned)i * 40503u % KEPT];
    *one = neg(p, *one);
    y = add(p, y, op(p, BNN_OP_sum, 1, one));
  }
  ck_succeeds(bnn_program_finish(p, &y, 1, false, NULL, 0, &err));
  ck_succeeds(bnn_frame_new(&f, p, 0, &err));
  ck_succeeds(bnn_frame_replay(f, 1, &err));
  bnn_frame_free(f);
  bnn_program_unref(p);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, a_long_chain, 0, 2);
  tcase_add_test(tests, a_long_chain_forward);
  tcase_add_loop_test(tests, one_node_with_many_readers, 0, 2);
  tcase_add_test(tests, many_parameters);
  tcase_add_test(tests, many_views_of_one_node);
  tcase_add_test(tests, buffers_of_many_sizes);
}

int main(void) { return run_suite("large_programs", add_tests); }
