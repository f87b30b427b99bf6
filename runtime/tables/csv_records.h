/* csv_records.h - the records of a table in text, cell by cell, and what separates them.
 *
 * RFC 4180: records end with a line feed, CR LF or CR; a cell in double quotes may hold the
 * separator, line ends and "" for a quote.  Blanks around a cell are dropped.  Between cells stands
 * one separator; where that is a blank, any number of blanks and tabs. */
#ifndef BNN_CSV_RECORDS_H
#define BNN_CSV_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "../base/status.h"
#include "../files/bytes.h"
#include "csv_cell.h"

typedef struct bnn_csv_records {
  const char *name; /* of the file, for errors */
  char *p, *end;    /* what has not been read yet */
  char separator;
  char decimal;    /* '.' or ','; 0: as '.' */
  bool looking;    /* the text stays as it is: "" in quotes is not turned into " */
  size_t line;     /* at p, from 1 */
  size_t at_line;  /* of the record that was read last */
  bnn_bytes cells; /* bnn_csv_cell [columns] of that record; freed by the owner */
} bnn_csv_records;

static inline bnn_csv_cell *bnn_csv_cells(const bnn_bytes *b) {
  return (bnn_csv_cell *)(void *)b->p;
}

/* The next record into r->cells.  EDATA: a quote is not closed, or text follows it.  ENOMEM. */
bnn_status bnn_csv_next(bnn_csv_records *r, size_t *columns, bnn_err *err);

/* Whether nothing but blank lines is left. */
bool bnn_csv_at_end(const bnn_csv_records *r);

/* Finds what separates the cells from r->p on, by the first records: of comma, tab, semicolon, bar
 * and blanks the one by which all of them have the same number of cells, more than one, and most of
 * these are numbers, with a point or, where that is no separator, a comma, blanks last; without such, the one that the first record has most of, or a
 * comma.  A first record may be one cell short.  ENOMEM. */
bnn_status bnn_csv_find_separator(char *separator, const bnn_csv_records *r, bnn_err *err);

#endif
