/* bind_context.c - the context of a Lua state, and how the collector learns of memory that it cannot see.
 *
 * A bnn_context belongs to one Lua state and is freed with it.  A signal stops those of all states. */
#include "bind_context.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bind.h"
#include "bind_display.h"
#include "bind_error.h"
#include "bind_signal.h"
#include "kernels/blas.h"
#include "kernels/isa.h"

enum {
  STEP_BYTES = 1 << 20,  /* a step of the collector for so much new memory */
  FULL_BYTES = 32 << 20, /* no full collection for less garbage than this */
  HEADER_BYTES = 256     /* what a tensor takes besides its elements */
};

/* The state's box.  A step of a generational collector leaves alone what is old, and would wait for
 * the memory that Lua sees to double: so when what the runtime holds has grown by half, a full
 * collection is run. */
typedef struct state {
  struct state *next;
  bnn_context *context;
  size_t unreported; /* bytes since the last step */
  size_t full_at;    /* bytes alive at which to collect everything */
} state;

static const char state_key; /* registry[&state_key]: the state's box */
static state *states;        /* of all Lua states; changed only with the signals blocked */

static state *get_state(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  state *s = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return s;
}

bnn_context *bind_context(lua_State *L) {
  bnn_context *context = get_state(L)->context;
  if (!context) bind_error(L, "the Lua state is being closed");
  return context;
}

/* ---- memory ---- */

static void collect_all(lua_State *L, state *s) {
  lua_gc(L, LUA_GCCOLLECT);
  size_t alive = bnn_mem_bytes();
  s->full_at = alive + (alive / 2 > FULL_BYTES ? alive / 2 : FULL_BYTES);
}

void bind_account(lua_State *L, size_t bytes) {
  state *s = get_state(L);
  s->unreported += bytes + HEADER_BYTES;
  if (s->unreported < STEP_BYTES) return;
  size_t kib = s->unreported / 1024;
  s->unreported = 0;
  if (lua_gc(L, LUA_GCISRUNNING) != 1) return; /* stopped by the script, or in a finalizer */
  if (bnn_mem_bytes() >= s->full_at)
    collect_all(L, s);
  else
    lua_gc(L, LUA_GCSTEP, (int)(kib < 1 << 20 ? kib : 1 << 20));
}

bool bind_try_again(lua_State *L, bnn_status status, int *tries) {
  if (status != BNN_ENOMEM || (*tries)++ > 0) return false;
  lua_gc(L, LUA_GCCOLLECT);
  return true;
}

static int core_memory(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bnn_mem_live());
  lua_pushinteger(L, (lua_Integer)bnn_mem_bytes());
  lua_pushinteger(L, (lua_Integer)bnn_mem_peak());
  return 3;
}

/* ---- stopping ---- */

static void stop_all(void) {
  for (state *s = states; s; s = s->next) bnn_context_stop(s->context);
}

static void resume_all(void) {
  for (state *s = states; s; s = s->next) bnn_context_resume(s->context);
}

static void put_on_list(state *s) {
  sigset_t old;
  bind_signal_block(&old);
  s->next = states;
  states = s;
  bind_signal_restore(&old);
}

static void take_off_list(state *s) {
  sigset_t old;
  bind_signal_block(&old);
  state **link = &states;
  while (*link && *link != s) link = &(*link)->next;
  if (*link) *link = s->next;
  bind_signal_restore(&old);
}

/* ---- opening ---- */

static void print_notice(const char *text) {
  fputs("bnnlua: ", stderr);
  bind_print_shown(stderr, text);
  fputc('\n', stderr);
}

static int state_gc(lua_State *L) {
  state *s = lua_touserdata(L, 1);
  take_off_list(s);
  bnn_context_free(s->context);
  s->context = NULL;
  return 0;
}

/* An environment variable; NULL when it is unset or empty, or under `bnnlua -E`. */
static const char *setting(lua_State *L, const char *name) {
  bool ignored =
      lua_getfield(L, LUA_REGISTRYINDEX, "LUA_NOENV") == LUA_TBOOLEAN && lua_toboolean(L, -1);
  lua_pop(L, 1);
  const char *value = ignored ? NULL : getenv(name);
  return value && *value ? value : NULL;
}

/* BNNLUA_THREADS: 0 means one for each processor, as when it is unset. */
static int initial_threads(lua_State *L) {
  const char *text = setting(L, "BNNLUA_THREADS");
  if (!text) return 0;
  char *end;
  long n = strtol(text, &end, 10);
  if (*end || n < 0 || n > BNN_THREADS_MAX)
    bind_error(L, "BNNLUA_THREADS: expected an integer from 0 to %d, got '%s'", BNN_THREADS_MAX,
               text);
  return (int)n;
}

static void choose_isa(lua_State *L) {
  bnn_err err;
  const char *name = setting(L, "BNNLUA_ISA");
  if (name && bnn_isa_set(name, &err) != BNN_OK) bind_error(L, "BNNLUA_ISA: %s", err.text);
}

/* Pushes an empty box for the state. */
static state *push_state(lua_State *L) {
  state *s = lua_newuserdatauv(L, sizeof *s, 0);
  *s = (state){.full_at = FULL_BYTES};
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, state_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return s;
}

/* Once for a Lua state, also when the module is opened again. */
static void make_state(lua_State *L) {
  bnn_err err;
  if (get_state(L)) return;
  int threads = initial_threads(L);
  choose_isa(L);
  state *s = push_state(L);
  bind_check(L, bnn_context_new(&s->context, threads, &err), &err);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &state_key);
  put_on_list(s);
  bnn_blas_on_notice(print_notice);
  bind_signal_on_interrupt(stop_all);
  bind_signal_on_clear(resume_all);
}

static const bind_row rows[] = {
    {"memory", core_memory,
     "memory(): what tensors and programs have allocated: blocks, bytes, and the most bytes so far\n"
     "    local blocks, bytes, peak = bnn.memory()"},
    {NULL, NULL, NULL},
};

void bind_open_context(lua_State *L) {
  make_state(L);
  bind_register(L, "bnn.", rows);
}
