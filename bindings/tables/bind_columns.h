/* bind_columns.h - the columns of a data set, standardised. */
#ifndef BIND_COLUMNS_H
#define BIND_COLUMNS_H

#include <lua.h>

void bind_open_columns(lua_State *L);

#endif
