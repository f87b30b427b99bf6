/* map.c - mmap. */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

static bnn_status fail_system(const char *name, bnn_err *err) {
  return bnn_fail(err, errno == ENOMEM ? BNN_ENOMEM : BNN_EIO, "%s: %s", name, strerror(errno));
}

/* Private and writable, so that a stray write costs a page and not the program; without reserve, so
 * that a file may be larger than memory. */
static bnn_status map_bytes(bnn_map *map, int fd, const char *name, bnn_err *err) {
  struct stat about;
  if (fstat(fd, &about) != 0) return fail_system(name, err);
  if (!S_ISREG(about.st_mode))
    return bnn_fail(err, BNN_EIO, "%s: is no regular file, which alone can be mapped", name);
  if (about.st_size == 0) return bnn_fail(err, BNN_EDATA, "%s: holds no data", name);
  if ((uintmax_t)about.st_size > PTRDIFF_MAX)
    return bnn_fail(err, BNN_EDATA, "%s: is more than memory can address", name);
  size_t n = (size_t)about.st_size;
  void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  if (p == MAP_FAILED) return fail_system(name, err);
  *map = (bnn_map){p, n};
  return BNN_OK;
}

bnn_status bnn_map_open_any(bnn_map **out, const char *path, bnn_err *err) {
  const char *name = bnn_path_shown(path);
  bnn_map *map = bnn_mem_zalloc(1, sizeof *map);
  if (!map) return bnn_fail(err, BNN_ENOMEM, "%s: no memory to map it", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bnn_status status = fd < 0 ? fail_system(name, err) : map_bytes(map, fd, name, err);
  if (fd >= 0) close(fd); /* the mapping stays */
  if (status == BNN_OK)
    *out = map;
  else
    bnn_map_close(map);
  return status;
}

bnn_status bnn_map_open(bnn_map **out, const char *path, bnn_err *err) {
  bnn_map *map = NULL;
  BNN_TRY(bnn_map_open_any(&map, path, err));
  if (map->n >= 2 && map->p[0] == 0x1f && map->p[1] == 0x8b) {
    bnn_map_close(map);
    return bnn_fail(err, BNN_EDATA, "%s: is compressed, only a plain file can be mapped",
                    bnn_path_shown(path));
  }
  *out = map;
  return BNN_OK;
}

void bnn_map_close(void *map) {
  bnn_map *m = map;
  if (!m) return;
  if (m->p) munmap(m->p, m->n);
  bnn_mem_free(m);
}
