/* safetensors.c - reading and writing safetensors; the header's JSON through jansson.
 *
 * A header is first read as jansson's tree, then copied into a list of entries, and the tree is
 * freed.  The checks are those of the format's reference reader, and names that come twice are
 * refused, which it lets pass. */
#include "safetensors.h"

#include <string.h>

#include "bytes.h"
#include "half.h"
#include "map.h"
#include "mem.h"
#include "save.h"
#include "shape.h"

void bnn_safetensors_close(bnn_safetensors *f) {
  if (!f) return;
  bnn_tensor_unref(f->bytes);
  bnn_mem_free(f->entry);
  bnn_mem_free(f->note);
  bnn_mem_free(f->dims);
  bnn_mem_free(f->text);
  bnn_mem_free(f);
}

#if defined(BNN_HAVE_JANSSON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <jansson.h>

#define METADATA "__metadata__"

enum {
  PREFIX = 8,
  HEADER_MAX = 100000000, /* bytes; the reference reader's limit */
  CONTAINER_MIN = 15,     /* bytes of a header for each { and [ in it; a tensor takes 50 for 3 */
};

const char *bnn_safetensors_version(void) { return JANSSON_VERSION; }

/* ---- types ---- */

#define WIDENER(name, to, from, convert)                                          \
  static void name(void *restrict y, const unsigned char *restrict x, size_t n) { \
    for (size_t i = 0; i < n; i++) {                                              \
      from v; /* x need not be aligned */                                         \
      memcpy(&v, x + i * sizeof v, sizeof v);                                     \
      ((to *)y)[i] = convert(v);                                                  \
    }                                                                             \
  }
WIDENER(widen_bool, int32_t, uint8_t, 0 !=)
WIDENER(widen_i8, int32_t, int8_t, (int32_t))
WIDENER(widen_i16, int32_t, int16_t, (int32_t))
WIDENER(widen_u16, int32_t, uint16_t, (int32_t))
WIDENER(widen_u32, int64_t, uint32_t, (int64_t))
WIDENER(widen_f16, float, uint16_t, bnn_half_to_float)
WIDENER(widen_bf16, float, uint16_t, bnn_bfloat_to_float)

#define UNREAD BNN_DTYPE_COUNT

typedef struct type_row {
  const char *name;
  unsigned bits; /* of an element in the file */
  bnn_dtype as;
  void (*widen)(void *restrict y, const unsigned char *restrict x, size_t n); /* NULL: the same */
} type_row;

/* In the reference's order: a writer puts tensors of the last rows first. */
static const type_row types[] = {
    {"BOOL", 8, BNN_I32, widen_bool},  {"F4", 4, UNREAD, NULL},
    {"F6_E2M3", 6, UNREAD, NULL},      {"F6_E3M2", 6, UNREAD, NULL},
    {"U8", 8, BNN_U8, NULL},           {"I8", 8, BNN_I32, widen_i8},
    {"F8_E5M2", 8, UNREAD, NULL},      {"F8_E4M3", 8, UNREAD, NULL},
    {"F8_E8M0", 8, UNREAD, NULL},      {"F8_E4M3FNUZ", 8, UNREAD, NULL},
    {"F8_E5M2FNUZ", 8, UNREAD, NULL},  {"I16", 16, BNN_I32, widen_i16},
    {"U16", 16, BNN_I32, widen_u16},   {"F16", 16, BNN_F32, widen_f16},
    {"BF16", 16, BNN_F32, widen_bf16}, {"I32", 32, BNN_I32, NULL},
    {"U32", 32, BNN_I64, widen_u32},   {"F32", 32, BNN_F32, NULL},
    {"C64", 64, UNREAD, NULL},         {"F64", 64, BNN_F64, NULL},
    {"I64", 64, BNN_I64, NULL},        {"U64", 64, BNN_U64, NULL},
};
enum { TYPES = sizeof types / sizeof *types };

static const type_row *type_named(const char *name) {
  for (size_t k = 0; k < TYPES; k++)
    if (strcmp(types[k].name, name) == 0) return &types[k];
  return NULL;
}

/* The row that holds a type of ours as it is. */
static const type_row *type_of(bnn_dtype dtype) {
  size_t k = 0;
  while (types[k].as != dtype || types[k].widen) k++;
  return &types[k];
}

/* ---- the header's bytes ---- */

static bnn_excerpt excerpt(const char *text) { return bnn_excerpt_of(text, strlen(text)); }

static uint64_t length_at(const unsigned char *p) {
  uint64_t n = 0;
  for (int k = PREFIX; k-- > 0;) n = n << 8 | p[k];
  return n;
}

/* The header's length, when the file has room for it. */
static bnn_status read_length(size_t *out, const unsigned char *p, size_t n, bnn_err *err) {
  if (n < PREFIX)
    return bnn_fail(err, BNN_EDATA, "has %zu bytes, a safetensors file at least %d", n, PREFIX);
  uint64_t length = length_at(p);
  if (length > HEADER_MAX)
    return bnn_fail(err, BNN_EDATA, "a header of %llu bytes is claimed, at most %d are read",
                    (unsigned long long)length, HEADER_MAX);
  if (length > n - PREFIX)
    return bnn_fail(err, BNN_EDATA, "ends after %zu of the %llu bytes of its header", n - PREFIX,
                    (unsigned long long)length);
  *out = (size_t)length;
  return BNN_OK;
}

/* An object or array of two bytes is some hundred in jansson's tree: a header that has more of
 * them than tensors could need is refused before the tree is made. */
static bnn_status check_containers(const char *p, size_t n, bnn_err *err) {
  size_t count = 0;
  bool quoted = false;
  for (size_t i = 0; i < n; i++) {
    if (quoted && p[i] == '\\')
      i++;
    else if (p[i] == '"')
      quoted = !quoted;
    else if (!quoted && (p[i] == '{' || p[i] == '['))
      count++;
  }
  if (count <= 3 + n / CONTAINER_MIN) return BNN_OK;
  return bnn_fail(err, BNN_EDATA,
                  "the header has %zu objects and arrays in %zu bytes, more than "
                  "descriptions of tensors can have",
                  count, n);
}

static bnn_status load_json(json_t **out, const char *p, size_t n, bnn_err *err) {
  json_error_t fault;
  json_t *root = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
  if (!root && json_error_code(&fault) == json_error_out_of_memory)
    return bnn_fail(err, BNN_ENOMEM, "a header of %zu bytes", n);
  if (!root)
    return bnn_fail(err, BNN_EDATA, "the header is no JSON at byte %d: %s", fault.position,
                    excerpt(fault.text).s);
  *out = root;
  return BNN_OK;
}

/* ---- entries ---- */

static const char *kind_of(const json_t *v) {
  static const char *const kind[] = {
      [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",  [JSON_STRING] = "a string",
      [JSON_INTEGER] = "an integer", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
      [JSON_FALSE] = "false",        [JSON_NULL] = "null",
  };
  return v ? kind[json_typeof(v)] : "missing";
}

static bnn_status read_dtype(const type_row **out, const json_t *v, bnn_err *err) {
  if (!json_is_string(v))
    return bnn_fail(err, BNN_EDATA, "dtype is %s, wanted a string", kind_of(v));
  *out = type_named(json_string_value(v));
  if (*out) return BNN_OK;
  return bnn_fail(err, BNN_EDATA, "dtype '%s' is not known", excerpt(json_string_value(v)).s);
}

/* The integers of an array into to[0..size). */
static bnn_status read_sizes(uint64_t *to, const json_t *array, const char *what, bnn_err *err) {
  if (!json_is_array(array))
    return bnn_fail(err, BNN_EDATA, "%s is %s, wanted an array", what, kind_of(array));
  for (size_t k = 0; k < json_array_size(array); k++) {
    const json_t *v = json_array_get(array, k);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
      return bnn_fail(err, BNN_EDATA, "%s has %s at place %zu, wanted an integer from 0", what,
                      json_is_integer(v) ? "a negative number" : kind_of(v), k + 1);
    to[k] = (uint64_t)json_integer_value(v);
  }
  return BNN_OK;
}

/* Bytes of an entry's elements; dims are multiplied in order, as the reference does. */
static bnn_status size_of(uint64_t *out, const bnn_safetensors_entry *e, unsigned bits,
                          bnn_err *err) {
  uint64_t n = 1;
  bool fits = true;
  for (size_t k = 0; k < e->rank; k++) fits = fits && !__builtin_mul_overflow(n, e->dim[k], &n);
  if (!fits || __builtin_mul_overflow(n, (uint64_t)bits, &n))
    return bnn_fail(err, BNN_EDATA, "its shape is more than a file can hold");
  if (n % 8)
    return bnn_fail(err, BNN_EDATA, "%llu bits of %s are no whole number of bytes",
                    (unsigned long long)n, e->dtype);
  *out = n / 8;
  return BNN_OK;
}

static bnn_status read_offsets(bnn_safetensors_entry *e, const json_t *array, bnn_err *err) {
  uint64_t at[2];
  if (json_is_array(array) && json_array_size(array) != 2)
    return bnn_fail(err, BNN_EDATA, "data_offsets has %zu numbers, wanted 2",
                    json_array_size(array));
  BNN_TRY(read_sizes(at, array, "data_offsets", err));
  if (at[1] < at[0])
    return bnn_fail(err, BNN_EDATA, "ends at %llu, before it begins, at %llu",
                    (unsigned long long)at[1], (unsigned long long)at[0]);
  e->offset = at[0]; /* in the data; its place in the file when all have been checked */
  e->bytes = at[1] - at[0];
  return BNN_OK;
}

/* One tensor's description; its dims go to *dims, which moves behind them. */
static bnn_status read_entry(bnn_safetensors_entry *e, uint64_t **dims, const json_t *v,
                             bnn_err *err) {
  const type_row *type;
  uint64_t size = 0;
  if (!json_is_object(v))
    return bnn_fail(err, BNN_EDATA, "is described by %s, wanted an object", kind_of(v));
  BNN_TRY(read_dtype(&type, json_object_get(v, "dtype"), err));
  const json_t *shape = json_object_get(v, "shape");
  BNN_TRY(read_sizes(*dims, shape, "shape", err));
  e->dtype = type->name;
  e->as = type->as;
  e->dim = *dims;
  e->rank = json_array_size(shape);
  *dims += e->rank;
  BNN_TRY(size_of(&size, e, type->bits, err));
  BNN_TRY(read_offsets(e, json_object_get(v, "data_offsets"), err));
  if (size == e->bytes) return BNN_OK;
  return bnn_fail(err, BNN_EDATA, "its shape takes %llu bytes of %s, its offsets leave it %llu",
                  (unsigned long long)size, e->dtype, (unsigned long long)e->bytes);
}

/* ---- the whole header ---- */

/* Copies a text behind what *to holds already, and moves *to behind it. */
static const char *keep(char **to, const char *text, size_t n) {
  char *kept = *to;
  memcpy(kept, text, n);
  kept[n] = 0;
  *to += n + 1;
  return kept;
}

static size_t count_dims(json_t *root) {
  const char *name;
  json_t *v;
  size_t count = 0;
  json_object_foreach(root, name, v) count += json_array_size(json_object_get(v, "shape"));
  return count;
}

static bnn_status read_notes(bnn_safetensors *f, char **text, json_t *metadata, bnn_err *err) {
  const char *key;
  json_t *v;
  json_object_foreach(metadata, key, v) {
    if (!json_is_string(v))
      return bnn_fail(err, BNN_EDATA, METADATA " has %s for '%s', wanted a string", kind_of(v),
                      excerpt(key).s);
    bnn_safetensors_note *note = &f->note[f->n_notes++];
    note->key = keep(text, key, strlen(key));
    note->length = json_string_length(v);
    note->value = keep(text, json_string_value(v), note->length);
  }
  return BNN_OK;
}

static bnn_status read_entries(bnn_safetensors *f, char **text, json_t *root, bnn_err *err) {
  const char *name;
  json_t *v;
  uint64_t *dims = f->dims;
  json_object_foreach(root, name, v) {
    if (strcmp(name, METADATA) == 0) continue;
    bnn_safetensors_entry *e = &f->entry[f->n++];
    e->name = keep(text, name, strlen(name));
    bnn_status status = read_entry(e, &dims, v, err);
    if (status != BNN_OK) return bnn_fail_within(err, status, "tensor '%s'", excerpt(name).s);
  }
  return BNN_OK;
}

/* `length` bytes of header hold all its texts, each with two quotes for the zero byte here. */
static bnn_status read_tree(bnn_safetensors *f, json_t *root, size_t length, bnn_err *err) {
  json_t *metadata = json_object_get(root, METADATA);
  if (!json_is_object(root))
    return bnn_fail(err, BNN_EDATA, "the header is %s, wanted an object", kind_of(root));
  if (json_is_null(metadata)) metadata = NULL; /* as the reference reader: no metadata */
  if (metadata && !json_is_object(metadata))
    return bnn_fail(err, BNN_EDATA, METADATA " is %s, wanted an object", kind_of(metadata));
  size_t path = strlen(f->path) + 1;
  f->entry = bnn_mem_zalloc(json_object_size(root), sizeof *f->entry);
  f->note = bnn_mem_zalloc(json_object_size(metadata), sizeof *f->note);
  f->dims = bnn_mem_alloc(count_dims(root), sizeof *f->dims);
  f->text = bnn_mem_alloc(length + path, 1);
  if (!f->entry || !f->note || !f->dims || !f->text)
    return bnn_fail(err, BNN_ENOMEM, "a list of %zu tensors", json_object_size(root));
  char *text = f->text;
  f->path = keep(&text, f->path, path - 1);
  BNN_TRY(read_notes(f, &text, metadata, err));
  return read_entries(f, &text, root, err);
}

static int by_offset(const void *a, const void *b) {
  const bnn_safetensors_entry *x = a, *y = b;
  if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
  return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const bnn_safetensors_entry *)a)->name, ((const bnn_safetensors_entry *)b)->name);
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const bnn_safetensors_note *)a)->key, ((const bnn_safetensors_note *)b)->key);
}

/* No gaps, no overlap, nothing behind; offsets become places in the file. */
static bnn_status place_entries(bnn_safetensors *f, size_t begin, bnn_err *err) {
  uint64_t data = f->bytes->size - begin, at = 0;
  qsort(f->entry, f->n, sizeof *f->entry, by_offset);
  for (size_t i = 0; i < f->n; i++) {
    bnn_safetensors_entry *e = &f->entry[i];
    if (e->offset != at)
      return bnn_fail(err, BNN_EDATA, "tensor '%s' begins at %llu, the one before it ends at %llu",
                      excerpt(e->name).s, (unsigned long long)e->offset, (unsigned long long)at);
    at += e->bytes; /* no overflow: ends were read as integers below 2^63 */
    e->offset += begin;
  }
  if (at == data) return BNN_OK;
  return bnn_fail(err, BNN_EDATA, "has %llu bytes of data, its header describes %llu",
                  (unsigned long long)data, (unsigned long long)at);
}

static bnn_status read_header(bnn_safetensors *f, bnn_err *err) {
  const unsigned char *p = f->bytes->data;
  json_t *root = NULL;
  size_t length = 0;
  BNN_TRY(read_length(&length, p, f->bytes->size, err));
  BNN_TRY(check_containers((const char *)p + PREFIX, length, err));
  BNN_TRY(load_json(&root, (const char *)p + PREFIX, length, err));
  bnn_status status = read_tree(f, root, length, err);
  json_decref(root);
  BNN_TRY(status);
  BNN_TRY(place_entries(f, PREFIX + length, err));
  qsort(f->entry, f->n, sizeof *f->entry, by_name);
  qsort(f->note, f->n_notes, sizeof *f->note, by_key);
  return BNN_OK;
}

/* ---- opening ---- */

/* Takes over `bytes` in any case. */
static bnn_status open_bytes(bnn_safetensors **out, bnn_tensor *bytes, const char *path,
                             bnn_err *err) {
  const char *shown = bnn_path_shown(path);
  bnn_safetensors *f = bnn_mem_zalloc(1, sizeof *f);
  if (!f) {
    bnn_tensor_unref(bytes);
    return bnn_fail(err, BNN_ENOMEM, "%s: no memory to open it", shown);
  }
  *f = (bnn_safetensors){.bytes = bytes, .path = shown};
  bnn_status status = read_header(f, err);
  if (status == BNN_OK) {
    *out = f;
    return BNN_OK;
  }
  bnn_safetensors_close(f);
  return bnn_fail_within(err, status, "%s", shown);
}

bnn_status bnn_safetensors_open(bnn_safetensors **out, const char *path, bnn_err *err) {
  bnn_map *map = NULL;
  bnn_tensor *bytes = NULL;
  BNN_TRY(bnn_map_open_any(&map, path, err)); /* a length of 0x8b1f is no sign of gzip */
  bnn_status status = bnn_tensor_adopt(&bytes, BNN_U8, 1, &map->n, map->p, map, bnn_map_close, err);
  if (status == BNN_OK) return open_bytes(out, bytes, path, err);
  bnn_map_close(map);
  return bnn_fail_within(err, status, "%s", bnn_path_shown(path));
}

bnn_status bnn_safetensors_parse(bnn_safetensors **out, const void *bytes, size_t n,
                                 const char *name, bnn_err *err) {
  bnn_tensor *copy = NULL;
  bnn_status status = bnn_tensor_new(&copy, BNN_U8, 1, &n, err);
  if (status != BNN_OK) return bnn_fail_within(err, status, "%s", bnn_path_shown(name));
  if (n) memcpy(copy->data, bytes, n);
  return open_bytes(out, copy, name, err);
}

const bnn_safetensors_entry *bnn_safetensors_find(const bnn_safetensors *f, const char *name) {
  bnn_safetensors_entry wanted = {.name = name};
  return bsearch(&wanted, f->entry, f->n, sizeof *f->entry, by_name);
}

/* ---- tensors ---- */

static void unref(void *tensor) { bnn_tensor_unref(tensor); }

/* Over the file's bytes, which it keeps alive. */
static bnn_status view_entry(bnn_tensor **out, const bnn_safetensors *f,
                             const bnn_safetensors_entry *e, const size_t *dim, bnn_err *err) {
  unsigned char *data = (unsigned char *)f->bytes->data + e->offset;
  BNN_TRY(bnn_tensor_adopt(out, e->as, (int)e->rank, dim, data, f->bytes, unref, err));
  bnn_tensor_ref(f->bytes);
  return BNN_OK;
}

static bnn_status copy_entry(bnn_tensor **out, const bnn_safetensors *f,
                             const bnn_safetensors_entry *e, const size_t *dim, bnn_err *err) {
  const unsigned char *data = (const unsigned char *)f->bytes->data + e->offset;
  const type_row *type = type_named(e->dtype);
  bnn_tensor *x = NULL;
  BNN_TRY(bnn_tensor_new(&x, e->as, (int)e->rank, dim, err));
  if (type->widen)
    type->widen(x->data, data, x->size);
  else
    memcpy(x->data, data, (size_t)e->bytes);
  *out = x;
  return BNN_OK;
}

static bnn_status read_tensor(bnn_tensor **out, const bnn_safetensors *f,
                              const bnn_safetensors_entry *e, bnn_err *err) {
  size_t dim[BNN_RANK_MAX];
  if (e->as == UNREAD)
    return bnn_fail(err, BNN_ETYPE, "is of dtype %s, which can be listed and not read", e->dtype);
  if (e->rank > BNN_RANK_MAX)
    return bnn_fail(err, BNN_ESHAPE, "has %zu dimensions, at most %d are read", e->rank,
                    BNN_RANK_MAX);
  for (size_t k = 0; k < e->rank; k++) dim[k] = (size_t)e->dim[k];
  bool as_it_is = !type_named(e->dtype)->widen && e->offset % bnn_dtype_size(e->as) == 0;
  return as_it_is ? view_entry(out, f, e, dim, err) : copy_entry(out, f, e, dim, err);
}

bnn_status bnn_safetensors_tensor(bnn_tensor **out, const bnn_safetensors *f,
                                  const bnn_safetensors_entry *e, bnn_err *err) {
  bnn_status status = read_tensor(out, f, e, err);
  if (status == BNN_OK) return BNN_OK;
  return bnn_fail_within(err, status, "%s: tensor '%s'", f->path, excerpt(e->name).s);
}

/* ---- writing ---- */

typedef struct part {
  const char *name;
  bnn_tensor *x; /* contiguous; a reference of its own */
  const type_row *type;
} part;

static int by_place(const void *a, const void *b) {
  const part *x = a, *y = b;
  if (x->type != y->type) return x->type > y->type ? -1 : 1;
  return strcmp(x->name, y->name);
}

/* Adds a member to an object, which takes over v; NULL stands for v that could not be made. */
static bnn_status add_member(json_t *object, const char *key, json_t *v, bnn_err *err) {
  if (json_object_get(object, key)) {
    json_decref(v);
    return bnn_fail(err, BNN_ERANGE, "'%s' is there twice", excerpt(key).s);
  }
  if (v && json_object_set_new_nocheck(object, key, v) == 0) return BNN_OK;
  return bnn_fail(err, BNN_ENOMEM, "a header with '%s'", excerpt(key).s);
}

/* Whether a text is UTF-8, or memory is too short to tell. */
static bnn_status check_text(const char *text, size_t n, const char *what, bnn_err *err) {
  json_t *checked = json_stringn(text, n);
  if (!checked) {
    checked = json_stringn_nocheck(text, n);
    if (!checked) return bnn_fail(err, BNN_ENOMEM, "a text of %zu bytes", n);
    json_decref(checked);
    return bnn_fail(err, BNN_ERANGE, "%s '%s' is not UTF-8", what, bnn_excerpt_of(text, n).s);
  }
  json_decref(checked);
  return BNN_OK;
}

static json_t *shape_of(const bnn_tensor *x) {
  json_t *shape = json_array();
  for (int k = 0; shape && k < x->rank; k++)
    if (json_array_append_new(shape, json_integer((json_int_t)x->dim[k])) != 0) {
      json_decref(shape);
      shape = NULL;
    }
  return shape;
}

static bnn_status describe(json_t *root, const part *p, uint64_t *at, bnn_err *err) {
  uint64_t end = *at + p->x->size * bnn_dtype_size(p->x->dtype);
  if (strcmp(p->name, METADATA) == 0)
    return bnn_fail(err, BNN_ERANGE, "no tensor can be called '" METADATA "'");
  BNN_TRY(check_text(p->name, strlen(p->name), "the name", err));
  json_t *v = json_pack("{s:s, s:o, s:[I, I]}", "dtype", p->type->name, "shape", shape_of(p->x),
                        "data_offsets", (json_int_t)*at, (json_int_t)end);
  *at = end;
  return add_member(root, p->name, v, err);
}

static bnn_status describe_notes(json_t *root, size_t n, const bnn_safetensors_note *note,
                                 bnn_err *err) {
  json_t *metadata = json_object();
  BNN_TRY(add_member(root, METADATA, metadata, err));
  for (size_t i = 0; i < n; i++) {
    BNN_TRY(check_text(note[i].key, strlen(note[i].key), "the metadata's key", err));
    BNN_TRY(check_text(note[i].value, note[i].length, "the metadata's value", err));
    json_t *v = json_stringn_nocheck(note[i].value, note[i].length);
    BNN_TRY(add_member(metadata, note[i].key, v, err));
  }
  return BNN_OK;
}

static int add_bytes(const char *p, size_t n, void *header) {
  return bnn_bytes_add(header, p, n, NULL) == BNN_OK ? 0 : -1;
}

/* The length, the JSON, and blanks to a multiple of 8. */
static bnn_status print_header(bnn_bytes *header, const json_t *root, bnn_err *err) {
  static const char blanks[] = "        ";
  bool good = add_bytes(blanks, PREFIX, header) == 0 &&
              json_dump_callback(root, add_bytes, header, JSON_COMPACT) == 0 &&
              add_bytes(blanks, (size_t)-header->n % PREFIX, header) == 0;
  if (!good) return bnn_fail(err, BNN_ENOMEM, "a header of %zu tensors", json_object_size(root));
  size_t length = header->n - PREFIX;
  if (length > HEADER_MAX)
    return bnn_fail(err, BNN_ERANGE, "a header of %zu bytes, at most %d are read", length,
                    HEADER_MAX);
  for (int k = 0; k < PREFIX; k++) header->p[k] = (unsigned char)((uint64_t)length >> 8 * k);
  return BNN_OK;
}

static bnn_status make_header(bnn_bytes *header, size_t n, const part *parts, size_t n_notes,
                              const bnn_safetensors_note *note, bnn_err *err) {
  uint64_t at = 0;
  json_t *root = json_object();
  if (!root) return bnn_fail(err, BNN_ENOMEM, "a header of %zu tensors", n);
  bnn_status status = n_notes ? describe_notes(root, n_notes, note, err) : BNN_OK;
  for (size_t i = 0; status == BNN_OK && i < n; i++) status = describe(root, &parts[i], &at, err);
  if (status == BNN_OK) status = print_header(header, root, err);
  json_decref(root);
  return status;
}

static bnn_status write_file(const char *path, const bnn_bytes *header, size_t n, const part *parts,
                             bnn_err *err) {
  bnn_piece *pieces = bnn_mem_alloc(n + 1, sizeof *pieces);
  if (!pieces)
    return bnn_fail(err, BNN_ENOMEM, "%s: a list of %zu tensors", bnn_path_shown(path), n);
  pieces[0] = (bnn_piece){header->p, header->n};
  for (size_t i = 0; i < n; i++) {
    const bnn_tensor *x = parts[i].x;
    pieces[i + 1] = (bnn_piece){x->data, x->size * bnn_dtype_size(x->dtype)};
  }
  bnn_status status = bnn_save(path, pieces, n + 1, err);
  bnn_mem_free(pieces);
  return status;
}

static bnn_status fill_parts(part *parts, size_t n, const char *const *name, bnn_tensor *const *x,
                             bnn_err *err) {
  for (size_t i = 0; i < n; i++) {
    parts[i] = (part){.name = name[i], .type = type_of(x[i]->dtype)};
    BNN_TRY(bnn_tensor_contiguous(&parts[i].x, x[i], err));
  }
  qsort(parts, n, sizeof *parts, by_place);
  return BNN_OK;
}

bnn_status bnn_safetensors_save(const char *path, size_t n, const char *const *name,
                                bnn_tensor *const *x, size_t n_notes,
                                const bnn_safetensors_note *note, bnn_err *err) {
  const char *shown = bnn_path_shown(path);
  bnn_bytes header = {.p = NULL};
  part *parts = bnn_mem_zalloc(n, sizeof *parts);
  if (!parts) return bnn_fail(err, BNN_ENOMEM, "%s: a list of %zu tensors", shown, n);
  bnn_status status = fill_parts(parts, n, name, x, err);
  if (status == BNN_OK) status = make_header(&header, n, parts, n_notes, note, err);
  if (status != BNN_OK)
    bnn_fail_within(err, status, "%s", shown);
  else
    status = write_file(path, &header, n, parts, err);
  for (size_t i = 0; i < n; i++) bnn_tensor_unref(parts[i].x);
  bnn_mem_free(parts);
  bnn_bytes_free(&header);
  return status;
}

#else

#ifdef BNN_HAVE_JANSSON
#define LACK "safetensors files are read and written on little-endian machines only"
#else
#define LACK "this program was built without jansson, which safetensors needs (make deps clean)"
#endif

const char *bnn_safetensors_version(void) { return NULL; }

static bnn_status fail_absent(const char *path, bnn_err *err) {
  return bnn_fail(err, BNN_EIO, "%s: " LACK, bnn_path_shown(path));
}

bnn_status bnn_safetensors_open(bnn_safetensors **out, const char *path, bnn_err *err) {
  (void)out;
  return fail_absent(path, err);
}

bnn_status bnn_safetensors_parse(bnn_safetensors **out, const void *bytes, size_t n,
                                 const char *name, bnn_err *err) {
  (void)out, (void)bytes, (void)n;
  return fail_absent(name, err);
}

const bnn_safetensors_entry *bnn_safetensors_find(const bnn_safetensors *f, const char *name) {
  (void)f, (void)name;
  return NULL;
}

bnn_status bnn_safetensors_tensor(bnn_tensor **out, const bnn_safetensors *f,
                                  const bnn_safetensors_entry *e, bnn_err *err) {
  (void)out, (void)e;
  return fail_absent(f->path, err);
}

bnn_status bnn_safetensors_save(const char *path, size_t n, const char *const *name,
                                bnn_tensor *const *x, size_t n_notes,
                                const bnn_safetensors_note *note, bnn_err *err) {
  (void)n, (void)name, (void)x, (void)n_notes, (void)note;
  return fail_absent(path, err);
}

#endif
