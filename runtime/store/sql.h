/* sql.h - a database in a file, through SQLite.
 *
 * Many processes may have the same file open: whoever finds it locked waits for up to the time given
 * at the opening, then gets EIO.  Optional: without SQLite (BNN_HAVE_SQLITE) nothing can be opened,
 * and opening says so with EIO.
 *
 * Errors: EIO with SQLite's text, which names the path at the opening; EDATA where the SQL is wrong;
 * ENOMEM. */
#ifndef BNN_SQL_H
#define BNN_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"

typedef struct bnn_sql bnn_sql;
typedef struct bnn_sql_query bnn_sql_query;

typedef enum bnn_sql_kind {
  BNN_SQL_NULL,
  BNN_SQL_INTEGER,
  BNN_SQL_REAL,
  BNN_SQL_TEXT,
} bnn_sql_kind;

/* A value of a column or a parameter; a text stands until the query is stepped, reset or closed. */
typedef struct bnn_sql_value {
  bnn_sql_kind kind;
  int64_t integer;
  double real;
  const char *text;
  size_t length;
} bnn_sql_value;

/* SQLite's version, or NULL when built without. */
const char *bnn_sql_version(void);

/* Opens a file, which is created when `may_write`.  Read only, a folder that may not be written is no
 * hindrance.  *out: closed by bnn_sql_close. */
bnn_status bnn_sql_open(bnn_sql **out, const char *path, bool may_write, int wait_ms, bnn_err *err);

/* The child of a fork may close what its parent opened, which does nothing, and must not use it (EIO).
 * Twice is not fine; NULL is.  Its queries may be finished later, and no more than that. */
void bnn_sql_close(bnn_sql *db);

/* Compiles the first statement of a text of n bytes, unless it has been before; *used: how many bytes
 * of it that is.  *out is NULL for an empty statement, else closed by bnn_sql_finish. */
bnn_status bnn_sql_prepare(bnn_sql_query **out, bnn_sql *db, const char *text, size_t n,
                           size_t *used, bnn_err *err);

/* How many parameters a query has, and how many columns: after the first step, as the tables may have
 * changed before it. */
int bnn_sql_parameters(const bnn_sql_query *q);
int bnn_sql_columns(const bnn_sql_query *q);

/* The number of the value that parameter i, from 1, is for: 3 of $3, wherever in the text that stands
 * (SQLite takes it for a name, and numbers parameters as they come); i of a ?. */
int bnn_sql_value_number(const bnn_sql_query *q, int i);

/* Sets parameter i, from 1; a text is copied. */
bnn_status bnn_sql_bind(bnn_sql_query *q, int i, const bnn_sql_value *v, bnn_err *err);

/* Goes to the next row; *row: whether there is one. */
bnn_status bnn_sql_step(bnn_sql_query *q, bool *row, bnn_err *err);

/* The name and the value of column i, from 0, of this row. */
const char *bnn_sql_name(const bnn_sql_query *q, int i);
bnn_sql_value bnn_sql_column(bnn_sql_query *q, int i);

/* NULL is fine. */
void bnn_sql_finish(bnn_sql_query *q);

#endif
