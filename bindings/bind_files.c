/* bind_files.c - tables in text, bytes into a file, folders, and the holder. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "bind.h"
#include "files/gzip.h"
#include "files/save.h"
#include "tables/csv.h"

/* ---- the holder ---- */

typedef struct holder {
  void *p;
  void (*release)(void *p);
} holder;

void bind_empty_holder(void **held) {
  holder *h = (holder *)(void *)held; /* p is its first member */
  void *p = h->p;
  h->p = NULL;
  if (p) h->release(p);
}

static int holder_gc(lua_State *L) {
  bind_empty_holder(lua_touserdata(L, 1));
  return 0;
}

void **bind_push_holder(lua_State *L, void (*release)(void *p)) {
  holder *h = lua_newuserdatauv(L, sizeof *h, 0);
  *h = (holder){NULL, release};
  static const luaL_Reg meta[] = {{"__gc", holder_gc}, {NULL, NULL}};
  bind_set_metatable(L, "bnn.holder", meta);
  return &h->p;
}

/* ---- tables ---- */

static void free_csv(void *t) { bnn_csv_free(t); }

/* The field of the options at index 2: what it is when it is not nil. */
static int option(lua_State *L, const char *name) { return lua_getfield(L, 2, name); }

/* Reads the value on top of the stack as a column: a name, which stands as long as the options do,
 * or a position. */
static bnn_csv_column check_column(lua_State *L, const char *fault) {
  bnn_csv_column c = {NULL, 0};
  if (lua_type(L, -1) == LUA_TSTRING) {
    c.name = lua_tostring(L, -1);
    return c;
  }
  int is_integer;
  lua_Integer position = lua_tointegerx(L, -1, &is_integer);
  bool fits = is_integer && position != 0 && position > -INT_MAX && position < INT_MAX;
  luaL_argcheck(L, fits, 2, fault);
  c.position = (int)position;
  return c;
}

static char check_separator(lua_State *L) {
  size_t n;
  const char *separator = luaL_checklstring(L, -1, &n);
  luaL_argcheck(L, n == 1 && !strchr("\"\r\n", *separator), 2,
                "delimiter: expected one character, no quote or line end");
  return *separator;
}

/* The list in field `name` as n columns; it leaves what it allocates on the stack. */
static const bnn_csv_column *check_columns(lua_State *L, const char *name, size_t *n) {
  *n = 0;
  if (option(L, name) == LUA_TNIL) return NULL;
  luaL_argcheck(L, lua_istable(L, -1), 2, "drop: expected a list of columns");
  int list = lua_gettop(L);
  *n = (size_t)lua_rawlen(L, list);
  bnn_csv_column *column = lua_newuserdatauv(L, *n * sizeof *column + 1, 0);
  for (size_t i = 0; i < *n; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    column[i] = check_column(L, "drop: expected names or positions from 1");
    lua_pop(L, 1);
  }
  return column;
}

/* The same as n strings. */
static const char *const *check_texts(lua_State *L, const char *name, size_t *n) {
  *n = 0;
  if (option(L, name) == LUA_TNIL) return NULL;
  luaL_argcheck(L, lua_istable(L, -1), 2, "classes: expected a list of names");
  int list = lua_gettop(L);
  *n = (size_t)lua_rawlen(L, list);
  const char **text = lua_newuserdatauv(L, *n * sizeof *text + 1, 0);
  for (size_t i = 0; i < *n; i++) {
    bool is_text = lua_rawgeti(L, list, (lua_Integer)i + 1) == LUA_TSTRING;
    luaL_argcheck(L, is_text, 2, "classes: expected a list of names");
    text[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  return text;
}

/* {separator =, header =, label =, drop =, classes =}; what they hold stands as long as the table
 * and the stack do. */
static bnn_csv_options check_options(lua_State *L) {
  bnn_csv_options o = {0};
  if (lua_isnoneornil(L, 2)) return o;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (option(L, "separator") != LUA_TNIL) o.separator = check_separator(L);
  if (option(L, "header") != LUA_TNIL)
    o.header = lua_toboolean(L, -1) ? BNN_CSV_HEADER : BNN_CSV_NO_HEADER;
  if (option(L, "label") != LUA_TNIL) {
    bnn_csv_column label = check_column(L, "label: a name or a column from 1 is wanted");
    o.label = label.name;
    o.column = label.position;
  }
  lua_pop(L, 3);
  o.drop = check_columns(L, "drop", &o.n_drop);
  o.class_name = check_texts(L, "classes", &o.classes);
  return o;
}

static void push_texts(lua_State *L, char *const *text, size_t n) {
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, text[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_field(lua_State *L, const char *name, bnn_tensor *x) {
  bind_tensor *box = bind_push_tensor(L);
  bind_fill_tensor(L, box, bnn_tensor_ref(x));
  lua_setfield(L, -2, name);
}

static void push_integer(lua_State *L, const char *name, size_t value) {
  lua_pushinteger(L, (lua_Integer)value);
  lua_setfield(L, -2, name);
}

/* What was found, for the notice of it. */
static void push_found(lua_State *L, const bnn_csv *t) {
  lua_createtable(L, 0, 6);
  lua_pushlstring(L, &t->separator, 1);
  lua_setfield(L, -2, "separator");
  push_integer(L, "columns", t->columns);
  push_integer(L, "label", t->label);
  push_integer(L, "unnamed", t->unnamed);
  lua_pushboolean(L, t->numbers_rows);
  lua_setfield(L, -2, "numbers_rows");
}

static void push_table(lua_State *L, const bnn_csv *t) {
  lua_createtable(L, 0, 5);
  push_found(L, t);
  lua_setfield(L, -2, "found");
  push_field(L, "x", t->x);
  if (t->y) push_field(L, "y", t->y);
  if (t->name) {
    push_texts(L, t->name, t->x->dim[1]);
    lua_setfield(L, -2, "names");
  }
  if (t->classes) {
    push_texts(L, t->class_name, t->classes);
    lua_setfield(L, -2, "classes");
  }
}

static int core_csv_read(lua_State *L) {
  bnn_err err;
  bnn_status status;
  int tries = 0;
  const char *path = bind_check_path(L, 1);
  bnn_csv_options o = check_options(L);
  void **held = bind_push_holder(L, free_csv);
  bnn_csv *t = NULL;
  do status = bnn_csv_read(&t, path, &o, &err);
  while (bind_try_again(L, status, &tries));
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  *held = t;
  push_table(L, t);
  *held = NULL; /* the boxes have their own references */
  bnn_csv_free(t);
  return 1;
}

static int core_save_bytes(lua_State *L) {
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  bnn_piece bytes = {0};
  bytes.p = luaL_checklstring(L, 2, &bytes.n);
  bnn_status status = bnn_save(path, &bytes, 1, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  lua_pushboolean(L, true);
  return 1;
}

/* ---- the beginning of a file ---- */

static void close_gzip(void *file) { bnn_gzip_close(file); }

static int core_file_head(lua_State *L) {
  enum { MOST = 1 << 16 };
  bnn_err err;
  const char *path = bind_check_path(L, 1);
  size_t n = (size_t)bind_check_range(L, 2, "bytes", 0, MOST), got = 0;
  char *to = lua_newuserdatauv(L, n + 1, 0);
  void **held = bind_push_holder(L, close_gzip);
  bnn_gzip *file = NULL;
  bnn_status status = bnn_gzip_open(&file, path, &err);
  *held = file;
  if (status == BNN_OK) status = bnn_gzip_read(file, to, n, &got, &err);
  if (status != BNN_OK) return bind_refuse_file(L, status, &err);
  *held = NULL;
  bnn_gzip_close(file);
  lua_pushlstring(L, to, got);
  return 1;
}

/* ---- folders ---- */

static void close_dir(void *dir) { closedir(dir); }

/* What dir/name is; follows links. */
static const char *kind_of(DIR *dir, const char *name) {
  struct stat about;
  if (fstatat(dirfd(dir), name, &about, 0) != 0) return "other";
  return S_ISREG(about.st_mode) ? "file" : S_ISDIR(about.st_mode) ? "folder" : "other";
}

static int core_list_dir(lua_State *L) {
  const char *path = bind_check_path(L, 1);
  void **held = bind_push_holder(L, close_dir);
  DIR *dir = *held = opendir(path);
  if (!dir) return bind_refuse_with(L, "input/output error: %s: %s", path, strerror(errno));
  lua_newtable(L);
  for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    lua_pushstring(L, kind_of(dir, name));
    lua_setfield(L, -2, name);
  }
  *held = NULL;
  closedir(dir);
  return 1;
}

static const bind_row rows[] = {
    {"csv_read", core_csv_read,
     "csv_read(path [, {separator=, header=, label=, drop=, classes=}]): a table of numbers in text\n"
     "Returns {x = real [n, d], y = labels [n] or nil, names = of x's columns or nil, classes = of "
     "labels that are text, found = {separator =, columns =, label =, unnamed =, numbers_rows =}}; "
     "or nil, message."},
    {"save_bytes", core_save_bytes,
     "save_bytes(path, bytes): writes a file, whole or not at all; true, or nil, message"},
    {"file_head", core_file_head,
     "file_head(path, n): the first n bytes of a file, of what it holds where that is gzip; fewer "
     "when it is shorter\nReturns nil, message when it cannot be read."},
    {"list_dir", core_list_dir,
     "list_dir(path): what a folder holds: {name = \"file\", \"folder\" or \"other\"}\n"
     "Returns nil, message when it cannot be read."},
    {NULL, NULL, NULL},
};

void bind_open_files(lua_State *L) { bind_register(L, "bnn.core.", rows); }
