/* layout.c - see layout.h. */
#include "layout.h"

#include "../base/mem.h"

bnn_status bnn_layout_init(bnn_layout *out, size_t n_params, const size_t *size, bnn_err *err) {
  bnn_param *param = bnn_mem_alloc(n_params, sizeof *param);
  if (!param) return bnn_fail(err, BNN_ENOMEM, "a layout of %zu tensors", n_params);
  size_t offset = 0;
  for (size_t i = 0; i < n_params; i++) {
    param[i] = (bnn_param){.offset = offset, .size = size[i]};
    offset += size[i];
  }
  *out = (bnn_layout){.n_params = n_params, .size = offset, .param = param};
  return BNN_OK;
}

void bnn_layout_fini(bnn_layout *layout) {
  bnn_mem_free(layout->param);
  layout->param = NULL;
}

size_t bnn_layout_tensor_at(const bnn_layout *layout, size_t at) {
  size_t i = 0, end = layout->n_params;
  while (i + 1 < end) {
    const size_t middle = i + (end - i) / 2;
    *(layout->param[middle].offset <= at ? &i : &end) = middle;
  }
  return i;
}

bool bnn_layout_is_boundary(const bnn_layout *layout, size_t at) {
  for (size_t i = 0; i < layout->n_params; i++)
    if (layout->param[i].offset == at) return true;
  return at == 0 || at == layout->size;
}
