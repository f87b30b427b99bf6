/* fetch.c - libcurl's easy interface around a file that is being saved.
 *
 * libcurl is loaded at the first download rather than linked: it and the thirty libraries behind it
 * would take the start of every program from 6 to 12 ms.
 *
 * Signals: a write to a closed connection or beyond a file size limit must fail rather than kill,
 * so SIGPIPE and SIGXFSZ are blocked in this thread for as long as a download takes. */
#include "fetch.h"

#ifdef BNN_HAVE_CURL
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../kernels/library.h"

enum {
  REDIRECTS = 5,
  CONNECT_MS = 5000,
  STALL_S = 30,
  STALL_BYTES = 1000,  /* a second */
  GZIP_SLACK = 1 << 16 /* what gzip may add to a payload besides a thousandth of it */
};

/* ---- libcurl ---- */

#define CURL_FUNCTIONS(X) \
  X(global_init)          \
  X(version_info)         \
  X(easy_init) X(easy_cleanup) X(easy_setopt) X(easy_perform) X(easy_getinfo) X(easy_strerror)

/* Macros of that header that are in the way of a field of the name. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
#define X(name) __typeof__(curl_##name) *name;
  CURL_FUNCTIONS(X)
#undef X
  bool ready;
  char version[32];
} lib;

/* Once in a process. */
static void load_curl(void) {
#define X(name) {"curl_" #name, &lib.name},
  static const bnn_library_row rows[] = {CURL_FUNCTIONS(X)};
#undef X
  if (!bnn_library_load("libcurl.so.4", rows, sizeof rows / sizeof *rows)) return;
  if (lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return;
  snprintf(lib.version, sizeof lib.version, "libcurl %s",
           lib.version_info(CURLVERSION_NOW)->version);
  lib.ready = true;
}

static bool curl_ready(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load_curl);
  return lib.ready;
}

const char *bnn_fetch_library(void) { return curl_ready() ? lib.version : NULL; }

/* ---- the transfer ---- */

typedef struct transfer {
  const bnn_fetch_job *job;
  bnn_saving *saving;
  uint64_t got, room;
  bnn_status written; /* OK until the file cannot be written; then `fault` says why */
  bnn_err fault;
  bool too_long, stopped;
  char text[CURL_ERROR_SIZE];
} transfer;

/* libcurl's write callback: anything but n ends the transfer. */
static size_t take(char *bytes, size_t one, size_t n, void *arg) {
  (void)one;
  transfer *t = arg;
  t->too_long = n > t->room - t->got;
  if (t->too_long) return 0;
  t->written = bnn_save_write(t->saving, bytes, n, &t->fault);
  if (t->written != BNN_OK) return 0;
  t->got += n;
  return n;
}

/* libcurl's progress callback: not 0 ends the transfer. */
static int report(void *arg, curl_off_t total, curl_off_t got, curl_off_t up_total, curl_off_t up) {
  (void)up_total, (void)up;
  transfer *t = arg;
  if (t->job->progress)
    t->stopped = !t->job->progress(t->job->arg, got > 0 ? (uint64_t)got : 0,
                                   total > 0 ? (uint64_t)total : 0);
  return t->stopped;
}

static CURLcode only_http(CURL *curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
  CURLcode code = lib.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  return code ? code : lib.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
  long both = CURLPROTO_HTTP | CURLPROTO_HTTPS;
  CURLcode code = lib.easy_setopt(curl, CURLOPT_PROTOCOLS, both);
  return code ? code : lib.easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, both);
#endif
}

/* Only options that libcurl may refuse (for want of memory or of a feature) are asked. */
static CURLcode set_up(CURL *curl, transfer *t) {
  const bnn_fetch_job *job = t->job;
  CURLcode code = lib.easy_setopt(curl, CURLOPT_URL, job->url);
  if (!code) code = only_http(curl);
  if (!code) code = lib.easy_setopt(curl, CURLOPT_USERAGENT, "bnnlua");
  if (!code && job->ca_file) code = lib.easy_setopt(curl, CURLOPT_CAINFO, job->ca_file);
  lib.easy_setopt(curl, CURLOPT_ERRORBUFFER, t->text);
  lib.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  lib.easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
  lib.easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  lib.easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  lib.easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  lib.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, job->connect_ms ? job->connect_ms : CONNECT_MS);
  lib.easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
  lib.easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, job->stall_s ? job->stall_s : STALL_S);
  lib.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  lib.easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name server when stopped */
#endif
  lib.easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
  lib.easy_setopt(curl, CURLOPT_WRITEDATA, t);
  lib.easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, report);
  lib.easy_setopt(curl, CURLOPT_XFERINFODATA, t);
  lib.easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  return code;
}

static bnn_status explain(const transfer *t, CURLcode code, long http, bnn_err *err) {
  const char *url = t->job->url;
  if (t->stopped) return bnn_fail(err, BNN_ESTOP, "%s: the download was stopped", url);
  if (t->written != BNN_OK) return bnn_fail(err, t->written, "%s", t->fault.text);
  if (t->too_long)
    return bnn_fail(err, BNN_EDATA, "%s: sends more than %llu bytes for a payload of %llu", url,
                    (unsigned long long)t->room, (unsigned long long)t->job->want.bytes);
  if (code == CURLE_OUT_OF_MEMORY)
    return bnn_fail(err, BNN_ENOMEM, "%s: no memory to download it", url);
  if (code == CURLE_HTTP_RETURNED_ERROR || code == CURLE_OK)
    return bnn_fail(err, BNN_ENET, "%s: expected HTTP status 200, got %ld", url, http);
  return bnn_fail(err, BNN_ENET, "%s: %s", url, *t->text ? t->text : lib.easy_strerror(code));
}

static bnn_status perform(CURL *curl, transfer *t, bnn_err *err) {
  long http = 0;
  CURLcode code = set_up(curl, t);
  if (!code) code = lib.easy_perform(curl);
  lib.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
  return code == CURLE_OK && http == 200 ? BNN_OK : explain(t, code, http, err);
}

/* ---- signals ---- */

static void block_write_signals(sigset_t *before) {
  sigset_t both;
  sigemptyset(&both);
  sigaddset(&both, SIGPIPE);
  sigaddset(&both, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &both, before);
}

/* Drops those of the two that came while they were blocked by us. */
static void restore_write_signals(const sigset_t *before) {
  static const struct timespec at_once = {0};
  static const int number[] = {SIGPIPE, SIGXFSZ};
  for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number[i]);
    if (!sigismember(before, number[i])) sigtimedwait(&one, NULL, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* ---- a file ---- */

static bnn_status download(transfer *t, bnn_err *err) {
  CURL *curl = lib.easy_init();
  if (!curl) return bnn_fail(err, BNN_ENOMEM, "%s: no memory to download it", t->job->url);
  bnn_status status = perform(curl, t, err);
  lib.easy_cleanup(curl);
  return status;
}

/* The check names the temporary file; which mirror it came from matters more. */
static bnn_status check_payload(const bnn_fetch_job *job, const char *path, bnn_err *err) {
  bnn_err fault = {.text = ""};
  bnn_status status = bnn_digest_check(&job->want, path, &fault);
  if (status == BNN_OK) return status;
  return bnn_fail(err, status, "%s: %s", status == BNN_EDATA ? job->url : job->path,
                  bnn_err_reason(&fault, path));
}

static bnn_status fetch_into(transfer *t, bnn_err *err) {
  const char *path = bnn_save_temporary(t->saving);
  if (!path) return bnn_fail(err, BNN_EIO, "%s: is not a regular file", t->job->path);
  BNN_TRY(download(t, err));
  BNN_TRY(bnn_save_sync(t->saving, err));
  return check_payload(t->job, path, err);
}

bnn_status bnn_fetch(bnn_saving **out, const bnn_fetch_job *job, bnn_err *err) {
  transfer t = {.job = job, .room = job->want.bytes + job->want.bytes / 1000 + GZIP_SLACK};
  if (!curl_ready())
    return bnn_fail(err, BNN_EIO, "%s: libcurl.so.4, which downloads, cannot be loaded", job->url);
  if (!bnn_digest_library())
    return bnn_fail(err, BNN_EIO, "%s: this build has no libcrypto to check it with", job->url);
  BNN_TRY(bnn_save_begin(&t.saving, job->path, err));
  sigset_t before;
  block_write_signals(&before);
  bnn_status status = fetch_into(&t, err);
  restore_write_signals(&before);
  if (status == BNN_OK)
    *out = t.saving;
  else
    bnn_save_abort(t.saving);
  return status;
}

#else

const char *bnn_fetch_library(void) { return NULL; }

bnn_status bnn_fetch(bnn_saving **out, const bnn_fetch_job *job, bnn_err *err) {
  (void)out;
  return bnn_fail(err, BNN_EIO,
                  "%s: this build has no libcurl to download with (make deps, then make)",
                  job->url);
}

#endif
