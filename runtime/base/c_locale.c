/* c_locale.c - the C locale for the calling thread.
 *
 * uselocale changes the calling thread alone, so the rest of the process keeps its locale, and
 * costs two writes to memory. */
#include "c_locale.h"

#include <pthread.h>

static pthread_once_t made = PTHREAD_ONCE_INIT;
static locale_t c_locale; /* made once, never freed: glibc's and musl's are static */

static void make_c_locale(void) { c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

locale_t bnn_locale_enter(void) {
  pthread_once(&made, make_c_locale);
  return uselocale(c_locale); /* of 0, which no C library gives: no change */
}

void bnn_locale_leave(locale_t before) { uselocale(before); }
