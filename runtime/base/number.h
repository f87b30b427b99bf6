/* number.h - numbers to text and back in the C locale, whatever locale the process has.
 *
 * setlocale belongs to the whole process, and a script (os.setlocale) or a library that it loads
 * may call it: printf then writes 0,25 and strtod stops at the point.  What this program writes and
 * reads is data, so every number goes through here.  Safe in every thread. */
#ifndef BNN_NUMBER_H
#define BNN_NUMBER_H

#include <stdarg.h>
#include <stddef.h>

enum { BNN_NUMBER_TEXT = 32 }; /* room for any number of 17 digits: "-2.2250738585072014e-308" */

/* snprintf and vsnprintf. */
int bnn_format(char *out, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int bnn_vformat(char *out, size_t capacity, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* strtod. */
double bnn_number_read(const char *text, char **end);

/* The shortest decimal that reads back as v, in printf's %g form: at most 17 digits, or 9 where
 * only the float nearest to it counts.  "nan" (never a sign), "inf", "-inf". */
void bnn_number_text(char out[BNN_NUMBER_TEXT], double v);
void bnn_number_text_float(char out[BNN_NUMBER_TEXT], float v);

#endif
