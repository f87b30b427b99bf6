/* csv_parser.h - a table that is being read: what the files of the reader share, and no others.
 *
 * csv_columns.c says which record is the header and what each column is, csv_labels.c what the
 * labels are; csv.c reads the rows and makes the table. */
#ifndef BNN_CSV_PARSER_H
#define BNN_CSV_PARSER_H

#include "csv.h"
#include "csv_records.h"

/* What a column is. */
typedef enum bnn_csv_role {
  BNN_CSV_FEATURE,
  BNN_CSV_LABEL,
  BNN_CSV_UNNAMED, /* left out because it numbers the rows */
  BNN_CSV_DROPPED
} bnn_csv_role;

typedef struct bnn_csv_parser {
  bnn_csv_records in;
  const bnn_csv_options *o;
  size_t row;        /* that was read last, from 1; 0: the header */
  bool guessed_data; /* the first row was taken for data, though nobody said so */
  bnn_bytes first;   /* bnn_csv_cell [columns] of the first record */
  bool header;       /* which is the header */
  bnn_bytes roles;   /* a byte for each column */
  bnn_bytes values;  /* bnn_real [n, d] */
  bnn_bytes labels;  /* bnn_csv_cell [n] */
  bnn_bytes unnamed; /* bnn_csv_cell [n, n_unnamed] */
  size_t columns, n_unnamed;
  size_t label; /* its column from 0, or SIZE_MAX */
} bnn_csv_parser;

static inline bnn_csv_cell *bnn_csv_first(const bnn_csv_parser *t) {
  return bnn_csv_cells(&t->first);
}

static inline bnn_csv_role bnn_csv_role_of(const bnn_csv_parser *t, size_t column) {
  return (bnn_csv_role)t->roles.p[column];
}

/* How many columns are features. */
size_t bnn_csv_features(const bnn_csv_parser *t);

/* A cell's text for errors. */
static inline bnn_excerpt bnn_csv_shown(const bnn_csv_cell *c) {
  return bnn_excerpt_of(c->p, c->n);
}

static inline bnn_status bnn_csv_no_memory(const bnn_csv_parser *t, bnn_err *err) {
  return bnn_fail(err, BNN_ENOMEM, "%s: no memory for a table of %zu rows so far", t->in.name,
                  t->row);
}

/* ---- csv_columns.c ---- */

/* Whether the first record, in t->first, is the header: as the options say, or as it looks; then
 * t->guessed_data says whether it was taken for data. */
bool bnn_csv_has_header(bnn_csv_parser *t);

/* R's write.table puts no name above the names of rows.  Where the first row, `cells`, is one
 * longer than the header and R may have written it, an empty name makes them even.  ENOMEM. */
bnn_status bnn_csv_add_corner(bnn_csv_parser *t, const bnn_csv_cell *cells, size_t columns,
                              bnn_err *err);

/* Fills in t->roles by the options and the header.  EDATA: two columns have one name, a feature has
 * none, or there are no features.  ERANGE: there is no such column.  ENOMEM. */
bnn_status bnn_csv_assign_roles(bnn_csv_parser *t, bnn_err *err);

/* What only all rows show: EDATA when the first one, taken for data, may hold names after all, or
 * when a column without a name does not number the rows.  ENOMEM. */
bnn_status bnn_csv_check_guesses(const bnn_csv_parser *t, bnn_err *err);

/* Whether the file's first column is a feature that counts the rows, from 0 or 1. */
bool bnn_csv_numbers_rows(const bnn_csv_parser *t);

/* ---- csv_labels.c ---- */

/* The labels of all rows into table->y and, where they are classes, the names into
 * table->class_name.  EDATA: a label is missing, or no class of those given.  ENOMEM. */
bnn_status bnn_csv_make_labels(bnn_csv *table, const bnn_csv_parser *t, bnn_err *err);

/* The texts of cells [n] as one block: their addresses, then the texts, each with a zero byte.
 * *out: the caller's to free.  ENOMEM. */
bnn_status bnn_csv_copy_texts(char ***out, const bnn_csv_cell *c, size_t n, const bnn_csv_parser *t,
                              bnn_err *err);

/* "ant, bee, cat", cut when it is long. */
enum { BNN_CSV_NAMES_SHOWN = 200 };
typedef struct bnn_csv_name_list {
  char s[BNN_CSV_NAMES_SHOWN + 8];
} bnn_csv_name_list;
bnn_csv_name_list bnn_csv_list_names(const char *const *name, size_t n);

/* The largest number that a real can hold. */
double bnn_csv_real_max(void);

/* ---- names, for sorting ---- */

typedef struct bnn_csv_named {
  bnn_csv_cell name; /* first, so that bnn_csv_compare takes a bnn_csv_named */
  size_t at;         /* its column, or its place among the classes */
} bnn_csv_named;

/* By name, then by place; for qsort. */
int bnn_csv_compare_named(const void *a, const void *b);

#endif
