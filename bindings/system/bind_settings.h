/* bind_settings.h - threads, the stop flag, the instruction set, and versions. */
#ifndef BIND_SETTINGS_H
#define BIND_SETTINGS_H

#include <lua.h>

void bind_open_settings(lua_State *L);

#endif
