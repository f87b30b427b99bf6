/* bind_posterior.c - draws and KL of a mean-field posterior, flat; what users see is
 * scripts/bnn/inference/posterior.lua. */
#include "bind_posterior.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "bind_flat.h"

/* core.sample(mu, logvar, key) -> theta: mu + exp(logvar / 2) eps, all flat */
static int core_sample(lua_State *L) {
  const size_t size = bind_check_tensor(L, 1)->size;
  size_t n_variational;
  const bnn_real *mu = bind_check_flat(L, 1, size);
  const bnn_real *logvar = bind_check_logvar(L, 2, size, &n_variational);
  bnn_key key = bind_check_key(L, 3);
  bnn_real *theta = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &size));
  bnn_posterior_sample(bind_context(L), theta, mu, logvar, key, n_variational, size);
  return 1;
}

/* core.overwrite(x, from): the elements of one flat tensor into another of the same size */
static int core_overwrite(lua_State *L) {
  bnn_tensor *x = bind_check_typed(L, 1, BNN_REAL);
  bnn_real *to = bind_check_flat(L, 1, x->size);
  memmove(to, bind_check_flat(L, 2, x->size), x->size * sizeof *to);
  return 0;
}

/* core.kl(mu, logvar, {sizes=, prior=}) -> list: KL(q || N(0, prior^2)) of each tensor, a sum over
 * its elements; prior is a list as well */
static int core_kl(lua_State *L) {
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  lua_getfield(L, 3, "sizes");
  bnn_layout layout = bind_check_layout(L, 4);
  const double *prior = bind_field_numbers(L, 3, "prior", layout.n_params);
  const bnn_real *mu = bind_check_flat(L, 1, layout.size),
                 *logvar = bind_check_flat(L, 2, layout.size);
  lua_createtable(L, (int)layout.n_params, 0);
  for (size_t i = 0; i < layout.n_params; i++) {
    if (!(prior[i] > 0)) bind_argerror(L, 3, "expected standard deviations of the prior above 0");
    lua_pushnumber(L, bnn_posterior_kl(&layout.param[i], mu, logvar, prior[i]));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static const bind_row rows[] = {
    {"sample", core_sample, "sample(mu, logvar, key): mu + exp(logvar/2) eps, flat"},
    {"overwrite", core_overwrite, "overwrite(x, from): copies one flat tensor into another"},
    {"kl", core_kl, "kl(mu, logvar, {sizes=, prior=}): each tensor's KL, in nats"},
    {NULL, NULL, NULL},
};

void bind_open_posterior(lua_State *L) { bind_register(L, "bnn.core.", rows); }
