/* status.c - the rows' words, and the writing of an error's one line. */
#include "status.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "number.h"

const char *bnn_status_text(bnn_status status) {
  static const char *const text[] = {
#define X(name, words) words,
      BNN_STATUS_ROWS(X)
#undef X
  };
  return (unsigned)status < BNN_STATUS_COUNT ? text[status] : "unknown status";
}

bnn_status bnn_fail(bnn_err *err, bnn_status status, const char *format, ...) {
  if (!err) return status;
  err->status = status;
  va_list args;
  va_start(args, format);
  bnn_vformat(err->text, sizeof err->text, format, args);
  va_end(args);
  return status;
}

bnn_status bnn_fail_within(bnn_err *err, bnn_status status, const char *format, ...) {
  if (!err) return status;
  char inner[BNN_ERR_TEXT];
  memcpy(inner, err->text, sizeof inner);
  va_list args;
  va_start(args, format);
  int n = bnn_vformat(err->text, sizeof err->text, format, args);
  va_end(args);
  int room = (int)sizeof err->text - n - 3;
  if (n >= 0 && room > 0) bnn_format(err->text + n, (size_t)room + 3, ": %.*s", room, inner);
  err->status = status;
  return status;
}

bnn_status bnn_fail_after(bnn_err *err, bnn_status status, const char *format, ...) {
  if (!err) return status;
  const size_t n = strlen(err->text);
  va_list args;
  va_start(args, format);
  bnn_vformat(err->text + n, sizeof err->text - n, format, args);
  va_end(args);
  err->status = status;
  return status;
}

const char *bnn_path_shown(const char *path) {
  enum { SHOWN = 240 }; /* of BNN_ERR_TEXT */
  size_t n = strlen(path);
  return n <= SHOWN ? path : path + n - SHOWN;
}

bnn_excerpt bnn_excerpt_of(const char *p, size_t n) {
  bnn_excerpt e = {""};
  size_t shown = n < BNN_EXCERPT ? n : BNN_EXCERPT;
  for (size_t i = 0; i < shown; i++) e.s[i] = isprint((unsigned char)p[i]) ? p[i] : '?';
  strcpy(e.s + shown, n > shown ? "..." : "");
  return e;
}
