/* support.h - what the C tests share: tensors from literals, assertions that show what was found,
 * allocations that fail in turn, no leak at the end of a test.
 *
 *   bnn_tensor *x = tensor_of(BNN_F32, DIMS(2, 2), VALUES(1, 2, 3, 4));
 *   ck_succeeds(bnn_tensor_clone(&y, x, &err));
 *   ck_refuses(bnn_tensor_select(&y, x, 2, 0, &err), BNN_ERANGE, "axis 3 of [2, 2]");
 *   ck_tensor(y, BNN_F32, DIMS(2, 2), VALUES(1, 2, 3, 4));
 *
 * The calls that are checked write the `bnn_err err` that the macros make. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <check.h>
#include <stdlib.h>

/* Check writes to a file for each assertion that holds, to know the last one before a crash: a third
 * of the time of suites that compare element by element. */
#define _mark_point(file, line) ((void)0)

#include "base/mem.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"

/* The arguments `rank, dim` and `values`; a scalar is SCALAR, VALUES(7). */
#define DIMS(...) \
  (int)(sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t)), (const size_t[]) { __VA_ARGS__ }
#define SCALAR 0, NULL
#define VALUES(...) \
  (const double[]) { __VA_ARGS__ }

/* A new tensor of these values in row-major order; NULL: 0, 1, 2, ... */
bnn_tensor *tensor_of(bnn_dtype dtype, int rank, const size_t *dim, const double *values);

/* Asserts type, shape and every value (NULL: not these). */
void ck_tensor(const bnn_tensor *x, bnn_dtype dtype, int rank, const size_t *dim,
               const double *values);

/* Asserts that status is `want` and that err's text holds `words`. */
void ck_status(const char *call, bnn_status status, const bnn_err *err, bnn_status want,
               const char *words);

#define ck_succeeds(call)                        \
  do {                                           \
    bnn_err err = {.text = ""};                  \
    bnn_status status_ = (call);                 \
    ck_status(#call, status_, &err, BNN_OK, ""); \
  } while (0)
#define ck_refuses(call, want, words)             \
  do {                                            \
    bnn_err err = {.text = ""};                   \
    bnn_status status_ = (call);                  \
    ck_status(#call, status_, &err, want, words); \
  } while (0)

/* Calls f again and again, with the first allocation failing, then the second, and so on, until it
 * succeeds; asserts ENOMEM with a text and no block left over each time.  f frees what it made. */
void ck_survives_failing_allocations(bnn_status (*f)(void *arg, bnn_err *err), void *arg);

/* The whole of a file; the caller frees. */
unsigned char *read_bytes(size_t *n, const char *path);

/* The main function of a suite: add_tests adds its test cases, none of which leaks a block. */
int run_suite(const char *name, void (*add_tests)(TCase *tests));

/* The same for tests that make matrix products: OpenBLAS is loaded before they fork, not in each. */
int run_suite_with_products(const char *name, void (*add_tests)(TCase *tests));

#endif
