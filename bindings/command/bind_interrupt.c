/* bind_interrupt.c - see bind_interrupt.h. */
#include "bind_interrupt.h"

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

bool bind_interrupt_came(void) { return came; }

bool bind_interrupt_take(void) {
  bool was = came;
  came = 0;
  return was;
}
