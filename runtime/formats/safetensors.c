/* safetensors.c - reading and writing safetensors.
 *
 * A header goes value by value into a list of entries, in time n log n.  The checks are those of
 * the format's reference reader, and names that come twice are refused, which it lets pass. */
#include "safetensors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../files/bytes.h"
#include "../files/map.h"
#include "../files/save.h"
#include "../tensor/shape.h"
#include "half.h"
#include "json.h"
#include "safetensors_sums.h"

void bnn_safetensors_close(bnn_safetensors *f) {
  if (!f) return;
  bnn_file_close(&f->file);
  bnn_tensor_unref(f->bytes);
  bnn_mem_free(f->entry);
  bnn_mem_free(f->note);
  bnn_mem_free(f->dims);
  bnn_mem_free(f->text);
  bnn_mem_free(f);
}

#if defined(BNN_HAVE_JANSSON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define METADATA "__metadata__"

enum {
  PREFIX = 8,
  HEADER_MAX = 100000000, /* bytes; the reference reader's limit */
  RANK_MAX = 64,          /* dims that are listed; PyTorch and NumPy have no more */
  NOTES_MAX = 1 << 20,    /* of metadata: each of 6 bytes is a hundred in a table of Lua's */
  BLOCK = 1 << 16,        /* bytes that are read and summed at a time, a multiple of every type */
};

const char *bnn_safetensors_version(void) { return bnn_json_version(); }

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

/* The n bytes at a position of the file. */
static bnn_status read_bytes(const bnn_safetensors *f, void *to, size_t n, uint64_t at,
                             bnn_err *err) {
  if (!f->bytes) return bnn_file_read(&f->file, to, n, at, "the file", err);
  if (n) memcpy(to, (const unsigned char *)f->bytes->data + at, n);
  return BNN_OK;
}

static uint64_t size_of_file(const bnn_safetensors *f) {
  return f->bytes ? f->bytes->size : f->file.size;
}

/* The header's length, when the file has room for it. */
static bnn_status read_length(size_t *out, const bnn_safetensors *f, bnn_err *err) {
  unsigned char p[PREFIX];
  uint64_t n = size_of_file(f);
  if (n == 0) return bnn_fail(err, BNN_EDATA, "holds no data");
  if (n < PREFIX)
    return bnn_fail(err, BNN_EDATA, "has %d bytes, a safetensors file at least %d", (int)n, PREFIX);
  BNN_TRY(read_bytes(f, p, PREFIX, 0, err));
  uint64_t length = length_at(p);
  if (length > HEADER_MAX)
    return bnn_fail(err, BNN_EDATA, "a header of %llu bytes is claimed, at most %d are read",
                    (unsigned long long)length, HEADER_MAX);
  if (length > n - PREFIX)
    return bnn_fail(err, BNN_EDATA, "ends after %llu of the %llu bytes of its header",
                    (unsigned long long)(n - PREFIX), (unsigned long long)length);
  *out = (size_t)length;
  return BNN_OK;
}

/* ---- entries ---- */

/* The header while it is read: lists that grow, and texts, which its length bounds. */
typedef struct header_text {
  bnn_json *json;
  bnn_bytes entry, note, dims; /* as bnn_safetensors has them; an entry's dims are set at the end */
  char *text;                  /* where the next text goes */
  bool has_metadata;
} header_text;

/* Appends a copy of a text. */
static const char *keep(header_text *h, const char *text, size_t n) {
  char *kept = h->text;
  memcpy(kept, text, n);
  kept[n] = 0;
  h->text += n + 1;
  return kept;
}

static bnn_status read_dtype(bnn_safetensors_entry *e, header_text *h, bnn_err *err) {
  bnn_json_value v;
  BNN_TRY(bnn_json_read(h->json, &v, err));
  if (v.kind != BNN_JSON_TEXT)
    return bnn_fail(err, BNN_EDATA, "dtype: expected a string, got %s", bnn_json_kind_name(v.kind));
  const type_row *type = type_named(v.text);
  if (!type) return bnn_fail(err, BNN_EDATA, "dtype: '%s' is not known", excerpt(v.text).s);
  e->dtype = type->name;
  e->as = type->as;
  return BNN_OK;
}

/* The integers of an array, at the end of h->dims; *count of them. */
static bnn_status read_sizes(size_t *count, header_text *h, const char *what, bnn_err *err) {
  bnn_json_value v;
  BNN_TRY(bnn_json_read(h->json, &v, err));
  if (v.kind != BNN_JSON_ARRAY)
    return bnn_fail(err, BNN_EDATA, "%s: expected an array, got %s", what,
                    bnn_json_kind_name(v.kind));
  bool more = true;
  for (*count = 0;; ++*count) {
    BNN_TRY(bnn_json_next(h->json, &more, NULL, err));
    if (!more) return BNN_OK;
    if (*count == RANK_MAX)
      return bnn_fail(err, BNN_EDATA, "%s has more than %d numbers", what, RANK_MAX);
    BNN_TRY(bnn_json_read(h->json, &v, err));
    if (v.kind != BNN_JSON_INTEGER || v.integer < 0)
      return bnn_fail(err, BNN_EDATA, "%s: expected integers of at least 0, got %s at %zu", what,
                      v.kind == BNN_JSON_INTEGER ? "a negative one" : bnn_json_kind_name(v.kind),
                      *count + 1);
    uint64_t size = (uint64_t)v.integer;
    BNN_TRY(bnn_bytes_add(&h->dims, &size, sizeof size, err));
  }
}

static bnn_status read_shape(bnn_safetensors_entry *e, header_text *h, bnn_err *err) {
  return read_sizes(&e->rank, h, "shape", err);
}

/* Begin and end; they leave h->dims again. */
static bnn_status read_offsets(bnn_safetensors_entry *e, header_text *h, bnn_err *err) {
  size_t count, before = h->dims.n;
  BNN_TRY(read_sizes(&count, h, "data_offsets", err));
  if (count != 2)
    return bnn_fail(err, BNN_EDATA, "data_offsets: expected 2 numbers, got %zu", count);
  const uint64_t *at = (const uint64_t *)(void *)(h->dims.p + before);
  h->dims.n = before;
  if (at[1] < at[0])
    return bnn_fail(err, BNN_EDATA, "ends at %llu, before it begins, at %llu",
                    (unsigned long long)at[1], (unsigned long long)at[0]);
  e->offset = at[0]; /* in the data; its place in the file when all have been checked */
  e->bytes = at[1] - at[0];
  return BNN_OK;
}

static const struct {
  const char *key, *kind;
  bnn_status (*read)(bnn_safetensors_entry *e, header_text *h, bnn_err *err);
} fields[] = {{"dtype", "a string", read_dtype},
              {"shape", "an array", read_shape},
              {"data_offsets", "an array", read_offsets}};
enum { FIELDS = sizeof fields / sizeof *fields };

/* The value after a key of a description; `seen` has a bit for each field.  Other keys are passed
 * over, as the reference does. */
static bnn_status read_field(bnn_safetensors_entry *e, header_text *h, const char *key,
                             unsigned *seen, bnn_err *err) {
  unsigned k = 0;
  while (k < FIELDS && strcmp(fields[k].key, key) != 0) k++;
  if (k == FIELDS) return bnn_json_skip(h->json, err);
  if (*seen & 1u << k) return bnn_fail(err, BNN_EDATA, "'%s' is there twice", fields[k].key);
  *seen |= 1u << k;
  return fields[k].read(e, h, err);
}

static bnn_status read_fields(bnn_safetensors_entry *e, header_text *h, bnn_err *err) {
  bnn_json_value v;
  unsigned seen = 0;
  BNN_TRY(bnn_json_read(h->json, &v, err));
  if (v.kind != BNN_JSON_OBJECT)
    return bnn_fail(err, BNN_EDATA, "expected an object, got %s", bnn_json_kind_name(v.kind));
  for (bool more = true;;) {
    BNN_TRY(bnn_json_next(h->json, &more, &v, err));
    if (!more) break;
    BNN_TRY(read_field(e, h, v.text, &seen, err));
  }
  for (unsigned k = 0; k < FIELDS; k++)
    if (!(seen & 1u << k))
      return bnn_fail(err, BNN_EDATA, "%s: expected %s, got nothing", fields[k].key,
                      fields[k].kind);
  return BNN_OK;
}

/* Bytes of an entry's elements; dims are multiplied in order, as the reference does. */
static bnn_status size_of(uint64_t *out, const bnn_safetensors_entry *e, const uint64_t *dim,
                          bnn_err *err) {
  uint64_t n = 1;
  bool fits = true;
  for (size_t k = 0; k < e->rank; k++) fits = fits && !__builtin_mul_overflow(n, dim[k], &n);
  if (!fits || __builtin_mul_overflow(n, (uint64_t)type_named(e->dtype)->bits, &n))
    return bnn_fail(err, BNN_EDATA, "its shape is more than a file can hold");
  if (n % 8)
    return bnn_fail(err, BNN_EDATA, "%llu bits of %s are not a whole number of bytes",
                    (unsigned long long)n, e->dtype);
  *out = n / 8;
  return BNN_OK;
}

/* One tensor's description; its dims are appended to h->dims. */
static bnn_status read_entry(bnn_safetensors_entry *e, header_text *h, bnn_err *err) {
  uint64_t size = 0;
  size_t before = h->dims.n;
  BNN_TRY(read_fields(e, h, err));
  const void *dim = h->dims.n == before ? NULL : h->dims.p + before;
  BNN_TRY(size_of(&size, e, dim, err));
  if (size == e->bytes) return BNN_OK;
  return bnn_fail(err, BNN_EDATA, "its shape takes %llu bytes of %s, its offsets leave it %llu",
                  (unsigned long long)size, e->dtype, (unsigned long long)e->bytes);
}

/* ---- the whole header ---- */

static bnn_status read_note(header_text *h, bnn_err *err) {
  bnn_json_value v;
  bnn_safetensors_note *last = (bnn_safetensors_note *)(void *)(h->note.p + h->note.n) - 1;
  BNN_TRY(bnn_json_read(h->json, &v, err));
  if (v.kind != BNN_JSON_TEXT)
    return bnn_fail(err, BNN_EDATA, METADATA ": '%s': expected a string, got %s",
                    excerpt(last->key).s, bnn_json_kind_name(v.kind));
  last->length = v.length;
  last->value = keep(h, v.text, v.length);
  return BNN_OK;
}

static bnn_status read_notes(header_text *h, bnn_err *err) {
  bnn_json_value v;
  if (h->has_metadata) return bnn_fail(err, BNN_EDATA, METADATA " is there twice");
  h->has_metadata = true;
  BNN_TRY(bnn_json_read(h->json, &v, err));
  if (v.kind == BNN_JSON_NULL) return BNN_OK; /* none, as the reference reader has it */
  if (v.kind != BNN_JSON_OBJECT)
    return bnn_fail(err, BNN_EDATA, METADATA ": expected an object, got %s",
                    bnn_json_kind_name(v.kind));
  for (bool more = true;;) {
    BNN_TRY(bnn_json_next(h->json, &more, &v, err));
    if (!more) return BNN_OK;
    if (h->note.n == NOTES_MAX * sizeof(bnn_safetensors_note))
      return bnn_fail(err, BNN_EDATA, METADATA " has more than %d texts", NOTES_MAX);
    bnn_safetensors_note note = {.key = keep(h, v.text, v.length)};
    BNN_TRY(bnn_bytes_add(&h->note, &note, sizeof note, err));
    BNN_TRY(read_note(h, err));
  }
}

static bnn_status read_named(header_text *h, const bnn_json_value *name, bnn_err *err) {
  if (strcmp(name->text, METADATA) == 0) return read_notes(h, err);
  bnn_safetensors_entry e = {.name = keep(h, name->text, name->length)};
  bnn_status status = read_entry(&e, h, err);
  if (status == BNN_OK) status = bnn_bytes_add(&h->entry, &e, sizeof e, err);
  return status == BNN_OK ? status : bnn_fail_within(err, status, "tensor '%s'", excerpt(e.name).s);
}

static bnn_status read_object(header_text *h, bnn_err *err) {
  bnn_json_value v;
  BNN_TRY(bnn_json_read(h->json, &v, err));
  if (v.kind != BNN_JSON_OBJECT)
    return bnn_fail(err, BNN_EDATA, "the header: expected an object, got %s",
                    bnn_json_kind_name(v.kind));
  for (bool more = true;;) {
    BNN_TRY(bnn_json_next(h->json, &more, &v, err));
    if (!more) return bnn_json_end(h->json, err);
    BNN_TRY(read_named(h, &v, err));
  }
}

/* f takes over what h has gathered. */
static void take_over(bnn_safetensors *f, header_text *h) {
  f->entry = (void *)h->entry.p;
  f->n = h->entry.n / sizeof *f->entry;
  f->note = (void *)h->note.p;
  f->n_notes = h->note.n / sizeof *f->note;
  f->dims = (void *)h->dims.p;
  uint64_t *dims = f->dims;
  for (size_t i = 0; i < f->n; i++) {
    f->entry[i].dim = dims;
    if (f->entry[i].rank) dims += f->entry[i].rank;
  }
}

/* `length` bytes of header hold all its texts, each with two quotes for the zero byte here. */
static bnn_status read_json(bnn_safetensors *f, const char *p, size_t length, bnn_err *err) {
  size_t path = strlen(f->path);
  header_text h = {.json = NULL};
  f->text = h.text = bnn_mem_alloc(length + path + 1, 1);
  if (!f->text) return bnn_fail(err, BNN_ENOMEM, "a header of %zu bytes", length);
  f->path = keep(&h, f->path, path);
  BNN_TRY(bnn_json_open(&h.json, p, length, "the header is not JSON", err));
  bnn_status status = read_object(&h, err);
  bnn_json_close(h.json);
  take_over(f, &h);
  return status;
}

/* qsort, which may not be given NULL for nothing. */
static void sort(void *list, size_t n, size_t each, int (*order)(const void *, const void *)) {
  if (n > 1) qsort(list, n, each, order);
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

/* No gaps, no overlap, nothing after the last; offsets become places in the file. */
static bnn_status place_entries(bnn_safetensors *f, size_t begin, bnn_err *err) {
  uint64_t data = size_of_file(f) - begin, at = 0;
  sort(f->entry, f->n, sizeof *f->entry, by_offset);
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

/* Sorts what was read, and refuses names that come twice. */
static bnn_status sort_names(bnn_safetensors *f, bnn_err *err) {
  sort(f->entry, f->n, sizeof *f->entry, by_name);
  sort(f->note, f->n_notes, sizeof *f->note, by_key);
  for (size_t i = 1; i < f->n; i++)
    if (by_name(&f->entry[i - 1], &f->entry[i]) == 0)
      return bnn_fail(err, BNN_EDATA, "tensor '%s' is there twice", excerpt(f->entry[i].name).s);
  for (size_t i = 1; i < f->n_notes; i++)
    if (by_key(&f->note[i - 1], &f->note[i]) == 0)
      return bnn_fail(err, BNN_EDATA, METADATA " has '%s' twice", excerpt(f->note[i].key).s);
  return BNN_OK;
}

/* ---- checksums ---- */

static uint32_t sum_of_header(const bnn_safetensors *f, size_t begin) {
  uint32_t sum = 0;
  for (size_t i = 0; i < f->n; i++) {
    const bnn_safetensors_entry *e = &f->entry[i];
    sum += bnn_sums_tensor(e->name, e->dtype, e->rank, e->dim, e->offset - begin);
  }
  for (size_t i = 0; i < f->n_notes; i++) {
    const bnn_safetensors_note *note = &f->note[i];
    sum += bnn_sums_note(note->key, note->value, note->length);
  }
  return sum;
}

/* Takes the checksums out of the metadata; false when there are none. */
static bool take_sums(bnn_safetensors *f, bnn_safetensors_note *sums) {
  for (size_t i = 0; i < f->n_notes; i++) {
    if (strcmp(f->note[i].key, BNN_SAFETENSORS_SUMS) != 0) continue;
    *sums = f->note[i];
    memmove(&f->note[i], &f->note[i + 1], (--f->n_notes - i) * sizeof *f->note);
    return true;
  }
  return false;
}

/* Checks the header and gives the entries, which are in the order of the file, what they should have.
 * An error may also be due to a program that changed something and kept the metadata. */
static bnn_status check_sums(bnn_safetensors *f, const bnn_safetensors_note *sums, size_t begin,
                             bnn_err *err) {
  uint32_t want = 0, got = sum_of_header(f, begin);
  bool good = bnn_sums_get(&want, sums->value, sums->length, 0, f->n + 1);
  for (size_t i = 0; good && i < f->n; i++) {
    bnn_safetensors_entry *e = &f->entry[i];
    e->has_sum = good = bnn_sums_get(&e->sum, sums->value, sums->length, i + 1, f->n + 1);
  }
  if (!good)
    return bnn_fail(err, BNN_EDATA,
                    "'" BNN_SAFETENSORS_SUMS "' in its metadata is not %zu checksums", f->n + 1);
  if (want == got) return BNN_OK;
  return bnn_fail(err, BNN_EDATA,
                  "its header is damaged, or was changed by a program that kept the checksums "
                  "('" BNN_SAFETENSORS_SUMS "' says %08" PRIx32 ", it has %08" PRIx32 ")",
                  want, got);
}

/* ---- opening ---- */

static bnn_status read_header(bnn_safetensors *f, bool check, bnn_err *err) {
  size_t length = 0;
  bnn_safetensors_note sums;
  BNN_TRY(read_length(&length, f, err));
  char *p = bnn_mem_alloc(length, 1);
  if (!p) return bnn_fail(err, BNN_ENOMEM, "a header of %zu bytes", length);
  bnn_status status = read_bytes(f, p, length, PREFIX, err);
  if (status == BNN_OK) status = read_json(f, p, length, err);
  bnn_mem_free(p);
  BNN_TRY(status);
  BNN_TRY(sort_names(f, err));
  BNN_TRY(place_entries(f, PREFIX + length, err));
  if (take_sums(f, &sums) && check) BNN_TRY(check_sums(f, &sums, PREFIX + length, err));
  sort(f->entry, f->n, sizeof *f->entry, by_name);
  return BNN_OK;
}

/* Takes over `bytes` and `file` in any case. */
static bnn_status open_source(bnn_safetensors **out, bnn_tensor *bytes, bnn_file file,
                              const char *path, bool check, bnn_err *err) {
  const char *shown = bnn_path_shown(path);
  bnn_safetensors *f = bnn_mem_zalloc(1, sizeof *f);
  if (!f) {
    bnn_tensor_unref(bytes);
    bnn_file_close(&file);
    return bnn_fail(err, BNN_ENOMEM, "%s: no memory to open it", shown);
  }
  *f = (bnn_safetensors){.bytes = bytes, .file = file, .path = shown};
  bnn_status status = read_header(f, check, err);
  if (status == BNN_OK) {
    *out = f;
    return BNN_OK;
  }
  bnn_safetensors_close(f);
  return bnn_fail_within(err, status, "%s", shown);
}

static bnn_status open_mapped(bnn_safetensors **out, const char *path, bool check, bnn_err *err) {
  bnn_map *map = NULL;
  bnn_tensor *bytes = NULL;
  BNN_TRY(bnn_map_open_any(&map, path, err)); /* a length of 0x8b1f is no sign of gzip */
  bnn_status status = bnn_tensor_adopt(&bytes, BNN_U8, 1, &map->n, map->p, map, bnn_map_close, err);
  if (status != BNN_OK) {
    bnn_map_close(map);
    return bnn_fail_within(err, status, "%s", bnn_path_shown(path));
  }
  bnn_safetensors *f = NULL;
  BNN_TRY(open_source(&f, bytes, (bnn_file){.fd = -1}, path, check, err));
  for (size_t i = 0; i < f->n; i++) f->entry[i].has_sum = false; /* the file would be read */
  *out = f;
  return BNN_OK;
}

bnn_status bnn_safetensors_open(bnn_safetensors **out, const char *path,
                                const bnn_safetensors_options *how, bnn_err *err) {
  bnn_file file;
  bool check = !how || !how->unchecked;
  if (how && how->map) return open_mapped(out, path, check, err);
  BNN_TRY(bnn_file_open(&file, path, err));
  return open_source(out, NULL, file, path, check, err);
}

bnn_status bnn_safetensors_parse(bnn_safetensors **out, const void *bytes, size_t n,
                                 const char *name, bnn_err *err) {
  bnn_tensor *copy = NULL;
  bnn_status status = bnn_tensor_new(&copy, BNN_U8, 1, &n, err);
  if (status != BNN_OK) return bnn_fail_within(err, status, "%s", bnn_path_shown(name));
  if (n) memcpy(copy->data, bytes, n);
  return open_source(out, copy, (bnn_file){.fd = -1}, name, true, err);
}

const bnn_safetensors_entry *bnn_safetensors_find(const bnn_safetensors *f, const char *name) {
  bnn_safetensors_entry wanted = {.name = name};
  if (f->n == 0) return NULL;
  return bsearch(&wanted, f->entry, f->n, sizeof *f->entry, by_name);
}

/* ---- tensors ---- */

static void unref(void *tensor) { bnn_tensor_unref(tensor); }

static bnn_status check_sum(const bnn_safetensors_entry *e, uint32_t sum, bnn_err *err) {
  if (!e->has_sum || e->sum == sum) return BNN_OK;
  return bnn_fail(err, BNN_EDATA,
                  "its data are damaged, or were changed by a program that kept the checksums "
                  "(expected CRC-32 %08" PRIx32 ", got %08" PRIx32 ")",
                  e->sum, sum);
}

/* Over the file's bytes, which it keeps alive. */
static bnn_status view_entry(bnn_tensor **out, const bnn_safetensors *f,
                             const bnn_safetensors_entry *e, const size_t *dim, bnn_err *err) {
  unsigned char *data = (unsigned char *)f->bytes->data + e->offset;
  if (e->has_sum) BNN_TRY(check_sum(e, bnn_sums_data(0, data, (size_t)e->bytes), err));
  if (f->bytes->release == bnn_map_close) { /* so that it can be told for one over a map */
    BNN_TRY(
        bnn_tensor_adopt(out, e->as, (int)e->rank, dim, data, f->bytes->block, bnn_map_close, err));
    bnn_map_ref(f->bytes->block);
    return BNN_OK;
  }
  BNN_TRY(bnn_tensor_adopt(out, e->as, (int)e->rank, dim, data, f->bytes, unref, err));
  bnn_tensor_ref(f->bytes);
  return BNN_OK;
}

/* Fills x with the elements of e, block by block: each is summed while it is in the cache. */
static bnn_status fill_tensor(bnn_tensor *x, const bnn_safetensors *f,
                              const bnn_safetensors_entry *e, bnn_err *err) {
  unsigned char block[BLOCK], *y = x->data;
  const type_row *type = type_named(e->dtype);
  uint32_t sum = 0;
  for (uint64_t at = 0; at < e->bytes; at += BLOCK) {
    size_t n = e->bytes - at < BLOCK ? (size_t)(e->bytes - at) : BLOCK, each = type->bits / 8;
    unsigned char *p = type->widen ? block : y;
    BNN_TRY(read_bytes(f, p, n, e->offset + at, err));
    if (e->has_sum) sum = bnn_sums_data(sum, p, n);
    if (type->widen) type->widen(y, p, n / each);
    y += n / each * bnn_dtype_size(e->as);
  }
  return check_sum(e, sum, err);
}

static bnn_status copy_entry(bnn_tensor **out, const bnn_safetensors *f,
                             const bnn_safetensors_entry *e, const size_t *dim, bnn_err *err) {
  bnn_tensor *x = NULL;
  BNN_TRY(bnn_tensor_new(&x, e->as, (int)e->rank, dim, err));
  bnn_status status = fill_tensor(x, f, e, err);
  if (status == BNN_OK)
    *out = x;
  else
    bnn_tensor_unref(x);
  return status;
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
  bool is_there =
      f->bytes && !type_named(e->dtype)->widen && e->offset % bnn_dtype_size(e->as) == 0;
  return is_there ? view_entry(out, f, e, dim, err) : copy_entry(out, f, e, dim, err);
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

static size_t bytes_of_part(const part *p) { return p->x->size * bnn_dtype_size(p->x->dtype); }

/* Adds printf's text, of up to 99 bytes. */
static bnn_status put(bnn_bytes *header, bnn_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bnn_status put(bnn_bytes *header, bnn_err *err, const char *format, ...) {
  char text[100];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return bnn_bytes_add(header, text, (size_t)n, err);
}

/* A text in quotes; `what` stands in errors. */
static bnn_status put_text(bnn_bytes *header, const char *text, size_t n, const char *what,
                           bnn_err *err) {
  bnn_status status = bnn_json_put_text(header, text, n, err);
  if (status != BNN_ERANGE) return status;
  return bnn_fail(err, status, "%s '%s' is not UTF-8", what, bnn_excerpt_of(text, n).s);
}

static bnn_status put_notes(bnn_bytes *header, size_t n, const bnn_safetensors_note *note,
                            bnn_err *err) {
  BNN_TRY(put(header, err, "\"" METADATA "\":{"));
  for (size_t i = 0; i < n; i++) {
    if (i) BNN_TRY(put(header, err, ","));
    BNN_TRY(put_text(header, note[i].key, strlen(note[i].key), "the metadata's key", err));
    BNN_TRY(put(header, err, ":"));
    BNN_TRY(put_text(header, note[i].value, note[i].length, "the metadata's value", err));
  }
  return put(header, err, "}");
}

static bnn_status put_entry(bnn_bytes *header, const part *p, uint64_t *at, bnn_err *err) {
  uint64_t end = *at + bytes_of_part(p);
  if (strcmp(p->name, METADATA) == 0)
    return bnn_fail(err, BNN_ERANGE, "no tensor can be called '" METADATA "'");
  BNN_TRY(put_text(header, p->name, strlen(p->name), "the name", err));
  BNN_TRY(put(header, err, ":{\"dtype\":\"%s\",\"shape\":[", p->type->name));
  for (int k = 0; k < p->x->rank; k++) BNN_TRY(put(header, err, k ? ",%zu" : "%zu", p->x->dim[k]));
  BNN_TRY(put(header, err, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", *at, end));
  *at = end;
  return BNN_OK;
}

static bnn_status put_object(bnn_bytes *header, size_t n, const part *parts, size_t n_notes,
                             const bnn_safetensors_note *note, bnn_err *err) {
  uint64_t at = 0;
  BNN_TRY(put(header, err, "{"));
  if (n_notes) BNN_TRY(put_notes(header, n_notes, note, err));
  for (size_t i = 0; i < n; i++) {
    if (i || n_notes) BNN_TRY(put(header, err, ","));
    BNN_TRY(put_entry(header, &parts[i], &at, err));
  }
  return put(header, err, "}");
}

/* The length, the JSON, and blanks to a multiple of 8. */
static bnn_status make_header(bnn_bytes *header, size_t n, const part *parts, size_t n_notes,
                              const bnn_safetensors_note *note, bnn_err *err) {
  static const char blanks[] = "        ";
  BNN_TRY(bnn_bytes_add(header, blanks, PREFIX, err));
  BNN_TRY(put_object(header, n, parts, n_notes, note, err));
  BNN_TRY(bnn_bytes_add(header, blanks, (size_t)-header->n % PREFIX, err));
  size_t length = header->n - PREFIX;
  if (length > HEADER_MAX)
    return bnn_fail(err, BNN_ERANGE, "a header of %zu bytes, at most %d are read", length,
                    HEADER_MAX);
  for (int k = 0; k < PREFIX; k++) header->p[k] = (unsigned char)((uint64_t)length >> 8 * k);
  return BNN_OK;
}

/* The text of the checksums; sums the elements on the way. */
static bnn_status print_sums(bnn_bytes *text, size_t n, const part *parts, size_t n_notes,
                             const bnn_safetensors_note *note, bnn_err *err) {
  uint64_t dim[BNN_RANK_MAX], at = 0;
  uint32_t header = 0;
  for (size_t i = 0; i < n; i++) {
    const part *p = &parts[i];
    for (int k = 0; k < p->x->rank; k++) dim[k] = p->x->dim[k];
    header += bnn_sums_tensor(p->name, p->type->name, (size_t)p->x->rank, dim, at);
    at += bytes_of_part(p);
  }
  for (size_t i = 0; i < n_notes; i++)
    header += bnn_sums_note(note[i].key, note[i].value, note[i].length);
  BNN_TRY(bnn_sums_put(text, header, err));
  for (size_t i = 0; i < n; i++)
    BNN_TRY(bnn_sums_put(text, bnn_sums_data(0, parts[i].x->data, bytes_of_part(&parts[i])), err));
  return BNN_OK;
}

/* The notes and one more, the checksums in `text`. */
static bnn_status add_sums(bnn_safetensors_note **out, bnn_bytes *text, size_t n, const part *parts,
                           size_t n_notes, const bnn_safetensors_note *note, bnn_err *err) {
  BNN_TRY(print_sums(text, n, parts, n_notes, note, err));
  bnn_safetensors_note *all = bnn_mem_alloc(n_notes + 1, sizeof *all);
  if (!all) return bnn_fail(err, BNN_ENOMEM, "a list of %zu texts", n_notes + 1);
  if (n_notes) memcpy(all, note, n_notes * sizeof *all);
  all[n_notes] = (bnn_safetensors_note){
      .key = BNN_SAFETENSORS_SUMS, .value = (const char *)text->p, .length = text->n};
  *out = all;
  return BNN_OK;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the texts. */
static bnn_status check_distinct(const char **text, size_t n, bnn_err *err) {
  sort(text, n, sizeof *text, by_text);
  for (size_t i = 1; i < n; i++)
    if (strcmp(text[i - 1], text[i]) == 0)
      return bnn_fail(err, BNN_ERANGE, "'%s' is there twice", excerpt(text[i]).s);
  return BNN_OK;
}

static bnn_status check_names(size_t n, const char *const *name, size_t n_notes,
                              const bnn_safetensors_note *note, bnn_err *err) {
  const char **text = bnn_mem_alloc(n + n_notes, sizeof *text);
  if (!text) return bnn_fail(err, BNN_ENOMEM, "a list of %zu names", n + n_notes);
  for (size_t i = 0; i < n; i++) text[i] = name[i];
  for (size_t i = 0; i < n_notes; i++) text[n + i] = note[i].key;
  bnn_status status = check_distinct(text, n, err);
  if (status == BNN_OK) status = check_distinct(text + n, n_notes, err);
  bnn_mem_free(text);
  return status;
}

static bnn_status write_file(const char *path, const bnn_bytes *header, size_t n, const part *parts,
                             bnn_err *err) {
  bnn_save_part *spans = bnn_mem_alloc(n + 1, sizeof *spans);
  if (!spans)
    return bnn_fail(err, BNN_ENOMEM, "%s: a list of %zu tensors", bnn_path_shown(path), n);
  spans[0] = (bnn_save_part){header->p, header->n};
  for (size_t i = 0; i < n; i++)
    spans[i + 1] = (bnn_save_part){parts[i].x->data, bytes_of_part(&parts[i])};
  bnn_status status = bnn_save(path, spans, n + 1, err);
  bnn_mem_free(spans);
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

/* The header of parts, whose names are `name` in another order. */
static bnn_status describe(bnn_bytes *header, size_t n, const part *parts, const char *const *name,
                           size_t n_notes, const bnn_safetensors_note *note, bool checksums,
                           bnn_err *err) {
  bnn_bytes text = {.p = NULL};
  bnn_safetensors_note *all = NULL;
  bnn_status status = checksums ? add_sums(&all, &text, n, parts, n_notes, note, err) : BNN_OK;
  if (all) {
    note = all;
    n_notes++;
  }
  if (status == BNN_OK) status = check_names(n, name, n_notes, note, err);
  if (status == BNN_OK) status = make_header(header, n, parts, n_notes, note, err);
  bnn_mem_free(all);
  bnn_bytes_free(&text);
  return status;
}

bnn_status bnn_safetensors_save(const char *path, size_t n, const char *const *name,
                                bnn_tensor *const *x, size_t n_notes,
                                const bnn_safetensors_note *note, bool checksums, bnn_err *err) {
  const char *shown = bnn_path_shown(path);
  bnn_bytes header = {.p = NULL};
  part *parts = bnn_mem_zalloc(n, sizeof *parts);
  if (!parts) return bnn_fail(err, BNN_ENOMEM, "%s: a list of %zu tensors", shown, n);
  bnn_status status = fill_parts(parts, n, name, x, err);
  if (status == BNN_OK) status = describe(&header, n, parts, name, n_notes, note, checksums, err);
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

bnn_status bnn_safetensors_open(bnn_safetensors **out, const char *path,
                                const bnn_safetensors_options *how, bnn_err *err) {
  (void)out, (void)how;
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
                                const bnn_safetensors_note *note, bool checksums, bnn_err *err) {
  (void)n, (void)name, (void)x, (void)n_notes, (void)note, (void)checksums;
  return fail_absent(path, err);
}

#endif
