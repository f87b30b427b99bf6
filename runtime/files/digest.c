/* digest.c - SHA-256 by OpenSSL's libcrypto over the stream that gzip.c gives. */
#include "digest.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#ifdef BNN_HAVE_CRYPTO
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "gzip.h"

enum { BLOCK = 1 << 16 };

const char *bnn_digest_library(void) { return OpenSSL_version(OPENSSL_VERSION); }

static bnn_status fail_crypto(const char *name, bnn_err *err) {
  return bnn_fail(err, BNN_ENOMEM, "%s: libcrypto cannot compute its SHA-256", name);
}

/* Feeds everything in `source` to sum; *bytes counts it. */
static bnn_status feed(EVP_MD_CTX *sum, uint64_t *bytes, bnn_gzip *source, uint64_t most,
                       bnn_err *err) {
  unsigned char block[BLOCK];
  size_t got;
  *bytes = 0;
  do {
    BNN_TRY(bnn_gzip_read(source, block, sizeof block, &got, err));
    *bytes += got;
    if (*bytes > most)
      return bnn_fail(err, BNN_EDATA, "%s: expected %llu bytes, got more", bnn_gzip_name(source),
                      (unsigned long long)most);
    if (!EVP_DigestUpdate(sum, block, got)) return fail_crypto(bnn_gzip_name(source), err);
  } while (got == sizeof block);
  return BNN_OK;
}

static void write_hex(char *to, const unsigned char *bytes, size_t n) {
  static const char digit[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    *to++ = digit[bytes[i] >> 4];
    *to++ = digit[bytes[i] & 15];
  }
  *to = '\0';
}

static bnn_status digest_source(bnn_digest *out, EVP_MD_CTX *sum, bnn_gzip *source, uint64_t most,
                                bnn_err *err) {
  bnn_digest d;
  unsigned char value[EVP_MAX_MD_SIZE];
  unsigned n = 0;
  if (!sum || !EVP_DigestInit_ex(sum, EVP_sha256(), NULL))
    return fail_crypto(bnn_gzip_name(source), err);
  BNN_TRY(feed(sum, &d.bytes, source, most, err));
  if (!EVP_DigestFinal_ex(sum, value, &n)) return fail_crypto(bnn_gzip_name(source), err);
  write_hex(d.sha256, value, BNN_SHA256_TEXT / 2);
  *out = d;
  return BNN_OK;
}

bnn_status bnn_digest_file(bnn_digest *out, const char *path, uint64_t most, bnn_err *err) {
  bnn_gzip *source = NULL;
  BNN_TRY(bnn_gzip_open(&source, path, err));
  EVP_MD_CTX *sum = EVP_MD_CTX_new();
  bnn_status status = digest_source(out, sum, source, most, err);
  EVP_MD_CTX_free(sum);
  bnn_gzip_close(source);
  return status;
}

static bnn_status feed_raw(EVP_MD_CTX *sum, uint64_t *bytes, FILE *file, const char *path,
                           bnn_err *err) {
  unsigned char block[BLOCK];
  *bytes = 0;
  for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0; *bytes += got)
    if (!EVP_DigestUpdate(sum, block, got)) return fail_crypto(path, err);
  return ferror(file) ? bnn_fail(err, BNN_EIO, "%s: %s", path, strerror(errno)) : BNN_OK;
}

static bnn_status digest_raw(bnn_digest *out, EVP_MD_CTX *sum, FILE *file, const char *path,
                             bnn_err *err) {
  bnn_digest d;
  unsigned char value[EVP_MAX_MD_SIZE];
  if (!sum || !EVP_DigestInit_ex(sum, EVP_sha256(), NULL)) return fail_crypto(path, err);
  BNN_TRY(feed_raw(sum, &d.bytes, file, path, err));
  if (!EVP_DigestFinal_ex(sum, value, NULL)) return fail_crypto(path, err);
  write_hex(d.sha256, value, BNN_SHA256_TEXT / 2);
  *out = d;
  return BNN_OK;
}

bnn_status bnn_digest_raw(bnn_digest *out, const char *path, bnn_err *err) {
  FILE *file = fopen(path, "rbe");
  if (!file) return bnn_fail(err, BNN_EIO, "%s: %s", path, strerror(errno));
  EVP_MD_CTX *sum = EVP_MD_CTX_new();
  bnn_status status = digest_raw(out, sum, file, path, err);
  EVP_MD_CTX_free(sum);
  fclose(file);
  return status;
}

#else

const char *bnn_digest_library(void) { return NULL; }

bnn_status bnn_digest_file(bnn_digest *out, const char *path, uint64_t most, bnn_err *err) {
  (void)out, (void)most;
  return bnn_fail(err, BNN_EIO,
                  "%s: this build has no libcrypto, which computes SHA-256 (make deps, then make)",
                  path);
}

bnn_status bnn_digest_raw(bnn_digest *out, const char *path, bnn_err *err) {
  return bnn_digest_file(out, path, 0, err);
}

#endif

bnn_status bnn_digest_check(const bnn_digest *want, const char *path, bnn_err *err) {
  bnn_digest found;
  BNN_TRY(bnn_digest_file(&found, path, want->bytes, err));
  if (found.bytes != want->bytes)
    return bnn_fail(err, BNN_EDATA, "%s: expected %llu bytes, got %llu", path,
                    (unsigned long long)want->bytes, (unsigned long long)found.bytes);
  if (strcasecmp(found.sha256, want->sha256) != 0)
    return bnn_fail(err, BNN_EDATA, "%s: expected a payload of SHA-256 %s, got %s", path,
                    want->sha256, found.sha256);
  return BNN_OK;
}
