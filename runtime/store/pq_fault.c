/* pq_fault.c - see pq_fault.h.
 *
 * SQLSTATE is the code of five characters by which servers of any language name a fault (manual of
 * PostgreSQL, appendix A); its first two are the class. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem */
#endif
#include "pq_fault.h"

#ifdef BNN_HAVE_PQ
#include <string.h>

enum { STATE = 5, LINE = 320 };

/* ---- one line ---- */

/* The line at p, of n characters, says in which line of the server's source a fault arose. */
static bool is_location(const char *p, size_t n) {
  while (n > 0 && p[n - 1] >= '0' && p[n - 1] <= '9') n--;
  return n > 3 && memcmp(p + n - 3, ".c:", 3) == 0;
}

/* The lines of a message, with "; " between them and each once, as attempts with TLS and without fail
 * alike; those that begin with a tab are hints. */
bnn_status bnn_pq_fail_line(bnn_err *err, bnn_status status, const char *message) {
  char line[LINE];
  size_t n = 0;
  for (const char *p = message; *p;) {
    size_t length = strcspn(p, "\n");
    const bool is_new = length > 0 && !memmem(line, n, p, length);
    if (is_new && *p != '\t' && !is_location(p, length)) {
      if (n > 0 && n + 2 < LINE) line[n++] = ';', line[n++] = ' ';
      const size_t part = length < LINE - 1 - n ? length : LINE - 1 - n;
      memcpy(line + n, p, part);
      n += part;
    }
    p += length + (p[length] == '\n');
  }
  line[n] = '\0';
  return bnn_fail(err, status, "%s", line);
}

bnn_status bnn_pq_fail_lost(const bnn_pq *pq, const PGconn *connection, bnn_err *err) {
  return bnn_pq_fail_line(err, BNN_ELOST, pq->errorMessage(connection));
}

/* ---- SQLSTATE ---- */

static bool is_state(const char *p) {
  for (int i = 0; i < STATE; i++)
    if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'A' && p[i] <= 'Z'))) return false;
  return strncmp(p + STATE, ": ", 2) == 0;
}

/* The first one in a verbose message, "FATAL:  3D000: ..."; NULL: none. */
static const char *find_state(const char *message) {
  for (const char *p = message; (p = strstr(p, ":  ")); p++)
    if (is_state(p + 3)) return p + 3;
  return NULL;
}

static bool is_any(const char *state, const char *const *beginnings) {
  for (; *beginnings; beginnings++)
    if (strncmp(state, *beginnings, strlen(*beginnings)) == 0) return true;
  return false;
}

/* ---- connections ---- */

/* Whether what libpq says without a server's word for it stays so: a password that it lacks, a setting.
 * Its messages are English in this program's locale. */
static bool is_settled(const bnn_pq *pq, const PGconn *connection) {
  static const char *const settings[] = {"invalid ", "definition of service", "service file", NULL};
  return pq->connectionNeedsPassword(connection) || is_any(pq->errorMessage(connection), settings);
}

bnn_status bnn_pq_fail_connect(const bnn_pq *pq, const PGconn *connection, bnn_err *err) {
  /* Connection exceptions, too few resources, a server that is starting or shutting down. */
  static const char *const passing[] = {"08000", "08003", "08006", "53", "57P", NULL};
  const char *message = pq->errorMessage(connection), *state = find_state(message);
  bnn_err whole;
  bnn_status status = BNN_ELOST;
  if (state ? !is_any(state, passing) : is_settled(pq, connection)) status = BNN_EIO;
  bnn_pq_fail_line(&whole, status, message);
  for (char *at; (at = (char *)find_state(whole.text));) /* "FATAL:  3D000: x" -> "FATAL: x" */
    memmove(at - 1, at + STATE + 2, strlen(at + STATE + 2) + 1);
  return bnn_fail(err, status, "%s", whole.text);
}

/* ---- statements ---- */

bool bnn_pq_is_copy(const bnn_pq *pq, const PGresult *result) {
  const ExecStatusType status = pq->resultStatus(result);
  return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static bnn_status status_of(const char *state) {
  /* A server that ends; serialization, deadlock, lock, statement cancelled; resources, system. */
  static const char *const lost[] = {"08", "57P", NULL};
  static const char *const busy[] = {"40001", "40P01", "55P03", "57014", NULL};
  static const char *const system[] = {"53", "58", "F0", "XX", NULL};
  if (is_any(state, lost)) return BNN_ELOST;
  if (is_any(state, busy)) return BNN_EBUSY;
  return is_any(state, system) ? BNN_EIO : BNN_EDATA;
}

bnn_status bnn_pq_judge(const bnn_pq *pq, const PGconn *connection, const PGresult *result,
                        bnn_err *err) {
  const ExecStatusType status = pq->resultStatus(result);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY)
    return BNN_OK;
  if (pq->status(connection) == CONNECTION_BAD) return bnn_pq_fail_lost(pq, connection, err);
  const char *state = pq->resultErrorField(result, PG_DIAG_SQLSTATE);
  const char *message = pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (!state || !message) return bnn_fail(err, BNN_ENOMEM, "the rows of a statement");
  return bnn_pq_fail_line(err, status_of(state), message);
}

#endif
