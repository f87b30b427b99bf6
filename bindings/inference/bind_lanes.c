/* bind_lanes.c - steps of several objectives side by side, each on one thread: what
 * scripts/bnn/inference/side_by_side.lua runs coroutines with. */
#include "bind_lanes.h"

#include <stdint.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../base/bind_signal.h"
#include "../tensor/bind_argument.h"
#include "base/lanes.h"
#include "base/mem.h"
#include "bind_objective.h"

/* ---- boxes ---- */

/* A step that is out.  The Lua values that it reads are in the lanes' uservalue, under its ticket. */
typedef struct lane_step {
  bnn_lane_job job;       /* first: a job is its step */
  struct lane_step *next; /* of those that are out */
  bind_step step;
  double *betas; /* its own, which step.args.betas points to; or NULL */
  lua_Integer ticket;
  bnn_status status;
  bnn_err err;
  double loss;
} lane_step;

typedef struct lanes {
  bnn_lanes *l;
  lua_Integer tickets;
  lane_step *out;
} lanes;

static void step_free(lane_step *s) {
  *s->step.is_busy = false;
  bnn_mem_free(s->betas);
  bnn_mem_free(s);
}

/* Steps that are out are waited for, as they use memory of Lua's. */
static void lanes_free(void *held) {
  bnn_lanes *l = ((lanes *)held)->l;
  for (bnn_lane_job *job; (job = bnn_lanes_wait(l));) step_free((lane_step *)job);
  bnn_lanes_free(l);
}

static size_t lanes_bytes(const void *held) {
  BNN_UNUSED(held);
  return 1 << 16;
}

static const bind_class lanes_class = {
    .name = "bnn.lanes",
    .noun = "lanes",
    .size = sizeof(lanes),
    .release = lanes_free,
    .bytes = lanes_bytes,
};

static int lanes_release(lua_State *L) { return bind_release_box(L, &lanes_class); }

/* core.lanes(n) -> n lanes */
static int core_lanes(lua_State *L) {
  const int n = (int)bind_check_range(L, 1, "n", 1, BNN_THREADS_MAX);
  lanes made = {NULL, 0, NULL};
  bnn_err err;
  bind_push_box(L, &lanes_class);
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  bind_check(L, bnn_lanes_new(&made.l, n, &err), &err);
  return bind_fill_box(L, &lanes_class, &made);
}

/* ---- steps ---- */

static void run_step(bnn_lane_job *job, bnn_context *context) {
  lane_step *s = (lane_step *)job;
  s->status = bind_run_step(&s->step, context, &s->loss, &s->err);
}

/* Puts the arguments 2..n into a table, and that into the lanes' under the ticket. */
static void keep_arguments(lua_State *L, int n, lua_Integer ticket) {
  lua_getiuservalue(L, 1, 1);
  lua_createtable(L, n, 0);
  for (int i = 2; i <= n; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i - 1);
  }
  lua_rawseti(L, -2, ticket);
  lua_pop(L, 1);
}

/* Raises when a step that is out changes what this one would. */
static void check_apart(lua_State *L, const lanes *box, const bind_step *step) {
  for (const lane_step *s = box->out; s; s = s->next) {
    if (s->step.train.updater == step->train.updater)
      bind_error(L, "the optimizer's state is in another step");
    if (s->step.train.posterior == step->train.posterior)
      bind_error(L, "the posterior or params are in another step");
  }
}

static void take_from_out(lanes *box, const lane_step *done) {
  lane_step **at = &box->out;
  while (*at != done) at = &(*at)->next;
  *at = done->next;
}

enum { ARGUMENTS = 13 }; /* the lanes, an objective, and what its step takes */

/* lanes:step(objective, and what objective:step takes) -> ticket */
static int lanes_step(lua_State *L) {
  lanes *box = bind_check_box(L, 1, &lanes_class);
  lua_settop(L, ARGUMENTS);
  const bind_step step = bind_check_step(L, 2);
  check_apart(L, box, &step);
  const size_t n = step.args.betas ? step.n_params : 0;
  keep_arguments(L, ARGUMENTS, ++box->tickets);
  lane_step *s = bnn_mem_zalloc(1, sizeof *s);
  double *betas = n ? bnn_mem_alloc(n, sizeof *betas) : NULL;
  if (!s || (n && !betas)) {
    bnn_mem_free(s);
    bnn_mem_free(betas);
    bind_error(L, "not enough memory for a step");
  }
  *s = (lane_step){.job.run = run_step, .step = step, .betas = betas, .ticket = box->tickets};
  if (n) memcpy(betas, step.args.betas, n * sizeof *betas);
  s->step.args.betas = betas;
  *step.is_busy = true;
  s->next = box->out;
  box->out = s;
  bnn_lanes_submit(box->l, &s->job);
  lua_pushinteger(L, box->tickets);
  return 1;
}

/* lanes:wait() -> ticket, and what that step ends with: loss | nil, message | nil, message, true of
 * misuse, which is for the caller of that step to raise; nil when none is out */
static int lanes_wait(lua_State *L) {
  lanes *box = bind_check_box(L, 1, &lanes_class);
  lua_settop(L, 1);
  lane_step *s = (lane_step *)bnn_lanes_wait(box->l);
  if (!s) {
    luaL_pushfail(L);
    return 1;
  }
  const lua_Integer ticket = s->ticket;
  const bnn_status status = s->status;
  const double loss = s->loss;
  const bnn_err err = s->err;
  take_from_out(box, s);
  step_free(s);
  lua_getiuservalue(L, 1, 1);
  lua_pushnil(L);
  lua_rawseti(L, -2, ticket);
  lua_settop(L, 1);
  lua_pushinteger(L, ticket);
  if (status == BNN_OK || status == BNN_ENAN || status == BNN_ERANGE || status == BNN_ESTOP)
    return 1 + bind_step_result(L, status, loss, &err);
  const int refused = bind_refuse(L, status, &err);
  lua_pushboolean(L, true);
  return 2 + refused;
}

static const luaL_Reg lanes_methods[] = {
    {"step", lanes_step}, {"wait", lanes_wait}, {"close", lanes_release}, {NULL, NULL}};

static const bind_row rows[] = {
    {"lanes", core_lanes, "lanes(n): n threads that step several objectives side by side"},
    {NULL, NULL, NULL},
};

void bind_open_lanes(lua_State *L) {
  bind_new_box_class(L, &lanes_class, lanes_methods, lanes_release);
  bind_register(L, "bnn.core.", rows);
}
