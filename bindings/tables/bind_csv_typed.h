/* bind_csv_typed.h - tables of numbers and categories in text. */
#ifndef BIND_CSV_TYPED_H
#define BIND_CSV_TYPED_H

#include <lua.h>

void bind_open_csv_typed(lua_State *L);

#endif
