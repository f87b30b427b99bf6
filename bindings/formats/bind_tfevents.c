/* bind_tfevents.c - records and histograms of TensorBoard's event files, as strings. */
#include "bind_tfevents.h"

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_tensor.h"
#include "base/mem.h"
#include "formats/tfevents.h"

static void free_bytes(void *b) {
  bnn_bytes_free(b);
  bnn_mem_free(b);
}

/* Pushes a holder of bytes that are freed with it, empty so far. */
static bnn_bytes *push_bytes(lua_State *L) {
  void **held = bind_push_holder(L, free_bytes);
  bnn_bytes *b = *held = bnn_mem_zalloc(1, sizeof *b);
  if (!b) bind_error(L, "out of memory: an event");
  return b;
}

static int core_tfevents_record(lua_State *L) {
  size_t n;
  bnn_err err;
  const char *event = luaL_checklstring(L, 1, &n);
  bnn_bytes *out = push_bytes(L);
  bind_check(L, bnn_tfevents_record(out, event, n, &err), &err);
  lua_pushlstring(L, (const char *)out->p, out->n);
  return 1;
}

static int core_tfevents_histogram(lua_State *L) {
  size_t finite = 0;
  bnn_err err;
  bnn_tensor *x = bind_check_tensor(L, 1);
  bnn_bytes *out = push_bytes(L);
  bind_check(L, bnn_tfevents_histogram(out, x, &finite, &err), &err);
  if (!finite) return 0;
  lua_pushlstring(L, (const char *)out->p, out->n);
  return 1;
}

static const bind_row rows[] = {
    {"tfevents_record", core_tfevents_record,
     "tfevents_record(event): the record of an event message in an event file of TensorBoard"},
    {"tfevents_histogram", core_tfevents_histogram,
     "tfevents_histogram(x): the message HistogramProto of the finite elements of a real tensor\n"
     "Returns nothing if there are none."},
    {NULL, NULL, NULL},
};

void bind_open_tfevents(lua_State *L) { bind_register(L, "bnn.core.", rows); }
