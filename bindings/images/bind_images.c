/* bind_images.c - PNG, and pictures of characters. */
#include "bind_images.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "base/mem.h"
#include "formats/image_png.h"
#include "images/image.h"

static int core_png_read(lua_State *L) {
  static const char *const forms[] = {"as_is", "grey", "rgb", NULL};
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

static int core_png_encode(lua_State *L) {
  bnn_err err;
  const bnn_tensor *x = bind_check_tensor(L, 1);
  void **held = bind_push_holder(L, free_bytes);
  bnn_bytes *b = *held = bnn_mem_zalloc(1, sizeof *b);
  if (!b) return bind_error(L, "out of memory: an image");
  bnn_status status = bnn_png_encode(b, x, &err);
  if (status == BNN_EIO) return bind_refuse(L, status, &err);
  bind_check(L, status, &err);
  lua_pushlstring(L, (const char *)b->p, b->n);
  *held = NULL;
  free_bytes(b);
  return 1;
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
    {"image_character", core_image_character,
     "image_character(x [, ink]): a picture of a character, u8 [h, w], made as MNIST's are: u8 "
     "[28, 28]\n"
     "ink: \"auto\" (the default), \"dark\" or \"light\"\n"
     "Returns nil, message if the picture shows no ink."},
    {NULL, NULL, NULL},
};

void bind_open_images(lua_State *L) { bind_register(L, "bnn.core.", rows); }
