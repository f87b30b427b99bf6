/* density.c - finding a density among the ops, and the checks of its parameters. */
#include "density.h"

#include <string.h>

#include "../ops/op.h"

const bnn_density *bnn_density_row(size_t i, const char **op) {
  for (int id = 0; id < BNN_OP_COUNT; id++) {
    const bnn_op *row = bnn_op_get((bnn_op_id)id);
    if (!row->density || i-- > 0) continue;
    if (op) *op = row->name;
    return row->density;
  }
  return NULL;
}

const bnn_density *bnn_density_find(const char *name) {
  const bnn_density *row;
  for (size_t i = 0; (row = bnn_density_row(i, NULL)); i++)
    if (strcmp(row->name, name) == 0) return row;
  return NULL;
}

int bnn_density_params(const bnn_density *density) {
  int n = 0;
  while (n < BNN_DENSITY_PARAMS_MAX && density->param[n].name) n++;
  return n;
}

bnn_status bnn_prior_init(bnn_prior *out, const bnn_density *density, const double *param,
                          bnn_err *err) {
  bnn_prior prior = {.density = density};
  for (int k = 0; k < bnn_density_params(density); k++) {
    const bnn_density_param *row = &density->param[k];
    prior.param[k] = (bnn_real)param[k];
    const double x = (double)prior.param[k];
    if (!(x > row->lo && x < row->hi))
      return bnn_fail(err, BNN_ERANGE, "%s: %s: expected a number between %g and %g, got %g",
                      density->name, row->name, row->lo, row->hi, param[k]);
    if (density->ascending && k > 0 && !(x > (double)prior.param[k - 1]))
      return bnn_fail(err, BNN_ERANGE, "%s: expected %s below %s, got %g and %g", density->name,
                      row[-1].name, row->name, param[k - 1], param[k]);
  }
  *out = prior;
  return BNN_OK;
}
