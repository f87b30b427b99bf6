/* save.c - resolve the target, write beside it, sync, rename, sync the folder. */
#include "save.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/mem.h"
#include "bytes.h"
#include "map.h"

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

enum {
  TRIES = 100,     /* of names for the temporary file */
  LINKS_MAX = 40,  /* links in a row, as Linux has it */
  SUFFIX_MAX = 50, /* ".PID-DIGITS.part" */
  STALE_S = 24 * 60 * 60,
};

struct bnn_saving {
  const char *shown;       /* what errors call the target */
  int fd;                  /* of the temporary file; -1: in place */
  bnn_bytes memory;        /* what is to be written in place */
  uint64_t position, size; /* of and in what has been written */
  struct stat old;         /* the file that is replaced */
  bool replaces;
  char path[PATH_MAX];   /* as the caller gave it */
  char target[PATH_MAX]; /* the same behind its links */
  char name[PATH_MAX];   /* of the temporary file */
};

static bnn_status fail_system(const bnn_saving *s, bnn_err *err) {
  if (errno == EFAULT) /* the system's own reads do not come to a handler */
    return bnn_fail(err, BNN_EDATA, "%s: cannot write data of a mapped file that was cut short",
                    s->shown);
  return bnn_fail(err, errno == ENOMEM ? BNN_ENOMEM : BNN_EIO, "%s: %s", s->shown, strerror(errno));
}

/* ---- the target ---- */

/* How much of a path is its folder, with the last slash: 0 for a bare name. */
static size_t folder_length(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The path that the link at `target` leads to takes its place.  False: errno says why not. */
static bool follow(char target[PATH_MAX]) {
  char link[PATH_MAX];
  ssize_t n = readlink(target, link, sizeof link);
  if (n < 0) return false;
  size_t folder = link[0] == '/' ? 0 : folder_length(target);
  errno = ENAMETOOLONG;
  if (folder + (size_t)n >= PATH_MAX) return false;
  memcpy(target + folder, link, (size_t)n);
  target[folder + (size_t)n] = 0;
  return true;
}

/* Whether a link is one of /proc's, which lead to open files rather than to paths. */
static bool is_magic(const struct stat *link) {
  struct stat proc;
  return stat("/proc", &proc) == 0 && link->st_dev == proc.st_dev;
}

/* Follows links to s->target, where a new file may not exist yet; *magic: to an open file. */
static bool resolve(bnn_saving *s, bool *magic) {
  struct stat about;
  *magic = false;
  strcpy(s->target, s->path);
  for (int links = 0; lstat(s->target, &about) == 0; links++) {
    *magic = S_ISLNK(about.st_mode) && is_magic(&about);
    if (*magic || !S_ISLNK(about.st_mode)) return true;
    errno = ELOOP;
    if (links == LINKS_MAX || !follow(s->target)) return false;
  }
  return errno == ENOENT;
}

/* Finds out what the path stands for; *in_place: not a file that another can take the place of. */
static bool find_target(bnn_saving *s, bool *in_place) {
  s->replaces = stat(s->path, &s->old) == 0;
  *in_place = s->replaces && !S_ISREG(s->old.st_mode);
  if (*in_place) return true;
  if (!s->replaces && errno != ENOENT) return false;
  if (!resolve(s, in_place)) return false;
  return !s->replaces || faccessat(AT_FDCWD, s->target, W_OK, AT_EACCESS) == 0;
}

/* ---- the temporary file ---- */

/* A name beside the target that nobody is likely to have; false when it would be too long.  A file
 * name that leaves no room for the rest of it is not part of it. */
static bool name_beside(bnn_saving *s, int try) {
  size_t folder = folder_length(s->target), base = strlen(s->target + folder);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  bool fits = base + SUFFIX_MAX <= NAME_MAX;
  int n = snprintf(s->name, sizeof s->name, "%.*s%s.%ld-%llx%08lx%02x.part", (int)folder, s->target,
                   fits ? s->target + folder : "bnnlua", (long)getpid(),
                   (unsigned long long)now.tv_sec, (unsigned long)now.tv_nsec, (unsigned)try);
  errno = ENAMETOOLONG;
  return n >= 0 && (size_t)n < sizeof s->name;
}

/* What takes the place of a private file is private from its first moment on. */
static bool open_beside(bnn_saving *s) {
  mode_t mode = s->replaces ? 0600 : 0666;
  for (int try = 0; try < TRIES; try++) {
    if (!name_beside(s, try)) return false;
    s->fd = open(s->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (s->fd >= 0 || errno != EEXIST) break;
  }
  return s->fd >= 0;
}

/* The new file gets the owner, group and mode of the old one as far as the system allows.  Where the
 * group is lost, the group may do what others may, and with the owner the set-id bits go. */
static void keep_permissions(const bnn_saving *s) {
  mode_t mode = s->old.st_mode & 07777;
  bool owner = fchown(s->fd, s->old.st_uid, s->old.st_gid) == 0;
  bool group = owner || fchown(s->fd, (uid_t)-1, s->old.st_gid) == 0;
  if (!owner) mode &= 01777;
  if (!group) mode = (mode & ~(mode_t)070) | ((mode & 07) << 3);
  if (fchmod(s->fd, mode) != 0) errno = 0; /* a file system without modes */
}

/* ---- writing ---- */

static bool write_all(int fd, const void *bytes, size_t n) {
  for (const char *p = bytes; n != 0;) {
    ssize_t wrote = write(fd, p, n);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote == 0) errno = EIO;
    if (wrote <= 0) return false;
    p += wrote;
    n -= (size_t)wrote;
  }
  return true;
}

/* Syncs what can be synced: not every file system knows how to. */
static bool sync_descriptor(int fd) {
  int result;
  do result = fsync(fd);
  while (result != 0 && errno == EINTR);
  return result == 0 || errno == EINVAL || errno == EROFS || errno == ENOSYS || errno == ENOTSUP;
}

/* After EINTR the descriptor is closed all the same. */
static bool close_descriptor(int *fd) {
  int result = close(*fd);
  *fd = -1;
  return result == 0 || errno == EINTR;
}

bnn_status bnn_save_begin(bnn_saving **out, const char *path, bnn_err *err) {
  bool in_place = false;
  bnn_saving *s = bnn_mem_zalloc(1, sizeof *s);
  if (!s) return bnn_fail(err, BNN_ENOMEM, "%s: no memory to write it", bnn_path_shown(path));
  s->shown = bnn_path_shown(path);
  s->fd = -1;
  errno = ENAMETOOLONG;
  bool good = strlen(path) < sizeof s->path;
  if (good) {
    s->shown = bnn_path_shown(strcpy(s->path, path));
    good = find_target(s, &in_place) && (in_place || open_beside(s));
  }
  if (!good) {
    s->shown = bnn_path_shown(path);
    bnn_status status = fail_system(s, err);
    bnn_save_abort(s);
    return status;
  }
  if (!in_place && s->replaces) keep_permissions(s);
  *out = s;
  return BNN_OK;
}

static bnn_status write_memory(bnn_saving *s, const void *p, size_t n, bnn_err *err) {
  size_t room = s->memory.n - (size_t)s->position, over = n < room ? n : room;
  if (over) memcpy(s->memory.p + s->position, p, over);
  if (n == over) return BNN_OK;
  bnn_status status = bnn_bytes_add(&s->memory, (const char *)p + over, n - over, err);
  return status == BNN_OK ? status : bnn_fail_within(err, status, "%s", s->shown);
}

bnn_status bnn_save_write(bnn_saving *s, const void *p, size_t n, bnn_err *err) {
  if (s->fd < 0)
    BNN_TRY(write_memory(s, p, n, err));
  else if (!write_all(s->fd, p, n))
    return fail_system(s, err);
  s->position += n;
  if (s->size < s->position) s->size = s->position;
  return BNN_OK;
}

bnn_status bnn_save_seek(bnn_saving *s, uint64_t position, bnn_err *err) {
  if (position > s->size)
    return bnn_fail(err, BNN_ERANGE, "%s: position %llu of %llu bytes", s->shown,
                    (unsigned long long)position, (unsigned long long)s->size);
  if (s->fd >= 0 && lseek(s->fd, (off_t)position, SEEK_SET) < 0) return fail_system(s, err);
  s->position = position;
  return BNN_OK;
}

bnn_status bnn_save_sync(bnn_saving *s, bnn_err *err) {
  return s->fd < 0 || sync_descriptor(s->fd) ? BNN_OK : fail_system(s, err);
}

const char *bnn_save_temporary(const bnn_saving *s) { return s->fd < 0 ? NULL : s->name; }

/* ---- ending ---- */

static bnn_status write_in_place(bnn_saving *s, bnn_err *err) {
  int fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return fail_system(s, err);
  bnn_status status = BNN_OK;
  if (!write_all(fd, s->memory.p, s->memory.n) || !sync_descriptor(fd))
    status = fail_system(s, err);
  if (!close_descriptor(&fd) && status == BNN_OK) status = fail_system(s, err);
  return status;
}

/* Syncs the folder of the target, so that the rename in it outlives a power cut; s->name is room
 * for its path. */
static bool sync_folder(bnn_saving *s) {
  size_t n = folder_length(s->target);
  memcpy(s->name, n ? s->target : "./", n ? n : 2);
  s->name[n ? n : 2] = 0;
  int fd = open(s->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES;
  bool good = sync_descriptor(fd);
  int reason = errno;
  close_descriptor(&fd);
  errno = reason;
  return good;
}

static bnn_status rename_over(bnn_saving *s, bnn_err *err) {
  BNN_TRY(bnn_save_sync(s, err));
  if (!close_descriptor(&s->fd) || rename(s->name, s->target) != 0) {
    bnn_status status = fail_system(s, err);
    unlink(s->name);
    return status;
  }
  if (sync_folder(s)) return BNN_OK;
  return bnn_fail(
      err, BNN_EIO,
      "%s: is written, but its folder cannot be synced (%s): a power cut may bring back "
      "what was there before",
      s->shown, strerror(errno));
}

/* Zeros that stand for the missing part of a mapped file are not saved. */
static bnn_status finish(bnn_saving *s, bnn_err *err) {
  BNN_TRY(bnn_map_cut(err));
  return s->fd < 0 ? write_in_place(s, err) : rename_over(s, err);
}

bnn_status bnn_save_commit(bnn_saving *s, bnn_err *err) {
  bnn_status status = finish(s, err);
  bnn_save_abort(s);
  return status;
}

void bnn_save_abort(bnn_saving *s) {
  if (!s) return;
  if (s->fd >= 0) {
    close_descriptor(&s->fd);
    unlink(s->name);
  }
  bnn_bytes_free(&s->memory);
  bnn_mem_free(s);
}

/* Begins to write a file and writes all of it. */
static bnn_status write_spans(bnn_saving **out, const char *path, const bnn_save_part *spans,
                              size_t count, bnn_err *err) {
  bnn_saving *s = NULL;
  BNN_TRY(bnn_save_begin(&s, path, err));
  for (size_t k = 0; k < count; k++) {
    bnn_status status = bnn_save_write(s, spans[k].p, spans[k].n, err);
    if (status == BNN_OK) continue;
    bnn_save_abort(s);
    return status;
  }
  *out = s;
  return BNN_OK;
}

bnn_status bnn_save(const char *path, const bnn_save_part *spans, size_t count, bnn_err *err) {
  bnn_saving *s = NULL;
  BNN_TRY(write_spans(&s, path, spans, count, err));
  return bnn_save_commit(s, err);
}

/* ---- names that one writer gets ---- */

/* Whether the temporary file has got the target's name too.  What the system answered does not tell
 * for sure: over a network a link that was made may be reported as one that was there. */
static bool has_linked(const bnn_saving *s, bool *won) {
  struct stat about;
  bool linked = link(s->name, s->target) == 0;
  int reason = errno;
  *won = linked || (stat(s->name, &about) == 0 && about.st_nlink == 2);
  errno = reason;
  return *won || reason == EEXIST;
}

static bnn_status link_once(bnn_saving *s, bool *won, bnn_err *err) {
  BNN_TRY(bnn_save_sync(s, err));
  if (!has_linked(s, won)) return fail_system(s, err);
  unlink(s->name);
  close_descriptor(&s->fd);
  return !*won || sync_folder(s) ? BNN_OK : fail_system(s, err);
}

/* Another user's file need not be one that may be written, which `begin` asks for. */
static bool is_there(const char *path) {
  struct stat about;
  return lstat(path, &about) == 0;
}

bnn_status bnn_save_once(bool *won, const char *path, const bnn_save_part *spans, size_t count,
                         bnn_err *err) {
  bnn_saving *s = NULL;
  bool has_won = false;
  bnn_status status = is_there(path) ? BNN_OK : write_spans(&s, path, spans, count, err);
  if (status != BNN_OK && is_there(path)) status = BNN_OK; /* since a moment ago */
  if (status == BNN_OK && s && !s->replaces) status = link_once(s, &has_won, err);
  bnn_save_abort(s);
  if (status == BNN_OK) *won = has_won;
  return status;
}

/* ---- what was left behind ---- */

/* NAME.PID-DIGITS.part */
static bool is_temporary(const char *name) {
  static const char ending[] = ".part", digits[] = "0123456789abcdef";
  size_t n = strlen(name), k = n - (sizeof ending - 1);
  if (n < sizeof ending || strcmp(name + k, ending) != 0) return false;
  size_t end = k;
  while (k > 0 && strchr(digits, name[k - 1])) k--;
  if (k == end || k == 0 || name[--k] != '-') return false;
  end = k;
  while (k > 0 && name[k - 1] >= '0' && name[k - 1] <= '9') k--;
  return k < end && k > 1 && name[k - 1] == '.';
}

static bool is_stale(int folder, const char *name) {
  struct stat about;
  return is_temporary(name) && fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISREG(about.st_mode) && about.st_mtime < time(NULL) - STALE_S;
}

void bnn_save_sweep(const char *folder) {
  DIR *dir = opendir(folder);
  if (!dir) return;
  for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
    if (is_stale(dirfd(dir), entry->d_name)) unlinkat(dirfd(dir), entry->d_name, 0);
  closedir(dir);
}
