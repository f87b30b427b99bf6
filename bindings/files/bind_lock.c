/* bind_lock.c - folders that one process at a time works in.  The system gives a lock back when its
 * holder ends in whatever way, so that none is ever left behind. */
#include "bind_lock.h"

#include <dirent.h>
#include <errno.h>
#include <sys/file.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "base/forks.h"

typedef struct lock {
  DIR *folder;
  unsigned owner; /* bnn_forks of the process that locked it */
} lock;

/* A child has the same lock open: its parent gives it back for both, and the child never. */
static void lock_free(void *held) {
  lock *l = held;
  if (l->owner == bnn_forks()) flock(dirfd(l->folder), LOCK_UN);
  closedir(l->folder);
}

static size_t lock_bytes(const void *held) {
  (void)held;
  return BIND_DESCRIPTOR_BYTES;
}

static const bind_class lock_class = {
    .name = "bnn.lock",
    .noun = "lock",
    .size = sizeof(lock),
    .release = lock_free,
    .bytes = lock_bytes,
};

static int lock_release(lua_State *L) { return bind_release_box(L, &lock_class); }

/* lock_folder(path); a file system without locks gives an object that locks nothing */
static int core_lock_folder(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  bind_push_box(L, &lock_class);
  lock l = {opendir(path), bnn_forks()};
  if (!l.folder) return bind_refuse_path(L, path, errno);
  if (flock(dirfd(l.folder), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    return bind_fill_box(L, &lock_class, &l);
  closedir(l.folder);
  return bind_refuse_with(L, "%s: another training is writing there", path);
}

static const luaL_Reg lock_meta[] = {
    {"__gc", lock_release}, {"__close", lock_release}, {NULL, NULL}};

static const bind_row lock_methods[] = {
    {"release", lock_release, "release(): releases the folder; calling it twice is safe"},
    {NULL, NULL, NULL}};

static const bind_row rows[] = {
    {"lock_folder", core_lock_folder,
     "lock_folder(path): locks a folder for this process until the lock is released, closed or\n"
     "collected, or the process ends; or nil, message if another process holds it"},
    {NULL, NULL, NULL},
};

void bind_open_lock(lua_State *L) {
  bind_register(L, "bnn.core.", rows);
  bind_new_class(L, lock_class.name, "lock:", lock_meta, lock_methods);
  lua_pop(L, 1);
}
