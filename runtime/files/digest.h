/* digest.h - the SHA-256 of a file's content, which is the payload if it is compressed by gzip.
 *
 * The payload's digest is the same whatever compressed the file.  Optional: without libcrypto
 * (BNN_HAVE_CRYPTO) all functions fail with EIO. */
#ifndef BNN_DIGEST_H
#define BNN_DIGEST_H

#include <stdint.h>

#include "../base/status.h"

enum { BNN_SHA256_TEXT = 64 + 1 };

typedef struct bnn_digest {
  uint64_t bytes;               /* of the payload */
  char sha256[BNN_SHA256_TEXT]; /* lower-case hexadecimal */
} bnn_digest;

/* The library and its version, such as "OpenSSL 3.0.19 27 Jan 2026"; NULL in a build without it. */
const char *bnn_digest_library(void);

/* Reads a file, gzip or plain by content.  EIO: it cannot be read, or there is no libcrypto.
 * EDATA: damaged gzip data, or a payload of more than `most` bytes; no more is decompressed. */
bnn_status bnn_digest_file(bnn_digest *out, const char *path, uint64_t most, bnn_err *err);

/* The digest of a file's bytes as they are, gzip or not. */
bnn_status bnn_digest_raw(bnn_digest *out, const char *path, bnn_err *err);

/* As bnn_digest_file, and EDATA when the payload is not the one of `want`; the text names both. */
bnn_status bnn_digest_check(const bnn_digest *want, const char *path, bnn_err *err);

#endif
