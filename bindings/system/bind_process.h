/* bind_process.h - another program, run to its end. */
#ifndef BIND_PROCESS_H
#define BIND_PROCESS_H

#include <lua.h>

void bind_open_process(lua_State *L);

#endif
