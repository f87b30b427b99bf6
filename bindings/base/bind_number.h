/* bind_number.h - numbers as text, whatever the process's locale is. */
#ifndef BIND_NUMBER_H
#define BIND_NUMBER_H

#include <lua.h>

/* Push a number, or the value at stack index `index`, as a message shows it, and return the text:
 * tostring in the C locale, where luaL_tolstring and lua_pushfstring's %f follow setlocale, and
 * as bind_display.h shows it; of tables and other objects "a table", "a tensor". */
const char *bind_push_number(lua_State *L, double v);
const char *bind_push_text(lua_State *L, int index);

void bind_open_number(lua_State *L);

#endif
