/* isa.c - the instruction sets of this binary and the choice of one; see isa.h. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "isa.h"
#include "isa_rows.h"

#define X(name, runs)                       \
  extern const bnn_vec bnn_vec_rows_##name; \
  static bool runs_##name(void) { return runs; }
BNN_ISA_ROWS(X)
#undef X

enum {
#define X(name, runs) SET_##name,
  BNN_ISA_ROWS(X)
#undef X
};

static const struct {
  bnn_isa isa;
  bool (*runs)(void);
} row[] = {
#define X(name, runs) {{#name, SET_##name, &bnn_vec_rows_##name}, runs_##name},
    BNN_ISA_ROWS(X)
#undef X
};

enum { ROWS = sizeof row / sizeof row[0] };

/* NULL until it is first asked for; threads that ask at once choose the same row. */
static _Atomic(const bnn_isa *) current;

/* The i-th row that this processor can run; NULL past the end. */
static const bnn_isa *runnable(size_t i) {
  for (size_t r = 0; r < ROWS; r++)
    if (row[r].runs() && i-- == 0) return &row[r].isa;
  return NULL;
}

const bnn_isa *bnn_isa_get(void) {
  const bnn_isa *isa = atomic_load_explicit(&current, memory_order_acquire);
  if (isa) return isa;
  isa = runnable(0); /* there is always one: the last row runs everywhere */
  atomic_store_explicit(&current, isa, memory_order_release);
  return isa;
}

const char *bnn_isa_available(size_t i) {
  const bnn_isa *isa = runnable(i);
  return isa ? isa->name : NULL;
}

static bnn_status fail_unknown(bnn_err *err, const char *name) {
  char list[64] = "";
  for (size_t i = 0; bnn_isa_available(i); i++) {
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", bnn_isa_available(i));
  }
  return bnn_fail(err, BNN_ERANGE, "no instruction set '%s' here; there is %s", name, list);
}

bnn_status bnn_isa_set(const char *name, bnn_err *err) {
  for (size_t i = 0; bnn_isa_available(i); i++)
    if (!name || strcmp(name, bnn_isa_available(i)) == 0) {
      atomic_store_explicit(&current, runnable(i), memory_order_release);
      return BNN_OK;
    }
  return fail_unknown(err, name);
}
