/* bind_program.h - the box of a program, first a recording, and where a run reads its inputs. */
#ifndef BIND_PROGRAM_H
#define BIND_PROGRAM_H

#include <lua.h>
#include <stdbool.h>

#include "../tensor/bind_tracer.h"
#include "program/program.h"

#define BIND_PROGRAM "bnn.program"

/* An input of a program: what rec:input, rows, key and param made, in that order. */
typedef struct bind_input {
  int node;
  bnn_input_kind kind;
} bind_input;

/* What a program's box holds: a recording, then (after finish) a program. */
typedef struct bind_program {
  bind_recording recording; /* first: what tracers know of it */
  bnn_frame *frame;         /* of program:run, made by the first one */
  bool gradient;            /* finished with one */
  int n_outputs;
  bind_input *inputs; /* [n_inputs] */
  int n_inputs, capacity;
  int *wrt; /* [n_wrt] nodes; NULL: the flat parameters */
  int n_wrt;
  size_t n_params; /* elements that the flat parameter buffer must have */
} bind_program;

/* Argument arg as a finished program; raises otherwise. */
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

void bind_open_program(lua_State *L);

#endif
