/* fuzz_csv_typed.c - any bytes are either refused with a text or make a table of numbers and
 * categories that is well formed, and nothing is left over.  The first byte says how it is read.
 *
 *   clang -fsanitize=fuzzer,address,undefined -Iruntime -Itests/c \
 *     tests/c/tables/fuzz_csv_typed.c runtime/tables/csv{,_cell,_columns,_labels,_records}.c \
 *     runtime/tables/csv_{text,typed,categories}.c runtime/{base,tensor}/[a-z]*.c \
 *     runtime/files/{file,map,bytes,save,gzip}.c -lz -lm -o fuzz_csv_typed &&
 *     ./fuzz_csv_typed tests/corpus/csv
 *
 * test_csv_typed.c includes this file to replay tests/corpus/csv. */
#include <string.h>

#include "fuzz.h"
#include "tables/csv_typed.h"

enum { COLUMNS = 64 };

static void check_column(const bnn_csv_typed_column *c, size_t rows) {
  if (c->kind == BNN_CSV_IGNORED) {
    demand(c->values == NULL && c->category == NULL);
    return;
  }
  demand_tensor(c->values);
  demand(c->values->rank == 1 && c->values->dim[0] == rows);
  demand(c->values->dtype == (c->kind == BNN_CSV_NUMBERS ? BNN_REAL : BNN_I32));
  for (size_t i = 0; i < rows && c->kind == BNN_CSV_CATEGORY; i++) {
    const int64_t place = bnn_tensor_get_int(c->values, i);
    demand(place >= -1 && place < (int64_t)c->categories);
  }
  for (size_t k = 0; k < c->categories; k++)
    for (size_t j = 0; j < k && k < COLUMNS; j++)
      demand(strcmp(c->category[j], c->category[k]) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static const char separator[] = {0, ',', ';', ' '}, decimal[] = {0, '.', ',', 0};
  static const char *const known[] = {"dog", "cat", "1"}, *const missing[] = {"-999", "cat"};
  size_t before = bnn_mem_live();
  if (n == 0) return 0;
  int how = bytes[0];
  bnn_csv_wanted wanted[COLUMNS] = {{.kind = BNN_CSV_SEE_KIND}};
  bnn_csv_typed_options o = {.header = (bnn_csv_header)((how >> 4) % 3)};
  bnn_csv_text *text = NULL;
  bnn_csv_typed *t = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_csv_text_of(&text, bytes + 1, n - 1, "fuzz", separator[how & 3],
                                      decimal[(how >> 2) & 3], &err);
  demand((status == BNN_OK) == (text != NULL));
  if (how & 64) o.missing = missing, o.n_missing = 2;
  if ((how & 128) && text && text->columns <= COLUMNS) {
    wanted[0] = (bnn_csv_wanted){BNN_CSV_CATEGORY, how & 64 ? known : NULL, 3};
    wanted[1].kind = BNN_CSV_NUMBERS;
    wanted[2].kind = BNN_CSV_IGNORED;
    o.column = wanted;
  }
  if (text) status = bnn_csv_typed_read(&t, text, &o, &err);
  demand((status == BNN_OK) == (t != NULL));
  for (size_t k = 0; t && k < t->columns; k++) check_column(&t->column[k], t->rows);
  demand(t ? t->rows > 0 : err.status == status && err.text[0] == 'f');
  bnn_csv_typed_free(t);
  bnn_csv_text_close(text);
  demand(bnn_mem_live() == before);
  return 0;
}
