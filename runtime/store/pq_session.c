/* pq_session.c - see pq_session.h.
 *
 * libpq's functions that do not wait are called between waits for its socket, in ticks: a signal that
 * comes just before a wait is seen after one.  An interrupt leaves a statement a second for its
 * answer, so that who has to write down the end of a run finds the connection as it was.
 *
 * Read only is each transaction by itself, one around each statement outside of any: a setting of the
 * session would reach others through a pooler, which hands sessions on.  For the same reason no
 * statement is prepared under a name. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dup3 */
#endif
#include "pq_session.h"

#ifdef BNN_HAVE_PQ
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../base/mem.h"
#include "pq_fault.h"
#include "sql_store.h"

enum { TICK_MS = 100, LEAST_WAIT_MS = 1000, INTERRUPTED_MS = 1000 };

struct bnn_pq_session {
  const bnn_pq *pq;
  PGconn *connection; /* NULL: lost */
  bool may_write;
  double wait_ms;
  int (*stopped)(void);
};

/* ---- waiting ---- */

/* A wait for the server. */
typedef struct wait {
  double ms;             /* without a sign of the server */
  double end;            /* by bnn_sql_clock_ms */
  double interrupted_ms; /* how long it may take when it was interrupted */
  bool is_interrupted;
} wait;

static wait wait_from_now(double ms, double interrupted_ms) {
  return (wait){.ms = ms, .end = bnn_sql_clock_ms() + ms, .interrupted_ms = interrupted_ms};
}

static void forget(bnn_pq_session *s) {
  s->pq->finish(s->connection);
  s->connection = NULL;
}

/* Gives up a connection that is no more. */
static bnn_status lose(bnn_pq_session *s, bnn_err *err) {
  bnn_status status = bnn_pq_fail_lost(s->pq, s->connection, err);
  forget(s);
  return status;
}

static bnn_status give_up(bnn_pq_session *s, const wait *w, bnn_err *err) {
  forget(s);
  if (w->is_interrupted) return bnn_fail(err, BNN_ESTOP, "interrupted");
  return bnn_fail(err, BNN_ELOST, "the server has not answered for %g s", w->ms / 1000);
}

/* Until the socket is ready for one of the events, or closed. */
static bnn_status wait_for(bnn_pq_session *s, short events, wait *w, bnn_err *err) {
  for (;;) {
    const double now = bnn_sql_clock_ms(), left = w->end - now;
    struct pollfd fd = {.fd = s->pq->socket(s->connection), .events = events};
    const int ready = poll(&fd, 1, left < TICK_MS ? (left > 0 ? (int)left + 1 : 0) : TICK_MS);
    if (ready > 0) return BNN_OK;
    if (ready < 0 && errno != EINTR) return lose(s, err);
    if (!w->is_interrupted && s->stopped && s->stopped()) {
      w->is_interrupted = true;
      if (w->end > now + w->interrupted_ms) w->end = now + w->interrupted_ms;
    }
    if (bnn_sql_clock_ms() >= w->end) return give_up(s, w, err);
  }
}

/* ---- connecting ---- */

static void ignore_notice(void *arg, const char *message) { (void)arg, (void)message; }

/* What libpq finds wrong with a URL before it connects. */
static bnn_status check_url(const bnn_pq *pq, const char *url, bnn_err *err) {
  char *fault = NULL;
  PQconninfoOption *parts = pq->conninfoParse(url, &fault);
  if (parts) {
    pq->conninfoFree(parts);
    return BNN_OK;
  }
  bnn_status status =
      fault ? bnn_pq_fail_line(err, BNN_EIO, fault) : bnn_fail(err, BNN_ENOMEM, "a URL");
  pq->freemem(fault);
  return status;
}

/* What the user gives in the URL or the environment counts more than what stands before it here. */
static PGconn *start(const bnn_pq *pq, const char *url) {
  static const char *const name[] = {
      "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
      "tcp_user_timeout",          "dbname",          "client_encoding",     NULL};
  const char *const value[] = {"bnnlua", "30", "10", "3", "30000", url, "UTF8", NULL};
  return pq->connectStartParams(name, value, 1);
}

/* How long connecting may take: the user's connect_timeout, in the URL or the environment, if it is
 * shorter than the session's. */
static double connect_ms(const bnn_pq_session *s) {
  double shortest = s->wait_ms;
  PQconninfoOption *all = s->pq->conninfo(s->connection);
  for (PQconninfoOption *o = all; o && o->keyword; o++) {
    if (strcmp(o->keyword, "connect_timeout") != 0 || !o->val) continue;
    const double ms = 1000.0 * (double)strtol(o->val, NULL, 10);
    if (ms > 0 && ms < shortest) shortest = ms;
  }
  s->pq->conninfoFree(all);
  return shortest;
}

/* From its start until the server has let us in. */
static bnn_status connect_session(bnn_pq_session *s, bnn_err *err) {
  PostgresPollingStatusType next =
      s->pq->status(s->connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  wait w = wait_from_now(connect_ms(s), 0);
  s->pq->setNoticeProcessor(s->connection, ignore_notice, NULL);
  s->pq->setErrorVerbosity(s->connection, PQERRORS_VERBOSE); /* the only way to its SQLSTATE */
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) return bnn_pq_fail_connect(s->pq, s->connection, err);
    BNN_TRY(wait_for(s, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, &w, err));
    next = s->pq->connectPoll(s->connection);
  }
  s->pq->setErrorVerbosity(s->connection, PQERRORS_DEFAULT);
  if (s->pq->setnonblocking(s->connection, 1) != 0) return lose(s, err);
  return BNN_OK;
}

/* ---- closing ---- */

void bnn_pq_close(bnn_pq_session *s) {
  if (s->connection) forget(s);
  bnn_mem_free(s);
}

/* libpq's farewell goes to /dev/null, which no server reads. */
void bnn_pq_abandon(bnn_pq_session *s) {
  const int fd = s->connection ? s->pq->socket(s->connection) : -1;
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (fd >= 0 && null >= 0 && dup3(null, fd, O_CLOEXEC) == fd)
    forget(s);
  else if (fd >= 0)
    close(fd); /* and the memory stays */
  if (null >= 0) close(null);
  bnn_mem_free(s);
}

bnn_status bnn_pq_check(const bnn_pq_session *s, bnn_err *err) {
  if (s->connection) return BNN_OK;
  return bnn_fail(err, BNN_ELOST, "the connection to the server was lost");
}

/* ---- statements ---- */

static bnn_status send_all(bnn_pq_session *s, wait *w, bnn_err *err) {
  for (;;) {
    const int left = s->pq->flush(s->connection);
    if (left == 0) return BNN_OK;
    if (left < 0) return lose(s, err);
    BNN_TRY(wait_for(s, POLLIN | POLLOUT, w, err));
    if (!s->pq->consumeInput(s->connection)) return lose(s, err);
  }
}

/* Until the next result, or the end of them, is there. */
static bnn_status receive(bnn_pq_session *s, wait *w, bnn_err *err) {
  while (s->pq->isBusy(s->connection)) {
    BNN_TRY(wait_for(s, POLLIN, w, err));
    if (!s->pq->consumeInput(s->connection)) return lose(s, err);
    if (!w->is_interrupted) w->end = bnn_sql_clock_ms() + w->ms;
  }
  return BNN_OK;
}

/* The result of the statement that was sent, a fault's among them; *out is NULL on failure. */
static bnn_status gather(PGresult **out, bnn_pq_session *s, wait *w, bnn_err *err) {
  bnn_status status = receive(s, w, err);
  PGresult *next;
  while (status == BNN_OK && (next = s->pq->getResult(s->connection))) {
    s->pq->clear(*out);
    *out = next;
    if (bnn_pq_is_copy(s->pq, next)) {
      forget(s); /* which is waiting for what we would copy */
      status = bnn_fail(err, BNN_EDATA, "expected a statement, got COPY from or to the client");
    } else {
      status = receive(s, w, err);
    }
  }
  if (status == BNN_OK && !*out) status = lose(s, err);
  if (status == BNN_OK) return status;
  s->pq->clear(*out);
  *out = NULL;
  return status;
}

static bnn_status run(PGresult **out, bnn_pq_session *s, const char *text, int n,
                      const char *const *values, bnn_err *err) {
  wait w = wait_from_now(s->wait_ms, INTERRUPTED_MS);
  PGresult *result = NULL;
  BNN_TRY(bnn_pq_check(s, err));
  if (!s->pq->sendQueryParams(s->connection, text, n, NULL, values, NULL, NULL, 0))
    return lose(s, err);
  BNN_TRY(send_all(s, &w, err));
  BNN_TRY(gather(&result, s, &w, err));
  bnn_status status = bnn_pq_judge(s->pq, s->connection, result, err);
  if (status == BNN_OK) {
    *out = result;
    return BNN_OK;
  }
  s->pq->clear(result);
  if (status == BNN_ELOST) forget(s);
  return status;
}

static bnn_status run_alone(bnn_pq_session *s, const char *text, bnn_err *err) {
  PGresult *result = NULL;
  BNN_TRY(run(&result, s, text, 0, NULL, err));
  s->pq->clear(result);
  return BNN_OK;
}

/* Whether a statement begins a transaction, for all that its own parser would say. */
static bool begins(const char *text) {
  text += strspn(text, " \t\r\n\f");
  return strncasecmp(text, "begin", 5) == 0 || strncasecmp(text, "start", 5) == 0;
}

/* Outside of a transaction. */
static bnn_status run_read_only(PGresult **out, bnn_pq_session *s, const char *text, int n,
                                const char *const *values, bnn_err *err) {
  if (begins(text)) {
    BNN_TRY(run(out, s, text, n, values, err));
    bnn_status status = run_alone(s, "SET TRANSACTION READ ONLY", err);
    if (status != BNN_OK) s->pq->clear(*out), *out = NULL;
    return status;
  }
  BNN_TRY(run_alone(s, "BEGIN READ ONLY", err));
  bnn_status status = run(out, s, text, n, values, err);
  bnn_status ended = s->connection ? run_alone(s, "COMMIT", status == BNN_OK ? err : NULL) : BNN_OK;
  if (status != BNN_OK || ended == BNN_OK) return status;
  s->pq->clear(*out);
  *out = NULL;
  return ended;
}

bnn_status bnn_pq_run(PGresult **out, bnn_pq_session *s, const char *text, int n,
                      const char *const *values, bnn_err *err) {
  BNN_TRY(bnn_pq_check(s, err));
  const bool is_alone = s->pq->transactionStatus(s->connection) == PQTRANS_IDLE;
  return (s->may_write || !is_alone ? run : run_read_only)(out, s, text, n, values, err);
}

/* ---- opening ---- */

/* Has the server end the session, and so free its locks, of a client that was killed within a
 * statement, or whose machine is gone or hangs within a transaction.  By default it would notice when
 * it next sends something, or after two hours.  What a server of another age or system lacks is left
 * out; through a pooler it may reach others, whom it does not hurt. */
static bnn_status limit_locks(bnn_pq_session *s, bnn_err *err) {
  static const char settings[] =
      "SELECT set_config(name, value, false) FROM (VALUES "
      "('client_connection_check_interval', '2s'), "
      "('idle_in_transaction_session_timeout', '60s'), ('tcp_keepalives_idle', '30'), "
      "('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3')) AS wanted (name, value) "
      "WHERE current_setting(name, true) IS NOT NULL";
  bnn_status status = run_alone(s, settings, err);
  return status == BNN_EDATA ? BNN_OK : status;
}

bnn_status bnn_pq_open(bnn_pq_session **out, const char *url, const bnn_sql_options *options,
                       bnn_err *err) {
  const bnn_pq *pq = bnn_pq_load();
  if (!pq) return bnn_fail(err, BNN_EIO, "libpq.so.5 cannot be loaded (Debian's package libpq5)");
  BNN_TRY(check_url(pq, url, err));
  bnn_pq_session *s = bnn_mem_zalloc(1, sizeof *s);
  if (!s) return bnn_fail(err, BNN_ENOMEM, "a connection");
  s->pq = pq;
  s->may_write = options->may_write;
  s->wait_ms = options->wait_ms < LEAST_WAIT_MS ? LEAST_WAIT_MS : options->wait_ms;
  s->stopped = options->stopped;
  s->connection = start(pq, url);
  bnn_status status =
      s->connection ? connect_session(s, err) : bnn_fail(err, BNN_ENOMEM, "a connection");
  if (status == BNN_OK && options->may_write) status = limit_locks(s, err);
  if (status == BNN_OK)
    *out = s;
  else
    bnn_pq_close(s);
  return status;
}

/* ---- notifications ---- */

bnn_status bnn_pq_listen(bnn_pq_session *s, const char *channel, bnn_err *err) {
  BNN_TRY(bnn_pq_check(s, err));
  char *name = s->pq->escapeIdentifier(s->connection, channel, strlen(channel));
  if (!name) return bnn_pq_fail_line(err, BNN_EDATA, s->pq->errorMessage(s->connection));
  const size_t room = strlen(name) + sizeof "LISTEN ";
  char *text = bnn_mem_alloc(room, 1);
  if (text) {
    memcpy(text, "LISTEN ", sizeof "LISTEN ");
    memcpy(text + strlen(text), name, strlen(name) + 1);
  }
  s->pq->freemem(name);
  bnn_status status =
      text ? run_alone(s, text, err) : bnn_fail(err, BNN_ENOMEM, "the name of a channel");
  bnn_mem_free(text);
  return status;
}

bnn_status bnn_pq_notified(bnn_pq_session *s, bool *come, bnn_err *err) {
  BNN_TRY(bnn_pq_check(s, err));
  if (!s->pq->consumeInput(s->connection)) return lose(s, err);
  *come = false;
  for (PGnotify *one; (one = s->pq->notifies(s->connection)); *come = true) s->pq->freemem(one);
  return BNN_OK;
}

#endif
