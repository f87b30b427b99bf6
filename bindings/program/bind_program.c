/* bind_program.c - recordings and programs in Lua.
 *
 * One userdata is first a recording, which makes tracers, and after finish a program, which runs;
 * its tracers are dead then. */
#include "bind_program.h"

#include <stdlib.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../ops/bind_op.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_option.h"
#include "../tensor/bind_tensor.h"
#include "../tensor/bind_tracer.h"
#include "base/mem.h"
#include "batches/batch.h"
#include "bind_run.h"

/* ---- boxes ---- */

static void program_free(void *held) {
  bind_program *p = held;
  bnn_frame_free(p->frame);
  bnn_program_unref(p->recording.program);
  bnn_mem_free(p->inputs);
  bnn_mem_free(p->wrt);
}

/* Its frame is counted when it is made (bind_check_frame); what a recording holds besides is small. */
static size_t program_bytes(const void *held) {
  (void)held;
  return 0;
}

static const bind_class program_class = {
    .name = "bnn.program",
    .noun = "program",
    .size = sizeof(bind_program),
    .release = program_free,
    .bytes = program_bytes,
};

static bind_program *check_recording(lua_State *L, int arg) {
  bind_program *p = bind_check_box(L, arg, &program_class);
  if (!p->recording.is_open) bind_argerror(L, arg, "the recording has ended");
  return p;
}

bind_program *bind_check_program(lua_State *L, int arg) {
  bind_program *p = bind_check_box(L, arg, &program_class);
  if (p->recording.is_open) bind_argerror(L, arg, "the program is still being recorded");
  return p;
}

/* __gc, __close and abandon. */
static int program_release(lua_State *L) { return bind_release_box(L, &program_class); }

static int core_recording(lua_State *L) {
  bnn_err err;
  bind_program made = {.recording.is_open = true};
  bind_push_box(L, &program_class);
  bind_check(L, bnn_program_new(&made.recording.program, &err), &err);
  return bind_fill_box(L, &program_class, &made);
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
    bind_argerror(L, arg, "a shape of %s is too large", bnn_shape_print(shape.rank, shape.dim).s);
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

static int recording_flops(lua_State *L) {
  lua_pushnumber(L, bnn_program_flops(check_recording(L, 1)->recording.program));
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

/* Functions that stand in for ops: the uservalue of the recording (bind_op.c calls them). */
static int recording_substitute(lua_State *L) {
  check_recording(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_setiuservalue(L, 1, 1);
  return 0;
}

/* ---- finishing ---- */

/* The nodes of the tracers in the list at `index`, in memory of a userdata pushed on the stack. */
static int *read_nodes(lua_State *L, int index, int *n) {
  index = lua_absindex(L, index);
  lua_Unsigned count = lua_rawlen(L, index);
  if (count > INT32_MAX / 8) bind_argerror(L, 2, "too many tracers");
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
  if (!bind_push_option(L, 3, "wrt")) return NULL;
  if (!lua_istable(L, -1)) bind_argerror(L, 3, "wrt: expected a list of tracers");
  int *nodes = read_nodes(L, -1, n);
  for (int i = 0; i < *n; i++)
    if (!is_input(p, nodes[i]))
      bind_argerror(L, 3, "wrt[%d]: expected an input of the recording", i + 1);
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
  bind_check_options(L, 3, names);
  bool gradient = bind_option_flag(L, 3, "gradient", false);
  int *outputs = read_nodes(L, 2, &n_outputs), *wrt = read_wrt(L, p, &n_wrt);
  if (n_outputs == 0) bind_argerror(L, 2, "expected an output at least");
  bind_check(L, finish(p, outputs, n_outputs, gradient, wrt, n_wrt, &err), &err);
  lua_settop(L, 1);
  return 1;
}

/* ---- reports ---- */

bind_program *bind_check_frame(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bind_program *p = bind_check_program(L, 1);
  if (p->frame) return p;
  do status = bnn_frame_new(&p->frame, p->recording.program, 0, &err);
  while (bind_try_again(L, status, &tries));
  bind_check(L, status, &err);
  bind_account(L, bnn_frame_bytes(p->frame));
  return bind_check_program(L, 1);
}

static void set_integer(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

static int program_info(lua_State *L) {
  const char *mixed = NULL;
  const bind_program *p = bind_check_frame(L);
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

/* The node that value i of a list, on top of the stack, stands for: a tracer of the program, or the
 * number of an input, from 0. */
static int check_node(lua_State *L, const bind_program *p, lua_Integer i) {
  const bind_tensor *box = bind_test_box(L, -1);
  if (box && box->program == p->recording.program) return box->node;
  int is_integer = 0;
  const lua_Integer input = box ? 0 : lua_tointegerx(L, -1, &is_integer);
  if (!is_integer || input < 0 || input >= p->n_inputs)
    bind_argerror(L, 2, "value %I: expected one of this program, or an input's number", i);
  return (int)input;
}

/* program:uses({values}) -> list of booleans */
static int program_uses(lua_State *L) {
  const bind_program *p = bind_check_program(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  const lua_Integer n = (lua_Integer)lua_rawlen(L, 2);
  lua_settop(L, 2);
  lua_createtable(L, 0, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, i);
    const int node = check_node(L, p, i);
    lua_pop(L, 1);
    lua_pushboolean(L, bnn_program_uses(p->recording.program, node));
    lua_rawseti(L, 3, i);
  }
  return 1;
}

/* program:mixer({numbers of inputs}) -> text or nil */
static int program_mixer(lua_State *L) {
  bnn_err err;
  bnn_batch_mixing_op mixing;
  bind_program *p = bind_check_program(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_Unsigned n = lua_rawlen(L, 2);
  bind_argcheck(L, n <= (lua_Unsigned)p->n_inputs, 2, "expected at most a number for each input");
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
  bind_program *p = luaL_checkudata(L, 1, program_class.name);
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
     "rec:input(shape [, dtype]): adds an input that the whole program reads: a number ({}) or a "
     "tensor"},
    {"rows", recording_rows,
     "rec:rows(shape [, dtype]): adds an input whose first axis is the batch\n"
     "All such inputs of a recording must have the same number of rows."},
    {"key", recording_key, "rec:key(): adds a key as an input"},
    {"param", recording_param,
     "rec:param(offset, shape): adds a tensor inside the flat parameter buffer, starting at "
     "element offset\n"
     "The offset counts from 0; tensors may share elements."},
    {"constant", recording_constant,
     "rec:constant(x): adds a tensor or number as a constant\n"
     "Tensors that the recorded function captures become constants by themselves."},
    {"flops", recording_flops, "rec:flops(): the multiply-adds of the products so far"},
    {"substitute", recording_substitute,
     "rec:substitute({op = function}): calls function(...) in place of recording the op, with its\n"
     "arguments, and takes the value that it returns as the result; nil: the op is recorded"},
    {"finish", recording_finish,
     "rec:finish({outputs} [, {gradient = false, wrt = {inputs}}]): ends the recording and "
     "returns it as a\n"
     "program. With gradient, runs give the gradient of the first output with respect to the\n"
     "inputs in wrt, or else the flat parameters. Values of the recording cannot be used\n"
     "afterwards."},
    {"abandon", program_release,
     "rec:abandon(): discards a recording, for instance after an error"},
    {"run", bind_program_run,
     "program:run({inputs} [, {theta=, gradient=, seed = 1}]): returns a list of outputs, and "
     "the gradients\n"
     "inputs: a value for each input in the order of creation, nil for parameters: a tensor of\n"
     "the recorded shape and type, a number for a scalar, or a key. theta: the flat parameters.\n"
     "The gradients are a list in the order of wrt, or one flat tensor; seed weighs each element\n"
     "of the first output. The outputs are new tensors each time."},
    {"info", program_info,
     "program:info(): {ops=, buffers=, bytes=, flops=, params=, inputs=, gradient=, has_rows=, "
     "mixed_by=}\n"
     "mixed_by names the op that mixes rows of the batch, so that the program runs as one block."},
    {"uses", program_uses,
     "program:uses({values}): a list of booleans: whether an output needs each of these values, which "
     "were\n"
     "recorded for it, or inputs by number, from 0"},
    {"mixer", program_mixer,
     "program:mixer({i, ...}): the first op that mixes rows if axis 1 of these inputs, given by "
     "number, is the\n"
     "batch, such as \"mean over axis 1\"; nil if rows stay separate"},
    {NULL, NULL, NULL},
};

static const bind_row rows[] = {
    {"recording", core_recording,
     "recording(): begins a program; its inputs are values that ops record instead of run"},
    {NULL, NULL, NULL},
};

void bind_open_program(lua_State *L) {
  bind_new_class(L, program_class.name, "program:", meta, methods);
  lua_pop(L, 1);
  bind_register(L, "bnn.core.", rows);
}
