/* bind_objective.c - objectives: a training step in one call.
 *
 * What users see is scripts/bnn/inference/objective.lua; these functions take flat tensors and numbers
 * of nodes, and check all that they are given. */
#include "bind_objective.h"

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../program/bind_program.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "bind_batch.h"
#include "bind_flat.h"
#include "bind_optimizer.h"
#include "inference/objective.h"

/* ---- boxes ---- */

typedef struct objective {
  bnn_objective *o;
  size_t size, n_variational, n_params;
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

/* The regularizers of a layout from the lists kl, precision and decay, in a userdata left on the stack. */
static const bnn_regularizer *check_regularizers(lua_State *L, int at, size_t n) {
  const double *kl = bind_field_numbers(L, at, "kl", n);
  const double *precision = bind_field_numbers(L, at, "precision", n);
  const double *decay = bind_field_numbers(L, at, "decay", n);
  bnn_regularizer *regularizers = lua_newuserdatauv(L, (n + 1) * sizeof *regularizers, 0);
  for (size_t i = 0; i < n; i++)
    regularizers[i] = (bnn_regularizer){.kl = kl[i], .precision = precision[i], .decay = decay[i]};
  return regularizers;
}

/* The list kl_weight_params, positions of tensors from 1, as positions from 0. */
static const size_t *check_kl_weight_param(lua_State *L, int at, size_t *n) {
  lua_getfield(L, at, "kl_weight_params");
  *n = lua_istable(L, -1) ? lua_rawlen(L, -1) : 0;
  size_t *list = lua_newuserdatauv(L, (*n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < *n; i++) {
    lua_geti(L, -2, (lua_Integer)i + 1);
    list[i] = (size_t)luaL_checkinteger(L, -1) - 1;
    lua_pop(L, 1);
  }
  return list;
}

/* core.objective(program, {x=, y=, key=, weights= (nodes), loss= (output, from 0), samples=,
 *   n_variational=, sizes=, kl=, precision=, decay= (lists by tensor), kl_weight_params=})
 *   -> objective */
static int core_objective(lua_State *L) {
  bnn_program *program = bind_check_program(L, 1)->recording.program;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 20, NULL);
  lua_getfield(L, 2, "sizes");
  bnn_layout layout = bind_check_layout(L, 3);
  lua_getfield(L, 2, "n_variational");
  bnn_objective_spec spec = {
      .program = program,
      .x_node = bind_field_integer(L, 2, "x", -1),
      .y_node = bind_field_integer(L, 2, "y", -1),
      .key_node = bind_field_integer(L, 2, "key", -1),
      .kl_weight_node = bind_field_integer(L, 2, "weights", -1),
      .layout = &layout,
      .regularizers = check_regularizers(L, 2, layout.n_params),
      .n_variational = (size_t)luaL_optinteger(L, 5, 0),
      .samples = bind_field_integer(L, 2, "samples", 1),
      .loss_output = bind_field_integer(L, 2, "loss", 0),
  };
  spec.kl_weight_param = check_kl_weight_param(L, 2, &spec.n_kl_weights);
  objective made = {
      .size = layout.size, .n_variational = spec.n_variational, .n_params = layout.n_params};
  bnn_err err;
  bind_push_box(L, &objective_class);
  bind_check(L, bnn_objective_new(&made.o, &spec, &err), &err);
  return bind_fill_box(L, &objective_class, &made);
}

/* ---- steps ---- */

/* What all calls of an objective have in common. */
typedef struct call {
  objective *of;
  bnn_train_state train;
  bnn_batch batch;
  bnn_step_args args;
} call;

/* The objective at argument 1, and from `arg` on what a step and a gradient take: mu, logvar (nil if no
 * parameter has a posterior), x, y, rows, from, count, key, and beta, a number or a list with one for
 * each tensor, whose copy is left on the stack. */
static call check_call(lua_State *L, int arg) {
  objective *of = bind_check_box(L, 1, &objective_class);
  call c = {.of = of, .train.mu = bind_check_flat(L, arg, of->size)};
  if (of->n_variational > 0) c.train.logvar = bind_check_flat(L, arg + 1, of->n_variational);
  c.batch = bind_check_batch(L, arg + 2);
  c.args.key = bind_check_key(L, arg + 7);
  if (lua_istable(L, arg + 8))
    c.args.betas = bind_check_numbers(L, arg + 8, "beta", of->n_params);
  else
    c.args.beta = luaL_checknumber(L, arg + 8);
  return c;
}

/* What a step ends with: the loss; or nil and a message for what the data or the training brought
 * about (not a number, a label out of range); misuse raises. */
static int step_result(lua_State *L, bnn_status status, double loss, const bnn_err *err) {
  if (status == BNN_ENAN || status == BNN_ERANGE || status == BNN_ESTOP)
    return bind_refuse(L, status, err);
  bind_check(L, status, err);
  lua_pushnumber(L, loss);
  return 1;
}

/* objective:step(state, lr, mu, logvar, x, y, rows, from, count, key, beta) -> loss | nil,
 * message */
static int objective_step(lua_State *L) {
  call c = check_call(L, 4);
  c.train.optimizer = bind_check_optimizer_state(L, 2);
  c.args.lr = luaL_checknumber(L, 3);
  double loss = 0;
  bnn_err err;
  bnn_status status =
      bnn_objective_step(c.of->o, bind_context(L), &c.train, &c.batch, &c.args, &loss, &err);
  return step_result(L, status, loss, &err);
}

/* objective:gradient(mu, logvar, x, y, rows, from, count, key, beta) -> dmu, dlogvar, loss */
static int objective_gradient(lua_State *L) {
  const call c = check_call(L, 2);
  bnn_real *dmu = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &c.of->size));
  bnn_real *dlogvar = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &c.of->n_variational));
  double loss = 0;
  bnn_err err;
  bind_check(L,
             bnn_objective_gradient(c.of->o, bind_context(L), &c.train, &c.batch, &c.args, dmu,
                                    dlogvar, &loss, &err),
             &err);
  lua_pushnumber(L, loss);
  return 3;
}

static const luaL_Reg objective_methods[] = {
    {"step", objective_step}, {"gradient", objective_gradient}, {NULL, NULL}};

static const bind_row rows[] = {
    {"objective", core_objective, "objective(program, spec): a training step in one call"},
    {NULL, NULL, NULL},
};

void bind_open_objective(lua_State *L) {
  bind_new_box_class(L, &objective_class, objective_methods, objective_release);
  bind_register(L, "bnn.core.", rows);
}
