/* image_png.c - PNG through libpng.
 *
 * libpng reports errors by longjmp.  It is called from small functions without locals that matter,
 * through `guarded`, which is where it lands; all that must be freed stands in the state.  Its
 * memory comes from bnn_mem, so that tests see leaks and can make each allocation fail. */
#include "image_png.h"

#ifdef BNN_HAVE_LIBPNG
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "../base/mem.h"
#include "../files/save.h"
#include "../tensor/shape.h"

enum {
  SIDE_MAX = 1 << 15,
  PIXELS_MAX = 1 << 28,
  DEFLATE_RATIO = 1032,    /* bytes at most that a deflated byte stands for */
  EXPANDED_FREE = 1 << 26, /* bytes of pixels that a file of any size may have */
  SIGNATURE = 8,
};

const char *bnn_png_version(void) { return png_get_libpng_ver(NULL); }

/* An image that is being read or written. */
typedef struct job {
  const char *name;
  bnn_gzip *file;   /* read from */
  bnn_bytes *bytes; /* written to */
  png_structp png;
  png_infop info;
  png_uint_32 w, h;
  int depth, color; /* as in the file */
  size_t channels;  /* of the rows that pass */
  bnn_tensor *x;    /* [h, w, channels]; NULL where the pixels are the caller's */
  unsigned char *pixels;
  bool out_of_memory;
  bnn_status status; /* of a read that failed; then *err says why */
  bnn_err *err;
  char text[100]; /* what libpng says */
} job;

/* ---- what libpng calls ---- */

static void png_failed(png_structp png, png_const_charp text) {
  job *j = png_get_error_ptr(png);
  snprintf(j->text, sizeof j->text, "%s", text);
  png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp text) { (void)png, (void)text; }

static png_voidp png_allocate(png_structp png, png_alloc_size_t n) {
  job *j = png_get_mem_ptr(png);
  void *p = bnn_mem_alloc(n, 1);
  if (!p) j->out_of_memory = true;
  return p;
}

static void png_release(png_structp png, png_voidp p) {
  (void)png;
  bnn_mem_free(p);
}

static void read_some(png_structp png, png_bytep to, size_t n) {
  job *j = png_get_io_ptr(png);
  size_t got = 0;
  j->status = bnn_gzip_read(j->file, to, n, &got, j->err);
  if (j->status != BNN_OK) png_error(png, "read error");
  if (got < n) png_error(png, "the file is cut short");
}

static void write_some(png_structp png, png_bytep from, size_t n) {
  job *j = png_get_io_ptr(png);
  if (bnn_bytes_add(j->bytes, from, n, NULL) == BNN_OK) return;
  j->out_of_memory = true;
  png_error(png, "no memory");
}

static void flush_nothing(png_structp png) { (void)png; }

/* Runs f, which calls libpng; false when that gave an error. */
static bool guarded(job *j, void (*f)(job *j)) {
  if (setjmp(png_jmpbuf(j->png))) return false;
  f(j);
  return true;
}

static bnn_status fail_memory(const job *j, bnn_err *err) {
  return bnn_fail(err, BNN_ENOMEM, "%s: no memory for the image", j->name);
}

/* The status after libpng has failed. */
static bnn_status fail_png(const job *j, bnn_err *err) {
  if (j->out_of_memory) return fail_memory(j, err);
  if (j->status != BNN_OK) return j->status;
  return bnn_fail(err, BNN_EDATA, "%s: %s", j->name, j->text);
}

/* ---- reading ---- */

/* Chunks that the pixels do not need (texts, profiles, times, private ones) are passed over, however
 * long they are: libpng would take what a length claims, or 8 MB for each of a thousand of them. */
static void skip_ancillary(png_structp png) {
#ifdef PNG_HANDLE_AS_UNKNOWN_SUPPORTED
  enum { ALL_BUT_TRNS = -1 };
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, ALL_BUT_TRNS);
  png_set_chunk_malloc_max(png, 0); /* none is kept: no limit that would refuse their lengths */
#else
  png_set_chunk_cache_max(png, 1);
  png_set_chunk_malloc_max(png, 1 << 16);
#endif
}

static void read_header(job *j) {
  png_set_read_fn(j->png, j, read_some);
  png_set_sig_bytes(j->png, SIGNATURE);
  skip_ancillary(j->png);
  png_set_user_limits(j->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours are checked after this */
  png_read_info(j->png, j->info);
  png_get_IHDR(j->png, j->info, &j->w, &j->h, &j->depth, &j->color, NULL, NULL, NULL);
}

/* Whether the file is long enough for its pixels, before they have memory. */
static bnn_status check_size(const job *j, bnn_err *err) {
  uint64_t bits = (uint64_t)j->depth * png_get_channels(j->png, j->info);
  uint64_t bytes = ((uint64_t)j->w * bits + 7) / 8 * j->h, size = bnn_gzip_size(j->file);
  if (j->w > SIDE_MAX || j->h > SIDE_MAX || (uint64_t)j->w * j->h > PIXELS_MAX)
    return bnn_fail(err, BNN_EDATA, "%s: %lu x %lu pixels, at most %d x %d and %d in all are read",
                    j->name, (unsigned long)j->w, (unsigned long)j->h, SIDE_MAX, SIDE_MAX,
                    PIXELS_MAX);
  if (size != 0 && bytes / DEFLATE_RATIO > size)
    return bnn_fail(err, BNN_EDATA, "%s: %lu x %lu pixels cannot come from %llu bytes", j->name,
                    (unsigned long)j->w, (unsigned long)j->h, (unsigned long long)size);
  return BNN_OK;
}

/* Whatever the file has becomes 8 bits of grey or RGB, with or without alpha. */
static void set_transforms(job *j) {
  png_set_expand(j->png);
  png_set_scale_16(j->png);
  png_set_interlace_handling(j->png);
  png_read_update_info(j->png, j->info);
  j->channels = png_get_channels(j->png, j->info);
}

/* Bits become bytes and palettes colours: what a small file makes of that has its limit too. */
static bnn_status check_expanded(const job *j, bnn_err *err) {
  uint64_t bytes = (uint64_t)j->w * j->h * j->channels, size = bnn_gzip_size(j->file);
  if (size == 0 || bytes <= EXPANDED_FREE || bytes / DEFLATE_RATIO <= size) return BNN_OK;
  return bnn_fail(err, BNN_EDATA,
                  "%s: %lu x %lu pixels of %zu bytes are more than %d for each byte of the file",
                  j->name, (unsigned long)j->w, (unsigned long)j->h, j->channels, DEFLATE_RATIO);
}

static unsigned char *row_of(const job *j, size_t y) { return j->pixels + y * j->w * j->channels; }

static void read_rows(job *j) {
  int passes = png_set_interlace_handling(j->png);
  for (int pass = 0; pass < passes; pass++)
    for (size_t y = 0; y < j->h; y++) png_read_row(j->png, row_of(j, y), NULL);
  png_read_end(j->png, NULL);
}

/* Not cleared: pages get memory as rows arrive, and each row does or the image is refused. */
static bnn_status make_pixels(job *j, bnn_err *err) {
  const size_t dim[] = {j->h, j->w, j->channels};
  j->pixels = bnn_mem_alloc(dim[0] * dim[1], dim[2]);
  if (!j->pixels) return fail_memory(j, err);
  bnn_status status = bnn_tensor_adopt(&j->x, BNN_U8, 3, dim, j->pixels, j->pixels, NULL, err);
  if (status != BNN_OK) bnn_mem_free(j->pixels);
  return status;
}

static bnn_status read_pixels(job *j, bnn_err *err) {
  if (!guarded(j, read_header)) return fail_png(j, err);
  BNN_TRY(check_size(j, err));
  if (!guarded(j, set_transforms)) return fail_png(j, err);
  BNN_TRY(check_expanded(j, err));
  BNN_TRY(make_pixels(j, err));
  if (!guarded(j, read_rows) || j->out_of_memory) return fail_png(j, err);
  return BNN_OK;
}

static bnn_status check_signature(job *j, bnn_err *err) {
  unsigned char s[SIGNATURE] = {0};
  size_t got;
  BNN_TRY(bnn_gzip_read(j->file, s, sizeof s, &got, err));
  if (got == 0) return bnn_fail(err, BNN_EDATA, "%s: holds no data", j->name);
  if (got < sizeof s || png_sig_cmp(s, 0, sizeof s) != 0)
    return bnn_fail(err, BNN_EDATA, "%s: starts with %02x %02x %02x %02x, a PNG with 89 50 4e 47",
                    j->name, s[0], s[1], s[2], s[3]);
  return BNN_OK;
}

static bnn_status read_image(job *j, bnn_err *err) {
  BNN_TRY(check_signature(j, err));
  j->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, j, png_failed, png_warned, j,
                                    png_allocate, png_release);
  if (j->png) j->info = png_create_info_struct(j->png);
  bnn_status status = j->info ? read_pixels(j, err) : fail_memory(j, err);
  png_destroy_read_struct(&j->png, &j->info, NULL);
  return status;
}

/* ---- grey and colour ---- */

/* v with opacity a of 255 over white. */
static unsigned over_white(unsigned v, unsigned a) { return (v * a + 255 * (255 - a) + 127) / 255; }

/* n pixels of c channels, 1 to 4, to RGB. */
static void to_rgb(uint8_t *restrict y, const uint8_t *restrict x, size_t n, size_t c) {
  for (size_t i = 0; i < n; i++, x += c)
    for (size_t k = 0; k < 3; k++) {
      unsigned v = x[c < 3 ? 0 : k];
      y[3 * i + k] = (uint8_t)(c % 2 == 0 ? over_white(v, x[c - 1]) : v);
    }
}

/* The same to grey. */
static void to_grey(uint8_t *restrict y, const uint8_t *restrict x, size_t n, size_t c) {
  for (size_t i = 0; i < n; i++, x += c) {
    unsigned v = x[0];
    if (c >= 3) v = (19595u * x[0] + 38470u * x[1] + 7471u * x[2] + 0x8000) >> 16;
    y[i] = (uint8_t)(c % 2 == 0 ? over_white(v, x[c - 1]) : v);
  }
}

static bnn_status convert(bnn_tensor **out, bnn_tensor *x, bnn_png_as as, bnn_err *err) {
  if (as == BNN_PNG_AS_IS) {
    *out = bnn_tensor_ref(x);
    return BNN_OK;
  }
  bnn_tensor *y = NULL;
  BNN_TRY(bnn_tensor_new(&y, BNN_U8, as == BNN_PNG_GREY ? 2 : 3,
                         (size_t[]){x->dim[0], x->dim[1], 3}, err));
  (as == BNN_PNG_GREY ? to_grey : to_rgb)(y->data, x->data, x->dim[0] * x->dim[1], x->dim[2]);
  *out = y;
  return BNN_OK;
}

static bnn_status read_and_close(bnn_tensor **out, bnn_gzip *file, bnn_png_as as, bnn_err *err) {
  job j = {.name = bnn_gzip_name(file), .file = file, .err = err};
  bnn_status status = read_image(&j, err);
  if (status == BNN_OK) status = convert(out, j.x, as, err);
  bnn_tensor_unref(j.x);
  bnn_gzip_close(file);
  return status;
}

bnn_status bnn_png_read(bnn_tensor **out, const char *path, bnn_png_as as, bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_open(&file, path, err));
  return read_and_close(out, file, as, err);
}

bnn_status bnn_png_parse(bnn_tensor **out, const void *bytes, size_t n, const char *name,
                         bnn_png_as as, bnn_err *err) {
  bnn_gzip *file = NULL;
  BNN_TRY(bnn_gzip_memory(&file, bytes, n, name, err));
  return read_and_close(out, file, as, err);
}

/* ---- writing ---- */

static bnn_status check_image(const bnn_tensor *x, bnn_err *err) {
  if (x->dtype != BNN_U8)
    return bnn_fail(err, BNN_ETYPE, "expected an image of u8, got %s", bnn_dtype_name(x->dtype));
  bool fits = x->rank == 2 || (x->rank == 3 && x->dim[2] >= 1 && x->dim[2] <= 4);
  if (!fits || x->size == 0)
    return bnn_fail(err, BNN_ESHAPE, "expected an image [h, w] or [h, w, 1 to 4], got %s",
                    BNN_SHAPE(x));
  if (x->dim[0] > SIDE_MAX || x->dim[1] > SIDE_MAX || x->dim[0] * x->dim[1] > PIXELS_MAX)
    return bnn_fail(err, BNN_ESHAPE, "expected an image of at most %d x %d and %d pixels, got %s",
                    SIDE_MAX, SIDE_MAX, PIXELS_MAX, BNN_SHAPE(x));
  return BNN_OK;
}

static void write_image(job *j) {
  static const int color[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                              PNG_COLOR_TYPE_RGB_ALPHA};
  png_set_write_fn(j->png, j, write_some, flush_nothing);
  png_set_IHDR(j->png, j->info, j->w, j->h, 8, color[j->channels - 1], PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(j->png, j->info);
  for (size_t y = 0; y < j->h; y++) png_write_row(j->png, row_of(j, y));
  png_write_end(j->png, NULL);
}

static bnn_status encode(job *j, bnn_err *err) {
  j->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, j, png_failed, png_warned, j,
                                     png_allocate, png_release);
  if (j->png) j->info = png_create_info_struct(j->png);
  bnn_status status = BNN_OK;
  if (!j->info)
    status = bnn_fail(err, BNN_ENOMEM, "%s: no memory for it", j->name);
  else if (!guarded(j, write_image) || j->out_of_memory)
    status = fail_png(j, err);
  png_destroy_write_struct(&j->png, &j->info);
  return status;
}

bnn_status bnn_png_encode(bnn_bytes *out, const bnn_tensor *x, bnn_err *err) {
  BNN_TRY(check_image(x, err));
  size_t before = out->n;
  job j = {.name = "an image", .bytes = out, .err = err};
  j.h = (png_uint_32)x->dim[0];
  j.w = (png_uint_32)x->dim[1];
  j.channels = x->rank == 3 ? x->dim[2] : 1;
  if (!bnn_tensor_is_contiguous(x)) BNN_TRY(bnn_tensor_clone(&j.x, x, err));
  j.pixels = j.x ? j.x->data : x->data;
  bnn_status status = encode(&j, err);
  bnn_tensor_unref(j.x);
  if (status != BNN_OK) out->n = before;
  return status;
}

bnn_status bnn_png_write(const char *path, const bnn_tensor *x, bnn_err *err) {
  bnn_bytes b = {.p = NULL};
  bnn_status status = bnn_png_encode(&b, x, err);
  if (status != BNN_OK)
    bnn_fail_within(err, status, "%s", bnn_path_shown(path));
  else
    status = bnn_save(path, &(bnn_save_part){b.p, b.n}, 1, err);
  bnn_bytes_free(&b);
  return status;
}

#else

const char *bnn_png_version(void) { return NULL; }

static bnn_status fail_absent(const char *name, bnn_err *err) {
  return bnn_fail(err, BNN_EIO,
                  "%s: this program was built without libpng, which PNG needs (make deps clean)",
                  bnn_path_shown(name));
}

bnn_status bnn_png_read(bnn_tensor **out, const char *path, bnn_png_as as, bnn_err *err) {
  (void)out, (void)as;
  return fail_absent(path, err);
}

bnn_status bnn_png_parse(bnn_tensor **out, const void *bytes, size_t n, const char *name,
                         bnn_png_as as, bnn_err *err) {
  (void)out, (void)bytes, (void)n, (void)as;
  return fail_absent(name, err);
}

bnn_status bnn_png_write(const char *path, const bnn_tensor *x, bnn_err *err) {
  (void)x;
  return fail_absent(path, err);
}

bnn_status bnn_png_encode(bnn_bytes *out, const bnn_tensor *x, bnn_err *err) {
  (void)out, (void)x;
  return fail_absent("an image", err);
}

#endif
