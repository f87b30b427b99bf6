/* bind_terminal.c - the size of a terminal, and what it answers when it is asked what it can do. */
#include "bind_terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "../base/bind.h"
#include "../tensor/bind_argument.h"
#include "bind_system.h"

enum { ANSWER_MAX = 4096 };

/* terminal_size() */
static int core_terminal_size(lua_State *L) {
  struct winsize size;
  bool told = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  if (!told || size.ws_col == 0 || size.ws_row == 0) return luaL_pushfail(L), 1;
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  lua_pushinteger(L, size.ws_xpixel);
  lua_pushinteger(L, size.ws_ypixel);
  return 4;
}

/* ---- asking ---- */

/* Whether both ends are one's own terminal: a job in the background would be stopped. */
static bool can_ask(void) {
  return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* Whether there is input within so many seconds. */
static bool input_comes(double seconds) {
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  const double end = bind_ticks() + seconds;
  for (;;) {
    double left = end - bind_ticks();
    int ready = poll(&in, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
    if (ready >= 0) return ready > 0 && (in.revents & POLLIN);
    if (errno != EINTR || left <= 0) return false;
  }
}

/* Whether a text has the primary device attributes, ESC [ ? numbers c, which every terminal
 * answers and the last question asks for. */
static bool has_attributes(const char *text) {
  static const char head[] = "\033[?";
  for (const char *at = text; (at = strstr(at, head));) {
    at += strlen(head);
    if (at[strspn(at, "0123456789;")] == 'c') return true;
  }
  return false;
}

static bool write_all(const char *text, size_t n) {
  while (n > 0) {
    ssize_t wrote = write(STDOUT_FILENO, text, n);
    if (wrote < 0 && errno != EINTR) return false;
    if (wrote > 0) text += wrote, n -= (size_t)wrote;
  }
  return true;
}

/* Reads up to the attributes; from one byte to the next at most `seconds` pass. */
static size_t read_answer(char *answer, double seconds) {
  size_t n = 0;
  answer[0] = '\0';
  while (n + 1 < ANSWER_MAX && !has_attributes(answer) && input_comes(seconds)) {
    ssize_t got = read(STDIN_FILENO, answer + n, ANSWER_MAX - 1 - n);
    if (got == 0 || (got < 0 && errno != EINTR)) break;
    if (got > 0) n += (size_t)got;
    answer[n] = '\0';
  }
  return n;
}

/* Asks with the terminal's lines and echo switched off.  *n: bytes of the answer.  False if it
 * was not asked: input was waiting, which stays. */
static bool ask(const char *query, size_t length, double seconds, char *answer, size_t *n) {
  struct termios before, raw;
  if (tcgetattr(STDIN_FILENO, &before) != 0) return false;
  raw = before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  fflush(stdout);
  if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
  bool asked = !input_comes(0) && write_all(query, length);
  if (asked) *n = read_answer(answer, seconds);
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
  return asked;
}

/* ask_terminal(query, seconds) */
static int core_ask_terminal(lua_State *L) {
  size_t length, n = 0;
  const char *query = luaL_checklstring(L, 1, &length);
  double seconds = bind_check_number(L, 2);
  char answer[ANSWER_MAX];
  if (!can_ask() || !ask(query, length, seconds, answer, &n)) return luaL_pushfail(L), 1;
  lua_pushlstring(L, answer, n);
  return 1;
}

/* unread(text) */
static int core_unread(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  while (n > 0 && ungetc((unsigned char)text[n - 1], stdin) != EOF) n--;
  lua_pushboolean(L, n == 0);
  return 1;
}

static const bind_row rows[] = {
    {"terminal_size", core_terminal_size,
     "terminal_size(): columns and rows of the terminal behind stdout, and its width and height in "
     "pixels, 0 where it does not tell; nil if there is none"},
    {"ask_terminal", core_ask_terminal,
     "ask_terminal(query, seconds): what the terminal answers to escape sequences, the last of which asks "
     "for its primary attributes (ESC [ c), and what was typed meanwhile\n"
     "It waits so long for the first byte, and for each that follows. Returns nil if stdin and stdout are "
     "not the terminal, this is a job in the background, or input is waiting: it then asks nothing."},
    {"unread", core_unread,
     "unread(text): puts text back in front of what is read next from stdin by io.read; whether all of it "
     "had room"},
    {NULL, NULL, NULL},
};

void bind_open_terminal(lua_State *L) { bind_register(L, "bnn.core.", rows); }
