/* bind_characters.c - see bind_characters.h. */
#include "bind_characters.h"

#include <langinfo.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { STAND_IN = 0x10FF00 }; /* + the byte */

static bool is_stand_in(wchar_t c) { return c >= STAND_IN && c <= STAND_IN + UCHAR_MAX; }

size_t bind_characters_next(wchar_t *out, const char *text, size_t n) {
  mbstate_t state = {0};
  size_t used = mbrtowc(out, text, n, &state);
  if (used == (size_t)-2 && n < MB_LEN_MAX) return 0;
  if (used <= n && !is_stand_in(*out)) return used ? used : 1; /* 0: the character NUL */
  *out = STAND_IN + (unsigned char)*text;
  return 1;
}

char *bind_characters_from(const char *text, size_t n) {
  char *out = malloc(n * MB_LEN_MAX + 1), *to = out;
  while (out && n > 0) {
    wchar_t c;
    mbstate_t state = {0};
    size_t used = bind_characters_next(&c, text, n);
    if (used == 0) { /* the text ends within a character */
      c = STAND_IN + (unsigned char)*text;
      used = 1;
    }
    size_t made = wcrtomb(to, c, &state);
    if (made != (size_t)-1) to += made; /* else an encoding without private characters */
    text += used;
    n -= used;
  }
  if (out) *to = '\0';
  return out;
}

size_t bind_characters_back(char *text, size_t n) {
  char *to = text;
  const char *from = text, *end = text + n;
  while (from < end) {
    wchar_t c = 0;
    mbstate_t state = {0};
    size_t used = mbrtowc(&c, from, (size_t)(end - from), &state);
    if (used == 0 || used > (size_t)(end - from)) used = 1;
    if (is_stand_in(c)) {
      *to++ = (char)(c - STAND_IN);
    } else {
      memmove(to, from, used);
      to += used;
    }
    from += used;
  }
  *to = '\0';
  return (size_t)(to - text);
}

locale_t bind_characters_locale(void) {
  static const char *const names[] = {"", "C.UTF-8", "C.utf8", "en_US.UTF-8"};
  locale_t found = (locale_t)0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    locale_t next = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
    if (!next) continue;
    if (found) freelocale(found);
    found = next;
    const char *codes = nl_langinfo_l(CODESET, found);
    if (strcmp(codes, "ANSI_X3.4-1968") != 0 && strcmp(codes, "US-ASCII") != 0) break;
  }
  return found;
}
