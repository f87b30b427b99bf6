/* csv_text.h - the text of a table: read whole, gzip or plain by content, and opened at its first
 * record, by which a caller may say what the columns are before csv_typed.h reads them.
 *
 * Limits of size and errors as in csv.h. */
#ifndef BNN_CSV_TEXT_H
#define BNN_CSV_TEXT_H

#include "../files/bytes.h"
#include "csv_records.h"

/* The whole text of an open file, from where it stands.  EIO, EDATA, ENOMEM. */
bnn_status bnn_csv_read_text(bnn_bytes *text, bnn_gzip *file, bnn_err *err);

/* Passes over a byte order mark.  EDATA: the text has a zero byte, at which names and categories
 * would end. */
bnn_status bnn_csv_begin(bnn_csv_records *in, bnn_err *err);

typedef struct bnn_csv_text {
  char *name; /* of the file, for errors */
  bnn_bytes text;
  bnn_bytes first;    /* bnn_csv_cell [columns] of the first record */
  bnn_csv_records in; /* behind the first record; separator and decimal are known */
  size_t columns;
  size_t first_line;  /* of the first record */
  bool found_decimal; /* nobody said what the decimal sign is */
} bnn_csv_text;

/* Opens a table.  separator and decimal, '.' or ',', are found when 0: a decimal comma where the
 * separator is none, the first records have numbers such as 1,5 and none has a point.  Where the
 * second record has a cell more, as R writes names of rows, an empty name goes before the first.
 * *out: closed by bnn_csv_text_close.  EDATA: the text holds no records.  EIO, ENOMEM. */
bnn_status bnn_csv_text_open(bnn_csv_text **out, const char *path, char separator, char decimal,
                             bnn_err *err);

/* The same of n bytes in memory; name stands for the path in errors. */
bnn_status bnn_csv_text_of(bnn_csv_text **out, const void *bytes, size_t n, const char *name,
                           char separator, char decimal, bnn_err *err);

/* NULL is allowed. */
void bnn_csv_text_close(bnn_csv_text *t);

#endif
