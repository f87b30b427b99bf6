/* test_product_block.c - large products in blocks: how they are cut, that this changes no bit, and that
 * a request to stop ends them. */
#include "kernels/product_block.h"

#include <math.h>
#include <string.h>

#include "base/stop.h"
#include "kernels/blas.h"
#include "kernels/rng.h"
#include "support.h"

static double size_of(bnn_product_block b) {
  return (double)b.rows * (double)b.columns * (double)b.terms;
}

static const size_t shapes[][3] = {{6000, 6000, 6000},  {6001, 5999, 6007}, {20000, 20000, 300},
                                   {100, 1000000, 80},  {1000000, 100, 80}, {300, 300, 1000000},
                                   {1, 100000, 100000}, {100000, 1, 100000}};

/* Blocks are of some tenths of a second at most, but for the least of a long k that cannot be cut, and
 * not of so little that they are many. */
START_TEST(large_products_are_cut_evenly) {
  static const size_t steps[] = {0, 320, 448};
  for (size_t s = 0; s < 3; s++) {
    const size_t *shape = shapes[_i], m = shape[0], n = shape[1], k = shape[2];
    const bnn_product_block b = bnn_product_block_of(m, n, k, steps[s]);
    ck_assert(b.rows == m || b.rows % BNN_PRODUCT_STEP == 0);
    ck_assert(b.columns == n || b.columns % BNN_PRODUCT_STEP == 0);
    ck_assert(b.terms == k || (steps[s] > 0 && b.terms % steps[s] == 0));
    ck_assert(b.rows > 0 && b.rows <= m && b.columns > 0 && b.columns <= n);
    ck_assert(b.terms > 0 && b.terms <= k);
    const double all = (double)m * (double)n * (double)k;
    const bool is_least = b.rows <= 2 * BNN_PRODUCT_STEP && b.columns <= 2 * BNN_PRODUCT_STEP;
    ck_assert_msg(size_of(b) <= 2e10 || is_least, "%g of %g", size_of(b), all);
    ck_assert_msg(size_of(b) >= 1e8, "%g of %g", size_of(b), all);
  }
}
END_TEST

START_TEST(small_products_stay_whole) {
  const bnn_product_block b = bnn_product_block_of(1000, 1000, 1000, 448);
  ck_assert_uint_eq(b.rows, 1000);
  ck_assert_uint_eq(b.columns, 1000);
  ck_assert_uint_eq(b.terms, 1000);
}
END_TEST

START_TEST(the_last_block_is_not_thin) {
  for (size_t left = 1; left < 3000; left++) {
    const size_t n = bnn_product_block_part(left, 960, 192);
    ck_assert(n == left || (n == 960 && left - n >= 192));
  }
}
END_TEST

/* A product that is cut in all three ways, and one by one products of so few of its rows that they are
 * not: the same bits, whichever operand is transposed.  The rows are whole steps, as a rest has another
 * kernel in some cores. */
enum { M = 1400, N = 1400, K = 4800, ROWS = BNN_PRODUCT_STEP };

static bnn_real *matrix(size_t size, int which) {
  bnn_real *x = bnn_mem_alloc(size, sizeof *x);
  ck_assert_ptr_nonnull(x);
  bnn_rng_normal(x, bnn_key_new((uint64_t)which), 0, size);
  return x;
}

START_TEST(blocks_change_no_bit) {
  const bool ta = _i == 1, tb = _i == 2, add = _i == 1;
  const bnn_product_block whole = {M, N, K}, cut = bnn_product_block_of(M, N, K, 448);
  ck_assert(size_of(cut) < size_of(whole));
  bnn_real *a = matrix((size_t)M * K, 1), *b = matrix((size_t)K * N, 2),
           *c = matrix((size_t)M * N, 3), *want = matrix((size_t)M * N, 3);
  bnn_blas_mm(c, N, a, ta ? M : K, ta, b, tb ? K : N, tb, M, N, K, add);
  for (size_t i = 0; i < M; i += ROWS)
    bnn_blas_mm(want + i * N, N, a + i * (ta ? 1 : K), ta ? M : K, ta, b, tb ? K : N, tb,
                M - i < ROWS ? M - i : ROWS, N, K, add);
  ck_assert(memcmp(c, want, (size_t)M * N * sizeof *c) == 0);
  bnn_mem_free(a), bnn_mem_free(b), bnn_mem_free(c), bnn_mem_free(want);
}
END_TEST

START_TEST(a_request_to_stop_ends_a_product) {
  const bnn_real a[] = {1, 2}, b[] = {3, 4};
  bnn_real c = 5;
  atomic_bool flag = true;
  const bnn_stop before = bnn_stop_watch(&flag);
  bnn_blas_mm(&c, 1, a, 2, false, b, 1, false, 1, 1, 2, false);
  ck_refuses(bnn_stop_end(before, BNN_OK, &err), BNN_ESTOP, "unfinished");
  ck_assert(c == 5);
  bnn_blas_mm(&c, 1, a, 2, false, b, 1, false, 1, 1, 2,
              false); /* nobody would look at its status */
  ck_assert(c == 11);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, large_products_are_cut_evenly, 0, sizeof shapes / sizeof *shapes);
  tcase_add_test(tests, small_products_stay_whole);
  tcase_add_test(tests, the_last_block_is_not_thin);
  tcase_add_loop_test(tests, blocks_change_no_bit, 0, 3);
  tcase_add_test(tests, a_request_to_stop_ends_a_product);
}

int main(void) { return run_suite("product_block", add_tests); }
