/* csv.h - tables of numbers in text: CSV, TSV, columns between blanks; gzip or plain by content.
 *
 * csv_records.h says what a record and a cell are.  Blank lines at the end and a UTF-8 byte order
 * mark are passed over.  Numbers are decimal, with a point.
 *
 * What is not said is found, and the table says what was found: the separator, whether the first
 * row is a header, a first column without a name, which numbers the rows and is no feature.  What
 * could be meant either way is refused, with the option that settles it.
 *
 * At most 2^20 columns; and of a compressed file longer than 64 MB at most 100 bytes for one, counted
 * before any has memory.  Memory: the text, and at most 30 bytes for each byte of it (short labels
 * in rows of two cells; ten numbers a row need 3 to 6).  Time: linear, and n log n in labels.
 *
 * Errors name the file, the row (from 1, not counting the header), the line of the file, the column
 * and its name.  EIO: the file cannot be opened or read.  EDATA: it is no such table: a missing
 * value, something that is no number, rows of different lengths, two columns of one name, a class
 * that is not among those given.  ERANGE: there is no such column.  ENOMEM. */
#ifndef BNN_CSV_H
#define BNN_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/status.h"
#include "../tensor/tensor.h"

typedef enum bnn_csv_header {
  BNN_CSV_SEE_HEADER, /* the first row is one when all of its cells are names */
  BNN_CSV_NO_HEADER,
  BNN_CSV_HEADER
} bnn_csv_header;

/* A column by its name; or, where that is NULL, by its position, from 1, from the end when
 * negative. */
typedef struct bnn_csv_column {
  const char *name;
  int position;
} bnn_csv_column;

typedef struct bnn_csv_options {
  char separator; /* ' ': any number of blanks and tabs; 0: see bnn_csv_find_separator */
  bnn_csv_header header;
  const char *label;          /* name of the label column, or NULL */
  int column;                 /* or its position, as above; 0: no labels */
  const bnn_csv_column *drop; /* [n_drop] columns that are left out */
  size_t n_drop;
  const char *const *class_name; /* [classes] what the labels are, in this order; NULL: as found */
  size_t classes;
} bnn_csv_options;

/* A table; it owns everything in it. */
typedef struct bnn_csv {
  bnn_tensor *x; /* real [n, d]: the columns that are features; n and d are not 0 */
  bnn_tensor *y; /* NULL without labels.  [n]: i32 when all of them are integers that fit; real when
                    all are numbers; else, and whenever classes are given, i32 positions, from 0, in
                    the classes */
  char **name;   /* [d] names of x's columns; NULL without a header */
  size_t classes;
  char **class_name; /* [classes] the labels that are text, sorted by their bytes; or as given */
  /* what was found or said */
  char separator;
  size_t columns;    /* of the file */
  size_t label;      /* column of the labels, from 1; 0 without */
  size_t unnamed;    /* so many first columns have no name and were left out */
  bool numbers_rows; /* the first column of the file is a feature that counts from 0 or 1 */
} bnn_csv;

/* The table in a file.  *out: freed by bnn_csv_free. */
bnn_status bnn_csv_read(bnn_csv **out, const char *path, const bnn_csv_options *options,
                        bnn_err *err);

/* The same from n bytes in memory; name stands for the path in errors. */
bnn_status bnn_csv_parse(bnn_csv **out, const void *bytes, size_t n, const char *name,
                         const bnn_csv_options *options, bnn_err *err);

/* NULL is allowed. */
void bnn_csv_free(bnn_csv *t);

#endif
