/* bind_prompt.h - one line from the user: edited with libedit on a terminal (when built with
 * BNN_HAVE_LIBEDIT), read plainly otherwise. Knows no Lua.
 *
 * Ctrl-C while a line is being typed on a terminal drops that line; it does not end the program.
 * What does not come from a terminal is echoed behind its prompt. */
#ifndef BIND_PROMPT_H
#define BIND_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum { BIND_PROMPT_LINE, BIND_PROMPT_END, BIND_PROMPT_DROPPED } bind_prompt_result;

/* What Tab does: `find` gets the n bytes of the line before the cursor, and sets the text to insert
 * there and the one to list below the line, NULL for none of them; both are its own, until it is
 * called again.  It must not jump out. */
typedef struct bind_completer {
  void (*find)(void *data, const char *before, size_t n, const char **insert, const char **list);
  void *data;
} bind_completer;

/* Whether lines are edited: a prompt may then have stretches that do not show, between bytes of 1. */
bool bind_prompt_edits(void);

/* Shows `prompt` and reads a line, without its newline, into *line of *length bytes; a text that was
 * pasted may have newlines inside.  *line belongs to this file and is valid until the next call.
 * completer: NULL for none.
 * END: end of input. DROPPED: Ctrl-C; the cursor is at the start of a fresh line, and *length is 0 if
 * none was begun. */
bind_prompt_result bind_prompt_read(const char *prompt, const bind_completer *completer,
                                    const char **line, size_t *length);

/* Adds a text to the history kept in memory, which then has it once, as the last one. Does nothing
 * without line editing. */
void bind_prompt_remember(const char *text);

/* Puts n bytes that were read elsewhere, such as keys typed while the terminal was asked something,
 * in front of what is read next. */
void bind_prompt_unread(const char *text, size_t n);

/* Gives back what reading has allocated and leaves the terminal as it was. Twice is fine. */
void bind_prompt_fini(void);

/* The line editing library built in, "none" without. */
const char *bind_prompt_library(void);

#endif
