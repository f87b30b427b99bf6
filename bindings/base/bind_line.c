/* bind_line.c - see bind_line.h. */
#include "bind_line.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t is_there;

void bind_line_erase(void) {
  static const char erase[] = "\r\33[K";
  const int saved = errno;
  if (is_there) {
    is_there = 0;
    const ssize_t wrote = write(STDERR_FILENO, erase, sizeof erase - 1);
    (void)wrote; /* a terminal that is gone has no line */
  }
  errno = saved;
}

void bind_line_end(int sig) {
  bind_line_erase();
  signal(sig, SIG_DFL);
  raise(sig); /* it comes when the handler has returned */
}

static void take_if_default(int sig) {
  struct sigaction now, own = {.sa_handler = bind_line_end};
  sigemptyset(&own.sa_mask);
  if (sigaction(sig, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)
    sigaction(sig, &own, NULL);
}

void bind_line_set(bool stands) {
  static bool is_known_to_exit;
  if (stands && !is_known_to_exit) is_known_to_exit = atexit(bind_line_erase) == 0;
  if (stands) {
    take_if_default(SIGTERM);
    take_if_default(SIGQUIT);
  }
  is_there = stands;
}
