/* bind_shift.c - shifted images. */
#include "bind_shift.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_key.h"
#include "../tensor/bind_tensor.h"
#include "images/shift.h"

static int core_shift(lua_State *L) {
  static const char *const kinds[] = {
#define X(tag, name, amount, least, most) name,
      BNN_SHIFT_ROWS(X)
#undef X
          NULL};
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bnn_tensor *x = bind_check_tensor(L, 1);
  bnn_shift_kind kind = (bnn_shift_kind)luaL_checkoption(L, 2, NULL, kinds);
  double amount = bind_check_number(L, 3);
  bnn_key key = {0}, *drawn = NULL;
  if (!lua_isnoneornil(L, 4)) key = bind_check_key(L, 4), drawn = &key;
  x = bind_push_contiguous(L, x);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_shift(&t, bind_context(L), x, kind, amount, drawn, &err);
  while (bind_try_again(L, status, &tries));
  return bind_return_tensor(L, status, t, &err);
}

static const bind_row rows[] = {
    {"shift", core_shift,
     "shift(x, kind, amount [, key]): images, u8 or real from 0 to 1, [n, h, w] or [n, channels, h, "
     "w], shifted\n"
     "kind: \"rotate\", \"translate\", \"noise\", \"blur\", \"contrast\" or \"occlude\"; bnn.shift "
     "says what their amounts are. Without a key all images go one way."},
    {NULL, NULL, NULL},
};

void bind_open_shift(lua_State *L) { bind_register(L, "bnn.core.", rows); }
