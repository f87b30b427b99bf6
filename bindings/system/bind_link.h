/* bind_link.h - messages between a process and its children, over a socket: each has a kind, a length
 * and its bytes, and arrives whole or not at all. */
#ifndef BIND_LINK_H
#define BIND_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "files/bytes.h"

typedef enum bind_link_kind { BIND_LINK_MESSAGE = 1, BIND_LINK_ERROR } bind_link_kind;

/* One end; bytes that came and have not been taken, or that are still to go. */
typedef struct bind_link {
  int fd; /* -1: closed */
  bnn_bytes bytes;
  size_t done; /* of bytes: taken, or gone */
} bind_link;

/* What a link gives, for as long as nothing else is done with it. */
typedef struct bind_link_message {
  bind_link_kind kind;
  const char *text;
  size_t length;
} bind_link_message;

enum { BIND_LINK_LARGEST = 1 << 30 }; /* bytes of a message */

/* Makes both ends, which a program that is started does not get.  Gives 0 or errno. */
int bind_link_open(bind_link *ours, bind_link *theirs);

/* Closes an end and frees what it has; twice is fine. */
void bind_link_close(bind_link *link);

/* Sends a message; waits for up to `seconds` while the other end does not read, or until a signal
 * that asks for an end.  EIO: it is gone, or the time is over and nothing of the message was sent.
 * ERANGE: too large.  ENOMEM. */
bnn_status bind_link_send(bind_link *link, bind_link_kind kind, const char *text, size_t length,
                          double seconds, bnn_err *err);

/* Takes in what has come, at most some megabytes.  *more: whether there may be some now.  At its end,
 * or if that is not ours, the descriptor is closed.  ENOMEM. */
bnn_status bind_link_receive(bind_link *link, bool *more, bnn_err *err);

/* Takes the next whole message; false when there is none. */
bool bind_link_next(bind_link *link, bind_link_message *message);

#endif
