/* fail_alloc.c - an allocator that refuses on request, for tests/long/allocations.lua.
 *
 * Preloaded (LD_PRELOAD), it stands in front of malloc, calloc, realloc, their aligned kin and mmap
 * of the whole process, libraries included.  FAIL_ALLOC=n in the environment makes the n-th allocation
 * after its own start fail, FAIL_ALLOC=n+ all from there on.  As the Lua module fail_alloc it is told:
 *   arm(n [, count])  the n-th allocation from now fails, and count - 1 after it; 0 takes it back
 *   disarm()          how many were asked for since, and how many were refused
 *   finalizer_lost()  whether Lua has warned, since the module was opened, that a __gc failed
 *   try(f)            f() in a forked process: "exit", status; or "signal", number */
#define _GNU_SOURCE
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* glibc's own */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

static atomic_long first, count, asked, refused; /* first 0: nothing is refused or counted */

static int refuse(void) {
  long from = atomic_load(&first);
  if (from == 0) return 0;
  long k = atomic_fetch_add(&asked, 1) + 1;
  if (k < from || k - from >= atomic_load(&count)) return 0;
  atomic_fetch_add(&refused, 1);
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t n) { return refuse() ? NULL : __libc_malloc(n); }
void *calloc(size_t times, size_t n) { return refuse() ? NULL : __libc_calloc(times, n); }

void *realloc(void *p, size_t n) {
  if (n != 0 && refuse()) return NULL;
  return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n) { return refuse() ? NULL : __libc_memalign(align, n); }
void *memalign(size_t align, size_t n) { return aligned_alloc(align, n); }

int posix_memalign(void **out, size_t align, size_t n) {
  void *p = aligned_alloc(align, n);
  if (!p) return ENOMEM;
  *out = p;
  return 0;
}

/* Called by programs only: glibc asks for its own memory elsewhere. */
void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  if (refuse()) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

__attribute__((constructor)) static void arm_from_environment(void) {
  const char *text = getenv("FAIL_ALLOC");
  char *end;
  if (!text) return;
  long n = strtol(text, &end, 10);
  atomic_store(&count, *end == '+' ? LONG_MAX : 1);
  atomic_store(&first, n);
}

static int arm(lua_State *L) {
  long from = (long)luaL_checkinteger(L, 1), n = (long)luaL_optinteger(L, 2, 1);
  atomic_store(&asked, 0);
  atomic_store(&refused, 0);
  atomic_store(&count, n);
  atomic_store(&first, from);
  return 0;
}

static int disarm(lua_State *L) {
  atomic_store(&first, 0);
  lua_pushinteger(L, atomic_load(&asked));
  lua_pushinteger(L, atomic_load(&refused));
  return 2;
}

static int lost;

static void hear_warning(void *data, const char *text, int more) {
  (void)data, (void)more;
  if (strstr(text, "__gc")) lost = 1;
}

static int finalizer_lost(lua_State *L) {
  lua_pushboolean(L, lost);
  return 1;
}

/* Ends the process with f's integer. */
static void run_child(lua_State *L) {
  alarm(60); /* a hang is a fault too */
  lua_settop(L, 1);
  int status = lua_pcall(L, 0, 1, 0) == LUA_OK ? (int)lua_tointeger(L, -1) : 99;
  fflush(NULL);
  _exit(status);
}

static int try_in_child(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  fflush(NULL);
  pid_t child = fork();
  if (child < 0) return luaL_error(L, "cannot fork");
  if (child == 0) run_child(L);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  lua_pushstring(L, WIFSIGNALED(status) ? "signal" : "exit");
  lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return 2;
}

int luaopen_fail_alloc(lua_State *L);
int luaopen_fail_alloc(lua_State *L) {
  static const luaL_Reg functions[] = {{"arm", arm},
                                       {"disarm", disarm},
                                       {"try", try_in_child},
                                       {"finalizer_lost", finalizer_lost},
                                       {NULL, NULL}};
  lua_setwarnf(L, hear_warning, NULL);
  luaL_newlib(L, functions);
  return 1;
}
