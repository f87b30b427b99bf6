/* bind_characters.h - bytes as libedit's characters.
 *
 * libedit works on characters of the locale, a line of Lua is any bytes.  A byte that is no part of
 * a character stands in libedit's lines as a character of its own, from the end of the last private
 * plane; so does each byte of such a character itself, so that nothing is lost or changed.
 *
 * Functions work in the thread's locale (uselocale). */
#ifndef BIND_CHARACTERS_H
#define BIND_CHARACTERS_H

#include <locale.h>
#include <stddef.h>
#include <wchar.h>

/* The character at the start of n bytes, and how many of them it takes; 0 when more are needed. */
size_t bind_characters_next(wchar_t *out, const char *text, size_t n);

/* The n bytes as characters that the locale has, in memory of the caller's; NULL: no memory. */
char *bind_characters_from(const char *text, size_t n);

/* Back again, in place; returns the new length. */
size_t bind_characters_back(char *text, size_t n);

/* The user's locale; UTF-8, which terminals speak, where that is not installed or knows only ASCII:
 * the default in containers and of many a remote login. */
locale_t bind_characters_locale(void);

#endif
