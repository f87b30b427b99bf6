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
#include "base/mem.h"
#include "bind_flat.h"
#include "bind_posterior.h"
#include "inference/update.h"

/* ---- boxes ---- */

/* The rules of a training: one for all tensors, or several, each for its own. */
typedef struct rules {
  bnn_rule_state *state; /* [n] */
  int n;
  bnn_updater updater; /* of these */
  uint8_t *of;         /* updater.of */
} rules;

static void rules_fini(void *held) {
  rules *r = held;
  for (int i = 0; i < r->n; i++) bnn_rule_state_fini(&r->state[i]);
  bnn_mem_free(r->state);
  bnn_mem_free(r->of);
  bnn_mem_free(r->updater.place);
}

static size_t rules_bytes(const void *held) {
  const rules *r = held;
  size_t reals = 0;
  for (int i = 0; i < r->n; i++) reals += r->state[i].n * (size_t)bnn_rule_slots(r->state[i].rule);
  return reals * sizeof(bnn_real) + r->updater.n_params * BNN_ARRAYS_MAX * sizeof(size_t);
}

static const bind_class rules_class = {
    .name = "bnn.rule_state",
    .noun = "optimizer state",
    .size = sizeof(rules),
    .release = rules_fini,
    .bytes = rules_bytes,
};

static int rules_release(lua_State *L) { return bind_release_box(L, &rules_class); }

static rules *check_rules(lua_State *L, int arg) { return bind_check_box(L, arg, &rules_class); }

bnn_updater *bind_check_updater(lua_State *L, int arg) { return &check_rules(L, arg)->updater; }

/* What rules are made of: those of a state, n of them, and the rule of each of n_params tensors, or NULL. */
typedef struct plan {
  int n;
  struct {
    const bnn_rule *rule;
    const double *option;
    double read[BNN_OPTIONS_MAX]; /* what option points to, of those that Lua gave */
    size_t size;
  } row[BNN_UPDATER_RULES_MAX];
  const uint8_t *of;
  size_t n_params;
  double clip_norm, clip_value;
} plan;

/* On failure rules_fini takes back what was made. */
static bnn_status make_rules(rules *r, const plan *p, bnn_err *err) {
  *r = (rules){.state = bnn_mem_zalloc((size_t)p->n, sizeof *r->state)};
  bnn_updater *u = &r->updater;
  if (p->of) {
    r->of = bnn_mem_alloc(p->n_params, sizeof *r->of);
    u->place = bnn_mem_zalloc(p->n_params * BNN_ARRAYS_MAX, sizeof *u->place);
  }
  if (!r->state || (p->of && (!r->of || !u->place)))
    return bnn_fail(err, BNN_ENOMEM, "the state of an optimizer");
  if (p->of) memcpy(r->of, p->of, p->n_params * sizeof *r->of);
  for (; r->n < p->n; r->n++) {
    BNN_TRY(bnn_rule_state_init(&r->state[r->n], p->row[r->n].rule, p->row[r->n].option,
                                p->row[r->n].size, err));
    u->state[r->n] = &r->state[r->n];
  }
  u->n_rules = p->n;
  u->of = r->of;
  u->n_params = p->of ? p->n_params : 0;
  return bnn_updater_set_clipping(u, p->clip_norm, p->clip_value, err);
}

/* Pushes a box of these, before their first step. */
static rules *push_rules(lua_State *L, const plan *p) {
  rules made;
  bnn_err err;
  bind_push_box(L, &rules_class);
  const bnn_status status = make_rules(&made, p, &err);
  if (status != BNN_OK) rules_fini(&made);
  bind_check(L, status, &err);
  bind_fill_box(L, &rules_class, &made);
  return check_rules(L, lua_gettop(L));
}

/* ---- functions ---- */

/* The words of an option as field choices of the table on top of the stack. */
static void push_choices(lua_State *L, const bnn_option *o) {
  if (!o->choice[0]) return;
  lua_newtable(L);
  for (int i = 0; i < BNN_CHOICES_MAX && o->choice[i]; i++) {
    lua_pushstring(L, o->choice[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "choices");
}

/* core.rules() -> list of {name=, doc=, needs_data_size=, draws_noise=, family=, options = list of
 * {name, doc, value, choices = list of words or nil}} */
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
      push_choices(L, o);
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

/* The values of a rule's options from the list at `index`, as row i of a plan. */
static void read_row(lua_State *L, plan *p, int i, const bnn_rule *rule, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  p->row[i].rule = rule;
  p->row[i].option = p->row[i].read;
  for (int k = 0; k < bnn_rule_options(rule); k++) {
    lua_geti(L, index, k + 1);
    p->row[i].read[k] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
}

/* core.rule_state(rule, {option values in order}, n [, clip_norm, clip_value]) -> state */
static int core_rule_state(lua_State *L) {
  plan p = {.n = 1};
  read_row(L, &p, 0, check_rule(L, 1), 2);
  p.row[0].size = (size_t)bind_check_range(L, 3, "n", 0, INT64_MAX / 64);
  p.clip_norm = luaL_optnumber(L, 4, HUGE_VAL);
  p.clip_value = luaL_optnumber(L, 5, HUGE_VAL);
  push_rules(L, &p);
  return 1;
}

/* The rule of each tensor from the list at arg, which counts rules from 1, in a userdata left on the
 * stack. */
static void read_rule_of(lua_State *L, plan *p, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  p->n_params = lua_rawlen(L, arg);
  uint8_t *of = lua_newuserdatauv(L, p->n_params + 1, 0);
  for (size_t t = 0; t < p->n_params; t++) {
    lua_geti(L, arg, (lua_Integer)t + 1);
    const lua_Integer i = luaL_checkinteger(L, -1);
    if (i < 1 || i > p->n) bind_argerror(L, arg, "expected a rule of %d, got %I", p->n, i);
    of[t] = (uint8_t)(i - 1);
    lua_pop(L, 1);
  }
  p->of = of;
}

/* core.rule_states({the rule of each tensor}, {{rule, options, n}, ...} [, clip_norm, clip_value]) ->
 * state of several rules, each over n elements */
static int core_rule_states(lua_State *L) {
  luaL_checktype(L, 2, LUA_TTABLE);
  const size_t n = lua_rawlen(L, 2);
  if (n < 1 || n > BNN_UPDATER_RULES_MAX)
    bind_error(L, "expected 1 to %d optimizers, got %I", BNN_UPDATER_RULES_MAX, (lua_Integer)n);
  plan p = {.n = (int)n};
  p.clip_norm = luaL_optnumber(L, 3, HUGE_VAL);
  p.clip_value = luaL_optnumber(L, 4, HUGE_VAL);
  lua_settop(L, 4);
  read_rule_of(L, &p, 1);
  for (int i = 0; i < p.n; i++) {
    lua_geti(L, 2, i + 1);
    for (int k = 1; k <= 3; k++) lua_geti(L, 6, k);
    read_row(L, &p, i, check_rule(L, 7), 8);
    p.row[i].size = (size_t)bind_check_range(L, 9, "n", 0, INT64_MAX / 64);
    lua_settop(L, 5);
  }
  push_rules(L, &p);
  return 1;
}

/* ---- methods ---- */

/* state:steps() -> steps done */
static int state_steps(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_rules(L, 1)->state[0].t);
  return 1;
}

/* state:size() -> how many parameters it is for */
static int state_size(lua_State *L) {
  const rules *r = check_rules(L, 1);
  size_t n = 0;
  for (int i = 0; i < r->n; i++) n += r->state[i].n;
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

/* state:sizes() -> list: the same of each rule */
static int state_sizes(lua_State *L) {
  const rules *r = check_rules(L, 1);
  lua_createtable(L, r->n, 0);
  for (int i = 0; i < r->n; i++) {
    lua_pushinteger(L, (lua_Integer)r->state[i].n);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* state:slots() -> list of the moment tensors [n] of each rule, which later steps change */
static int state_slots(lua_State *L) {
  const rules *r = check_rules(L, 1);
  lua_Integer at = 0;
  lua_newtable(L);
  for (int i = 0; i < r->n; i++)
    for (int k = 0; k < bnn_rule_slots(r->state[i].rule) && r->state[i].slot[k]; k++) {
      bind_push_tensor(L);
      bind_fill_tensor(L, -1, bnn_tensor_ref(r->state[i].slot[k]));
      lua_rawseti(L, -2, ++at);
    }
  return 1;
}

void bind_check_rates(lua_State *L, int lr, int noise, const bnn_updater *u, bnn_rate *rates) {
  if (!u->of) {
    rates[0] = (bnn_rate){luaL_checknumber(L, lr), luaL_optnumber(L, noise, 1)};
    return;
  }
  luaL_checktype(L, lr, LUA_TTABLE);
  luaL_checktype(L, noise, LUA_TTABLE);
  for (int i = 0; i < u->n_rules; i++) {
    lua_geti(L, lr, i + 1);
    lua_geti(L, noise, i + 1);
    rates[i] = (bnn_rate){luaL_checknumber(L, -2), luaL_checknumber(L, -1)};
    lua_pop(L, 2);
  }
}

/* state:update(posterior, gradients [trained], lr, key, data_size, noise) -> true | nil, message: one
 * step of the rules on its buffers, in place, for loops of one's own */
static int state_update(lua_State *L) {
  bnn_updater *u = bind_check_updater(L, 1);
  const bnn_posterior *q = bind_check_posterior(L, 2);
  const size_t n = bnn_posterior_trained(q);
  bnn_real *d = bind_check_flat(L, 3, n);
  bnn_rate rates[BNN_UPDATER_RULES_MAX];
  bind_check_rates(L, 4, 7, u, rates);
  const bnn_update_args args = {.rates = rates,
                                .key =
                                    lua_isnoneornil(L, 5) ? bnn_key_new(0) : bind_check_key(L, 5),
                                .data_size = luaL_optnumber(L, 6, 0)};
  if (bnn_updater_clips(u)) {
    bnn_real *own = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &n));
    d = memcpy(own, d, n * sizeof *d);
  }
  bnn_err err;
  bnn_status status = bnn_posterior_update(q, bind_context(L), u, &args, d, &err);
  if (status == BNN_ENAN) return bind_refuse(L, status, &err);
  bind_check(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* state:clone() -> a copy that shares nothing */
static int state_clone(lua_State *L) {
  const rules *from = check_rules(L, 1);
  plan p = {.n = from->n,
            .of = from->of,
            .n_params = from->updater.n_params,
            .clip_norm = from->updater.clip_norm,
            .clip_value = from->updater.clip_value};
  for (int i = 0; i < p.n; i++) {
    p.row[i].rule = from->state[i].rule;
    p.row[i].option = from->state[i].option;
    p.row[i].size = from->state[i].n;
  }
  rules *to = push_rules(L, &p);
  for (int i = 0; i < p.n; i++) {
    const bnn_rule_state *s = &from->state[i];
    bnn_err err;
    for (int k = 0; k < bnn_rule_slots(s->rule); k++)
      bind_check(L, bnn_tensor_copy(to->state[i].slot[k], s->slot[k], &err), &err);
    to->state[i].t = s->t;
  }
  return 1;
}

/* state:restore(steps, slots): the state after `steps` steps with these moments, copied */
static int state_restore(lua_State *L) {
  rules *r = check_rules(L, 1);
  const lua_Integer steps = bind_check_range(L, 2, "steps", 0, INT64_MAX);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_Integer at = 0;
  for (int i = 0; i < r->n; i++) {
    for (int k = 0; k < bnn_rule_slots(r->state[i].rule); k++) {
      bnn_err err;
      lua_rawgeti(L, 3, ++at);
      bnn_tensor *slot = bind_check_tensor(L, lua_gettop(L));
      bind_check(L, bnn_tensor_copy(r->state[i].slot[k], slot, &err), &err);
      lua_pop(L, 1);
    }
    r->state[i].t = (uint64_t)steps;
  }
  return 0;
}

static const luaL_Reg state_methods[] = {{"steps", state_steps},     {"size", state_size},
                                         {"sizes", state_sizes},     {"slots", state_slots},
                                         {"update", state_update},   {"clone", state_clone},
                                         {"restore", state_restore}, {NULL, NULL}};

static const bind_row rows[] = {
    {"rules", core_rules, "rules(): the table of update rules"},
    {"rule_state", core_rule_state,
     "rule_state(rule, options, n): the state of a rule for n parameters"},
    {"rule_states", core_rule_states,
     "rule_states(of, rules): the states of several rules, each for its tensors"},
    {NULL, NULL, NULL},
};

void bind_open_rule(lua_State *L) {
  bind_new_box_class(L, &rules_class, state_methods, rules_release);
  bind_register(L, "bnn.core.", rows);
}
