/* test_layout.c - where the tensors of a network lie in one flat buffer. */
#include "families/layout.h"

#include "support.h"

static const size_t size_of[] = {50176, 64, 0, 640, 10, 1};
enum { TENSORS = sizeof size_of / sizeof *size_of };

START_TEST(a_layout_has_no_gaps) {
  bnn_layout layout;
  ck_succeeds(bnn_layout_init(&layout, TENSORS, size_of, &err));
  size_t at = 0;
  for (size_t i = 0; i < TENSORS; i++) {
    ck_assert_uint_eq(layout.param[i].offset, at);
    ck_assert_uint_eq(layout.param[i].size, size_of[i]);
    at += size_of[i];
  }
  ck_assert_uint_eq(layout.size, at);
  ck_assert_uint_eq(layout.n_params, TENSORS);
  bnn_layout_fini(&layout);
  bnn_layout_fini(&layout); /* twice is fine */
}
END_TEST

/* The last that begins there or before: of an empty tensor and the next one, the next. */
START_TEST(every_element_is_found_in_its_tensor) {
  bnn_layout layout;
  ck_succeeds(bnn_layout_init(&layout, TENSORS, size_of, &err));
  for (size_t t = 0; t < TENSORS; t++) {
    const bnn_param *p = &layout.param[t];
    if (p->size == 0) continue;
    ck_assert_uint_eq(bnn_layout_tensor_at(&layout, p->offset), t);
    ck_assert_uint_eq(bnn_layout_tensor_at(&layout, p->offset + p->size / 2), t);
    ck_assert_uint_eq(bnn_layout_tensor_at(&layout, p->offset + p->size - 1), t);
  }
  bnn_layout_fini(&layout);
}
END_TEST

START_TEST(boundaries_are_where_tensors_begin_and_the_ends) {
  bnn_layout layout;
  ck_succeeds(bnn_layout_init(&layout, TENSORS, size_of, &err));
  size_t found = 0;
  for (size_t at = 0; at <= layout.size + 1; at++) found += bnn_layout_is_boundary(&layout, at);
  ck_assert_uint_eq(found, 6); /* two of seven are one: an empty tensor's */
  for (size_t t = 0; t < TENSORS; t++)
    ck_assert(bnn_layout_is_boundary(&layout, layout.param[t].offset));
  ck_assert(bnn_layout_is_boundary(&layout, layout.size));
  bnn_layout_fini(&layout);
}
END_TEST

START_TEST(a_layout_of_nothing_has_one_boundary) {
  bnn_layout layout;
  ck_succeeds(bnn_layout_init(&layout, 0, NULL, &err));
  ck_assert_uint_eq(layout.size, 0);
  ck_assert(bnn_layout_is_boundary(&layout, 0) && !bnn_layout_is_boundary(&layout, 1));
  bnn_layout_fini(&layout);
}
END_TEST

static bnn_status make_a_layout(void *arg, bnn_err *err) {
  const size_t size[] = {3, 4};
  bnn_layout layout;
  (void)arg;
  BNN_TRY(bnn_layout_init(&layout, 2, size, err));
  bnn_layout_fini(&layout);
  return BNN_OK;
}

START_TEST(every_allocation_may_fail) { ck_survives_failing_allocations(make_a_layout, NULL); }
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, a_layout_has_no_gaps);
  tcase_add_test(tests, every_element_is_found_in_its_tensor);
  tcase_add_test(tests, boundaries_are_where_tensors_begin_and_the_ends);
  tcase_add_test(tests, a_layout_of_nothing_has_one_boundary);
  tcase_add_test(tests, every_allocation_may_fail);
}

int main(void) { return run_suite("layout", add_tests); }
