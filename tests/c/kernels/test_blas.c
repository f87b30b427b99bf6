/* test_blas.c - products by OpenBLAS and by the kernels that serve without it, and the door that
 * callers go through.  Whole numbers, which no order of summation rounds. */
#include "kernels/blas.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "kernels/blas_buffers.h"
#include "kernels/isa.h"
#include "kernels/own_product.h"
#include "kernels/rng.h"
#include "support.h"
#include "tensor/key.h"

typedef void product(bnn_real *c, size_t ldc, const bnn_real *a, size_t lda, bool ta,
                     const bnn_real *b, size_t ldb, bool tb, size_t m, size_t n, size_t k,
                     bool add);

enum { SIZE = 140, GAP = 3, ROOM = SIZE * (SIZE + GAP) };

/* Rows that are GAP further apart than they are long. */
static void fill_whole(bnn_real *x, int64_t seed) {
  for (size_t i = 0; i < ROOM; i++)
    x[i] = (bnn_real)bnn_rng_below(bnn_key_fold(bnn_key_new(7), seed * ROOM + (int64_t)i), 17) - 8;
  x[0] = 8;
}

/* Element [i, j] of op(x), which has `rows` rows and `columns` columns. */
static double at(const bnn_real *x, bool transposed, size_t rows, size_t columns, size_t i,
                 size_t j) {
  return (double)(transposed ? x[j * (rows + GAP) + i] : x[i * (columns + GAP) + j]);
}

/* `by` against the sum as it is written; what lies between the rows of c stays. */
static void check_product(product *by, size_t m, size_t n, size_t k, int layout, bool add) {
  static bnn_real a[ROOM], b[ROOM], c[ROOM], before[ROOM];
  const bool ta = layout & 1, tb = layout & 2;
  if (a[0] == 0) fill_whole(a, 1), fill_whole(b, 2), fill_whole(before, 3);
  memcpy(c, before, sizeof c);
  by(c, n + GAP, a, (ta ? m : k) + GAP, ta, b, (tb ? k : n) + GAP, tb, m, n, k, add);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n + GAP; j++) {
      const bnn_real old = before[i * (n + GAP) + j];
      double want = j >= n || add ? (double)old : 0;
      for (size_t t = 0; j < n && t < k; t++) want += at(a, ta, m, k, i, t) * at(b, tb, k, n, t, j);
      if ((double)c[i * (n + GAP) + j] != want)
        ck_abort_msg("%s, %zux%zux%zu, layout %d, add %d: c[%zu, %zu] is %g, wanted %g",
                     bnn_isa_get()->name, m, n, k, layout, add, i, j, (double)c[i * (n + GAP) + j],
                     want);
    }
}

static const size_t sizes[][3] = {{1, 1, 1},    {1, 70, 5},     {5, 3, 7},
                                  {64, 64, 64}, {37, 29, 53},   {70, 1, 33},
                                  {3, 67, 139}, {107, 97, 101}, {9, 4, 0}};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* The instruction sets one after the other; false past the last. */
static bool next_isa(size_t i) {
  ck_succeeds(bnn_isa_set(bnn_isa_available(i), &err)); /* NULL is the best */
  return bnn_isa_available(i) != NULL;
}

START_TEST(products_are_exact_for_whole_numbers) {
  const size_t *s = sizes[_i];
  for (int layout = 0; layout < 4; layout++)
    for (int add = 0; add < 2; add++) {
      check_product(bnn_blas_mm, s[0], s[1], s[2], layout, add);
      for (size_t i = 0; next_isa(i); i++)
        check_product(bnn_own_product, s[0], s[1], s[2], layout, add);
    }
}
END_TEST

START_TEST(our_own_products_skip_nothing) {
  for (size_t i = 0; next_isa(i); i++)
    for (int layout = 0; layout < 4; layout++) {
      bnn_real a[4] = {0, 0, 0, 0}, b[4] = {1, (bnn_real)NAN, (bnn_real)INFINITY, 1}, c[4];
      bnn_own_product(c, 2, a, 2, layout & 1, b, 2, layout & 2, 2, 2, 2, false);
      for (size_t j = 0; j < 4; j++) ck_assert(isnan(c[j]));
    }
}
END_TEST

/* ---- the door ---- */

enum { CALLERS = 8, CALLS = 300, PLACES = CALLERS + 1 };

/* A library's buffers as OpenBLAS has them: the first that is free, else one more is mapped. */
static struct {
  pthread_mutex_t lock;
  bool used[PLACES];
  int mapped, mapped_inside, inside, most_inside;
} library = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *take(int from_inside) {
  pthread_mutex_lock(&library.lock);
  int i = 0;
  while (library.used[i]) i++;
  library.used[i] = true;
  if (i >= library.mapped) {
    library.mapped = i + 1;
    library.mapped_inside += from_inside;
  }
  pthread_mutex_unlock(&library.lock);
  return &library.used[i];
}

static void give(void *place) {
  pthread_mutex_lock(&library.lock);
  *(bool *)place = false;
  pthread_mutex_unlock(&library.lock);
}

static void count(int step) {
  pthread_mutex_lock(&library.lock);
  library.inside += step;
  if (library.inside > library.most_inside) library.most_inside = library.inside;
  pthread_mutex_unlock(&library.lock);
}

static void *call_often(void *arg) {
  BNN_UNUSED(arg);
  for (int i = 0; i < CALLS; i++) {
    bnn_blas_enter();
    count(1);
    give(take(1));
    count(-1);
    bnn_blas_leave();
  }
  return NULL;
}

/* However many call, none makes the library map a buffer, and no more are inside than it may have
 * buffers, one included. */
START_TEST(callers_find_a_buffer_or_wait) {
  static const int most[] = {1, 3, CALLERS, 1000};
  pthread_t caller[CALLERS];
  memset(library.used, 0, sizeof library.used);
  library.mapped = library.mapped_inside = library.most_inside = 0;
  ck_assert(bnn_blas_buffers_open(take, give, most[_i]));
  ck_assert_int_eq(library.mapped, 1);
  for (int i = 0; i < CALLERS; i++)
    ck_assert_int_eq(pthread_create(&caller[i], NULL, call_often, NULL), 0);
  for (int i = 0; i < CALLERS; i++) pthread_join(caller[i], NULL);
  ck_assert_int_eq(library.mapped_inside, 0);
  ck_assert_int_le(library.most_inside, most[_i]);
  ck_assert_int_le(library.mapped, most[_i] < CALLERS ? most[_i] : CALLERS);
}
END_TEST

/* Of 64-bit addresses there are fewer than this. */
START_TEST(room_that_is_not_there_is_not_found) {
  ck_assert(bnn_blas_has_room(1 << 20));
  ck_assert(!bnn_blas_has_room(SIZE_MAX / 2));
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, products_are_exact_for_whole_numbers, 0, SIZES);
  tcase_add_test(tests, our_own_products_skip_nothing);
  /* Last: without a fork for each test the door is that of this library from here on. */
  tcase_add_loop_test(tests, callers_find_a_buffer_or_wait, 0, 4);
  tcase_add_test(tests, room_that_is_not_there_is_not_found);
}

int main(void) { return run_suite("blas", add_tests); }
