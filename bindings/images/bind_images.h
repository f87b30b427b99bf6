/* bind_images.h - PNG, and pictures of characters. */
#ifndef BIND_IMAGES_H
#define BIND_IMAGES_H

#include <lua.h>

void bind_open_images(lua_State *L);

#endif
