/* status.c - the rows' words, and the writing of an error's one line. */
#include "status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "display.h"
#include "number.h"

const char *bnn_status_text(bnn_status status) {
  static const char *const text[] = {
#define X(name, words) words,
      BNN_STATUS_ROWS(X)
#undef X
  };
  return (unsigned)status < BNN_STATUS_COUNT ? text[status] : "unknown status";
}

/* Writes at err->text + at what the format gives, as a terminal may show it, as far as there is
 * room; names and paths in it are as their files have them. */
static void write_text(bnn_err *err, size_t at, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static void write_text(bnn_err *err, size_t at, const char *format, va_list args) {
  char raw[2 * BNN_ERR_TEXT];
  int n = bnn_vformat(raw, sizeof raw, format, args);
  size_t length = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
  bnn_display(err->text + at, sizeof err->text - at, raw, length, false);
}

bnn_status bnn_fail(bnn_err *err, bnn_status status, const char *format, ...) {
  if (!err) return status;
  err->status = status;
  va_list args;
  va_start(args, format);
  write_text(err, 0, format, args);
  va_end(args);
  return status;
}

bnn_status bnn_fail_within(bnn_err *err, bnn_status status, const char *format, ...) {
  if (!err) return status;
  char inner[BNN_ERR_TEXT];
  memcpy(inner, err->text, sizeof inner);
  va_list args;
  va_start(args, format);
  write_text(err, 0, format, args);
  va_end(args);
  size_t n = strlen(err->text);
  if (n + 2 < sizeof err->text) {
    strcpy(err->text + n, ": ");
    bnn_display(err->text + n + 2, sizeof err->text - n - 2, inner, strlen(inner), false);
  }
  err->status = status;
  return status;
}

bnn_status bnn_fail_after(bnn_err *err, bnn_status status, const char *format, ...) {
  if (!err) return status;
  va_list args;
  va_start(args, format);
  write_text(err, strlen(err->text), format, args);
  va_end(args);
  err->status = status;
  return status;
}

const char *bnn_err_reason(const bnn_err *err, const char *name) {
  char shown[BNN_ERR_TEXT];
  if (bnn_display(shown, sizeof shown, name, strlen(name), false) < strlen(name)) return err->text;
  size_t n = strlen(shown);
  bool named = strncmp(err->text, shown, n) == 0 && strncmp(err->text + n, ": ", 2) == 0;
  return named ? err->text + n + 2 : err->text;
}

const char *bnn_path_shown(const char *path) {
  enum { SHOWN = 240 }; /* of BNN_ERR_TEXT */
  size_t n = strlen(path);
  if (n > SHOWN) path += n - SHOWN;
  while (n > SHOWN && ((unsigned char)*path & 0xc0) == 0x80) path++; /* whole characters */
  return path;
}

bnn_excerpt bnn_excerpt_of(const char *p, size_t n) {
  bnn_excerpt e;
  size_t shown = bnn_display(e.s, BNN_EXCERPT + 1, p, n, false);
  if (shown < n) strcat(e.s, "...");
  return e;
}
