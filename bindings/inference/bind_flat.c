/* bind_flat.c - see bind_flat.h. */
#include "bind_flat.h"

#include <stdint.h>
#include <string.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../tensor/bind_tensor.h"

bnn_real *bind_check_flat(lua_State *L, int arg, size_t size) {
  return bind_check_elements(L, arg, BNN_REAL, size);
}

bnn_layout bind_check_layout(lua_State *L, int sizes) {
  luaL_checktype(L, sizes, LUA_TTABLE);
  size_t n = lua_rawlen(L, sizes), offset = 0;
  if (n > INT32_MAX) bind_error(L, "too many tensors");
  bnn_param *param = lua_newuserdatauv(L, (n + 1) * sizeof *param, 0);
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, sizes, (lua_Integer)i + 1);
    lua_Integer size = luaL_checkinteger(L, -1);
    if (size < 0) bind_error(L, "expected the elements of a tensor, got %I", size);
    if ((size_t)size > SIZE_MAX / sizeof(bnn_real) - offset) bind_error(L, "too many parameters");
    param[i] = (bnn_param){.offset = offset, .size = (size_t)size};
    offset += (size_t)size;
    lua_pop(L, 1);
  }
  return (bnn_layout){.n_params = n, .size = offset, .param = param};
}

/* The list on top of the stack into out. */
static void read_numbers(lua_State *L, const char *what, double *out, size_t n) {
  if (!lua_istable(L, -1) || lua_rawlen(L, -1) != n)
    bind_error(L, "%s: expected a list of %I numbers, got %s of %I", what, (lua_Integer)n,
               luaL_typename(L, -1), (lua_Integer)lua_rawlen(L, -1));
  for (size_t i = 0; i < n; i++) {
    lua_geti(L, -1, (lua_Integer)i + 1);
    out[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
}

double *bind_check_numbers(lua_State *L, int index, const char *what, size_t n) {
  double *list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  lua_pushvalue(L, index);
  read_numbers(L, what, list, n);
  lua_pop(L, 1);
  return list;
}

double *bind_field_numbers(lua_State *L, int at, const char *name, size_t n) {
  double *list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  memset(list, 0, n * sizeof *list);
  if (lua_getfield(L, at, name) != LUA_TNIL) read_numbers(L, name, list, n);
  lua_pop(L, 1);
  return list;
}

int bind_field_integer(lua_State *L, int at, const char *name, int missing) {
  lua_getfield(L, at, name);
  int ok = 1;
  lua_Integer value = lua_isnil(L, -1) ? missing : lua_tointegerx(L, -1, &ok);
  if (!ok || value < INT32_MIN || value > INT32_MAX)
    bind_error(L, "%s: expected an integer below 2^31, got %s", name, bind_push_text(L, -1));
  lua_pop(L, 1);
  return (int)value;
}
