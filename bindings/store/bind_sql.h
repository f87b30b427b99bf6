/* bind_sql.h - databases in a file. */
#ifndef BIND_SQL_H
#define BIND_SQL_H

#include <lua.h>

void bind_open_sql(lua_State *L);

#endif
