/* csv_cell.h - a cell of a table in text: its number, and what it stands for otherwise. */
#ifndef BNN_CSV_CELL_H
#define BNN_CSV_CELL_H

#include <stdbool.h>
#include <stddef.h>

/* A place in the text of a table; nothing is copied. */
typedef struct bnn_csv_cell {
  char *p;
  size_t n;
  bool quoted;
} bnn_csv_cell;

/* The double nearest to a decimal number with a point, such as -1.5e3; false when the cell is
 * none.  It may be infinite: 1e999. */
bool bnn_csv_number(double *v, const bnn_csv_cell *c);

/* The same with another decimal sign: a comma has digits behind it. */
bool bnn_csv_number_with(double *v, const bnn_csv_cell *c, char decimal);

bool bnn_csv_is_number(const bnn_csv_cell *c);

/* Whether a number is written as an integer: digits and a sign. */
bool bnn_csv_is_integer(const bnn_csv_cell *c);

/* Whether it is empty or one of the marks that tables have for missing values: nan, NA, ?, null ...
 * Case counts: Na is sodium. */
bool bnn_csv_is_missing(const bnn_csv_cell *c);

/* The same of columns that may hold texts, among which none, - and inf are values. */
bool bnn_csv_is_missing_text(const bnn_csv_cell *c);

/* Whether it looks like a name: no number, no mark of a missing value, nor, as 1,5 and 2026-11-30,
 * digits without a letter. */
bool bnn_csv_is_name(const bnn_csv_cell *c);

/* Whether it holds these characters. */
bool bnn_csv_is(const bnn_csv_cell *c, const char *text);

/* Whether it is no name for a column: empty, or what pandas calls a column that had none. */
bool bnn_csv_is_unnamed(const bnn_csv_cell *c);

/* Order by bytes, for qsort and bsearch over cells. */
int bnn_csv_compare(const void *a, const void *b);

#endif
