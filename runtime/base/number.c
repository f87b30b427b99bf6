/* number.c - numbers as text and back, in the C locale. */
#include "number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_locale.h"

int bnn_vformat(char *out, size_t capacity, const char *format, va_list args) {
  locale_t before = bnn_locale_enter();
  int n = vsnprintf(out, capacity, format, args);
  bnn_locale_leave(before);
  return n;
}

int bnn_format(char *out, size_t capacity, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = bnn_vformat(out, capacity, format, args);
  va_end(args);
  return n;
}

double bnn_number_read(const char *text, char **end) {
  locale_t before = bnn_locale_enter();
  double v = strtod(text, end);
  bnn_locale_leave(before);
  return v;
}

/* Whether v is written already, having no digits. */
static bool write_special(char out[BNN_NUMBER_TEXT], double v) {
  if (isfinite(v)) return false;
  strcpy(out, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
  return true;
}

void bnn_number_text(char out[BNN_NUMBER_TEXT], double v) {
  if (write_special(out, v)) return;
  /* 15 digits survive a double, fewer a subnormal one, and 17 always suffice. */
  for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
    bnn_format(out, BNN_NUMBER_TEXT, "%.*g", digits, v);
    if (bnn_number_read(out, NULL) == v) return;
  }
}

void bnn_number_text_float(char out[BNN_NUMBER_TEXT], float v) {
  if (write_special(out, (double)v)) return;
  for (int digits = fabsf(v) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
    bnn_format(out, BNN_NUMBER_TEXT, "%.*g", digits, (double)v);
    if ((float)bnn_number_read(out, NULL) == v) return;
  }
}
