/* c_locale.h - the C locale for the calling thread.
 *
 * For calls of libraries that read or write numbers; our own go through number.h.  bnn.h does not
 * include it, as locale_t is POSIX's: a program in strict C11 does not know it. */
#ifndef BNN_C_LOCALE_H
#define BNN_C_LOCALE_H

#include <locale.h>

/* Puts the calling thread into the C locale; returns the locale for bnn_locale_leave.  Pairs may be
 * nested.  Cannot fail. */
locale_t bnn_locale_enter(void);
void bnn_locale_leave(locale_t before);

#endif
