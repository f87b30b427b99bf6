/* bind_streams.h - the program's standard streams: descriptors that a file cannot be mistaken for,
 * and results that cannot be written as a failure. Knows no Lua. */
#ifndef BIND_STREAMS_H
#define BIND_STREAMS_H

#include <stdbool.h>

/* Call first of all. Opens those of the descriptors 0, 1 and 2 that are closed (`prog >&-`), so that
 * no file that is opened later gets what is printed; writing there and reading there fails, as it
 * did. Lets children be waited for, whatever who started the program ignores. And makes a write beyond
 * the limit of the file size fail instead of ending the program; the programs that it starts have
 * the signal's default again. false: the system has no descriptors. */
bool bind_streams_open(void);

/* Writes out what has been printed. false: some of it could not be, now or earlier; `errno` is the
 * reason. */
bool bind_streams_flush(void);

#endif
