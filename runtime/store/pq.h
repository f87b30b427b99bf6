/* pq.h - PostgreSQL's client library libpq, loaded when it is first needed: it and what it needs would
 * double the time in which a program starts. */
#ifndef BNN_PQ_H
#define BNN_PQ_H

#ifdef BNN_HAVE_PQ
#include <libpq-fe.h>

/* clang-format off */
#define BNN_PQ_FUNCTIONS(X) \
  X(libVersion) \
  X(conninfoParse) X(conninfo) X(conninfoFree) X(freemem) \
  X(connectStartParams) X(connectPoll) X(setNoticeProcessor) X(setErrorVerbosity) \
  X(connectionNeedsPassword) X(finish) \
  X(status) X(transactionStatus) X(errorMessage) X(socket) X(setnonblocking) \
  X(sendQueryParams) X(flush) X(consumeInput) X(isBusy) X(getResult) \
  X(resultStatus) X(resultErrorField) X(clear) \
  X(ntuples) X(nfields) X(fname) X(ftype) X(getisnull) X(getvalue) X(getlength) \
  X(escapeIdentifier) X(notifies)
/* clang-format on */

/* PQfinish is pq->finish, and so on. */
typedef struct bnn_pq {
#define X(name) __typeof__(PQ##name) *name;
  BNN_PQ_FUNCTIONS(X)
#undef X
  char version[16];
} bnn_pq;

/* NULL where it is not installed. */
const bnn_pq *bnn_pq_load(void);
#endif

#endif
