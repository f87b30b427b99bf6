/* bind_csv.h - tables of numbers in text. */
#ifndef BIND_CSV_H
#define BIND_CSV_H

#include <lua.h>

void bind_open_csv(lua_State *L);

#endif
