/* csv_typed.h - tables whose columns are numbers or categories, and may lack values.
 *
 * A column is of numbers when every cell that is not missing is one, and else of categories, unless
 * it is said what it is.  Missing are empty cells, the marks of pandas and of UCI's tables (NA, N/A,
 * NaN, null, ? ...), in quotes as without, and what the options add.  Blank lines in a table of
 * several columns are passed over.
 *
 * The text is cut twice where columns are categories, else once.  Memory: the text, and 4 or 8 bytes
 * a cell; 24 more for each text that is a category.
 *
 * Errors name the file, the line, the column, its name and the cell.  EDATA: rows of different
 * lengths; a cell that is no number in a column that was said to be one, or a category that is none
 * of those given; a header without rows.  ENOMEM.  ESTOP. */
#ifndef BNN_CSV_TYPED_H
#define BNN_CSV_TYPED_H

#include "../tensor/tensor.h"
#include "csv.h"
#include "csv_text.h"

typedef enum bnn_csv_kind {
  BNN_CSV_SEE_KIND, /* by its cells */
  BNN_CSV_NUMBERS,
  BNN_CSV_CATEGORY,
  BNN_CSV_IGNORED
} bnn_csv_kind;

/* What is known of a column beforehand. */
typedef struct bnn_csv_wanted {
  bnn_csv_kind kind;
  const char *const *category; /* [categories] all that there are, in their order; NULL: as found */
  size_t categories;
} bnn_csv_wanted;

typedef struct bnn_csv_typed_options {
  bnn_csv_header header;        /* SEE: the first row is one when it holds names, over a column of
                            numbers, or none of its texts is in its column again; integers
                            that count, or rise over fractions, may be either: EDATA */
  const bnn_csv_wanted *column; /* [columns], or NULL */
  const char *const *missing;   /* [n_missing] marks besides those that are known */
  size_t n_missing;
} bnn_csv_typed_options;

typedef struct bnn_csv_typed_column {
  bnn_csv_kind kind;  /* NUMBERS, CATEGORY, or IGNORED, which has no values */
  bnn_tensor *values; /* real [n], NaN where one is missing; i32 [n] from 0, -1 where one is */
  char **category;    /* [categories] texts: numbers in their order, else sorted by their bytes, or
                         as given; NULL where there are none */
  size_t categories;
  size_t numbers, texts; /* cells that are numbers, and those that are none, nor missing */
  size_t text_line;      /* the line of the first of these, and what it holds */
  bnn_excerpt text;
  size_t rounded; /* cells written as integers that a bnn_real does not hold, or that lie beyond
                          2^53, where a double does not either */
  size_t rounded_line; /* the line of the first of these, what it holds, and what became of it */
  bnn_excerpt rounded_text;
  double rounded_to;
} bnn_csv_typed_column;

typedef struct bnn_csv_typed {
  size_t columns, rows;
  bool header;
  bnn_csv_typed_column *column; /* [columns] */
} bnn_csv_typed;

/* Reads the rows of an open text, once: quotes are unescaped where they stand.
 * *out: freed by bnn_csv_typed_free. */
bnn_status bnn_csv_typed_read(bnn_csv_typed **out, bnn_csv_text *text,
                              const bnn_csv_typed_options *options, bnn_err *err);

/* NULL is allowed. */
void bnn_csv_typed_free(bnn_csv_typed *t);

#endif
