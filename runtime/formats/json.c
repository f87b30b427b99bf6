/* json.c - reading and writing JSON; its texts and numbers through jansson.
 *
 * What is plain (a text of ASCII without escapes, an integer from 0) is read here.  For the rest
 * jansson is given one number or literal, or up to PIECE bytes of a text in quotes, at a time, and
 * works in a block that is large enough for that.  Should it ever ask for more than the block has
 * left, longjmp leaves it: all that it made lies in the block, so nothing is lost. */
#include "json.h"

#include <string.h>

#include "../base/c_locale.h"
#include "../base/mem.h"

static const char *const kind_names[] = {
    [BNN_JSON_OBJECT] = "an object",   [BNN_JSON_ARRAY] = "an array",  [BNN_JSON_TEXT] = "a string",
    [BNN_JSON_INTEGER] = "an integer", [BNN_JSON_REAL] = "a fraction", [BNN_JSON_TRUE] = "true",
    [BNN_JSON_FALSE] = "false",        [BNN_JSON_NULL] = "null",
};

const char *bnn_json_kind_name(bnn_json_kind kind) { return kind_names[kind]; }

#ifdef BNN_HAVE_JANSSON
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>

enum {
  PIECE = 1024,   /* bytes of a text that jansson sees at once, */
  UNIT = 12,      /* of which an escape takes 6 and a surrogate pair 12 */
  BLOCK = 16384,  /* jansson takes 10,000 for them: a buffer that doubles, and two copies */
  NUMBER = PIECE, /* characters of a number */
};

const char *bnn_json_version(void) { return JANSSON_VERSION; }

/* ---- jansson's memory ---- */

typedef struct block {
  jmp_buf full; /* where to when it is */
  size_t n;     /* bytes handed out */
  _Alignas(max_align_t) unsigned char bytes[BLOCK];
} block;

/* The block that jansson works in on this thread; NULL when it was not called from here.  Global,
 * as jansson's allocator is. */
static _Thread_local block *working;

static json_malloc_t malloc_outside;
static json_free_t free_outside;

static void *take_memory(size_t n) {
  enum { ALIGN = _Alignof(max_align_t) };
  block *b = working;
  if (!b) return malloc_outside(n);
  if (n > BLOCK || (n = (n + ALIGN - 1) / ALIGN * ALIGN) > BLOCK - b->n) longjmp(b->full, 1);
  b->n += n;
  return b->bytes + b->n - n;
}

/* What lies in the block goes with it. */
static void give_memory(void *p) {
  if (!working) free_outside(p);
}

/* Puts our functions in front of those that jansson has. */
static void install(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  json_malloc_t m;
  json_free_t f;
  pthread_mutex_lock(&lock);
  json_get_alloc_funcs(&m, &f);
  if (m != take_memory) {
    malloc_outside = m;
    free_outside = f;
    json_set_alloc_funcs(take_memory, give_memory);
  }
  pthread_mutex_unlock(&lock);
}

static bnn_status fail_block(bnn_err *err) {
  return bnn_fail(err, BNN_ENOMEM, "jansson takes more than %d bytes for one value", BLOCK);
}

/* ---- what jansson does in the block: false when that is too small ---- */

static bool load(block *b, json_t **v, const char *p, size_t n, json_error_t *fault) {
  locale_t before = bnn_locale_enter(); /* jansson asserts that a decimal point is one byte */
  if (setjmp(b->full)) {
    working = NULL;
    bnn_locale_leave(before);
    return false;
  }
  b->n = 0;
  working = b;
  *v = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, fault);
  working = NULL;
  bnn_locale_leave(before);
  return true;
}

typedef struct scalar {
  bnn_json_kind kind;
  const char *text;
  size_t n;
  int64_t integer;
  double real;
} scalar;

static json_t *make(const scalar *s) {
  switch (s->kind) {
  case BNN_JSON_TEXT: return json_stringn(s->text, s->n);
  case BNN_JSON_INTEGER: return json_integer(s->integer);
  default: return json_real(s->real);
  }
}

/* Prints s at `to` [room]; *n is 0 when jansson refuses it. */
static bool dump(block *b, char *to, size_t room, size_t *n, const scalar *s) {
  locale_t before = bnn_locale_enter();
  if (setjmp(b->full)) {
    working = NULL;
    bnn_locale_leave(before);
    return false;
  }
  b->n = 0;
  working = b;
  json_t *v = make(s);
  *n = v ? json_dumpb(v, to, room, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : 0;
  working = NULL;
  bnn_locale_leave(before);
  return true;
}

/* ---- reading ---- */

struct bnn_json {
  const char *text, *what;
  size_t n, at;
  int depth;
  char open[BNN_JSON_DEPTH]; /* [depth] the brackets that are open */
  bool fresh;                /* the last of them has had no value yet */
  unsigned char *decoded;    /* [room] the last text */
  size_t room;
  char piece[PIECE + UNIT + 2];
  block block;
};

bnn_status bnn_json_open(bnn_json **out, const char *text, size_t n, const char *what,
                         bnn_err *err) {
  bnn_json *r = bnn_mem_alloc(1, sizeof *r);
  if (!r) return bnn_fail(err, BNN_ENOMEM, "no memory to read JSON");
  r->text = text;
  r->what = what;
  r->n = n;
  r->at = 0;
  r->depth = 0;
  r->fresh = false;
  r->decoded = NULL;
  r->room = 0;
  install();
  *out = r;
  return BNN_OK;
}

void bnn_json_close(bnn_json *r) {
  if (!r) return;
  bnn_mem_free(r->decoded);
  bnn_mem_free(r);
}

static bnn_status fail_at(const bnn_json *r, size_t at, const char *what, bnn_err *err) {
  return bnn_fail(err, BNN_EDATA, "%s at byte %zu: %s", r->what, at,
                  bnn_excerpt_of(what, strlen(what)).s);
}

static bnn_status fail_here(const bnn_json *r, const char *wanted, bnn_err *err) {
  if (r->at == r->n)
    return bnn_fail(err, BNN_EDATA, "%s at byte %zu: it ends where %s is expected", r->what, r->at,
                    wanted);
  return bnn_fail(err, BNN_EDATA, "%s at byte %zu: expected %s, found '%s'", r->what, r->at, wanted,
                  bnn_excerpt_of(r->text + r->at, 1).s);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* The byte after blanks; 0 at the end. */
static char peek(bnn_json *r) {
  while (r->at < r->n && is_blank(r->text[r->at])) r->at++;
  return r->at < r->n ? r->text[r->at] : 0;
}

/* Gives jansson p [n], which stands at byte `at` of the text. */
static bnn_status decode(bnn_json *r, json_t **v, const char *p, size_t n, size_t at,
                         bnn_err *err) {
  json_error_t fault;
  if (!load(&r->block, v, p, n, &fault)) return fail_block(err);
  if (!*v)
    return fail_at(r, at + (fault.position > 0 ? (size_t)fault.position : 0), fault.text, err);
  return BNN_OK;
}

/* ---- texts ---- */

static bool is_surrogate(const char *p, const char *end, char low, char high) {
  if (end - p < 4 || p[0] != '\\' || p[1] != 'u' || (p[2] != 'd' && p[2] != 'D')) return false;
  char digit = p[3] >= 'a' ? (char)(p[3] - 'a' + 'A') : p[3];
  return digit >= low && digit <= high;
}

/* Bytes at p that must not be torn apart: an escape, a pair of surrogates, a character. */
static size_t unit_at(const char *p, const char *end) {
  size_t n = 1, most = (size_t)(end - p);
  if (*p == '\\') n = most > 1 && p[1] == 'u' ? 6 : 2;
  if (n == 6 && is_surrogate(p, end, '8', 'B') && is_surrogate(p + 6, end, 'C', 'F')) n = 12;
  if ((unsigned char)*p >= 0xc0)
    while (n < 4 && n < most && ((unsigned char)p[n] & 0xc0) == 0x80) n++;
  return n < most ? n : most;
}

/* Whole units from p on, PIECE bytes or a few more. */
static size_t piece_at(const char *p, const char *end) {
  const char *to = p;
  while (to < end && to - p < PIECE) to += unit_at(to, end);
  return (size_t)(to - p);
}

/* Room for n bytes and a zero. */
static bnn_status make_room(bnn_json *r, size_t n, bnn_err *err) {
  if (n < r->room) return BNN_OK;
  bnn_mem_free(r->decoded);
  r->room = n < 256 ? 256 : n + 1;
  r->decoded = bnn_mem_alloc(r->room, 1);
  if (r->decoded) return BNN_OK;
  r->room = 0;
  return bnn_fail(err, BNN_ENOMEM, "a text of %zu bytes", n);
}

/* Whether c stands for itself, in a text that is read and in one that is written. */
static bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

/* The end of a text whose first quote is at p: its last quote, or `end`. */
static const char *end_of_text(const char *p, const char *end, bool *plain) {
  for (*plain = true, p++; p < end && *p != '"'; p++) {
    *plain = *plain && is_plain(*p);
    if (*p == '\\' && p + 1 < end) p++;
  }
  return p;
}

/* The text from p to end, piece by piece, after v->length bytes. */
static bnn_status decode_text(bnn_json *r, bnn_json_value *v, const char *p, const char *end,
                              bnn_err *err) {
  while (p < end) {
    json_t *part;
    size_t n = piece_at(p, end);
    r->piece[0] = '"';
    memcpy(r->piece + 1, p, n);
    r->piece[n + 1] = '"';
    BNN_TRY(decode(r, &part, r->piece, n + 2, (size_t)(p - r->text) - 1, err));
    memcpy(r->decoded + v->length, json_string_value(part), json_string_length(part));
    v->length += json_string_length(part);
    p += n;
  }
  return BNN_OK;
}

static bnn_status read_text(bnn_json *r, bnn_json_value *v, bnn_err *err) {
  bool plain;
  const char *p = r->text + r->at + 1, *end = end_of_text(p - 1, r->text + r->n, &plain);
  if (end == r->text + r->n) return fail_at(r, r->at, "a quote is not closed", err);
  BNN_TRY(make_room(r, (size_t)(end - p), err));
  *v = (bnn_json_value){.kind = BNN_JSON_TEXT, .text = (char *)r->decoded};
  if (plain)
    memcpy(r->decoded, p, v->length = (size_t)(end - p));
  else
    BNN_TRY(decode_text(r, v, p, end, err));
  r->decoded[v->length] = 0;
  r->at = (size_t)(end - r->text) + 1;
  return BNN_OK;
}

/* ---- numbers and literals ---- */

/* To a mark, a blank or a zero byte, which jansson would take for the end of the word. */
static size_t length_of_word(const bnn_json *r) {
  static const char ends[] = ",:]}[{\"";
  size_t at = r->at;
  while (at < r->n && !is_blank(r->text[at]) && !memchr(ends, r->text[at], sizeof ends)) at++;
  return at - r->at;
}

/* Whether p [n] is an integer from 0 that surely fits, as nearly all numbers in headers are. */
static bool read_small(int64_t *v, const char *p, size_t n) {
  if (n > 18 || (n > 1 && *p == '0')) return false;
  *v = 0;
  for (size_t i = 0; i < n; i++) {
    if (p[i] < '0' || p[i] > '9') return false;
    *v = 10 * *v + (p[i] - '0');
  }
  return true;
}

static bnn_status read_word(bnn_json *r, bnn_json_value *v, bnn_err *err) {
  json_t *word;
  int64_t small;
  size_t n = length_of_word(r);
  if (n == 0) return fail_here(r, "a value", err);
  if (read_small(&small, r->text + r->at, n)) {
    r->at += n;
    *v = (bnn_json_value){.kind = BNN_JSON_INTEGER, .integer = small};
    return BNN_OK;
  }
  if (n > NUMBER) return fail_at(r, r->at, "a number of more than 1024 characters", err);
  BNN_TRY(decode(r, &word, r->text + r->at, n, r->at, err));
  r->at += n;
  switch (json_typeof(word)) {
  case JSON_INTEGER:
    *v = (bnn_json_value){.kind = BNN_JSON_INTEGER, .integer = json_integer_value(word)};
    break;
  case JSON_REAL:
    *v = (bnn_json_value){.kind = BNN_JSON_REAL, .real = json_real_value(word)};
    break;
  case JSON_TRUE: *v = (bnn_json_value){.kind = BNN_JSON_TRUE}; break;
  case JSON_FALSE: *v = (bnn_json_value){.kind = BNN_JSON_FALSE}; break;
  default: *v = (bnn_json_value){.kind = BNN_JSON_NULL}; break;
  }
  return BNN_OK;
}

/* ---- containers ---- */

static bnn_status enter(bnn_json *r, bnn_json_value *v, char bracket, bnn_err *err) {
  if (r->depth == BNN_JSON_DEPTH)
    return bnn_fail(err, BNN_EDATA, "%s: nested more than %d deep", r->what, BNN_JSON_DEPTH);
  r->open[r->depth++] = bracket;
  r->fresh = true;
  r->at++;
  *v = (bnn_json_value){.kind = bracket == '{' ? BNN_JSON_OBJECT : BNN_JSON_ARRAY};
  return BNN_OK;
}

bnn_status bnn_json_read(bnn_json *r, bnn_json_value *v, bnn_err *err) {
  char c = peek(r);
  if (c == '{' || c == '[') return enter(r, v, c, err);
  return c == '"' ? read_text(r, v, err) : read_word(r, v, err);
}

static bnn_status read_key(bnn_json *r, bnn_json_value *key, bnn_err *err) {
  if (peek(r) != '"') return fail_here(r, "a name in quotes", err);
  size_t at = r->at;
  BNN_TRY(read_text(r, key, err));
  if (strlen(key->text) != key->length) return fail_at(r, at, "a name with a zero byte", err);
  if (peek(r) != ':') return fail_here(r, "':'", err);
  r->at++;
  return BNN_OK;
}

bnn_status bnn_json_next(bnn_json *r, bool *more, bnn_json_value *key, bnn_err *err) {
  bool in_object = r->open[r->depth - 1] == '{';
  char c = peek(r), closing = in_object ? '}' : ']';
  bool fresh = r->fresh;
  r->fresh = false;
  *more = c != closing;
  if (!*more) {
    r->at++;
    r->depth--;
    return BNN_OK;
  }
  if (!fresh) {
    if (c != ',') return fail_here(r, in_object ? "',' or '}'" : "',' or ']'", err);
    r->at++;
  }
  return in_object ? read_key(r, key, err) : BNN_OK;
}

bnn_status bnn_json_skip(bnn_json *r, bnn_err *err) {
  bnn_json_value v;
  int depth = r->depth;
  BNN_TRY(bnn_json_read(r, &v, err));
  while (r->depth > depth) {
    bool more;
    BNN_TRY(bnn_json_next(r, &more, &v, err));
    if (more) BNN_TRY(bnn_json_read(r, &v, err));
  }
  return BNN_OK;
}

bnn_status bnn_json_end(bnn_json *r, bnn_err *err) {
  peek(r);
  return r->at == r->n ? BNN_OK : fail_here(r, "the end", err);
}

/* ---- writing ---- */

/* Adds s without `cut` bytes at either end. */
static bnn_status put(bnn_bytes *out, block *b, const scalar *s, size_t cut, bnn_err *err) {
  char text[6 * (PIECE + UNIT) + 2]; /* \u0001 for a byte */
  size_t n;
  if (!dump(b, text, sizeof text, &n, s)) return fail_block(err);
  if (n == 0 || n > sizeof text) return bnn_fail(err, BNN_ERANGE, "cannot be written as JSON");
  return bnn_bytes_add(out, text + cut, n - 2 * cut, err);
}

static bnn_status put_scalar(bnn_bytes *out, const scalar *s, bnn_err *err) {
  block b;
  install();
  return put(out, &b, s, 0, err);
}

/* Whole characters from p on. */
static size_t characters_at(const char *p, size_t n) {
  size_t count = n < PIECE ? n : PIECE;
  while (count < n && ((unsigned char)p[count] & 0xc0) == 0x80 && count < PIECE + 4) count++;
  return count;
}

bnn_status bnn_json_put_text(bnn_bytes *out, const char *text, size_t n, bnn_err *err) {
  block b;
  install();
  BNN_TRY(bnn_bytes_add(out, "\"", 1, err));
  while (n != 0) {
    size_t plain = 0;
    while (plain < n && is_plain(text[plain])) plain++;
    BNN_TRY(bnn_bytes_add(out, text, plain, err));
    text += plain;
    n -= plain;
    if (n == 0) break;
    scalar s = {.kind = BNN_JSON_TEXT, .text = text, .n = characters_at(text, n)};
    BNN_TRY(put(out, &b, &s, 1, err));
    text += s.n;
    n -= s.n;
  }
  return bnn_bytes_add(out, "\"", 1, err);
}

bnn_status bnn_json_put_integer(bnn_bytes *out, int64_t v, bnn_err *err) {
  return put_scalar(out, &(scalar){.kind = BNN_JSON_INTEGER, .integer = v}, err);
}

bnn_status bnn_json_put_real(bnn_bytes *out, double v, bnn_err *err) {
  if (!isfinite(v)) return bnn_fail(err, BNN_ERANGE, "%f cannot be a number in JSON", v);
  return put_scalar(out, &(scalar){.kind = BNN_JSON_REAL, .real = v}, err);
}

#else

const char *bnn_json_version(void) { return NULL; }

static bnn_status fail_absent(bnn_err *err) {
  return bnn_fail(err, BNN_EIO,
                  "this program was built without jansson, which JSON needs (make deps clean)");
}

bnn_status bnn_json_open(bnn_json **out, const char *text, size_t n, const char *what,
                         bnn_err *err) {
  (void)out, (void)text, (void)n, (void)what;
  return fail_absent(err);
}

void bnn_json_close(bnn_json *r) { (void)r; }

bnn_status bnn_json_read(bnn_json *r, bnn_json_value *v, bnn_err *err) {
  (void)r, (void)v;
  return fail_absent(err);
}

bnn_status bnn_json_next(bnn_json *r, bool *more, bnn_json_value *key, bnn_err *err) {
  (void)r, (void)more, (void)key;
  return fail_absent(err);
}

bnn_status bnn_json_skip(bnn_json *r, bnn_err *err) {
  (void)r;
  return fail_absent(err);
}

bnn_status bnn_json_end(bnn_json *r, bnn_err *err) { return bnn_json_skip(r, err); }

bnn_status bnn_json_put_text(bnn_bytes *out, const char *text, size_t n, bnn_err *err) {
  (void)out, (void)text, (void)n;
  return fail_absent(err);
}

bnn_status bnn_json_put_integer(bnn_bytes *out, int64_t v, bnn_err *err) {
  (void)out, (void)v;
  return fail_absent(err);
}

bnn_status bnn_json_put_real(bnn_bytes *out, double v, bnn_err *err) {
  (void)out, (void)v;
  return fail_absent(err);
}

#endif
