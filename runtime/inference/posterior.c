/* posterior.c - layouts, sampling in parallel blocks, and the KL of a tensor. */
#include "posterior.h"

#include <string.h>

#include "../base/mem.h"
#include "../kernels/isa.h"

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

/* Sampling goes in blocks of this many elements, whatever the number of threads. */
enum { BLOCK = 4096 };

typedef struct sampling {
  bnn_real *theta;
  const bnn_real *mu, *logvar;
  bnn_key key;
  size_t size;
} sampling;

static void sample_block(void *data, size_t i) {
  const sampling *s = data;
  size_t from = i * BLOCK, n = s->size - from < BLOCK ? s->size - from : BLOCK;
  bnn_isa_get()->vec->sample(s->theta + from, s->mu + from, s->logvar + from, s->key, from, n);
}

void bnn_posterior_sample(bnn_context *context, bnn_real *theta, const bnn_real *mu,
                          const bnn_real *logvar, bnn_key key, size_t n_variational, size_t size) {
  sampling s = {theta, mu, logvar, key, n_variational};
  bnn_context_run(context, sample_block, &s, (n_variational + BLOCK - 1) / BLOCK);
  if (size > n_variational)
    memcpy(theta + n_variational, mu + n_variational, (size - n_variational) * sizeof *theta);
}

double bnn_posterior_kl(const bnn_param *param, const bnn_real *mu, const bnn_real *logvar,
                        double prior_std) {
  return bnn_isa_get()->vec->meanfield_kl(mu + param->offset, logvar + param->offset, prior_std,
                                          param->size);
}
