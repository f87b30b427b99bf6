/* fuzz_idx.c - any bytes are either refused with a text or make a well-formed tensor, and nothing
 * is left over.
 *
 *   clang -fsanitize=fuzzer,address,undefined -Iruntime -Itests/c \
 *     tests/c/formats/fuzz_idx.c runtime/formats/idx.c \
 *     runtime/{base,tensor}/[a-z]*.c runtime/files/{file,map,bytes,save,gzip}.c \
 *     -lz -lm -o fuzz_idx && ./fuzz_idx tests/corpus/idx
 *
 * test_idx.c includes this file to replay tests/corpus/idx, which holds an input for each way in
 * which a file can be wrong, and for each bug that was found. */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "formats/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void demand(int holds) {
  if (!holds) abort();
}

static void check_tensor(const bnn_tensor *x) {
  volatile double last; /* each element is read, so that a sanitizer sees it */
  size_t size = 1;
  demand(x->rank >= 1 && x->rank <= BNN_RANK_MAX && bnn_tensor_is_contiguous(x));
  for (int k = 0; k < x->rank; k++) size *= x->dim[k];
  demand(size != 0 && size == x->size);
  for (size_t i = 0; i < size; i++) last = bnn_tensor_get(x, i);
  (void)last;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  size_t before = bnn_mem_live();
  bnn_tensor *x = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_idx_parse(&x, bytes, n, "fuzz", &err);
  demand((status == BNN_OK) == (x != NULL));
  if (x)
    check_tensor(x);
  else
    demand(err.status == status && err.text[0] == 'f');
  bnn_tensor_unref(x);
  demand(bnn_mem_live() == before);
  return 0;
}
