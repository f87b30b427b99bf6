/* bind_idx.c - reading IDX files.  What the files are to blame for comes back as nil, message. */
#include "bind_idx.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "formats/idx.h"

static int core_idx_read(lua_State *L) { return bind_read_tensor(L, bnn_idx_read); }

static int core_idx_read_pair(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  const char *images = bind_check_path(L, 1), *labels = bind_check_path(L, 2);
  bnn_tensor *x = NULL, *y = NULL;
  bind_push_tensor(L);
  bind_push_tensor(L);
  do status = bnn_idx_read_pair(&x, &y, images, labels, &err);
  while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  bind_fill_tensor(L, -2, x);
  bind_fill_tensor(L, -1, y);
  return 2;
}

static int core_idx_map(lua_State *L) { return bind_read_tensor(L, bnn_idx_map); }

static int core_idx_check_labels(lua_State *L) {
  bnn_err err;
  bnn_tensor *labels = bind_check_dense(L, 1, BNN_I32);
  if (labels->rank != 1) bind_argerror(L, 1, "expected a list of labels");
  size_t classes = (size_t)bind_check_range(L, 2, "classes", 1, INT32_MAX);
  bnn_status status = bnn_idx_check_labels(labels, classes, luaL_checkstring(L, 3), &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

static const bind_row rows[] = {
    {"idx_read", core_idx_read,
     "idx_read(path): the tensor in an IDX file, gzip or plain by content\n"
     "Returns nil, message if there is no such file or it is malformed."},
    {"idx_read_pair", core_idx_read_pair,
     "idx_read_pair(images, labels): images [n, h, w] of u8 and their labels [n] as i32, from two "
     "files\nReturns nil, message if one is missing or malformed, or when the counts differ."},
    {"idx_map", core_idx_map,
     "idx_map(path): the tensor in a plain IDX file of u8, over the file's own bytes\n"
     "It may be larger than memory. Returns nil, message if it cannot be mapped."},
    {"idx_check_labels", core_idx_check_labels,
     "idx_check_labels(labels, classes, path): true when all labels, [n] of i32, are 0..classes-1\n"
     "Returns nil, message naming the first that is not and the path."},
    {NULL, NULL, NULL},
};

void bind_open_idx(lua_State *L) { bind_register(L, "bnn.core.", rows); }
