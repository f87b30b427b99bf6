/* fetch.h - downloading a file whose payload is known by its size and SHA-256.
 *
 * The file is written beside its place (save.h), checked (what gzip holds is, see digest.h) and
 * synced; the caller commits it.  Optional: libcurl is loaded on first use; without it, or
 * built without its header (BNN_HAVE_CURL), every download fails with EIO.
 *
 * http and https only, also after redirects, of which five are followed; certificates are checked.
 * libcurl itself reads http_proxy, https_proxy and no_proxy from the environment. */
#ifndef BNN_FETCH_H
#define BNN_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/status.h"
#include "digest.h"
#include "save.h"

/* Called several times a second, with the bytes so far and those announced (0: none were); false
 * stops the download.  It must return: no longjmp. */
typedef bool bnn_fetch_progress(void *arg, uint64_t got, uint64_t total);

typedef struct bnn_fetch_job {
  const char *url;
  const char *path; /* where the file belongs, in a folder that exists */
  bnn_digest want;
  long connect_ms;     /* timeout of connecting, TLS included; 0: 5000 */
  long stall_s;        /* seconds below 1000 bytes/s after which the download fails; 0: 30 */
  const char *ca_file; /* certificates to trust instead of the system's, PEM; NULL: the system's */
  bnn_fetch_progress *progress; /* may be NULL */
  void *arg;
} bnn_fetch_job;

/* The library and its version, such as "libcurl 7.88.1"; NULL when built without or when it is not
 * on this machine. */
const char *bnn_fetch_library(void);

/* Downloads the file for job->path.  *out: ended by bnn_save_commit or bnn_save_abort.  ENET: no
 * answer, another HTTP status than 200, a connection that breaks or stalls.  EDATA: something else
 * came than was expected.  Another mirror may help after these two, but not after the others.
 * EIO: the file cannot be written, or no libcurl.  ESTOP: progress said so.  ENOMEM. */
bnn_status bnn_fetch(bnn_saving **out, const bnn_fetch_job *job, bnn_err *err);

#endif
