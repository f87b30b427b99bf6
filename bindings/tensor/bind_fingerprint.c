/* bind_fingerprint.c - see bind_fingerprint.h. */
#include "bind_fingerprint.h"

#include "../base/bind.h"
#include "bind_tensor.h"
#include "tensor/fingerprint.h"

/* fingerprint([value [, h]]) */
static int core_fingerprint(lua_State *L) {
  const uint64_t h = (uint64_t)luaL_optinteger(L, 2, (lua_Integer)BNN_FINGERPRINT_START);
  uint64_t result = h;
  if (lua_type(L, 1) == LUA_TSTRING) {
    size_t length;
    const char *text = lua_tolstring(L, 1, &length);
    result = bnn_fingerprint_text(h, text, length);
  } else if (!lua_isnoneornil(L, 1)) {
    result = bnn_fingerprint_tensor(h, bind_check_tensor(L, 1));
  }
  lua_pushinteger(L, (lua_Integer)result);
  return 1;
}

static const bind_row rows[] = {
    {"fingerprint", core_fingerprint,
     "fingerprint([value [, h]]): a 64-bit hash of a tensor or a string, as an integer; h is the\n"
     "fingerprint of what came before"},
    {NULL, NULL, NULL},
};

void bind_open_fingerprint(lua_State *L) { bind_register(L, "bnn.core.", rows); }
