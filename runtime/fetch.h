/* fetch.h - downloading a file whose payload is known by its size and SHA-256.
 *
 * The file is written under a new name, checked (what gzip holds is, see digest.h), synced, and only
 * then counts; the caller renames it to where it belongs by bnn_fetch_publish.  Whatever fails, the
 * file is removed again.  Optional: libcurl is loaded when it is first wanted;
 * without it, or built without its header (BNN_HAVE_CURL), every download fails with EIO.
 *
 * http and https only, also behind redirects, of which five are followed; certificates are checked.
 * libcurl itself reads http_proxy, https_proxy and no_proxy from the environment. */
#ifndef BNN_FETCH_H
#define BNN_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "status.h"

/* Called several times a second, with the bytes so far and those announced (0: none were); false
 * stops the download.  It must return: no longjmp. */
typedef bool bnn_fetch_progress(void *arg, uint64_t got, uint64_t total);

typedef struct bnn_fetch_job {
  const char *url;
  const char *path; /* a file that does not exist yet, in a folder that does; see bnn_fetch_sweep */
  bnn_digest want;
  long connect_ms;     /* until the connection stands, TLS included; 0: 5000 */
  long stall_s;        /* seconds below 1000 bytes/s after which it is given up; 0: 30 */
  const char *ca_file; /* certificates to trust instead of the system's, PEM; NULL: the system's */
  bnn_fetch_progress *progress; /* may be NULL */
  void *arg;
} bnn_fetch_job;

/* The library and its version, such as "libcurl 7.88.1"; NULL when built without or when it is not
 * on this machine. */
const char *bnn_fetch_library(void);

/* Downloads to job->path.  ENET: no answer, another HTTP status than 200, a connection that breaks
 * or stalls.  EDATA: something else came than was wanted.  After these two another mirror may help,
 * after the others not.  EIO: the file can not be written, or no libcurl.  ESTOP: progress said so.
 * ENOMEM. */
bnn_status bnn_fetch(const bnn_fetch_job *job, bnn_err *err);

/* Removes from a folder what downloads that were killed have left there: files with ".part-" in their
 * names that nobody has written to for a day.  A folder that can not be read is left as it is. */
void bnn_fetch_sweep(const char *folder);

/* Renames a file within its folder, replacing what has the name, and syncs the folder.  EIO. */
bnn_status bnn_fetch_publish(const char *from, const char *to, bnn_err *err);

#endif
