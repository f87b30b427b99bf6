/* gzip.c - a stream of bytes from a file or from memory, through zlib where they are compressed.
 *
 * Input stands in [in, in + left): for memory all of it at once, for a file what the buffer holds.
 * zlib allocates through bnn_mem, so that tests see leaks there and can make every one fail. */
#include "gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "../base/mem.h"
#include "../base/stop.h"

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

enum {
  BUFFER = 1 << 16,
  GZIP_WINDOW = 16 + 15 /* inflateInit2's code for gzip with the greatest window */
};

struct bnn_gzip {
  const char *name;
  int fd; /* -1: memory */
  uint64_t size;
  const unsigned char *in;
  size_t left;
  uint64_t taken; /* bytes of input before `in` */
  bool compressed, inflating, at_member_end;
  z_stream z;
  unsigned char buffer[BUFFER];
};

/* ---- input ---- */

/* Makes at least one byte of input ready, unless the source ends: then left stays 0. */
static bnn_status refill(bnn_gzip *s, bnn_err *err) {
  if (s->left != 0 || s->fd < 0) return BNN_OK;
  ssize_t n;
  do n = read(s->fd, s->buffer, sizeof s->buffer);
  while (n < 0 && errno == EINTR);
  if (n < 0) return bnn_fail(err, BNN_EIO, "%s: %s", s->name, strerror(errno));
  s->in = s->buffer;
  s->left = (size_t)n;
  return BNN_OK;
}

static void take(bnn_gzip *s, size_t n) {
  s->in += n;
  s->left -= n;
  s->taken += n;
}

/* A pipe may give its first two bytes one by one. */
static bnn_status fill_two(bnn_gzip *s, bnn_err *err) {
  BNN_TRY(refill(s, err));
  if (s->left != 1 || s->fd < 0) return BNN_OK;
  ssize_t n;
  do n = read(s->fd, s->buffer + 1, sizeof s->buffer - 1);
  while (n < 0 && errno == EINTR);
  if (n < 0) return bnn_fail(err, BNN_EIO, "%s: %s", s->name, strerror(errno));
  s->left += (size_t)n;
  return BNN_OK;
}

/* ---- opening ---- */

static voidpf zlib_alloc(voidpf opaque, uInt items, uInt size) {
  (void)opaque;
  return bnn_mem_alloc(items, size);
}

static void zlib_free(voidpf opaque, voidpf block) {
  (void)opaque;
  bnn_mem_free(block);
}

static bnn_status sniff(bnn_gzip *s, bnn_err *err) {
  BNN_TRY(fill_two(s, err));
  s->compressed = s->left >= 2 && s->in[0] == 0x1f && s->in[1] == 0x8b;
  if (!s->compressed) return BNN_OK;
  s->z.zalloc = zlib_alloc;
  s->z.zfree = zlib_free;
  if (inflateInit2(&s->z, GZIP_WINDOW) != Z_OK)
    return bnn_fail(err, BNN_ENOMEM, "%s: no memory to decompress it", s->name);
  s->inflating = true;
  return BNN_OK;
}

static bnn_status new_source(bnn_gzip **out, const char *name, bnn_err *err) {
  bnn_gzip *s = bnn_mem_zalloc(1, sizeof *s);
  if (!s) return bnn_fail(err, BNN_ENOMEM, "%s: no memory to read it", bnn_path_shown(name));
  s->name = bnn_path_shown(name);
  s->fd = -1;
  *out = s;
  return BNN_OK;
}

static bnn_status publish(bnn_gzip **out, bnn_gzip *s, bnn_status status) {
  if (status == BNN_OK)
    *out = s;
  else
    bnn_gzip_close(s);
  return status;
}

static bnn_status open_file(bnn_gzip *s, const char *path, bnn_err *err) {
  struct stat about;
  s->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (s->fd < 0) return bnn_fail(err, BNN_EIO, "%s: %s", s->name, strerror(errno));
  if (fstat(s->fd, &about) == 0 && S_ISREG(about.st_mode)) s->size = (uint64_t)about.st_size;
  return sniff(s, err);
}

bnn_status bnn_gzip_open(bnn_gzip **out, const char *path, bnn_err *err) {
  bnn_gzip *s = NULL;
  BNN_TRY(new_source(&s, path, err));
  return publish(out, s, open_file(s, path, err));
}

bnn_status bnn_gzip_memory(bnn_gzip **out, const void *bytes, size_t n, const char *name,
                           bnn_err *err) {
  bnn_gzip *s = NULL;
  BNN_TRY(new_source(&s, name, err));
  s->in = bytes;
  s->left = n;
  s->size = n;
  return publish(out, s, sniff(s, err));
}

void bnn_gzip_close(bnn_gzip *s) {
  if (!s) return;
  if (s->inflating) inflateEnd(&s->z);
  if (s->fd >= 0) close(s->fd);
  bnn_mem_free(s);
}

uint64_t bnn_gzip_size(const bnn_gzip *s) { return s->size; }
bool bnn_gzip_is_compressed(const bnn_gzip *s) { return s->compressed; }
const char *bnn_gzip_name(const bnn_gzip *s) { return s->name; }

/* ---- reading ---- */

static bnn_status read_plain(bnn_gzip *s, unsigned char *to, size_t n, size_t *got, bnn_err *err) {
  while (*got < n) {
    BNN_TRY(refill(s, err));
    if (s->left == 0) return BNN_OK;
    size_t part = s->left < n - *got ? s->left : n - *got;
    memcpy(to + *got, s->in, part);
    take(s, part);
    *got += part;
  }
  return BNN_OK;
}

static bnn_status fail_inflate(const bnn_gzip *s, int code, bnn_err *err) {
  if (code == Z_MEM_ERROR)
    return bnn_fail(err, BNN_ENOMEM, "%s: no memory to decompress it", s->name);
  if (code == Z_BUF_ERROR)
    return bnn_fail(err, BNN_EDATA, "%s: the gzip data are cut short, after %llu bytes", s->name,
                    (unsigned long long)s->taken);
  return bnn_fail(err, BNN_EDATA, "%s: damaged gzip data near byte %llu: %s", s->name,
                  (unsigned long long)s->taken, s->z.msg ? s->z.msg : "not to be decompressed");
}

/* Skips zero bytes after a member, up to the end of the source or to another byte. */
static bnn_status skip_zeros(bnn_gzip *s, bnn_err *err) {
  do {
    size_t n = 0;
    while (n < s->left && s->in[n] == 0) n++;
    take(s, n);
    BNN_TRY(refill(s, err));
  } while (s->left != 0 && s->in[0] == 0);
  return BNN_OK;
}

/* After a member: another one, whose header inflate checks, or the end.  Tapes and dd pad to a
 * block with zeros, which gzip(1) ignores up to the end; anything after them is refused. */
static bnn_status next_member(bnn_gzip *s, bool *ended, bnn_err *err) {
  BNN_TRY(refill(s, err));
  bool padded = s->left != 0 && s->in[0] == 0;
  if (padded) BNN_TRY(skip_zeros(s, err));
  *ended = s->left == 0;
  if (*ended) return BNN_OK;
  if (padded || s->in[0] != 0x1f)
    return bnn_fail(err, BNN_EDATA, "%s: something else follows the gzip data at byte %llu",
                    s->name, (unsigned long long)s->taken);
  s->at_member_end = false;
  int code = inflateReset(&s->z);
  return code == Z_OK ? BNN_OK : fail_inflate(s, code, err);
}

static uInt at_most_uint(size_t n) { return n < UINT_MAX ? (uInt)n : UINT_MAX; }

/* One call of inflate, which may have output in store when the input is at its end. */
static bnn_status inflate_some(bnn_gzip *s, unsigned char *to, size_t n, size_t *got,
                               bnn_err *err) {
  BNN_TRY(refill(s, err));
  uInt in = at_most_uint(s->left), room = at_most_uint(n - *got);
  s->z.next_in = s->in;
  s->z.avail_in = in;
  s->z.next_out = to + *got;
  s->z.avail_out = room;
  int code = inflate(&s->z, Z_NO_FLUSH);
  take(s, in - s->z.avail_in);
  *got += room - s->z.avail_out;
  s->at_member_end = code == Z_STREAM_END;
  return code == Z_OK || code == Z_STREAM_END ? BNN_OK : fail_inflate(s, code, err);
}

static bnn_status read_members(bnn_gzip *s, unsigned char *to, size_t n, size_t *got,
                               bnn_err *err) {
  bool ended = false;
  while (*got < n) {
    if (s->at_member_end) BNN_TRY(next_member(s, &ended, err));
    if (ended) return BNN_OK;
    if (bnn_stop_asked()) return bnn_fail(err, BNN_ESTOP, "%s: reading it", s->name);
    BNN_TRY(inflate_some(s, to, n, got, err));
  }
  return BNN_OK;
}

bnn_status bnn_gzip_read(bnn_gzip *s, void *to, size_t n, size_t *got, bnn_err *err) {
  size_t count = 0;
  if (bnn_stop_asked()) return bnn_fail(err, BNN_ESTOP, "%s: reading it", s->name);
  BNN_TRY(s->compressed ? read_members(s, to, n, &count, err) : read_plain(s, to, n, &count, err));
  *got = count;
  return BNN_OK;
}

/* ---- counting ---- */

/* A second reader of the same place, which shares the file: that moves. */
static bnn_status look_ahead(bnn_gzip **out, const bnn_gzip *s, bnn_err *err) {
  bnn_gzip *ahead = bnn_mem_alloc(1, sizeof *ahead);
  if (!ahead) return bnn_fail(err, BNN_ENOMEM, "%s: no memory to read it", s->name);
  *ahead = *s;
  if (s->in >= s->buffer && s->in <= s->buffer + BUFFER)
    ahead->in = ahead->buffer + (s->in - s->buffer);
  ahead->z = (z_stream){0};
  if (inflateCopy(&ahead->z, (z_stream *)(uintptr_t)&s->z) != Z_OK) {
    bnn_mem_free(ahead);
    return bnn_fail(err, BNN_ENOMEM, "%s: no memory to decompress it", s->name);
  }
  *out = ahead;
  return BNN_OK;
}

static bnn_status count_ahead(bnn_gzip *ahead, uint64_t most, uint64_t *count, bnn_err *err) {
  unsigned char part[1 << 15];
  size_t got = 0;
  *count = 0;
  do {
    BNN_TRY(bnn_gzip_read(ahead, part, sizeof part, &got, err));
    *count += got;
  } while (got != 0 && *count < most);
  if (*count > most) *count = most;
  return BNN_OK;
}

static bnn_status count_compressed(bnn_gzip *s, uint64_t most, uint64_t *count, bnn_err *err) {
  bnn_gzip *ahead = NULL;
  off_t at = s->fd < 0 ? 0 : lseek(s->fd, 0, SEEK_CUR);
  if (at < 0) return bnn_fail(err, BNN_EIO, "%s: %s", s->name, strerror(errno));
  BNN_TRY(look_ahead(&ahead, s, err));
  bnn_status status = count_ahead(ahead, most, count, err);
  inflateEnd(&ahead->z);
  bnn_mem_free(ahead);
  if (s->fd >= 0 && lseek(s->fd, at, SEEK_SET) < 0 && status == BNN_OK)
    status = bnn_fail(err, BNN_EIO, "%s: %s", s->name, strerror(errno));
  return status;
}

bnn_status bnn_gzip_count(bnn_gzip *s, uint64_t most, uint64_t *count, bnn_err *err) {
  bool is_known = s->size != 0 || s->fd < 0;
  if (is_known && s->compressed) return count_compressed(s, most, count, err);
  uint64_t left = s->size > s->taken ? s->size - s->taken : 0;
  *count = is_known && left < most ? left : most;
  return BNN_OK;
}
