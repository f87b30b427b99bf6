/* bind_settings.c - see bind_settings.h. */
#include "bind_settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "base/processors.h"
#include "files/fetch.h"
#include "formats/image_png.h"
#include "formats/npz.h"
#include "formats/safetensors.h"
#include "kernels/blas.h"
#include "kernels/isa.h"
#include "store/sql.h"

/* ---- threads and stopping ---- */

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

static int core_processors(lua_State *L) {
  lua_pushinteger(L, bnn_processors());
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
  add_optional_version(L, "SQLite", bnn_sql_version());
  lua_pushfstring(L, "%s (%s)", BNN_REAL_NAME, bnn_dtype_name(BNN_REAL));
  add_version(L, "real type");
  lua_pushstring(L, bnn_isa_get()->name);
  add_version(L, "instruction set");
  lua_pushfstring(L, "%d", bnn_context_threads(bind_context(L)));
  add_version(L, "threads");
  return 1;
}

/* ---- engines: what many machines need, found outside the program ---- */

/* Pushes the path of a program that PATH has, or nothing and false. */
static bool push_program(lua_State *L, const char *name) {
  const char *path = getenv("PATH");
  for (size_t n; path; path = path[n] ? path + n + 1 : NULL) {
    n = strcspn(path, ":");
    lua_pushlstring(L, path, n);
    const char *file = lua_pushfstring(L, "%s/%s", lua_tostring(L, -1), name);
    lua_remove(L, -2);
    if (n > 0 && access(file, X_OK) == 0) return true;
    lua_pop(L, 1);
  }
  return false;
}

/* engines() */
static int core_engines(lua_State *L) {
  const char *libpq = bnn_sql_client_version();
  lua_newtable(L);
  if (libpq)
    lua_pushfstring(L, "libpq %s", libpq);
  else
    lua_pushliteral(L, "none (package libpq5; make deps)");
  add_version(L, "PostgreSQL");
  if (!push_program(L, "sbatch")) lua_pushliteral(L, "none (no sbatch in PATH)");
  add_version(L, "Slurm");
  return 1;
}

/* What is public as bnn.NAME, and what only the library uses. */
static const bind_row rows[] = {
    {"threads", core_threads,
     "threads([n]): the number of threads in use; given n, uses n threads from now on\n"
     "The initial setting, 0, means one thread per processor, or fewer if a control group (a\n"
     "container) limits the time. Results never depend on it. Raises if n is negative or over\n"
     "256.\n"
     "    bnn.threads(2)\n"
     "    bnn.threads() --> 2"},
    {"processors", core_processors,
     "processors(): how many processors there are for this process, its affinity and its control\n"
     "groups heeded"},
    {"isa", core_isa,
     "isa([name]): the instruction set in use: \"baseline\", \"avx2\" or \"avx512\"; given a "
     "name, uses that one\n"
     "Meant for tests: existing programs keep the set that they were recorded with. Raises if\n"
     "this processor or this binary lacks it.\n"
     "    print(bnn.isa()) -- avx2"},
    {"versions", core_versions,
     "versions(): a list of {name=, version=}: libraries, real type, instruction set, threads\n"
     "    for _, library in ipairs(bnn.versions()) do print(library.name, library.version) end"},
    {NULL, NULL, NULL},
};

static const bind_row core_rows[] = {
    {"stop", core_stop, "stop(): raises the stop flag, which ends long calls early"},
    {"resume", core_resume, "resume(): lowers the stop flag"},
    {"stopped", core_stopped, "stopped(): whether the stop flag is up"},
    {"engines", core_engines,
     "engines(): a list of {name=, version=}: what many machines need that was found here,\n"
     "PostgreSQL's client library (which this loads) and Slurm"},
    {"isas", core_isas,
     "isas(): a list of the instruction sets that both binary and processor support, best first"},
    {NULL, NULL, NULL},
};

void bind_open_settings(lua_State *L) {
  bind_register(L, "bnn.", rows);
  bind_register(L, "bnn.core.", core_rows);
}
