/* bind_context.c - the context of a Lua state (threads, stop flag), the instruction set, and how
 * the collector learns of memory that it cannot see.
 *
 * A bnn_context belongs to one Lua state and is freed with it.  Signal handlers reach the one that
 * was opened last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "bind.h"
#include "bind_signal.h"
#include "files/fetch.h"
#include "formats/image_png.h"
#include "formats/npz.h"
#include "formats/safetensors.h"
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
  bnn_context *context;
  size_t unreported; /* bytes since the last step */
  size_t full_at;    /* bytes alive at which to collect everything */
} state;

static const char state_key;             /* registry[&state_key]: the state's box */
static bnn_context *_Atomic interrupted; /* the context that a signal stops */

static state *get_state(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key);
  state *s = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return s;
}

bnn_context *bind_context(lua_State *L) {
  bnn_context *context = get_state(L)->context;
  if (!context) luaL_error(L, "the Lua state is being closed");
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

static int core_memory(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)bnn_mem_live());
  lua_pushinteger(L, (lua_Integer)bnn_mem_bytes());
  lua_pushinteger(L, (lua_Integer)bnn_mem_peak());
  return 3;
}

/* ---- threads and stopping ---- */

static void stop_interrupted(void) {
  if (interrupted) bnn_context_stop(interrupted);
}

static void resume_interrupted(void) {
  if (interrupted) bnn_context_resume(interrupted);
}

static int core_threads(lua_State *L) {
  bnn_context *context = bind_context(L);
  bnn_err err;
  if (!lua_isnoneornil(L, 1)) {
    int n = (int)bind_check_range(L, 1, "n", 0, BNN_THREADS_MAX);
    bind_check(L, bnn_context_set_threads(context, n, &err), &err);
  }
  lua_pushinteger(L, bnn_context_threads(context));
  return 1;
}

static int core_stop(lua_State *L) {
  bnn_context_stop(bind_context(L));
  return 0;
}

static int core_resume(lua_State *L) {
  bnn_context_resume(bind_context(L));
  return 0;
}

static int core_stopped(lua_State *L) {
  lua_pushboolean(L, bnn_context_stopped(bind_context(L)));
  return 1;
}

/* ---- instruction sets and versions ---- */

static int core_isa(lua_State *L) {
  bnn_err err;
  const char *name = luaL_optstring(L, 1, NULL);
  if (name) bind_check(L, bnn_isa_set(name, &err), &err);
  lua_pushstring(L, bnn_isa_get()->name);
  return 1;
}

static int core_isas(lua_State *L) {
  lua_newtable(L);
  for (size_t i = 0; bnn_isa_available(i); i++) {
    lua_pushstring(L, bnn_isa_available(i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* Appends {name =, version = the string on top} to the list below it. */
static void add_version(lua_State *L, const char *name) {
  lua_createtable(L, 0, 2);
  lua_insert(L, -2);
  lua_setfield(L, -2, "version");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* A library that this program may have been built without. */
static void add_optional_version(lua_State *L, const char *name, const char *version) {
  lua_pushstring(L, version ? version : "none (make deps)");
  add_version(L, name);
}

/* Its configuration and core, which decide the bits of products; who chose the core does not. */
static void push_blas_version(lua_State *L) {
  const char *config = bnn_blas_config();
  if (!config)
    lua_pushstring(L, "none, our own kernels");
  else
    lua_pushfstring(L, "%s (core %s)", config + (strncmp(config, "OpenBLAS ", 9) == 0 ? 9 : 0),
                    bnn_blas_core());
}

static int core_versions(lua_State *L) {
  lua_newtable(L);
  lua_pushstring(L, LUA_VERSION_MAJOR "." LUA_VERSION_MINOR "." LUA_VERSION_RELEASE);
  add_version(L, "Lua");
  push_blas_version(L);
  add_version(L, "OpenBLAS");
  lua_pushstring(L, bnn_blas_choice());
  add_version(L, bnn_blas_core() ? "core chosen" : "no OpenBLAS");
  lua_pushstring(L, zlibVersion());
  add_version(L, "zlib");
  add_optional_version(L, "downloads", bnn_fetch_library());
  add_optional_version(L, "SHA-256", bnn_digest_library());
  add_optional_version(L, "libzip", bnn_npz_version());
  add_optional_version(L, "libpng", bnn_png_version());
  add_optional_version(L, "jansson", bnn_safetensors_version());
  lua_pushfstring(L, "%s (%s)", BNN_REAL_NAME, bnn_dtype_name(BNN_REAL));
  add_version(L, "real type");
  lua_pushstring(L, bnn_isa_get()->name);
  add_version(L, "instruction set");
  lua_pushfstring(L, "%d", bnn_context_threads(bind_context(L)));
  add_version(L, "threads");
  return 1;
}

/* ---- opening ---- */

static void print_notice(const char *text) {
  fputs("bnnlua: ", stderr);
  bind_print_shown(stderr, text);
  fputc('\n', stderr);
}

static int state_gc(lua_State *L) {
  state *s = lua_touserdata(L, 1);
  bnn_context *context = s->context;
  s->context = NULL;
  if (interrupted == context) interrupted = NULL;
  bnn_context_free(context);
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
    luaL_error(L, "BNNLUA_THREADS is '%s', an integer from 0 to %d is wanted", text,
               BNN_THREADS_MAX);
  return (int)n;
}

static void choose_isa(lua_State *L) {
  bnn_err err;
  const char *name = setting(L, "BNNLUA_ISA");
  if (name && bnn_isa_set(name, &err) != BNN_OK) luaL_error(L, "BNNLUA_ISA: %s", err.text);
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
  interrupted = s->context;
  bnn_blas_on_notice(print_notice);
  bind_signal_on_interrupt(stop_interrupted);
  bind_signal_on_clear(resume_interrupted);
}

/* What is public as bnn.NAME, and what only the library uses. */
static const bind_row rows[] = {
    {"threads", core_threads,
     "threads([n]): how many threads work; given n, uses that many from now on\n"
     "0, and what it starts with, means one for each processor, or fewer where a control group (a\n"
     "container) gives less time. Results never depend on it. Raises when n is negative or over 256."},
    {"memory", core_memory,
     "memory(): what the runtime has allocated: blocks, bytes, and the most bytes at once"},
    {"isa", core_isa,
     "isa([name]): the instruction set in use: \"baseline\", \"avx2\" or \"avx512\"; given a name, uses "
     "that one\n"
     "For tests: programs that exist keep the one they were recorded with. Raises when this\n"
     "processor or this binary lacks it."},
    {"versions", core_versions,
     "versions(): a list of {name=, version=}: libraries, real type, instruction set, threads"},
    {NULL, NULL, NULL},
};

static const bind_row core_rows[] = {
    {"stop", core_stop, "stop(): raises the stop flag, which ends long calls early"},
    {"resume", core_resume, "resume(): lowers the stop flag"},
    {"stopped", core_stopped, "stopped(): whether the stop flag is up"},
    {"isas", core_isas,
     "isas(): a list of the instruction sets that this binary has and this processor can run, best "
     "first"},
    {NULL, NULL, NULL},
};

void bind_open_context(lua_State *L) {
  make_state(L);
  bind_register(L, "bnn.", rows);
  bind_register(L, "bnn.core.", core_rows);
}
