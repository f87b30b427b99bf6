/* bind_box.h - boxes: userdata that own something of C's, as Lua's objects are.
 *
 * What a box holds is a small struct whose first member is a pointer, NULL while the box is empty.
 * A binding pushes the empty box, makes the struct, and fills the box with it, which tells the
 * collector of its bytes: there is no other way to fill one, so none is forgotten.  __gc and __close
 * empty the box; a method that finds it empty raises "<noun> is closed".
 *
 * Tensors (bind_tensor.h), which are made by the thousand, do the same by functions of their own. */
#ifndef BIND_BOX_H
#define BIND_BOX_H

#include "bind.h"

/* What a class's boxes have in common. */
typedef struct bind_class {
  const char *name;                  /* of the metatable: "bnn.objective" */
  const char *noun;                  /* in messages: "objective" */
  size_t size;                       /* of the struct */
  void (*release)(void *held);       /* frees what the struct has */
  size_t (*bytes)(const void *held); /* that this frees */
} bind_class;

/* What an open file counts for, in bytes, so that those which are dropped without being closed are
 * collected before the system runs out of descriptors. */
enum { BIND_DESCRIPTOR_BYTES = 1 << 18 };

/* Pushes an empty box. */
void bind_push_box(lua_State *L, const bind_class *class);

/* Fills the empty box on top of the stack with *held; the box owns what that has.  Returns 1. */
int bind_fill_box(lua_State *L, const bind_class *class, const void *held);

/* What the box at arg holds; raises when it is of another class or empty. */
void *bind_check_box(lua_State *L, int arg, const bind_class *class);

/* __gc, __close and the method that closes a box: empties the one at argument 1; twice is fine. */
int bind_release_box(lua_State *L, const bind_class *class);

/* Makes the class of boxes, with `release` as __gc and __close and methods that only the library calls. */
void bind_new_box_class(lua_State *L, const bind_class *class, const luaL_Reg *methods,
                        lua_CFunction release);

#endif
