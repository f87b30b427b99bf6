/* bind_json.h - JSON, for the library's own use. */
#ifndef BIND_JSON_H
#define BIND_JSON_H

#include <lua.h>

void bind_open_json(lua_State *L);

#endif
