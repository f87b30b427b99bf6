/* bind_predict.c - predictions: running sums over sampled networks.  What users see is
 * scripts/bnn/predict/predict.lua. */
#include "bind_predict.h"

#include <stdint.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_signal.h"
#include "../program/bind_program.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "bind_batch.h"
#include "bind_flat.h"
#include "bind_posterior.h"
#include "inference/predict.h"

/* ---- boxes ---- */

typedef struct prediction {
  bnn_prediction *p;
  size_t rows;
} prediction;

static void prediction_free(void *held) { bnn_prediction_free(((prediction *)held)->p); }

static size_t prediction_bytes(const void *held) {
  return bnn_prediction_bytes(((const prediction *)held)->p);
}

static const bind_class prediction_class = {
    .name = "bnn.prediction",
    .noun = "prediction",
    .size = sizeof(prediction),
    .release = prediction_free,
    .bytes = prediction_bytes,
};

static int prediction_release(lua_State *L) { return bind_release_box(L, &prediction_class); }

static prediction *check_prediction(lua_State *L) {
  return bind_check_box(L, 1, &prediction_class);
}

/* ---- samples ---- */

/* The heads in the list at arg, of {output=, extra= or nil, classes=}, outputs counted from 0. */
static size_t check_heads(lua_State *L, int arg, bnn_head *heads) {
  luaL_checktype(L, arg, LUA_TTABLE);
  const size_t n = lua_rawlen(L, arg);
  for (size_t h = 0; h < n && h < BNN_FEEDS_MAX; h++) {
    lua_geti(L, arg, (lua_Integer)h + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    const int at = lua_gettop(L);
    lua_getfield(L, at, "classes");
    heads[h] = (bnn_head){.output = bind_field_integer(L, at, "output", -1),
                          .extra = bind_field_integer(L, at, "extra", -1),
                          .classes = lua_toboolean(L, -1)};
    lua_settop(L, at - 1);
  }
  return n;
}

/* core.prediction(program, rows, heads) -> the running sums of no samples yet */
static int core_prediction(lua_State *L) {
  bnn_program *program = bind_check_program(L, 1)->recording.program;
  prediction made = {.rows = (size_t)bind_check_range(L, 2, "rows", 0, INT64_MAX / 64)};
  bnn_head heads[BNN_FEEDS_MAX];
  const size_t n = check_heads(L, 3, heads);
  bnn_err err;
  bind_push_box(L, &prediction_class);
  bind_check(L, bnn_prediction_new(&made.p, program, made.rows, heads, n, &err), &err);
  return bind_fill_box(L, &prediction_class, &made);
}

/* prediction:clone() -> a copy that shares nothing */
static int prediction_clone(lua_State *L) {
  const prediction *from = check_prediction(L);
  prediction made = {.rows = from->rows};
  bnn_err err;
  bind_push_box(L, &prediction_class);
  bind_check(L, bnn_prediction_clone(&made.p, from->p, &err), &err);
  return bind_fill_box(L, &prediction_class, &made);
}

/* The arguments program, {feeds=, key=, samples=, first=}, posterior, key from the second on. */
static bnn_predict_spec check_predict_spec(lua_State *L) {
  bnn_program *program = bind_check_program(L, 2)->recording.program;
  luaL_checktype(L, 3, LUA_TTABLE);
  bnn_predict_spec spec = {
      .program = program,
      .feeds = bind_check_feeds(L, 3),
      .key_node = bind_field_integer(L, 3, "key", -1),
      .posterior = bind_check_posterior(L, 4),
      .samples = bind_field_integer(L, 3, "samples", 1),
      .first_sample = bind_field_integer(L, 3, "first", 1),
      .key = bind_check_key(L, 5),
  };
  return spec;
}

/* prediction:check(program, spec, posterior, key, tensors) -> true | nil, what is not that of the samples
 * so far */
static int prediction_check(lua_State *L) {
  const prediction *box = check_prediction(L);
  const bnn_predict_spec spec = check_predict_spec(L);
  const bnn_sources data = bind_check_sources(L, 6);
  bnn_err err;
  bnn_status status = bnn_prediction_check(box->p, &spec, &data, &err);
  if (status == BNN_OK) {
    lua_pushboolean(L, true);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, err.text);
  return 2;
}

/* prediction:add(program, {feeds=, key=, samples=, first=}, posterior, key, tensors) -> true | nil,
 * message; after an error that is not misuse the sums are good for nothing */
static int prediction_add(lua_State *L) {
  prediction *box = check_prediction(L);
  const bnn_predict_spec spec = check_predict_spec(L);
  const bnn_sources data = bind_check_sources(L, 6);
  bnn_err err;
  bnn_status status = bnn_prediction_add(box->p, bind_context(L), &spec, &data, &err);
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

/* The head at argument 2, counted from 1: the first by default. */
static size_t check_head(lua_State *L, const prediction *box) {
  if (lua_isnoneornil(L, 2)) return 0;
  return (size_t)bind_check_range(L, 2, "head", 1, (int64_t)bnn_prediction_heads(box->p)) - 1;
}

/* prediction:standard_error(head = 1) -> the largest of a mean, over all rows and outputs */
static int prediction_standard_error(lua_State *L) {
  const prediction *box = check_prediction(L);
  lua_pushnumber(L, bnn_prediction_standard_error(box->p, check_head(L, box)));
  return 1;
}

/* ---- results ---- */

/* A new tensor [rows] or [rows, width] on the stack. */
static bnn_real *push_reals(lua_State *L, const prediction *box, int rank, size_t width) {
  return bnn_tensor_real(bind_push_new(L, BNN_REAL, rank, (const size_t[]){box->rows, width}));
}

static const prediction *check_samples(lua_State *L) {
  const prediction *box = check_prediction(L);
  bind_argcheck(L, bnn_prediction_samples(box->p) > 0, 1, "expected samples, got none yet");
  return box;
}

/* prediction:moments(head = 1) -> mean [n, w], std [n, w] */
static int prediction_moments(lua_State *L) {
  const prediction *box = check_samples(L);
  const size_t head = check_head(L, box), width = bnn_prediction_width(box->p, head);
  bnn_real *mean = push_reals(L, box, 2, width);
  bnn_prediction_moments(box->p, head, mean, push_reals(L, box, 2, width));
  return 2;
}

/* prediction:extra(head = 1) -> the mean of the head's extra output [n, v] */
static int prediction_extra(lua_State *L) {
  const prediction *box = check_samples(L);
  const size_t head = check_head(L, box), width = bnn_prediction_extra(box->p, head);
  bnn_prediction_extra_mean(box->p, head, push_reals(L, box, 2, width));
  return 1;
}

/* prediction:scores(head = 1) -> {entropy=, expected_entropy=, mutual_information=, variation_ratio=,
 * energy= (of a program that gives logits)}, [n] each */
static int prediction_scores(lua_State *L) {
  const prediction *box = check_samples(L);
  const size_t head = check_head(L, box);
  bind_argcheck(L, bnn_prediction_has_classes(box->p, head), 1, "expected a prediction of classes");
  static const char *const name[] = {"entropy", "expected_entropy", "mutual_information",
                                     "variation_ratio", "energy"};
  bnn_real *out[5] = {NULL};
  lua_createtable(L, 0, 5);
  for (int i = 0; i < (bnn_prediction_extra(box->p, head) > 0 ? 5 : 4); i++) {
    out[i] = push_reals(L, box, 1, 0);
    lua_setfield(L, -2, name[i]);
  }
  const bnn_class_scores scores = {out[0], out[1], out[2], out[3], out[4]};
  bnn_err err;
  bind_check(L, bnn_prediction_scores(box->p, head, &scores, &err), &err);
  return 1;
}

static const luaL_Reg prediction_methods[] = {{"add", prediction_add},
                                              {"check", prediction_check},
                                              {"clone", prediction_clone},
                                              {"samples", prediction_samples},
                                              {"standard_error", prediction_standard_error},
                                              {"moments", prediction_moments},
                                              {"extra", prediction_extra},
                                              {"scores", prediction_scores},
                                              {NULL, NULL}};

static const bind_row rows[] = {
    {"prediction", core_prediction,
     "prediction(program, rows, heads): running sums over sampled networks"},
    {NULL, NULL, NULL},
};

void bind_open_predict(lua_State *L) {
  bind_new_box_class(L, &prediction_class, prediction_methods, prediction_release);
  bind_register(L, "bnn.core.", rows);
}
