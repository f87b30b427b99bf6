/* bind_tracer.h - recordings as tensors and keys see them: a tracer is the box of a value that is being
 * recorded, and keeps the box of its recording alive in its uservalue 1. */
#ifndef BIND_TRACER_H
#define BIND_TRACER_H

#include <lua.h>
#include <stdbool.h>

#include "ops/op.h"
#include "program/program.h"

/* What the box of a program begins with.  Its tracers are alive while `is_open`. */
typedef struct bind_recording {
  bnn_program *program; /* NULL: closed */
  bool is_open;
} bind_recording;

/* Pushes a tracer of node `node` of the program whose box is at stack index program_index. */
void bind_push_tracer(lua_State *L, int program_index, int node);

/* Pushes the program's box of the tracer (of a tensor or a key) at stack index `index`, which must
 * be alive: raises when its recording has ended. */
bind_recording *bind_push_recording(lua_State *L, int index);

/* Records an op on n nodes of the program whose box is at program_index; returns its node. */
int bind_record_nodes(lua_State *L, int program_index, bnn_op_id id, const int *nodes, int n,
                      const bnn_attr *attr);

/* Records an op on the live tracer of a tensor at arg alone, and pushes the tracer of its result;
 * returns 1. */
int bind_record(lua_State *L, int arg, bnn_op_id id, const bnn_attr *attr);

/* Raises that a value is read when the value at `index` is a tracer: where a number is expected. */
void bind_refuse_tracer(lua_State *L, int index);

/* Raises "FILE:LINE: a value is read while recording: <what> needs ...; <instead>", with the line of
 * the user's script; does not return. */
int bind_fail_reading(lua_State *L, const char *what, const char *instead);

#endif
