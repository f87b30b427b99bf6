/* bind_key.h - the box of a key. */
#ifndef BIND_KEY_H
#define BIND_KEY_H

#include <lua.h>

#include "program/program.h"
#include "tensor/key.h"

#define BIND_KEY "bnn.key"

/* What a key's box holds: a key, or a tracer of one (bind_tracer.h). */
typedef struct bind_key {
  bnn_key key;
  bnn_program *program;
  int node;
} bind_key;

/* Pushes a key; pushes a tracer of one, as bind_push_tracer does. */
void bind_push_key(lua_State *L, bnn_key key);
void bind_push_key_tracer(lua_State *L, int program_index, int node);

/* The key box at arg, concrete or tracer, or NULL when it is something else. */
bind_key *bind_test_key(lua_State *L, int arg);

/* Argument arg as a concrete key; a tracer raises. */
bnn_key bind_check_key(lua_State *L, int arg);

void bind_open_key(lua_State *L);

#endif
