/* fuzz_safetensors.c - any bytes are either refused with a text or make a list of entries whose
 * tensors are well formed or refused with a text, and nothing is left over.
 *
 *   clang -fsanitize=fuzzer,address,undefined -DBNN_HAVE_JANSSON=1 -Iruntime -Itests/c \
 *     tests/c/formats/fuzz_safetensors.c runtime/formats/{safetensors,safetensors_sums,json}.c \
 *     runtime/{base,tensor}/[a-z]*.c runtime/files/{file,map,bytes,save,gzip}.c \
 *     -ljansson -lz -lm -o fuzz_safetensors && \
 *     ./fuzz_safetensors tests/corpus/safetensors
 *
 * test_safetensors.c includes this file to replay tests/corpus/safetensors. */
#include <string.h>

#include "formats/safetensors.h"
#include "fuzz.h"

static void demand_entry(const bnn_safetensors *f, const bnn_safetensors_entry *e, size_t n) {
  bnn_tensor *x = NULL;
  bnn_err err = {.text = ""};
  demand(e->offset + e->bytes <= n && e == bnn_safetensors_find(f, e->name));
  bnn_status status = bnn_safetensors_tensor(&x, f, e, &err);
  demand((status == BNN_OK) == (x != NULL));
  if (x) {
    demand(x->dtype == e->as && (size_t)x->rank == e->rank);
    demand_tensor(x);
  } else {
    demand(err.status == status && err.text[0] == 'f');
  }
  bnn_tensor_unref(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  size_t before = bnn_mem_live();
  bnn_safetensors *f = NULL;
  bnn_err err = {.text = ""};
  bnn_status status = bnn_safetensors_parse(&f, bytes, n, "fuzz", &err);
  demand((status == BNN_OK) == (f != NULL));
  demand(f || (err.status == status && err.text[0] == 'f'));
  for (size_t i = 0; f && i < f->n; i++) demand_entry(f, &f->entry[i], n);
  for (size_t i = 0; f && i < f->n_notes; i++)
    demand(strlen(f->note[i].key) < n && f->note[i].value[f->note[i].length] == 0);
  bnn_safetensors_close(f);
  demand(bnn_mem_live() == before);
  return 0;
}
