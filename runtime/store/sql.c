/* sql.c - see sql.h: which store a database is of, and whose it is after a fork. */
#include "sql.h"

#include <string.h>
#include <time.h>

#include "../base/forks.h"
#include "sql_store.h"

double bnn_sql_clock_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

bool bnn_sql_is_url(const char *text) {
  static const char *const scheme[] = {"postgresql://", "postgres://"};
  for (size_t i = 0; i < sizeof scheme / sizeof *scheme; i++)
    if (strncmp(text, scheme[i], strlen(scheme[i])) == 0) return true;
  return false;
}

bnn_status bnn_sql_open(bnn_sql **out, const char *place, const bnn_sql_options *options,
                        bnn_err *err) {
  bnn_sql *db = NULL;
  BNN_TRY((bnn_sql_is_url(place) ? bnn_postgres_open : bnn_sqlite_open)(&db, place, options, err));
  db->owner = bnn_forks();
  *out = db;
  return BNN_OK;
}

const char *bnn_sql_store_name(const bnn_sql *db) { return db->store->name; }

static bool is_ours(const bnn_sql *db) { return db->owner == bnn_forks(); }

void bnn_sql_close(bnn_sql *db) {
  if (db) (is_ours(db) ? db->store->close : db->store->abandon)(db);
}

static bnn_status check_ours(const bnn_sql *db, bnn_err *err) {
  if (is_ours(db)) return BNN_OK;
  return bnn_fail(err, BNN_EIO, "the database was opened by another process, before a fork");
}

bnn_status bnn_sql_prepare(bnn_sql_query **out, bnn_sql *db, const char *text, size_t n,
                           size_t *used, bnn_err *err) {
  BNN_TRY(check_ours(db, err));
  if (n > INT32_MAX) return bnn_fail(err, BNN_ERANGE, "an SQL text of %zu bytes", n);
  return db->store->prepare(out, db, text, n, used, err);
}

int bnn_sql_parameters(const bnn_sql_query *q) { return q->store->parameters(q); }
int bnn_sql_columns(const bnn_sql_query *q) { return q->store->columns(q); }
int bnn_sql_value_number(const bnn_sql_query *q, int i) { return q->store->value_number(q, i); }

bnn_status bnn_sql_bind(bnn_sql_query *q, int i, const bnn_sql_value *v, bnn_err *err) {
  return q->store->bind(q, i, v, err);
}

bnn_status bnn_sql_step(bnn_sql_query *q, bool *row, bnn_err *err) {
  return q->store->step(q, row, err);
}

const char *bnn_sql_name(const bnn_sql_query *q, int i) { return q->store->name_of(q, i); }
bnn_sql_value bnn_sql_column(bnn_sql_query *q, int i) { return q->store->column(q, i); }

void bnn_sql_finish(bnn_sql_query *q) {
  if (q) q->store->finish(q);
}

bnn_status bnn_sql_listen(bnn_sql *db, const char *channel, bnn_err *err) {
  BNN_TRY(check_ours(db, err));
  return db->store->listen(db, channel, err);
}

bnn_status bnn_sql_notified(bnn_sql *db, bool *come, bnn_err *err) {
  BNN_TRY(check_ours(db, err));
  return db->store->notified(db, come, err);
}
