/* bind_tfevents.h - TensorBoard's event files, for the library's own use. */
#ifndef BIND_TFEVENTS_H
#define BIND_TFEVENTS_H

#include <lua.h>

void bind_open_tfevents(lua_State *L);

#endif
