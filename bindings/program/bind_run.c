/* bind_run.c - program:run.  Running checks every input, makes all boxes, and only then calls the
 * runtime, so that nothing of Lua's can raise or run in between. */
#include "bind_run.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_option.h"
#include "../tensor/bind_tensor.h"
#include "bind_program.h"

/* ---- inputs ---- */

void bind_fail_input(lua_State *L, int i, const bnn_shape *want, const char *got) {
  bind_argerror(L, 2, "input %d: expected %s %s, as it was recorded, got %s", i + 1,
                bnn_dtype_name(want->dtype), bnn_shape_print(want->rank, want->dim).s, got);
}

/* Where the tensor on top of the stack can be read from; leaves what keeps that memory alive on the
 * stack. */
static void *tensor_input(lua_State *L, int i, const bnn_shape *want) {
  bnn_tensor *x = bind_check_tensor(L, lua_gettop(L));
  bnn_shape shape = bnn_shape_of(x);
  if (shape.dtype != want->dtype || !bnn_shape_equal(&shape, want))
    bind_fail_input(L, i, want,
                    lua_pushfstring(L, "%s %s", bnn_dtype_name(x->dtype), BNN_SHAPE(x)));
  return bind_push_contiguous(L, x)->data;
}

void *bind_input_memory(lua_State *L, const bind_program *p, int i, bind_source *s) {
  const bnn_shape *want = bnn_program_shape(p->recording.program, p->inputs[i].node);
  if (bind_test_box(L, -1)) return tensor_input(L, i, want);
  if (lua_type(L, -1) == LUA_TNUMBER && want->rank == 0 && want->dtype == BNN_REAL) {
    s->number.real = (bnn_real)lua_tonumber(L, -1);
    return &s->number;
  }
  if (bind_test_key(L, -1) && want->rank == 0 && want->dtype == BNN_U64) {
    s->number.bits = bind_check_key(L, lua_gettop(L)).bits;
    return &s->number;
  }
  bind_fail_input(L, i, want, lua_pushfstring(L, "a %s", luaL_typename(L, -1)));
  return NULL;
}

/* Each input's source, in a userdata; then, on the stack above it, what keeps their memory alive.
 */
static bind_source *read_inputs(lua_State *L, const bind_program *p) {
  bind_source *s = lua_newuserdatauv(L, ((size_t)p->n_inputs + 1) * sizeof *s, 0);
  luaL_checkstack(L, 3 * p->n_inputs + LUA_MINSTACK, "too many inputs");
  for (int i = 0; i < p->n_inputs; i++) {
    lua_geti(L, 2, i + 1);
    s[i].memory = NULL;
    if (p->inputs[i].kind != BNN_INPUT_PARAM)
      s[i].memory = bind_input_memory(L, p, i, &s[i]);
    else if (!lua_isnil(L, -1))
      bind_argerror(L, 2, "input %d is a parameter: its value comes from theta", i + 1);
  }
  return s;
}

/* Option theta, contiguous in a box on the stack; NULL when the program has no parameters. */
static bnn_tensor *read_theta(lua_State *L, const bind_program *p) {
  bool there = bind_push_option(L, 3, "theta");
  if (!there && p->n_params > 0)
    bind_argerror(L, 3, "theta: expected the %I parameters of the program, got none",
                  (lua_Integer)p->n_params);
  if (!there) return NULL;
  const bind_tensor *box = bind_test_box(L, -1);
  if (!box) bind_argerror(L, 3, "theta: expected a tensor, got a %s", luaL_typename(L, -1));
  bnn_tensor *theta = bind_check_tensor(L, lua_gettop(L));
  if (theta->dtype != BNN_REAL || theta->rank != 1 || theta->size < p->n_params)
    bind_argerror(L, 3, "theta: expected %s [%I], got %s %s", bnn_dtype_name(BNN_REAL),
                  (lua_Integer)p->n_params, bnn_dtype_name(theta->dtype), BNN_SHAPE(theta));
  return bind_push_contiguous(L, theta);
}

static double read_seed(lua_State *L) {
  double seed = 1;
  if (bind_push_option(L, 3, "seed")) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      bind_argerror(L, 3, "seed: expected a number, got a %s", luaL_typename(L, -1));
    seed = lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  return seed;
}

/* ---- results ---- */

void bind_push_results(lua_State *L, bnn_tensor **out, const bnn_program *p, const int *node,
                       int count, const size_t *n) {
  lua_createtable(L, count, 0);
  for (int k = 0; k < count; k++) {
    const bnn_shape *shape = node ? bnn_program_shape(p, node[k]) : bnn_program_output_shape(p, k);
    size_t dim[BNN_RANK_MAX + 1];
    int rank = 0;
    if (n) dim[rank++] = *n;
    for (int j = 0; j < shape->rank; j++) dim[rank++] = shape->dim[j];
    if (rank > BNN_RANK_MAX)
      bind_error(L, "a result of %d axes in slices has one too many", shape->rank);
    out[k] = bind_push_new(L, shape->dtype, rank, dim);
    lua_rawseti(L, -2, k + 1);
  }
}

/* ---- the run ---- */

/* What a run works on; everything is alive on the Lua stack, or owned by p. */
typedef struct run {
  bind_program *p;
  const bnn_context *context;
  bind_source *inputs;
  bnn_tensor *theta, *flat; /* flat: the gradient with respect to theta */
  bnn_tensor **outputs;     /* [p->n_outputs] */
  bnn_tensor **gradients;   /* [p->n_wrt] */
  bool gradient;
  bnn_real seed;
} run;

static void bind_inputs(const run *r) {
  for (int i = 0; i < r->p->n_inputs; i++)
    if (r->inputs[i].memory) bnn_frame_bind(r->p->frame, r->p->inputs[i].node, r->inputs[i].memory);
  if (r->theta)
    bnn_frame_bind_params(r->p->frame, bnn_tensor_real(r->theta),
                          r->flat ? bnn_tensor_real(r->flat) : NULL);
}

/* Forward only, then with the way back if it is asked for. */
static bnn_status replay(const run *r, bnn_err *err) {
  if (r->gradient) return bnn_frame_replay(r->p->frame, r->seed, err);
  BNN_TRY(bnn_frame_verify(r->p->frame, NULL, err));
  BNN_TRY(bnn_frame_forward_whole(r->p->frame, NULL, err));
  if (!bnn_program_has_rows(r->p->recording.program, NULL)) return BNN_OK;
  for (size_t b = 0; b < bnn_frame_blocks(r->p->frame); b++)
    bnn_frame_forward_block(r->p->frame, b);
  return BNN_OK;
}

/* The whole run, without Lua. */
static bnn_status execute(const run *r, bnn_err *err) {
  const bind_program *p = r->p;
  bind_inputs(r);
  const bnn_stop before = bnn_context_watch(r->context);
  BNN_TRY(bnn_stop_end(before, replay(r, err), err));
  for (int i = 0; i < p->n_outputs; i++)
    BNN_TRY(bnn_tensor_copy(r->outputs[i], bnn_frame_output(p->frame, i), err));
  for (int i = 0; r->gradients && i < p->n_wrt; i++)
    BNN_TRY(bnn_tensor_copy(r->gradients[i], bnn_frame_gradient(p->frame, p->wrt[i]), err));
  return BNN_OK;
}

/* Room for n tensors in a userdata on the stack. */
static bnn_tensor **push_pointers(lua_State *L, int n) {
  return lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(bnn_tensor *), 0);
}

/* Pushes the new tensors that a run's results go to: a list of outputs and, if it has one, the gradient. */
static void push_run_results(lua_State *L, run *r) {
  const bind_program *p = r->p;
  r->outputs = push_pointers(L, p->n_outputs);
  if (r->gradient && p->wrt) r->gradients = push_pointers(L, p->n_wrt);
  bind_push_results(L, r->outputs, p->recording.program, NULL, p->n_outputs, NULL);
  if (!r->gradient) return;
  size_t none = 0;
  r->flat = bind_push_new(L, BNN_REAL, 1, r->theta ? r->theta->dim : &none);
  if (!p->wrt) return;
  lua_pop(L, 1);
  bind_push_results(L, r->gradients, p->recording.program, p->wrt, p->n_wrt, NULL);
}

int bind_program_run(lua_State *L) {
  static const char *const names[] = {"theta", "gradient", "seed", NULL};
  bnn_err err;
  run r = {.p = bind_check_program(L, 1), .context = bind_context(L)};
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  bind_check_options(L, 3, names);
  r.gradient = bind_option_flag(L, 3, "gradient", r.p->gradient);
  if (r.gradient && !r.p->gradient)
    bind_argerror(L, 3, "the program was finished without gradient");
  r.seed = (bnn_real)read_seed(L);
  r.theta = read_theta(L, r.p);
  r.inputs = read_inputs(L, r.p);
  push_run_results(L, &r);
  bind_check_frame(L);
  bind_check(L, execute(&r, &err), &err);
  return r.gradient ? 2 : 1;
}
