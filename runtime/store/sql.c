/* sql.c - see sql.h.
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
#include "sql.h"

#ifdef BNN_HAVE_SQLITE
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../base/forks.h"
#include "../base/mem.h"

enum {
  SQL_VALUES_MAX = 32766,
  KEPT = 32,       /* statements of a database that are kept */
  NAP_NS = 500000, /* the longest of the first try */
  NAP_GROWS = 4    /* how often that doubles */
};

struct bnn_sql {
  sqlite3 *handle;
  int wait_ms;
  unsigned owner; /* bnn_forks of the process that opened it */
  uint32_t seed;  /* of naps */
  double since;   /* when the wait that is going on began */
  bnn_sql_query *kept[KEPT];
};

struct bnn_sql_query {
  sqlite3_stmt *statement;
  bnn_sql *db;
  bool started;
  bool is_kept, is_used; /* in db->kept; between prepare and finish */
};

const char *bnn_sql_version(void) { return sqlite3_libversion(); }

static bnn_status fail_sql(const bnn_sql *db, int code, bnn_err *err) {
  bnn_status status = code == SQLITE_NOMEM   ? BNN_ENOMEM
                      : code == SQLITE_ERROR ? BNN_EDATA
                                             : BNN_EIO;
  return bnn_fail(err, status, "%s", sqlite3_errmsg(db->handle));
}

/* ---- waiting ---- */

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void nap(bnn_sql *db, int tries) {
  db->seed = db->seed * 1664525 + 1013904223; /* Numerical Recipes */
  const long most = tries < NAP_GROWS ? NAP_NS << tries : NAP_NS << NAP_GROWS;
  const long ns = most / 5 + (long)((uint64_t)db->seed * (uint64_t)(most - most / 5) >> 32);
  nanosleep(&(struct timespec){0, ns}, NULL);
}

/* SQLite's question whether to try again, when `tries` were made in a wait; 0: no. */
static int on_busy(void *data, int tries) {
  bnn_sql *db = data;
  const double now = now_ms();
  if (tries == 0) db->since = now;
  if (now - db->since >= db->wait_ms) return 0;
  nap(db, tries);
  return 1;
}

/* The same where SQLite has not asked, of a wait that began then. */
static bool waits_on(bnn_sql *db, int code, double began) {
  if (code != SQLITE_BUSY || now_ms() - began >= db->wait_ms) return false;
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

static int open_handle(bnn_sql *db, const char *path, bool may_write) {
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

bnn_status bnn_sql_open(bnn_sql **out, const char *path, bool may_write, int wait_ms,
                        bnn_err *err) {
  bnn_sql *db = bnn_mem_zalloc(1, sizeof *db);
  if (!db) return bnn_fail(err, BNN_ENOMEM, "%s: a database", path);
  db->wait_ms = wait_ms;
  db->owner = bnn_forks();
  db->seed = (uint32_t)((uint64_t)(now_ms() * 1e6) ^ (uint64_t)getpid() << 16);
  int code = open_handle(db, path, may_write);
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
  const bool is_ours = db->owner == bnn_forks(); /* else neither are the locks */
  for (int i = 0; is_ours && i < KEPT && db->kept[i]; i++) {
    db->kept[i]->is_kept = false;
    if (!db->kept[i]->is_used) bnn_sql_finish(db->kept[i]);
  }
  if (is_ours) sqlite3_close_v2(db->handle); /* when the last query is finished */
  bnn_mem_free(db);
}

/* ---- statements ---- */

/* Makes entry i the first. */
static void move_to_front(bnn_sql *db, int i) {
  bnn_sql_query *q = db->kept[i];
  memmove(db->kept + 1, db->kept, (size_t)i * sizeof *db->kept);
  db->kept[0] = q;
}

/* The kept query of a text, unless it is being used; or NULL. */
static bnn_sql_query *find_kept(bnn_sql *db, const char *text, size_t n) {
  for (int i = 0; i < KEPT && db->kept[i]; i++) {
    bnn_sql_query *q = db->kept[i];
    const char *its = sqlite3_sql(q->statement);
    if (q->is_used || strlen(its) != n || memcmp(its, text, n) != 0) continue;
    move_to_front(db, i);
    return q;
  }
  return NULL;
}

/* Keeps a query, in the place of the one that has not been used for longest. */
static void keep(bnn_sql *db, bnn_sql_query *q) {
  int i = 0;
  while (i < KEPT - 1 && db->kept[i]) i++;
  bnn_sql_query *last = db->kept[i];
  if (last && last->is_used) return;
  if (last) {
    last->is_kept = false;
    bnn_sql_finish(last);
  }
  db->kept[i] = q;
  q->is_kept = true;
  move_to_front(db, i);
}

/* Compiles the first statement of a text; *out is NULL for an empty one. */
static bnn_status compile(bnn_sql_query **out, bnn_sql *db, const char *text, size_t n,
                          size_t *used, bnn_err *err) {
  const char *rest = text;
  bnn_sql_query *q = bnn_mem_zalloc(1, sizeof *q);
  if (!q) return bnn_fail(err, BNN_ENOMEM, "a query");
  q->db = db;
  int code;
  const double began = now_ms();
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

bnn_status bnn_sql_prepare(bnn_sql_query **out, bnn_sql *db, const char *text, size_t n,
                           size_t *used, bnn_err *err) {
  if (db->owner != bnn_forks())
    return bnn_fail(err, BNN_EIO, "the database was opened by another process, before a fork");
  if (n > INT32_MAX) return bnn_fail(err, BNN_ERANGE, "an SQL text of %zu bytes", n);
  bnn_sql_query *q = find_kept(db, text, n);
  *used = n;
  if (!q) BNN_TRY(compile(&q, db, text, n, used, err));
  if (q) q->is_used = true, q->started = false;
  *out = q;
  return BNN_OK;
}

int bnn_sql_parameters(const bnn_sql_query *q) {
  return sqlite3_bind_parameter_count(q->statement);
}

int bnn_sql_value_number(const bnn_sql_query *q, int i) {
  const char *name = sqlite3_bind_parameter_name(q->statement, i);
  if (!name || name[0] != '$') return i;
  int number = 0;
  const char *p = name + 1;
  for (; *p >= '0' && *p <= '9' && number <= SQL_VALUES_MAX; p++) number = 10 * number + *p - '0';
  return *p == '\0' && number >= 1 && number <= SQL_VALUES_MAX ? number : i;
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
  const double began = now_ms();
  int code = sqlite3_step(q->statement);
  while (!q->started && waits_on(q->db, code, began)) {
    sqlite3_reset(q->statement);
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
  q->is_used = false;
  if (q->is_kept) {
    sqlite3_reset(q->statement);
    sqlite3_clear_bindings(q->statement);
    return;
  }
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
int bnn_sql_value_number(const bnn_sql_query *q, int i) { return (void)q, i; }

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
