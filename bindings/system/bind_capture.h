/* bind_capture.h - standard output and standard error, copied into files. */
#ifndef BIND_CAPTURE_H
#define BIND_CAPTURE_H

#include <lua.h>

void bind_open_capture(lua_State *L);

#endif
