/* sql_sqlite.c - databases in a file, through SQLite.
 *
 * Who finds the file locked naps for a random part of half a millisecond and tries again, then of
 * twice as long, up to 8 ms: naps that stay short keep a processor busy with asking (32 writers on two
 * processors: 10,200 claims a second, with these 20,600; tests/bench/bench_claims.lua in /dev/shm).
 * SQLite's own busy_timeout backs off to naps of 100 ms, in which 32 writers pass a sleeper by (worst
 * wait of a claim measured: 3.8 to 5.3 s; this way 0.2 s).  SQLite does not ask its handler in every
 * state (a file that is becoming one with a write-ahead log answers BUSY at once), so a first step
 * is taken again here too.
 *
 * Statements are kept compiled, the last used first.  SQLite compiles them anew by itself when the
 * tables change.
 *
 * SQLite's locks do not pass to the child of a fork, and closing there could take away the log that
 * the parent writes: a child must open the file again, and its parent's handle is let be. */
#include "sql_store.h"

#ifdef BNN_HAVE_SQLITE
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/mem.h"

enum {
  SQL_VALUES_MAX = 32766,
  KEPT = 32,       /* statements of a database that are kept */
  NAP_NS = 500000, /* the longest of the first try */
  NAP_GROWS = 4    /* how often that doubles */
};

typedef struct query query;

typedef struct sqlite {
  bnn_sql base;
  sqlite3 *handle;
  int wait_ms;
  uint32_t seed; /* of naps */
  double since;  /* when the wait that is going on began */
  query *kept[KEPT];
} sqlite;

struct query {
  bnn_sql_query base;
  sqlite3_stmt *statement;
  sqlite *db;
  bool started;
  bool is_kept, is_used; /* in db->kept; between prepare and finish */
};

static sqlite *as_sqlite(bnn_sql *db) { return (sqlite *)(void *)db; }
static query *as_query(bnn_sql_query *q) { return (query *)(void *)q; }
static sqlite3_stmt *statement_of(const bnn_sql_query *q) {
  return ((const query *)(const void *)q)->statement;
}

const char *bnn_sql_version(void) { return sqlite3_libversion(); }

static bnn_status fail_sql(const sqlite *db, int code, bnn_err *err) {
  bnn_status status = BNN_EIO;
  switch (code & 0xff) {
  case SQLITE_NOMEM: status = BNN_ENOMEM; break;
  case SQLITE_BUSY:
  case SQLITE_LOCKED: status = BNN_EBUSY; break;
  case SQLITE_CONSTRAINT:
  case SQLITE_ERROR: status = BNN_EDATA; break;
  default: break;
  }
  return bnn_fail(err, status, "%s", sqlite3_errmsg(db->handle));
}

/* ---- waiting ---- */

static void nap(sqlite *db, int tries) {
  db->seed = db->seed * 1664525 + 1013904223; /* Numerical Recipes */
  const long most = tries < NAP_GROWS ? NAP_NS << tries : NAP_NS << NAP_GROWS;
  const long ns = most / 5 + (long)((uint64_t)db->seed * (uint64_t)(most - most / 5) >> 32);
  nanosleep(&(struct timespec){0, ns}, NULL);
}

/* SQLite's question whether to try again, when `tries` were made in a wait; 0: no. */
static int on_busy(void *data, int tries) {
  sqlite *db = data;
  const double now = bnn_sql_clock_ms();
  if (tries == 0) db->since = now;
  if (now - db->since >= db->wait_ms) return 0;
  nap(db, tries);
  return 1;
}

/* The same where SQLite has not asked, of a wait that began then. */
static bool waits_on(sqlite *db, int code, double began) {
  if (code != SQLITE_BUSY || bnn_sql_clock_ms() - began >= db->wait_ms) return false;
  nap(db, 0);
  return true;
}

/* ---- opening ---- */

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

static int open_handle(sqlite *db, const char *path, bool may_write) {
  int flags = may_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
  if (db->handle) sqlite3_busy_handler(db->handle, on_busy, db);
  if (code != SQLITE_OK || may_write) return code;
  code = look(db->handle);
  if (code != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY) return code;
  sqlite3_close(db->handle);
  db->handle = NULL;
  return open_unchanging(&db->handle, path);
}

/* ---- closing ---- */

static void finish_query(bnn_sql_query *base) {
  query *q = as_query(base);
  q->is_used = false;
  if (q->is_kept) {
    sqlite3_reset(q->statement);
    sqlite3_clear_bindings(q->statement);
    return;
  }
  sqlite3_finalize(q->statement);
  bnn_mem_free(q);
}

static void close_sqlite(bnn_sql *base) {
  sqlite *db = as_sqlite(base);
  for (int i = 0; i < KEPT && db->kept[i]; i++) {
    db->kept[i]->is_kept = false;
    if (!db->kept[i]->is_used) finish_query(&db->kept[i]->base);
  }
  sqlite3_close_v2(db->handle); /* when the last query is finished */
  bnn_mem_free(db);
}

/* The locks are the parent's. */
static void abandon(bnn_sql *db) { bnn_mem_free(as_sqlite(db)); }

/* ---- statements ---- */

/* Makes entry i the first. */
static void move_to_front(sqlite *db, int i) {
  query *q = db->kept[i];
  memmove(db->kept + 1, db->kept, (size_t)i * sizeof *db->kept);
  db->kept[0] = q;
}

/* The kept query of a text, unless it is being used; or NULL. */
static query *find_kept(sqlite *db, const char *text, size_t n) {
  for (int i = 0; i < KEPT && db->kept[i]; i++) {
    query *q = db->kept[i];
    const char *its = sqlite3_sql(q->statement);
    if (q->is_used || strlen(its) != n || memcmp(its, text, n) != 0) continue;
    move_to_front(db, i);
    return q;
  }
  return NULL;
}

/* Keeps a query, in the place of the one that has not been used for longest. */
static void keep(sqlite *db, query *q) {
  int i = 0;
  while (i < KEPT - 1 && db->kept[i]) i++;
  query *last = db->kept[i];
  if (last && last->is_used) return;
  if (last) {
    last->is_kept = false;
    finish_query(&last->base);
  }
  db->kept[i] = q;
  q->is_kept = true;
  move_to_front(db, i);
}

/* Compiles the first statement of a text; *out is NULL for an empty one. */
static bnn_status compile(query **out, sqlite *db, const char *text, size_t n, size_t *used,
                          bnn_err *err) {
  const char *rest = text;
  query *q = bnn_mem_zalloc(1, sizeof *q);
  if (!q) return bnn_fail(err, BNN_ENOMEM, "a query");
  q->base.store = db->base.store;
  q->db = db;
  int code;
  const double began = bnn_sql_clock_ms();
  do
    code = sqlite3_prepare_v3(db->handle, text, (int)n, SQLITE_PREPARE_PERSISTENT, &q->statement,
                              &rest);
  while (waits_on(db, code, began));
  if (code != SQLITE_OK || !q->statement) {
    bnn_mem_free(q);
    q = NULL;
    if (code != SQLITE_OK) return fail_sql(db, code, err);
  }
  *used = (size_t)(rest - text);
  if (q && *used == n) keep(db, q);
  *out = q;
  return BNN_OK;
}

static bnn_status prepare(bnn_sql_query **out, bnn_sql *base, const char *text, size_t n,
                          size_t *used, bnn_err *err) {
  sqlite *db = as_sqlite(base);
  query *q = find_kept(db, text, n);
  *used = n;
  if (!q) BNN_TRY(compile(&q, db, text, n, used, err));
  if (q) q->is_used = true, q->started = false;
  *out = q ? &q->base : NULL;
  return BNN_OK;
}

static int parameters(const bnn_sql_query *q) {
  return sqlite3_bind_parameter_count(statement_of(q));
}

static int value_number(const bnn_sql_query *q, int i) {
  const char *name = sqlite3_bind_parameter_name(statement_of(q), i);
  if (!name || name[0] != '$') return i;
  int number = 0;
  const char *p = name + 1;
  for (; *p >= '0' && *p <= '9' && number <= SQL_VALUES_MAX; p++) number = 10 * number + *p - '0';
  return *p == '\0' && number >= 1 && number <= SQL_VALUES_MAX ? number : i;
}

static int columns(const bnn_sql_query *q) { return sqlite3_column_count(statement_of(q)); }

static bnn_status bind_value(bnn_sql_query *base, int i, const bnn_sql_value *v, bnn_err *err) {
  query *q = as_query(base);
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

static bnn_status step(bnn_sql_query *base, bool *row, bnn_err *err) {
  query *q = as_query(base);
  const double began = bnn_sql_clock_ms();
  int code = sqlite3_step(q->statement);
  while (!q->started && waits_on(q->db, code, began)) {
    sqlite3_reset(q->statement);
    code = sqlite3_step(q->statement);
  }
  q->started = true;
  *row = code == SQLITE_ROW;
  return code == SQLITE_ROW || code == SQLITE_DONE ? BNN_OK : fail_sql(q->db, code, err);
}

static const char *name_of(const bnn_sql_query *q, int i) {
  const char *name = sqlite3_column_name(statement_of(q), i);
  return name ? name : "";
}

static bnn_sql_value column(bnn_sql_query *base, int i) {
  sqlite3_stmt *statement = statement_of(base);
  bnn_sql_value v = {.kind = BNN_SQL_TEXT};
  switch (sqlite3_column_type(statement, i)) {
  case SQLITE_NULL: v.kind = BNN_SQL_NULL; return v;
  case SQLITE_INTEGER:
    v.kind = BNN_SQL_INTEGER;
    v.integer = sqlite3_column_int64(statement, i);
    return v;
  case SQLITE_FLOAT:
    v.kind = BNN_SQL_REAL;
    v.real = sqlite3_column_double(statement, i);
    return v;
  default: break;
  }
  v.text = sqlite3_column_blob(statement, i);
  v.length = (size_t)sqlite3_column_bytes(statement, i);
  if (!v.text) v.text = "", v.length = 0;
  return v;
}

static bnn_status listen_to(bnn_sql *db, const char *channel, bnn_err *err) {
  (void)db;
  return bnn_fail(err, BNN_EDATA, "%s: SQLite has no channels to listen to", channel);
}

static bnn_status notified(bnn_sql *db, bool *come, bnn_err *err) {
  (void)db, (void)err;
  *come = false;
  return BNN_OK;
}

/* ---- the store ---- */

static const bnn_sql_store store = {
    .name = "sqlite",
    .close = close_sqlite,
    .abandon = abandon,
    .prepare = prepare,
    .parameters = parameters,
    .columns = columns,
    .value_number = value_number,
    .bind = bind_value,
    .step = step,
    .name_of = name_of,
    .column = column,
    .finish = finish_query,
    .listen = listen_to,
    .notified = notified,
};

bnn_status bnn_sqlite_open(bnn_sql **out, const char *path, const bnn_sql_options *options,
                           bnn_err *err) {
  sqlite *db = bnn_mem_zalloc(1, sizeof *db);
  if (!db) return bnn_fail(err, BNN_ENOMEM, "%s: a database", path);
  db->base.store = &store;
  db->wait_ms = options->wait_ms;
  db->seed = (uint32_t)((uint64_t)(bnn_sql_clock_ms() * 1e6) ^ (uint64_t)getpid() << 16);
  int code = open_handle(db, path, options->may_write);
  if (code == SQLITE_OK) {
    *out = &db->base;
    return BNN_OK;
  }
  bnn_status status = bnn_fail(err, code == SQLITE_NOMEM ? BNN_ENOMEM : BNN_EIO, "%s: %s", path,
                               db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
  close_sqlite(&db->base);
  return status;
}

#else

const char *bnn_sql_version(void) { return NULL; }

bnn_status bnn_sqlite_open(bnn_sql **out, const char *path, const bnn_sql_options *options,
                           bnn_err *err) {
  (void)out, (void)options;
  return bnn_fail(err, BNN_EIO, "%s: this program was built without SQLite (make deps, then make)",
                  path);
}

#endif
