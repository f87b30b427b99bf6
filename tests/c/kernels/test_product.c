/* test_product.c - matrix products, of our own kernels and through bnn_product's choice, against
 * sums in double; NaN and infinity; rows that do not depend on their neighbours; on every
 * instruction set at hand. */
#include "kernels/product.h"

#include <math.h>
#include <string.h>

#include "kernels/isa.h"
#include "kernels/rng.h"
#include "support.h"

/* Sizes around the tile's, and numbers of terms around a block of them. */
static const size_t sizes[] = {1, 5, 6, 7, 8, 17, 63, 64, 65, 72};
static const size_t terms[] = {0, 1, 2, 127, 128, 129, 300};
enum {
  SIZES = sizeof sizes / sizeof *sizes,
  TERMS = sizeof terms / sizeof *terms,
  MOST = 72, /* of sizes */
  MOST_TERMS = 300,
  GAP = 3, /* elements of NaN between the rows of every matrix */
};

typedef enum layout { NN, TN, NT, LAYOUTS } layout; /* which operand comes transposed */
typedef enum start { SET, ADD, BIAS, STARTS } start;

/* A product in all layouts that a kernel may find it in, with room for the largest. */
typedef struct problem {
  size_t m, n, k;
  bnn_real a[MOST * (MOST_TERMS + GAP)], at[MOST_TERMS * (MOST + GAP)];
  bnn_real b[MOST_TERMS * (MOST + GAP)], bt[MOST * (MOST_TERMS + GAP)];
  bnn_real c[MOST * (MOST + GAP)], start[MOST * (MOST + GAP)];
  double want[MOST * MOST], size[MOST * MOST]; /* sum of a b, and of |a b| */
} problem;

static bnn_real value(int which, size_t i) {
  bnn_real x;
  bnn_rng_normal(&x, bnn_key_new((uint64_t)which), i, 1);
  return x;
}

/* x [rows, columns] with gaps of NaN, and its transpose. */
static void fill(bnn_real *x, bnn_real *xt, size_t rows, size_t columns, int which) {
  for (size_t i = 0; i < rows * (columns + GAP); i++) x[i] = (bnn_real)NAN;
  for (size_t i = 0; xt && i < columns * (rows + GAP); i++) xt[i] = (bnn_real)NAN;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      x[i * (columns + GAP) + j] = value(which, i * columns + j);
      if (xt) xt[j * (rows + GAP) + i] = x[i * (columns + GAP) + j];
    }
}

static void fill_want(problem *q) {
  for (size_t i = 0; i < q->m; i++)
    for (size_t j = 0; j < q->n; j++) {
      double sum = 0, size = 0;
      for (size_t k = 0; k < q->k; k++) {
        const double t = (double)q->a[i * (q->k + GAP) + k] * (double)q->b[k * (q->n + GAP) + j];
        sum += t;
        size += fabs(t);
      }
      q->want[i * q->n + j] = sum;
      q->size[i * q->n + j] = size;
    }
}

static problem *problem_of(size_t m, size_t n, size_t k) {
  problem *q = bnn_mem_alloc(1, sizeof *q);
  ck_assert_ptr_nonnull(q);
  q->m = m, q->n = n, q->k = k;
  fill(q->a, q->at, m, k, 1);
  fill(q->b, q->bt, k, n, 2);
  fill(q->start, NULL, m, n, 3);
  fill_want(q);
  return q;
}

/* Rows [from, from + rows) of the product by our own kernel, into q->c. */
static void run_own(problem *q, layout kind, start mode, size_t from, size_t rows) {
  const size_t ldc = q->n + GAP;
  if (mode == ADD) memcpy(q->c + from * ldc, q->start + from * ldc, rows * ldc * sizeof *q->c);
  bnn_matrix_product p = {.c = q->c + from * ldc, .ldc = ldc, .m = rows, .n = q->n, .k = q->k};
  if (mode != SET) p.start = mode == ADD ? p.c : q->start;
  if (mode == ADD) p.lds = ldc;
  p.a = kind == TN ? q->at + from : q->a + from * (q->k + GAP);
  p.a_row = kind == TN ? 1 : q->k + GAP;
  p.a_step = kind == TN ? q->m + GAP : 1;
  p.b = kind == NT ? q->bt : q->b;
  p.ldb = (kind == NT ? q->k : q->n) + GAP;
  const bnn_vec *vec = bnn_isa_get()->vec;
  (kind == NT ? vec->product_transposed : vec->product)(&p);
}

/* The whole product by bnn_product. */
static void run_chosen(problem *q, layout kind, start mode) {
  const size_t ldc = q->n + GAP;
  if (mode == ADD) memcpy(q->c, q->start, q->m * ldc * sizeof *q->c);
  bnn_product(q->c, ldc, kind == TN ? q->at : q->a, (kind == TN ? q->m : q->k) + GAP, kind == TN,
              kind == NT ? q->bt : q->b, (kind == NT ? q->k : q->n) + GAP, kind == NT, q->m, q->n,
              q->k, mode == ADD);
}

/* c is start + want to rounding, and its gaps are as they were. */
static void check(const problem *q, layout kind, start mode) {
  for (size_t i = 0; i < q->m; i++)
    for (size_t j = 0; j < q->n + GAP; j++) {
      const double found = (double)q->c[i * (q->n + GAP) + j];
      if (j >= q->n) {
        if (found != 7) ck_abort_msg("%zu, %zu: written behind the row", i, j);
        continue;
      }
      const double from =
          mode == SET ? 0 : (double)q->start[(mode == ADD ? i * (q->n + GAP) : 0) + j];
      const double want = from + q->want[i * q->n + j];
      const double bound =
          BNN_REAL_EPSILON * ((double)(q->k + 1) * q->size[i * q->n + j] + 2 * fabs(from));
      if (!(fabs(found - want) <= bound))
        ck_abort_msg("%s, kind %d, mode %d, [%zu, %zu, %zu]: c[%zu, %zu] is %.9g, wanted %.9g",
                     bnn_isa_get()->name, kind, mode, q->m, q->n, q->k, i, j, found, want);
    }
}

static void clear(problem *q) {
  for (size_t i = 0; i < q->m * (q->n + GAP); i++) q->c[i] = 7;
}

static void check_gaps_kept(problem *q, layout kind, start mode) {
  if (mode == ADD) /* start was copied with its gaps */
    for (size_t i = 0; i < q->m; i++)
      for (size_t j = q->n; j < q->n + GAP; j++) {
        bnn_real *at = &q->c[i * (q->n + GAP) + j];
        if (!isnan(*at)) ck_abort_msg("%zu, %zu: written behind the row", i, j);
        *at = 7;
      }
  check(q, kind, mode);
}

/* The instruction sets one after the other; false past the last. */
static bool next_isa(size_t i) {
  if (!bnn_isa_available(i)) {
    ck_succeeds(bnn_isa_set(NULL, &err));
    return false;
  }
  ck_succeeds(bnn_isa_set(bnn_isa_available(i), &err));
  return true;
}
#define EACH_ISA for (size_t isa_ = 0; next_isa(isa_); isa_++)
#define EACH_OWN EACH_ISA if (bnn_isa_get()->vec->product)

static void check_all_kinds(problem *q) {
  for (layout kind = 0; kind < LAYOUTS; kind++)
    for (start mode = 0; mode < STARTS; mode++) {
      EACH_OWN {
        clear(q);
        run_own(q, kind, mode, 0, q->m);
        check_gaps_kept(q, kind, mode);
      }
      EACH_ISA {
        if (mode == BIAS) continue;
        clear(q);
        run_chosen(q, kind, mode);
        check_gaps_kept(q, kind, mode);
      }
    }
}

START_TEST(products_are_sums_in_double_to_rounding) {
  for (size_t n = 0; n < SIZES; n++)
    for (size_t k = 0; k < TERMS; k++) {
      problem *q = problem_of(sizes[_i], sizes[n], terms[k]);
      check_all_kinds(q);
      bnn_mem_free(q);
    }
}
END_TEST

/* Sizes of both kernels' sides of the table; everything lies without gaps. */
START_TEST(a_bias_is_added_to_every_row) {
  static const size_t width[] = {1, 10, 64, 70};
  EACH_ISA for (size_t w = 0; w < 4; w++) {
    const size_t m = 33, n = width[w], k = 140;
    bnn_real *x = bnn_mem_alloc(m * k + k * n + n + 2 * m * n, sizeof *x);
    ck_assert_ptr_nonnull(x);
    bnn_real *a = x, *b = a + m * k, *bias = b + k * n, *c = bias + n, *want = c + m * n;
    bnn_rng_normal(x, bnn_key_new(5), 0, m * k + k * n + n);
    bnn_product_bias(c, a, b, bias, m, n, k);
    bnn_blas_mm(want, n, a, k, false, b, n, false, m, n, k, false);
    for (size_t i = 0; i < m * n; i++)
      ck_assert_double_eq_tol((double)c[i], (double)want[i] + (double)bias[i % n],
                              1e3 * BNN_REAL_EPSILON);
    bnn_mem_free(x);
  }
}
END_TEST

/* ---- NaN and infinity ---- */

/* As IEEE has them: where the plain loop's sum is NaN or infinite, c is the same, and only there. */
static void check_specials(const problem *q, layout kind) {
  for (size_t i = 0; i < q->m; i++)
    for (size_t j = 0; j < q->n; j++) {
      const double want = q->want[i * q->n + j], found = (double)q->c[i * (q->n + GAP) + j];
      if (isnan(want) ? !isnan(found) : isinf(want) ? found != want : !isfinite(found))
        ck_abort_msg("%s, kind %d: c[%zu, %zu] is %g, wanted %g", bnn_isa_get()->name, kind, i, j,
                     found, want);
    }
}

/* An element of a or of b, in both of its layouts. */
static void put(problem *q, bool in_a, size_t i, size_t j, bnn_real x) {
  const size_t rows = in_a ? q->m : q->k, columns = in_a ? q->k : q->n;
  (in_a ? q->a : q->b)[i * (columns + GAP) + j] = x;
  (in_a ? q->at : q->bt)[j * (rows + GAP) + i] = x;
}

START_TEST(nan_and_infinity_go_through) {
  static const size_t width[] = {5, 16, 64, 71};
  for (size_t w = 0; w < 4; w++) {
    problem *q = problem_of(23, width[w], 131);
    put(q, true, 3, 130, (bnn_real)NAN);                        /* row 3 is NaN although */
    for (size_t j = 0; j < q->n; j++) put(q, false, 130, j, 0); /* it meets zeros only */
    put(q, false, 7, 4, (bnn_real)INFINITY);                    /* column 4: infinite, and */
    put(q, true, 20, 7, 0);                                     /* NaN where it meets a zero */
    put(q, true, 9, 64, (bnn_real)-INFINITY);                   /* row 9; [9, 4] may be NaN */
    put(q, false, 64, 2, 0);
    fill_want(q);
    for (layout kind = 0; kind < LAYOUTS; kind++) {
      EACH_OWN {
        run_own(q, kind, SET, 0, q->m);
        check_specials(q, kind);
      }
      EACH_ISA {
        run_chosen(q, kind, SET);
        check_specials(q, kind);
      }
    }
    bnn_mem_free(q);
  }
}
END_TEST

/* ---- zeros that are skipped ---- */

enum { SPARSE_M = 70, SPARSE_N = 128, SPARSE_K = 784 };

/* a [m, k] or, transposed, [k, m] with `percent` of its elements not 0; b [k, n]; room for c. */
typedef struct sparse {
  bnn_matrix_product p;
  bnn_real a[SPARSE_M * SPARSE_K], b[SPARSE_K * SPARSE_N], bias[SPARSE_N];
  bnn_real dense[SPARSE_M * SPARSE_N], c[SPARSE_M * SPARSE_N];
} sparse;

static sparse *sparse_of(bool transposed, size_t m, size_t n, size_t k, uint64_t percent) {
  sparse *q = bnn_mem_alloc(1, sizeof *q);
  ck_assert_ptr_nonnull(q);
  bnn_rng_normal(q->a, bnn_key_new(1), 0, m * k);
  bnn_rng_normal(q->b, bnn_key_new(2), 0, k * n);
  bnn_rng_normal(q->bias, bnn_key_new(3), 0, n);
  for (size_t i = 0; i < m * k; i++)
    if (bnn_rng_below(bnn_key_fold(bnn_key_new(4), (int64_t)i), 100) >= percent)
      q->a[i] = i % 2 ? 0 : -(bnn_real)0;
  q->p = (bnn_matrix_product){.c = q->c, .ldc = n, .start = q->bias, .a = q->a, .b = q->b};
  q->p.a_row = transposed ? 1 : k, q->p.a_step = transposed ? m : 1;
  q->p.ldb = n, q->p.m = m, q->p.n = n, q->p.k = k;
  return q;
}

/* Both kernels; NaN where the dense one has it, else its bits. */
static void check_skipping(sparse *q) {
  const bnn_vec *vec = bnn_isa_get()->vec;
  for (int with_bias = 0; with_bias < 2; with_bias++) {
    q->p.start = with_bias ? q->bias : NULL;
    q->p.c = q->dense;
    vec->product(&q->p);
    q->p.c = q->c;
    vec->product_skipping(&q->p);
    for (size_t i = 0; i < q->p.m * q->p.n; i++)
      if (isnan(q->dense[i]) ? !isnan(q->c[i]) : q->dense[i] != q->c[i])
        ck_abort_msg("m %zu, n %zu, k %zu: c[%zu] is %.9g, wanted %.9g", q->p.m, q->p.n, q->p.k, i,
                     (double)q->c[i], (double)q->dense[i]);
  }
}

START_TEST(leaving_zeros_out_changes_no_bit) {
  static const size_t m[] = {1, 8, 33, 64, 70}, n[] = {32, 64, 80, 128};
  static const size_t k[] = {1, 64, 100, 128, 129, 300, 784};
  EACH_ISA {
    if (!bnn_isa_get()->vec->product_skips) continue;
    for (size_t i = 0; i < 5 * 4 * 7; i++) {
      sparse *q = sparse_of(_i, m[i % 5], n[i / 5 % 4], k[i / 20], 20);
      check_skipping(q);
      /* what is not finite in b meets zeros as well; in a it is no zero */
      q->b[q->p.k * q->p.n / 2] = (bnn_real)INFINITY;
      check_skipping(q);
      q->b[q->p.k * q->p.n - 1] = (bnn_real)NAN;
      q->a[q->p.m * q->p.k / 3] = (bnn_real)NAN;
      check_skipping(q);
      bnn_mem_free(q);
    }
  }
}
END_TEST

START_TEST(zeros_are_skipped_where_there_are_many) {
  static const struct {
    size_t m, n, k;
    uint64_t percent;
    bool skips;
  } row[] = {{32, 64, 784, 20, true}, {32, 64, 784, 60, false}, {32, 64, 784, 0, true},
             {4, 64, 784, 20, false}, {32, 10, 784, 20, false}, {32, 70, 784, 20, false},
             {32, 64, 32, 20, false}, {8, 32, 128, 20, false},  {70, 128, 784, 20, true}};
  EACH_ISA {
    const bnn_vec *vec = bnn_isa_get()->vec;
    if (!vec->product_skips) continue;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
      sparse *q = sparse_of(_i, row[i].m, row[i].n, row[i].k, row[i].percent);
      if (vec->product_skips(&q->p) != row[i].skips)
        ck_abort_msg("row %zu: wanted %d", i, row[i].skips);
      bnn_mem_free(q);
    }
  }
}
END_TEST

/* ---- shards ---- */

enum { SHARDS_MOST = 40 };

/* What each shard gives by itself, added in place. */
typedef struct sharded {
  const sparse *q;
  const bnn_shards *shards;
  bnn_real sum[8][SPARSE_M * SPARSE_N];
} sharded;

static void make_shard(void *data, bnn_shard_sum at) {
  sharded *w = data;
  const bnn_row_range range = bnn_shards_rows(w->shards, at.shard);
  bnn_matrix_product t = w->q->p;
  t.c = w->sum[at.level];
  t.start = NULL;
  t.a += range.from * t.a_step;
  t.b += range.from * t.ldb;
  t.k = range.count;
  bnn_isa_get()->vec->product(&t);
}

static void add_shards(void *data, bnn_shard_sum to, bnn_shard_sum from) {
  sharded *w = data;
  for (size_t i = 0; i < w->q->p.m * w->q->p.n; i++) w->sum[to.level][i] += w->sum[from.level][i];
}

/* The bits of the shards' own products in their tree, whether zeros are skipped or not. */
static void check_sharded(sharded *w, size_t shards) {
  const sparse *q = w->q;
  const bnn_shards all = bnn_shards_of(q->p.k, shards);
  w->shards = &all;
  bnn_shards_add_up(&(bnn_shard_adder){make_shard, add_shards, w}, all.count);
  if (!bnn_isa_get()->vec->product_sharded(&q->p, &all))
    ck_abort_msg("%zu shards of %zu terms are not taken", shards, q->p.k);
  for (size_t i = 0; i < q->p.m * q->p.n; i++)
    if (isnan(w->sum[0][i]) ? !isnan(q->c[i]) : w->sum[0][i] != q->c[i])
      ck_abort_msg("%zu shards, m %zu, n %zu: c[%zu] is %.9g, wanted %.9g", shards, q->p.m, q->p.n,
                   i, (double)q->c[i], (double)w->sum[0][i]);
}

START_TEST(a_product_in_shards_is_those_of_the_shards_in_their_tree) {
  static const size_t m[] = {1, 31, 33, 70}, n[] = {16, 64, 100, 128}, k[] = {37, 128};
  sharded *w = bnn_mem_alloc(1, sizeof *w);
  ck_assert_ptr_nonnull(w);
  EACH_ISA {
    if (!bnn_isa_get()->vec->product_sharded) continue;
    for (size_t i = 0; i < 4 * 4 * 2; i++) {
      sparse *q = sparse_of(true, m[i % 4], n[i / 4 % 4], k[i / 16], _i ? 20 : 90);
      w->q = q;
      for (size_t shards = 2; shards <= SHARDS_MOST; shards += shards < 9 ? 1 : 7)
        check_sharded(w, shards);
      q->b[q->p.k * q->p.n / 2] = (bnn_real)INFINITY;
      q->a[q->p.m * q->p.k / 3] = (bnn_real)NAN;
      for (size_t shards = 2; shards <= 4; shards++) check_sharded(w, shards);
      bnn_mem_free(q);
    }
  }
  bnn_mem_free(w);
}
END_TEST

/* Jobs of one gradient have other numbers of rows. */
START_TEST(whether_shards_are_taken_is_a_matter_of_columns_and_terms) {
  static const struct {
    size_t n, k, shards;
    bool taken;
  } row[] = {{64, 128, 4, true},
             {64, 300, 2, false},
             {64, 300, 3, true},
             {64, 128, 128, false},
             {3, 128, 4, false}};
  EACH_ISA {
    const bnn_vec *vec = bnn_isa_get()->vec;
    for (size_t i = 0; vec->product_sharded && i < sizeof row / sizeof *row; i++)
      for (size_t rows = 1; rows <= 41; rows += 20) {
        sparse *q = sparse_of(true, rows, row[i].n, row[i].k, 50);
        const bnn_shards all = bnn_shards_of(row[i].k, row[i].shards);
        for (size_t j = 0; j < rows * row[i].n; j++) q->c[j] = 7;
        ck_assert_int_eq(vec->product_sharded(&q->p, &all), row[i].taken);
        ck_assert(row[i].taken || q->c[0] == 7);
        bnn_mem_free(q);
      }
  }
}
END_TEST

/* ---- who stands beside whom ---- */

START_TEST(a_row_has_the_same_bits_in_any_company) {
  static const size_t width[] = {5, 48, 64, 72};
  problem *q = problem_of(70, width[_i], 300);
  const size_t bytes = q->m * (q->n + GAP) * sizeof *q->c;
  bnn_real *whole = bnn_mem_alloc(1, bytes);
  ck_assert_ptr_nonnull(whole);
  for (layout kind = 0; kind < LAYOUTS; kind++) EACH_OWN {
      clear(q);
      run_own(q, kind, SET, 0, q->m);
      memcpy(whole, q->c, bytes);
      for (size_t rows = 1; rows < q->m; rows += 9) {
        clear(q);
        for (size_t from = 0; from < q->m; from += rows)
          run_own(q, kind, SET, from, q->m - from < rows ? q->m - from : rows);
        ck_assert_mem_eq(q->c, whole, bytes);
      }
    }
  bnn_mem_free(whole);
  bnn_mem_free(q);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_loop_test(tests, products_are_sums_in_double_to_rounding, 0, SIZES);
  tcase_add_test(tests, a_bias_is_added_to_every_row);
  tcase_add_test(tests, nan_and_infinity_go_through);
  tcase_add_loop_test(tests, leaving_zeros_out_changes_no_bit, 0, 2);
  tcase_add_loop_test(tests, a_product_in_shards_is_those_of_the_shards_in_their_tree, 0, 2);
  tcase_add_test(tests, whether_shards_are_taken_is_a_matter_of_columns_and_terms);
  tcase_add_loop_test(tests, zeros_are_skipped_where_there_are_many, 0, 2);
  tcase_add_loop_test(tests, a_row_has_the_same_bits_in_any_company, 0, 4);
}

int main(void) { return run_suite_with_products("product", add_tests); }
