/* bind_files.c - bytes into a file and from one, what a folder holds, and when files changed. */
#include "bind_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "files/gzip.h"
#include "files/save.h"

/* ---- bytes ---- */

static int core_save_bytes(lua_State *L) {
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  bnn_save_part bytes = {0};
  bytes.p = luaL_checklstring(L, 2, &bytes.n);
  bnn_status status = bnn_save(path, &bytes, 1, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

static int core_save_once(lua_State *L) {
  bnn_err err;
  bool won = false;
  const char *path = bind_check_path(L, 1);
  bnn_save_part bytes = {0};
  bytes.p = luaL_checklstring(L, 2, &bytes.n);
  bnn_status status = bnn_save_once(&won, path, &bytes, 1, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, won);
  return 1;
}

/* ---- the beginning of a file ---- */

static void close_gzip(void *file) { bnn_gzip_close(file); }

static int core_file_head(lua_State *L) {
  enum { MOST = 1 << 16 };
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  size_t n = (size_t)bind_check_range(L, 2, "bytes", 0, MOST), got = 0;
  char *to = lua_newuserdatauv(L, n + 1, 0);
  void **held = bind_push_holder(L, close_gzip);
  bnn_gzip *file = NULL;
  bnn_status status = bnn_gzip_open(&file, path, &err);
  *held = file;
  if (status == BNN_OK) status = bnn_gzip_read(file, to, n, &got, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  *held = NULL;
  bnn_gzip_close(file);
  lua_pushlstring(L, to, got);
  return 1;
}

/* ---- folders ---- */

static void close_dir(void *dir) { closedir(dir); }

/* What dir/name is; follows links. */
static const char *kind_of(DIR *dir, const char *name) {
  struct stat about;
  if (fstatat(dirfd(dir), name, &about, 0) != 0) return "other";
  return S_ISREG(about.st_mode) ? "file" : S_ISDIR(about.st_mode) ? "folder" : "other";
}

static int core_list_dir(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  void **held = bind_push_holder(L, close_dir);
  DIR *dir = *held = opendir(path);
  if (!dir) return bind_refuse_with(L, "input/output error: %s: %s", path, strerror(errno));
  lua_newtable(L);
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    lua_pushstring(L, kind_of(dir, name));
    lua_setfield(L, -2, name);
  }
  *held = NULL;
  closedir(dir);
  return 1;
}

/* Only the names: in a folder of many files on a network each kind is a question to the server. */
static int core_list_names(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  void **held = bind_push_holder(L, close_dir);
  DIR *dir = *held = opendir(path);
  if (!dir) return bind_refuse_with(L, "input/output error: %s: %s", path, strerror(errno));
  lua_newtable(L);
  lua_Integer n = 0;
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, ++n);
  }
  *held = NULL;
  closedir(dir);
  return 1;
}

/* ---- signs of life ---- */

/* touch(path) */
static int core_touch(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  if (utimensat(AT_FDCWD, path, NULL, 0) != 0) return bind_refuse_path(L, path, errno);
  lua_pushboolean(L, true);
  return 1;
}

/* When the open file was written; what a client of a network remembers of one that it has not open
 * may be a minute old. */
static bool modified_time(const char *path, struct timespec *when) {
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat about;
  bool good = fstat(fd, &about) == 0;
  int reason = errno;
  close(fd);
  errno = reason;
  if (good) *when = about.st_mtim;
  return good;
}

/* modified(path) */
static int core_modified(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  struct timespec when;
  if (!modified_time(path, &when)) return bind_refuse_path(L, path, errno);
  lua_pushnumber(L, (double)when.tv_sec + 1e-9 * (double)when.tv_nsec);
  return 1;
}

static const bind_row rows[] = {
    {"save_bytes", core_save_bytes,
     "save_bytes(path, bytes): writes a file atomically; true, or nil, message"},
    {"save_once", core_save_once,
     "save_once(path, bytes): writes a file of a name that nobody has, atomically and without "
     "locks: of all\n"
     "that do, on whatever machines, one gets true and the others false; or nil, message"},
    {"file_head", core_file_head,
     "file_head(path, n): the first n bytes of a file, decompressed if it is gzip; fewer if it "
     "is shorter\n"
     "Returns nil, message if it cannot be read."},
    {"list_dir", core_list_dir,
     "list_dir(path): the content of a folder: {name = \"file\", \"folder\" or \"other\"}\n"
     "Returns nil, message if it cannot be read."},
    {"list_names", core_list_names,
     "list_names(path): the names in a folder as a list in no order, without their kinds; or nil, "
     "message"},
    {"touch", core_touch,
     "touch(path): sets the time of a file to now, by the clock of the file system; true, or nil, "
     "message"},
    {"modified", core_modified,
     "modified(path): when a file was written or touched, in seconds since 1970 by the clock of "
     "the\n"
     "file system; or nil, message"},
    {NULL, NULL, NULL},
};

void bind_open_files(lua_State *L) { bind_register(L, "bnn.core.", rows); }
