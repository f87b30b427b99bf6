/* idx.c - reading IDX: header first, then exactly the elements it announces, then the end.
 *
 * Elements are read into a block that becomes the tensor's own and are turned around in place. */
#include "idx.h"

#include <stdio.h>
#include <string.h>

#include "../files/bytes.h"
#include "../files/map.h"
#include "../tensor/shape.h"

enum {
  SURPLUS_COUNTED = 1 << 20, /* bytes past the end, before counting them stops */
};

/* X(code, name, bytes in the file, the tensor's type) */
#define TYPE_ROWS(X)         \
  X(0x08, "u8", 1, BNN_U8)   \
  X(0x09, "i8", 1, BNN_I32)  \
  X(0x0b, "i16", 2, BNN_I32) \
  X(0x0c, "i32", 4, BNN_I32) \
  X(0x0d, "f32", 4, BNN_F32) \
  X(0x0e, "f64", 8, BNN_F64)

typedef struct idx_type {
  unsigned char code;
  const char *name;
  size_t bytes;
  bnn_dtype dtype;
} idx_type;

static const idx_type types[] = {
#define X(code, name, bytes, dtype) {code, name, bytes, dtype},
    TYPE_ROWS(X)
#undef X
};

typedef struct idx_header {
  const idx_type *type;
  int rank;
  size_t dim[BNN_RANK_MAX];
  size_t bytes; /* of the elements, in the file */
} idx_header;

/* ---- the header ---- */

/* Reads n bytes of the header, which starts `before` bytes earlier. */
static bnn_status read_header_bytes(bnn_gzip *file, unsigned char *to, size_t before, size_t n,
                                    bnn_err *err) {
  size_t got;
  BNN_TRY(bnn_gzip_read(file, to, n, &got, err));
  if (got == n) return BNN_OK;
  if (before + got == 0) return bnn_fail(err, BNN_EDATA, "%s: holds no data", bnn_gzip_name(file));
  return bnn_fail(err, BNN_EDATA, "%s: ends after %zu bytes, within an IDX header of %s%zu",
                  bnn_gzip_name(file), before + got, before ? "" : "at least ",
                  before ? before + n : 8);
}

static const idx_type *find_type(unsigned char code) {
  for (size_t k = 0; k < sizeof types / sizeof *types; k++)
    if (types[k].code == code) return &types[k];
  return NULL;
}

static bnn_status check_magic(idx_header *h, const unsigned char magic[4], const char *name,
                              bnn_err *err) {
  if (magic[0] != 0 || magic[1] != 0)
    return bnn_fail(err, BNN_EDATA, "%s: starts with %02x %02x %02x %02x, an IDX file with 00 00",
                    name, magic[0], magic[1], magic[2], magic[3]);
  h->type = find_type(magic[2]);
  if (!h->type)
    return bnn_fail(err, BNN_EDATA, "%s: expected type 08, 09, 0b, 0c, 0d or 0e, got %02x", name,
                    magic[2]);
  h->rank = magic[3];
  if (h->rank < 1 || h->rank > BNN_RANK_MAX)
    return bnn_fail(err, BNN_EDATA, "%s: expected 1 to %d dimensions, got %d", name, BNN_RANK_MAX,
                    h->rank);
  return BNN_OK;
}

static uint32_t big_endian(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bnn_status check_dims(idx_header *h, const char *name, bnn_err *err) {
  size_t elements, bytes;
  for (int k = 0; k < h->rank; k++)
    if (h->dim[k] == 0)
      return bnn_fail(err, BNN_EDATA, "%s: %s of %s has no elements", name, BNN_SHAPE(h),
                      h->type->name);
  if (!bnn_shape_size(&elements, h->rank, h->dim) ||
      __builtin_mul_overflow(elements, bnn_dtype_size(h->type->dtype), &bytes) ||
      bytes > PTRDIFF_MAX)
    return bnn_fail(err, BNN_EDATA, "%s: %s of %s is more than memory can address", name,
                    BNN_SHAPE(h), h->type->name);
  h->bytes = elements * h->type->bytes;
  return BNN_OK;
}

static bnn_status read_header(idx_header *h, bnn_gzip *file, bnn_err *err) {
  unsigned char magic[4], dims[4 * BNN_RANK_MAX];
  BNN_TRY(read_header_bytes(file, magic, 0, sizeof magic, err));
  BNN_TRY(check_magic(h, magic, bnn_gzip_name(file), err));
  BNN_TRY(read_header_bytes(file, dims, sizeof magic, 4 * (size_t)h->rank, err));
  for (int k = 0; k < h->rank; k++) h->dim[k] = big_endian(dims + 4 * k);
  return check_dims(h, bnn_gzip_name(file), err);
}

/* ---- the elements ---- */

static bnn_status check_end(bnn_gzip *file, const idx_header *h, bnn_err *err) {
  size_t surplus = 0, got;
  do {
    unsigned char rest[512];
    BNN_TRY(bnn_gzip_read(file, rest, sizeof rest, &got, err));
    surplus += got;
  } while (got != 0 && surplus < SURPLUS_COUNTED);
  if (surplus == 0) return BNN_OK;
  return bnn_fail(err, BNN_EDATA, "%s: %s%zu bytes follow the %zu that %s of %s takes",
                  bnn_gzip_name(file), got ? "at least " : "", surplus, h->bytes, BNN_SHAPE(h),
                  h->type->name);
}

static bnn_status read_elements(bnn_bytes *b, bnn_gzip *file, const idx_header *h, bnn_err *err) {
  char what[sizeof(bnn_shape_text) + 16];
  bnn_source source = bnn_source_gzip(file);
  snprintf(what, sizeof what, "%s of %s", BNN_SHAPE(h), h->type->name);
  BNN_TRY(bnn_bytes_read(b, &source, h->bytes, what, err));
  return check_end(file, h, err);
}

/* ---- the tensor ---- */

/* Big-endian elements of 4 or 8 bytes to this machine's order, in place. */
static void turn_around(unsigned char *bytes, size_t n, size_t each) {
  for (size_t i = 0; each == 4 && i < n; i++) {
    uint32_t v = big_endian(bytes + 4 * i);
    memcpy(bytes + 4 * i, &v, 4);
  }
  for (size_t i = 0; each == 8 && i < n; i++) {
    uint64_t v = (uint64_t)big_endian(bytes + 8 * i) << 32 | big_endian(bytes + 8 * i + 4);
    memcpy(bytes + 8 * i, &v, 8);
  }
}

/* i8 and i16 to i32. */
static void widen(int32_t *y, const unsigned char *bytes, size_t n, size_t each) {
  for (size_t i = 0; each == 1 && i < n; i++) y[i] = (int8_t)bytes[i];
  for (size_t i = 0; each == 2 && i < n; i++)
    y[i] = (int16_t)((uint16_t)bytes[2 * i] << 8 | bytes[2 * i + 1]);
}

static bnn_status widened(bnn_tensor **out, const bnn_bytes *b, const idx_header *h, bnn_err *err) {
  bnn_tensor *x = NULL;
  BNN_TRY(bnn_tensor_new(&x, h->type->dtype, h->rank, h->dim, err));
  widen(x->data, b->p, x->size, h->type->bytes);
  *out = x;
  return BNN_OK;
}

/* A tensor that owns b's bytes. */
static bnn_status adopt(bnn_tensor **out, bnn_bytes *b, const idx_header *h, bnn_err *err) {
  bnn_tensor *x = NULL;
  BNN_TRY(bnn_tensor_adopt(&x, h->type->dtype, h->rank, h->dim, b->p, b->p, NULL, err));
  turn_around(b->p, x->size, h->type->bytes);
  *b = (bnn_bytes){.p = NULL};
  *out = x;
  return BNN_OK;
}

static bnn_status read_tensor(bnn_tensor **out, bnn_bytes *b, bnn_gzip *file, bnn_err *err) {
  idx_header h = {.rank = 0};
  BNN_TRY(read_header(&h, file, err));
  BNN_TRY(read_elements(b, file, &h, err));
  bool same_size = h.type->bytes == bnn_dtype_size(h.type->dtype);
  bnn_status status = same_size ? adopt(out, b, &h, err) : widened(out, b, &h, err);
  return status == BNN_OK ? status : bnn_fail_within(err, status, "%s", bnn_gzip_name(file));
}

static bnn_status read_and_close(bnn_tensor **out, bnn_gzip *file, bnn_err *err) {
  bnn_bytes b = {.p = NULL};
  bnn_status status = read_tensor(out, &b, file, err);
  bnn_bytes_free(&b);
  bnn_gzip_close(file);
  return status;
}

bnn_status bnn_idx_read(bnn_tensor **out, const char *path, bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_open(&file, path, err));
  return read_and_close(out, file, err);
}

bnn_status bnn_idx_parse(bnn_tensor **out, const void *bytes, size_t n, const char *name,
                         bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_memory(&file, bytes, n, name, err));
  return read_and_close(out, file, err);
}

/* ---- mapping ---- */

static bnn_status map_tensor(bnn_tensor **out, bnn_map *map, const char *name, bnn_err *err) {
  bnn_gzip *file = NULL;
  idx_header h = {.rank = 0};
  BNN_TRY(bnn_gzip_memory(&file, map->p, map->n, name, err));
  bnn_status status = read_header(&h, file, err);
  name = bnn_gzip_name(file);
  bnn_gzip_close(file);
  if (status != BNN_OK) return status;
  size_t offset = 4 + 4 * (size_t)h.rank;
  if (h.type->dtype != BNN_U8)
    return bnn_fail(err, BNN_EDATA, "%s: cannot be mapped, only read: it holds %s, not u8", name,
                    h.type->name);
  if (map->n - offset != h.bytes)
    return bnn_fail(err, BNN_EDATA, "%s: has %zu bytes of elements, %s of u8 takes %zu", name,
                    map->n - offset, BNN_SHAPE(&h), h.bytes);
  return bnn_tensor_adopt(out, BNN_U8, h.rank, h.dim, map->p + offset, map, bnn_map_close, err);
}

bnn_status bnn_idx_map(bnn_tensor **out, const char *path, bnn_err *err) {
  bnn_map *map = NULL;
  BNN_TRY(bnn_map_open(&map, path, err));
  bnn_status status = map_tensor(out, map, path, err);
  if (status != BNN_OK) bnn_map_close(map);
  return status;
}

/* ---- images and labels ---- */

enum { QMNIST_COLUMNS = 8 }; /* class, NIST's series, writer and so on */

/* Whether labels are QMNIST's rows, or columns of one number. */
static bool has_label_columns(const bnn_tensor *labels) {
  size_t columns = labels->rank == 2 ? labels->dim[1] : 0;
  return columns == 1 || (columns == QMNIST_COLUMNS && labels->dtype == BNN_I32);
}

static bnn_status check_pair(const bnn_tensor *images, const bnn_tensor *labels,
                             const char *images_path, const char *labels_path, bnn_err *err) {
  if ((images->rank != 3 && images->rank != 4) || images->dtype != BNN_U8)
    return bnn_fail(err, BNN_EDATA,
                    "%s: holds %s of %s, expected images [n, h, w] or [n, h, w, c] of u8",
                    images_path, BNN_SHAPE(images), bnn_dtype_name(images->dtype));
  if (labels->rank != 1 && !has_label_columns(labels))
    return bnn_fail(err, BNN_EDATA,
                    "%s: holds %s of %s, expected labels [n] or [n, 1], or QMNIST's [n, 8] of i32",
                    labels_path, BNN_SHAPE(labels), bnn_dtype_name(labels->dtype));
  if (images->dim[0] != labels->dim[0])
    return bnn_fail(err, BNN_EDATA, "%zu images but %zu labels: %s and %s", images->dim[0],
                    labels->dim[0], images_path, labels_path);
  return BNN_OK;
}

/* Labels as i32 [n]; `raw` has passed check_pair. */
static bnn_status make_labels(bnn_tensor **out, bnn_tensor *raw, const char *path, bnn_err *err) {
  bnn_tensor *column = NULL, *y = NULL;
  if (raw->rank == 1)
    column = bnn_tensor_ref(raw);
  else
    BNN_TRY(bnn_tensor_select(&column, raw, 1, 0, err));
  bnn_status status = bnn_tensor_convert(&y, column, BNN_I32, err);
  bnn_tensor_unref(column);
  if (status == BNN_OK)
    *out = y;
  else if (status == BNN_ERANGE) /* the file is at fault, not an argument */
    status = bnn_fail_within(err, BNN_EDATA, "%s: labels are whole numbers", path);
  return status;
}

bnn_status bnn_idx_read_pair(bnn_tensor **images, bnn_tensor **labels, const char *images_path,
                             const char *labels_path, bnn_err *err) {
  bnn_tensor *x = NULL, *raw = NULL, *y = NULL;
  bnn_status status = bnn_idx_read(&x, images_path, err);
  if (status == BNN_OK) status = bnn_idx_read(&raw, labels_path, err);
  if (status == BNN_OK) status = check_pair(x, raw, images_path, labels_path, err);
  if (status == BNN_OK) status = make_labels(&y, raw, labels_path, err);
  bnn_tensor_unref(raw);
  if (status != BNN_OK) {
    bnn_tensor_unref(x);
    return status;
  }
  *images = x;
  *labels = y;
  return BNN_OK;
}

bnn_status bnn_idx_check_labels(const bnn_tensor *labels, size_t classes, const char *labels_path,
                                bnn_err *err) {
  for (size_t i = 0; i < labels->size; i++) {
    int64_t label = bnn_tensor_get_int(labels, i);
    if (label < 0 || (uint64_t)label >= classes)
      return bnn_fail(err, BNN_ERANGE, "%s: label %zu: expected 0 to %lld, got %lld", labels_path,
                      i + 1, (long long)classes - 1, (long long)label);
  }
  return BNN_OK;
}
