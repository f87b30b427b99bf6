/* status.h - how the runtime reports errors.
 *
 * A function that can fail returns bnn_status and takes `bnn_err *err` last.  If it fails and err
 * is not NULL, err holds the status and one line that names the argument, what was expected and
 * what was found.  On failure no output argument has been touched. */
#ifndef BNN_STATUS_H
#define BNN_STATUS_H

#include <stddef.h>

#define BNN_STATUS_ROWS(X)                 \
  X(OK, "no error")                        \
  X(ENOMEM, "out of memory")               \
  X(ESHAPE, "shapes do not agree")         \
  X(ETYPE, "wrong type of tensor")         \
  X(ERANGE, "index or value out of range") \
  X(EDATA, "malformed input data")         \
  X(EIO, "input/output error")             \
  X(ENAN, "not a number")                  \
  X(ESTOP, "stopped on request")           \
  X(ENET, "download failed")               \
  X(ELOST, "connection lost")              \
  X(EBUSY, "in use by another process")

typedef enum bnn_status {
#define X(name, text) BNN_##name,
  BNN_STATUS_ROWS(X)
#undef X
      BNN_STATUS_COUNT
} bnn_status;

enum { BNN_ERR_TEXT = 400 };

typedef struct bnn_err {
  bnn_status status;
  char text[BNN_ERR_TEXT]; /* one line, without the status's own words; cut if it is longer.  As
                              display.h shows it, whatever names and paths are in it */
} bnn_err;

/* The words of a row, such as "shapes do not agree"; never NULL. */
const char *bnn_status_text(bnn_status status);

/* Fills err (when not NULL) by printf's rules and returns status. */
bnn_status bnn_fail(bnn_err *err, bnn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts `prefix: ` before the text in err, and returns its status. */
bnn_status bnn_fail_within(bnn_err *err, bnn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends words to the text in err; returns status. */
bnn_status bnn_fail_after(bnn_err *err, bnn_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The reason in a text `name: reason`; the whole text if it does not begin with that name. */
const char *bnn_err_reason(const bnn_err *err, const char *name);

/* A path as errors show it: only its end if the whole would leave no space for the reason. */
const char *bnn_path_shown(const char *path);

/* The beginning of a text that a file holds, as errors show it: one line, whatever its bytes. */
enum { BNN_EXCERPT = 40 };
typedef struct bnn_excerpt {
  char s[BNN_EXCERPT + 4];
} bnn_excerpt;
bnn_excerpt bnn_excerpt_of(const char *p, size_t n);

/* Passes a failure up at once. */
#define BNN_TRY(call)                              \
  do {                                             \
    bnn_status try_status_ = (call);               \
    if (try_status_ != BNN_OK) return try_status_; \
  } while (0)

#endif
