/* bind_holder.c - see bind_holder.h. */
#include "bind_holder.h"

#include "bind.h"

typedef struct holder {
  void *p;
  void (*release)(void *p);
} holder;

void bind_empty_holder(void **held) {
  holder *h = (holder *)(void *)held; /* p is its first member */
  void *p = h->p;
  h->p = NULL;
  if (p) h->release(p);
}

static int holder_gc(lua_State *L) {
  bind_empty_holder(lua_touserdata(L, 1));
  return 0;
}

void **bind_push_holder(lua_State *L, void (*release)(void *p)) {
  holder *h = lua_newuserdatauv(L, sizeof *h, 0);
  *h = (holder){NULL, release};
  static const luaL_Reg meta[] = {{"__gc", holder_gc}, {"__close", holder_gc}, {NULL, NULL}};
  bind_set_metatable(L, "bnn.holder", meta);
  return &h->p;
}
