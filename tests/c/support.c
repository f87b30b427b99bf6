/* support.c - what the C tests share. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/blas.h"
#include "kernels/isa.h"

bnn_tensor *tensor_of(bnn_dtype dtype, int rank, const size_t *dim, const double *values) {
  bnn_tensor *x = NULL;
  ck_succeeds(bnn_tensor_new(&x, dtype, rank, dim, &err));
  for (size_t i = 0; i < x->size; i++) bnn_tensor_set(x, i, values ? values[i] : (double)i);
  return x;
}

void ck_tensor(const bnn_tensor *x, bnn_dtype dtype, int rank, const size_t *dim,
               const double *values) {
  ck_assert_str_eq(bnn_dtype_name(x->dtype), bnn_dtype_name(dtype));
  ck_assert_str_eq(BNN_SHAPE(x), bnn_shape_print(rank, dim).s);
  for (size_t i = 0; values && i < x->size; i++)
    ck_assert_msg(bnn_tensor_get(x, i) == values[i], "element %zu of %s is %.17g, wanted %.17g",
                  i + 1, BNN_SHAPE(x), bnn_tensor_get(x, i), values[i]);
}

void ck_status(const char *call, bnn_status status, const bnn_err *err, bnn_status want,
               const char *words) {
  ck_assert_msg(status == want, "%s gave '%s' (%s), wanted '%s'", call, bnn_status_text(status),
                err->text, bnn_status_text(want));
  if (status == BNN_OK) return;
  ck_assert_msg(err->status == status, "%s left another status in err", call);
  ck_assert_msg(strstr(err->text, words), "%s said '%s', wanted '%s'", call, err->text, words);
}

void ck_survives_failing_allocations(bnn_status (*f)(void *arg, bnn_err *err), void *arg) {
  size_t before = bnn_mem_live();
  for (size_t n = 1;; n++) {
    bnn_err err = {.text = ""};
    bnn_mem_fail_nth(n);
    bnn_status status = f(arg, &err);
    bool all_succeeded = bnn_mem_fail_nth(0) != 0;
    ck_assert_msg(bnn_mem_live() == before, "allocation %zu failed: %zu blocks, %zu before", n,
                  bnn_mem_live(), before);
    if (all_succeeded) {
      ck_status("the call", status, &err, BNN_OK, "");
      return;
    }
    ck_status("the call", status, &err, BNN_ENOMEM, "");
    ck_assert_msg(err.text[0] != 0, "allocation %zu failed without a word", n);
  }
}

unsigned char *read_bytes(size_t *n, const char *path) {
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "%s: cannot be opened", path);
  ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
  *n = (size_t)ftell(file);
  rewind(file);
  unsigned char *bytes = malloc(*n + 1);
  ck_assert_uint_eq(fread(bytes, 1, *n, file), *n);
  fclose(file);
  return bytes;
}

static void check_no_leak(void) {
  ck_assert_msg(bnn_mem_live() == 0, "%zu blocks leaked", bnn_mem_live());
}

/* The instruction set that BNNLUA_ISA names, as the program has it; the best one without it. */
static void use_isa(void) {
  const char *name = getenv("BNNLUA_ISA");
  ck_succeeds(bnn_isa_set(name && *name ? name : NULL, &err));
}

int run_suite(const char *name, void (*add_tests)(TCase *tests)) {
  TCase *tests = tcase_create(name);
  tcase_add_checked_fixture(tests, use_isa, check_no_leak);
  add_tests(tests);
  Suite *suite = suite_create(name);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}

int run_suite_with_products(const char *name, void (*add_tests)(TCase *tests)) {
  bnn_blas_load(NULL);
  return run_suite(name, add_tests);
}
