/* bind_rule.c - the table of update rules, and their states. */
#include "bind_rule.h"

#include <math.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "bind_flat.h"
#include "bind_posterior.h"
#include "inference/update.h"

/* ---- boxes ---- */

static void state_fini(void *held) { bnn_rule_state_fini(held); }

static size_t state_bytes(const void *held) {
  const bnn_rule_state *s = held;
  return s->n * (size_t)bnn_rule_slots(s->rule) * sizeof(bnn_real);
}

static const bind_class state_class = {
    .name = "bnn.rule_state",
    .noun = "optimizer state",
    .size = sizeof(bnn_rule_state),
    .release = state_fini,
    .bytes = state_bytes,
};

static int state_release(lua_State *L) { return bind_release_box(L, &state_class); }

bnn_rule_state *bind_check_rule_state(lua_State *L, int arg) {
  return bind_check_box(L, arg, &state_class);
}

/* ---- functions ---- */

/* core.rules() -> list of {name=, doc=, needs_data_size=, draws_noise=, family=, options = list of
 * {name, doc, value}} */
static int core_rules(lua_State *L) {
  lua_newtable(L);
  for (size_t i = 0; bnn_rule_row(i); i++) {
    const bnn_rule *rule = bnn_rule_row(i);
    lua_createtable(L, 0, 3);
    bind_set_text(L, "name", rule->name);
    bind_set_text(L, "doc", rule->doc);
    lua_pushboolean(L, rule->needs_data_size);
    lua_setfield(L, -2, "needs_data_size");
    lua_pushboolean(L, rule->draws_noise);
    lua_setfield(L, -2, "draws_noise");
    bind_set_text(L, "family", rule->family);
    lua_createtable(L, bnn_rule_options(rule), 0);
    for (int k = 0; k < bnn_rule_options(rule); k++) {
      const bnn_option *o = &rule->option[k];
      lua_createtable(L, 0, 3);
      bind_set_text(L, "name", o->name);
      bind_set_text(L, "doc", o->doc);
      lua_pushnumber(L, o->value);
      lua_setfield(L, -2, "value");
      lua_rawseti(L, -2, k + 1);
    }
    lua_setfield(L, -2, "options");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static const bnn_rule *check_rule(lua_State *L, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const bnn_rule *rule = bnn_rule_find(name);
  if (!rule) bind_argerror(L, arg, "no optimizer is called '%s'", name);
  return rule;
}

/* core.rule_state(rule, {option values in order}, n [, clip_norm, clip_value]) -> state */
static int core_rule_state(lua_State *L) {
  const bnn_rule *rule = check_rule(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Integer n = bind_check_range(L, 3, "n", 0, INT64_MAX / 64);
  const double norm = luaL_optnumber(L, 4, HUGE_VAL), value = luaL_optnumber(L, 5, HUGE_VAL);
  double option[BNN_OPTIONS_MAX];
  for (int k = 0; k < bnn_rule_options(rule); k++) {
    lua_geti(L, 2, k + 1);
    option[k] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  bnn_rule_state s;
  bnn_err err;
  bind_push_box(L, &state_class);
  bind_check(L, bnn_rule_state_init(&s, rule, option, (size_t)n, &err), &err);
  bind_fill_box(L, &state_class, &s);
  bnn_rule_state *made = bind_check_rule_state(L, lua_gettop(L));
  bind_check(L, bnn_rule_set_clipping(made, norm, value, &err), &err);
  return 1;
}

/* ---- methods ---- */

/* state:steps() -> steps done */
static int state_steps(lua_State *L) {
  const bnn_rule_state *s = bind_check_rule_state(L, 1);
  lua_pushinteger(L, (lua_Integer)s->t);
  return 1;
}

/* state:size() -> how many parameters it is for */
static int state_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bind_check_rule_state(L, 1)->n);
  return 1;
}

/* state:slots() -> list of the moment tensors [n], which later steps change */
static int state_slots(lua_State *L) {
  const bnn_rule_state *s = bind_check_rule_state(L, 1);
  lua_createtable(L, bnn_rule_slots(s->rule), 0);
  for (int k = 0; k < bnn_rule_slots(s->rule) && s->slot[k]; k++) {
    bind_push_tensor(L);
    bind_fill_tensor(L, -1, bnn_tensor_ref(s->slot[k]));
    lua_rawseti(L, -2, k + 1);
  }
  return 1;
}

/* state:update(posterior, gradients [trained], lr, key, data_size, noise) -> true | nil, message: one
 * step of the rule on its buffers, in place, for loops of one's own */
static int state_update(lua_State *L) {
  bnn_rule_state *s = bind_check_rule_state(L, 1);
  const bnn_posterior *q = bind_check_posterior(L, 2);
  const size_t n = bnn_posterior_trained(q);
  bnn_real *d = bind_check_flat(L, 3, n);
  const bnn_update_args args = {.lr = luaL_checknumber(L, 4),
                                .key =
                                    lua_isnoneornil(L, 5) ? bnn_key_new(0) : bind_check_key(L, 5),
                                .data_size = luaL_optnumber(L, 6, 0),
                                .noise = luaL_optnumber(L, 7, 1)};
  if (bnn_rule_clips(s)) {
    bnn_real *own = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &n));
    d = memcpy(own, d, n * sizeof *d);
  }
  bnn_err err;
  bnn_status status = bnn_posterior_update(q, bind_context(L), s, &args, d, &err);
  if (status == BNN_ENAN) return bind_refuse(L, status, &err);
  bind_check(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* state:clone() -> a copy that shares nothing */
static int state_clone(lua_State *L) {
  const bnn_rule_state *s = bind_check_rule_state(L, 1);
  bnn_rule_state copy;
  bnn_err err;
  bind_push_box(L, &state_class);
  bind_check(L, bnn_rule_state_init(&copy, s->rule, s->option, s->n, &err), &err);
  bind_fill_box(L, &state_class, &copy);
  bnn_rule_state *clone = bind_check_rule_state(L, lua_gettop(L));
  s = bind_check_rule_state(L, 1);
  for (int k = 0; k < bnn_rule_slots(s->rule); k++)
    bind_check(L, bnn_tensor_copy(clone->slot[k], s->slot[k], &err), &err);
  clone->t = s->t;
  clone->clip_norm = s->clip_norm;
  clone->clip_value = s->clip_value;
  return 1;
}

/* state:restore(steps, slots): the state after `steps` steps with these moments [n], copied */
static int state_restore(lua_State *L) {
  bnn_rule_state *s = bind_check_rule_state(L, 1);
  lua_Integer steps = bind_check_range(L, 2, "steps", 0, INT64_MAX);
  luaL_checktype(L, 3, LUA_TTABLE);
  for (int k = 0; k < bnn_rule_slots(s->rule); k++) {
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
    {"rules", core_rules, "rules(): the table of update rules"},
    {"rule_state", core_rule_state,
     "rule_state(rule, options, n): the state of a rule for n parameters"},
    {NULL, NULL, NULL},
};

void bind_open_rule(lua_State *L) {
  bind_new_box_class(L, &state_class, state_methods, state_release);
  bind_register(L, "bnn.core.", rows);
}
