/* bind_prompt.c - see bind_prompt.h.
 *
 * libedit through its own interface rather than its readline one: that lets us read the bytes
 * ourselves, so Ctrl-C ends the read and comes back as a result, with no jump out of a handler. */
#include "bind_prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t dropped;

static void on_interrupt(int sig) {
  (void)sig;
  dropped = 1;
}

/* Catches SIGINT for the length of one read; without SA_RESTART the read ends with EINTR. */
static void catch_interrupt(struct sigaction *before) {
  struct sigaction action = {.sa_handler = on_interrupt};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, before);
}

/* The length of a line that may end in a newline. */
static size_t length_of(const char *text, size_t n) {
  return n > 0 && text[n - 1] == '\n' ? n - 1 : n;
}

/* ---- plain reading ---- */

static char *plain_line; /* getline's buffer, reused */
static size_t plain_room;

static bind_prompt_result read_plain(const char *prompt, const char **line, size_t *length) {
  fputs(prompt, stdout);
  fflush(stdout);
  bool terminal = isatty(STDIN_FILENO);
  struct sigaction before;
  dropped = 0;
  if (terminal) catch_interrupt(&before);
  ssize_t n = getline(&plain_line, &plain_room, stdin);
  if (terminal) sigaction(SIGINT, &before, NULL);
  if (dropped) {
    clearerr(stdin);
    fputs("\n", stdout);
    return BIND_PROMPT_DROPPED;
  }
  if (n < 0) return BIND_PROMPT_END;
  *length = length_of(plain_line, (size_t)n);
  plain_line[*length] = '\0';
  *line = plain_line;
  return BIND_PROMPT_LINE;
}

#ifdef BNN_HAVE_LIBEDIT
/* ---- line editing ---- */

#include <histedit.h>
#include <locale.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000 };

static EditLine *editor;
static History *history_list;
static char shown_prompt[256];
static char *edited_line;
static locale_t users_locale; /* libedit needs the terminal's encoding; scripts keep the C locale */

static char *prompt_text(EditLine *el) {
  (void)el;
  return shown_prompt;
}

/* One byte: 1, 0 at the end of input, -1 when Ctrl-C or an error ended it. Other signals (a resize,
 * a return from the background) go on reading: libedit's own handler has redrawn the line. */
static int read_byte(char *byte) {
  struct sigaction before;
  catch_interrupt(&before);
  ssize_t n;
  do n = read(STDIN_FILENO, byte, 1);
  while (n < 0 && errno == EINTR && !dropped);
  sigaction(SIGINT, &before, NULL);
  return (int)n;
}

/* libedit's reader of one character; a byte that is no text in this locale is skipped. */
static int read_character(EditLine *el, wchar_t *out) {
  (void)el;
  mbstate_t state = {0};
  for (;;) {
    char byte;
    int n = read_byte(&byte);
    if (n <= 0) return n;
    size_t used = mbrtowc(out, &byte, 1, &state);
    if (used == 0 || used == 1) return 1; /* 0: the character NUL */
    if (used == (size_t)-1) memset(&state, 0, sizeof state);
  }
}

static void start_history(void) {
  HistEvent event;
  history_list = history_init();
  if (!history_list) return;
  history(history_list, &event, H_SETSIZE, HISTORY_LINES);
  history(history_list, &event, H_SETUNIQUE, 1);
  el_set(editor, EL_HIST, history, history_list);
}

/* Returns false where lines cannot be edited: no terminal, or libedit does not start. */
static bool editor_ready(void) {
  static bool tried;
  if (tried) return editor != NULL;
  tried = true;
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return false;
  users_locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
  if (users_locale) uselocale(users_locale);
  editor = el_init("bnnlua", stdin, stdout, stderr);
  if (!editor) return false;
  el_set(editor, EL_PROMPT, prompt_text);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_SIGNAL, 1);
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_source(editor, NULL); /* the user's ~/.editrc */
  el_set(editor, EL_GETCFN, read_character);
  start_history();
  return true;
}

static bind_prompt_result read_edited(const char *prompt, const char **line, size_t *length) {
  int count = 0;
  snprintf(shown_prompt, sizeof shown_prompt, "%s", prompt);
  dropped = 0;
  fflush(stdout);
  const char *text = el_gets(editor, &count);
  if (dropped) {
    fputs("\n", stdout);
    el_reset(editor);
    return BIND_PROMPT_DROPPED;
  }
  if (!text || count <= 0) return BIND_PROMPT_END;
  free(edited_line);
  edited_line = strndup(text, length_of(text, (size_t)count));
  if (!edited_line) return BIND_PROMPT_END;
  *line = edited_line;
  *length = strlen(edited_line);
  return BIND_PROMPT_LINE;
}

bind_prompt_result bind_prompt_read(const char *prompt, const char **line, size_t *length) {
  locale_t before = uselocale((locale_t)0);
  bool edits = editor_ready();
  if (users_locale) uselocale(users_locale);
  bind_prompt_result result =
      edits ? read_edited(prompt, line, length) : read_plain(prompt, line, length);
  uselocale(before);
  return result;
}

void bind_prompt_remember(const char *line) {
  HistEvent event;
  if (history_list && *line) history(history_list, &event, H_ENTER, line);
}

void bind_prompt_fini(void) {
  if (editor) el_end(editor);
  if (history_list) history_end(history_list);
  if (users_locale) freelocale(users_locale);
  free(edited_line);
  free(plain_line);
  editor = NULL;
  history_list = NULL;
  users_locale = (locale_t)0;
  edited_line = plain_line = NULL;
  plain_room = 0;
}

const char *bind_prompt_library(void) { return "libedit"; }

#else

bind_prompt_result bind_prompt_read(const char *prompt, const char **line, size_t *length) {
  return read_plain(prompt, line, length);
}

void bind_prompt_remember(const char *line) { (void)line; }

void bind_prompt_fini(void) {
  free(plain_line);
  plain_line = NULL;
  plain_room = 0;
}

const char *bind_prompt_library(void) { return "none"; }

#endif
