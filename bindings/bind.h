/* bind.h - what the bindings share: boxes, argument checks, and how a runtime error becomes Lua's.
 *
 * A box is a full userdata that holds one pointer, NULL until it is filled; __gc and __close are
 * the same function, and twice is fine.  Every binding reads and checks all its arguments, pushes
 * the empty box, does the C work into it, and raises or returns last: whatever raises in between,
 * nothing leaks.  Nothing from bnn_mem is held in a C local across a Lua call that can raise. */
#ifndef BIND_H
#define BIND_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

#include "base/context.h"
#include "base/status.h"
#include "ops/op.h"
#include "program/program.h"
#include "tensor/key.h"
#include "tensor/tensor.h"

#define BIND_TENSOR "bnn.tensor"
#define BIND_KEY "bnn.key"
#define BIND_PROGRAM "bnn.program"

/* The module `bnn.core`. */
int luaopen_bnn_core(lua_State *L);

/* What a tensor's box holds: a concrete tensor, or a tracer (program and node) while recording. The
 * tracer's box keeps the program's box alive in its uservalue 1; `program` is NULL otherwise. */
typedef struct bind_tensor {
  bnn_tensor *t;
  bnn_program *program;
  int node;
} bind_tensor;

/* What a key's box holds: a key, or a tracer of one. */
typedef struct bind_key {
  bnn_key key;
  bnn_program *program;
  int node;
} bind_key;

/* An input of a program: what rec:input, rows, key and param made, in that order. */
typedef struct bind_input {
  int node;
  bnn_input_kind kind;
} bind_input;

/* What a program's box holds: a recording, then (after finish) a program; closed when `program` is
 * NULL.  The tracers of a recording are alive while `recording` is. */
typedef struct bind_program {
  bnn_program *program;
  bnn_frame *frame; /* of program:run, made by the first one */
  bool recording;
  bool gradient; /* finished with one */
  int n_outputs;
  bind_input *inputs; /* [n_inputs] */
  int n_inputs, room;
  int *wrt; /* [n_wrt] nodes; NULL: the flat parameters */
  int n_wrt;
  size_t n_params; /* elements that the flat parameter buffer must have */
} bind_program;

/* Pushes an empty box whose __gc is set already. */
bind_tensor *bind_push_tensor(lua_State *L);

/* Pushes a new box with a new tensor of zeros in it; collects and tries once more when memory is
 * short, then raises.  Its bytes are not reported yet: bind_account, once it is filled. */
bnn_tensor *bind_push_new(lua_State *L, bnn_dtype dtype, int rank, const size_t *dim);

/* Takes over the caller's reference to t: pushes an empty box first when `box` is NULL. Reports the
 * bytes to the collector. */
void bind_fill_tensor(lua_State *L, bind_tensor *box, bnn_tensor *t);

/* Ends a function that has put a tensor into the box on top of the stack: raises when status is not
 * OK, else reports the bytes to the collector.  Returns 1. */
int bind_return_tensor(lua_State *L, bind_tensor *box, bnn_status status, const bnn_err *err);

/* Argument arg as a concrete tensor (a tracer raises "a value is read while recording"), with
 * `dtype` checked when it is not BNN_DTYPE_COUNT. */
bnn_tensor *bind_check_tensor(lua_State *L, int arg);
bnn_tensor *bind_check_typed(lua_State *L, int arg, bnn_dtype dtype);

/* The same, or NULL when the argument is nil or absent. */
bnn_tensor *bind_opt_tensor(lua_State *L, int arg);

/* Raises that a value is read when the value at `index` is a tracer: where a number is wanted. */
void bind_refuse_tracer(lua_State *L, int index);

/* The tensor box at arg, concrete or tracer, or NULL when it is something else.  Raises, as all
 * checks of a tensor do, when its elements are of a mapped file that has changed. */
bind_tensor *bind_test_box(lua_State *L, int arg);

/* Raises when x, which may be NULL, lies over a mapped file that has changed, or when a mapped file
 * was cut short while something was read from it (bind_map.c). */
void bind_check_map(lua_State *L, const bnn_tensor *x);

/* The shape of the tensor at arg, concrete or tracer; raises when it is neither, or dead. */
bnn_shape bind_check_shape_of(lua_State *L, int arg);

/* Pushes a tracer of node `node` of the program whose box is at stack index program_index. */
void bind_push_tracer(lua_State *L, int program_index, int node);

/* Pushes the program's box of the tracer (of a tensor or a key) at stack index `index`, which must
 * be alive: raises when its recording has ended. */
bind_program *bind_push_recording(lua_State *L, int index);

/* Records an op on the live tracer at arg alone, and pushes the tracer of its result; returns 1. */
int bind_record(lua_State *L, int arg, bnn_op_id id, const bnn_attr *attr);

/* Raises "FILE:LINE: a value is read while recording: <what> wants ...; <instead>", with the line of
 * the user's script; does not return. */
int bind_fail_reading(lua_State *L, const char *what, const char *instead);

/* The node that the value at stack index `index` is in the recording whose box is at program_index:
 * a tracer's own, or a new constant of a tensor, a number or a key.  arg is what errors call it. */
int bind_node_of(lua_State *L, int program_index, int index, int arg);

/* Argument arg as a recording (not yet finished), or as a finished program; raises otherwise. */
bind_program *bind_check_recording(lua_State *L, int arg);
bind_program *bind_check_program(lua_State *L, int arg);

/* Where the value of an input is read from: memory of a tensor's, or a number or key kept here. */
typedef struct bind_source {
  void *memory; /* NULL for a parameter */
  union {
    bnn_real real;
    uint64_t bits;
  } number;
} bind_source;

/* Where input i of a program, the value on top of the stack, can be read from; leaves what keeps
 * that memory alive on the stack.  Raises, by bind_fail_input, when it is not what was recorded. */
void *bind_input_memory(lua_State *L, const bind_program *p, int i, bind_source *s);
void bind_fail_input(lua_State *L, int i, const bnn_shape *want, const char *got);

/* Pushes x, or a contiguous copy of it, in a new box. */
bnn_tensor *bind_push_contiguous(lua_State *L, bnn_tensor *x);

/* Pushes a userdata with the addresses of n new empty boxes, then the list of these boxes. */
bind_tensor **bind_push_boxes(lua_State *L, int n);

/* The key box at arg, concrete or tracer, or NULL when it is something else. */
bind_key *bind_test_key(lua_State *L, int arg);

/* Pushes a key; pushes a tracer of one, as bind_push_tracer does. */
void bind_push_key(lua_State *L, bnn_key key);
void bind_push_key_tracer(lua_State *L, int program_index, int node);

/* Argument arg as a concrete key; a tracer raises. */
bnn_key bind_check_key(lua_State *L, int arg);

/* After a failure for want of memory: collects all garbage and says whether to try again, once.
 * `tries` starts at 0. */
bool bind_try_again(lua_State *L, bnn_status status, int *tries);

/* Raise like luaL_error, luaL_argerror and luaL_typeerror, with the line of the user's script that led here rather
 * than the library's (bind_error), and the path of the layer that is being called, when there is
 * one: "net.lua:7: mlp/linear_2: ...".  Success costs nothing: who knows the path is asked only
 * then (core.on_failure).  They do not return. */
int bind_error(lua_State *L, const char *format, ...);
int bind_argerror(lua_State *L, int arg, const char *text);
int bind_typeerror(lua_State *L, int arg, const char *wanted);

/* Raises when status is not OK: "shapes do not agree: <text>", by bind_error. */
void bind_check(lua_State *L, bnn_status status, const bnn_err *err);

/* Pushes nil and the message; returns 2: for what the world may refuse. */
int bind_refuse(lua_State *L, bnn_status status, const bnn_err *err);

/* The same for a file, but raises for want of memory. */
int bind_refuse_file(lua_State *L, bnn_status status, const bnn_err *err);

/* Push a text [n], or replace the string on top of the stack, as a terminal may show it
 * (display.h), and return it.  `lines`: newlines and tabs stay, as they do of the top. */
const char *bind_push_shown(lua_State *L, const char *text, size_t n, bool lines);
const char *bind_show_top(lua_State *L);

/* Prints a text so. */
void bind_print_shown(FILE *out, const char *text);

/* Push nil and a message, as shown: what the format of lua_pushfstring gives, or "path: reason"
 * with that of errno `number`.  Return 2. */
int bind_refuse_with(lua_State *L, const char *format, ...);
int bind_refuse_path(lua_State *L, const char *path, int number);

/* A path at arg, as C sees it: without a zero byte inside. */
const char *bind_check_path(lua_State *L, int arg);

/* Pushes a holder, whose __gc gives *p, when it is not NULL, to `release`: for what C makes that
 * must outlive calls that may raise.  Returns p; *p is NULL. */
void **bind_push_holder(lua_State *L, void (*release)(void *p));

/* Releases what a holder has at once, rather than when it is collected. */
void bind_empty_holder(void **p);

/* A 1-based index into n, negative from the end, as 0-based; raises outside. */
size_t bind_check_index(lua_State *L, int arg, size_t n);

/* luaL_checkinteger and luaL_checknumber, which a tracer fails as a value that is read. */
lua_Integer bind_check_integer(lua_State *L, int arg);
lua_Number bind_check_number(lua_State *L, int arg);

/* An integer in [lo, hi] by name: raises "bad argument #arg ... (name is 0, at least 1 is wanted)".
 */
lua_Integer bind_check_range(lua_State *L, int arg, const char *name, lua_Integer lo,
                             lua_Integer hi);

/* A shape from integers starting at arg or from one list at arg; returns its rank. */
int bind_check_shape(lua_State *L, int arg, size_t dim[BNN_RANK_MAX]);

/* The same where one -1 stands for what `size` elements leave. */
int bind_check_view_shape(lua_State *L, int arg, size_t size, size_t dim[BNN_RANK_MAX]);

/* Axis arg of a value of that rank: 1-based, negative from the end; as 0-based. */
int bind_check_axis(lua_State *L, int arg, int rank);

/* An order of `rank` axes from integers starting at arg or from one list at arg. */
void bind_check_order(lua_State *L, int arg, int rank, int order[BNN_RANK_MAX]);

/* A range of positions `from, count` at arg and arg + 1, from among n; *from counts from 0. */
void bind_check_span(lua_State *L, int arg, size_t n, size_t *from, size_t *count);

/* A type by name at arg; `otherwise` when it is nil or absent. */
bnn_dtype bind_opt_dtype(lua_State *L, int arg, bnn_dtype otherwise);

/* A tensor from a number or nested lists at stack index `index`, into a new box on top of the
 * stack. Errors say that argument arg is wrong, and where. */
bnn_tensor *bind_push_data(lua_State *L, int index, int arg, bnn_dtype dtype);

/* Whether the number at stack index `index` can be an element of that type as it is. */
bool bind_number_fits(lua_State *L, int index, bnn_dtype dtype);

/* Tells the collector of `bytes` that a box just took, so that it collects in time: Lua cannot see
 * C memory (20,000 dropped tensors of 8 kB left 4,293 alive at the peak; with this, 133). */
void bind_account(lua_State *L, size_t bytes);

/* The context of this Lua state, made when the module was opened. */
bnn_context *bind_context(lua_State *L);

/* Push a number, or the value at stack index `index`, as a message shows it, and return the text:
 * tostring in the C locale, where luaL_tolstring and lua_pushfstring's %f follow setlocale, and
 * as display.h shows it. */
const char *bind_push_number(lua_State *L, double v);
const char *bind_push_text(lua_State *L, int index);

/* Rows of C functions with their documentation: {name, function, doc}; the doc's first line is the
 * call.  Registered into the table on top of the stack, and into core.docs(). */
typedef struct bind_row {
  const char *name;
  lua_CFunction call;
  const char *doc;
} bind_row;
void bind_register(lua_State *L, const char *prefix, const bind_row *rows);

/* Makes the metatable `name` with metamethods `meta` and leaves its table of methods, from `rows`,
 * on the stack.  The methods are __index unless meta has an __index, whose upvalue 1 they are then.
 */
void bind_new_class(lua_State *L, const char *name, const char *prefix, const luaL_Reg *meta,
                    const bind_row *rows);

/* Sets the metatable `name`, with these functions, on the value on top of the stack.  It is made whole
 * at its first use and registered then: memory that is out in between leaves none without its __gc,
 * as luaL_newmetatable would. */
void bind_set_metatable(lua_State *L, const char *name, const luaL_Reg *meta);

/* Each file's rows; the module's table is on top of the stack, and stays there. */
void bind_open_map(void);
void bind_open_tensor(lua_State *L);
void bind_open_key(lua_State *L);
void bind_open_op(lua_State *L);
void bind_open_idx(lua_State *L);
void bind_open_fetch(lua_State *L);
void bind_open_system(lua_State *L);
void bind_open_display(lua_State *L);
void bind_open_number(lua_State *L);
void bind_open_scope(lua_State *L);
void bind_open_lock(lua_State *L);
void bind_open_process(lua_State *L);
void bind_open_glyphs(lua_State *L);
void bind_open_shift(lua_State *L);
void bind_open_arrays(lua_State *L);
void bind_open_columns(lua_State *L);
void bind_open_safetensors(lua_State *L);
void bind_open_json(lua_State *L);
void bind_open_images(lua_State *L);
void bind_open_files(lua_State *L);
void bind_open_program(lua_State *L);
void bind_open_context(lua_State *L);
void bind_open_learn(lua_State *L);
void bind_open_vmap(lua_State *L);
void bind_open_metrics(lua_State *L);

#endif
