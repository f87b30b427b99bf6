/* sql_store.h - what a kind of database has to give: sql.c calls it, sql_sqlite.c and sql_postgres.c
 * have it.  The functions do what those of sql.h do; sql.c sees to forks. */
#ifndef BNN_SQL_STORE_H
#define BNN_SQL_STORE_H

#include "sql.h"

typedef struct bnn_sql_store {
  const char *name;
  void (*close)(bnn_sql *db);   /* in the process that opened it */
  void (*abandon)(bnn_sql *db); /* in a child of it: frees what is this process's own */
  bnn_status (*prepare)(bnn_sql_query **out, bnn_sql *db, const char *text, size_t n, size_t *used,
                        bnn_err *err);
  int (*parameters)(const bnn_sql_query *q);
  int (*columns)(const bnn_sql_query *q);
  int (*value_number)(const bnn_sql_query *q, int i);
  bnn_status (*bind)(bnn_sql_query *q, int i, const bnn_sql_value *v, bnn_err *err);
  bnn_status (*step)(bnn_sql_query *q, bool *row, bnn_err *err);
  const char *(*name_of)(const bnn_sql_query *q, int i);
  bnn_sql_value (*column)(bnn_sql_query *q, int i);
  void (*finish)(bnn_sql_query *q);
  bnn_status (*listen)(bnn_sql *db, const char *channel, bnn_err *err);
  bnn_status (*notified)(bnn_sql *db, bool *come, bnn_err *err);
} bnn_sql_store;

/* The first member of what each store has for a database and for a query. */
struct bnn_sql {
  const bnn_sql_store *store;
  unsigned owner; /* bnn_forks of the process that opened it */
};

struct bnn_sql_query {
  const bnn_sql_store *store;
};

/* Milliseconds of a clock that only goes forward. */
double bnn_sql_clock_ms(void);

bnn_status bnn_sqlite_open(bnn_sql **out, const char *path, const bnn_sql_options *options,
                           bnn_err *err);
bnn_status bnn_postgres_open(bnn_sql **out, const char *url, const bnn_sql_options *options,
                             bnn_err *err);

#endif
