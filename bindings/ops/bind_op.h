/* bind_op.h - every op of the table as a function, and as a method of tensors. */
#ifndef BIND_OP_H
#define BIND_OP_H

#include <lua.h>

/* The node that the value at stack index `index` is in the recording whose box is at program_index:
 * a tracer's own, or a new constant of a tensor, a number or a key.  arg is what errors call it. */
int bind_node_of(lua_State *L, int program_index, int index, int arg);

void bind_open_op(lua_State *L);

#endif
