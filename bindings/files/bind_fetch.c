/* bind_fetch.c - downloads and SHA-256.
 *
 * The progress function is Lua's own, called under lua_pcall from within libcurl: what it raises (an
 * interrupt among it, whose hook strikes there) stops the download and is raised once libcurl has
 * returned. */
#include "bind_fetch.h"

#include <string.h>
#include <time.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../base/bind_number.h"
#include "../base/bind_signal.h"
#include "../tensor/bind_argument.h"
#include "files/fetch.h"

enum { REPORT_MS = 100 };

/* ---- SHA-256 ---- */

/* digest(path [, most]) */
static int core_digest(lua_State *L) {
  bnn_err err;
  bnn_digest digest;
  const char *path = bind_check_path(L, 1);
  lua_Integer most =
      lua_isnoneornil(L, 2) ? LUA_MAXINTEGER : bind_check_range(L, 2, "most", 0, LUA_MAXINTEGER);
  bnn_status status = bnn_digest_file(&digest, path, (uint64_t)most, &err);
  if (status != BNN_OK) return bind_refuse(L, status, &err);
  lua_pushstring(L, digest.sha256);
  lua_pushinteger(L, (lua_Integer)digest.bytes);
  return 2;
}

static int core_file_sha256(lua_State *L) {
  bnn_err err;
  bnn_digest digest;
  bnn_status status = bnn_digest_raw(&digest, bind_check_path(L, 1), &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushstring(L, digest.sha256);
  lua_pushinteger(L, (lua_Integer)digest.bytes);
  return 2;
}

/* ---- downloads ---- */

/* What the progress callback needs; the function is at stack index `function`. */
typedef struct progress {
  lua_State *L;
  int function; /* 0: there is none */
  bool raised;  /* its error is on top of the stack */
  long long reported_ms;
} progress;

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool call_progress(progress *p, uint64_t got, uint64_t total) {
  lua_pushvalue(p->L, p->function);
  lua_pushinteger(p->L, (lua_Integer)got);
  lua_pushinteger(p->L, (lua_Integer)total);
  p->raised = lua_pcall(p->L, 2, 0, 0) != LUA_OK;
  return !p->raised;
}

static bool on_progress(void *arg, uint64_t got, uint64_t total) {
  progress *p = arg;
  long long now = now_ms();
  if (bind_signal_pending()) return false;
  if (p->function == 0 || now - p->reported_ms < REPORT_MS) return true;
  p->reported_ms = now;
  return call_progress(p, got, total) && !bind_signal_pending();
}

/* The field of the options at index 3, left on the stack: it lives as long as the call. */
static const char *string_field(lua_State *L, const char *name) {
  if (lua_getfield(L, 3, name) == LUA_TNIL) return NULL;
  if (lua_type(L, -1) != LUA_TSTRING)
    bind_error(L, "fetch: %s: expected a string, got a %s", name, luaL_typename(L, -1));
  return lua_tostring(L, -1);
}

static lua_Integer integer_field(lua_State *L, const char *name, lua_Integer otherwise) {
  int isint;
  if (lua_getfield(L, 3, name) == LUA_TNIL) return otherwise;
  lua_Integer value = lua_tointegerx(L, -1, &isint);
  if (!isint || value < 0)
    bind_error(L, "fetch: %s: expected an integer of at least 0, got %s", name,
               bind_push_text(L, -1));
  return value;
}

static void read_job(lua_State *L, bnn_fetch_job *job) {
  const char *sha256 = string_field(L, "sha256");
  if (!sha256 || strlen(sha256) != BNN_SHA256_TEXT - 1)
    bind_error(L, "fetch: sha256: expected a string of %d digits", BNN_SHA256_TEXT - 1);
  memcpy(job->want.sha256, sha256, BNN_SHA256_TEXT);
  job->want.bytes = (uint64_t)integer_field(L, "bytes", 0);
  lua_Integer connect = integer_field(L, "connect_ms", 0), stall = integer_field(L, "stall_s", 0);
  if (connect > INT32_MAX || stall > INT32_MAX)
    bind_error(L, "fetch: expected limits up to 2^31 - 1");
  job->connect_ms = (long)connect;
  job->stall_s = (long)stall;
  job->ca_file = string_field(L, "ca_file");
}

/* The word of a status: who is to blame. */
static const char *blame(bnn_status status) {
  return status == BNN_ENET || status == BNN_EDATA ? "mirror" : "here";
}

/* A downloaded file that has not taken its place. */
static void download_free(void *held) { bnn_save_abort(*(bnn_saving **)held); }

static size_t download_bytes(const void *held) {
  (void)held;
  return BIND_DESCRIPTOR_BYTES;
}

static const bind_class download_class = {
    .name = "bnn.download",
    .noun = "download",
    .size = sizeof(bnn_saving *),
    .release = download_free,
    .bytes = download_bytes,
};

static int download_drop(lua_State *L) { return bind_release_box(L, &download_class); }

static int download_commit(lua_State *L) {
  bnn_err err;
  bnn_saving **box = bind_check_box(L, 1, &download_class), *saving = *box;
  *box = NULL;
  bnn_status status = bnn_save_commit(saving, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* fetch(url, path, options) */
static int core_fetch(lua_State *L) {
  bnn_err err;
  bnn_fetch_job job = {.url = luaL_checkstring(L, 1), .progress = on_progress};
  job.path = bind_check_path(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  progress p = {.L = L};
  read_job(L, &job);
  if (lua_getfield(L, 3, "progress") == LUA_TFUNCTION) p.function = lua_gettop(L);
  job.arg = &p;
  bnn_saving *saving = NULL;
  bind_push_box(L, &download_class);
  int top = lua_gettop(L);
  luaL_checkstack(L, LUA_MINSTACK, "fetch");
  bnn_status status = bnn_fetch(&saving, &job, &err);
  if (status == BNN_OK) {
    lua_settop(L, top);
    return bind_fill_box(L, &download_class, &saving);
  }
  if (p.raised) return lua_error(L);
  lua_settop(L, top);
  bind_signal_raise_if_pending(L);
  luaL_pushfail(L);
  lua_pushstring(L, err.text);
  lua_pushstring(L, blame(status));
  return 3;
}

static int core_sweep(lua_State *L) {
  bnn_save_sweep(bind_check_path(L, 1));
  return 0;
}

/* can_fetch() */
static int core_can_fetch(lua_State *L) {
  lua_pushboolean(L, bnn_fetch_library() && bnn_digest_library());
  lua_pushboolean(L, bnn_digest_library() != NULL);
  return 2;
}

static const bind_row rows[] = {
    {"digest", core_digest,
     "digest(path [, most]): the SHA-256 of a file's content, in hexadecimal, and its length in "
     "bytes\n"
     "Decompresses gzip first, at most `most` bytes of it. Returns nil, message if the file\n"
     "cannot be read or is damaged, and in a build without libcrypto."},
    {"file_sha256", core_file_sha256,
     "file_sha256(path): the SHA-256 of a file's bytes as they are, in hexadecimal, and their "
     "number;\n"
     "or nil, message"},
    {"fetch", core_fetch,
     "fetch(url, path, options): downloads a file that will be moved to path, and checks it\n"
     "Options: sha256 and bytes of the payload, progress = function(got, total), connect_ms,\n"
     "stall_s, ca_file. Returns a download, whose file has a temporary name until it is\n"
     "committed; or nil, message, and \"mirror\" if another mirror may help, else \"here\"."},
    {"sweep", core_sweep,
     "sweep(folder): removes temporary files that killed writers left there more than a day ago"},
    {"can_fetch", core_can_fetch,
     "can_fetch(): whether this build can download, and whether it can compute SHA-256"},
    {NULL, NULL, NULL},
};

static const luaL_Reg download_meta[] = {
    {"__gc", download_drop}, {"__close", download_drop}, {NULL, NULL}};

static const bind_row download_methods[] = {
    {"commit", download_commit,
     "commit(): moves the downloaded file into place; true, or nil, message"},
    {"drop", download_drop, "drop(): removes the downloaded file unless it was committed"},
    {NULL, NULL, NULL}};

void bind_open_fetch(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_new_class(L, download_class.name, "download:", download_meta, download_methods);
  lua_pop(L, 1);
}
