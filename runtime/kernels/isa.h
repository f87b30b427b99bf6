/* isa.h - one binary for every processor of its family: the ops and vector kernels are compiled for
 * several instruction sets, and one row of this table is in use.
 *
 * The processor decides the choice once; tests set it.  It is process-wide: change
 * it only while no program exists and no other thread is in the runtime. */
#ifndef BNN_ISA_H
#define BNN_ISA_H

#include "../base/status.h"
#include "../vec/vec.h"

typedef struct bnn_isa {
  const char *name; /* "avx512", "avx2" or "baseline" */
  int set;          /* its place in isa_rows.h */
  const bnn_vec *vec;
} bnn_isa;

/* The row in use: the best one that this processor can run, until another is set. */
const bnn_isa *bnn_isa_get(void);

/* Uses the row of that name, or the best one for NULL.  ERANGE: no such row in this binary, or the
 * processor cannot run it; the text names the rows that it can run. */
bnn_status bnn_isa_set(const char *name, bnn_err *err);

/* Rows that this binary has and this processor can run, best first; NULL past the end. */
const char *bnn_isa_available(size_t i);

#endif
