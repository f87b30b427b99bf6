/* bind_map.c - tensors over mapped files whose files change: always an error, never other values.
 *
 * Every use of a tensor looks whether its file is as it was.  A file that is cut short while C reads
 * from it gives zeros and an alarm (map.h), which is raised at the next Lua instruction, before
 * anything can be done with what was made of them; or at the next use of any tensor. */
#include "bind_map.h"

#include <signal.h>

#include "../base/bind_error.h"
#include "../base/bind_signal.h"
#include "files/map.h"

static void raise_cut(lua_State *L) {
  bnn_err err;
  bnn_status status = bnn_map_cut(&err);
  bnn_map_forget_cut();
  bind_check(L, status, &err);
}

void bind_check_map(lua_State *L, const bnn_tensor *x) {
  bnn_err err;
  if (bnn_map_is_cut()) raise_cut(L);
  if (x) bind_check(L, bnn_map_check(x, &err), &err);
}

/* In the handler of SIGBUS, maybe in a worker. */
static void on_cut(void) {
  if (!bind_signal_raise_soon(raise_cut)) pthread_kill(bind_signal_thread(), SIGBUS);
}

void bind_open_map(void) { bnn_map_on_cut(on_cut); }
