/* bind_gp.c - Gaussian processes (gp/gp.h) as functions over contiguous tensors: numbers f64, flags
 * u8.  The Lua side, scripts/bnn/search/methods/gp.lua, is what uses them. */
#include "bind_gp.h"

#include <lauxlib.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../tensor/bind_tensor.h"
#include "gp/gp.h"

enum { INPUTS_MAX = 256, POINTS_MAX = 1 << 16 };

/* x [n, d] at arg and flags [d] at arg + 1. */
static bnn_gp_data check_data(lua_State *L, int arg) {
  const bnn_tensor *x = bind_check_dense(L, arg, BNN_F64);
  bind_argcheck(L, x->rank == 2 && x->dim[0] > 0, arg, "expected a tensor [n, d]");
  bind_argcheck(L, x->dim[1] > 0 && x->dim[1] <= INPUTS_MAX, arg, "expected 1 to 256 inputs");
  return (bnn_gp_data){.x = x->data,
                       .n = x->dim[0],
                       .d = x->dim[1],
                       .is_choice = bind_check_elements(L, arg + 1, BNN_U8, x->dim[1])};
}

static double *push_numbers(lua_State *L, size_t n) {
  return bind_push_new(L, BNN_F64, 1, &n)->data;
}

/* gp_likelihood(x, is_choice, y, theta, least_noise) -> value, slope f64 [d + 2]; or nothing */
static int core_gp_likelihood(lua_State *L) {
  bnn_gp_data data = check_data(L, 1);
  const double *y = bind_check_elements(L, 3, BNN_F64, data.n);
  const double *theta = bind_check_elements(L, 4, BNN_F64, data.d + 2);
  double value, least_noise = luaL_checknumber(L, 5);
  double *scratch = lua_newuserdatauv(L, (3 * data.n * data.n + data.n) * sizeof *scratch, 0);
  lua_pushnil(L); /* the value's place */
  double *slope = push_numbers(L, data.d + 2);
  if (!bnn_gp_likelihood(&value, slope, &data, y, theta, least_noise, scratch)) return 0;
  lua_pushnumber(L, value);
  lua_replace(L, -3);
  return 2;
}

/* gp_factor(x, is_choice, y, theta, least_noise) -> u f64 [n, n], alpha f64 [n]; or nothing */
static int core_gp_factor(lua_State *L) {
  bnn_gp_data data = check_data(L, 1);
  const double *y = bind_check_elements(L, 3, BNN_F64, data.n);
  const double *theta = bind_check_elements(L, 4, BNN_F64, data.d + 2);
  double least_noise = luaL_checknumber(L, 5);
  double *u = bind_push_new(L, BNN_F64, 2, (size_t[]){data.n, data.n})->data;
  double *alpha = push_numbers(L, data.n);
  if (!bnn_gp_factor(u, &data, theta, least_noise)) return 0;
  bnn_gp_weights(alpha, u, y, data.n);
  return 2;
}

/* gp_predict(x, is_choice, theta, u, alpha, points, slopes)
 * -> mean, variance f64 [m]; with slopes also dmean, dvariance f64 [m d] */
static int core_gp_predict(lua_State *L) {
  bnn_gp_data data = check_data(L, 1);
  const double *theta = bind_check_elements(L, 3, BNN_F64, data.d + 2);
  const double *u = bind_check_elements(L, 4, BNN_F64, data.n * data.n);
  const double *alpha = bind_check_elements(L, 5, BNN_F64, data.n);
  const bnn_tensor *points = bind_check_dense(L, 6, BNN_F64);
  size_t m = points->size / data.d;
  bind_argcheck(L, points->size == m * data.d && m > 0 && m <= POINTS_MAX, 6,
                "expected points [m, d]");
  bool slopes = lua_toboolean(L, 7);
  double *scratch = lua_newuserdatauv(L, data.n * m * sizeof *scratch, 0);
  double *mean = push_numbers(L, m), *variance = push_numbers(L, m);
  double *dmean = slopes ? push_numbers(L, m * data.d) : NULL;
  double *dvariance = slopes ? push_numbers(L, m * data.d) : NULL;
  bnn_gp_predict(mean, variance, dmean, dvariance, &data, theta, u, alpha, points->data, m,
                 scratch);
  return slopes ? 4 : 2;
}

static const bind_row rows[] = {
    {"gp_likelihood", core_gp_likelihood,
     "gp_likelihood(x, is_choice, y, theta, least_noise): the log marginal likelihood and its slope"},
    {"gp_factor", core_gp_factor,
     "gp_factor(x, is_choice, y, theta, least_noise): the factor of the covariance, and its inverse "
     "times y"},
    {"gp_predict", core_gp_predict,
     "gp_predict(x, is_choice, theta, u, alpha, points, slopes): mean and variance, and their slopes"},
    {NULL, NULL, NULL},
};

void bind_open_gp(lua_State *L) { bind_register(L, "bnn.core.", rows); }
