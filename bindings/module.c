/* module.c - the library `bnn` for another host than the program: bnn.so, which the stock lua5.4
 * finds with require "bnn".  Scripts and runtime are in it, Lua itself is the host's; of its symbols
 * only luaopen_bnn is seen.  It takes no signal until something is run under bnn.signal.guard, as
 * trainings are, and gives them back then. */
#include "base/bind.h"
#include "base/bind_loader.h"
#include "bind_core.h"

__attribute__((visibility("default"))) int luaopen_bnn(lua_State *L);

static bool reads_environment(lua_State *L) { /* not under lua5.4 -E */
  lua_getfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  const bool ignored = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return !ignored;
}

/* (name, path of bnn.so) -> the module, as the program's require "bnn" gives it. */
int luaopen_bnn(lua_State *L) {
  luaL_checkversion(L);
  bind_preload(L, BIND_MODULE, reads_environment(L));
  if (bind_loader_load(L, "bnn") != LUA_OK) return lua_error(L);
  lua_pushliteral(L, "bnn");
  lua_insert(L, -2);
  lua_call(L, 2, 1);
  return 1;
}
