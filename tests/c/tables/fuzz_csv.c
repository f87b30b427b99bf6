/* fuzz_csv.c - any bytes are either refused with a text or make a well-formed table, and nothing is
 * left over.  The first byte says how it is read.
 *
 *   clang -fsanitize=fuzzer,address,undefined -Iruntime -Itests/c \
 *     tests/c/tables/fuzz_csv.c runtime/tables/csv{,_cell,_columns,_labels,_records,_text}.c \
 *     runtime/{base,tensor}/[a-z]*.c runtime/files/{file,map,bytes,save,gzip}.c \
 *     -lz -lm -o fuzz_csv && ./fuzz_csv tests/corpus/csv
 *
 * test_csv.c includes this file to replay tests/corpus/csv. */
#include "fuzz.h"
#include "tables/csv.h"

static void check_table(const bnn_csv *t) {
  demand_tensor(t->x);
  demand(t->x->rank == 2 && t->x->size != 0 && t->x->dtype == BNN_REAL);
  for (size_t i = 0; i < t->x->size; i++)
    demand(bnn_tensor_get(t->x, i) - bnn_tensor_get(t->x, i) == 0);
  for (size_t k = 0; t->name && k < t->x->dim[1]; k++) demand(t->name[k] != NULL);
  if (!t->y) return;
  demand_tensor(t->y);
  demand(t->y->rank == 1 && t->y->dim[0] == t->x->dim[0]);
  for (size_t i = 0; t->classes && i < t->y->size; i++)
    demand((size_t)bnn_tensor_get_int(t->y, i) < t->classes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const char separator[] = {0, ',', '\t', ' '};
  size_t before = bnn_mem_live();
  if (n == 0) return 0;
  int how = bytes[0];
  static const bnn_csv_column drop[] = {{NULL, 2}, {"b", 0}};
  static const char *const classes[] = {"dog", "cat", "1"};
  bnn_csv_options o = {.separator = separator[how & 3], .header = (bnn_csv_header)((how >> 2) % 3)};
  if (how & 16) o.drop = drop, o.n_drop = how & 32 ? 2 : 1;
  if ((how & 48) == 32) o.class_name = classes, o.classes = 3;
  if (how & 64)
    o.column = how & 128 ? -1 : 1;
  else if (how & 128)
    o.label = "y";
  bnn_csv *t = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_csv_parse(&t, bytes + 1, n - 1, "fuzz", &o, &err);
  demand((status == BNN_OK) == (t != NULL));
  if (t)
    check_table(t);
  else
    demand(err.status == status && err.text[0] == 'f');
  bnn_csv_free(t);
  demand(bnn_mem_live() == before);
  return 0;
}
