/* bind_images.c - PNG, sixels, other sizes, and pictures of characters. */
#include "bind_images.h"

#include <math.h>

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "base/mem.h"
#include "formats/image_png.h"
#include "images/image.h"
#include "images/levels.h"
#include "images/resize.h"
#include "images/sixel.h"

static const char *const forms[] = {"as_is", "grey", "rgb", NULL}; /* in the order of bnn_png_as */

static int core_png_read(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  const char *path = bind_check_path(L, 1);
  bnn_png_as as = (bnn_png_as)luaL_checkoption(L, 2, "as_is", forms);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_png_read(&t, path, as, &err);
  while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  return bind_return_tensor(L, status, t, &err);
}

static int core_png_parse(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  size_t n;
  const char *bytes = luaL_checklstring(L, 1, &n), *name = luaL_checkstring(L, 2);
  bnn_png_as as = (bnn_png_as)luaL_checkoption(L, 3, "as_is", forms);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_png_parse(&t, bytes, n, name, as, &err);
  while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  return bind_return_tensor(L, status, t, &err);
}

static int core_png_write(lua_State *L) {
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  bnn_status status = bnn_png_write(path, bind_check_tensor(L, 2), &err);
  if (status == BNN_ETYPE || status == BNN_ESHAPE) bind_check(L, status, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

static void free_bytes(void *p) {
  bnn_bytes_free(p);
  bnn_mem_free(p);
}

/* The bytes that `encode` makes of the image at argument 1. */
static int push_encoded(lua_State *L,
                        bnn_status (*encode)(bnn_bytes *, const bnn_tensor *, bnn_err *)) {
  bnn_err err;
  const bnn_tensor *x = bind_check_tensor(L, 1);
  void **held = bind_push_holder(L, free_bytes);
  bnn_bytes *b = *held = bnn_mem_zalloc(1, sizeof *b);
  if (!b) return bind_error(L, "out of memory: an image");
  bnn_status status = encode(b, x, &err);
  if (status == BNN_EIO) return bind_refuse(L, status, &err);
  bind_check(L, status, &err);
  lua_pushlstring(L, (const char *)b->p, b->n);
  *held = NULL;
  free_bytes(b);
  return 1;
}

static int core_png_encode(lua_State *L) { return push_encoded(L, bnn_png_encode); }

static int core_sixel_encode(lua_State *L) { return push_encoded(L, bnn_sixel_encode); }

static int core_image_resize(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bnn_tensor *x = bind_check_tensor(L, 1);
  size_t h = (size_t)bind_check_range(L, 2, "h", 1, BNN_RESIZE_SIDE_MAX);
  size_t w = (size_t)bind_check_range(L, 3, "w", 1, BNN_RESIZE_SIDE_MAX);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_image_resize(&t, x, h, w, &err);
  while (bind_try_again(L, status, &tries));
  return bind_return_tensor(L, status, t, &err);
}

static int core_image_span(lua_State *L) {
  double lo, hi;
  if (!bnn_image_span(bind_check_tensor(L, 1), &lo, &hi)) return luaL_pushfail(L), 1;
  lua_pushnumber(L, lo);
  lua_pushnumber(L, hi);
  return 2;
}

static int core_image_levels(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bnn_tensor *x = bind_check_tensor(L, 1);
  double lo = bind_check_number(L, 2), hi = bind_check_number(L, 3);
  luaL_argcheck(L, lo != hi && isfinite(hi - lo), 3, "expected two finite numbers that differ");
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_image_levels(&t, x, lo, hi, &err);
  while (bind_try_again(L, status, &tries));
  return bind_return_tensor(L, status, t, &err);
}

static int core_image_character(lua_State *L) {
  static const char *const inks[] = {"auto", "dark", "light", NULL};
  bnn_err err;
  bnn_status status;
  int tries = 0;
  bnn_tensor *x = bind_check_tensor(L, 1);
  bnn_ink ink = (bnn_ink)luaL_checkoption(L, 2, "auto", inks);
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do status = bnn_image_character(&t, x, ink, &err);
  while (bind_try_again(L, status, &tries));
  if (status == BNN_EDATA) return bind_refuse(L, status, &err);
  return bind_return_tensor(L, status, t, &err);
}

static const bind_row rows[] = {
    {"png_read", core_png_read,
     "png_read(path [, form]): the image in a PNG file as u8\n"
     "form: \"as_is\" (the default): [h, w, channels]; \"grey\": [h, w]; \"rgb\": [h, w, 3]\n"
     "Returns nil, message if there is no such file or it is malformed."},
    {"png_write", core_png_write,
     "png_write(path, x): writes u8 [h, w] or [h, w, 1 to 4] as PNG, atomically\n"
     "Returns true, or nil, message."},
    {"png_encode", core_png_encode,
     "png_encode(x): the bytes of a PNG file of u8 [h, w] or [h, w, 1 to 4], as a string\n"
     "Returns nil, message in a build without libpng."},
    {"png_parse", core_png_parse,
     "png_parse(bytes, name [, form]): the image in the bytes of a PNG file, as png_read; name stands "
     "for the path in messages"},
    {"sixel_encode", core_sixel_encode,
     "sixel_encode(x): the escape sequence that draws u8 [h, w] or [h, w, 3] on a terminal that knows "
     "sixels, as a string"},
    {"image_resize", core_image_resize,
     "image_resize(x, h, w): u8 [*, *] or [*, *, c] at another size, u8 [h, w] or [h, w, c]\n"
     "Each pixel is the mean of the area that it covers; whole factors repeat pixels, or take means of "
     "squares."},
    {"image_span", core_image_span,
     "image_span(x): the least and the greatest finite element of a tensor, or nil if there is none"},
    {"image_levels", core_image_levels,
     "image_levels(x, lo, hi): u8 of x's shape, in which lo is 0 and hi 255; what lies beyond is clipped, "
     "and a NaN is 128"},
    {"image_character", core_image_character,
     "image_character(x [, ink]): a picture of a character, u8 [h, w], made as MNIST's are: u8 "
     "[28, 28]\n"
     "ink: \"auto\" (the default), \"dark\" or \"light\"\n"
     "Returns nil, message if the picture shows no ink."},
    {NULL, NULL, NULL},
};

void bind_open_images(lua_State *L) { bind_register(L, "bnn.core.", rows); }
