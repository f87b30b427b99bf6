/* bind_files.c - bytes into a file and from one, and what a folder holds. */
#include "bind_files.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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

static const bind_row rows[] = {
    {"save_bytes", core_save_bytes,
     "save_bytes(path, bytes): writes a file atomically; true, or nil, message"},
    {"file_head", core_file_head,
     "file_head(path, n): the first n bytes of a file, decompressed if it is gzip; fewer if it "
     "is shorter\n"
     "Returns nil, message if it cannot be read."},
    {"list_dir", core_list_dir,
     "list_dir(path): the content of a folder: {name = \"file\", \"folder\" or \"other\"}\n"
     "Returns nil, message if it cannot be read."},
    {NULL, NULL, NULL},
};

void bind_open_files(lua_State *L) { bind_register(L, "bnn.core.", rows); }
