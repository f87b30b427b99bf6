/* bind_box.c - see bind_box.h. */
#include "bind_box.h"

#include <string.h>

#include "bind.h"
#include "bind_context.h"
#include "bind_error.h"

/* The one uservalue is the class's own. */
void bind_push_box(lua_State *L, const bind_class *class) {
  memset(lua_newuserdatauv(L, class->size, 1), 0, class->size);
  luaL_setmetatable(L, class->name);
}

int bind_fill_box(lua_State *L, const bind_class *class, const void *held) {
  memcpy(lua_touserdata(L, -1), held, class->size);
  bind_account(L, class->bytes(held));
  return 1;
}

void *bind_check_box(lua_State *L, int arg, const bind_class *class) {
  void **box = luaL_checkudata(L, arg, class->name);
  if (!*box) bind_argerror(L, arg, "%s is closed", class->noun);
  return box;
}

int bind_release_box(lua_State *L, const bind_class *class) {
  void **box = luaL_checkudata(L, 1, class->name);
  if (*box) class->release(box);
  memset(box, 0, class->size);
  return 0;
}

void bind_new_box_class(lua_State *L, const bind_class *class, const luaL_Reg *methods,
                        lua_CFunction release) {
  luaL_newmetatable(L, class->name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, release);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, release);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
