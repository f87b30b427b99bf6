/* bind_system.c - what Lua's own library lacks of the system: folders and terminals. */
#include "bind_system.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_line.h"
#include "../tensor/bind_argument.h"

enum { USUAL_COLUMNS = 80, USUAL_ROWS = 24 };

/* make_folder(path) */
static int core_make_folder(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  struct stat about;
  bool made = mkdir(path, 0777) == 0;
  int number = errno;
  if (made || (stat(path, &about) == 0 && S_ISDIR(about.st_mode))) {
    lua_pushboolean(L, made);
    return 1;
  }
  return bind_refuse_path(L, path, number == EEXIST ? ENOTDIR : number);
}

/* is_folder(path) */
static int core_is_folder(lua_State *L) {
  struct stat about;
  lua_pushboolean(L, stat(bind_check_path(L, 1), &about) == 0 && S_ISDIR(about.st_mode));
  return 1;
}

/* real_path(path) */
static int core_real_path(lua_State *L) {
  char real[PATH_MAX];
  const char *path = bind_check_path(L, 1);
  if (realpath(path, real)) {
    lua_pushstring(L, real);
    return 1;
  }
  return bind_refuse_path(L, path, errno);
}

/* terminal(name) */
static int core_terminal(lua_State *L) {
  static const char *const names[] = {"stdin", "stdout", "stderr", NULL};
  static const int fds[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  struct winsize size;
  int fd = fds[luaL_checkoption(L, 1, NULL, names)];
  if (!isatty(fd)) return luaL_pushfail(L), 1;
  bool told = ioctl(fd, TIOCGWINSZ, &size) == 0;
  lua_pushinteger(L, told && size.ws_col > 0 ? size.ws_col : USUAL_COLUMNS);
  lua_pushinteger(L, told && size.ws_row > 0 ? size.ws_row : USUAL_ROWS);
  return 2;
}

/* line_stands(boolean) */
static int core_line_stands(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  bind_line_set(lua_toboolean(L, 1));
  return 0;
}

/* now() */
static int core_now(lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  lua_pushnumber(L, (double)t.tv_sec + 1e-9 * (double)t.tv_nsec);
  return 1;
}

double bind_ticks(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ticks() */
static int core_ticks(lua_State *L) {
  lua_pushnumber(L, bind_ticks());
  return 1;
}

/* host() */
static int core_host(lua_State *L) {
  char name[256];
  lua_pushstring(L, gethostname(name, sizeof name - 1) == 0 ? (name[255] = 0, name) : "unknown");
  lua_pushinteger(L, getpid());
  return 2;
}

/* usage() */
static int core_usage(lua_State *L) {
  struct rusage u;
  if (getrusage(RUSAGE_SELF, &u) != 0) return bind_refuse_path(L, "usage", errno);
  lua_pushnumber(L, (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                        1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec));
  lua_pushinteger(L, (lua_Integer)u.ru_maxrss * 1024);
  return 2;
}

/* set_mode(path, mode) */
static int core_set_mode(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  mode_t mode = (mode_t)bind_check_range(L, 2, "mode", 0, 0777);
  if (chmod(path, mode) != 0) return bind_refuse_path(L, path, errno);
  lua_pushboolean(L, true);
  return 1;
}

/* working_folder() */
static int core_working_folder(lua_State *L) {
  char path[PATH_MAX];
  if (!getcwd(path, sizeof path)) return bind_refuse_path(L, ".", errno);
  lua_pushstring(L, path);
  return 1;
}

static const bind_row rows[] = {
    {"make_folder", core_make_folder,
     "make_folder(path): creates a folder in an existing one; true if it is new, false if it "
     "existed;\n"
     "or nil, message"},
    {"is_folder", core_is_folder, "is_folder(path): whether the path is a folder"},
    {"real_path", core_real_path,
     "real_path(path): the path with all links resolved; or nil, message if nothing is there"},
    {"terminal", core_terminal,
     "terminal(name): the columns and the rows of the terminal behind \"stdin\", \"stdout\" or "
     "\"stderr\", else nil"},
    {"line_stands", core_line_stands,
     "line_stands(boolean): whether a line of progress stands on the terminal behind stderr, which the "
     "end of the program erases"},
    {"now", core_now, "now(): the seconds since 1970, with a fraction"},
    {"ticks", core_ticks, "ticks(): the seconds of a clock that is never set, with a fraction"},
    {"host", core_host, "host(): the name of this machine, and the number of this process"},
    {"usage", core_usage,
     "usage(): the seconds of processor time that this process has used, and the most bytes that it "
     "had in memory"},
    {"set_mode", core_set_mode,
     "set_mode(path, mode): sets the permissions of a file or folder, such as 0x124 for read-only "
     "(octal 444); true, or nil, message"},
    {"working_folder", core_working_folder, "working_folder(): the path of the current folder"},
    {NULL, NULL, NULL},
};

void bind_open_system(lua_State *L) { bind_register(L, "bnn.core.", rows); }
