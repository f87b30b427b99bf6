/* bind_edit.c - see bind_edit.h.
 *
 * libedit through its own interface rather than its readline one: that lets us read the bytes
 * ourselves, so Ctrl-C ends the read and comes back as a result, with no jump out of a handler.
 *
 * A terminal that knows bracketed paste says where a paste begins and ends; all of it goes into the
 * line being edited, newlines included, and runs at Enter. */
#include "bind_edit.h"

#ifdef BNN_HAVE_LIBEDIT
#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bind_characters.h"
#include "bind_interrupt.h"

enum { HISTORY_TEXTS = 1000, UNSEEN = 1 }; /* marks in a prompt what takes no columns */
static const char PASTE_ON[] = "\033[?2004h", PASTE_OFF[] = "\033[?2004l",
                  PASTE_END[] = "\033[201~";

static EditLine *editor;
static History *history_list;
static const bind_completer *current; /* what Tab asks */
static char *shown_prompt, *edited_line;
static locale_t editor_locale; /* the terminal's encoding, for libedit; scripts keep theirs */

static char *prompt_text(EditLine *el) {
  (void)el;
  return shown_prompt;
}

static char *typed_ahead; /* bytes that were read by others and come first */
static size_t typed_at, typed_end;

void bind_edit_unread(const char *text, size_t n) {
  size_t left = typed_end - typed_at;
  char *all = malloc(n + left);
  if (!all) return;
  memcpy(all, text, n);
  if (left > 0) memcpy(all + n, typed_ahead + typed_at, left);
  free(typed_ahead);
  typed_ahead = all;
  typed_at = 0;
  typed_end = n + left;
}

/* One byte: 1, 0 at the end of input, -1 when Ctrl-C or an error ended it. Other signals (a resize,
 * a return from the background) go on reading: libedit's own handler has redrawn the line. */
static int read_byte(char *byte) {
  if (typed_at < typed_end) return *byte = typed_ahead[typed_at++], 1;
  struct sigaction before;
  bind_interrupt_catch(&before);
  ssize_t n = -1;
  while (bind_interrupt_wait(STDIN_FILENO)) {
    n = read(STDIN_FILENO, byte, 1);
    if (n >= 0 || errno != EINTR) break;
  }
  sigaction(SIGINT, &before, NULL);
  return (int)n;
}

/* libedit's reader of one character. */
static int read_character(EditLine *el, wchar_t *out) {
  static char typed[MB_LEN_MAX]; /* bytes that are not a character yet */
  static size_t n;
  (void)el;
  for (;;) {
    size_t used = n > 0 ? bind_characters_next(out, typed, n) : 0;
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

/* ---- what keys do besides editing ---- */

/* Inserts bytes at the cursor; false: no memory. */
static bool insert(EditLine *el, const char *text, size_t n) {
  char *characters = bind_characters_from(text, n);
  bool ok = characters && el_insertstr(el, characters) == 0;
  free(characters);
  return ok;
}

typedef struct bytes {
  char *text;
  size_t n, capacity;
} bytes;

static bool add_byte(bytes *b, char byte) {
  if (b->n == b->capacity) {
    size_t capacity = b->capacity ? 2 * b->capacity : 1024;
    char *text = realloc(b->text, capacity);
    if (!text) return false;
    *b = (bytes){text, b->n, capacity};
  }
  b->text[b->n++] = byte;
  return true;
}

/* Reads up to the end of the paste, which is left out; false: Ctrl-C, end of input, no memory. */
static bool read_paste(bytes *b) {
  const size_t mark = strlen(PASTE_END);
  char byte;
  while (read_byte(&byte) == 1 && add_byte(b, byte)) {
    if (b->n < mark || memcmp(b->text + b->n - mark, PASTE_END, mark) != 0) continue;
    b->n -= mark;
    return true;
  }
  return false;
}

/* Ends of lines as newlines, whatever the terminal sends for them; none at the end. */
static size_t clean_paste(char *text, size_t n) {
  size_t to = 0;
  for (size_t i = 0; i < n; i++) {
    if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n') continue;
    text[to++] = text[i] == '\r' ? '\n' : text[i];
  }
  while (to > 0 && text[to - 1] == '\n') to--;
  return to;
}

static unsigned char paste(EditLine *el, int key) {
  (void)key;
  bytes b = {0};
  bool ok = read_paste(&b);
  if (ok && b.n > 0) ok = insert(el, b.text, clean_paste(b.text, b.n));
  free(b.text);
  return ok ? CC_REFRESH : bind_interrupt_came() ? CC_EOF : CC_ERROR;
}

static unsigned char complete(EditLine *el, int key) {
  (void)key;
  const LineInfo *line = el_line(el);
  const char *added = NULL, *list = NULL;
  char *before = strndup(line->buffer, (size_t)(line->cursor - line->buffer));
  if (before && current)
    current->find(current->data, before, bind_characters_back(before, strlen(before)), &added,
                  &list);
  free(before);
  if (list) printf("\n%s\n", list);
  fflush(stdout);
  bool ok = added ? insert(el, added, strlen(added)) : list != NULL;
  return !ok ? CC_REFRESH_BEEP : list ? CC_REDISPLAY : CC_REFRESH;
}

/* ---- the editor ---- */

static void start_history(void) {
  HistEvent event;
  history_list = history_init();
  if (!history_list) return;
  history(history_list, &event, H_SETSIZE, HISTORY_TEXTS);
  el_set(editor, EL_HIST, history, history_list);
}

static void bind_keys(void) {
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(editor, EL_ADDFN, "bnn-complete", "complete a name", complete);
  el_set(editor, EL_BIND, "^I", "bnn-complete", NULL);
  el_set(editor, EL_ADDFN, "bnn-paste", "insert what is pasted", paste);
  el_set(editor, EL_BIND, "\\e[200~", "bnn-paste", NULL);
}

static bool start(void) {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return false;
  editor_locale = bind_characters_locale();
  if (editor_locale) uselocale(editor_locale);
  editor = el_init("bnnlua", stdin, stdout, stderr);
  if (!editor) return false;
  el_set(editor, EL_PROMPT_ESC, prompt_text, UNSEEN);
  el_set(editor, EL_SIGNAL, 1);
  bind_keys();
  el_source(editor, NULL); /* the user's ~/.editrc */
  el_set(editor, EL_GETCFN, read_character);
  start_history();
  return true;
}

bool bind_edit_ready(void) {
  static bool tried;
  if (tried) return editor != NULL;
  tried = true;
  locale_t before = uselocale((locale_t)0);
  start();
  uselocale(before);
  return editor != NULL;
}

static void set_paste(const char *sequence) {
  const char *term = getenv("TERM");
  if (term && strcmp(term, "dumb") != 0) fputs(sequence, stdout);
  fflush(stdout);
}

static bind_prompt_result read_line(const char **line, size_t *length) {
  int count = 0;
  set_paste(PASTE_ON);
  const char *text = el_gets(editor, &count);
  set_paste(PASTE_OFF);
  if (bind_interrupt_take()) {
    const LineInfo *dropped = el_line(editor);
    *length = (size_t)(dropped->lastchar - dropped->buffer);
    fputs("\n", stdout);
    el_reset(editor);
    return BIND_PROMPT_DROPPED;
  }
  if (!text || count <= 0) return BIND_PROMPT_END;
  free(edited_line);
  edited_line = strndup(text, (size_t)count - (text[count - 1] == '\n'));
  if (!edited_line) return BIND_PROMPT_END;
  *line = edited_line;
  *length = bind_characters_back(edited_line, strlen(edited_line));
  return BIND_PROMPT_LINE;
}

bind_prompt_result bind_edit_read(const char *prompt, const bind_completer *completer,
                                  const char **line, size_t *length) {
  locale_t before = uselocale((locale_t)0);
  if (editor_locale) uselocale(editor_locale);
  free(shown_prompt);
  shown_prompt = bind_characters_from(prompt, strlen(prompt));
  current = completer;
  bind_interrupt_take(); /* one that came before */
  bind_prompt_result result = shown_prompt ? read_line(line, length) : BIND_PROMPT_END;
  current = NULL;
  uselocale(before);
  return result;
}

/* ---- history ---- */

/* Takes an equal text out. */
static void forget(const char *text) {
  HistEvent event;
  for (int more = history(history_list, &event, H_FIRST); more >= 0;
       more = history(history_list, &event, H_NEXT))
    if (strcmp(event.str, text) == 0) {
      if (history(history_list, &event, H_DEL, event.num) >= 0)
        free((char *)event.str); /* a copy: editline(3) */
      return;
    }
}

void bind_edit_remember(const char *text) {
  HistEvent event;
  if (!bind_edit_ready() || !history_list || !*text) return;
  locale_t before = uselocale(editor_locale ? editor_locale : (locale_t)0);
  char *characters = bind_characters_from(text, strlen(text));
  if (characters) {
    forget(characters);
    history(history_list, &event, H_ENTER, characters);
  }
  free(characters);
  uselocale(before);
}

/* The terminal is as it was after each line.  The editor stays until the process ends: el_end would
 * lose the names of functions that were added, which a leak checker reports. */
void bind_edit_fini(void) {
  if (history_list) history_end(history_list);
  if (editor_locale) freelocale(editor_locale);
  free(shown_prompt);
  free(edited_line);
  free(typed_ahead);
  history_list = NULL;
  editor_locale = (locale_t)0;
  shown_prompt = edited_line = typed_ahead = NULL;
  typed_at = typed_end = 0;
}

const char *bind_edit_library(void) { return "libedit"; }

#else

bool bind_edit_ready(void) { return false; }

bind_prompt_result bind_edit_read(const char *prompt, const bind_completer *completer,
                                  const char **line, size_t *length) {
  (void)prompt, (void)completer, (void)line, (void)length;
  return BIND_PROMPT_END;
}

void bind_edit_remember(const char *text) { (void)text; }

void bind_edit_unread(const char *text, size_t n) { (void)text, (void)n; }

void bind_edit_fini(void) {}

const char *bind_edit_library(void) { return "none"; }

#endif
