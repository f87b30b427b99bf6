/* bind_interrupt.c - see bind_interrupt.h. */
#include "bind_interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <sys/select.h>

static volatile sig_atomic_t came;

static void on_interrupt(int sig) {
  (void)sig;
  came = 1;
}

void bind_interrupt_catch(struct sigaction *before) {
  struct sigaction action = {.sa_handler = on_interrupt};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, before);
}

/* SIGINT is blocked but while pselect sleeps: one that comes between a look at `came` and a plain read
 * would be seen at the next key only. */
bool bind_interrupt_wait(int file) {
  sigset_t interrupt, before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, &before);
  int ready = -1;
  do {
    fd_set files;
    FD_ZERO(&files);
    FD_SET(file, &files);
    ready = came ? -1 : pselect(file + 1, &files, NULL, NULL, NULL, &before);
  } while (ready < 0 && !came && errno == EINTR);
  const int fault = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = fault;
  return ready > 0 && !came;
}

bool bind_interrupt_came(void) { return came; }

bool bind_interrupt_take(void) {
  bool was = came;
  came = 0;
  return was;
}
