/* display.h - text of any origin as a terminal or a log may show it.
 *
 * Names, labels, paths and cells come from files that others wrote.  A terminal obeys what is in
 * them: ESC and the control characters of C1 begin commands, a newline forges another message, and
 * direction marks turn around what is beside them.  Here these, and bytes that are not UTF-8,
 * become text: \n, \x1b, \u{9b}, \xe9.  All other characters stay what they are. */
#ifndef BNN_DISPLAY_H
#define BNN_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>

enum { BNN_DISPLAY_UNIT = 12 }; /* room for what one character becomes, and a zero byte */

/* Writes the first character of p [n], n > 0, as it is shown; returns how many bytes of p it is.
 * `lines`: newlines and tabs stay. */
size_t bnn_display_next(char out[BNN_DISPLAY_UNIT], const char *p, size_t n, bool lines);

/* Writes p [n] as it is shown, in whole characters as far as there is room, and a zero byte;
 * returns how many bytes of p there was room for. */
size_t bnn_display(char *out, size_t capacity, const char *p, size_t n, bool lines);

/* The length of the UTF-8 character at p [n], n > 0, and its *code; 0 when it is none. */
size_t bnn_utf8_next(const char *p, size_t n, unsigned *code);

#endif
