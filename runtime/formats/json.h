/* json.h - the one door to JSON: read and written value by value, never as a tree.
 *
 * jansson decodes and encodes texts and numbers; the brackets and commas between them are read
 * here, so that memory does not depend on how many values there are.  (In jansson's tree an array
 * of two bytes is some hundred.)  A reader takes a block of constant size and room for the longest
 * text: at most the size of what it reads and 20 kB.  Time is linear.
 *
 * jansson 2.14 does not survive an allocation that fails: the byte that its lexer could not keep
 * is lost, and what follows is a wrong verdict or a read past the input's end.  So it works in a
 * block that exists before it is called and never sees NULL.  A process has one allocator for
 * jansson: ours is put in front of the one that is set, on the first call here, and passes
 * everything on to it unless jansson was called from here.  A program that links this library and
 * sets an allocator of its own is best to do so before its threads start, as jansson asks too.
 *
 * In a build without jansson, version is NULL and all functions that return a status fail with EIO.
 *
 * Errors: EDATA: "<what> at byte 7: ...", bytes counted from 0.  ENOMEM. */
#ifndef BNN_JSON_H
#define BNN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"
#include "../files/bytes.h"

enum { BNN_JSON_DEPTH = 200 }; /* containers inside each other, at most */

typedef enum bnn_json_kind {
  BNN_JSON_OBJECT,
  BNN_JSON_ARRAY,
  BNN_JSON_TEXT,
  BNN_JSON_INTEGER, /* fits int64_t; others are refused */
  BNN_JSON_REAL,    /* finite */
  BNN_JSON_TRUE,
  BNN_JSON_FALSE,
  BNN_JSON_NULL
} bnn_json_kind;

typedef struct bnn_json_value {
  bnn_json_kind kind;
  int64_t integer;
  double real;
  const char *text; /* [length] of UTF-8 and a zero byte; stands until the reader is called again */
  size_t length;
} bnn_json_value;

typedef struct bnn_json bnn_json;

/* A reader of n bytes, which must outlive it, as `what` must: the words that errors begin with, such
 * as "the header is no JSON".  *out: closed by bnn_json_close. */
bnn_status bnn_json_open(bnn_json **out, const char *text, size_t n, const char *what,
                         bnn_err *err);

/* NULL is allowed. */
void bnn_json_close(bnn_json *reader);

/* The next value.  An object or array is entered: bnn_json_next follows, until it says that there
 * is no more. */
bnn_status bnn_json_read(bnn_json *reader, bnn_json_value *value, bnn_err *err);

/* Whether another value follows in the container that was entered last; if not, it is left.  In an
 * object, *key (not NULL) is the text before the value, without a zero byte in it.  Whether keys
 * come twice is for the caller to see. */
bnn_status bnn_json_next(bnn_json *reader, bool *more, bnn_json_value *key, bnn_err *err);

/* Passes over the next value, whatever it is. */
bnn_status bnn_json_skip(bnn_json *reader, bnn_err *err);

/* That nothing but blanks is left. */
bnn_status bnn_json_end(bnn_json *reader, bnn_err *err);

/* What stands in errors for a kind: "an object", "a fraction". */
const char *bnn_json_kind_name(bnn_json_kind kind);

/* ---- writing: each adds a value at the end of *out ---- */

/* ERANGE: the text is not UTF-8; *out holds a part of it then. */
bnn_status bnn_json_put_text(bnn_bytes *out, const char *text, size_t n, bnn_err *err);
bnn_status bnn_json_put_integer(bnn_bytes *out, int64_t v, bnn_err *err);

/* In 17 digits, which give v back; with a point or an exponent.  ERANGE: v is not finite. */
bnn_status bnn_json_put_real(bnn_bytes *out, double v, bnn_err *err);

/* jansson's version; NULL in a build without it. */
const char *bnn_json_version(void);

#endif
