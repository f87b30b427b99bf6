/* sql_text.c - see sql_text.h.  The lexical rules are those of PostgreSQL's manual, chapter 4.1, with
 * standard_conforming_strings on. */
#include "sql_text.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

/* ---- passwords in URLs ---- */

/* The character at p, which may be written as %41; *length: of that. */
static char decoded(const char *p, size_t *length) {
  static const char hex[] = "0123456789abcdef";
  const char *high = *p == '%' && p[1] ? strchr(hex, tolower((unsigned char)p[1])) : NULL;
  const char *low = high && p[2] ? strchr(hex, tolower((unsigned char)p[2])) : NULL;
  *length = low ? 3 : 1;
  return low ? (char)((high - hex) * 16 + (low - hex)) : *p;
}

/* Whether the name of a parameter, up to its '=', ends like that of a secret. */
static bool names_secret(const char *p) {
  char name[64];
  size_t n = 0, length;
  for (; *p && *p != '=' && *p != '&'; p += length) {
    if (n == sizeof name - 1) memmove(name, name + 1, --n);
    name[n++] = (char)tolower((unsigned char)decoded(p, &length));
  }
  name[n] = '\0';
  static const char *const endings[] = {"password", "secret"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    const size_t m = strlen(endings[i]);
    if (n >= m && strcmp(name + n - m, endings[i]) == 0) return true;
  }
  return false;
}

/* libpq looks for the user before the first '@' that no '/' comes before, a '?' or not. */
bool bnn_sql_url_has_password(const char *url) {
  const char *authority = strstr(url, "://");
  if (!authority) return false;
  authority += 3;
  const size_t user = strcspn(authority, "@/");
  if (authority[user] == '@' && memchr(authority, ':', user)) return true;
  for (const char *p = authority; *p; p++)
    if ((*p == '?' || *p == '&') && names_secret(p + 1)) return true;
  return false;
}

/* ---- statements ---- */

static bool begins_name(char c) { return isalpha((unsigned char)c) || c == '_' || (c & 0x80); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *skip_name(const char *p, const char *end) {
  while (p < end && (begins_name(*p) || is_digit(*p) || *p == '$')) p++;
  return p;
}

/* From within quotes to after them; a doubled quote is one and the beginning of another. */
static const char *skip_quoted(const char *p, const char *end, bool has_escapes) {
  const char quote = *p++;
  for (; p < end && *p != quote; p++)
    if (has_escapes && *p == '\\') p++;
  return p < end ? p + 1 : end;
}

static const char *skip_line(const char *p, const char *end) {
  while (p < end && *p != '\n') p++;
  return p;
}

/* Comments nest. */
static const char *skip_comment(const char *p, const char *end) {
  int depth = 0;
  do {
    const bool opens = end - p >= 2 && p[0] == '/' && p[1] == '*';
    const bool closes = end - p >= 2 && p[0] == '*' && p[1] == '/';
    depth += opens - closes;
    p += opens || closes ? 2 : 1;
  } while (depth > 0 && p < end);
  return p < end ? p : end;
}

/* At a '$': a parameter, whose number raises *most; a text between tags; or a '$'. */
static const char *skip_dollar(const char *p, const char *end, long *most) {
  const char *tag = p++;
  if (p < end && is_digit(*p)) {
    long number = 0;
    for (; p < end && is_digit(*p); p++)
      number = number < INT_MAX / 10 ? number * 10 + (*p - '0') : INT_MAX;
    if (number > *most) *most = number;
    return p;
  }
  while (p < end && (begins_name(*p) || is_digit(*p))) p++;
  if (p == end || *p != '$') return tag + 1;
  const size_t n = (size_t)(++p - tag);
  for (; (size_t)(end - p) >= n; p++)
    if (memcmp(p, tag, n) == 0) return p + n;
  return end;
}

/* After the token at p, or the space, or the comment. */
static const char *skip_token(const char *p, const char *end, bnn_sql_extent *extent) {
  const char next = end - p >= 2 ? p[1] : '\0';
  if (isspace((unsigned char)*p)) return p + 1;
  if (*p == '-' && next == '-') return skip_line(p, end);
  if (*p == '/' && next == '*') return skip_comment(p, end);
  extent->is_empty = false;
  if (*p == '\'' || *p == '"') return skip_quoted(p, end, false);
  if ((*p == 'e' || *p == 'E') && next == '\'') return skip_quoted(p + 1, end, true);
  if (begins_name(*p)) return skip_name(p, end);
  if (*p == '$') return skip_dollar(p, end, &extent->parameter);
  return p + 1;
}

bnn_sql_extent bnn_sql_first_statement(const char *text, size_t n) {
  bnn_sql_extent extent = {.is_empty = true};
  const char *p = text, *end = text + n;
  while (p < end && *p != ';') p = skip_token(p, end, &extent);
  extent.used = (size_t)((p < end ? p + 1 : end) - text);
  return extent;
}
