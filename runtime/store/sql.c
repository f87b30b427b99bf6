/* sql.c - see sql.h.
 *
 * SQLite's own timeout does not hold in every state (a file that is becoming one with a write-ahead
 * log answers BUSY at once), so a first step that finds the file locked is taken again until the
 * time is over.
 *
 * SQLite's locks do not pass to the child of a fork, and closing there could take away the log that
 * the parent writes: a child must open the file again, and its parent's handle is let be. */
#include "sql.h"

#ifdef BNN_HAVE_SQLITE
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "../base/forks.h"
#include "../base/mem.h"

enum { NAP_MS = 7 };

struct bnn_sql {
  sqlite3 *handle;
  int wait_ms;
  unsigned owner; /* bnn_forks of the process that opened it */
};

struct bnn_sql_query {
  sqlite3_stmt *statement;
  bnn_sql *db;
  bool started;
};

const char *bnn_sql_version(void) { return sqlite3_libversion(); }

static bnn_status fail_sql(const bnn_sql *db, int code, bnn_err *err) {
  bnn_status status = code == SQLITE_NOMEM   ? BNN_ENOMEM
                      : code == SQLITE_ERROR ? BNN_EDATA
                                             : BNN_EIO;
  return bnn_fail(err, status, "%s", sqlite3_errmsg(db->handle));
}

/* Whether the file can be read: SQLite looks at it no earlier. */
static int look(sqlite3 *handle) {
  return sqlite3_exec(handle, "PRAGMA schema_version", NULL, NULL, NULL);
}

/* A file in a folder that may not be written: nobody changes it, and no log can be beside it. */
static int open_unchanging(sqlite3 **handle, const char *path) {
  static const char hex[] = "0123456789ABCDEF";
  size_t n = 0;
  char *uri = bnn_mem_alloc(strlen(path) * 3 + 32, 1);
  if (!uri) return SQLITE_NOMEM;
  n += (size_t)sprintf(uri, "file:");
  for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
    if (*p != '?' && *p != '#' && *p != '%') {
      uri[n++] = (char)*p;
    } else {
      uri[n++] = '%';
      uri[n++] = hex[*p >> 4];
      uri[n++] = hex[*p & 15];
    }
  }
  memcpy(uri + n, "?immutable=1", sizeof "?immutable=1");
  int code = sqlite3_open_v2(uri, handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
  bnn_mem_free(uri);
  return code == SQLITE_OK ? look(*handle) : code;
}

static int open_handle(sqlite3 **handle, const char *path, bool may_write, int wait_ms) {
  int flags = may_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  int code = sqlite3_open_v2(path, handle, flags, NULL);
  if (*handle) sqlite3_busy_timeout(*handle, wait_ms);
  if (code != SQLITE_OK || may_write) return code;
  code = look(*handle);
  if (code != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY) return code;
  sqlite3_close(*handle);
  *handle = NULL;
  return open_unchanging(handle, path);
}

bnn_status bnn_sql_open(bnn_sql **out, const char *path, bool may_write, int wait_ms,
                        bnn_err *err) {
  bnn_sql *db = bnn_mem_zalloc(1, sizeof *db);
  if (!db) return bnn_fail(err, BNN_ENOMEM, "%s: a database", path);
  db->wait_ms = wait_ms;
  db->owner = bnn_forks();
  int code = open_handle(&db->handle, path, may_write, wait_ms);
  if (code == SQLITE_OK) {
    *out = db;
    return BNN_OK;
  }
  bnn_status status = bnn_fail(err, code == SQLITE_NOMEM ? BNN_ENOMEM : BNN_EIO, "%s: %s", path,
                               db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
  bnn_sql_close(db);
  return status;
}

void bnn_sql_close(bnn_sql *db) {
  if (!db) return;
  if (db->owner == bnn_forks()) sqlite3_close(db->handle); /* else its locks are not ours */
  bnn_mem_free(db);
}

bnn_status bnn_sql_prepare(bnn_sql_query **out, bnn_sql *db, const char *text, size_t n,
                           size_t *used, bnn_err *err) {
  const char *rest = text;
  if (db->owner != bnn_forks())
    return bnn_fail(err, BNN_EIO, "the database was opened by another process, before a fork");
  if (n > INT32_MAX) return bnn_fail(err, BNN_ERANGE, "an SQL text of %zu bytes", n);
  bnn_sql_query *q = bnn_mem_zalloc(1, sizeof *q);
  if (!q) return bnn_fail(err, BNN_ENOMEM, "a query");
  q->db = db;
  int code = SQLITE_OK, waited = 0;
  while ((code = sqlite3_prepare_v2(db->handle, text, (int)n, &q->statement, &rest)) ==
             SQLITE_BUSY &&
         waited < db->wait_ms)
    waited += sqlite3_sleep(NAP_MS);
  if (code != SQLITE_OK || !q->statement) {
    bnn_status status = code == SQLITE_OK ? BNN_OK : fail_sql(db, code, err);
    bnn_mem_free(q);
    q = NULL;
    if (status != BNN_OK) return status;
  }
  *used = (size_t)(rest - text);
  *out = q;
  return BNN_OK;
}

int bnn_sql_parameters(const bnn_sql_query *q) {
  return sqlite3_bind_parameter_count(q->statement);
}

int bnn_sql_columns(const bnn_sql_query *q) { return sqlite3_column_count(q->statement); }

bnn_status bnn_sql_bind(bnn_sql_query *q, int i, const bnn_sql_value *v, bnn_err *err) {
  int code = SQLITE_OK;
  switch (v->kind) {
  case BNN_SQL_NULL: code = sqlite3_bind_null(q->statement, i); break;
  case BNN_SQL_INTEGER: code = sqlite3_bind_int64(q->statement, i, v->integer); break;
  case BNN_SQL_REAL: code = sqlite3_bind_double(q->statement, i, v->real); break;
  case BNN_SQL_TEXT:
    code = sqlite3_bind_text64(q->statement, i, v->text, v->length, SQLITE_TRANSIENT, SQLITE_UTF8);
    break;
  }
  return code == SQLITE_OK ? BNN_OK : fail_sql(q->db, code, err);
}

bnn_status bnn_sql_step(bnn_sql_query *q, bool *row, bnn_err *err) {
  int code = sqlite3_step(q->statement);
  for (int waited = 0; code == SQLITE_BUSY && !q->started && waited < q->db->wait_ms;) {
    sqlite3_reset(q->statement);
    waited += sqlite3_sleep(NAP_MS);
    code = sqlite3_step(q->statement);
  }
  q->started = true;
  *row = code == SQLITE_ROW;
  return code == SQLITE_ROW || code == SQLITE_DONE ? BNN_OK : fail_sql(q->db, code, err);
}

const char *bnn_sql_name(const bnn_sql_query *q, int i) {
  const char *name = sqlite3_column_name(q->statement, i);
  return name ? name : "";
}

bnn_sql_value bnn_sql_column(bnn_sql_query *q, int i) {
  bnn_sql_value v = {.kind = BNN_SQL_TEXT};
  switch (sqlite3_column_type(q->statement, i)) {
  case SQLITE_NULL: v.kind = BNN_SQL_NULL; return v;
  case SQLITE_INTEGER:
    v.kind = BNN_SQL_INTEGER;
    v.integer = sqlite3_column_int64(q->statement, i);
    return v;
  case SQLITE_FLOAT:
    v.kind = BNN_SQL_REAL;
    v.real = sqlite3_column_double(q->statement, i);
    return v;
  default: break;
  }
  v.text = sqlite3_column_blob(q->statement, i);
  v.length = (size_t)sqlite3_column_bytes(q->statement, i);
  if (!v.text) v.text = "", v.length = 0;
  return v;
}

void bnn_sql_finish(bnn_sql_query *q) {
  if (!q) return;
  sqlite3_finalize(q->statement);
  bnn_mem_free(q);
}

#else

const char *bnn_sql_version(void) { return NULL; }

bnn_status bnn_sql_open(bnn_sql **out, const char *path, bool may_write, int wait_ms,
                        bnn_err *err) {
  (void)out, (void)may_write, (void)wait_ms;
  return bnn_fail(err, BNN_EIO, "%s: this program was built without SQLite (make deps, then make)",
                  path);
}

/* Nothing can be opened, so none of these is called. */
void bnn_sql_close(bnn_sql *db) { (void)db; }

bnn_status bnn_sql_prepare(bnn_sql_query **out, bnn_sql *db, const char *text, size_t n,
                           size_t *used, bnn_err *err) {
  (void)out, (void)db, (void)text, (void)n, (void)used;
  return bnn_fail(err, BNN_EIO, "no SQLite");
}

int bnn_sql_parameters(const bnn_sql_query *q) { return (void)q, 0; }
int bnn_sql_columns(const bnn_sql_query *q) { return (void)q, 0; }

bnn_status bnn_sql_bind(bnn_sql_query *q, int i, const bnn_sql_value *v, bnn_err *err) {
  (void)q, (void)i, (void)v;
  return bnn_fail(err, BNN_EIO, "no SQLite");
}

bnn_status bnn_sql_step(bnn_sql_query *q, bool *row, bnn_err *err) {
  (void)q, (void)row;
  return bnn_fail(err, BNN_EIO, "no SQLite");
}

const char *bnn_sql_name(const bnn_sql_query *q, int i) { return (void)q, (void)i, ""; }

bnn_sql_value bnn_sql_column(bnn_sql_query *q, int i) {
  return (void)q, (void)i, (bnn_sql_value){.kind = BNN_SQL_NULL};
}

void bnn_sql_finish(bnn_sql_query *q) { (void)q; }

#endif
