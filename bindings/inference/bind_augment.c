/* bind_augment.c - augmentations, and rows of a batch that carry one. */
#include "bind_augment.h"

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "bind_batch.h"

/* ---- augmentation ---- */

typedef struct augment {
  bnn_augment *a;
} augment;

static void augment_free(void *held) { bnn_augment_free(((augment *)held)->a); }

static size_t augment_bytes(const void *held) {
  return bnn_augment_bytes(((const augment *)held)->a);
}

static const bind_class augment_class = {
    .name = "bnn.augment",
    .noun = "augmentation",
    .size = sizeof(augment),
    .release = augment_free,
    .bytes = augment_bytes,
};

static int augment_release(lua_State *L) { return bind_release_box(L, &augment_class); }

/* The entry {name, amount [, edge]} on top of the stack, which is popped. */
static bnn_augment_item check_item(lua_State *L, int arg) {
  static const char *const edges[] = {
#define X(tag, name) name,
      BNN_EDGE_ROWS(X)
#undef X
          NULL};
  luaL_checktype(L, -1, LUA_TTABLE);
  const int at = lua_gettop(L);
  lua_geti(L, at, 1);
  lua_geti(L, at, 2);
  lua_geti(L, at, 3);
  const bnn_augmentation *kind = bnn_augmentation_find(luaL_checkstring(L, at + 1));
  if (!kind) bind_argerror(L, arg, "no augmentation is called '%s'", lua_tostring(L, at + 1));
  const bnn_augment_item item = {kind, bind_check_number(L, at + 2),
                                 (bnn_edge)luaL_checkoption(L, at + 3, "zero", edges)};
  lua_settop(L, at - 1);
  return item;
}

/* core.augment({{name, amount [, edge]}, ...}, classes, x, y or nil) -> augmentation of rows of x, y */
static int core_augment(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  const size_t n = lua_rawlen(L, 1);
  const lua_Integer classes = bind_check_range(L, 2, "classes", 0, INT32_MAX);
  bnn_tensor *x = bind_check_tensor(L, 3), *y = bind_opt_tensor(L, 4);
  bnn_augment_item *items = lua_newuserdatauv(L, (n + 1) * sizeof *items, 0);
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, 1, (lua_Integer)i + 1);
    items[i] = check_item(L, 1);
  }
  bnn_err err;
  augment made = {NULL};
  bind_push_box(L, &augment_class);
  bind_check(L, bnn_augment_new(&made.a, items, n, (size_t)classes, &err), &err);
  bind_fill_box(L, &augment_class, &made);
  bind_check(L, bnn_augment_check(made.a, x, y, &err), &err);
  return 1;
}

/* core.augmentations() -> list of {name=, amount=, least=, most=, whole=, mixes=} */
static int core_augmentations(lua_State *L) {
  lua_newtable(L);
  const bnn_augmentation *kind;
  for (size_t i = 0; (kind = bnn_augmentation_at(i)); i++) {
    lua_createtable(L, 0, 6);
    lua_pushstring(L, kind->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, kind->amount);
    lua_setfield(L, -2, "amount");
    lua_pushnumber(L, kind->least);
    lua_setfield(L, -2, "least");
    lua_pushnumber(L, kind->most);
    lua_setfield(L, -2, "most");
    lua_pushboolean(L, kind->whole);
    lua_setfield(L, -2, "whole");
    lua_pushboolean(L, kind->stage == BNN_AUGMENT_MIX);
    lua_setfield(L, -2, "mixes");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* ---- rows ---- */

static const luaL_Reg no_methods[] = {{NULL, NULL}};

#define AUGMENTED_ROWS "bnn.augmented_rows"

/* Rows of a batch that are augmented: in place of a tensor of rows.  The tensor and the augmentation are
 * its uservalues. */
typedef struct augmented_rows {
  bnn_tensor *rows;
  const bnn_augment *augment;
  bnn_key key;
  size_t input, targets, weights; /* sources; 0: no targets, no weights */
} augmented_rows;

/* Which tensor of a batch, counted from 1, or 0 for none, as a source. */
static size_t opt_source(lua_State *L, int arg, const char *name) {
  if (lua_isnoneornil(L, arg)) return 0;
  const size_t at = (size_t)bind_check_range(L, arg, name, 0, BNN_FEEDS_MAX);
  return at > 0 ? at - 1 : 0;
}

/* core.augmented_rows(rows, augmentation, key, input = 1, targets = 0, weights = 0) -> rows for a batch:
 * which of its tensors is augmented, and what is mixed with it, 0 for none, counted from 1 */
static int core_augmented_rows(lua_State *L) {
  bnn_tensor *rows = bind_check_dense(L, 1, BNN_I32);
  const augment *of = bind_check_box(L, 2, &augment_class);
  const bnn_key key = bind_check_key(L, 3);
  const size_t input =
      lua_isnoneornil(L, 4) ? 1 : (size_t)bind_check_range(L, 4, "input", 1, BNN_FEEDS_MAX);
  const size_t targets = opt_source(L, 5, "targets"), weights = opt_source(L, 6, "weights");
  augmented_rows *made = lua_newuserdatauv(L, sizeof *made, 2);
  *made = (augmented_rows){rows, of->a, key, input - 1, targets, weights};
  bind_set_metatable(L, AUGMENTED_ROWS, no_methods);
  for (int i = 1; i <= 2; i++) {
    lua_pushvalue(L, i);
    lua_setiuservalue(L, -2, i);
  }
  return 1;
}

const bnn_tensor *bind_check_rows(lua_State *L, int arg, bnn_batch *batch) {
  const augmented_rows *augmented = luaL_testudata(L, arg, AUGMENTED_ROWS);
  if (!augmented) return lua_isnoneornil(L, arg) ? NULL : bind_check_dense(L, arg, BNN_I32);
  batch->augment = augmented->augment;
  batch->augment_key = augmented->key;
  batch->augmented = augmented->input;
  batch->mixed = augmented->targets;
  batch->weights = augmented->weights;
  return augmented->rows;
}

/* The rows of y, as the network sees them; nil of none. */
static void push_targets(lua_State *L, const bnn_batch *batch, const bnn_tensor *y) {
  if (!y) {
    lua_pushnil(L);
    return;
  }
  const bool is_mixed = bnn_augment_mixes(batch->augment);
  bnn_shape shape = bnn_shape_of(y);
  shape.dim[0] = batch->count;
  if (is_mixed && shape.dtype == BNN_I32)
    shape.rank = 2, shape.dim[1] = bnn_augment_target_size(batch->augment, y);
  if (is_mixed || shape.dtype == BNN_U8) shape.dtype = BNN_REAL;
  bnn_tensor *out = bind_push_new(L, shape.dtype, shape.rank, shape.dim);
  bnn_batch_gather(out->data, shape.dtype, batch, 1, 0, batch->count);
}

/* core.gather_augmented(x, y or nil, augmented rows, from, count, weight) -> rows of x, of y or nil, and
 * of weight if it is there */
static int core_gather_augmented(lua_State *L) {
  const bnn_tensor *x = bind_check_tensor(L, 1), *y = bind_opt_tensor(L, 2);
  const bnn_tensor *weight = bind_opt_tensor(L, 6);
  luaL_checkudata(L, 3, AUGMENTED_ROWS);
  const bnn_batch batch = bind_check_batch_of(L, x, y, weight, 3);
  bnn_shape shape = bnn_shape_of(x);
  shape.dim[0] = batch.count;
  bnn_tensor *out = bind_push_new(L, BNN_REAL, shape.rank, shape.dim);
  bnn_batch_gather(out->data, BNN_REAL, &batch, 0, 0, batch.count);
  push_targets(L, &batch, y);
  if (!weight) return 2;
  out = bind_push_new(L, BNN_REAL, 1, &batch.count);
  bnn_batch_gather(out->data, BNN_REAL, &batch, 2, 0, batch.count);
  return 3;
}

static const bind_row rows[] = {
    {"augment", core_augment, "augment(list, classes, x, y): an augmentation of rows of x and y"},
    {"augmentations", core_augmentations, "augmentations(): the kinds, as tables"},
    {"augmented_rows", core_augmented_rows,
     "augmented_rows(rows, augmentation, key): rows of a batch, and what is done to them"},
    {"gather_augmented", core_gather_augmented,
     "gather_augmented(x, y, rows, from, count, weight): augmented rows of x and y, and of weights"},
    {NULL, NULL, NULL},
};

void bind_open_augment(lua_State *L) {
  bind_new_box_class(L, &augment_class, no_methods, augment_release);
  bind_register(L, "bnn.core.", rows);
}
