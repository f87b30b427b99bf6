/* pq_session.h - a connection to a PostgreSQL server that can be waited for with an end to it.
 *
 * Errors: those of sql.h.  After ELOST and ESTOP the connection is gone for good. */
#ifndef BNN_PQ_SESSION_H
#define BNN_PQ_SESSION_H

#include "pq.h"
#include "sql.h"

#ifdef BNN_HAVE_PQ
typedef struct bnn_pq_session bnn_pq_session;

/* *out: ended by bnn_pq_close or bnn_pq_abandon.  EIO: no libpq. */
bnn_status bnn_pq_open(bnn_pq_session **out, const char *url, const bnn_sql_options *options,
                       bnn_err *err);

/* Says farewell to the server. */
void bnn_pq_close(bnn_pq_session *session);

/* In the child of a fork: the server hears nothing of it, and this process no longer keeps the
 * connection open when its parent ends. */
void bnn_pq_abandon(bnn_pq_session *session);

/* ELOST when the connection is known to be gone. */
bnn_status bnn_pq_check(const bnn_pq_session *session, bnn_err *err);

/* Runs a statement with values [n] as texts, NULL for those that are null.  *out: its rows, freed by
 * bnn_pq_load()->clear. */
bnn_status bnn_pq_run(PGresult **out, bnn_pq_session *session, const char *text, int n,
                      const char *const *values, bnn_err *err);

/* As bnn_sql_listen and bnn_sql_notified. */
bnn_status bnn_pq_listen(bnn_pq_session *session, const char *channel, bnn_err *err);
bnn_status bnn_pq_notified(bnn_pq_session *session, bool *come, bnn_err *err);
#endif

#endif
