/* bind_capture.h - standard output and standard error, copied into files. */
#ifndef BIND_CAPTURE_H
#define BIND_CAPTURE_H

#include <lua.h>

/* In the child of a fork: what it prints is not copied into the parent's files. */
void bind_capture_forget_parent(lua_State *L);

void bind_open_capture(lua_State *L);

#endif
