/* file.c - open, fstat, pread. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

static bnn_status fail_system(const char *name, bnn_err *err) {
  return bnn_fail(err, errno == ENOMEM ? BNN_ENOMEM : BNN_EIO, "%s: %s", name, strerror(errno));
}

static bnn_status check_kind(bnn_file *f, const char *name, bnn_err *err) {
  struct stat about;
  if (fstat(f->fd, &about) != 0) return fail_system(name, err);
  if (!S_ISREG(about.st_mode)) return bnn_fail(err, BNN_EIO, "%s: is not a regular file", name);
  f->size = (uint64_t)about.st_size;
  return BNN_OK;
}

bnn_status bnn_file_open(bnn_file *out, const char *path, bnn_err *err) {
  const char *name = bnn_path_shown(path);
  bnn_file f = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; /* a pipe must not block */
  if (f.fd < 0) return fail_system(name, err);
  bnn_status status = check_kind(&f, name, err);
  if (status == BNN_OK)
    *out = f;
  else
    bnn_file_close(&f);
  return status;
}

bnn_status bnn_file_read(const bnn_file *f, void *to, size_t n, uint64_t position, const char *name,
                         bnn_err *err) {
  for (char *p = to; n != 0;) {
    ssize_t got = pread(f->fd, p, n, (off_t)position);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_system(name, err);
    if (got == 0)
      return bnn_fail(err, BNN_EDATA, "%s: ends at byte %llu now, it had %llu when it was opened",
                      name, (unsigned long long)position, (unsigned long long)f->size);
    p += got;
    n -= (size_t)got;
    position += (uint64_t)got;
  }
  return BNN_OK;
}

void bnn_file_close(bnn_file *f) {
  if (f->fd >= 0) close(f->fd);
  f->fd = -1;
}
