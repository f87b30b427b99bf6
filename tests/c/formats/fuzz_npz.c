/* fuzz_npz.c - any bytes are either refused with a text or make well-formed tensors with names, and
 * nothing is left over.
 *
 *   clang -fsanitize=fuzzer,address,undefined -DBNN_HAVE_LIBZIP=1 -Iruntime -Itests/c \
 *     tests/c/formats/fuzz_npz.c runtime/formats/{npz,npy}.c \
 *     runtime/{base,tensor}/[a-z]*.c runtime/files/{file,map,bytes,save,gzip}.c \
 *     -lzip -lz -lm -o fuzz_npz && ./fuzz_npz tests/corpus/npz
 *
 * test_npz.c includes this file to replay tests/corpus/npz. */
#include "formats/npz.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  size_t before = bnn_mem_live();
  bnn_npz *z = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_npz_parse(&z, bytes, n, "fuzz", NULL, 0, &err);
  demand((status == BNN_OK) == (z != NULL));
  demand(z || (err.status == status && err.text[0] == 'f'));
  for (size_t i = 0; z && i < z->n; i++) {
    demand(z->name[i][0] != 0);
    demand_tensor(z->x[i]);
  }
  for (size_t i = 0; z && i < z->n_skipped; i++) demand(z->skipped[i].name && z->skipped[i].why[0]);
  bnn_npz_free(z);
  demand(bnn_mem_live() == before);
  return 0;
}
