/* bind_line.h - the line of progress that may stand on the terminal when the program ends: it is erased
 * however that comes about, but for signals that nothing can answer. */
#ifndef BIND_LINE_H
#define BIND_LINE_H

#include <stdbool.h>

/* Says whether a line stands on the terminal behind stderr.  With one, exit erases it, and so do
 * SIGTERM and SIGQUIT where they have their default action, which follows. */
void bind_line_set(bool stands);

/* Erases the line, if there is one.  Async-signal-safe. */
void bind_line_erase(void);

/* A handler: erases the line, and then comes the signal's default action. */
void bind_line_end(int sig);

#endif
