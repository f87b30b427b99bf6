/* csv.h - tables of numbers in text: CSV, TSV, gzip or plain by content.
 *
 * RFC 4180: records end with a line feed, CR LF or CR; a cell in double quotes may hold the
 * separator, line ends and "" for a quote.  Blanks around a cell are dropped; blank lines at the
 * end and a UTF-8 byte order mark are passed over.  Numbers are decimal, with a point.
 *
 * At most 2^20 columns; and of a compressed file longer than 64 MB at most 100 bytes for one, counted
 * before any has memory.  Memory: the text, and at most 30 bytes for each byte of it (short labels
 * in rows of two cells; ten numbers a row need 3 to 6).  Time: linear, and n log n in labels.
 *
 * Errors name the file, the row (from 1, not counting the header), the line of the file, the column
 * and its name.  EIO: the file can not be opened or read.  EDATA: it is no such table: a missing
 * value, something that is no number, rows of different lengths.  ERANGE: there is no such label
 * column.  ENOMEM. */
#ifndef BNN_CSV_H
#define BNN_CSV_H

#include <stddef.h>

#include "status.h"
#include "tensor.h"

typedef enum bnn_csv_header {
  BNN_CSV_SEE_HEADER, /* the first row is one when no cell of it is a number */
  BNN_CSV_NO_HEADER,
  BNN_CSV_HEADER
} bnn_csv_header;

typedef struct bnn_csv_options {
  char separator; /* 0: of comma, tab and semicolon the most frequent in the first line */
  bnn_csv_header header;
  const char *label; /* name of the label column, or NULL */
  int column;        /* or its position, from 1, from the end when negative; 0: no labels */
} bnn_csv_options;

/* A table; it owns everything in it. */
typedef struct bnn_csv {
  bnn_tensor *x; /* real [n, d]: all columns but the labels'; n and d are not 0 */
  bnn_tensor *y; /* NULL without labels.  [n]: i32 when all of them are integers that fit; real when
                    all are numbers; else i32 positions, from 0, in classes */
  char **name;   /* [d] names of x's columns; NULL without a header */
  size_t classes;
  char **class_name; /* [classes] the labels that are text, sorted by their bytes */
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
