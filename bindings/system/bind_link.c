/* bind_link.c - see bind_link.h.
 *
 * A sender keeps what of a message has not gone when its time is over: the next one sends that first,
 * so that no message is cut by another.  Only the end of a process cuts one. */
#include "bind_link.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/bind_signal.h"
#include "bind_system.h"

enum {
  TICK_MS = 100, /* a signal that came just before poll is seen after this */
  BLOCK = 65536,
  BLOCKS_AT_ONCE = 128
};

/* In front of each message. */
typedef struct header {
  uint32_t kind, length;
} header;

int bind_link_open(bind_link *ours, bind_link *theirs) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  *ours = (bind_link){.fd = ends[0]};
  *theirs = (bind_link){.fd = ends[1]};
  return 0;
}

static void close_end(bind_link *link) {
  if (link->fd >= 0) close(link->fd);
  link->fd = -1;
}

void bind_link_close(bind_link *link) {
  close_end(link);
  bnn_bytes_free(&link->bytes);
  link->done = 0;
}

/* Forgets the bytes that are done. */
static void compact(bind_link *link) {
  if (link->done == 0) return;
  memmove(link->bytes.p, link->bytes.p + link->done, link->bytes.n - link->done);
  link->bytes.n -= link->done;
  link->done = 0;
}

/* ---- sending ---- */

static bool has_gone(const bind_link *link) { return link->done == link->bytes.n; }

/* Waits until more can go; false: no more time. */
static bool wait_for_room(const bind_link *link, double end) {
  double left = end - bind_ticks();
  if (left <= 0 || bind_signal_pending()) return false;
  struct pollfd to = {.fd = link->fd, .events = POLLOUT};
  poll(&to, 1, left * 1000 < TICK_MS ? (int)ceil(left * 1000) : TICK_MS);
  return true;
}

/* Sends what there is, for as long as there is time; EIO: nobody will read it. */
static bnn_status flush(bind_link *link, double end, bnn_err *err) {
  while (!has_gone(link)) {
    ssize_t n = send(link->fd, link->bytes.p + link->done, link->bytes.n - link->done,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) link->done += (size_t)n;
    if (n >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN) {
      bnn_fail(err, BNN_EIO, "nobody reads: %s", strerror(errno));
      bind_link_close(link);
      return BNN_EIO;
    }
    if (!wait_for_room(link, end)) return BNN_OK;
  }
  return BNN_OK;
}

bnn_status bind_link_send(bind_link *link, bind_link_kind kind, const char *text, size_t length,
                          double seconds, bnn_err *err) {
  double end = bind_ticks() + seconds;
  if (link->fd < 0) return bnn_fail(err, BNN_EIO, "nobody reads");
  if (length > BIND_LINK_LARGEST) return bnn_fail(err, BNN_ERANGE, "%zu bytes", length);
  BNN_TRY(flush(link, end, err));
  compact(link);
  size_t before = link->bytes.n;
  header h = {kind, (uint32_t)length};
  bnn_status status = bnn_bytes_add(&link->bytes, &h, sizeof h, err);
  if (status == BNN_OK) status = bnn_bytes_add(&link->bytes, text, length, err);
  if (status == BNN_OK) status = flush(link, end, err);
  if (status != BNN_OK || link->done > before || has_gone(link)) {
    if (status == BNN_ENOMEM) link->bytes.n = before;
    return status;
  }
  link->bytes.n = before;
  return bnn_fail(err, BNN_EIO, "nobody has read for %g s", seconds);
}

/* ---- receiving ---- */

bnn_status bind_link_receive(bind_link *link, bool *more, bnn_err *err) {
  char block[BLOCK];
  *more = false;
  compact(link);
  for (int i = 0; link->fd >= 0; i++) {
    if (i == BLOCKS_AT_ONCE) return *more = true, BNN_OK;
    ssize_t n = recv(link->fd, block, sizeof block, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return close_end(link), BNN_OK;
    if (bnn_bytes_add(&link->bytes, block, (size_t)n, err) != BNN_OK) {
      bind_link_close(link); /* what follows a hole is no message */
      return BNN_ENOMEM;
    }
  }
  return BNN_OK;
}

static bool is_ours(const header *h) {
  return (h->kind == BIND_LINK_MESSAGE || h->kind == BIND_LINK_ERROR) &&
         h->length <= BIND_LINK_LARGEST;
}

bool bind_link_next(bind_link *link, bind_link_message *message) {
  header h;
  size_t left = link->bytes.n - link->done;
  if (left < sizeof h) return false;
  memcpy(&h, link->bytes.p + link->done, sizeof h);
  if (!is_ours(&h)) {
    bind_link_close(link); /* a process that has written over its own memory */
    return false;
  }
  if (left - sizeof h < h.length) return false;
  *message = (bind_link_message){
      .kind = (bind_link_kind)h.kind,
      .text = (const char *)link->bytes.p + link->done + sizeof h,
      .length = h.length,
  };
  link->done += sizeof h + h.length;
  return true;
}
