/* bind_run.h - running a program: where its inputs are read from, and where its results go. */
#ifndef BIND_RUN_H
#define BIND_RUN_H

#include <lua.h>

#include "bind_program.h"

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

/* Pushes a list of `count` new tensors for outputs of p, or for the gradients with respect to the nodes
 * `node` if that is not NULL; out gets them.  With n not NULL each has *n slices: [*n, shape]. */
void bind_push_results(lua_State *L, bnn_tensor **out, const bnn_program *p, const int *node,
                       int count, const size_t *n);

/* program:run */
int bind_program_run(lua_State *L);

#endif
