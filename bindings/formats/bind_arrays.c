/* bind_arrays.c - NumPy's .npy and .npz.  What files are to blame for comes back as nil, message.
 */
#include "bind_arrays.h"

#include "../base/bind.h"
#include "../base/bind_context.h"
#include "../base/bind_error.h"
#include "../base/bind_holder.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "formats/npy.h"
#include "formats/npz.h"

/* ---- .npy ---- */

static int core_npy_read(lua_State *L) { return bind_read_tensor(L, bnn_npy_read); }

static int core_npy_map(lua_State *L) { return bind_read_tensor(L, bnn_npy_map); }

static int core_npy_write(lua_State *L) {
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  bnn_status status = bnn_npy_write(path, bind_check_tensor(L, 2), &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- .npz ---- */

static void free_npz(void *z) { bnn_npz_free(z); }

/* {name = tensor}, which it takes from z, the list of names in the archive's order, and {skipped = why}. */
static int push_arrays(lua_State *L, bnn_npz *z) {
  lua_createtable(L, 0, (int)z->n);
  lua_createtable(L, (int)z->n, 0);
  for (size_t i = 0; i < z->n; i++) {
    bnn_tensor *x = z->x[i];
    bind_push_tensor(L);
    z->x[i] = NULL;
    bind_fill_tensor(L, -1, x);
    lua_setfield(L, -3, z->name[i]);
    lua_pushstring(L, z->name[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_createtable(L, 0, (int)z->n_skipped);
  for (size_t i = 0; i < z->n_skipped; i++) {
    lua_pushstring(L, z->skipped[i].why);
    lua_setfield(L, -2, z->skipped[i].name);
  }
  return 3;
}

static int core_npz_read(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  size_t n = 0;
  const char *path = bind_check_path(L, 1);
  const char **names = lua_isnoneornil(L, 2) ? NULL : bind_check_strings(L, 2, 2, "names", &n);
  void **held = bind_push_holder(L, free_npz);
  bnn_npz *z = NULL;
  do status = bnn_npz_read(&z, path, names, n, &err);
  while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  *held = z;
  int results = push_arrays(L, z);
  bind_empty_holder(held);
  return results;
}

static int core_npz_write(lua_State *L) {
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  luaL_checktype(L, 3, LUA_TTABLE);
  bool compressed = lua_toboolean(L, 4);
  size_t n;
  const char **name = bind_check_strings(L, 2, 2, "names", &n);
  bnn_tensor **x = bind_check_tensors(L, 3, n);
  bnn_status status = bnn_npz_write(path, n, name, x, compressed, &err);
  if (status == BNN_ERANGE) bind_check(L, status, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

static const bind_row rows[] = {
    {"npy_read", core_npy_read,
     "npy_read(path): the tensor in a NumPy .npy file, plain or gzip by content\n"
     "Returns nil, message if there is no such file or it is malformed."},
    {"npy_map", core_npy_map,
     "npy_map(path): the tensor in a plain .npy file, over the file's own bytes\n"
     "It may be larger than memory. Returns nil, message if it cannot be mapped."},
    {"npy_write", core_npy_write,
     "npy_write(path, x): writes a tensor as .npy, atomically\n"
     "Returns true, or nil, message."},
    {"npz_read", core_npz_read,
     "npz_read(path [, names]): the tensors in a NumPy .npz file by name, all or those in a "
     "list; the\n"
     "list of their names; and {member = why} for members that are not arrays of numbers\n"
     "Returns nil, message if there is no such file, it is malformed, or lacks one of the names."},
    {"npz_write", core_npz_write,
     "npz_write(path, names, tensors, compressed): writes tensors as .npz, atomically\n"
     "Returns true, or nil, message."},
    {NULL, NULL, NULL},
};

void bind_open_arrays(lua_State *L) { bind_register(L, "bnn.core.", rows); }
