/* bind_files.h - bytes into a file and from one, and what a folder holds. */
#ifndef BIND_FILES_H
#define BIND_FILES_H

#include <lua.h>

void bind_open_files(lua_State *L);

#endif
