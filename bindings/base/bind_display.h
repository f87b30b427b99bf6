/* bind_display.h - text of any origin as a terminal may show it (base/display.h), for messages. */
#ifndef BIND_DISPLAY_H
#define BIND_DISPLAY_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Push a text [n], or replace the string on top of the stack, as a terminal may show it, and return
 * it.  `lines`: newlines and tabs stay, as they do of the top. */
const char *bind_push_shown(lua_State *L, const char *text, size_t n, bool lines);
const char *bind_show_top(lua_State *L);

/* Prints a text so. */
void bind_print_shown(FILE *out, const char *text);

void bind_open_display(lua_State *L);

#endif
