/* bind_optimizer.c - the optimizer table, and the states of its rules. */
#include "bind_optimizer.h"

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "bind_flat.h"

/* ---- boxes ---- */

static void state_fini(void *held) { bnn_optimizer_state_fini(held); }

static size_t state_bytes(const void *held) {
  const bnn_optimizer_state *s = held;
  return s->n * (size_t)s->rule->n_slots * sizeof(bnn_real);
}

static const bind_class state_class = {
    .name = "bnn.optimizer_state",
    .noun = "optimizer state",
    .size = sizeof(bnn_optimizer_state),
    .release = state_fini,
    .bytes = state_bytes,
};

static int state_release(lua_State *L) { return bind_release_box(L, &state_class); }

bnn_optimizer_state *bind_check_optimizer_state(lua_State *L, int arg) {
  return bind_check_box(L, arg, &state_class);
}

/* ---- functions ---- */

/* core.optimizers() -> list of {name, doc, options = list of {name, doc, value, lo, hi, open}} */
static int core_optimizers(lua_State *L) {
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
  if (!rule) bind_argerror(L, arg, "no optimizer is called '%s'", name);
  return rule;
}

/* core.optimizer_state(rule, {option values in order}, n) -> state */
static int core_optimizer_state(lua_State *L) {
  const bnn_optimizer *rule = check_rule(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer n = bind_check_range(L, 3, "n", 0, INT64_MAX / 64);
  double option[BNN_OPTIONS_MAX];
  for (int k = 0; k < rule->n_options; k++) {
    lua_geti(L, 2, k + 1);
    option[k] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  bnn_optimizer_state s;
  bnn_err err;
  bind_push_box(L, &state_class);
  bind_check(L, bnn_optimizer_state_init(&s, rule, option, (size_t)n, &err), &err);
  return bind_fill_box(L, &state_class, &s);
}

/* ---- methods ---- */

/* state:steps() -> steps done */
static int state_steps(lua_State *L) {
  const bnn_optimizer_state *s = bind_check_optimizer_state(L, 1);
  lua_pushinteger(L, (lua_Integer)s->t);
  return 1;
}

/* state:size() -> how many parameters it is for */
static int state_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bind_check_optimizer_state(L, 1)->n);
  return 1;
}

/* state:slots() -> list of the moment tensors [n], which later steps change */
static int state_slots(lua_State *L) {
  const bnn_optimizer_state *s = bind_check_optimizer_state(L, 1);
  lua_createtable(L, s->rule->n_slots, 0);
  for (int k = 0; k < s->rule->n_slots && s->slot[k]; k++) {
    bind_push_tensor(L);
    bind_fill_tensor(L, -1, bnn_tensor_ref(s->slot[k]));
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

/* state:update(w, gradient [, lr]): one step of the rule on w [n], in place, for loops of one's
 * own */
static int state_update(lua_State *L) {
  bnn_optimizer_state *s = bind_check_optimizer_state(L, 1);
  bnn_real *w = bind_check_flat(L, 2, s->n);
  const bnn_real *g = bind_check_flat(L, 3, s->n);
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
  const bnn_optimizer_state *s = bind_check_optimizer_state(L, 1);
  bnn_optimizer_state copy;
  bnn_err err;
  bind_push_box(L, &state_class);
  bind_check(L, bnn_optimizer_state_init(&copy, s->rule, s->option, s->n, &err), &err);
  bind_fill_box(L, &state_class, &copy);
  bnn_optimizer_state *clone = bind_check_optimizer_state(L, lua_gettop(L));
  s = bind_check_optimizer_state(L, 1);
  for (int k = 0; k < s->rule->n_slots; k++)
    bind_check(L, bnn_tensor_copy(clone->slot[k], s->slot[k], &err), &err);
  clone->t = s->t;
  return 1;
}

/* state:restore(steps, slots): the state after `steps` steps with these moments [n], copied */
static int state_restore(lua_State *L) {
  bnn_optimizer_state *s = bind_check_optimizer_state(L, 1);
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

static const luaL_Reg state_methods[] = {{"steps", state_steps},
                                         {"size", state_size},
                                         {"slots", state_slots},
                                         {"update", state_update},
                                         {"clone", state_clone},
                                         {"restore", state_restore},
                                         {NULL, NULL}};

static const bind_row rows[] = {
    {"optimizers", core_optimizers, "optimizers(): the optimizer table"},
    {"optimizer_state", core_optimizer_state,
     "optimizer_state(rule, options, n): the state of a rule for n parameters"},
    {NULL, NULL, NULL},
};

void bind_open_optimizer(lua_State *L) {
  bind_new_box_class(L, &state_class, state_methods, state_release);
  bind_register(L, "bnn.core.", rows);
}
