/* bind_op.c - every op of the table as core.ops.NAME and as a method of tensors; + - * / % // ^.
 *
 * One C closure serves them all; its upvalue 1 is the op's id.  Arguments are the inputs (a tensor,
 * a number, a list of numbers or a key each; for arity -1 a list of them), tensors that may be left
 * out, then the attributes, in the order of the op's `args`.  When an input is a tracer the call is recorded, else it is run. */
#include "bind_op.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_make.h"
#include "../tensor/bind_tensor.h"
#include "../tensor/bind_tracer.h"

/* ---- inputs ---- */

static bool is_tracer(lua_State *L, int index) {
  const bind_tensor *box = bind_test_box(L, index);
  if (box) return box->program != NULL;
  bind_key *key = bind_test_key(L, index);
  return key && key->program;
}

/* A concrete key as a u64 scalar, in a box on top of the stack. */
static void push_key_bits(lua_State *L, bnn_key key) {
  *(uint64_t *)bind_push_new(L, BNN_U64, 0, NULL)->data = key.bits;
}

/* Makes a box, or a tracer of a key, of what an input can be.  Lists of an integer input are i32.
 */
static void normalise_input(lua_State *L, int index, int arg, bnn_dtype list) {
  if (bind_test_box(L, index)) {
    bind_check_shape_of(L, index); /* raises when it is closed or dead */
  } else if (bind_test_key(L, index)) {
    if (is_tracer(L, index)) return;
    push_key_bits(L, bind_check_key(L, index));
    lua_replace(L, index);
  } else if (lua_type(L, index) == LUA_TNUMBER || lua_istable(L, index)) {
    bind_push_data(L, index, arg, lua_istable(L, index) ? list : BNN_REAL);
    lua_replace(L, index);
  } else {
    bind_argerror(L, arg, "expected tensor, number or list of numbers, got %s",
                  luaL_typename(L, index));
  }
}

/* A call of an op: its inputs are at stack indices [first, first + n), its attributes at [attr,
 * last]. */
typedef struct call {
  bnn_op_id id;
  const bnn_op *op;
  int first, n, attr, last;
} call;

/* Inputs of an op that takes any number of them: the list at 1, or the tensors from 1 on. */
static void spread_list(lua_State *L, call *c) {
  if (!lua_istable(L, 1)) {
    while (c->n < c->last && bind_test_box(L, c->n + 1)) c->n++;
    c->attr = c->n + 1;
    if (c->n == 0) bind_typeerror(L, 1, "list of tensors");
    return;
  }
  size_t n = bind_list_length(L, 1);
  if (n < 1 || n > BNN_ARITY_MAX)
    bind_argerror(L, 1, "expected a list of 1 to %d tensors, got %I", BNN_ARITY_MAX,
                  (lua_Integer)n);
  c->first = lua_gettop(L) + 1;
  c->n = (int)n;
  c->attr = 2;
  for (int i = 1; i <= c->n; i++) lua_geti(L, 1, i);
}

/* The type of a list of numbers that is input i: positions and labels are integers; in a list of
 * tensors it is that of the first one. */
static bnn_dtype list_type(lua_State *L, const call *c, int i) {
  if (i == 0) return BNN_REAL;
  if (c->op->arity < 0) return bind_check_shape_of(L, c->first).dtype;
  const bool is_value =
      c->id == BNN_OP_where || (c->id == BNN_OP_scatter_add && i == 2) || c->op->optional > 0;
  return c->op->integers && !is_value ? BNN_I32 : BNN_REAL;
}

/* Whether an op's numbers and lists become integers beside a tensor of integers. */
static bool takes_integers(const call *c) {
  return c->op->arithmetic || c->op->any_numbers || c->id == BNN_OP_where;
}

/* The integer type that numbers beside it take: that of the first tensor of integers among the inputs
 * (but for the condition of where); BNN_REAL without one. */
static bnn_dtype type_beside(lua_State *L, const call *c) {
  for (int i = c->id == BNN_OP_where ? 1 : 0; takes_integers(c) && i < c->n; i++) {
    if (!bind_test_box(L, c->first + i)) continue;
    const bnn_dtype dtype = bind_check_shape_of(L, c->first + i).dtype;
    if (dtype != BNN_F32 && dtype != BNN_F64) return dtype;
  }
  return BNN_REAL;
}

/* The type of number `index` beside tensors of integer type `beside`.  What that type cannot hold is
 * compared as it is, and refused where it would be computed with. */
static bnn_dtype number_type(lua_State *L, const call *c, int index, int arg, bnn_dtype beside) {
  const bool is_negative = lua_tonumber(L, index) < 0; /* u64 has it by its bits, as 2^64 less it */
  if (c->op->any_numbers && beside == BNN_U64 && is_negative) beside = BNN_I64;
  if (beside == BNN_REAL || bind_number_fits(L, index, beside)) return beside;
  if (c->op->any_numbers) return bind_number_fits(L, index, BNN_I64) ? BNN_I64 : BNN_F64;
  bind_argerror(L, arg,
                "%s beside a tensor of type %s, which has no such number: "
                ":real() converts the tensor",
                luaL_tolstring(L, index, NULL), bnn_dtype_name(beside));
  return beside;
}

/* Numbers and lists beside integers become such. */
static void read_integers(lua_State *L, const call *c) {
  const bnn_dtype beside = type_beside(L, c);
  for (int i = 0; i < c->n; i++) {
    const int at = c->first + i;
    const bool is_condition = c->id == BNN_OP_where && i == 0;
    if (bind_test_key(L, at)) bind_typeerror(L, i + 1, "tensor, number or list of numbers");
    if (is_condition || beside == BNN_REAL) continue;
    if (lua_type(L, at) == LUA_TNUMBER)
      bind_push_data(L, at, i + 1, number_type(L, c, at, i + 1, beside));
    else if (lua_istable(L, at))
      bind_push_data(L, at, i + 1, beside);
    else
      continue;
    lua_replace(L, at);
  }
}

static bool is_tensor_within(lua_State *L, int from, int to) {
  while (from <= to && !bind_test_box(L, from)) from++;
  return from <= to;
}

/* The tensors that follow the inputs of which none may be left out; a nil before one of them goes. */
static void read_optional(lua_State *L, call *c) {
  for (int left = c->op->optional; left > 0; left--) {
    const int at = c->n + 1, to = at + left - 1;
    if (!is_tensor_within(L, at, to < c->last ? to : c->last)) break;
    if (bind_test_box(L, at)) {
      c->n++;
    } else if (lua_isnil(L, at)) {
      lua_remove(L, at);
      c->last--;
    } else {
      break; /* attributes have begun */
    }
  }
}

static call read_inputs(lua_State *L, bnn_op_id id) {
  call c = {.id = id, .op = bnn_op_get(id), .first = 1, .last = lua_gettop(L)};
  luaL_checkstack(L, BNN_ARITY_MAX + LUA_MINSTACK, NULL);
  if (c.op->arity < 0) {
    spread_list(L, &c);
  } else {
    c.n = c.op->arity;
    if (lua_gettop(L) < c.n) lua_settop(L, c.n); /* what is missing is a nil, which raises */
    read_optional(L, &c);
    c.attr = c.n + 1;
  }
  if (takes_integers(&c)) read_integers(L, &c);
  for (int i = 0; i < c.n; i++)
    normalise_input(L, c.first + i, c.first == 1 ? i + 1 : 1, list_type(L, &c, i));
  return c;
}

/* ---- attributes ---- */

static uint32_t check_axes(lua_State *L, int arg, int rank) {
  uint32_t axes = 0;
  bind_refuse_tracer(L, arg);
  if (lua_type(L, arg) == LUA_TNUMBER) return 1u << bind_check_axis(L, arg, rank);
  if (!lua_istable(L, arg)) bind_typeerror(L, arg, "axis or list of axes");
  const size_t n = bind_list_length(L, arg);
  size_t entries = 0;
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) entries++;
  if (entries != lua_rawlen(L, arg))
    bind_argerror(L, arg, "expected a list of axes, such as {1, 2}");
  for (size_t i = 1; i <= n; i++) {
    int isint;
    lua_geti(L, arg, (lua_Integer)i);
    lua_Integer given = lua_tointegerx(L, -1, &isint), axis = given < 0 ? given + rank + 1 : given;
    if (lua_type(L, -1) != LUA_TNUMBER || !isint)
      bind_argerror(L, arg, "expected axes that are integers, got %s", bind_push_text(L, -1));
    if (axis < 1 || axis > rank)
      bind_argerror(L, arg, "axis: expected 1 to %d or -%d to -1, got %I", rank, rank, given);
    if (axes & 1u << (axis - 1)) bind_argerror(L, arg, "axis %I is repeated", axis);
    axes |= 1u << (axis - 1);
    lua_pop(L, 1);
  }
  return axes;
}

/* How many arguments a shape or an order at arg takes. */
static int list_arguments(lua_State *L, int arg, int last) {
  int n = 0;
  if (lua_istable(L, arg)) return 1;
  while (arg + n <= last && lua_type(L, arg + n) == LUA_TNUMBER) n++;
  return n;
}

static void check_shape(lua_State *L, int arg, const call *c, const bnn_shape *x, bnn_attr *attr) {
  size_t size = 0;
  if (c->id != BNN_OP_view) {
    attr->rank = bind_check_shape(L, arg, attr->dim);
    return;
  }
  bnn_shape_size(&size, x->rank, x->dim);
  attr->rank = bind_check_view_shape(L, arg, size, attr->dim);
}

static int64_t check_integer(lua_State *L, int arg) {
  int isint;
  const lua_Integer i = lua_tointegerx(L, arg, &isint);
  if (lua_type(L, arg) != LUA_TNUMBER || !isint)
    bind_argerror(L, arg, "expected an integer, got %s", bind_push_text(L, arg));
  return i;
}

static size_t check_count(lua_State *L, int arg) {
  int isint;
  const lua_Integer count = lua_tointegerx(L, arg, &isint);
  if (lua_type(L, arg) != LUA_TNUMBER || !isint || count < 1 || count > INT32_MAX)
    bind_argerror(L, arg, "expected an integer of 1 or more, got %s", bind_push_text(L, arg));
  return (size_t)count;
}

/* A count, or a list of one for rows and one for columns. */
static void check_pair(lua_State *L, int arg, size_t *pair) {
  const bool list = lua_istable(L, arg);
  if (list && bind_list_length(L, arg) != 2)
    bind_argerror(L, arg, "expected a number or a list of two, {rows, columns}");
  for (int k = 0; k < 2; k++) {
    int isint;
    if (list)
      lua_geti(L, arg, k + 1);
    else
      lua_pushvalue(L, arg);
    lua_Integer count = lua_tointegerx(L, -1, &isint);
    if (lua_type(L, -1) != LUA_TNUMBER || !isint || count < 0 || count > INT32_MAX)
      bind_argerror(L, arg, "expected an integer of 0 or more, or a list of two, got %s",
                    bind_push_text(L, -1));
    pair[k] = (size_t)count;
    lua_pop(L, 1);
  }
}

/* How many attributes of the same letter come before this one. */
static int count_before(const char *args, const char *at) {
  int n = 0;
  for (const char *a = args; a < at; a++) n += *a == *at;
  return n;
}

/* One attribute, at arg, which is there; returns how many arguments it took. */
static int read_attribute(lua_State *L, const char *letter, int arg, const call *c,
                          const bnn_shape *x, bnn_attr *attr) {
  const int before = count_before(c->op->args, letter);
  switch (*letter) {
  case 'a': attr->axis = bind_check_axis(L, arg, x->rank + (c->id == BNN_OP_stack)); return 1;
  case 'A': attr->axes = check_axes(L, arg, x->rank); return 1;
  case 'k':
    if (!lua_isboolean(L, arg)) bind_typeerror(L, arg, "boolean");
    attr->keepdims = lua_toboolean(L, arg);
    return 1;
  case 'd':
    if (!lua_isboolean(L, arg)) bind_typeerror(L, arg, "boolean");
    attr->descending = lua_toboolean(L, arg);
    return 1;
  case 'f':
    if (!lua_isboolean(L, arg)) bind_typeerror(L, arg, "boolean");
    attr->flag = lua_toboolean(L, arg);
    return 1;
  case 'c': attr->count = check_count(L, arg); return 1;
  case 'r': attr->number[before] = bind_check_number(L, arg); return 1;
  case 'i':
    attr->index = check_integer(L, arg);
    attr->has_index = true;
    return 1;
  case 'p': check_pair(L, arg, attr->pair[before]); return 1;
  case 's': check_shape(L, arg, c, x, attr); return list_arguments(L, arg, c->last);
  case 'o':
    bind_check_order(L, arg, x->rank, attr->order);
    attr->rank = x->rank;
    return list_arguments(L, arg, c->last);
  default: /* 'n', behind 'a' */
    bind_check_span(L, arg, x->dim[attr->axis], &attr->from, &attr->count);
    return 2;
  }
}

/* The shape of the input at `index`, which read_inputs has seen. */
static bnn_shape shape_of_input(lua_State *L, int index) {
  return bind_test_box(L, index) ? bind_check_shape_of(L, index) : bnn_shape_make(BNN_U64, 0, NULL);
}

static void read_attributes(lua_State *L, const call *c, bnn_attr *attr) {
  bnn_shape x = shape_of_input(L, c->first);
  int arg = c->attr;
  *attr = c->op->defaults;
  for (const char *a = c->op->args; a && *a; a++) {
    if (*a == '?') continue;
    bool missing = arg > c->last || lua_isnil(L, arg);
    if (!missing) {
      arg += read_attribute(L, a, arg, c, &x, attr);
    } else if (a[1] == '?') {
      arg++;
    } else {
      bind_argerror(L, arg, "expected a value, got none");
    }
  }
  while (c->last >= arg && lua_isnil(L, arg)) arg++;
  if (c->last >= arg) bind_argerror(L, arg, "'%s' takes no more arguments", c->op->name);
}

/* ---- recording ---- */

/* A new constant of the concrete tensor at `index`. */
static int add_constant(lua_State *L, const bind_recording *p, bnn_tensor *x) {
  bnn_err err;
  int node = -1;
  bind_check(L, bnn_program_constant(p->program, &node, x, &err), &err);
  return node;
}

/* The node of the tracer at `index`, which must be of p. */
static int tracer_node(lua_State *L, const bind_recording *p, int index, int arg) {
  if (bind_push_recording(L, index) != p)
    bind_argerror(L, arg, "it belongs to another recording than the other arguments");
  lua_pop(L, 1);
  const bind_tensor *box = bind_test_box(L, index);
  return box ? box->node : bind_test_key(L, index)->node;
}

int bind_node_of(lua_State *L, int program_index, int index, int arg) {
  const bind_recording *p = lua_touserdata(L, program_index);
  if (is_tracer(L, index)) return tracer_node(L, p, index, arg);
  lua_pushvalue(L, index);
  int top = lua_gettop(L);
  normalise_input(L, top, arg, BNN_REAL);
  int node = add_constant(L, p, bind_test_box(L, top)->t);
  lua_pop(L, 1);
  return node;
}

/* Whether a function stands in for the op in the recording whose box is on top of the stack (rec:substitute);
 * then pushes its result. */
static bool call_substitute(lua_State *L, const call *c) {
  const int top = lua_gettop(L);
  if (lua_getiuservalue(L, top, 1) == LUA_TTABLE &&
      lua_getfield(L, -1, c->op->name) == LUA_TFUNCTION) {
    luaL_checkstack(L, c->last + LUA_MINSTACK, NULL);
    for (int i = 1; i <= c->last; i++) lua_pushvalue(L, i);
    lua_call(L, c->last, 1);
    if (!lua_isnil(L, -1)) return true;
  }
  lua_settop(L, top);
  return false;
}

/* Records the call in the program of the tracer at `tracer`, and pushes the tracer of its result.
 */
static int record(lua_State *L, const call *c, const bnn_attr *attr, int tracer) {
  int nodes[BNN_ARITY_MAX];
  bind_push_recording(L, tracer);
  int program = lua_gettop(L);
  if (call_substitute(L, c)) return 1;
  for (int i = 0; i < c->n; i++)
    nodes[i] = bind_node_of(L, program, c->first + i, c->first == 1 ? i + 1 : 1);
  bind_push_tracer(L, program, bind_record_nodes(L, program, c->id, nodes, c->n, attr));
  lua_remove(L, program);
  return 1;
}

/* ---- calling ---- */

/* bnn_op_run, which Ctrl-C ends: ESTOP, and no result. */
static bnn_status run_op(bnn_tensor **out, const bnn_context *context, const call *c,
                         bnn_tensor *const *x, const bnn_attr *attr, bnn_err *err) {
  bnn_tensor *t = NULL;
  const bnn_stop before = bnn_context_watch(context);
  bnn_status status = bnn_op_run(&t, c->id, x, c->n, attr, err);
  status = bnn_stop_end(before, status, err);
  if (status == BNN_OK)
    *out = t;
  else
    bnn_tensor_unref(t);
  return status;
}

static int run(lua_State *L, const call *c, const bnn_attr *attr) {
  const bnn_context *context = bind_context(L);
  bnn_tensor *x[BNN_ARITY_MAX];
  bnn_err err;
  bnn_status status;
  int tries = 0;
  for (int i = 0; i < c->n; i++) x[i] = bind_test_box(L, c->first + i)->t;
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = run_op(&t, context, c, x, attr, &err);
  while (bind_try_again(L, status, &tries));
  return bind_return_tensor(L, status, t, &err);
}

static int op_call(lua_State *L) {
  bnn_attr attr;
  call c = read_inputs(L, (bnn_op_id)lua_tointeger(L, lua_upvalueindex(1)));
  read_attributes(L, &c, &attr);
  for (int i = c.first; i < c.first + c.n; i++)
    if (is_tracer(L, i)) return record(L, &c, &attr, i);
  return run(L, &c, &attr);
}

/* The __call of a module that has an op's name: the module comes first. */
static int op_of_module(lua_State *L) {
  lua_remove(L, 1);
  return op_call(L);
}

/* Lua gives the operand of a unary operator twice. */
static int op_operator(lua_State *L) {
  lua_settop(L, bnn_op_get((bnn_op_id)lua_tointeger(L, lua_upvalueindex(1)))->arity);
  return op_call(L);
}

/* x:index(axis, positions) as well as x:index(positions [, axis]). */
static int op_index(lua_State *L) {
  if (lua_type(L, 2) == LUA_TNUMBER && lua_gettop(L) == 3) lua_insert(L, 2);
  return op_call(L);
}

/* ---- opening ---- */

/* The doc, and the example below it, indented by four spaces. */
static void push_doc(lua_State *L, const bnn_op *op) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, op->doc);
  if (op->example) {
    luaL_addstring(&b, "\n    ");
    luaL_addgsub(&b, op->example, "\n", "\n    ");
  }
  luaL_pushresult(&b);
}

/* The types that an op takes, as help says it. */
static const char *types_of(const bnn_op *op) {
  if (op->any_numbers) return "any two of numbers; the result is real, 0 or 1.";
  if (op->arithmetic) return "real, or all of one integer type; others raise, x:to(type) converts.";
  if (op->integers) return "those that the text names, or any where it names none; others raise.";
  return "real; others raise, x:real() converts.";
}

static int core_op_docs(lua_State *L) {
  lua_newtable(L);
  for (int id = 0; id < BNN_OP_COUNT; id++) {
    const bnn_op *op = bnn_op_get((bnn_op_id)id);
    if (op->internal) continue;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, op->name);
    lua_setfield(L, -2, "name");
    push_doc(L, op);
    lua_setfield(L, -2, "doc");
    lua_pushstring(L, types_of(op));
    lua_setfield(L, -2, "types");
    lua_pushboolean(L, op->backward != NULL || op->alias);
    lua_setfield(L, -2, "gradient");
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  }
  return 1;
}

static void push_op(lua_State *L, bnn_op_id id, lua_CFunction f) {
  lua_pushinteger(L, id);
  lua_pushcclosure(L, f, 1);
  bind_remember_name(L, "bnn.", bnn_op_get(id)->name);
}

/* Into the table `ops`, and into `methods` where that has no such method already: its own views of
 * tensors copy nothing. */
static void set_op(lua_State *L, bnn_op_id id, int ops, int methods) {
  const char *name = bnn_op_get(id)->name;
  push_op(L, id, op_call);
  lua_setfield(L, ops, name);
  if (lua_getfield(L, methods, name) == LUA_TNIL) {
    push_op(L, id, id == BNN_OP_index ? op_index : op_call);
    lua_setfield(L, methods, name);
  }
  lua_pop(L, 1);
}

static void set_operators(lua_State *L, int meta) {
  static const struct {
    const char *name;
    bnn_op_id id;
  } list[] = {{"__add", BNN_OP_add}, {"__sub", BNN_OP_sub},       {"__mul", BNN_OP_mul},
              {"__div", BNN_OP_div}, {"__mod", BNN_OP_remainder}, {"__idiv", BNN_OP_floor_divide},
              {"__pow", BNN_OP_pow}, {"__unm", BNN_OP_neg}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    push_op(L, list[i].id, op_operator);
    lua_setfield(L, meta, list[i].name);
  }
}

static int core_op_of_module(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  for (int id = 0; id < BNN_OP_COUNT; id++) {
    if (strcmp(bnn_op_get((bnn_op_id)id)->name, name) != 0) continue;
    push_op(L, (bnn_op_id)id, op_of_module);
    return 1;
  }
  return bind_argerror(L, 1, "expected the name of an op");
}

/* Into the methods of tensors, where there is none of the name. */
static int core_add_methods(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_getmetatable(L, BIND_TENSOR);
  lua_getfield(L, -1, "__index");
  lua_getupvalue(L, -1, 1); /* see bind_new_class */
  const int methods = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    if (lua_rawget(L, methods) == LUA_TNIL) {
      lua_pushvalue(L, -3);
      lua_pushvalue(L, -3);
      lua_rawset(L, methods);
    }
    lua_pop(L, 1);
  }
  return 0;
}

static const bind_row rows[] = {
    {"add_methods", core_add_methods,
     "add_methods({name = function(x, ...), ...}): methods of tensors that are written in Lua"},
    {"op_of_module", core_op_of_module,
     "op_of_module(name): the op as the __call of the module of the same name: bnn.log(x)"},
    {"op_docs", core_op_docs,
     "op_docs(): the documentation of the op table, a list of {name=, doc=, types=, gradient=}; a "
     "doc ends with its example"},
    {NULL, NULL, NULL},
};

void bind_open_op(lua_State *L) {
  int core = lua_gettop(L);
  lua_newtable(L);
  int ops = core + 1;
  luaL_getmetatable(L, BIND_TENSOR);
  int meta = core + 2;
  lua_getfield(L, meta, "__index");
  lua_getupvalue(L, -1, 1); /* see bind_new_class */
  int methods = core + 4;
  for (int id = 0; id < BNN_OP_COUNT; id++)
    if (!bnn_op_get((bnn_op_id)id)->internal) set_op(L, (bnn_op_id)id, ops, methods);
  set_operators(L, meta);
  lua_settop(L, ops);
  lua_getfield(L, ops, "concat");
  lua_setfield(L, core, "concat");
  lua_getfield(L, ops, "stack");
  lua_setfield(L, core, "stack");
  lua_setfield(L, core, "ops");
  bind_register(L, "bnn.core.", rows);
}
