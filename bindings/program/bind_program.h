/* bind_program.h - the box of a program, first a recording. */
#ifndef BIND_PROGRAM_H
#define BIND_PROGRAM_H

#include <lua.h>
#include <stdbool.h>

#include "../tensor/bind_tracer.h"
#include "program/program.h"

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

/* Makes the frame that runs of the finished program at argument 1 use, once, and counts its bytes.
 * Raises when the program is closed, as a finalizer may have done meanwhile. */
bind_program *bind_check_frame(lua_State *L);

void bind_open_program(lua_State *L);

#endif
