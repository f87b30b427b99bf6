/* bind_prompt.c - see bind_prompt.h: plain reading, and the choice between that and the editor. */
#include "bind_prompt.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bind_edit.h"
#include "bind_interrupt.h"

static char *plain_line; /* getline's buffer, reused */
static size_t plain_capacity;

/* What is not typed on a terminal, which echoes it, is written behind its prompt, as readline does. */
static void echo(const char *line) {
  fputs(line, stdout);
  fputc('\n', stdout);
}

static bind_prompt_result read_plain(const char *prompt, const char **line, size_t *length) {
  fputs(prompt, stdout);
  fflush(stdout);
  bool terminal = isatty(STDIN_FILENO);
  struct sigaction before;
  if (terminal) bind_interrupt_catch(&before);
  const bool has_come = terminal && bind_interrupt_came();
  ssize_t n = has_come ? -1 : getline(&plain_line, &plain_capacity, stdin);
  if (terminal) sigaction(SIGINT, &before, NULL);
  if (terminal && bind_interrupt_take()) {
    clearerr(stdin);
    fputs("\n", stdout);
    *length = 0;
    return BIND_PROMPT_DROPPED;
  }
  if (n < 0) return BIND_PROMPT_END;
  *length = (size_t)n;
  if (plain_line[n - 1] == '\n') plain_line[--*length] = '\0';
  if (!terminal) echo(plain_line);
  *line = plain_line;
  return BIND_PROMPT_LINE;
}

bind_prompt_result bind_prompt_read(const char *prompt, const bind_completer *completer,
                                    const char **line, size_t *length) {
  return bind_edit_ready() ? bind_edit_read(prompt, completer, line, length)
                           : read_plain(prompt, line, length);
}

bool bind_prompt_edits(void) { return bind_edit_ready(); }

void bind_prompt_remember(const char *text) { bind_edit_remember(text); }

void bind_prompt_unread(const char *text, size_t n) {
  if (bind_edit_ready()) {
    bind_edit_unread(text, n);
    return;
  }
  while (n > 0 && ungetc((unsigned char)text[n - 1], stdin) != EOF) n--;
}

void bind_prompt_fini(void) {
  bind_edit_fini();
  free(plain_line);
  plain_line = NULL;
  plain_capacity = 0;
}

const char *bind_prompt_library(void) { return bind_edit_library(); }
