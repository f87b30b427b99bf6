/* bind_prompt.h - one line from the user: edited with libedit on a terminal (when built with
 * BNN_HAVE_LIBEDIT), read plainly otherwise. Knows no Lua.
 *
 * Ctrl-C while a line is being typed on a terminal drops that line; it does not end the program. */
#ifndef BIND_PROMPT_H
#define BIND_PROMPT_H

#include <stddef.h>

typedef enum { BIND_PROMPT_LINE, BIND_PROMPT_END, BIND_PROMPT_DROPPED } bind_prompt_result;

/* Shows `prompt` and reads a line, without its newline, into *line of *length bytes.
 * *line belongs to this file and is valid until the next call.
 * END: end of input. DROPPED: Ctrl-C; the cursor is at the start of a fresh line. */
bind_prompt_result bind_prompt_read(const char *prompt, const char **line, size_t *length);

/* Adds a line to the history kept in memory. Does nothing without line editing. */
void bind_prompt_remember(const char *line);

/* Gives back what reading has allocated and leaves the terminal as it was. Twice is fine. */
void bind_prompt_fini(void);

/* The line editing library built in, "none" without. */
const char *bind_prompt_library(void);

#endif
