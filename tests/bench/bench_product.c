/* bench_product - our own matrix products against OpenBLAS, shape by shape.
 *
 *     BNNLUA_ISA=avx2 OPENBLAS_CORETYPE=Haswell bench_product     as on a processor without AVX-512
 *     bench_product             the shapes of the networks of bench_step, and a grid around them
 *     bench_product m n k       one shape
 *
 * NN: c = a b.  TN: c = a^T b, a [k, m] within rows of 784.  NT: c = a b^T.  The two take turns;
 * the first quartile of many rounds is shown, as the machine is shared.  runtime/kernels/product.c's table
 * is made from this. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "kernels/blas.h"
#include "kernels/isa.h"
#include "kernels/rng.h"

enum { ROUNDS = 25 };

typedef struct shape {
  char kind[3];
  size_t m, n, k;
} shape;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quartile(double *x) {
  qsort(x, ROUNDS, sizeof *x, by_value);
  return x[ROUNDS / 4];
}

static bnn_real *noise(size_t n, int which) {
  bnn_real *x = bnn_mem_alloc(n, sizeof *x);
  if (!x) exit(1);
  bnn_rng_normal(x, bnn_key_new((uint64_t)which), 0, n);
  return x;
}

static void run(const shape *s) {
  const bool ta = s->kind[0] == 'T', tb = s->kind[1] == 'T';
  const size_t lda = ta ? (s->m < 784 ? 784 : s->m) : s->k, ldb = tb ? s->k : s->n;
  bnn_real *a = noise(ta ? s->k * lda : s->m * lda, 1), *b = noise(s->n * s->k, 2),
           *c = noise(s->m * s->n, 3);
  const bnn_matrix_product p = {.c = c,
                                .ldc = s->n,
                                .a = a,
                                .a_row = ta ? 1 : lda,
                                .a_step = ta ? lda : 1,
                                .b = b,
                                .ldb = ldb,
                                .m = s->m,
                                .n = s->n,
                                .k = s->k};
  const bnn_vec *vec = bnn_isa_get()->vec;
  const double work = 2.0 * (double)s->m * (double)s->n * (double)s->k;
  const int times = (int)(1e-3 / (work / 1e11)) + 1;
  double own[ROUNDS], blas[ROUNDS];
  for (int r = 0; r < ROUNDS; r++) {
    double t0 = now();
    for (int i = 0; i < times; i++)
      bnn_blas_mm(c, s->n, a, lda, ta, b, ldb, tb, s->m, s->n, s->k, false);
    double t1 = now();
    for (int i = 0; i < times; i++) (tb ? vec->product_transposed : vec->product)(&p);
    own[r] = (now() - t1) / times;
    blas[r] = (t1 - t0) / times;
  }
  double o = quartile(own), l = quartile(blas);
  printf("%s %5zu %5zu %5zu %10.2f %10.2f %8.1f %6.2f%s\n", s->kind, s->m, s->n, s->k, 1e6 * l,
         1e6 * o, work / o / 1e9, o / l, o < l ? "" : "  *");
  bnn_mem_free(a);
  bnn_mem_free(b);
  bnn_mem_free(c);
}

/* The products of a step of 784-h-h-10: blocks of 32 rows, weight gradients in jobs. */
static void run_network(size_t h) {
  const size_t job = 8192 / h > 80 ? 8192 / h / 16 * 16 : 80;
  const shape list[] = {
      {"NN", 32, h, 784},  {"NN", 128, h, 784}, {"NN", 32, h, h}, {"NN", 32, 10, h},
      {"TN", job, h, 128}, {"TN", h, 10, 128},  {"NT", 32, h, h}, {"NT", 32, h, 10},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) run(&list[i]);
}

static void run_grid(void) {
  static const size_t rows[] = {8, 32, 128}, sizes[] = {8, 16, 24, 50, 64, 100, 256, 1024};
  enum { SIZES = sizeof sizes / sizeof *sizes };
  static const char *const kinds[] = {"NN", "TN", "NT"};
  for (size_t kind = 0; kind < 3; kind++)
    for (size_t i = 0; i < 3; i++)
      for (size_t n = 0; n < SIZES; n++)
        for (size_t k = 0; k < SIZES; k++) {
          shape s = {"", rows[i], sizes[n], sizes[k]};
          s.kind[0] = kinds[kind][0];
          s.kind[1] = kinds[kind][1];
          if (kind == 1) s.m = sizes[k], s.k = rows[i];
          run(&s);
        }
}

int main(int argc, char **argv) {
  bnn_err err;
  if (bnn_isa_set(getenv("BNNLUA_ISA"), &err) != BNN_OK) {
    fprintf(stderr, "bench_product: %s\n", err.text);
    return 2;
  }
  if (!bnn_blas_core()) return fprintf(stderr, "%s\n", bnn_blas_choice()), 1;
  printf("OpenBLAS core %s, our kernels %s, %s\n", bnn_blas_core(), bnn_isa_get()->name,
         BNN_REAL_NAME);
  if (!bnn_isa_get()->vec->product) return 0;
  printf("%8s %5s %5s %10s %10s %8s %6s\n", "m", "n", "k", "BLAS, us", "own, us", "GFLOP/s",
         "ratio");
  if (argc == 4) {
    static const char *const kinds[] = {"NN", "TN", "NT"};
    for (int i = 0; i < 3; i++) {
      shape s = {"", strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10),
                 strtoul(argv[3], NULL, 10)};
      s.kind[0] = kinds[i][0];
      s.kind[1] = kinds[i][1];
      run(&s);
    }
    return 0;
  }
  run_network(64);
  run_network(400);
  run_network(1200);
  run_grid();
  return 0;
}
