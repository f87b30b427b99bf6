/* pq.c - see pq.h. */
#include "pq.h"

#include "sql.h"

#ifdef BNN_HAVE_PQ
#include <pthread.h>
#include <stdio.h>

#include "../kernels/library.h"

static struct {
  bnn_pq functions;
  bool ready;
} lib;

/* "15.20" of 150020, and of 90605, from before there were two numbers, "9.6.5". */
static void write_version(char *out, size_t capacity, int version) {
  if (version >= 100000)
    snprintf(out, capacity, "%d.%d", version / 10000, version % 10000);
  else
    snprintf(out, capacity, "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

/* Once in a process. */
static void load(void) {
#define X(name) {"PQ" #name, &lib.functions.name},
  static const bnn_library_row rows[] = {BNN_PQ_FUNCTIONS(X)};
#undef X
  if (!bnn_library_load("libpq.so.5", rows, sizeof rows / sizeof *rows)) return;
  write_version(lib.functions.version, sizeof lib.functions.version, lib.functions.libVersion());
  lib.ready = true;
}

const bnn_pq *bnn_pq_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return lib.ready ? &lib.functions : NULL;
}

const char *bnn_sql_client_version(void) {
  const bnn_pq *pq = bnn_pq_load();
  return pq ? pq->version : NULL;
}

#else

const char *bnn_sql_client_version(void) { return NULL; }

#endif
