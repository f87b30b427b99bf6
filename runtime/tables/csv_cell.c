/* csv_cell.c - what a cell says.
 *
 * Most numbers of tables are short: up to 2^53 and 10^22 one product or quotient of exact doubles
 * is rounded once (Clinger 1990); the rest goes to bnn_number_read. */
#include "csv_cell.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "../base/number.h"

enum { NUMBER_MAX = 400 }; /* characters of a number */

static const double power_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* What stands in a number, as decimal digits and a power of ten. */
typedef struct decimal {
  bool negative, rounded; /* rounded: more digits than `digits` holds */
  uint64_t digits;
  int exponent, seen; /* seen: digits */
} decimal;

static const char *read_digits(const char *p, const char *end, decimal *d, bool fraction) {
  for (; p < end && isdigit((unsigned char)*p); p++, d->seen++) {
    if (d->digits < UINT64_MAX / 10 - 1) {
      d->digits = 10 * d->digits + (uint64_t)(*p - '0');
      d->exponent -= fraction;
    } else {
      d->rounded = true;
      d->exponent += !fraction;
    }
  }
  return p;
}

static const char *read_exponent(const char *p, const char *end, decimal *d) {
  const char *from = p;
  int e = 0;
  if (p == end || (*p != 'e' && *p != 'E')) return p;
  p++;
  bool negative = p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end || !isdigit((unsigned char)*p)) return from;
  for (; p < end && isdigit((unsigned char)*p); p++)
    if (e < 100000) e = 10 * e + (*p - '0');
  d->exponent += negative ? -e : e;
  return p;
}

static bool read_decimal(decimal *d, const bnn_csv_cell *c, char point) {
  const char *p = c->p, *end = c->p + c->n;
  *d = (decimal){.negative = p < end && *p == '-'};
  if (c->n > NUMBER_MAX) return false;
  if (p < end && (*p == '-' || *p == '+')) p++;
  p = read_digits(p, end, d, false);
  if (p < end && *p == point) {
    const char *from = ++p;
    p = read_digits(p, end, d, true);
    if (p == from && point == ',') return false;
  }
  if (d->seen == 0) return false;
  return read_exponent(p, end, d) == end;
}

bool bnn_csv_number_with(double *v, const bnn_csv_cell *c, char point) {
  decimal d;
  if (!read_decimal(&d, c, point)) return false;
  if (d.rounded || d.digits > (uint64_t)1 << 53 || d.exponent < -22 || d.exponent > 22) {
    char text[NUMBER_MAX + 1];
    memcpy(text, c->p, c->n);
    text[c->n] = 0;
    char *sign = point == '.' ? NULL : strchr(text, point);
    if (sign) *sign = '.';
    *v = bnn_number_read(text, NULL);
    return true;
  }
  double m = (double)d.digits;
  m = d.exponent < 0 ? m / power_of_ten[-d.exponent] : m * power_of_ten[d.exponent];
  *v = d.negative ? -m : m;
  return true;
}

bool bnn_csv_number(double *v, const bnn_csv_cell *c) { return bnn_csv_number_with(v, c, '.'); }

bool bnn_csv_is_number(const bnn_csv_cell *c) {
  decimal d;
  return read_decimal(&d, c, '.');
}

bool bnn_csv_is_integer(const bnn_csv_cell *c) {
  size_t i = c->n > 0 && (c->p[0] == '-' || c->p[0] == '+');
  if (i == c->n) return false;
  while (i < c->n && isdigit((unsigned char)c->p[i])) i++;
  return i == c->n;
}

bool bnn_csv_is(const bnn_csv_cell *c, const char *text) {
  return c->n == strlen(text) && memcmp(c->p, text, c->n) == 0;
}

/* Those of pandas.read_csv, and the marks of the UCI and SAS tables; infinities are no values here
 * either. */
bool bnn_csv_is_missing(const bnn_csv_cell *c) {
  static const char *const mark[] = {
      "?",   "nan",  "NaN",  "NAN",  "-nan", "-NaN", "NA",       "N/A",      "n/a",     "#N/A",
      "#NA", "<NA>", "null", "NULL", "none", "None", "1.#IND",   "1.#QNAN",  "-1.#IND", "-1.#QNAN",
      "inf", "-inf", "Inf",  "-Inf", ".",    "-",    "Infinity", "-Infinity"};
  if (c->n == 0) return true;
  for (size_t k = 0; k < sizeof mark / sizeof *mark; k++)
    if (bnn_csv_is(c, mark[k])) return true;
  return false;
}

/* Those of pandas.read_csv but None, which is a text like others, and UCI's ?. */
bool bnn_csv_is_missing_text(const bnn_csv_cell *c) {
  static const char *const mark[] = {"?",      "NA",      "N/A",      "n/a",     "nan",
                                     "NaN",    "NAN",     "null",     "NULL",    "Null",
                                     "#N/A",   "#NA",     "<NA>",     "-nan",    "-NaN",
                                     "1.#IND", "1.#QNAN", "#N/A N/A", "-1.#IND", "-1.#QNAN"};
  if (c->n == 0) return true;
  if (!strchr("?Nn#<-1", c->p[0])) return false;
  for (size_t k = 0; k < sizeof mark / sizeof *mark; k++)
    if (bnn_csv_is(c, mark[k])) return true;
  return false;
}

bool bnn_csv_is_name(const bnn_csv_cell *c) {
  bool digits = false, letters = false;
  for (size_t i = 0; i < c->n; i++) {
    unsigned char byte = (unsigned char)c->p[i];
    digits = digits || isdigit(byte);
    letters = letters || isalpha(byte) || byte >= 0x80;
  }
  return (letters || !digits) && !bnn_csv_is_number(c) && !bnn_csv_is_missing(c);
}

bool bnn_csv_is_unnamed(const bnn_csv_cell *c) {
  static const char pandas[] = "Unnamed: 0"; /* then .1, .2 for a table read and written again */
  size_t n = sizeof pandas - 1;
  if (c->n == 0) return true;
  return c->n >= n && memcmp(c->p, pandas, n) == 0 && (c->n == n || c->p[n] == '.');
}

int bnn_csv_compare(const void *a, const void *b) {
  const bnn_csv_cell *x = a, *y = b;
  int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
  return order ? order : (x->n > y->n) - (x->n < y->n);
}
