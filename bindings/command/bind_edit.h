/* bind_edit.h - lines edited on a terminal, with libedit; where that is not built in, never ready.
 * The functions are those of bind_prompt.h. */
#ifndef BIND_EDIT_H
#define BIND_EDIT_H

#include <stdbool.h>

#include "bind_prompt.h"

/* Starts the editor; false where lines cannot be edited: no terminal, or libedit does not start. */
bool bind_edit_ready(void);

bind_prompt_result bind_edit_read(const char *prompt, const bind_completer *completer,
                                  const char **line, size_t *length);
void bind_edit_remember(const char *text);
void bind_edit_unread(const char *text, size_t n);
void bind_edit_fini(void);
const char *bind_edit_library(void);

#endif
