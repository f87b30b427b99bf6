/* bind_lock.c - folders that one process at a time works in.  The system gives a lock back when its
 * holder ends in whatever way, so that none is ever left behind. */
#include "bind_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"

#define LOCK "bnn.lock"

static int lock_release(lua_State *L) {
  int *fd = luaL_checkudata(L, 1, LOCK);
  if (*fd >= 0) close(*fd);
  *fd = -1;
  return 0;
}

/* lock_folder(path); a file system without locks gives an object that locks nothing */
static int core_lock_folder(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, LOCK);
  *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*fd < 0) return bind_refuse_path(L, path, errno);
  if (flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return 1;
  close(*fd);
  *fd = -1;
  return bind_refuse_with(L, "%s: another training is writing there", path);
}

static const luaL_Reg lock_meta[] = {
    {"__gc", lock_release}, {"__close", lock_release}, {NULL, NULL}};

static const bind_row lock_methods[] = {
    {"release", lock_release, "release(): gives the folder back; twice is fine"},
    {NULL, NULL, NULL}};

static const bind_row rows[] = {
    {"lock_folder", core_lock_folder,
     "lock_folder(path): keeps a folder for this process until the lock is released, closed or\n"
     "collected, or the process ends; or nil, message when another has it"},
    {NULL, NULL, NULL},
};

void bind_open_lock(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_new_class(L, LOCK, "lock:", lock_meta, lock_methods);
  lua_pop(L, 1);
}
