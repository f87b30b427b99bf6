/* bind_density.c - the table of densities; what users see is scripts/bnn/model/prior.lua. */
#include "bind_density.h"

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"

static void set_number(lua_State *L, const char *name, double x) {
  lua_pushnumber(L, x);
  lua_setfield(L, -2, name);
}

static void push_params(lua_State *L, const bnn_density *density) {
  const int n = bnn_density_params(density);
  lua_createtable(L, n, 0);
  for (int k = 0; k < n; k++) {
    const bnn_density_param *p = &density->param[k];
    lua_createtable(L, 0, 5);
    bind_set_text(L, "name", p->name);
    bind_set_text(L, "doc", p->doc);
    set_number(L, "value", p->value);
    set_number(L, "lo", p->lo);
    set_number(L, "hi", p->hi);
    lua_rawseti(L, -2, k + 1);
  }
}

/* core.densities() -> list of {name=, doc=, op= (its name), lo=, hi= (the support), params = list
 * of {name=, doc=, value= (default), lo=, hi= (neither allowed)}} */
static int core_densities(lua_State *L) {
  lua_newtable(L);
  const bnn_density *row;
  const char *op = "";
  for (size_t i = 0; (row = bnn_density_row(i, &op)); i++) {
    lua_createtable(L, 0, 6);
    bind_set_text(L, "name", row->name);
    bind_set_text(L, "doc", row->doc);
    bind_set_text(L, "op", op);
    set_number(L, "lo", row->lo);
    set_number(L, "hi", row->hi);
    push_params(L, row);
    lua_setfield(L, -2, "params");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* The density and its parameters, [BNN_DENSITY_PARAMS_MAX]. */
static const bnn_density *check_density(lua_State *L, int index, double *param) {
  luaL_checktype(L, index, LUA_TTABLE);
  lua_geti(L, index, 1);
  const char *name = luaL_checkstring(L, -1);
  const bnn_density *density = bnn_density_find(name);
  if (!density) bind_error(L, "no density is called '%s'", name);
  lua_pop(L, 1);
  for (int k = 0; k < bnn_density_params(density); k++) {
    lua_geti(L, index, k + 2);
    int ok;
    param[k] = lua_tonumberx(L, -1, &ok);
    if (!ok)
      bind_error(L, "%s: %s: expected a number, got %s", density->name, density->param[k].name,
                 luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  return density;
}

static bnn_prior check_prior(lua_State *L, int index, double *param) {
  const bnn_density *density = check_density(L, index, param);
  bnn_prior prior;
  bnn_err err;
  bind_check(L, bnn_prior_init(&prior, density, param, &err), &err);
  return prior;
}

bnn_prior bind_check_prior(lua_State *L, int index) {
  double param[BNN_DENSITY_PARAMS_MAX] = {0};
  return check_prior(L, index, param);
}

/* core.density_log_prob({name, parameters...}, x) -> the sum of log p over x, a number in nats */
static int core_density_log_prob(lua_State *L) {
  const bnn_prior prior = bind_check_prior(L, 1);
  const bnn_tensor *x = bind_check_typed(L, 2, BNN_REAL);
  bind_argcheck(L, bnn_tensor_is_contiguous(x), 2, "expected a contiguous tensor");
  lua_pushnumber(L, prior.density->log_prob(bnn_tensor_real(x), prior.param, x->size));
  return 1;
}

/* core.density_moments({name, parameters...}) -> mean, variance; NaN where there is none */
static int core_density_moments(lua_State *L) {
  double param[BNN_DENSITY_PARAMS_MAX] = {0}, mean, variance;
  check_prior(L, 1, param).density->moments(&mean, &variance, param);
  lua_pushnumber(L, mean);
  lua_pushnumber(L, variance);
  return 2;
}

static const bind_row rows[] = {
    {"densities", core_densities, "densities(): the table of densities"},
    {"density_log_prob", core_density_log_prob, "density_log_prob(density, x): sum of log p"},
    {"density_moments", core_density_moments, "density_moments(density): mean and variance"},
    {NULL, NULL, NULL},
};

void bind_open_density(lua_State *L) { bind_register(L, "bnn.core.", rows); }
