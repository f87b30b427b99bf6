/* bind_interrupt.h - Ctrl-C while a line is read: it ends the read and is remembered. */
#ifndef BIND_INTERRUPT_H
#define BIND_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

/* Catches SIGINT from now on; without SA_RESTART a read ends with EINTR.  *before: what was there. */
void bind_interrupt_catch(struct sigaction *before);

/* Waits until a file can be read; false: a Ctrl-C has come, in the time before that was not taken too,
 * or the file cannot be waited for (errno).  While SIGINT is caught. */
bool bind_interrupt_wait(int file);

/* Whether one has come since it was last taken; the second takes it. */
bool bind_interrupt_came(void);
bool bind_interrupt_take(void);

#endif
