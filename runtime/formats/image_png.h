/* image_png.h - PNG images as tensors of u8.  Needs libpng; in a build without it all functions
 * fail, with EIO and a word.
 *
 * Read: any PNG up to 32768 x 32768 and 2^28 pixels; palettes are looked up, 16 bits rounded to 8,
 * fewer than 8 scaled to 0..255.  Grey is 0.299 R + 0.587 G + 0.114 B, as Pillow rounds it; what is
 * transparent shows white behind it.  Texts, profiles and other chunks that pixels do not need are
 * passed over, whatever they hold.
 *
 * Memory: 1 MB, and for each pixel its channels (at most 4) and those of what it becomes (at most
 * 3); above 64 MB for all pixels, at most 1032 bytes of channels for a byte of the file, which is
 * deflate's limit.  A file too short for its pixels is refused before, and rows take memory as they
 * arrive.  Time: linear in pixels and file.
 *
 * Errors name the file.  EIO: the system cannot open, read or write it.  EDATA: it is not such a
 * file.  ENOMEM. */
#ifndef BNN_IMAGE_PNG_H
#define BNN_IMAGE_PNG_H

#include <stddef.h>

#include "../base/status.h"
#include "../files/bytes.h"
#include "../tensor/tensor.h"

typedef enum bnn_png_as {
  BNN_PNG_AS_IS, /* [h, w, c]: c is 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
  BNN_PNG_GREY,  /* [h, w] */
  BNN_PNG_RGB    /* [h, w, 3] */
} bnn_png_as;

/* The image in a file.  *out: owned by the caller. */
bnn_status bnn_png_read(bnn_tensor **out, const char *path, bnn_png_as as, bnn_err *err);

/* The same from n bytes in memory; name stands for the path in errors. */
bnn_status bnn_png_parse(bnn_tensor **out, const void *bytes, size_t n, const char *name,
                         bnn_png_as as, bnn_err *err);

/* Writes x, u8 [h, w] or [h, w, c] with c as above, whole or not at all; the same bytes for the
 * same image and libpng.  ETYPE, ESHAPE: x is no such tensor. */
bnn_status bnn_png_write(const char *path, const bnn_tensor *x, bnn_err *err);

/* Adds the same bytes to *out. */
bnn_status bnn_png_encode(bnn_bytes *out, const bnn_tensor *x, bnn_err *err);

/* libpng's version; NULL in a build without it. */
const char *bnn_png_version(void);

#endif
