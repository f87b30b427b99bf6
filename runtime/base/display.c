/* display.c - characters that are not for terminals, escaped.  UTF-8 as in RFC 3629: no overlong
 * forms, no surrogates, nothing beyond U+10FFFF. */
#include "display.h"

#include <stdint.h>
#include <string.h>

#include "number.h"

size_t bnn_utf8_next(const char *p, size_t n, unsigned *code) {
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000}; /* of a character of that length */
  unsigned char first = (unsigned char)p[0];
  size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 0 || length > n || first > 0xf4) return 0;
  unsigned c = length == 1 ? first : first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; i++) {
    if (((unsigned char)p[i] & 0xc0) != 0x80) return 0;
    c = c << 6 | ((unsigned char)p[i] & 0x3f);
  }
  if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return 0;
  *code = c;
  return length;
}

/* Control characters, separators of lines, marks and overrides of direction. */
static bool is_command(unsigned c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void escape(char out[BNN_DISPLAY_UNIT], unsigned c) {
  const char *name = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
  if (name)
    strcpy(out, name);
  else
    bnn_format(out, BNN_DISPLAY_UNIT, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
}

size_t bnn_display_next(char out[BNN_DISPLAY_UNIT], const char *p, size_t n, bool lines) {
  unsigned code;
  size_t length = bnn_utf8_next(p, n, &code);
  if (length == 0) {
    bnn_format(out, BNN_DISPLAY_UNIT, "\\x%02x", (unsigned char)p[0]);
    return 1;
  }
  if (is_command(code) && !(lines && (code == '\n' || code == '\t'))) {
    escape(out, code);
    return length;
  }
  memcpy(out, p, length);
  out[length] = 0;
  return length;
}

size_t bnn_display(char *out, size_t capacity, const char *p, size_t n, bool lines) {
  char unit[BNN_DISPLAY_UNIT];
  size_t at = 0, written = 0;
  while (at < n) {
    size_t taken = bnn_display_next(unit, p + at, n - at, lines), length = strlen(unit);
    if (written + length >= capacity) break;
    memcpy(out + written, unit, length);
    written += length;
    at += taken;
  }
  if (capacity) out[written] = 0;
  return at;
}
