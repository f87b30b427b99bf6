/* bind_safetensors.c - files of named tensors in Lua.  What files are to blame for comes back as
 * nil, message. */
#include "bind_safetensors.h"

#include <string.h>

#include "../base/bind.h"
#include "../base/bind_box.h"
#include "../base/bind_context.h"
#include "../base/bind_display.h"
#include "../base/bind_error.h"
#include "../tensor/bind_argument.h"
#include "../tensor/bind_tensor.h"
#include "formats/safetensors.h"

/* ---- an open file: a box whose uservalue is the table of its metadata ---- */

static void file_free(void *held) { bnn_safetensors_close(*(bnn_safetensors **)held); }

static size_t file_bytes(const void *held) {
  const bnn_safetensors *f = *(bnn_safetensors *const *)held;
  return BIND_DESCRIPTOR_BYTES + f->n * sizeof *f->entry;
}

static const bind_class file_class = {
    .name = "bnn.safetensors",
    .noun = "file",
    .size = sizeof(bnn_safetensors *),
    .release = file_free,
    .bytes = file_bytes,
};

static int file_release(lua_State *L) { return bind_release_box(L, &file_class); }

static bnn_safetensors *check_file(lua_State *L) {
  return *(bnn_safetensors **)bind_check_box(L, 1, &file_class);
}

/* The entry named by argument 2; NULL with nil, message pushed when the file has none. */
static const bnn_safetensors_entry *find_entry(lua_State *L, const bnn_safetensors *f) {
  const bnn_safetensors_entry *e = bnn_safetensors_find(f, luaL_checkstring(L, 2));
  if (e) return e;
  bind_refuse_with(L, "%s: holds no tensor '%s'", f->path, lua_tostring(L, 2));
  return NULL;
}

static void set_metadata(lua_State *L, const bnn_safetensors *f) {
  lua_createtable(L, 0, (int)f->n_notes);
  for (size_t i = 0; i < f->n_notes; i++) {
    lua_pushlstring(L, f->note[i].value, f->note[i].length);
    lua_setfield(L, -2, f->note[i].key);
  }
  lua_setiuservalue(L, -2, 1);
}

/* safetensors_open(path, map, unchecked) */
static int core_open(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  const char *path = bind_check_path(L, 1);
  bnn_safetensors_options how = {.map = lua_toboolean(L, 2), .unchecked = lua_toboolean(L, 3)};
  bnn_safetensors *f = NULL;
  bind_push_box(L, &file_class);
  do status = bnn_safetensors_open(&f, path, &how, &err);
  while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  bind_fill_box(L, &file_class, &f);
  set_metadata(L, f);
  return 1;
}

/* ---- reading ---- */

static int file_names(lua_State *L) {
  const bnn_safetensors *f = check_file(L);
  lua_createtable(L, (int)f->n, 0);
  for (size_t i = 0; i < f->n; i++) {
    lua_pushstring(L, f->entry[i].name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* Pushes an entry's tensor, and leaves *status. */
static void push_tensor(lua_State *L, const bnn_safetensors *f, const bnn_safetensors_entry *e,
                        bnn_status *status, bnn_err *err) {
  int tries = 0;
  bnn_tensor *t = NULL;
  bind_push_tensor(L);
  do *status = bnn_safetensors_tensor(&t, f, e, err);
  while (bind_try_again(L, *status, &tries));
  if (*status == BNN_OK) bind_fill_tensor(L, -1, t);
}

static int file_tensor(lua_State *L) {
  bnn_err err;
  bnn_status status;
  const bnn_safetensors *f = check_file(L);
  const bnn_safetensors_entry *e = find_entry(L, f);
  if (!e) return 2;
  push_tensor(L, f, e, &status, &err);
  return status == BNN_OK ? 1 : bind_refuse_file(L, status, &err);
}

static int file_shape(lua_State *L) {
  const bnn_safetensors_entry *e = find_entry(L, check_file(L));
  if (!e) return 2;
  lua_createtable(L, (int)e->rank, 0);
  for (size_t k = 0; k < e->rank; k++) {
    lua_pushinteger(L, (lua_Integer)e->dim[k]);
    lua_rawseti(L, -2, (lua_Integer)k + 1);
  }
  return 1;
}

static int file_dtype(lua_State *L) {
  const bnn_safetensors_entry *e = find_entry(L, check_file(L));
  if (!e) return 2;
  lua_pushstring(L, e->dtype);
  lua_pushstring(L, e->as == BNN_DTYPE_COUNT ? NULL : bnn_dtype_name(e->as));
  return 2;
}

/* next for pairs: the tensor behind the name at 2, the first one behind nil. */
static int file_next(lua_State *L) {
  bnn_err err;
  bnn_status status;
  const bnn_safetensors *f = check_file(L);
  const bnn_safetensors_entry *e = f->entry;
  if (!lua_isnoneornil(L, 2)) {
    e = find_entry(L, f);
    if (!e) return bind_argerror(L, 2, "%s", lua_tostring(L, -1));
    e++;
  }
  if (e == f->entry + f->n) return 0;
  lua_pushstring(L, e->name);
  push_tensor(L, f, e, &status, &err);
  bind_check(L, status, &err);
  return 2;
}

static int file_pairs(lua_State *L) {
  check_file(L);
  lua_pushcfunction(L, file_next);
  lua_pushvalue(L, 1);
  return 2;
}

static int file_index(lua_State *L) {
  luaL_checkudata(L, 1, file_class.name);
  if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "metadata") == 0) {
    check_file(L);
    lua_getiuservalue(L, 1, 1);
  } else {
    lua_settop(L, 2);
    lua_gettable(L, lua_upvalueindex(1));
  }
  return 1;
}

static int file_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_file(L)->n);
  return 1;
}

static int file_print(lua_State *L) {
  bnn_safetensors **box = luaL_checkudata(L, 1, file_class.name);
  if (*box)
    lua_pushfstring(L, "safetensors: %I tensors in %s", (lua_Integer)(*box)->n, (*box)->path);
  else
    lua_pushstring(L, "safetensors: closed");
  bind_show_top(L);
  return 1;
}

/* ---- writing ---- */

/* String i of the list at `list`; it stands as long as the list does. */
static const char *check_item(lua_State *L, int list, size_t i, size_t *length) {
  lua_rawgeti(L, list, (lua_Integer)i + 1);
  if (lua_type(L, -1) != LUA_TSTRING) bind_argerror(L, list, "expected a list of strings");
  const char *text = lua_tolstring(L, -1, length);
  lua_pop(L, 1);
  return text;
}

/* safetensors_save(path, names, tensors, keys, values, checksums) */
static int core_save(lua_State *L) {
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  for (int arg = 2; arg <= 5; arg++) luaL_checktype(L, arg, LUA_TTABLE);
  size_t n, n_notes;
  const char **name = bind_check_strings(L, 2, 2, "names", &n);
  const char **key = bind_check_strings(L, 4, 4, "keys", &n_notes);
  bnn_tensor **x = bind_check_tensors(L, 3, n);
  bnn_safetensors_note *note = lua_newuserdatauv(L, n_notes * sizeof *note + 1, 0);
  for (size_t i = 0; i < n_notes; i++) {
    note[i].key = key[i];
    note[i].value = check_item(L, 5, i, &note[i].length);
  }
  bool checksums = lua_toboolean(L, 6);
  bnn_status status = bnn_safetensors_save(path, n, name, x, n_notes, note, checksums, &err);
  if (status == BNN_ERANGE) bind_check(L, status, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- registration ---- */

static const luaL_Reg meta[] = {{"__gc", file_release},
                                {"__close", file_release},
                                {"__pairs", file_pairs},
                                {"__len", file_length},
                                {"__tostring", file_print},
                                {"__index", file_index},
                                {NULL, NULL}};

static const bind_row methods[] = {
    {"names", file_names,
     "file:names(): the names of the tensors in alphabetical order\n"
     "    local file <close> = assert(bnn.safetensors.open \"mlp.safetensors\")\n"
     "    print(file:names()[1]) -- the first name"},
    {"tensor", file_tensor,
     "file:tensor(name): reads a tensor; or nil, message\n"
     "Also gives nil, message if the data do not match the checksum in the file. Writing to the\n"
     "tensor never changes the file. BOOL, I8, I16 and U16 are read as i32, U32 as i64, F16 and\n"
     "BF16 as f32. Other types (C64, F8_E4M3, ...) cannot be read; file:shape and file:dtype\n"
     "describe them.\n"
     "    local file <close> = assert(bnn.safetensors.open \"mlp.safetensors\")\n"
     "    local w = file:tensor(file:names()[1]) -- a tensor"},
    {"shape", file_shape,
     "file:shape(name): a tensor's shape as a list, without reading it; or nil, message\n"
     "    local file <close> = assert(bnn.safetensors.open \"mlp.safetensors\")\n"
     "    for _, name in ipairs(file:names()) do print(name, #file:shape(name)) end"},
    {"dtype", file_dtype,
     "file:dtype(name): the type of a tensor in the file (\"F32\", \"BF16\"), and the type that "
     "it is read as\n"
     "The second is nil if the tensor cannot be read. Returns nil, message if there is no such\n"
     "tensor.\n"
     "    local file <close> = assert(bnn.safetensors.open \"mlp.safetensors\")\n"
     "    file:dtype(file:names()[1]) --> \"F32\", \"f32\""},
    {"close", file_release,
     "file:close(): closes the file; tensors that were read stay valid\n"
     "    local file <close> = assert(bnn.safetensors.open \"mlp.safetensors\")\n"
     "    local w = file:tensor(file:names()[1])\n"
     "    file:close() -- w can still be used"},
    {NULL, NULL, NULL},
};

static const bind_row rows[] = {
    {"safetensors_open", core_open,
     "safetensors_open(path, map, unchecked): opens a file of tensors by name; or nil, message"},
    {"safetensors_save", core_save,
     "safetensors_save(path, names, tensors, keys, values, checksums): writes tensors and "
     "metadata\n"
     "atomically\n"
     "Returns true, or nil, message."},
    {NULL, NULL, NULL},
};

void bind_open_safetensors(lua_State *L) {
  bind_new_class(L, file_class.name, "file:", meta, methods);
  lua_pop(L, 1);
  bind_register(L, "bnn.core.", rows);
}
