/* bind_vmap.c - a finished program replayed for every slice of its inputs, in one call (vmap.h).  What
 * users see is bnn.vmap (scripts/bnn/autodiff/vmap.lua). */
#include "bind_vmap.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "bind_program.h"
#include "bind_run.h"
#include "program/vmap.h"

/* Whether x is [n, want...], of the same type. */
static bool is_slices(const bnn_tensor *x, const bnn_shape *want, size_t n) {
  if (x->dtype != want->dtype || x->rank != want->rank + 1 || x->dim[0] != n) return false;
  for (int k = 0; k < want->rank; k++)
    if (x->dim[k + 1] != want->dim[k]) return false;
  return true;
}

/* Whether each slice is contiguous, wherever the next one begins. */
static bool has_contiguous_slices(const bnn_tensor *x) {
  bnn_tensor plain;
  bnn_tensor_init(&plain, x->dtype, x->rank, x->dim, NULL);
  for (int k = 1; k < x->rank; k++)
    if (x->dim[k] > 1 && x->stride[k] != plain.stride[k]) return false;
  return x->stride[0] >= 0;
}

/* The tensor on top of the stack as input i, mapped: slices where they are, or copied. */
static void read_slices(lua_State *L, const bind_program *p, int i, size_t n, bnn_vmap_input *in) {
  const bnn_shape *want = bnn_program_shape(p->recording.program, in->node);
  bnn_tensor *x = bind_check_tensor(L, lua_gettop(L));
  if (!is_slices(x, want, n))
    bind_fail_input(L, i, want,
                    lua_pushfstring(L, "%s %s in %I slices", bnn_dtype_name(x->dtype), BNN_SHAPE(x),
                                    (lua_Integer)n));
  if (!has_contiguous_slices(x)) x = bind_push_contiguous(L, x);
  in->data = x->data;
  in->step = (size_t)x->stride[0] * bnn_dtype_size(x->dtype);
}

/* Each input's place, in a userdata; above it, on the stack, what keeps the memory alive. */
static bnn_vmap_input *read_inputs(lua_State *L, const bind_program *p, size_t n) {
  const size_t count = (size_t)p->n_inputs + 1;
  bnn_vmap_input *in = lua_newuserdatauv(L, count * sizeof *in, 0);
  bind_source *s = lua_newuserdatauv(L, count * sizeof *s, 0);
  luaL_checkstack(L, 4 * p->n_inputs + LUA_MINSTACK, "too many inputs");
  for (int i = 0; i < p->n_inputs; i++) {
    in[i] = (bnn_vmap_input){.node = p->inputs[i].node};
    lua_geti(L, 3, i + 1);
    bool mapped = lua_toboolean(L, -1);
    lua_pop(L, 1);
    lua_geti(L, 2, i + 1);
    if (mapped)
      read_slices(L, p, i, n, &in[i]);
    else
      in[i].data = bind_input_memory(L, p, i, &s[i]);
  }
  return in;
}

/* core.vmap(program, {inputs}, {whether each is mapped}, n) -> {outputs} [, {gradients}] */
static int core_vmap(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bind_program *p = bind_check_program(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  bnn_vmap_spec spec = {.program = p->recording.program, .n_inputs = p->n_inputs};
  spec.n = (size_t)bind_check_range(L, 4, "n", 0, PTRDIFF_MAX / 16);
  lua_settop(L, 4);
  spec.n_outputs = p->n_outputs;
  spec.wrt = p->wrt;
  spec.n_wrt = p->gradient ? p->n_wrt : 0;
  spec.inputs = read_inputs(L, p, spec.n);
  const size_t results = (size_t)(spec.n_outputs + spec.n_wrt) + 1;
  bnn_tensor **out = lua_newuserdatauv(L, results * sizeof *out, 0);
  bind_push_results(L, out, spec.program, NULL, spec.n_outputs, &spec.n);
  bind_push_results(L, out + spec.n_outputs, spec.program, spec.wrt, spec.n_wrt, &spec.n);
  bind_check_program(L, 1); /* a finalizer may have closed it meanwhile */
  do
    status = bnn_vmap(bind_context(L), &spec, out, p->gradient ? out + spec.n_outputs : NULL, &err);
  while (bind_try_again(L, status, &tries));
  bind_check(L, status, &err);
  return p->gradient ? 2 : (lua_pop(L, 1), 1);
}

static const bind_row rows[] = {
    {"vmap", core_vmap,
     "vmap(program, {inputs}, {mapped}, n): the outputs, and the gradients, of n slices, each [n, ...]\n"
     "Where mapped[i] is true, input i is a tensor [n, ...] of slices; else all slices read it."},
    {NULL, NULL, NULL},
};

void bind_open_vmap(lua_State *L) { bind_register(L, "bnn.core.", rows); }
