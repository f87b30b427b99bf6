/* sql_postgres.c - databases of a PostgreSQL server.
 *
 * Values go as texts of no type, which the server reads as what stands beside them: a column, a cast.
 * The rows of a statement come at its first step, all of them. */
#include "sql_store.h"
#include "sql_text.h"

/* A URL with a password is refused where there is no libpq too, and never shown. */
static bnn_status check_password(const char *url, bnn_err *err) {
  if (!bnn_sql_url_has_password(url)) return BNN_OK;
  return bnn_fail(
      err, BNN_ERANGE,
      "a URL with a password in it is refused: the password belongs in ~/.pgpass, $PGPASSFILE or "
      "a service file");
}

#ifdef BNN_HAVE_PQ
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/number.h"
#include "pq_session.h"

enum {
  VALUES_MAX = 65535, /* the protocol counts them in 16 bits */
  /* Numbers of types, from PostgreSQL's pg_type.dat; they never change. */
  BOOL = 16,
  INT8 = 20,
  INT2 = 21,
  INT4 = 23,
  OID = 26,
  FLOAT4 = 700,
  FLOAT8 = 701,
  NUMERIC = 1700
};

typedef struct postgres {
  bnn_sql base;
  bnn_pq_session *session;
} postgres;

typedef struct query {
  bnn_sql_query base;
  postgres *db;
  char *text;
  int n;         /* values */
  char **values; /* [n]; NULL for those that are null */
  PGresult *rows;
  int row; /* that the last step came to */
} query;

static postgres *as_postgres(bnn_sql *db) { return (postgres *)(void *)db; }
static query *as_query(bnn_sql_query *q) { return (query *)(void *)q; }
static const query *to_query(const bnn_sql_query *q) { return (const query *)(const void *)q; }

static void close_postgres(bnn_sql *db) {
  bnn_pq_close(as_postgres(db)->session);
  bnn_mem_free(db);
}

static void abandon(bnn_sql *db) {
  bnn_pq_abandon(as_postgres(db)->session);
  bnn_mem_free(db);
}

/* ---- statements ---- */

static void finish(bnn_sql_query *base) {
  query *q = as_query(base);
  for (int i = 0; q->values && i < q->n; i++) bnn_mem_free(q->values[i]);
  bnn_mem_free(q->values);
  bnn_mem_free(q->text);
  bnn_pq_load()->clear(q->rows);
  bnn_mem_free(q);
}

static char *copy_text(const char *p, size_t n) {
  char *copy = bnn_mem_alloc(n + 1, 1);
  if (!copy) return NULL;
  memcpy(copy, p, n);
  copy[n] = '\0';
  return copy;
}

static bnn_status new_query(query **out, postgres *db, const char *text, size_t length, int n,
                            bnn_err *err) {
  query *q = bnn_mem_zalloc(1, sizeof *q);
  if (!q) return bnn_fail(err, BNN_ENOMEM, "a query");
  q->base.store = db->base.store;
  q->db = db;
  q->n = n;
  q->row = -1;
  q->text = copy_text(text, length);
  q->values = bnn_mem_zalloc((size_t)n, sizeof *q->values);
  if (q->text && q->values) {
    *out = q;
    return BNN_OK;
  }
  finish(&q->base);
  return bnn_fail(err, BNN_ENOMEM, "a query");
}

static bnn_status prepare(bnn_sql_query **out, bnn_sql *base, const char *text, size_t n,
                          size_t *used, bnn_err *err) {
  postgres *db = as_postgres(base);
  query *q = NULL;
  if (memchr(text, '\0', n)) return bnn_fail(err, BNN_EDATA, "a zero byte in SQL");
  bnn_sql_extent first = bnn_sql_first_statement(text, n);
  if (first.parameter > VALUES_MAX)
    return bnn_fail(err, BNN_EDATA, "parameter $%ld: expected up to $%d", first.parameter,
                    VALUES_MAX);
  if (!first.is_empty) {
    BNN_TRY(bnn_pq_check(db->session, err));
    BNN_TRY(new_query(&q, db, text, first.used, (int)first.parameter, err));
  }
  *used = first.used;
  *out = q ? &q->base : NULL;
  return BNN_OK;
}

static int parameters(const bnn_sql_query *q) { return to_query(q)->n; }
static int value_number(const bnn_sql_query *q, int i) { return (void)q, i; }

static int columns(const bnn_sql_query *q) { return bnn_pq_load()->nfields(to_query(q)->rows); }

/* ---- values ---- */

/* As PostgreSQL writes it; NULL: no memory. */
static char *real_text(double v) {
  char text[BNN_NUMBER_TEXT];
  if (isfinite(v))
    bnn_number_text(text, v);
  else
    strcpy(text, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
  return copy_text(text, strlen(text));
}

static char *integer_text(int64_t v) {
  char text[BNN_NUMBER_TEXT];
  snprintf(text, sizeof text, "%lld", (long long)v);
  return copy_text(text, strlen(text));
}

static bnn_status bind_value(bnn_sql_query *base, int i, const bnn_sql_value *v, bnn_err *err) {
  query *q = as_query(base);
  char *text = NULL;
  if (v->kind == BNN_SQL_TEXT && memchr(v->text, '\0', v->length))
    return bnn_fail(err, BNN_EDATA, "value %d: PostgreSQL keeps no text with a zero byte", i);
  switch (v->kind) {
  case BNN_SQL_NULL: break;
  case BNN_SQL_INTEGER: text = integer_text(v->integer); break;
  case BNN_SQL_REAL: text = real_text(v->real); break;
  case BNN_SQL_TEXT: text = copy_text(v->text, v->length); break;
  }
  if (!text && v->kind != BNN_SQL_NULL) return bnn_fail(err, BNN_ENOMEM, "a value of a query");
  bnn_mem_free(q->values[i - 1]);
  q->values[i - 1] = text;
  return BNN_OK;
}

static bnn_status step(bnn_sql_query *base, bool *row, bnn_err *err) {
  query *q = as_query(base);
  if (!q->rows)
    BNN_TRY(
        bnn_pq_run(&q->rows, q->db->session, q->text, q->n, (const char *const *)q->values, err));
  *row = q->row + 1 < bnn_pq_load()->ntuples(q->rows);
  q->row += *row;
  return BNN_OK;
}

static const char *name_of(const bnn_sql_query *q, int i) {
  const char *name = bnn_pq_load()->fname(to_query(q)->rows, i);
  return name ? name : "";
}

static bnn_sql_value column(bnn_sql_query *base, int i) {
  const bnn_pq *pq = bnn_pq_load();
  const query *q = as_query(base);
  bnn_sql_value v = {.kind = BNN_SQL_NULL};
  if (pq->getisnull(q->rows, q->row, i)) return v;
  const char *text = pq->getvalue(q->rows, q->row, i);
  switch (pq->ftype(q->rows, i)) {
  case BOOL:
    v.kind = BNN_SQL_INTEGER;
    v.integer = *text == 't';
    break;
  case INT2:
  case INT4:
  case INT8:
  case OID:
    v.kind = BNN_SQL_INTEGER;
    v.integer = strtoll(text, NULL, 10);
    break;
  case FLOAT4:
  case FLOAT8:
  case NUMERIC:
    v.kind = BNN_SQL_REAL;
    v.real = bnn_number_read(text, NULL);
    break;
  default:
    v.kind = BNN_SQL_TEXT;
    v.text = text;
    v.length = (size_t)pq->getlength(q->rows, q->row, i);
    break;
  }
  return v;
}

/* ---- the store ---- */

static bnn_status listen_to(bnn_sql *db, const char *channel, bnn_err *err) {
  return bnn_pq_listen(as_postgres(db)->session, channel, err);
}

static bnn_status notified(bnn_sql *db, bool *come, bnn_err *err) {
  return bnn_pq_notified(as_postgres(db)->session, come, err);
}

static const bnn_sql_store store = {
    .name = "postgresql",
    .close = close_postgres,
    .abandon = abandon,
    .prepare = prepare,
    .parameters = parameters,
    .columns = columns,
    .value_number = value_number,
    .bind = bind_value,
    .step = step,
    .name_of = name_of,
    .column = column,
    .finish = finish,
    .listen = listen_to,
    .notified = notified,
};

bnn_status bnn_postgres_open(bnn_sql **out, const char *url, const bnn_sql_options *options,
                             bnn_err *err) {
  BNN_TRY(check_password(url, err));
  postgres *db = bnn_mem_zalloc(1, sizeof *db);
  if (!db) return bnn_fail(err, BNN_ENOMEM, "%s: a database", bnn_path_shown(url));
  db->base.store = &store;
  bnn_err why = {.text = ""};
  bnn_status status = bnn_pq_open(&db->session, url, options, &why);
  if (status == BNN_OK) {
    *out = &db->base;
    return BNN_OK;
  }
  bnn_mem_free(db);
  return bnn_fail(err, status, "%s: %s", bnn_path_shown(url), why.text);
}

#else

bnn_status bnn_postgres_open(bnn_sql **out, const char *url, const bnn_sql_options *options,
                             bnn_err *err) {
  (void)out, (void)options;
  BNN_TRY(check_password(url, err));
  return bnn_fail(err, BNN_EIO,
                  "%s: this program was built without PostgreSQL's libpq (libpq-dev: make deps, "
                  "then make)",
                  bnn_path_shown(url));
}

#endif
