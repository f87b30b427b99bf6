/* fuzz_png.c - any bytes are either refused with a text or make a well-formed image, and nothing is
 * left over.
 *
 *   clang -fsanitize=fuzzer,address,undefined -DBNN_HAVE_LIBPNG=1 -I/usr/include/libpng16 \
 *     -Iruntime -Itests/c tests/c/formats/fuzz_png.c \
 *     runtime/images/image.c runtime/formats/image_png.c \
 *     runtime/{base,tensor}/[a-z]*.c runtime/files/{file,map,bytes,save,gzip}.c \
 *     -lpng16 -lz -lm -o fuzz_png && ./fuzz_png tests/corpus/png
 *
 * test_png.c includes this file to replay tests/corpus/png. */
#include "formats/image_png.h"
#include "fuzz.h"
#include "images/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  size_t before = bnn_mem_live();
  for (bnn_png_as as = BNN_PNG_AS_IS; as <= BNN_PNG_RGB; as++) {
    bnn_tensor *x = NULL, *character = NULL;
    bnn_err err = {.text = ""};
    bnn_status status = bnn_png_parse(&x, bytes, n, "fuzz", as, &err);
    demand((status == BNN_OK) == (x != NULL));
    demand(x || (err.status == status && err.text[0] == 'f'));
    if (x) demand_tensor(x);
    if (x && as == BNN_PNG_GREY) bnn_image_character(&character, x, BNN_INK_AUTO, NULL);
    bnn_tensor_unref(character);
    bnn_tensor_unref(x);
  }
  demand(bnn_mem_live() == before);
  return 0;
}
