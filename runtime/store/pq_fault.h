/* pq_fault.h - what libpq and a server say went wrong, as a status and one line. */
#ifndef BNN_PQ_FAULT_H
#define BNN_PQ_FAULT_H

#include "pq.h"
#include "sql.h"

#ifdef BNN_HAVE_PQ
/* Fills err with a message of libpq's in one line, without its hints, and returns status. */
bnn_status bnn_pq_fail_line(bnn_err *err, bnn_status status, const char *message);

/* Of a connection that is gone: ELOST. */
bnn_status bnn_pq_fail_lost(const bnn_pq *pq, const PGconn *connection, bnn_err *err);

/* Of a connection that could not be made, with PQERRORS_VERBOSE.  ELOST: another attempt may succeed,
 * as the server was not there, is starting, or has too many connections.  EIO: it has refused us:
 * a user, a database, a password. */
bnn_status bnn_pq_fail_connect(const bnn_pq *pq, const PGconn *connection, bnn_err *err);

/* Whether a result says that bytes of COPY are to come or to go. */
bool bnn_pq_is_copy(const bnn_pq *pq, const PGresult *result);

/* OK for a statement that was done; else what it is that the server refused, by its SQLSTATE. */
bnn_status bnn_pq_judge(const bnn_pq *pq, const PGconn *connection, const PGresult *result,
                        bnn_err *err);
#endif

#endif
