/* bind_program.c - recordings and programs in Lua.
 *
 * One userdata is first a recording, which makes tracers, and after finish a program, which runs;
 * its tracers are dead then.  Running checks every input, makes all boxes, and only then calls the
 * runtime, so that nothing of Lua's can raise or run in between. */
#include "bind_program.h"

#include <stdlib.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../ops/bind_op.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "../tensor/bind_tracer.h"
#include "base/mem.h"

/* ---- boxes ---- */

static bind_program *check_box(lua_State *L, int arg) {
  bind_program *p = luaL_checkudata(L, arg, BIND_PROGRAM);
  luaL_argcheck(L, p->recording.program, arg,
                "the program is closed or its recording was abandoned");
  return p;
}

static bind_program *check_recording(lua_State *L, int arg) {
  bind_program *p = check_box(L, arg);
  luaL_argcheck(L, p->recording.is_open, arg, "the recording has ended");
  return p;
}

bind_program *bind_check_program(lua_State *L, int arg) {
  bind_program *p = check_box(L, arg);
  luaL_argcheck(L, !p->recording.is_open, arg, "the program is still being recorded");
  return p;
}

/* __gc, __close and abandon. */
static int program_release(lua_State *L) {
  bind_program *p = luaL_checkudata(L, 1, BIND_PROGRAM), was = *p;
  *p = (bind_program){.n_inputs = 0};
  bnn_frame_free(was.frame);
  bnn_program_unref(was.recording.program);
  bnn_mem_free(was.inputs);
  bnn_mem_free(was.wrt);
  return 0;
}

static int core_recording(lua_State *L) {
  bnn_err err;
  bind_program *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = (bind_program){.n_inputs = 0};
  luaL_setmetatable(L, BIND_PROGRAM);
  bind_check(L, bnn_program_new(&p->recording.program, &err), &err);
  p->recording.is_open = true;
  return 1;
}

/* ---- inputs ---- */

/* Room for one more input. */
static bnn_status reserve_input(bind_program *p, bnn_err *err) {
  if (p->n_inputs < p->capacity) return BNN_OK;
  int capacity = 2 * p->capacity + 8;
  bind_input *more = bnn_mem_alloc((size_t)capacity, sizeof *more);
  if (!more) return bnn_fail(err, BNN_ENOMEM, "%d inputs of a program", capacity);
  if (p->n_inputs) memcpy(more, p->inputs, (size_t)p->n_inputs * sizeof *more);
  bnn_mem_free(p->inputs);
  p->inputs = more;
  p->capacity = capacity;
  return BNN_OK;
}

/* A new input; returns its node. */
static int add_input(lua_State *L, bind_program *p, bnn_input_kind kind, const bnn_shape *shape,
                     size_t offset) {
  bnn_err err;
  int node = -1;
  bind_check(L, reserve_input(p, &err), &err);
  bind_check(L, bnn_program_input(p->recording.program, &node, kind, shape, offset, &err), &err);
  p->inputs[p->n_inputs++] = (bind_input){.node = node, .kind = kind};
  return node;
}

/* A list at arg that is a shape; its size in bytes can be counted. */
static bnn_shape check_input_shape(lua_State *L, int arg, bnn_dtype dtype) {
  bnn_shape shape = {.dtype = dtype};
  size_t size;
  luaL_checktype(L, arg, LUA_TTABLE);
  shape.rank = bind_check_shape(L, arg, shape.dim);
  if (!bnn_shape_size(&size, shape.rank, shape.dim) || size > PTRDIFF_MAX / 16)
    luaL_argerror(
        L, arg,
        lua_pushfstring(L, "a shape of %s is too large", bnn_shape_print(shape.rank, shape.dim).s));
  return shape;
}

static int add_tensor_input(lua_State *L, bnn_input_kind kind) {
  bind_program *p = check_recording(L, 1);
  bnn_shape shape = check_input_shape(L, 2, bind_opt_dtype(L, 3, BNN_REAL));
  bind_push_tracer(L, 1, add_input(L, p, kind, &shape, 0));
  return 1;
}

static int recording_input(lua_State *L) { return add_tensor_input(L, BNN_INPUT_WHOLE); }
static int recording_rows(lua_State *L) { return add_tensor_input(L, BNN_INPUT_ROWS); }

static int recording_key(lua_State *L) {
  bind_program *p = check_recording(L, 1);
  bnn_shape shape = bnn_shape_make(BNN_U64, 0, NULL);
  bind_push_key_tracer(L, 1, add_input(L, p, BNN_INPUT_WHOLE, &shape, 0));
  return 1;
}

static int recording_param(lua_State *L) {
  size_t size = 0;
  bind_program *p = check_recording(L, 1);
  size_t offset = (size_t)bind_check_range(L, 2, "offset", 0, PTRDIFF_MAX / 16);
  bnn_shape shape = check_input_shape(L, 3, BNN_REAL);
  bnn_shape_size(&size, shape.rank, shape.dim);
  int node = add_input(L, p, BNN_INPUT_PARAM, &shape, offset);
  if (offset + size > p->n_params) p->n_params = offset + size;
  bind_push_tracer(L, 1, node);
  return 1;
}

static int recording_constant(lua_State *L) {
  check_recording(L, 1);
  luaL_checkany(L, 2);
  bind_push_tracer(L, 1, bind_node_of(L, 1, 2, 2));
  return 1;
}

/* ---- option tables ---- */

/* Raises for a key of the table at `index` (or nil there) that is none of `names`. */
static void check_options(lua_State *L, int index, const char *const *names) {
  if (lua_isnoneornil(L, index)) return;
  luaL_checktype(L, index, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    const char *const *name = names;
    while (*name && (lua_type(L, -2) != LUA_TSTRING || strcmp(*name, lua_tostring(L, -2)) != 0))
      name++;
    if (*name) continue;
    lua_pushfstring(L, "there is no option '%s'; there are", bind_push_text(L, -2));
    for (name = names; *name; name++) lua_pushfstring(L, name == names ? " %s" : ", %s", *name);
    lua_concat(L, (int)(name - names) + 1);
    luaL_argerror(L, index, lua_tostring(L, -1));
  }
}

/* Pushes option `name` of the table at `index`, nil when there is none; says whether it is there.
 */
static bool push_option(lua_State *L, int index, const char *name) {
  if (lua_isnoneornil(L, index))
    lua_pushnil(L);
  else
    lua_getfield(L, index, name);
  return !lua_isnil(L, -1);
}

static bool option_flag(lua_State *L, int index, const char *name, bool otherwise) {
  bool there = push_option(L, index, name);
  if (there && !lua_isboolean(L, -1))
    luaL_argerror(
        L, index,
        lua_pushfstring(L, "%s is a %s, a boolean is wanted", name, luaL_typename(L, -1)));
  bool value = there ? lua_toboolean(L, -1) : otherwise;
  lua_pop(L, 1);
  return value;
}

/* ---- finishing ---- */

/* The nodes of the tracers in the list at `index`, in memory of a userdata pushed on the stack. */
static int *read_nodes(lua_State *L, int index, int *n) {
  index = lua_absindex(L, index);
  lua_Unsigned count = lua_rawlen(L, index);
  if (count > INT32_MAX / 8) luaL_argerror(L, 2, "too many tracers");
  int *nodes = lua_newuserdatauv(L, (count + 1) * sizeof *nodes, 0);
  for (lua_Unsigned i = 0; i < count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i + 1);
    nodes[i] = bind_node_of(L, 1, lua_gettop(L), 2);
    lua_pop(L, 1);
  }
  *n = (int)count;
  return nodes;
}

static int compare_node(const void *node, const void *input) {
  const int a = *(const int *)node, b = ((const bind_input *)input)->node;
  return (a > b) - (a < b);
}

/* Inputs are in the order of their nodes. */
static bool is_input(const bind_program *p, int node) {
  return p->n_inputs &&
         bsearch(&node, p->inputs, (size_t)p->n_inputs, sizeof *p->inputs, compare_node);
}

/* Option wrt: its nodes in a userdata on the stack, or NULL (and nil) without. */
static int *read_wrt(lua_State *L, const bind_program *p, int *n) {
  *n = 0;
  if (!push_option(L, 3, "wrt")) return NULL;
  if (!lua_istable(L, -1)) luaL_argerror(L, 3, "wrt is no list of tracers");
  int *nodes = read_nodes(L, -1, n);
  for (int i = 0; i < *n; i++)
    if (!is_input(p, nodes[i]))
      luaL_argerror(L, 3, lua_pushfstring(L, "wrt[%d] is no input of the recording", i + 1));
  return nodes;
}

/* Ends the recording; keeps wrt for run. */
static bnn_status finish(bind_program *p, const int *outputs, int n_outputs, bool gradient,
                         const int *wrt, int n_wrt, bnn_err *err) {
  int *kept = wrt ? bnn_mem_alloc((size_t)n_wrt, sizeof *kept) : NULL;
  if (wrt && !kept) return bnn_fail(err, BNN_ENOMEM, "a list of %d nodes", n_wrt);
  bnn_status status =
      bnn_program_finish(p->recording.program, outputs, n_outputs, gradient, wrt, n_wrt, err);
  if (status != BNN_OK) {
    bnn_mem_free(kept);
    return status;
  }
  if (kept) memcpy(kept, wrt, (size_t)n_wrt * sizeof *kept);
  p->wrt = kept;
  p->n_wrt = n_wrt;
  p->n_outputs = n_outputs;
  p->gradient = gradient;
  p->recording.is_open = false;
  return BNN_OK;
}

static int recording_finish(lua_State *L) {
  static const char *const names[] = {"gradient", "wrt", NULL};
  bnn_err err;
  int n_outputs, n_wrt;
  bind_program *p = check_recording(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  check_options(L, 3, names);
  bool gradient = option_flag(L, 3, "gradient", false);
  int *outputs = read_nodes(L, 2, &n_outputs), *wrt = read_wrt(L, p, &n_wrt);
  if (n_outputs == 0) luaL_argerror(L, 2, "a program needs an output");
  bind_check(L, finish(p, outputs, n_outputs, gradient, wrt, n_wrt, &err), &err);
  lua_settop(L, 1);
  return 1;
}

/* ---- running ---- */

/* Makes the frame that run uses, once; returns the bytes that this took. */
static size_t check_frame(lua_State *L, bind_program *p) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  if (p->frame) return 0;
  do status = bnn_frame_new(&p->frame, p->recording.program, 0, &err);
  while (bind_try_again(L, status, &tries));
  bind_check(L, status, &err);
  return bnn_frame_bytes(p->frame);
}

void bind_fail_input(lua_State *L, int i, const bnn_shape *want, const char *got) {
  luaL_argerror(L, 2,
                lua_pushfstring(L, "input %d is %s, the program was recorded for %s %s", i + 1, got,
                                bnn_dtype_name(want->dtype),
                                bnn_shape_print(want->rank, want->dim).s));
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
      luaL_argerror(
          L, 2, lua_pushfstring(L, "input %d is a parameter: its value comes from theta", i + 1));
  }
  return s;
}

/* Option theta, contiguous in a box on the stack; NULL when the program has no parameters. */
static bnn_tensor *read_theta(lua_State *L, const bind_program *p) {
  bool there = push_option(L, 3, "theta");
  if (!there && p->n_params > 0)
    luaL_argerror(L, 3,
                  lua_pushfstring(L, "theta is missing: the program has %I parameters",
                                  (lua_Integer)p->n_params));
  if (!there) return NULL;
  bind_tensor *box = bind_test_box(L, -1);
  if (!box)
    luaL_argerror(L, 3,
                  lua_pushfstring(L, "theta is a %s, a tensor is wanted", luaL_typename(L, -1)));
  bnn_tensor *theta = bind_check_tensor(L, lua_gettop(L));
  if (theta->dtype != BNN_REAL || theta->rank != 1 || theta->size < p->n_params)
    luaL_argerror(L, 3,
                  lua_pushfstring(L, "theta is %s %s, %s [%I] is wanted",
                                  bnn_dtype_name(theta->dtype), BNN_SHAPE(theta),
                                  bnn_dtype_name(BNN_REAL), (lua_Integer)p->n_params));
  return bind_push_contiguous(L, theta);
}

static double read_seed(lua_State *L) {
  double seed = 1;
  if (push_option(L, 3, "seed")) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      luaL_argerror(L, 3,
                    lua_pushfstring(L, "seed is a %s, a number is wanted", luaL_typename(L, -1)));
    seed = lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  return seed;
}

/* What a run works on; everything is alive on the Lua stack, or owned by p. */
typedef struct run {
  bind_program *p;
  bind_source *inputs;
  bnn_tensor *theta, *flat; /* flat: the gradient with respect to theta */
  bind_tensor **outputs;    /* [p->n_outputs] empty boxes */
  bind_tensor **gradients;  /* [p->n_wrt] */
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

/* Forward only, then with the way back when it is wanted. */
static bnn_status replay(const run *r, bnn_err *err) {
  if (r->gradient) return bnn_frame_replay(r->p->frame, r->seed, err);
  BNN_TRY(bnn_frame_verify(r->p->frame, NULL, err));
  BNN_TRY(bnn_frame_forward_whole(r->p->frame, err));
  if (!bnn_program_has_rows(r->p->recording.program, NULL)) return BNN_OK;
  for (size_t b = 0; b < bnn_frame_blocks(r->p->frame); b++)
    bnn_frame_forward_block(r->p->frame, b);
  return BNN_OK;
}

/* The whole run, without Lua. */
static bnn_status execute(const run *r, size_t *bytes, bnn_err *err) {
  bind_inputs(r);
  BNN_TRY(replay(r, err));
  if (r->flat) *bytes += r->flat->size * sizeof(bnn_real);
  for (int i = 0; i < r->p->n_outputs; i++) {
    BNN_TRY(bnn_tensor_clone(&r->outputs[i]->t, bnn_frame_output(r->p->frame, i), err));
    *bytes += r->outputs[i]->t->size * bnn_dtype_size(r->outputs[i]->t->dtype);
  }
  for (int i = 0; r->gradients && i < r->p->n_wrt; i++) {
    BNN_TRY(
        bnn_tensor_clone(&r->gradients[i]->t, bnn_frame_gradient(r->p->frame, r->p->wrt[i]), err));
    *bytes += r->gradients[i]->t->size * sizeof(bnn_real);
  }
  return BNN_OK;
}

/* A box with zeros in the shape of theta; its bytes are counted by execute. */
static bnn_tensor *push_flat(lua_State *L, const bnn_tensor *theta) {
  bnn_err err;
  size_t none = 0;
  bind_tensor *box = bind_push_tensor(L);
  bind_check(L, bnn_tensor_new(&box->t, BNN_REAL, 1, theta ? theta->dim : &none, &err), &err);
  return box->t;
}

static int program_run(lua_State *L) {
  static const char *const names[] = {"theta", "gradient", "seed", NULL};
  bnn_err err;
  run r = {.p = bind_check_program(L, 1)};
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  check_options(L, 3, names);
  r.gradient = option_flag(L, 3, "gradient", r.p->gradient);
  if (r.gradient && !r.p->gradient)
    luaL_argerror(L, 3, "the program was finished without gradient");
  r.seed = (bnn_real)read_seed(L);
  r.theta = read_theta(L, r.p);
  r.inputs = read_inputs(L, r.p);
  r.outputs = bind_push_boxes(L, r.p->n_outputs);
  int first = lua_gettop(L);
  if (r.gradient) {
    r.flat = push_flat(L, r.theta);
    if (r.p->wrt) r.gradients = bind_push_boxes(L, r.p->n_wrt);
  }
  int last = lua_gettop(L);
  bind_check_program(L, 1); /* a finalizer may have closed it meanwhile */
  size_t bytes = check_frame(L, r.p);
  bind_check(L, execute(&r, &bytes, &err), &err);
  bind_account(L, bytes);
  lua_pushvalue(L, first);
  if (!r.gradient) return 1;
  lua_pushvalue(L, last);
  return 2;
}

/* ---- reports ---- */

static void set_integer(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

static int program_info(lua_State *L) {
  const char *mixed = NULL;
  bind_program *p = bind_check_program(L, 1);
  bind_account(L, check_frame(L, p));
  p = bind_check_program(L, 1);
  lua_createtable(L, 0, 9);
  set_integer(L, "ops", bnn_program_ops(p->recording.program));
  set_integer(L, "buffers", bnn_frame_buffers(p->frame));
  set_integer(L, "bytes", bnn_frame_bytes(p->frame));
  set_integer(L, "params", p->n_params);
  set_integer(L, "inputs", (size_t)p->n_inputs);
  lua_pushnumber(L, bnn_program_flops(p->recording.program));
  lua_setfield(L, -2, "flops");
  lua_pushboolean(L, bnn_program_has_rows(p->recording.program, &mixed));
  lua_setfield(L, -2, "has_rows");
  lua_pushboolean(L, p->gradient);
  lua_setfield(L, -2, "gradient");
  lua_pushstring(L, mixed);
  lua_setfield(L, -2, "mixed_by");
  return 1;
}

/* program:mixer({numbers of inputs}) -> text or nil */
static int program_mixer(lua_State *L) {
  bnn_err err;
  bnn_batch_mixing_op mixing;
  bind_program *p = bind_check_program(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, 2);
  luaL_argcheck(L, n <= (lua_Unsigned)p->n_inputs, 2, "more numbers than inputs");
  int *nodes = lua_newuserdatauv(L, (n + 1) * sizeof *nodes, 0);
  for (lua_Unsigned i = 0; i < n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    nodes[i] = p->inputs[bind_check_index(L, lua_gettop(L), (size_t)p->n_inputs)].node;
    lua_pop(L, 1);
  }
  bind_check(L,
             bnn_program_find_batch_mixing_op(&mixing, p->recording.program, nodes, (int)n, &err),
             &err);
  if (mixing.text[0])
    lua_pushstring(L, mixing.text);
  else
    lua_pushnil(L);
  return 1;
}

static int program_print(lua_State *L) {
  bind_program *p = luaL_checkudata(L, 1, BIND_PROGRAM);
  if (!p->recording.program)
    lua_pushstring(L, "program (closed)");
  else if (p->recording.is_open)
    lua_pushfstring(L, "recording with %d inputs", p->n_inputs);
  else
    lua_pushfstring(L, "program of %d ops, %d inputs, %d outputs",
                    (int)bnn_program_ops(p->recording.program), p->n_inputs, p->n_outputs);
  return 1;
}

static const luaL_Reg meta[] = {{"__gc", program_release},
                                {"__close", program_release},
                                {"__tostring", program_print},
                                {NULL, NULL}};

static const bind_row methods[] = {
    {"input", recording_input,
     "rec:input(shape [, dtype]): an input that the whole program reads: a number ({}), a tensor"},
    {"rows", recording_rows,
     "rec:rows(shape [, dtype]): an input whose first axis is the batch\n"
     "All such inputs of a recording must have the same number of rows."},
    {"key", recording_key, "rec:key(): an input that is a key"},
    {"param", recording_param,
     "rec:param(offset, shape): a tensor that lies in the flat parameter buffer, from element "
     "offset on\nThe offset counts from 0; tensors may share elements."},
    {"constant", recording_constant,
     "rec:constant(x): a tensor or number as a value of the recording\n"
     "What the recorded function meets is made a constant by itself."},
    {"finish", recording_finish,
     "rec:finish({outputs} [, {gradient = false, wrt = {inputs}}]): ends the recording; returns it, "
     "now a program\nWith gradient, runs give the gradient of the first output with respect to the "
     "inputs in wrt,\nor to the flat parameters without it. Every value of the recording is dead "
     "afterwards."},
    {"abandon", program_release, "rec:abandon(): drops a recording, for instance after an error"},
    {"run", program_run,
     "program:run({inputs} [, {theta=, gradient=, seed = 1}]): a list of outputs, and the gradients\n"
     "inputs: a value for each input in the order they were made, nil for parameters: a tensor of the\n"
     "recorded shape and type, a number for a scalar, or a key. theta: the flat parameters. The\n"
     "gradients are a list in the order of wrt, or one flat tensor; seed is what each element of the\n"
     "first output weighs. The outputs are new tensors each time."},
    {"info", program_info,
     "program:info(): {ops=, buffers=, bytes=, flops=, params=, inputs=, gradient=, has_rows=, mixed_by=}\n"
     "mixed_by names the op that mixes rows of the batch, so that the program runs as one block."},
    {"mixer", program_mixer,
     "program:mixer({i, ...}): the first op that mixes rows if axis 1 of these inputs, by number, is "
     "the\nbatch, such as \"mean over axis 1\"; nil when rows stay apart"},
    {NULL, NULL, NULL},
};

static const bind_row rows[] = {
    {"recording", core_recording,
     "recording(): begins a program; its inputs are values that ops record instead of run"},
    {NULL, NULL, NULL},
};

void bind_open_program(lua_State *L) {
  bind_new_class(L, BIND_PROGRAM, "program:", meta, methods);
  lua_pop(L, 1);
  bind_register(L, "bnn.core.", rows);
}
