/* test_fingerprint.c - FNV-1a's published values, and what a fingerprint tells apart. */
#include "tensor/fingerprint.h"

#include <string.h>

#include "support.h"

/* RFC 9923 and the authors' page, http://www.isthe.com/chongo/tech/comp/fnv. */
START_TEST(the_step_over_octets_is_fnv1a) {
  static const struct {
    const char *text;
    uint64_t hash;
  } row[] = {{"", 0xcbf29ce484222325}, {"a", 0xaf63dc4c8601ec8c}, {"foobar", 0x85944171f73967e8}};
  uint64_t h = BNN_FINGERPRINT_START;
  for (const char *c = row[_i].text; *c; c++) h = bnn_fnv1a(h, (unsigned char)*c);
  ck_assert_uint_eq(h, row[_i].hash);
}
END_TEST

static uint64_t of_block(const void *block, size_t bytes) {
  return bnn_fingerprint_block(BNN_FINGERPRINT_START, block, bytes);
}

/* Up to 4096 words all count, also the octets of a last one that is not whole. */
START_TEST(any_bit_of_a_small_block_counts) {
  char block[83] = {0};
  const uint64_t before = of_block(block, sizeof block);
  for (size_t i = 0; i < 8 * sizeof block; i++) {
    block[i / 8] ^= (char)(1 << i % 8);
    ck_assert_uint_ne(of_block(block, sizeof block), before);
    block[i / 8] ^= (char)(1 << i % 8);
  }
  ck_assert_uint_ne(of_block(block, sizeof block - 1), before);
  ck_assert_uint_eq(of_block(block, sizeof block), before);
}
END_TEST

static uint64_t of_tensor(const bnn_tensor *x) {
  return bnn_fingerprint_tensor(BNN_FINGERPRINT_START, x);
}

START_TEST(the_dtype_and_the_strides_do_not_count_values_and_the_shape_do) {
  const double values[] = {1, 2, 3, 4, 5, 6}, turned[] = {1, 4, 2, 5, 3, 6};
  bnn_tensor *f = tensor_of(BNN_F64, DIMS(2, 3), values),
             *u = tensor_of(BNN_U8, DIMS(2, 3), values);
  bnn_tensor *other = tensor_of(BNN_F64, DIMS(3, 2), values);
  bnn_tensor *apart = tensor_of(BNN_F32, DIMS(3, 2), turned), *view;
  ck_succeeds(bnn_tensor_permute(&view, apart, (const int[]){1, 0}, &err));
  ck_assert_uint_eq(of_tensor(f), of_tensor(u));
  ck_assert_uint_eq(of_tensor(f), of_tensor(view));
  ck_assert_uint_ne(of_tensor(f), of_tensor(other));
  bnn_tensor_set(f, 5, 7);
  ck_assert_uint_ne(of_tensor(f), of_tensor(u));
  bnn_tensor *all[] = {f, u, other, view, apart};
  for (size_t i = 0; i < 5; i++) bnn_tensor_unref(all[i]);
}
END_TEST

/* Of [20000, 2] 8192 rows count: row k * 20000 / 8192 for each k, rounded down. */
START_TEST(many_rows_are_sampled_at_even_distances) {
  bnn_tensor *x = tensor_of(BNN_U8, DIMS(20000, 2), NULL);
  const uint64_t before = of_tensor(x);
  for (size_t row = 0, k = 0; row < 100; row++) {
    const bool counts = row == k * 20000 / 8192;
    k += counts;
    const double was = bnn_tensor_get(x, 2 * row + 1);
    bnn_tensor_set(x, 2 * row + 1, 255 - was);
    ck_assert_msg((of_tensor(x) != before) == counts, "row %zu", row);
    bnn_tensor_set(x, 2 * row + 1, was);
  }
  bnn_tensor_unref(x);
}
END_TEST

START_TEST(no_elements_and_scalars) {
  bnn_tensor *none = tensor_of(BNN_F32, DIMS(0, 5), NULL);
  bnn_tensor *scalar = tensor_of(BNN_F32, SCALAR, NULL);
  ck_assert_uint_ne(of_tensor(none), BNN_FINGERPRINT_START);
  ck_assert_uint_ne(of_tensor(scalar), of_tensor(none));
  bnn_tensor_unref(none);
  bnn_tensor_unref(scalar);
}
END_TEST

START_TEST(where_a_text_ends_counts) {
  uint64_t one = bnn_fingerprint_text(BNN_FINGERPRINT_START, "ab", 2);
  uint64_t two = bnn_fingerprint_text(BNN_FINGERPRINT_START, "a", 1);
  one = bnn_fingerprint_text(one, "c", 1);
  two = bnn_fingerprint_text(two, "bc", 2);
  ck_assert_uint_ne(one, two);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, the_step_over_octets_is_fnv1a, 0, 3);
  tcase_add_test(tests, any_bit_of_a_small_block_counts);
  tcase_add_test(tests, the_dtype_and_the_strides_do_not_count_values_and_the_shape_do);
  tcase_add_test(tests, many_rows_are_sampled_at_even_distances);
  tcase_add_test(tests, no_elements_and_scalars);
  tcase_add_test(tests, where_a_text_ends_counts);
}

int main(void) { return run_suite("fingerprint", add_tests); }
