/* bind_learn.c - training and predicting: objectives, optimizer states, posteriors; one call a
 * step.
 *
 * The Lua library (scripts/bnn/elbo.lua, optim.lua, predict.lua) is what users see; these functions
 * take flat tensors and numbers of nodes, and check all that they are given. */
#include "bind_learn.h"

#include <stdint.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../base/bind_signal.h"
#include "../program/bind_program.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "base/mem.h"
#include "inference/objective.h"
#include "inference/optimizer.h"
#include "inference/posterior.h"
#include "inference/predict.h"

#define BIND_OBJECTIVE "bnn.objective"
#define BIND_STATE "bnn.optimizer_state"
#define BIND_PREDICTION "bnn.prediction"

/* ---- arguments ---- */

/* A flat buffer of parameters: contiguous, real, of `size` elements. */
static bnn_real *check_flat(lua_State *L, int arg, size_t size) {
  bnn_tensor *t = bind_check_typed(L, arg, BNN_REAL);
  luaL_argcheck(L, bnn_tensor_is_contiguous(t), arg, "a contiguous tensor is wanted");
  if (t->size != size)
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "has %I elements, %I are wanted", (lua_Integer)t->size,
                                  (lua_Integer)size));
  return bnn_tensor_real(t);
}

/* The log-variances of the first *n_variational of `size` parameters; nil: of none. */
static bnn_real *check_logvar(lua_State *L, int arg, size_t size, size_t *n_variational) {
  *n_variational = 0;
  if (lua_isnoneornil(L, arg)) return NULL;
  *n_variational = bind_check_tensor(L, arg)->size;
  luaL_argcheck(L, *n_variational <= size, arg, "has more elements than the mean");
  return check_flat(L, arg, *n_variational);
}

/* Field `name` of the table at `at`, an integer of 31 bits. */
static int field_integer(lua_State *L, int at, const char *name, int missing) {
  lua_getfield(L, at, name);
  int ok = 1;
  lua_Integer value = lua_isnil(L, -1) ? missing : lua_tointegerx(L, -1, &ok);
  if (!ok || value < INT32_MIN || value > INT32_MAX)
    luaL_error(L, "%s is %s, wanted an integer below 2^31", name, bind_push_text(L, -1));
  lua_pop(L, 1);
  return (int)value;
}

/* ---- layouts ---- */

/* The n numbers of the list in field `name` of the table at `at`, each 0 or more, in a userdata left
 * on the stack; zeros when the field is missing. */
static double *field_numbers(lua_State *L, int at, const char *name, size_t n) {
  double *list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < n; i++) list[i] = 0;
  if (lua_getfield(L, at, name) != LUA_TNIL && (!lua_istable(L, -1) || lua_rawlen(L, -1) != n))
    luaL_error(L, "%s: a list of %I numbers is wanted", name, (lua_Integer)n);
  for (size_t i = 0; lua_istable(L, -1) && i < n; i++) {
    lua_geti(L, -1, (lua_Integer)i + 1);
    list[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return list;
}

/* A layout whose memory is a userdata, left on the stack; the list at `sizes` has each tensor's
 * elements. */
static bnn_layout check_layout(lua_State *L, int sizes) {
  luaL_checktype(L, sizes, LUA_TTABLE);
  size_t n = lua_rawlen(L, sizes), offset = 0;
  if (n > INT32_MAX) luaL_error(L, "too many tensors");
  bnn_param *param = lua_newuserdatauv(L, (n + 1) * sizeof *param, 0);
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, sizes, (lua_Integer)i + 1);
    lua_Integer size = luaL_checkinteger(L, -1);
    if (size < 0) luaL_error(L, "a tensor of %I elements", size);
    if ((size_t)size > SIZE_MAX / sizeof(bnn_real) - offset) luaL_error(L, "too many parameters");
    param[i] = (bnn_param){.offset = offset, .size = (size_t)size};
    offset += (size_t)size;
    lua_pop(L, 1);
  }
  return (bnn_layout){.n_params = n, .size = offset, .param = param};
}

/* ---- optimizers ---- */

/* core.optimizers() -> list of {name, doc, options = list of {name, doc, value, lo, hi, open}} */
static int learn_optimizers(lua_State *L) {
  lua_newtable(L);
  for (size_t i = 0; bnn_optimizer_row(i); i++) {
    const bnn_optimizer *rule = bnn_optimizer_row(i);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, rule->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, rule->doc);
    lua_setfield(L, -2, "doc");
    lua_createtable(L, rule->n_options, 0);
    for (int k = 0; k < rule->n_options; k++) {
      const bnn_option *o = &rule->option[k];
      lua_createtable(L, 0, 3);
      lua_pushstring(L, o->name);
      lua_setfield(L, -2, "name");
      lua_pushstring(L, o->doc);
      lua_setfield(L, -2, "doc");
      lua_pushnumber(L, o->value);
      lua_setfield(L, -2, "value");
      lua_rawseti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "options");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static const bnn_optimizer *check_rule(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const bnn_optimizer *rule = bnn_optimizer_find(name);
  if (!rule) luaL_argerror(L, arg, lua_pushfstring(L, "no optimizer is called '%s'", name));
  return rule;
}

/* core.optimizer_state(rule, {option values in order}, n) -> state */
static int learn_state(lua_State *L) {
  const bnn_optimizer *rule = check_rule(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer n = bind_check_range(L, 3, "n", 0, INT64_MAX / 64);
  double option[BNN_OPTIONS_MAX];
  for (int k = 0; k < rule->n_options; k++) {
    lua_geti(L, 2, k + 1);
    option[k] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  bnn_optimizer_state *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (bnn_optimizer_state){.rule = rule};
  luaL_setmetatable(L, BIND_STATE);
  bnn_err err;
  bind_check(L, bnn_optimizer_state_init(s, rule, option, (size_t)n, &err), &err);
  bind_account(L, (size_t)n * (size_t)rule->n_slots * sizeof(bnn_real));
  return 1;
}

static bnn_optimizer_state *check_state(lua_State *L, int arg) {
  bnn_optimizer_state *s = luaL_checkudata(L, arg, BIND_STATE);
  luaL_argcheck(L, s->rule->n_slots == 0 || s->slot[0], arg, "optimizer state is closed");
  return s;
}

static int state_release(lua_State *L) {
  bnn_optimizer_state_fini(luaL_checkudata(L, 1, BIND_STATE));
  return 0;
}

/* state:steps() -> steps done */
static int state_steps(lua_State *L) {
  const bnn_optimizer_state *s = check_state(L, 1);
  lua_pushinteger(L, (lua_Integer)s->t);
  return 1;
}

/* state:size() -> how many parameters it is for */
static int state_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_state(L, 1)->n);
  return 1;
}

/* state:slots() -> list of the moment tensors [n], which later steps change */
static int state_slots(lua_State *L) {
  const bnn_optimizer_state *s = check_state(L, 1);
  lua_createtable(L, s->rule->n_slots, 0);
  for (int k = 0; k < s->rule->n_slots && s->slot[k]; k++) {
    bind_tensor *box = bind_push_tensor(L);
    bind_fill_tensor(L, box, bnn_tensor_ref(s->slot[k]));
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

/* state:update(w, gradient [, lr]): one step of the rule on w [n], in place, for loops of one's
 * own */
static int state_update(lua_State *L) {
  bnn_optimizer_state *s = check_state(L, 1);
  bnn_real *w = check_flat(L, 2, s->n);
  const bnn_real *g = check_flat(L, 3, s->n);
  double lr = luaL_optnumber(L, 4, s->option[0]);
  bnn_err err;
  bind_check(L, bnn_option_check(s->rule, &s->rule->option[0], lr, &err), &err);
  const bnn_update u = bnn_update_of(s->rule, s->option, lr, s->t + 1);
  bnn_real *slot[BNN_SLOTS_MAX] = {NULL};
  for (int k = 0; k < s->rule->n_slots; k++) slot[k] = bnn_tensor_real(s->slot[k]);
  s->rule->update(&u, w, g, slot, s->n);
  s->t++;
  return 0;
}

/* state:clone() -> a copy that shares nothing */
static int state_clone(lua_State *L) {
  const bnn_optimizer_state *s = check_state(L, 1);
  bnn_optimizer_state *copy = lua_newuserdatauv(L, sizeof *copy, 0);
  *copy = (bnn_optimizer_state){.rule = s->rule};
  luaL_setmetatable(L, BIND_STATE);
  bnn_err err;
  bind_check(L, bnn_optimizer_state_init(copy, s->rule, s->option, s->n, &err), &err);
  for (int k = 0; k < s->rule->n_slots; k++)
    bind_check(L, bnn_tensor_copy(copy->slot[k], s->slot[k], &err), &err);
  copy->t = s->t;
  return 1;
}

/* state:restore(steps, slots): the state after `steps` steps with these moments [n], copied */
static int state_restore(lua_State *L) {
  bnn_optimizer_state *s = check_state(L, 1);
  lua_Integer steps = bind_check_range(L, 2, "steps", 0, INT64_MAX);
  luaL_checktype(L, 3, LUA_TTABLE);
  for (int k = 0; k < s->rule->n_slots; k++) {
    bnn_err err;
    lua_rawgeti(L, 3, k + 1);
    bnn_tensor *slot = bind_check_tensor(L, lua_gettop(L));
    bind_check(L, bnn_tensor_copy(s->slot[k], slot, &err), &err);
    lua_pop(L, 1);
  }
  s->t = (uint64_t)steps;
  return 0;
}

/* ---- posteriors ---- */

/* core.sample(mu, logvar, key) -> theta: mu + exp(logvar / 2) eps, all flat */
static int learn_sample(lua_State *L) {
  bnn_tensor *mu = bind_check_typed(L, 1, BNN_REAL);
  size_t n_variational;
  bnn_real *from = check_flat(L, 1, mu->size),
           *logvar = check_logvar(L, 2, mu->size, &n_variational);
  bnn_key key = bind_check_key(L, 3);
  bind_tensor *box = bind_push_tensor(L);
  bnn_tensor *theta;
  bnn_err err;
  bind_check(L, bnn_tensor_new(&theta, BNN_REAL, 1, &mu->size, &err), &err);
  bnn_posterior_sample(bind_context(L), bnn_tensor_real(theta), from, logvar, key, n_variational,
                       mu->size);
  bind_fill_tensor(L, box, theta);
  return 1;
}

/* core.overwrite(x, from): the elements of one flat tensor into another of the same size */
static int learn_overwrite(lua_State *L) {
  bnn_tensor *x = bind_check_typed(L, 1, BNN_REAL);
  bnn_real *to = check_flat(L, 1, x->size);
  memmove(to, check_flat(L, 2, x->size), x->size * sizeof *to);
  return 0;
}

/* core.kl(mu, logvar, {sizes=, prior=}) -> list: KL(q || N(0, prior^2)) of each tensor, a sum over
 * its elements; prior is a list as well */
static int learn_kl(lua_State *L) {
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  lua_getfield(L, 3, "sizes");
  bnn_layout layout = check_layout(L, 4);
  const double *prior = field_numbers(L, 3, "prior", layout.n_params);
  const bnn_real *mu = check_flat(L, 1, layout.size), *logvar = check_flat(L, 2, layout.size);
  lua_createtable(L, (int)layout.n_params, 0);
  for (size_t i = 0; i < layout.n_params; i++) {
    luaL_argcheck(L, prior[i] > 0, 3, "the prior's standard deviation must be above 0");
    lua_pushnumber(L, bnn_posterior_kl(&layout.param[i], mu, logvar, prior[i]));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* ---- objectives ---- */

typedef struct box_objective {
  bnn_objective *o;
  size_t size, n_variational, n_params;
} box_objective;

/* The regularizers of a layout from the lists kl, precision and decay, in a userdata left on the
 * stack. */
static const bnn_regularizer *check_regularizers(lua_State *L, int at, size_t n) {
  const double *kl = field_numbers(L, at, "kl", n);
  const double *precision = field_numbers(L, at, "precision", n);
  const double *decay = field_numbers(L, at, "decay", n);
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
static int learn_objective(lua_State *L) {
  bnn_program *program = bind_check_program(L, 1)->recording.program;
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 20, NULL);
  lua_getfield(L, 2, "sizes");
  bnn_layout layout = check_layout(L, 3);
  lua_getfield(L, 2, "n_variational");
  bnn_objective_spec spec = {
      .program = program,
      .x_node = field_integer(L, 2, "x", -1),
      .y_node = field_integer(L, 2, "y", -1),
      .key_node = field_integer(L, 2, "key", -1),
      .kl_weight_node = field_integer(L, 2, "weights", -1),
      .layout = &layout,
      .regularizers = check_regularizers(L, 2, layout.n_params),
      .n_variational = (size_t)luaL_optinteger(L, 5, 0),
      .samples = field_integer(L, 2, "samples", 1),
      .loss_output = field_integer(L, 2, "loss", 0),
  };
  spec.kl_weight_param = check_kl_weight_param(L, 2, &spec.n_kl_weights);
  box_objective *box = lua_newuserdatauv(L, sizeof *box, 1);
  *box = (box_objective){
      .size = layout.size, .n_variational = spec.n_variational, .n_params = layout.n_params};
  luaL_setmetatable(L, BIND_OBJECTIVE);
  bnn_err err;
  bind_check(L, bnn_objective_new(&box->o, &spec, &err), &err);
  bind_account(L, bnn_objective_bytes(box->o));
  return 1;
}

static int objective_release(lua_State *L) {
  box_objective *box = luaL_checkudata(L, 1, BIND_OBJECTIVE);
  bnn_objective_free(box->o);
  box->o = NULL;
  return 0;
}

static box_objective *check_objective(lua_State *L) {
  box_objective *box = luaL_checkudata(L, 1, BIND_OBJECTIVE);
  luaL_argcheck(L, box->o != NULL, 1, "objective is closed");
  return box;
}

/* x, y (or nil), rows (or nil), from, count at these arguments; from counts from 1. */
static bnn_batch check_batch(lua_State *L, int arg) {
  bnn_tensor *x = bind_check_tensor(L, arg), *y = bind_opt_tensor(L, arg + 1);
  luaL_argcheck(L, x->rank > 0, arg, "x is a scalar, wanted rows");
  bnn_tensor *rows = lua_isnoneornil(L, arg + 2) ? NULL : bind_check_typed(L, arg + 2, BNN_I32);
  lua_Integer from = bind_check_range(L, arg + 3, "from", 1, INT64_MAX);
  lua_Integer count = bind_check_range(L, arg + 4, "count", 0, INT64_MAX);
  size_t n = rows ? rows->size : x->dim[0];
  if ((size_t)from - 1 > n || (size_t)count > n - ((size_t)from - 1))
    luaL_error(L, "rows %I..%I of %I", from, from + count - 1, (lua_Integer)n);
  if (rows)
    luaL_argcheck(L, bnn_tensor_is_contiguous(rows), arg + 2, "a contiguous tensor is wanted");
  return (bnn_batch){.x = x,
                     .y = y,
                     .rows = rows ? rows->data : NULL,
                     .from = (size_t)from - 1,
                     .count = (size_t)count};
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

/* beta at this argument: a number, or a list with one for each tensor, copied to a userdata left on
 * the stack. */
static void check_beta(lua_State *L, const box_objective *box, int arg, bnn_step_args *args) {
  if (!lua_istable(L, arg)) {
    args->beta = luaL_checknumber(L, arg);
    return;
  }
  if (lua_rawlen(L, arg) != box->n_params) luaL_argerror(L, arg, "expected a beta for each tensor");
  double *betas = lua_newuserdatauv(L, (box->n_params + 1) * sizeof *betas, 0);
  for (size_t i = 0; i < box->n_params; i++) {
    lua_geti(L, arg, (lua_Integer)i + 1);
    betas[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  args->betas = betas;
}

/* What a step and a gradient take: mu, logvar (nil if no parameter has a posterior), x, y, rows,
 * from, count, key, beta at these arguments. */
static void check_step_args(lua_State *L, const box_objective *box, int arg, bnn_train_state *train,
                            bnn_batch *batch, bnn_step_args *args) {
  *train = (bnn_train_state){.mu = check_flat(L, arg, box->size)};
  if (box->n_variational > 0) train->logvar = check_flat(L, arg + 1, box->n_variational);
  *batch = check_batch(L, arg + 2);
  *args = (bnn_step_args){.key = bind_check_key(L, arg + 7)};
  check_beta(L, box, arg + 8, args);
}

/* objective:step(state, lr, mu, logvar, x, y, rows, from, count, key, beta) -> loss | nil,
 * message */
static int objective_step(lua_State *L) {
  box_objective *box = check_objective(L);
  bnn_train_state train;
  bnn_batch batch;
  bnn_step_args args;
  check_step_args(L, box, 4, &train, &batch, &args);
  train.optimizer = check_state(L, 2);
  args.lr = luaL_checknumber(L, 3);
  double loss = 0;
  bnn_err err;
  bnn_status status =
      bnn_objective_step(box->o, bind_context(L), &train, &batch, &args, &loss, &err);
  return step_result(L, status, loss, &err);
}

/* objective:gradient(mu, logvar, x, y, rows, from, count, key, beta) -> dmu, dlogvar, loss */
static int objective_gradient(lua_State *L) {
  box_objective *box = check_objective(L);
  bnn_train_state train;
  bnn_batch batch;
  bnn_step_args args;
  check_step_args(L, box, 2, &train, &batch, &args);
  bnn_real *dmu = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &box->size));
  bnn_real *dlogvar = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &box->n_variational));
  double loss = 0;
  bnn_err err;
  bnn_status status = bnn_objective_gradient(box->o, bind_context(L), &train, &batch, &args, dmu,
                                             dlogvar, &loss, &err);
  bind_check(L, status, &err);
  lua_pushnumber(L, loss);
  return 3;
}

/* core.gather_rows(x, rows, from, count) -> rows of x as a new tensor; uint8 becomes real / 255 */
static int learn_gather(lua_State *L) {
  bnn_tensor *x = bind_check_tensor(L, 1);
  luaL_argcheck(L, bnn_tensor_is_contiguous(x), 1, "a contiguous tensor is wanted");
  lua_settop(L, 4);
  lua_pushnil(L);
  lua_insert(L, 2); /* no y */
  bnn_batch batch = check_batch(L, 1);
  bnn_shape shape = bnn_shape_of(x);
  shape.dim[0] = batch.count;
  if (shape.dtype == BNN_U8) shape.dtype = BNN_REAL;
  bind_tensor *box = bind_push_tensor(L);
  bnn_tensor *out;
  bnn_err err;
  bind_check(L, bnn_batch_check_rows(&batch, &err), &err);
  bind_check(L, bnn_tensor_new(&out, shape.dtype, shape.rank, shape.dim, &err), &err);
  bnn_batch_gather(out->data, shape.dtype, x, &batch, 0, batch.count);
  bind_fill_tensor(L, box, out);
  return 1;
}

/* ---- predicting ---- */

typedef struct box_prediction {
  bnn_prediction *p;
  size_t rows;
} box_prediction;

static box_prediction *push_prediction(lua_State *L, size_t rows) {
  box_prediction *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (box_prediction){.rows = rows};
  luaL_setmetatable(L, BIND_PREDICTION);
  return box;
}

static int prediction_release(lua_State *L) {
  box_prediction *box = luaL_checkudata(L, 1, BIND_PREDICTION);
  bnn_prediction_free(box->p);
  box->p = NULL;
  return 0;
}

static box_prediction *check_prediction(lua_State *L) {
  box_prediction *box = luaL_checkudata(L, 1, BIND_PREDICTION);
  luaL_argcheck(L, box->p != NULL, 1, "prediction is closed");
  return box;
}

/* core.prediction(program, rows, classes) -> the running sums of no samples yet */
static int learn_prediction(lua_State *L) {
  bnn_program *program = bind_check_program(L, 1)->recording.program;
  const size_t rows = (size_t)bind_check_range(L, 2, "rows", 0, INT64_MAX / 64);
  box_prediction *box = push_prediction(L, rows);
  bnn_err err;
  bind_check(L, bnn_prediction_new(&box->p, program, rows, lua_toboolean(L, 3), &err), &err);
  bind_account(L, bnn_prediction_bytes(box->p));
  return 1;
}

/* prediction:clone() -> a copy that shares nothing */
static int prediction_clone(lua_State *L) {
  const box_prediction *from = check_prediction(L);
  box_prediction *box = push_prediction(L, from->rows);
  bnn_err err;
  bind_check(L, bnn_prediction_clone(&box->p, from->p, &err), &err);
  bind_account(L, bnn_prediction_bytes(box->p));
  return 1;
}

/* The arguments program, {x=, y=, key=, samples=, first=}, mu, logvar, key from the second on. */
static bnn_predict_spec check_predict_spec(lua_State *L) {
  bnn_program *program = bind_check_program(L, 2)->recording.program;
  luaL_checktype(L, 3, LUA_TTABLE);
  bnn_tensor *mu = bind_check_typed(L, 4, BNN_REAL);
  bnn_predict_spec spec = {
      .program = program,
      .x_node = field_integer(L, 3, "x", -1),
      .y_node = field_integer(L, 3, "y", -1),
      .key_node = field_integer(L, 3, "key", -1),
      .mu = check_flat(L, 4, mu->size),
      .size = mu->size,
      .samples = field_integer(L, 3, "samples", 1),
      .first_sample = field_integer(L, 3, "first", 1),
      .key = bind_check_key(L, 6),
  };
  spec.logvar = check_logvar(L, 5, mu->size, &spec.n_variational);
  return spec;
}

/* prediction:check(program, spec, mu, logvar, key, x) -> true | nil, what is not that of the samples
 * so far */
static int prediction_check(lua_State *L) {
  const box_prediction *box = check_prediction(L);
  const bnn_predict_spec spec = check_predict_spec(L);
  bnn_err err;
  bnn_status status = bnn_prediction_check(box->p, &spec, bind_check_tensor(L, 7), &err);
  if (status == BNN_OK) {
    lua_pushboolean(L, true);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, err.text);
  return 2;
}

/* prediction:add(program, {x=, y=, key=, samples=, first=}, mu, logvar, key, x, y) -> true | nil,
 * message; after an error that is not misuse the sums are good for nothing */
static int prediction_add(lua_State *L) {
  box_prediction *box = check_prediction(L);
  const bnn_predict_spec spec = check_predict_spec(L);
  bnn_tensor *x = bind_check_tensor(L, 7), *y = bind_opt_tensor(L, 8);
  bnn_err err;
  bnn_status status = bnn_prediction_add(box->p, bind_context(L), &spec, x, y, &err);
  if (status == BNN_ESTOP) bind_signal_raise_if_pending(L);
  if (status == BNN_ERANGE || status == BNN_ESTOP) return bind_refuse(L, status, &err);
  bind_check(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* prediction:samples() -> how many there are */
static int prediction_samples(lua_State *L) {
  lua_pushinteger(L, bnn_prediction_samples(check_prediction(L)->p));
  return 1;
}

/* prediction:standard_error() -> the largest of a mean, over all rows and outputs */
static int prediction_standard_error(lua_State *L) {
  lua_pushnumber(L, bnn_prediction_standard_error(check_prediction(L)->p));
  return 1;
}

/* A new tensor [rows] or [rows, width] on the stack. */
static bnn_real *push_reals(lua_State *L, const box_prediction *box, int rank, size_t width) {
  bnn_tensor *t = bind_push_new(L, BNN_REAL, rank, (const size_t[]){box->rows, width});
  bind_account(L, t->size * sizeof(bnn_real));
  return bnn_tensor_real(t);
}

static const box_prediction *check_samples(lua_State *L) {
  const box_prediction *box = check_prediction(L);
  luaL_argcheck(L, bnn_prediction_samples(box->p) > 0, 1, "there are no samples yet");
  return box;
}

/* prediction:moments() -> mean [n, w], std [n, w] */
static int prediction_moments(lua_State *L) {
  const box_prediction *box = check_samples(L);
  const size_t width = bnn_prediction_width(box->p);
  bnn_real *mean = push_reals(L, box, 2, width);
  bnn_prediction_moments(box->p, mean, push_reals(L, box, 2, width));
  return 2;
}

/* prediction:extra() -> the mean of the program's second output [n, v] */
static int prediction_extra(lua_State *L) {
  const box_prediction *box = check_samples(L);
  bnn_prediction_extra_mean(box->p, push_reals(L, box, 2, bnn_prediction_extra(box->p)));
  return 1;
}

/* prediction:scores() -> {entropy=, expected_entropy=, mutual_information=, variation_ratio=,
 * energy= (of a program that gives logits)}, [n] each */
static int prediction_scores(lua_State *L) {
  const box_prediction *box = check_samples(L);
  luaL_argcheck(L, bnn_prediction_has_classes(box->p), 1, "its outputs are not classes");
  static const char *const name[] = {"entropy", "expected_entropy", "mutual_information",
                                     "variation_ratio", "energy"};
  bnn_real *out[5] = {NULL};
  lua_createtable(L, 0, 5);
  for (int i = 0; i < (bnn_prediction_extra(box->p) > 0 ? 5 : 4); i++) {
    out[i] = push_reals(L, box, 1, 0);
    lua_setfield(L, -2, name[i]);
  }
  const bnn_class_scores scores = {out[0], out[1], out[2], out[3], out[4]};
  bnn_err err;
  bind_check(L, bnn_prediction_scores(box->p, &scores, &err), &err);
  return 1;
}

/* ---- registration ---- */

static const bind_row learn_rows[] = {
    {"optimizers", learn_optimizers, "core.optimizers(): the optimizer table"},
    {"optimizer_state", learn_state, "core.optimizer_state(rule, options, n): the state of a rule"},
    {"sample", learn_sample, "core.sample(mu, logvar, key): mu + exp(logvar/2) eps, flat"},
    {"overwrite", learn_overwrite, "core.overwrite(x, from): copies one flat tensor into another"},
    {"kl", learn_kl, "core.kl(mu, logvar, {sizes=, prior=}): each tensor's KL, in nats"},
    {"objective", learn_objective, "core.objective(program, spec): a training step in one call"},
    {"gather_rows", learn_gather,
     "core.gather_rows(x, rows, from, count): rows of x; uint8 becomes real / 255"},
    {"prediction", learn_prediction,
     "core.prediction(program, rows, classes): running sums over sampled networks"},
    {NULL, NULL, NULL}};

static const luaL_Reg objective_methods[] = {
    {"step", objective_step}, {"gradient", objective_gradient}, {NULL, NULL}};

static const luaL_Reg state_methods[] = {{"steps", state_steps},
                                         {"size", state_size},
                                         {"slots", state_slots},
                                         {"update", state_update},
                                         {"clone", state_clone},
                                         {"restore", state_restore},
                                         {NULL, NULL}};

static const luaL_Reg prediction_methods[] = {{"add", prediction_add},
                                              {"check", prediction_check},
                                              {"clone", prediction_clone},
                                              {"samples", prediction_samples},
                                              {"standard_error", prediction_standard_error},
                                              {"moments", prediction_moments},
                                              {"extra", prediction_extra},
                                              {"scores", prediction_scores},
                                              {NULL, NULL}};

/* A metatable whose methods are `methods`, with `release` for __gc and __close. */
static void new_class(lua_State *L, const char *name, const luaL_Reg *methods,
                      lua_CFunction release) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, release);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, release);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

void bind_open_learn(lua_State *L) {
  new_class(L, BIND_OBJECTIVE, objective_methods, objective_release);
  new_class(L, BIND_STATE, state_methods, state_release);
  new_class(L, BIND_PREDICTION, prediction_methods, prediction_release);
  bind_register(L, "bnn.core.", learn_rows);
  lua_pushstring(L, bnn_dtype_name(BNN_REAL));
  lua_setfield(L, -2, "real"); /* the name of the real type */
}
