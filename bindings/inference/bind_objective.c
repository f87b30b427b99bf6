/* bind_objective.c - objectives: a training step in one call.
 *
 * What users see is scripts/bnn/inference/objective.lua; these functions take flat tensors and numbers
 * of nodes, and check all that they are given. */
#include "bind_objective.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../ops/bind_density.h"
#include "../program/bind_program.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "bind_batch.h"
#include "bind_flat.h"
#include "bind_posterior.h"
#include "bind_rule.h"
#include "inference/objective.h"

/* ---- boxes ---- */

typedef struct objective {
  bnn_objective *o;
  size_t trained, n_params;
  bool is_busy; /* a lane makes a step of it (bind_lanes.c) */
} objective;

static void objective_free(void *held) { bnn_objective_free(((objective *)held)->o); }

static size_t objective_bytes(const void *held) {
  return bnn_objective_bytes(((const objective *)held)->o);
}

static const bind_class objective_class = {
    .name = "bnn.objective",
    .noun = "objective",
    .size = sizeof(objective),
    .release = objective_free,
    .bytes = objective_bytes,
};

static int objective_release(lua_State *L) { return bind_release_box(L, &objective_class); }

/* ---- making one ---- */

/* The priors of a layout from the list priors, by tensor: a density {name, parameters...}, "fitted"
 * for a Gaussian whose scale is, "joined" for one that shares that of the tensor before, or false. */
static void read_priors(lua_State *L, int at, bnn_regularizer *regularizers, size_t n) {
  if (lua_getfield(L, at, "priors") != LUA_TNIL) {
    luaL_checktype(L, -1, LUA_TTABLE);
    for (size_t i = 0; i < n; i++) {
      const int type = lua_geti(L, -1, (lua_Integer)i + 1);
      if (type == LUA_TTABLE)
        regularizers[i].prior = bind_check_prior(L, lua_gettop(L));
      else
        regularizers[i].is_fitted = type == LUA_TSTRING;
      regularizers[i].joins = type == LUA_TSTRING && strcmp(lua_tostring(L, -1), "joined") == 0;
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* The regularizers of a layout from the lists kl, precision, decay and priors, in a userdata left
 * on the stack. */
static const bnn_regularizer *check_regularizers(lua_State *L, int at, size_t n) {
  const double *kl = bind_field_numbers(L, at, "kl", n);
  const double *precision = bind_field_numbers(L, at, "precision", n);
  const double *decay = bind_field_numbers(L, at, "decay", n);
  bnn_regularizer *regularizers = lua_newuserdatauv(L, (n + 1) * sizeof *regularizers, 0);
  for (size_t i = 0; i < n; i++)
    regularizers[i] = (bnn_regularizer){.kl = kl[i], .precision = precision[i], .decay = decay[i]};
  read_priors(L, at, regularizers, n);
  return regularizers;
}

/* The list in a field, positions of tensors from 1, as positions from 0. */
static const size_t *check_places(lua_State *L, int at, const char *name, size_t *n) {
  lua_getfield(L, at, name);
  *n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
  size_t *list = lua_newuserdatauv(L, (*n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < *n; i++) {
    lua_geti(L, -2, (lua_Integer)i + 1);
    list[i] = (size_t)luaL_checkinteger(L, -1) - 1;
    lua_pop(L, 1);
  }
  return list;
}

/* The outputs of the program that replace the n tensors of state_params: its last ones, in order. */
static const int *check_state_outputs(lua_State *L, const bnn_program *p, size_t n) {
  const int outputs = bnn_program_outputs(p);
  int *list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < n; i++) list[i] = outputs - (int)(n - i);
  return list;
}

static bool field_flag(lua_State *L, int at, const char *name) {
  lua_getfield(L, at, name);
  const bool is_set = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is_set;
}

/* The estimator named in the table at `at`. */
static bnn_estimator check_estimator(lua_State *L, int at) {
  bnn_estimator e = BNN_ESTIMATOR_reparameterization;
  lua_getfield(L, at, "estimator");
  const char *name = luaL_optstring(L, -1, bnn_estimator_name(e));
  if (!bnn_estimator_find(&e, name)) bind_argerror(L, at, "no estimator is called '%s'", name);
  lua_pop(L, 1);
  return e;
}

/* core.objective(program, posterior, {feeds= (bind_batch.h), key=, eps=, sign=, weights= (nodes),
 *   loss= (output, from 0), estimator=, samples=, antithetic=, shards=, kl=, precision=, decay=, priors=
 *   (lists by tensor), kl_weight_params=, state_params= (tensors that the program's last outputs
 *   replace)}) ->
 *   objective */
static int core_objective(lua_State *L) {
  bnn_program *program = bind_check_program(L, 1)->recording.program;
  const bnn_posterior *q = bind_check_posterior(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  luaL_checkstack(L, 20, NULL);
  const size_t n_params = q->layout->n_params;
  bnn_objective_spec spec = {
      .program = program,
      .feeds = bind_check_feeds(L, 3),
      .key_node = bind_field_integer(L, 3, "key", -1),
      .eps_node = bind_field_integer(L, 3, "eps", -1),
      .sign_node = bind_field_integer(L, 3, "sign", -1),
      .estimator = check_estimator(L, 3),
      .kl_weight_node = bind_field_integer(L, 3, "weights", -1),
      .posterior = q,
      .regularizers = check_regularizers(L, 3, n_params),
      .samples = bind_field_integer(L, 3, "samples", 1),
      .antithetic = field_flag(L, 3, "antithetic"),
      .shards = bind_field_integer(L, 3, "shards", 1),
      .loss_output = bind_field_integer(L, 3, "loss", 0),
  };
  spec.kl_weight_param = check_places(L, 3, "kl_weight_params", &spec.n_kl_weights);
  spec.state_param = check_places(L, 3, "state_params", &spec.n_states);
  spec.state_output = check_state_outputs(L, program, spec.n_states);
  objective made = {.trained = bnn_posterior_trained(q), .n_params = n_params};
  bnn_err err;
  bind_push_box(L, &objective_class);
  bind_check(L, bnn_objective_new(&made.o, &spec, &err), &err);
  return bind_fill_box(L, &objective_class, &made);
}

/* ---- steps ---- */

static objective *check_objective(lua_State *L, int arg) {
  objective *of = bind_check_box(L, arg, &objective_class);
  if (of->is_busy) bind_argerror(L, arg, "the objective is in another step");
  return of;
}

/* What a step and a gradient take: at `arg` posterior, tensors, rows, from, count, key, and beta, a number
 * or a list with one for each tensor, whose copy is left on the stack. */
static bind_step check_call(lua_State *L, objective *of, int arg) {
  bind_step c = {.o = of->o,
                 .is_busy = &of->is_busy,
                 .n_params = of->n_params,
                 .train.posterior = bind_check_posterior(L, arg)};
  c.batch = bind_check_batch(L, arg + 1);
  c.args.key = bind_check_key(L, arg + 5);
  if (lua_istable(L, arg + 6))
    c.args.betas = bind_check_numbers(L, arg + 6, "beta", of->n_params);
  else
    c.args.beta = luaL_checknumber(L, arg + 6);
  return c;
}

bind_step bind_check_step(lua_State *L, int arg) {
  bind_step c = check_call(L, check_objective(L, arg), arg + 5);
  c.train.updater = bind_check_updater(L, arg + 1);
  bind_check_rates(L, arg + 2, arg + 4, c.train.updater, c.rates);
  c.args.data_size = luaL_optnumber(L, arg + 3, 0);
  return c;
}

bnn_status bind_run_step(const bind_step *step, bnn_context *context, double *loss, bnn_err *err) {
  bnn_step_args args = step->args;
  args.rates = step->rates;
  return bnn_objective_step(step->o, context, &step->train, &step->batch, &args, loss, err);
}

int bind_step_result(lua_State *L, bnn_status status, double loss, const bnn_err *err) {
  if (status == BNN_ENAN || status == BNN_ERANGE || status == BNN_ESTOP)
    return bind_refuse(L, status, err);
  bind_check(L, status, err);
  lua_pushnumber(L, loss);
  return 1;
}

/* objective:step(state, lr, data_size, noise, posterior, tensors, rows, from, count, key, beta) ->
 * loss | nil, message */
static int objective_step(lua_State *L) {
  const bind_step c = bind_check_step(L, 1);
  double loss = 0;
  bnn_err err;
  const bnn_status status = bind_run_step(&c, bind_context(L), &loss, &err);
  return bind_step_result(L, status, loss, &err);
}

/* objective:gradient(posterior, tensors, rows, from, count, key, beta) -> d, those of all buffers one
 * after the other; loss | nil, message, as step */
static int objective_gradient(lua_State *L) {
  objective *of = check_objective(L, 1);
  const bind_step c = check_call(L, of, 2);
  bnn_real *d = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &of->trained));
  double loss = 0;
  bnn_err err;
  bnn_status status = bnn_objective_gradient(c.o, bind_context(L), c.train.posterior, &c.batch,
                                             &c.args, d, &loss, &err);
  const int results = bind_step_result(L, status, loss, &err);
  return status == BNN_OK ? 1 + results : results;
}

/* objective:write_state(posterior): what the last gradient found for its states */
static int objective_write_state(lua_State *L) {
  const objective *of = check_objective(L, 1);
  bnn_err err;
  bind_check(L, bnn_objective_write_state(of->o, bind_check_posterior(L, 2), &err), &err);
  return 0;
}

static const luaL_Reg objective_methods[] = {{"step", objective_step},
                                             {"gradient", objective_gradient},
                                             {"write_state", objective_write_state},
                                             {NULL, NULL}};

static const bind_row rows[] = {
    {"objective", core_objective, "objective(program, spec): a training step in one call"},
    {NULL, NULL, NULL},
};

void bind_open_objective(lua_State *L) {
  bind_new_box_class(L, &objective_class, objective_methods, objective_release);
  bind_register(L, "bnn.core.", rows);
}
