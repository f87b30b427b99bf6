/* bind_posterior.c - posteriors: families over flat tensors that Lua holds as well; what users see is
 * scripts/bnn/posterior/posterior_class.lua. */
#include "bind_posterior.h"

#include <math.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "base/mem.h"
#include "bind_flat.h"
#include "inference/estimator.h"
#include "inference/posterior_mixture.h"
#include "inference/update.h"

/* ---- boxes ---- */

/* A posterior with what it points to: its layout, and its groups and the tensors of their buffers, or
 * its mixture, whose components the box's uservalue keeps. */
typedef struct posterior {
  bnn_posterior *q;
  bnn_layout *layout;
  bnn_group *group;
  bnn_tensor **tensor; /* [n_groups * BNN_BUFFERS_MAX], references or NULL */
  bnn_mixture *mixture;
} posterior;

static void mixture_free(bnn_mixture *m) {
  if (!m) return;
  bnn_mem_free((void *)(uintptr_t)m->component);
  bnn_mem_free((void *)(uintptr_t)m->order);
  bnn_mem_free(m);
}

static void posterior_free(void *held) {
  posterior *p = held;
  for (size_t i = 0; p->q && p->tensor && i < p->q->n_groups * BNN_BUFFERS_MAX; i++)
    bnn_tensor_unref(p->tensor[i]);
  if (p->layout) bnn_layout_fini(p->layout);
  bnn_mem_free(p->layout);
  bnn_mem_free(p->group);
  bnn_mem_free(p->tensor);
  mixture_free(p->mixture);
  bnn_mem_free(p->q);
}

/* The three arrays of a mixture's order are one block. */
static size_t order_words(const bnn_mixture *m) { return 2 * m->period + m->n; }

static size_t mixture_bytes(const bnn_mixture *m) {
  if (!m) return 0;
  return sizeof *m + m->n * sizeof(bnn_posterior *) + order_words(m) * sizeof(uint32_t);
}

static size_t posterior_bytes(const void *held) {
  const posterior *p = held;
  return sizeof *p->q + sizeof *p->layout + p->layout->n_params * sizeof *p->layout->param +
         p->q->n_groups * (sizeof *p->group + BNN_BUFFERS_MAX * sizeof *p->tensor) +
         mixture_bytes(p->mixture);
}

static const bind_class posterior_class = {
    .name = "bnn.core.posterior",
    .noun = "posterior",
    .size = sizeof(posterior),
    .release = posterior_free,
    .bytes = posterior_bytes,
};

static int posterior_release(lua_State *L) { return bind_release_box(L, &posterior_class); }

const bnn_posterior *bind_check_posterior(lua_State *L, int arg) {
  return ((const posterior *)bind_check_box(L, arg, &posterior_class))->q;
}

/* ---- making one ---- */

/* Sets field `estimators` of the table on top to the names of those that suit the family. */
static void set_estimators(lua_State *L, const bnn_family *family) {
  lua_newtable(L);
  for (int e = 0; e < BNN_ESTIMATOR_COUNT; e++)
    if (family->backward && bnn_estimator_suits((bnn_estimator)e, family)) {
      lua_pushstring(L, bnn_estimator_name((bnn_estimator)e));
      lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    }
  lua_setfield(L, -2, "estimators");
}

/* core.estimators() -> list of names */
static int core_estimators(lua_State *L) {
  lua_createtable(L, BNN_ESTIMATOR_COUNT, 0);
  for (int e = 0; e < BNN_ESTIMATOR_COUNT; e++) {
    lua_pushstring(L, bnn_estimator_name((bnn_estimator)e));
    lua_rawseti(L, -2, e + 1);
  }
  return 1;
}

/* core.families() -> list of {name=, doc=, trained=, joint= (its KL is one number), estimators = list
 * of names, buffers = list of {name=, doc=, has_rows=}} */
static int core_families(lua_State *L) {
  lua_newtable(L);
  for (size_t i = 0; bnn_family_row(i); i++) {
    const bnn_family *family = bnn_family_row(i);
    lua_createtable(L, 0, 3);
    bind_set_text(L, "name", family->name);
    bind_set_text(L, "doc", family->doc);
    lua_pushboolean(L, family->backward != NULL);
    lua_setfield(L, -2, "trained");
    lua_pushboolean(L, family->prepare != NULL);
    lua_setfield(L, -2, "joint");
    set_estimators(L, family);
    lua_createtable(L, family->n_buffers, 0);
    for (int b = 0; b < family->n_buffers; b++) {
      lua_createtable(L, 0, 2);
      bind_set_text(L, "name", family->buffer[b].name);
      bind_set_text(L, "doc", family->buffer[b].doc);
      lua_pushboolean(L, family->buffer[b].has_rows);
      lua_setfield(L, -2, "has_rows");
      lua_rawseti(L, -2, b + 1);
    }
    lua_setfield(L, -2, "buffers");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* The family of the group on top of the stack. */
static const bnn_family *check_family(lua_State *L) {
  lua_getfield(L, -1, "family");
  const char *name = luaL_checkstring(L, -1);
  const bnn_family *family = bnn_family_find(name);
  if (!family) bind_error(L, "no family of posteriors is called '%s'", name);
  lua_pop(L, 1);
  return family;
}

/* Group g is the table {family=, tensors= (how many of the layout), rows=, state= (whether no rule
 * updates it), buffers= (flat tensors)}
 * on top of the stack; it begins at tensor `first` of the layout.  Gives the tensor after it. */
static size_t check_group(lua_State *L, posterior *p, size_t g, size_t first) {
  const size_t left = p->layout->n_params - first;
  const int n = bind_field_integer(L, -1, "tensors", -1);
  if (n < 0 || (size_t)n > left)
    bind_error(L, "group %I: expected at most %I tensors, got %d", (lua_Integer)g + 1,
               (lua_Integer)left, n);
  const size_t end = first + (size_t)n;
  bnn_group *group = &p->group[g];
  *group = (bnn_group){
      .family = check_family(L),
      .layout = p->layout,
      .first = first < p->layout->n_params ? p->layout->param[first].offset : p->layout->size,
      .end = end < p->layout->n_params ? p->layout->param[end].offset : p->layout->size,
  };
  const int group_rows = bind_field_integer(L, -1, "rows", 0);
  lua_getfield(L, -1, "state");
  group->is_state = group->family->is_point && lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (group_rows < 0) bind_error(L, "rows: expected a number of rows, got %d", group_rows);
  group->rows = (size_t)group_rows;
  lua_getfield(L, -1, "buffers");
  for (int b = 0; b < group->family->n_buffers; b++) {
    lua_geti(L, -1, b + 1);
    const int at = lua_gettop(L);
    const size_t rows = group->family->buffer[b].has_rows ? group->rows : 1;
    if (rows == 0) bind_error(L, "%s: expected a row or more", group->family->name);
    group->buffer[b] = bind_check_flat(L, at, rows * (group->end - group->first));
    p->tensor[g * BNN_BUFFERS_MAX + (size_t)b] = bnn_tensor_ref(bind_check_tensor(L, at));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return end;
}

/* A layout, copied to memory of the posterior's own. */
static bnn_status copy_layout(bnn_layout *own, const bnn_layout *lent, bnn_err *err) {
  own->param = bnn_mem_alloc(lent->n_params, sizeof *lent->param);
  if (!own->param) return bnn_fail(err, BNN_ENOMEM, "a layout of %zu tensors", lent->n_params);
  memcpy(own->param, lent->param, lent->n_params * sizeof *lent->param);
  own->n_params = lent->n_params;
  own->size = lent->size;
  return BNN_OK;
}

/* core.posterior({sizes of the tensors}, {groups, in order: {family=, tensors=, rows=,
 * buffers={flat, ...}}}) -> posterior.  It is filled empty at first, so that an error in a group leaks
 * nothing. */
static int core_posterior(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 20, NULL);
  const size_t n = lua_rawlen(L, 2);
  bnn_err err;
  bind_push_box(L, &posterior_class);
  posterior made = {.q = bnn_mem_zalloc(1, sizeof *made.q),
                    .layout = bnn_mem_zalloc(1, sizeof *made.layout),
                    .group = bnn_mem_zalloc(n, sizeof *made.group),
                    .tensor = bnn_mem_zalloc(n * BNN_BUFFERS_MAX, sizeof *made.tensor)};
  if (!made.q || !made.layout || !made.group || !made.tensor) {
    posterior_free(&made);
    bind_error(L, "not enough memory for a posterior of %I groups", (lua_Integer)n);
  }
  *made.q = (bnn_posterior){.layout = made.layout, .n_groups = n, .group = made.group};
  bind_fill_box(L, &posterior_class, &made);
  posterior *p = bind_check_box(L, 3, &posterior_class);
  const bnn_layout lent = bind_check_layout(L, 1);
  bind_check(L, copy_layout(p->layout, &lent, &err), &err);
  size_t first = 0;
  for (size_t g = 0; g < n; g++) {
    lua_geti(L, 2, (lua_Integer)g + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    first = check_group(L, p, g, first);
    lua_pop(L, 1);
  }
  bind_check(L, bnn_posterior_check(p->q, &err), &err);
  lua_settop(L, 3);
  return 1;
}

/* ---- mixtures ---- */

/* The weights of the list at argument 2, and what a period gets by them. */
static bnn_status fill_order(lua_State *L, bnn_mixture *m, double *weight, size_t *members,
                             bnn_err *err) {
  for (size_t c = 0; c < m->n; c++) {
    const size_t support = bnn_posterior_support(m->component[c]);
    members[c] = support > 0 ? support : 1;
    lua_geti(L, 2, (lua_Integer)c + 1);
    weight[c] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  m->period = bnn_mixture_period(weight, members, m->n);
  if (m->period == 0) m->period = BNN_MIXTURE_PERIOD;
  uint32_t *block = bnn_mem_alloc(order_words(m), sizeof *block);
  if (!block) return bnn_fail(err, BNN_ENOMEM, "the order of %zu samples", m->period);
  uint32_t *turn = block + m->period, *share = turn + m->period;
  m->order = block, m->turn = turn, m->share = share;
  bnn_mixture_order(block, turn, share, weight, m->n, m->period);
  return BNN_OK;
}

/* Pushes the box of a mixture of n posteriors, whose components are not there yet. */
static posterior *push_mixture(lua_State *L, size_t n) {
  bind_push_box(L, &posterior_class);
  posterior made = {.q = bnn_mem_zalloc(1, sizeof *made.q),
                    .layout = bnn_mem_zalloc(1, sizeof *made.layout),
                    .mixture = bnn_mem_zalloc(1, sizeof *made.mixture)};
  const bnn_posterior **component = bnn_mem_zalloc(n, sizeof *component);
  if (!made.q || !made.layout || !made.mixture || !component) {
    bnn_mem_free(component);
    posterior_free(&made);
    bind_error(L, "not enough memory for a mixture of %I posteriors", (lua_Integer)n);
  }
  *made.mixture = (bnn_mixture){.n = n, .component = component};
  *made.q = (bnn_posterior){.layout = made.layout, .mixture = made.mixture};
  bind_fill_box(L, &posterior_class, &made);
  return bind_check_box(L, -1, &posterior_class);
}

/* The posterior at `index` of the list at argument 1, which keeps it. */
static const bnn_posterior *component_at(lua_State *L, size_t index) {
  lua_geti(L, 1, (lua_Integer)index + 1);
  const bnn_posterior *q = bind_check_posterior(L, -1);
  lua_pop(L, 1);
  return q;
}

/* core.mixture({posteriors}, {weights, of sum 1}) -> posterior, which keeps the first list */
static int core_mixture(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const size_t n = lua_rawlen(L, 1);
  bind_argcheck(L, n > 0, 1, "expected a posterior or more");
  double *weight = lua_newuserdatauv(L, n * sizeof *weight, 0);
  size_t *members = lua_newuserdatauv(L, n * sizeof *members, 0);
  bnn_err err;
  const posterior *made = push_mixture(L, n);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  const bnn_posterior **component = (const bnn_posterior **)(uintptr_t)made->mixture->component;
  for (size_t c = 0; c < n; c++) component[c] = component_at(L, c);
  bind_check(L, copy_layout(made->layout, component[0]->layout, &err), &err);
  bind_check(L, bnn_posterior_check(made->q, &err), &err);
  bind_check(L, fill_order(L, made->mixture, weight, members, &err), &err);
  return 1;
}

/* posterior:component(s) -> which component of a mixture sample s is of, and which of its samples */
static int posterior_component(lua_State *L) {
  const bnn_posterior *q = bind_check_posterior(L, 1);
  bind_argcheck(L, q->mixture != NULL, 1, "expected a mixture");
  int64_t own;
  const size_t c =
      bnn_mixture_component(q->mixture, bind_check_range(L, 2, "s", 1, INT64_MAX), &own);
  lua_pushinteger(L, (lua_Integer)c + 1);
  lua_pushinteger(L, own);
  return 2;
}

/* ---- methods ---- */

/* posterior:sample(key [, s]) -> theta of sample s, 1, flat */
static int posterior_sample(lua_State *L) {
  const bnn_posterior *q = bind_check_posterior(L, 1);
  const bnn_key key = bind_check_key(L, 2);
  const lua_Integer s = lua_isnoneornil(L, 3) ? 1 : bind_check_range(L, 3, "s", 1, INT64_MAX);
  bnn_real *theta = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &q->layout->size));
  bnn_posterior_sample(q, bind_context(L), theta, key, s);
  return 1;
}

/* A posterior made of families: a mixture has no moments of its own. */
static const bnn_posterior *check_families(lua_State *L) {
  const bnn_posterior *q = bind_check_posterior(L, 1);
  bind_argcheck(L, !q->mixture, 1, "expected a posterior of families, got a mixture");
  return q;
}

/* posterior:mean() -> flat */
static int posterior_mean(lua_State *L) {
  const bnn_posterior *q = check_families(L);
  bnn_posterior_mean(q, bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &q->layout->size)));
  return 1;
}

/* posterior:std() -> flat; nil if a family has none */
static int posterior_std(lua_State *L) {
  const bnn_posterior *q = check_families(L);
  bnn_tensor *sigma = bind_push_new(L, BNN_REAL, 1, &q->layout->size);
  if (!bnn_posterior_std(q, bnn_tensor_real(sigma))) lua_pushnil(L);
  return 1;
}

/* posterior:trained() -> elements of all its buffers */
static int posterior_trained(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bnn_posterior_trained(bind_check_posterior(L, 1)));
  return 1;
}

static const bnn_posterior *check_trainable(lua_State *L) {
  const bnn_posterior *q = bind_check_posterior(L, 1);
  bind_argcheck(L, bnn_posterior_is_trainable(q), 1, "expected a posterior that can be trained");
  return q;
}

/* posterior:read() -> all buffers, one after the other, flat */
static int posterior_read(lua_State *L) {
  const bnn_posterior *q = check_trainable(L);
  const size_t n = bnn_posterior_trained(q);
  bnn_posterior_read(q, bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &n)));
  return 1;
}

/* posterior:write(flat): into all buffers */
static int posterior_write(lua_State *L) {
  const bnn_posterior *q = check_trainable(L);
  bnn_posterior_write(q, bind_check_flat(L, 2, bnn_posterior_trained(q)));
  return 0;
}

/* posterior:clip(gradients [, norm, value]) -> clipped gradients, in new memory | nil, message: one is
 * not finite */
static int posterior_clip(lua_State *L) {
  const bnn_posterior *q = check_trainable(L);
  const size_t n = bnn_posterior_trained(q);
  const bnn_real *d = bind_check_flat(L, 2, n);
  const double norm = luaL_optnumber(L, 3, HUGE_VAL), value = luaL_optnumber(L, 4, HUGE_VAL);
  bnn_real *clipped = bnn_tensor_real(bind_push_new(L, BNN_REAL, 1, &n));
  memcpy(clipped, d, n * sizeof *d);
  bnn_err err;
  bnn_status status = bnn_posterior_clip(q, bind_context(L), norm, value, clipped, &err);
  return status == BNN_OK ? 1 : bind_refuse(L, status, &err);
}

/* posterior:support() -> how many samples there are; 0: any number can be drawn */
static int posterior_support(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bnn_posterior_support(bind_check_posterior(L, 1)));
  return 1;
}

/* posterior:is_trainable() */
static int posterior_is_trainable(lua_State *L) {
  lua_pushboolean(L, bnn_posterior_is_trainable(bind_check_posterior(L, 1)));
  return 1;
}

/* A number at the end of the list on top of the stack; false where there is none. */
static void push_number_or_false(lua_State *L, double nats) {
  if (nats != nats)
    lua_pushboolean(L, false);
  else
    lua_pushnumber(L, nats);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* posterior:kl({deviations of the prior, by tensor; false: of another kind}) -> list: the KL of each
 * tensor in nats, false where its family has none in closed form */
static int posterior_kl(lua_State *L) {
  const bnn_posterior *q = bind_check_posterior(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_createtable(L, (int)q->layout->n_params, 0);
  for (size_t t = 0; t < q->layout->n_params; t++) {
    lua_geti(L, 2, (lua_Integer)t + 1);
    const double std = lua_toboolean(L, -1) ? luaL_checknumber(L, -1) : NAN;
    lua_pop(L, 1);
    if (std <= 0) bind_argerror(L, 2, "expected standard deviations of the prior above 0");
    push_number_or_false(L, std == std ? bnn_posterior_kl(q, t, std) : NAN);
  }
  return 1;
}

/* posterior:entropy() -> list: that of each tensor in nats, false of a point */
static int posterior_entropy(lua_State *L) {
  const bnn_posterior *q = bind_check_posterior(L, 1);
  lua_createtable(L, (int)q->layout->n_params, 0);
  for (size_t t = 0; t < q->layout->n_params; t++)
    push_number_or_false(L, bnn_posterior_entropy(q, t));
  return 1;
}

/* posterior:rms() -> list: the root of the mean of E w^2 of each tensor, false of a family that is
 * not trained */
static int posterior_rms(lua_State *L) {
  const bnn_posterior *q = bind_check_posterior(L, 1);
  lua_createtable(L, (int)q->layout->n_params, 0);
  for (size_t t = 0; t < q->layout->n_params; t++)
    push_number_or_false(L, bnn_posterior_rms(q, t, 1));
  return 1;
}

/* core.overwrite(x, from): the elements of one flat tensor into another of the same size */
static int core_overwrite(lua_State *L) {
  bnn_tensor *x = bind_check_typed(L, 1, BNN_REAL);
  bnn_real *to = bind_check_flat(L, 1, x->size);
  memmove(to, bind_check_flat(L, 2, x->size), x->size * sizeof *to);
  return 0;
}

static const luaL_Reg posterior_methods[] = {{"sample", posterior_sample},
                                             {"mean", posterior_mean},
                                             {"trained", posterior_trained},
                                             {"support", posterior_support},
                                             {"read", posterior_read},
                                             {"write", posterior_write},
                                             {"clip", posterior_clip},
                                             {"is_trainable", posterior_is_trainable},
                                             {"kl", posterior_kl},
                                             {"entropy", posterior_entropy},
                                             {"rms", posterior_rms},
                                             {"std", posterior_std},
                                             {"component", posterior_component},
                                             {NULL, NULL}};

static const bind_row rows[] = {
    {"families", core_families, "families(): the table of families of posteriors"},
    {"estimators", core_estimators, "estimators(): the names that bnn.elbo{estimator=} takes"},
    {"posterior", core_posterior, "posterior(sizes, groups): families over flat tensors"},
    {"mixture", core_mixture, "mixture(posteriors, weights): which predict together"},
    {"overwrite", core_overwrite, "overwrite(x, from): copies one flat tensor into another"},
    {NULL, NULL, NULL},
};

void bind_open_posterior(lua_State *L) {
  bind_new_box_class(L, &posterior_class, posterior_methods, posterior_release);
  bind_register(L, "bnn.core.", rows);
}
