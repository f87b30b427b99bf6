/* sql.h - a database: SQLite's, in a file, or one of a PostgreSQL server, by its URL.
 *
 * Many processes may have the same one open: whoever finds it locked waits for up to the time given
 * at the opening, then gets EBUSY.  Both are optional: without SQLite (BNN_HAVE_SQLITE) no file can
 * be opened, without libpq (BNN_HAVE_PQ, and libpq.so.5 when it is needed) no URL, and opening says
 * so with EIO.
 *
 * A server's answer is waited for in ticks, between which `stopped` is asked.  The time given at the
 * opening, of at least a second, holds for the connection and for each statement, counted from the
 * last byte that came.  Only the look-up of a host's name waits for as long as the system does.
 *
 * Errors: EDATA: the SQL is wrong, or refused.  EBUSY: another process is in the way, or (deadlocks)
 * the whole transaction has to be repeated.  ELOST: there is no connection to the server, or it has
 * not answered in time; the connection is gone, its transaction taken back, and another attempt with
 * a new one may succeed.  ESTOP: `stopped` said so; a connection that waits for an answer is gone.
 * EIO: else, with the path or the URL at the opening.  ENOMEM.
 * No text has a password: a URL with one is refused before libpq sees it. */
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

/* How a database is opened. */
typedef struct bnn_sql_options {
  bool may_write;       /* a file is created; else a server refuses to change anything */
  int wait_ms;          /* for other processes, and for a server */
  int (*stopped)(void); /* not 0: to wait no longer for a server; NULL: never */
} bnn_sql_options;

/* The versions of SQLite and of PostgreSQL's client library, which this loads; NULL when built
 * without, or where it is not installed. */
const char *bnn_sql_version(void);
const char *bnn_sql_client_version(void);

/* Whether a text is a URL of PostgreSQL: it begins with postgresql:// or postgres://. */
bool bnn_sql_is_url(const char *text);

/* Opens a file or a URL.  Read only, a folder that may not be written is no hindrance; a pooler in
 * front of a server may let writes through.  *out: closed by bnn_sql_close.
 * ERANGE: the URL has a password. */
bnn_status bnn_sql_open(bnn_sql **out, const char *place, const bnn_sql_options *options,
                        bnn_err *err);

/* "sqlite" or "postgresql". */
const char *bnn_sql_store_name(const bnn_sql *db);

/* The child of a fork may close what its parent opened, which leaves the parent's as it is, and must
 * not use it (EIO).  Twice is not fine; NULL is.  Its queries may be finished later, and no more than
 * that. */
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

/* Sets parameter i, from 1; a text is copied.  EDATA: PostgreSQL's texts have no zero bytes. */
bnn_status bnn_sql_bind(bnn_sql_query *q, int i, const bnn_sql_value *v, bnn_err *err);

/* Goes to the next row; *row: whether there is one. */
bnn_status bnn_sql_step(bnn_sql_query *q, bool *row, bnn_err *err);

/* The name and the value of column i, from 0, of this row.  PostgreSQL's booleans are the integers
 * 0 and 1, its numerics reals, and what is neither a number a text. */
const char *bnn_sql_name(const bnn_sql_query *q, int i);
bnn_sql_value bnn_sql_column(bnn_sql_query *q, int i);

/* NULL is fine. */
void bnn_sql_finish(bnn_sql_query *q);

/* Asks the server to pass on what is sent to a channel by NOTIFY (a name as it is, no SQL).
 * EDATA: SQLite has no channels. */
bnn_status bnn_sql_listen(bnn_sql *db, const char *channel, bnn_err *err);

/* *come: whether a notification has come since the last call, of which the server is not asked; false
 * for SQLite. */
bnn_status bnn_sql_notified(bnn_sql *db, bool *come, bnn_err *err);

#endif
