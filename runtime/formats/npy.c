/* npy.c - reading and writing .npy.
 *
 * magic 93 N U M P Y, version, length of the header; the header, a Python dict such as
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 * padded with blanks; the elements.  The header is read by a small grammar of its own that knows
 * these three keys and no other Python.  Elements are read into a block that becomes the tensor's
 * own where the types agree, and are turned around in place. */
#include "npy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "../files/map.h"
#include "../files/save.h"
#include "../tensor/shape.h"
#include "half.h"

enum {
  HEADER_MAX = 10000, /* characters; NumPy's own limit */
  GROWTH = 21,        /* blanks and digits that numpy.save keeps for the first dim to grow */
};

typedef struct npy_type {
  char kind;
  size_t bytes;    /* of an element in the file */
  bnn_dtype dtype; /* of the tensor */
} npy_type;

static const npy_type types[] = {
    {'b', 1, BNN_U8},  {'u', 1, BNN_U8},  {'i', 1, BNN_I32}, {'u', 2, BNN_I32},
    {'i', 2, BNN_I32}, {'i', 4, BNN_I32}, {'u', 4, BNN_I64}, {'i', 8, BNN_I64},
    {'u', 8, BNN_U64}, {'f', 2, BNN_F32}, {'f', 4, BNN_F32}, {'f', 8, BNN_F64},
};

typedef struct npy_header {
  const npy_type *type;
  bool swapped; /* the file has the other byte order */
  bool fortran;
  int rank;
  size_t dim[BNN_RANK_MAX];
  size_t offset, bytes; /* of the elements, in the file */
} npy_header;

/* ---- the header's grammar ---- */

typedef struct cursor {
  const char *p, *end;
  const char *name;
} cursor;

static void skip_blanks(cursor *c) {
  while (c->p < c->end && strchr(" \t\n\r\f", *c->p) && *c->p) c->p++;
}

/* Skips blanks, and `what` if it comes next: whether it does. */
static bool take(cursor *c, const char *what) {
  size_t n = strlen(what);
  skip_blanks(c);
  if ((size_t)(c->end - c->p) < n || memcmp(c->p, what, n) != 0) return false;
  c->p += n;
  return true;
}

static bnn_status fail_at(const cursor *c, const char *expected, bnn_err *err) {
  if (c->p == c->end)
    return bnn_fail(err, BNN_EDATA, "%s: header: expected %s, got its end", c->name, expected);
  return bnn_fail(err, BNN_EDATA, "%s: header: expected %s, got '%s'", c->name, expected,
                  bnn_excerpt_of(c->p, (size_t)(c->end - c->p)).s);
}

static bnn_status expect(cursor *c, const char *what, const char *expected, bnn_err *err) {
  return take(c, what) ? BNN_OK : fail_at(c, expected, err);
}

/* A string in quotes of either kind, without escapes. */
static bnn_status read_string(cursor *c, const char **text, size_t *n, const char *expected,
                              bnn_err *err) {
  skip_blanks(c);
  if (c->p == c->end || (*c->p != '\'' && *c->p != '"')) return fail_at(c, expected, err);
  const char *from = c->p + 1, *to = memchr(from, *c->p, (size_t)(c->end - from));
  if (!to || memchr(from, '\\', (size_t)(to - from))) return fail_at(c, expected, err);
  *text = from;
  *n = (size_t)(to - from);
  c->p = to + 1;
  return BNN_OK;
}

/* A dim: decimal digits; Python 2 wrote some with an L after them. */
static bnn_status read_dim(cursor *c, size_t *dim, bnn_err *err) {
  skip_blanks(c);
  const char *from = c->p;
  if (take(c, "-"))
    return bnn_fail(err, BNN_EDATA, "%s: a dim is negative: '%s'", c->name,
                    bnn_excerpt_of(from, (size_t)(c->end - from)).s);
  size_t value = 0;
  bool fits = true;
  for (; c->p < c->end && isdigit((unsigned char)*c->p); c->p++)
    fits = fits && !__builtin_mul_overflow(value, (size_t)10, &value) &&
           !__builtin_add_overflow(value, (size_t)(*c->p - '0'), &value);
  if (c->p == from || (*from == '0' && c->p > from + 1)) {
    c->p = from;
    return fail_at(c, "an integer", err);
  }
  if (!fits)
    return bnn_fail(err, BNN_EDATA, "%s: dim %s is more than memory can address", c->name,
                    bnn_excerpt_of(from, (size_t)(c->p - from)).s);
  if (c->p < c->end && *c->p == 'L') c->p++;
  *dim = value;
  return BNN_OK;
}

static bnn_status read_shape(cursor *c, npy_header *h, bnn_err *err) {
  BNN_TRY(expect(c, "(", "a tuple of integers", err));
  bool more = true;
  for (h->rank = 0; !take(c, ")"); h->rank++) {
    if (!more) return fail_at(c, "',' or ')'", err);
    if (h->rank == BNN_RANK_MAX)
      return bnn_fail(err, BNN_EDATA, "%s: has more than %d dimensions", c->name, BNN_RANK_MAX);
    BNN_TRY(read_dim(c, &h->dim[h->rank], err));
    more = take(c, ",");
  }
  if (h->rank == 1 && !more) /* Python: (3) is not a tuple */
    return bnn_fail(err, BNN_EDATA, "%s: header: shape: expected a tuple, got an integer", c->name);
  return BNN_OK;
}

static bnn_status read_order(cursor *c, npy_header *h, bnn_err *err) {
  h->fortran = take(c, "True");
  return h->fortran || take(c, "False") ? BNN_OK : fail_at(c, "True or False", err);
}

/* Why there is no row for a kind of elements. */
static const char *reason_for(char kind) {
  switch (kind) {
  case 'O': return "Python objects (pickle), which may run code and are never loaded";
  case 'U':
  case 'S':
  case 'a': return "text";
  case 'V': return "raw records";
  case 'M':
  case 'm': return "dates or times";
  case 'c': return "complex numbers";
  default: return "an unknown type";
  }
}

static bool host_is_big(void) { return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__; }

/* A type such as <f4: byte order (= and | are this machine's), kind, bytes. */
static bnn_status find_type(npy_header *h, const char *text, size_t n, const char *name,
                            bnn_err *err) {
  const char *p = text, *end = text + n;
  bool ordered = n > 0 && (*p == '<' || *p == '>');
  if (ordered) h->swapped = (*p == '>') != host_is_big();
  if (n > 0 && strchr("<>=|", *p) && *p) p++;
  for (size_t k = 0; end - p == 2 && k < sizeof types / sizeof *types; k++)
    if (p[0] == types[k].kind && p[1] == (char)('0' + types[k].bytes)) {
      h->type = &types[k];
      return BNN_OK;
    }
  return bnn_fail(err, BNN_ETYPE, "%s: expected b1, u1 to u8, i1 to i8, f2, f4 or f8, got '%s', %s",
                  name, bnn_excerpt_of(text, n).s, reason_for(p < end ? *p : '?'));
}

static bnn_status read_type(cursor *c, npy_header *h, bnn_err *err) {
  const char *text;
  size_t n;
  if (take(c, "["))
    return bnn_fail(err, BNN_ETYPE, "%s: expected numbers, got records of a structured type",
                    c->name);
  BNN_TRY(read_string(c, &text, &n, "a type in quotes", err));
  return find_type(h, text, n, c->name, err);
}

static const struct {
  const char *key;
  bnn_status (*read)(cursor *c, npy_header *h, bnn_err *err);
} fields[] = {{"descr", read_type}, {"fortran_order", read_order}, {"shape", read_shape}};
enum { FIELDS = sizeof fields / sizeof *fields };

/* One key and its value; `seen` has a bit for each field. */
static bnn_status read_field(cursor *c, npy_header *h, unsigned *seen, bnn_err *err) {
  const char *key;
  size_t n;
  BNN_TRY(read_string(c, &key, &n, "a key in quotes", err));
  for (unsigned k = 0; k < FIELDS; k++) {
    if (n != strlen(fields[k].key) || memcmp(key, fields[k].key, n) != 0) continue;
    if (*seen & 1u << k)
      return bnn_fail(err, BNN_EDATA, "%s: the header has '%s' twice", c->name, fields[k].key);
    *seen |= 1u << k;
    BNN_TRY(expect(c, ":", "':'", err));
    return fields[k].read(c, h, err);
  }
  return bnn_fail(err, BNN_EDATA,
                  "%s: header: expected the keys descr, fortran_order, shape, got '%s'", c->name,
                  bnn_excerpt_of(key, n).s);
}

static bnn_status parse_header(npy_header *h, const char *text, size_t n, const char *name,
                               bnn_err *err) {
  cursor c = {text, text + n, name};
  unsigned seen = 0;
  bool more = true;
  BNN_TRY(expect(&c, "{", "'{'", err));
  while (!take(&c, "}")) {
    if (!more) return fail_at(&c, "',' or '}'", err);
    BNN_TRY(read_field(&c, h, &seen, err));
    more = take(&c, ",");
  }
  for (unsigned k = 0; k < FIELDS; k++)
    if (!(seen & 1u << k))
      return bnn_fail(err, BNN_EDATA, "%s: the header lacks '%s'", name, fields[k].key);
  skip_blanks(&c);
  return c.p == c.end ? BNN_OK : fail_at(&c, "its end", err);
}

/* ---- the header's bytes ---- */

/* Reads n bytes of what stands before the elements, `before` bytes of which came already. */
static bnn_status read_exactly(const bnn_source *from, void *to, size_t before, size_t n,
                               bnn_err *err) {
  size_t got;
  BNN_TRY(from->read(from->state, to, n, &got, err));
  if (got == n) return BNN_OK;
  if (before + got == 0) return bnn_fail(err, BNN_EDATA, "%s: holds no data", from->name);
  return bnn_fail(err, BNN_EDATA, "%s: ends after %zu bytes, within an .npy header of %s%zu",
                  from->name, before + got, before > 8 ? "" : "at least ", before + n);
}

static bnn_status check_magic(const unsigned char magic[8], const char *name, bnn_err *err) {
  if (memcmp(magic, "\x93NUMPY", 6) != 0)
    return bnn_fail(err, BNN_EDATA,
                    "%s: starts with %02x %02x %02x %02x %02x %02x, an .npy file with "
                    "93 4e 55 4d 50 59",
                    name, magic[0], magic[1], magic[2], magic[3], magic[4], magic[5]);
  if (magic[6] < 1 || magic[6] > 3 || magic[7] != 0)
    return bnn_fail(err, BNN_EDATA, "%s: expected version 1.0, 2.0 or 3.0 of .npy, got %d.%d", name,
                    magic[6], magic[7]);
  return BNN_OK;
}

static bnn_status check_size(npy_header *h, const char *name, bnn_err *err) {
  size_t elements, bytes, each = bnn_dtype_size(h->type->dtype);
  if (each < h->type->bytes) each = h->type->bytes;
  if (!bnn_shape_size(&elements, h->rank, h->dim) ||
      __builtin_mul_overflow(elements, each, &bytes) || bytes > PTRDIFF_MAX)
    return bnn_fail(err, BNN_EDATA, "%s: %s of %c%zu is more than memory can address", name,
                    BNN_SHAPE(h), h->type->kind, h->type->bytes);
  h->bytes = elements * h->type->bytes;
  return BNN_OK;
}

static bnn_status read_header(npy_header *h, const bnn_source *from, bnn_err *err) {
  unsigned char magic[8], length[4] = {0};
  char text[HEADER_MAX];
  BNN_TRY(read_exactly(from, magic, 0, sizeof magic, err));
  BNN_TRY(check_magic(magic, from->name, err));
  size_t wide = magic[6] == 1 ? 2 : 4;
  BNN_TRY(read_exactly(from, length, sizeof magic, wide, err));
  size_t n = (size_t)length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 |
             (size_t)length[3] << 24;
  if (n > HEADER_MAX)
    return bnn_fail(err, BNN_EDATA, "%s: a header of %zu characters, at most %d are read",
                    from->name, n, HEADER_MAX);
  BNN_TRY(read_exactly(from, text, sizeof magic + wide, n, err));
  h->offset = sizeof magic + wide + n;
  BNN_TRY(parse_header(h, text, n, from->name, err));
  return check_size(h, from->name, err);
}

/* ---- the elements ---- */

static bnn_status read_elements(bnn_bytes *b, const bnn_source *from, const npy_header *h,
                                bnn_err *err) {
  char what[sizeof(bnn_shape_text) + 16];
  snprintf(what, sizeof what, "%s of %c%zu", BNN_SHAPE(h), h->type->kind, h->type->bytes);
  return bnn_bytes_read(b, from, h->bytes, what, err);
}

#define TURN_AROUND(type, swap) \
  for (size_t i = 0; i < n; i++) ((type *)p)[i] = swap(((type *)p)[i])

/* n elements of `each` bytes from the other byte order to this machine's, in place. */
static void turn_around(void *p, size_t n, size_t each) {
  if (each == 2) TURN_AROUND(uint16_t, __builtin_bswap16);
  if (each == 4) TURN_AROUND(uint32_t, __builtin_bswap32);
  if (each == 8) TURN_AROUND(uint64_t, __builtin_bswap64);
}

#define WIDEN(to_type, from_type, convert) \
  for (size_t i = 0; i < n; i++) ((to_type *)y)[i] = convert(((const from_type *)x)[i])

/* n elements of the file's type, in this machine's byte order, to the tensor's. */
static void widen(void *restrict y, const void *restrict x, size_t n, const npy_type *type) {
  if (type->kind == 'f')
    WIDEN(float, uint16_t, bnn_half_to_float);
  else if (type->kind == 'i' && type->bytes == 1)
    WIDEN(int32_t, int8_t, (int32_t));
  else if (type->kind == 'i')
    WIDEN(int32_t, int16_t, (int32_t));
  else if (type->bytes == 2)
    WIDEN(int32_t, uint16_t, (int32_t));
  else
    WIDEN(int64_t, uint32_t, (int64_t));
}

static bnn_status widened(bnn_tensor **out, const bnn_bytes *b, const npy_header *h,
                          const size_t *dim, bnn_err *err) {
  bnn_tensor *x = NULL;
  BNN_TRY(bnn_tensor_new(&x, h->type->dtype, h->rank, dim, err));
  widen(x->data, b->p, x->size, h->type);
  *out = x;
  return BNN_OK;
}

/* A tensor that owns b's bytes. */
static bnn_status adopt(bnn_tensor **out, bnn_bytes *b, const npy_header *h, const size_t *dim,
                        bnn_err *err) {
  BNN_TRY(bnn_tensor_adopt(out, h->type->dtype, h->rank, dim, b->p, b->p, NULL, err));
  if (h->type->kind == 'b')
    for (size_t i = 0; i < b->n; i++) b->p[i] = b->p[i] != 0;
  *b = (bnn_bytes){.p = NULL};
  return BNN_OK;
}

/* b's elements as a tensor of these dims, in the order in which they stand. */
static bnn_status make(bnn_tensor **out, bnn_bytes *b, const npy_header *h, const size_t *dim,
                       bnn_err *err) {
  if (h->swapped) turn_around(b->p, b->n / h->type->bytes, h->type->bytes);
  bool same_size = h->type->bytes == bnn_dtype_size(h->type->dtype);
  return same_size ? adopt(out, b, h, dim, err) : widened(out, b, h, dim, err);
}

/* Fortran order is C order of the dims from last to first: made so, turned round, copied. */
static bnn_status make_fortran(bnn_tensor **out, bnn_bytes *b, const npy_header *h, bnn_err *err) {
  size_t dim[BNN_RANK_MAX];
  int order[BNN_RANK_MAX];
  bnn_tensor *x = NULL, *turned = NULL;
  for (int k = 0; k < h->rank; k++) {
    dim[k] = h->dim[h->rank - 1 - k];
    order[k] = h->rank - 1 - k;
  }
  BNN_TRY(make(&x, b, h, dim, err));
  bnn_status status = bnn_tensor_permute(&turned, x, order, err);
  if (status == BNN_OK) status = bnn_tensor_contiguous(out, turned, err);
  bnn_tensor_unref(turned);
  bnn_tensor_unref(x);
  return status;
}

bnn_status bnn_npy_next(bnn_tensor **out, const bnn_source *from, bnn_err *err) {
  npy_header h = {.rank = 0};
  bnn_bytes b = {.p = NULL};
  BNN_TRY(read_header(&h, from, err));
  bnn_status status = read_elements(&b, from, &h, err);
  if (status == BNN_OK) {
    status =
        h.fortran && h.rank > 1 ? make_fortran(out, &b, &h, err) : make(out, &b, &h, h.dim, err);
    if (status != BNN_OK) bnn_fail_within(err, status, "%s", from->name);
  }
  bnn_bytes_free(&b);
  return status;
}

/* ---- files ---- */

/* One byte more, so that a gzip stream that is damaged near its end is seen to be. */
static bnn_status check_end(bnn_gzip *file, bnn_err *err) {
  size_t got;
  char next;
  return bnn_gzip_read(file, &next, 1, &got, err);
}

/* For a whole file, elements that no tensor holds are a fault like any other. */
static bnn_status as_file_fault(bnn_status status, bnn_err *err) {
  if (status != BNN_ETYPE) return status;
  if (err) err->status = BNN_EDATA;
  return BNN_EDATA;
}

static bnn_status read_and_close(bnn_tensor **out, bnn_gzip *file, bnn_err *err) {
  bnn_tensor *x = NULL;
  bnn_source source = bnn_source_gzip(file);
  bnn_status status = as_file_fault(bnn_npy_next(&x, &source, err), err);
  if (status == BNN_OK) status = check_end(file, err);
  bnn_gzip_close(file);
  if (status == BNN_OK)
    *out = x;
  else
    bnn_tensor_unref(x);
  return status;
}

bnn_status bnn_npy_read(bnn_tensor **out, const char *path, bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_open(&file, path, err));
  return read_and_close(out, file, err);
}

bnn_status bnn_npy_parse(bnn_tensor **out, const void *bytes, size_t n, const char *name,
                         bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_memory(&file, bytes, n, name, err));
  return read_and_close(out, file, err);
}

/* ---- mapping ---- */

/* What stands between the elements in the file and the tensor; NULL when nothing does. */
static const char *obstacle(const npy_header *h) {
  if (h->type->bytes != bnn_dtype_size(h->type->dtype)) return "a type that must be widened";
  if (h->swapped && h->type->bytes > 1) return "the other byte order";
  if (h->fortran && h->rank > 1) return "Fortran order";
  return h->offset % h->type->bytes ? "elements that are not aligned" : NULL;
}

static bnn_status map_tensor(bnn_tensor **out, bnn_map *map, const char *name, bnn_err *err) {
  bnn_gzip *file = NULL;
  npy_header h = {.rank = 0};
  BNN_TRY(bnn_gzip_memory(&file, map->p, map->n, name, err));
  bnn_source source = bnn_source_gzip(file);
  bnn_status status = as_file_fault(read_header(&h, &source, err), err);
  name = source.name;
  bnn_gzip_close(file);
  if (status != BNN_OK) return status;
  if (obstacle(&h))
    return bnn_fail(err, BNN_EDATA, "%s: cannot be mapped, only read: it has %s", name,
                    obstacle(&h));
  if (map->n - h.offset < h.bytes)
    return bnn_fail(err, BNN_EDATA, "%s: ends after %zu of the %zu bytes that %s of %c%zu takes",
                    name, map->n - h.offset, h.bytes, BNN_SHAPE(&h), h.type->kind, h.type->bytes);
  return bnn_tensor_adopt(out, h.type->dtype, h.rank, h.dim, map->p + h.offset, map, bnn_map_close,
                          err);
}

bnn_status bnn_npy_map(bnn_tensor **out, const char *path, bnn_err *err) {
  bnn_map *map = NULL;
  BNN_TRY(bnn_map_open(&map, path, err));
  bnn_status status = map_tensor(out, map, path, err);
  if (status != BNN_OK) bnn_map_close(map);
  return status;
}

/* ---- writing ---- */

/* "|u1", "<f4", as NumPy calls a type of ours. */
static void name_type(char name[8], bnn_dtype dtype) {
  size_t bytes = bnn_dtype_size(dtype);
  char kind = dtype == BNN_F32 || dtype == BNN_F64  ? 'f'
              : dtype == BNN_U8 || dtype == BNN_U64 ? 'u'
                                                    : 'i';
  snprintf(name, 8, "%c%c%zu", bytes == 1 ? '|' : host_is_big() ? '>' : '<', kind, bytes);
}

static size_t print_shape(char *to, size_t room, const bnn_tensor *x) {
  size_t n = 0;
  to[0] = 0;
  for (int k = 0; k < x->rank; k++)
    n += (size_t)snprintf(to + n, room - n, k ? ", %zu" : "%zu", x->dim[k]);
  if (x->rank == 1) n += (size_t)snprintf(to + n, room - n, ",");
  return n;
}

size_t bnn_npy_header(char header[BNN_NPY_HEADER], const bnn_tensor *x) {
  enum { PREFIX = 10, ALIGN = 64 };
  char type[8], shape[BNN_RANK_MAX * 22 + 4], digits[24];
  name_type(type, x->dtype);
  print_shape(shape, sizeof shape, x);
  size_t n = PREFIX + (size_t)snprintf(header + PREFIX, BNN_NPY_HEADER - PREFIX,
                                       "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                                       type, shape);
  size_t whole = n;
  if (x->rank > 0) whole += GROWTH - (size_t)snprintf(digits, sizeof digits, "%zu", x->dim[0]);
  whole = (whole + 1 + ALIGN) / ALIGN * ALIGN; /* a full 64 more where it is aligned already */
  memset(header + n, ' ', whole - n);
  header[whole - 1] = '\n';
  memcpy(header, "\x93NUMPY\1\0", 8);
  header[8] = (char)((whole - PREFIX) & 0xff);
  header[9] = (char)((whole - PREFIX) >> 8);
  return whole;
}

static bnn_status write_contiguous(const char *path, const bnn_tensor *x, bnn_err *err) {
  char header[BNN_NPY_HEADER];
  size_t n = bnn_npy_header(header, x);
  const bnn_save_part spans[] = {{header, n}, {x->data, x->size * bnn_dtype_size(x->dtype)}};
  return bnn_save(path, spans, 2, err);
}

bnn_status bnn_npy_write(const char *path, const bnn_tensor *x, bnn_err *err) {
  if (bnn_tensor_is_contiguous(x)) return write_contiguous(path, x, err);
  bnn_tensor *dense = NULL;
  BNN_TRY(bnn_tensor_clone(&dense, x, err));
  bnn_status status = write_contiguous(path, dense, err);
  bnn_tensor_unref(dense);
  return status;
}
