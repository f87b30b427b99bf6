/* fuzz_npy.c - any bytes are either refused with a text or make a well-formed tensor, and nothing
 * is left over.
 *
 *   clang -fsanitize=fuzzer,address,undefined -Iruntime -Itests/c \
 *     tests/c/formats/fuzz_npy.c runtime/formats/npy.c \
 *     runtime/{base,tensor}/[a-z]*.c runtime/files/{file,map,bytes,save,gzip}.c \
 *     -lz -lm -o fuzz_npy && ./fuzz_npy tests/corpus/npy
 *
 * test_npy.c includes this file to replay tests/corpus/npy. */
#include "formats/npy.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  size_t before = bnn_mem_live();
  bnn_tensor *x = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_npy_parse(&x, bytes, n, "fuzz", &err);
  demand((status == BNN_OK) == (x != NULL));
  if (x)
    demand_tensor(x);
  else
    demand(err.status == status && err.text[0] == 'f');
  bnn_tensor_unref(x);
  demand(bnn_mem_live() == before);
  return 0;
}
