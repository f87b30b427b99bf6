/* test_shape.c - sizes, broadcasting, and how shapes are printed. */
#include "tensor/shape.h"

#include <string.h>

#include "support.h"

START_TEST(size_is_the_product_of_the_dims) {
  static const struct {
    int rank;
    size_t dim[4], size;
  } row[] = {{0, {0}, 1},          {1, {7}, 7},          {3, {2, 3, 4}, 24},
             {2, {0, 5}, 0},       {4, {1, 1, 1, 1}, 1}, {2, {SIZE_MAX, 1}, SIZE_MAX},
             {2, {SIZE_MAX, 0}, 0}};
  for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
    size_t size = 99;
    ck_assert(bnn_shape_size(&size, row[k].rank, row[k].dim));
    ck_assert_uint_eq(size, row[k].size);
  }
}
END_TEST

START_TEST(a_size_that_overflows_is_refused_and_leaves_out_alone) {
  size_t size = 99;
  ck_assert(!bnn_shape_size(&size, DIMS(SIZE_MAX, 2)));
  ck_assert(!bnn_shape_size(&size, DIMS((size_t)1 << 32, (size_t)1 << 32)));
  ck_assert(!bnn_shape_size(&size, DIMS(0, SIZE_MAX, 2))); /* its strides would not fit */
  ck_assert_uint_eq(size, 99);
}
END_TEST

START_TEST(shapes_are_equal_by_rank_and_dims) {
  bnn_shape a = bnn_shape_make(BNN_F32, DIMS(2, 3)), b = bnn_shape_make(BNN_U8, DIMS(2, 3));
  bnn_shape c = bnn_shape_make(BNN_F32, DIMS(2, 3, 1)), d = bnn_shape_make(BNN_F32, DIMS(2, 4));
  ck_assert(bnn_shape_equal(&a, &b));
  ck_assert(!bnn_shape_equal(&a, &c));
  ck_assert(!bnn_shape_equal(&a, &d));
  bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 3), NULL);
  bnn_shape of = bnn_shape_of(x);
  ck_assert(bnn_shape_equal(&a, &of));
  ck_assert_int_eq(of.dtype, BNN_F32);
  bnn_tensor_unref(x);
}
END_TEST

/* rank -1: refused */
static const struct {
  int a_rank;
  size_t a[4];
  int b_rank;
  size_t b[4];
  int y_rank;
  size_t y[4];
} broadcast_row[] = {
    {2, {2, 3}, 2, {2, 3}, 2, {2, 3}},  {2, {2, 3}, 1, {3}, 2, {2, 3}},
    {2, {2, 1}, 1, {3}, 2, {2, 3}},     {0, {0}, 3, {4, 5, 6}, 3, {4, 5, 6}},
    {0, {0}, 0, {0}, 0, {0}},           {4, {8, 1, 6, 1}, 3, {7, 1, 5}, 4, {8, 7, 6, 5}},
    {1, {0}, 1, {1}, 1, {0}},           {2, {0, 3}, 1, {3}, 2, {0, 3}},
    {1, {0}, 1, {2}, -1, {0}},          {2, {2, 3}, 1, {2}, -1, {0}},
    {3, {2, 1, 3}, 2, {8, 4}, -1, {0}},
};
enum { BROADCAST_ROWS = sizeof broadcast_row / sizeof *broadcast_row };

START_TEST(broadcasting_follows_numpy) {
  bnn_shape a = bnn_shape_make(BNN_U8, broadcast_row[_i].a_rank, broadcast_row[_i].a);
  bnn_shape b = bnn_shape_make(BNN_F32, broadcast_row[_i].b_rank, broadcast_row[_i].b);
  for (int swap = 0; swap < 2; swap++) {
    const bnn_shape *first = swap ? &b : &a, *second = swap ? &a : &b;
    bnn_shape y;
    if (broadcast_row[_i].y_rank < 0) {
      ck_refuses(bnn_shape_broadcast(&y, first, second, &err), BNN_ESHAPE, BNN_SHAPE(first));
      ck_refuses(bnn_shape_broadcast(&y, first, second, &err), BNN_ESHAPE, BNN_SHAPE(second));
      continue;
    }
    ck_succeeds(bnn_shape_broadcast(&y, first, second, &err));
    ck_assert_str_eq(BNN_SHAPE(&y),
                     bnn_shape_print(broadcast_row[_i].y_rank, broadcast_row[_i].y).s);
    ck_assert_int_eq(y.dtype, first->dtype);
  }
}
END_TEST

START_TEST(the_result_of_broadcasting_may_be_its_input) {
  bnn_shape a = bnn_shape_make(BNN_F32, DIMS(3)), b = bnn_shape_make(BNN_F32, DIMS(2, 1));
  ck_succeeds(bnn_shape_broadcast(&a, &a, &b, &err));
  ck_assert_str_eq(BNN_SHAPE(&a), "[2, 3]");
}
END_TEST

START_TEST(shapes_print_as_lists) {
  ck_assert_str_eq(bnn_shape_print(SCALAR).s, "[]");
  ck_assert_str_eq(bnn_shape_print(DIMS(784)).s, "[784]");
  ck_assert_str_eq(bnn_shape_print(DIMS(128, 28, 0)).s, "[128, 28, 0]");
  bnn_shape_text longest = bnn_shape_print(
      DIMS(SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX));
  ck_assert_uint_eq(strlen(longest.s), 8 * 20 + 7 * 2 + 2);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, size_is_the_product_of_the_dims);
  tcase_add_test(tests, a_size_that_overflows_is_refused_and_leaves_out_alone);
  tcase_add_test(tests, shapes_are_equal_by_rank_and_dims);
  tcase_add_loop_test(tests, broadcasting_follows_numpy, 0, BROADCAST_ROWS);
  tcase_add_test(tests, the_result_of_broadcasting_may_be_its_input);
  tcase_add_test(tests, shapes_print_as_lists);
}

int main(void) { return run_suite("shape", add_tests); }
