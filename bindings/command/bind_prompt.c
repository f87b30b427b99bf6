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
static size_t plain_capacity;

static bind_prompt_result read_plain(const char *prompt, const char **line, size_t *length) {
  fputs(prompt, stdout);
  fflush(stdout);
  bool terminal = isatty(STDIN_FILENO);
  struct sigaction before;
  dropped = 0;
  if (terminal) catch_interrupt(&before);
  ssize_t n = getline(&plain_line, &plain_capacity, stdin);
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
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000 };

static EditLine *editor;
static History *history_list;
static char *shown_prompt, *edited_line;
static locale_t editor_locale; /* the terminal's encoding, for libedit; scripts keep theirs */

/* ---- bytes ----
 *
 * libedit works on characters of the locale, a line of Lua is any bytes.  A byte that is no part of
 * a character stands in libedit's lines as a character of its own, from the end of the last private
 * plane; so does each byte of such a character itself, so that nothing is lost or changed. */

enum { STAND_IN = 0x10FF00 }; /* + the byte */

static bool is_stand_in(wchar_t c) { return c >= STAND_IN && c <= STAND_IN + UCHAR_MAX; }

/* The character at the start of n bytes, and how many of them it takes; 0 when more are needed. */
static size_t next_character(wchar_t *out, const char *text, size_t n) {
  mbstate_t state = {0};
  size_t used = mbrtowc(out, text, n, &state);
  if (used == (size_t)-2 && n < MB_LEN_MAX) return 0;
  if (used <= n && !is_stand_in(*out)) return used ? used : 1; /* 0: the character NUL */
  *out = STAND_IN + (unsigned char)*text;
  return 1;
}

/* The n bytes as characters that the locale has, in memory of the caller's; NULL: no memory. */
static char *to_editor(const char *text, size_t n) {
  char *out = malloc(n * MB_LEN_MAX + 1), *to = out;
  while (out && n > 0) {
    wchar_t c;
    mbstate_t state = {0};
    size_t used = next_character(&c, text, n);
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

/* Back again, in place; returns the new length. */
static size_t from_editor(char *text, size_t n) {
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

/* The user's locale; UTF-8, which terminals speak, where that is not installed or knows only ASCII:
 * the default in containers and of many a remote login. */
static locale_t open_locale(void) {
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

/* ---- the editor ---- */

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

/* libedit's reader of one character. */
static int read_character(EditLine *el, wchar_t *out) {
  static char typed[MB_LEN_MAX]; /* bytes that are not a character yet */
  static size_t n;
  (void)el;
  for (;;) {
    size_t used = n > 0 ? next_character(out, typed, n) : 0;
    if (used > 0) {
      n -= used;
      memmove(typed, typed + used, n);
      return 1;
    }
    int got = read_byte(&typed[n]);
    if (got <= 0) {
      n = 0;
      return got;
    }
    n++;
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
  editor_locale = open_locale();
  if (editor_locale) uselocale(editor_locale);
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
  free(shown_prompt);
  shown_prompt = to_editor(prompt, strlen(prompt));
  if (!shown_prompt) return BIND_PROMPT_END;
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
  *length = from_editor(edited_line, strlen(edited_line));
  return BIND_PROMPT_LINE;
}

bind_prompt_result bind_prompt_read(const char *prompt, const char **line, size_t *length) {
  locale_t before = uselocale((locale_t)0);
  bool edits = editor_ready();
  if (editor_locale) uselocale(editor_locale);
  bind_prompt_result result =
      edits ? read_edited(prompt, line, length) : read_plain(prompt, line, length);
  uselocale(before);
  return result;
}

void bind_prompt_remember(const char *line) {
  HistEvent event;
  if (!history_list || !*line) return;
  locale_t before = uselocale(editor_locale ? editor_locale : (locale_t)0);
  char *text = to_editor(line, strlen(line));
  if (text) history(history_list, &event, H_ENTER, text);
  free(text);
  uselocale(before);
}

void bind_prompt_fini(void) {
  if (editor) el_end(editor);
  if (history_list) history_end(history_list);
  if (editor_locale) freelocale(editor_locale);
  free(shown_prompt);
  free(edited_line);
  free(plain_line);
  editor = NULL;
  history_list = NULL;
  editor_locale = (locale_t)0;
  shown_prompt = edited_line = plain_line = NULL;
  plain_capacity = 0;
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
  plain_capacity = 0;
}

const char *bind_prompt_library(void) { return "none"; }

#endif
