/* save.c - write, sync, rename, sync the folder. */
#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

enum { TRIES = 100 }; /* of names for the temporary file */

static bnn_status fail_system(const char *path, bnn_err *err) {
  return bnn_fail(err, BNN_EIO, "%s: %s", bnn_path_shown(path), strerror(errno));
}

static bool write_piece(int fd, const bnn_piece *piece) {
  const char *p = piece->p;
  for (size_t left = piece->n; left != 0;) {
    ssize_t n = write(fd, p, left);
    if (n < 0 && errno != EINTR) return false;
    if (n < 0) continue;
    p += n;
    left -= (size_t)n;
  }
  return true;
}

/* Writes, syncs what can be synced, and closes; errno says why not. */
static bool write_and_close(int fd, const bnn_piece *pieces, size_t count) {
  bool good = true;
  for (size_t k = 0; good && k < count; k++) good = write_piece(fd, &pieces[k]);
  if (good && fsync(fd) != 0) good = errno == EINVAL || errno == EROFS; /* a pipe, a device */
  int reason = errno;
  if (close(fd) != 0 && good) return false;
  errno = reason;
  return good;
}

static bnn_status write_in_place(const char *path, const bnn_piece *pieces, size_t count,
                                 bnn_err *err) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0 || !write_and_close(fd, pieces, count)) return fail_system(path, err);
  return BNN_OK;
}

/* Opens a new file beside `path`; its name goes to `name` [room].  -1: errno says why. */
static int open_beside(char *name, size_t room, const char *path) {
  int fd = -1;
  for (int k = 0; fd < 0 && k < TRIES; k++) {
    snprintf(name, room, "%s.%ld-%d.part", path, (long)getpid(), k);
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) break;
  }
  return fd;
}

/* A file that is replaced keeps its permissions. */
static void keep_mode(int fd, const struct stat *old) {
  if (old && fchmod(fd, old->st_mode & 07777) != 0) errno = 0;
}

/* Syncs the folder that holds `path`, so that a rename in it outlives a power cut; `name` is room
 * for the folder's.  A folder that may not be opened, or a file system that knows no such thing, is
 * let be. */
static bool sync_folder(const char *path, char *name) {
  const char *slash = strrchr(path, '/');
  size_t n = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
  memcpy(name, n ? path : ".", n ? n : 1);
  name[n ? n : 1] = 0;
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;
  bool good = fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == EBADF;
  int reason = errno;
  close(fd);
  errno = reason;
  return good;
}

static bnn_status replace(const char *path, const struct stat *old, const bnn_piece *pieces,
                          size_t count, char *name, size_t room, bnn_err *err) {
  int fd = open_beside(name, room, path);
  if (fd < 0) return fail_system(path, err);
  keep_mode(fd, old);
  if (!write_and_close(fd, pieces, count) || rename(name, path) != 0) {
    bnn_status status = fail_system(path, err);
    unlink(name);
    return status;
  }
  return sync_folder(path, name) ? BNN_OK : fail_system(path, err);
}

bnn_status bnn_save(const char *path, const bnn_piece *pieces, size_t count, bnn_err *err) {
  struct stat about;
  bool exists = lstat(path, &about) == 0;
  if (exists && !S_ISREG(about.st_mode)) return write_in_place(path, pieces, count, err);
  size_t room = strlen(path) + 40;
  char *name = bnn_mem_alloc(room, 1);
  if (!name) return bnn_fail(err, BNN_ENOMEM, "%zu bytes for a file's name", room);
  bnn_status status = replace(path, exists ? &about : NULL, pieces, count, name, room, err);
  bnn_mem_free(name);
  return status;
}
